package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// remoteWorst is the peer's commitment once all that is under way has reached it.
func remoteWorst(s htlc.State) bool {
	return s == htlc.RcvdAdd || s == htlc.RcvdAddCommit || s.In(htlc.RemoteNext)
}

// ahead is what a commitment of either side will hold when everything under way has
// arrived and no removal of the peer has: what a new HTLC of ours must fit into.
func (c *Channel) ahead(ours bool) commitment.Spec {
	if ours {
		return c.scratchSpec(true, localWorst)
	}
	return c.scratchSpec(false, remoteWorst)
}

// commitmentHTLC is h as a commitment sees it.
func commitmentHTLC(h *htlc.HTLC, ours bool) commitment.HTLC {
	return commitment.HTLC{Ref: h.Ref, Offered: (h.Ref.Dir == htlc.Outgoing) == ours, Amount: h.Amount, Expiry: h.Expiry, Hash: h.Hash}
}

// offered counts and sums the HTLCs of one direction in a commitment.
func offered(list []*entry, in outlook) (n int, sum lnwire.MilliSat) {
	for _, e := range list {
		if in(e.State) {
			n++
			sum += e.Amount
		}
	}
	return n, sum
}

// checkOutgoing says why an HTLC of ours cannot be offered now; "" when it can.
func (c *Channel) checkOutgoing(h *htlc.HTLC) (htlc.RefusalReason, string) {
	theirs, tip := &c.terms.Theirs, c.core.Tip.Height
	switch {
	case h.Amount == 0 || h.Amount < theirs.HTLCMinimum: // B2.add.1
		return htlc.BelowMinimum, fmt.Sprintf("%v is below the peer's htlc_minimum_msat of %v", h.Amount, theirs.HTLCMinimum)
	case h.Expiry <= tip: // B2.add.7
		return htlc.BadExpiry, fmt.Sprintf("expiry %d is not above the height %d", h.Expiry, tip)
	case h.Expiry > tip+maxExpiryAhead: // B2.add.2, V-37
		return htlc.BadExpiry, fmt.Sprintf("expiry %d is more than %d blocks ahead of the height %d", h.Expiry, maxExpiryAhead, tip)
	}
	n, sum := offered(c.out, holds(htlc.RemoteNext))
	if most := int(min(theirs.MaxAccepted, maxHTLCs)); n >= most { // B2.add.3
		return htlc.TooMany, fmt.Sprintf("%d htlcs are pending, the peer accepts %d", n, most)
	}
	if h.Amount > theirs.MaxInFlight || sum > theirs.MaxInFlight-h.Amount { // B2.add.4
		return htlc.TooMany, fmt.Sprintf("%v are in flight; with %v more it is above the peer's max_htlc_value_in_flight_msat of %v", sum, h.Amount, theirs.MaxInFlight)
	}
	for _, ours := range [2]bool{true, false} {
		if why := c.checkBalance(h, ours); why != "" {
			return htlc.NoBalance, why
		}
	}
	for _, ours := range [2]bool{true, false} {
		if dust := c.dustWith(h, ours); dust > c.cfg.maxDust() { // B2.dust.1, V-20
			return htlc.TooMuchDust, fmt.Sprintf("%v of dust would be in a commitment, the limit is %v", dust, c.cfg.maxDust())
		}
	}
	return 0, ""
}

// checkBalance: with h in one side's commitment we keep our reserve, and whoever
// pays the fee can.
func (c *Channel) checkBalance(h *htlc.HTLC, ours bool) string {
	p, s := c.owner(ours), c.ahead(ours)
	mine, theirs := s.ToOwner, s.ToOther
	if !ours {
		mine, theirs = theirs, mine
	}
	before := p.Cost(s)
	s.HTLCs = append(s.HTLCs, commitmentHTLC(h, ours))
	need := c.terms.Theirs.Reserve.MilliSat() // B2.add.8
	if c.terms.Funder {
		need += spike(p, s, 1).MilliSat() // B2.add.9, B2.add.10
	}
	if mine < h.Amount || mine-h.Amount < need {
		return fmt.Sprintf("%v of %v cannot be spent: %v have to stay for reserve and fees", h.Amount, mine, need)
	}
	// B2.add.11: nor may it leave a funder on the other side without its fee.
	if cost := p.Cost(s); !c.terms.Funder && cost > before && theirs < (cost+c.terms.Ours.Reserve).MilliSat() {
		return fmt.Sprintf("the peer's %v do not pay for another htlc (%v and its reserve)", theirs, cost)
	}
	return ""
}

// review gives back the newest HTLCs that we have not offered yet until what is left
// can be paid for: the peer may have added some of its own since they were checked,
// not knowing of them.
func (c *Channel) review() {
	for n := len(c.out) - 1; n >= 0 && c.out[n].State == htlc.SentAdd && !c.bearable(); n-- {
		e := c.out[n]
		c.out = c.out[:n]
		c.stale = true
		c.refuse(e.Origin, htlc.NoBalance, "the peer's HTLCs came first, the fee for both cannot be paid")
	}
}

// bearable: with all HTLCs in either commitment we keep our reserve (B2.add.8), and
// whoever pays the fee can, as far as it is for HTLCs that we have yet to offer
// (B2.add.9, B2.add.11).
func (c *Channel) bearable() bool {
	for _, ours := range [2]bool{true, false} {
		p, s := c.owner(ours), c.ahead(ours)
		mine, theirs := s.ToOwner, s.ToOther
		if !ours {
			mine, theirs = theirs, mine
		}
		need, cost := c.terms.Theirs.Reserve, p.Cost(s)
		if c.terms.Funder {
			need += cost
		}
		if mine < need.MilliSat() {
			return false
		}
		if c.terms.Funder || theirs >= (cost+c.terms.Ours.Reserve).MilliSat() {
			continue
		}
		offered := s.HTLCs[:0]
		for _, h := range s.HTLCs {
			if e, ok := c.byRef(h.Ref); ok && e.State != htlc.SentAdd {
				offered = append(offered, h)
			}
		}
		if s.HTLCs = offered; cost > p.Cost(s) {
			return false
		}
	}
	return true
}

// spike is the fee spike buffer: what the commitment would cost at twice the rate
// and with more HTLCs, anchors included.
func spike(p *commitment.Params, s commitment.Spec, more int) lnwire.Sat {
	n := p.Untrimmed(s)
	now := commitment.CommitFee(p.Format, s.FeeRate, n)
	return p.Cost(s) - now + commitment.CommitFee(p.Format, 2*s.FeeRate, n+more)
}

// dustWith is the dust in one side's commitment with h in it; 0 when h itself is
// no dust there.
func (c *Channel) dustWith(h *htlc.HTLC, ours bool) lnwire.MilliSat {
	s := c.ahead(ours)
	x := commitmentHTLC(h, ours)
	p, rate := c.owner(ours), bufferRate(s.FeeRate)
	if !commitment.Trimmed(p.Format, rate, p.DustLimit, x.Amount, x.Offered) {
		return 0
	}
	return p.DustExposure(rate, append(s.HTLCs, x))
}

// bufferRate is the rate at which dust is counted: higher than now, since a rise
// turns more HTLCs into dust (V-20). With anchors the rate does not matter.
func bufferRate(rate lnwire.SatPerKW) lnwire.SatPerKW {
	return max(rate+rate/4, rate+2530)
}

// checkIncoming says what is wrong with an HTLC that the peer offers; "" when
// nothing is.
func (c *Channel) checkIncoming(h *htlc.HTLC) string {
	ours := &c.terms.Ours
	switch {
	case h.Amount == 0 || h.Amount < ours.HTLCMinimum: // B2.add.12
		return fmt.Sprintf("amount_msat of %v is below htlc_minimum_msat of %v", h.Amount, ours.HTLCMinimum)
	case h.Expiry >= expiryIsTime: // B2.add.13
		return fmt.Sprintf("cltv_expiry of %d is no height", h.Expiry)
	}
	n, sum := offered(c.in, holds(htlc.LocalNext))
	if n >= int(ours.MaxAccepted) { // B2.add.14
		return fmt.Sprintf("more than max_accepted_htlcs of %d", ours.MaxAccepted)
	}
	if h.Amount > ours.MaxInFlight || sum > ours.MaxInFlight-h.Amount { // B2.add.15
		return fmt.Sprintf("%v in flight and %v more are above max_htlc_value_in_flight_msat of %v", sum, h.Amount, ours.MaxInFlight)
	}
	p, s := c.owner(true), c.scratchSpec(true, holds(htlc.LocalNext))
	s.HTLCs = append(s.HTLCs, commitmentHTLC(h, true))
	need := ours.Reserve
	if !c.terms.Funder {
		need += p.Cost(s)
	}
	if s.ToOther < h.Amount || s.ToOther-h.Amount < need.MilliSat() { // B2.add.16
		return fmt.Sprintf("amount_msat of %v is not affordable: of %v, %v have to stay for reserve and fees", h.Amount, s.ToOther, need)
	}
	// A commitment whose fee is cut short may not relay: with it go the HTLCs (V-22).
	if c.terms.Funder && !p.Affordable(s, 0) {
		return fmt.Sprintf("our %v do not pay for another htlc (%v)", s.ToOwner, p.Cost(s))
	}
	return ""
}

// unfit says why a locked-in HTLC must be failed whatever its onion says.
func (c *Channel) unfit(e *entry) htlc.Unfit {
	if c.core.Phase > ShuttingDown {
		return htlc.UnfitClosed
	}
	if c.core.Confirmed == nil && !c.trusting() { // B2.ready.1 held once: a reorg took it back
		return htlc.UnfitUnfunded
	}
	if e.Expiry > c.core.Tip.Height+maxExpiryAhead { // V-37
		return htlc.UnfitFar
	}
	for _, ours := range [2]bool{true, false} {
		s, x := c.ahead(ours), commitmentHTLC(&e.HTLC, ours)
		p, rate := c.owner(ours), bufferRate(s.FeeRate)
		if commitment.Trimmed(p.Format, rate, p.DustLimit, x.Amount, x.Offered) && p.DustExposure(rate, s.HTLCs) > c.cfg.maxDust() { // B2.dust.2
			return htlc.UnfitDust
		}
	}
	return htlc.Fit
}

// spendable is the largest amount that addHTLC would take, receivable the largest
// that the peer could offer; both 0 when not even the least fits.
func (c *Channel) spendable() lnwire.MilliSat {
	theirs := &c.terms.Theirs
	n, sum := offered(c.out, holds(htlc.RemoteNext))
	if n >= int(min(theirs.MaxAccepted, maxHTLCs)) {
		return 0
	}
	most := above(theirs.MaxInFlight, sum)
	for _, ours := range [2]bool{true, false} {
		p, s := c.owner(ours), c.ahead(ours)
		mine := s.ToOwner
		if !ours {
			mine = s.ToOther
		}
		need := theirs.Reserve
		if c.terms.Funder {
			need += spike(p, s, 2) // one is the HTLC itself
		}
		most = min(most, above(mine, need.MilliSat()))
	}
	if most < max(1, theirs.HTLCMinimum) {
		return 0
	}
	return most
}

func (c *Channel) receivable() lnwire.MilliSat {
	ours := &c.terms.Ours
	n, sum := offered(c.in, holds(htlc.LocalNext))
	if n >= int(ours.MaxAccepted) {
		return 0
	}
	p, s := c.owner(true), c.scratchSpec(true, holds(htlc.LocalNext))
	need := ours.Reserve
	if !c.terms.Funder {
		need += spike(p, s, 2)
	}
	most := min(above(ours.MaxInFlight, sum), above(s.ToOther, need.MilliSat()))
	if most < max(1, ours.HTLCMinimum) {
		return 0
	}
	return most
}

// above is a-b, or 0.
func above(a, b lnwire.MilliSat) lnwire.MilliSat {
	if a < b {
		return 0
	}
	return a - b
}
