package channel

import (
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// closingPatience is how long a connected peer may let the closing negotiation
// rest before the channel is failed (B2.closing.9).
const closingPatience = 30 * time.Minute

// offers is the state of the negotiation of the closing fee on this connection.
type offers struct {
	clock    patience // since the last progress
	sent     bool
	fee      lnwire.Sat // last sent
	min, max lnwire.Sat // the fee_range we have sent
	got      bool
	gotFee   lnwire.Sat            // last received
	waiting  *lnwire.ClosingSigned // a peer's offer while the signer is away
}

// offersFrom starts or restarts the clock of the negotiation.
func (c *Channel) offersFrom() {
	c.begin(&c.conn.offers.clock)
}

// closingTick fails a channel whose peer does not go on with the close.
func (c *Channel) closingTick() {
	if c.core.Phase != ShuttingDown || !c.negotiating() {
		return
	}
	if c.over(&c.conn.offers.clock, closingPatience) {
		c.fail("no agreement on the closing fee in time")
	}
}

// closing is what the closing transaction is made from.
func (c *Channel) closing() *commitment.Closing {
	return &commitment.Closing{
		Funding: c.core.Funding, Capacity: c.terms.Capacity,
		OurKey: c.terms.Ours.Funding, TheirKey: c.terms.Theirs.Funding,
		OurScript: c.core.OurShutdown, TheirScript: c.core.TheirShutdown,
		Ours: c.core.Ours, Theirs: c.core.Theirs, WeFund: c.terms.Funder,
		OurDust: c.terms.Ours.DustLimit, TheirDust: c.terms.Theirs.DustLimit,
	}
}

// idealFee is what we would pay, or see paid, for the closing transaction.
func (c *Channel) idealFee(p *commitment.Closing) lnwire.Sat {
	rate := c.want.rate
	if rate == 0 {
		rate = c.usualRate()
	}
	return min(max(rate, lnwire.FeeFloor), maxFeeRate).Fee(p.Weight())
}

// usualRate is that of transactions that nobody has a wish for.
func (c *Channel) usualRate() lnwire.SatPerKW {
	if c.target == 0 {
		return c.core.FeeRate
	}
	return c.target
}

// feeRange is what we accept: as funder up to three times the ideal or what the
// operator allows, and down to the relay minimum, or a tenth below the rate that the
// operator wants; as fundee anything that relays (B2.closing.4).
func (c *Channel) feeRange(p *commitment.Closing) (ideal, low, high lnwire.Sat) {
	ideal, low = c.idealFee(p), lnwire.FeeFloor.Fee(p.Weight())+1
	if c.terms.Funder && c.want.rate > 0 {
		low = max(low, ideal-ideal/10)
	}
	high = 3 * ideal
	if c.want.max > 0 {
		high = min(c.want.max, maxFeeRate).Fee(p.Weight())
	}
	if c.terms.Funder {
		high = min(high, p.Ours.Sat())
		low = min(low, high)
	} else {
		high = max(high, p.Theirs.Sat())
	}
	return min(max(ideal, low), high), low, high
}

// negotiate makes the funder's first offer (B2.closing.1), and answers what had to
// wait for the signer.
func (c *Channel) negotiate() {
	if !c.negotiating() {
		return
	}
	if c.simply() {
		c.offerSimply()
		return
	}
	o := &c.conn.offers
	if m := o.waiting; m != nil {
		o.waiting = nil
		c.rcvClosing(m)
		return
	}
	if o.sent || !c.terms.Funder {
		return
	}
	p := c.closing()
	ideal, low, high := c.feeRange(p)
	o.min, o.max = low, high
	tx, err := commitment.BuildClosing(p, ideal)
	if err != nil {
		c.fail("no closing transaction is possible: " + err.Error())
		return
	}
	c.offer(tx, ideal)
}

// offer sends closing_signed for a transaction, once; false while the signer is
// away.
func (c *Channel) offer(tx *commitment.ClosingTx, fee lnwire.Sat) (sig lnwire.Sig, ok bool) {
	sigs, ok := c.crypto.Sign([]commitment.SignJob{tx.Job(c.terms.Keys)})
	if !ok || len(sigs) != 1 {
		return sig, false
	}
	o := &c.conn.offers
	if o.sent && o.fee == fee {
		return sigs[0], true
	}
	o.sent, o.fee = true, fee
	c.offersFrom()
	c.send(&lnwire.ClosingSigned{ // B2.closing.2
		ChannelID: c.core.ChannelID, Fee: fee, Sig: sigs[0], Range: &lnwire.FeeRange{Min: o.min, Max: o.max},
	})
	return sigs[0], true
}

// rcvClosing is the peer's offer: take it, or answer with another.
func (c *Channel) rcvClosing(m *lnwire.ClosingSigned) {
	p := c.closing()
	o := &c.conn.offers
	if c.terms.Funder && !o.sent {
		c.warn("closing_signed: the funder speaks first")
		return
	}
	tx, why := c.signedVariant(p, m)
	if why != "" {
		c.warn("closing_signed: " + why)
		return
	}
	if !c.relays(tx) { // B2.closing.8
		c.fail("closing_signed: an output is dust for its script")
		return
	}
	c.offersFrom()
	last, hadLast := o.gotFee, o.got
	o.got, o.gotFee = true, m.Fee
	switch {
	case o.sent && m.Fee == o.fee: // B2.closing.5
		c.agreeOn(m, tx)
	case m.Range != nil:
		c.offerWithin(m, p, tx)
	case hadLast && o.sent && !between(m.Fee, last, o.fee): // B2.closing.10
		c.warn(fmt.Sprintf("closing_signed: %v is not between %v and %v", m.Fee, last, o.fee))
	default:
		c.offerBetween(m, p, tx)
	}
}

// signedVariant is the closing transaction that the peer's signature covers
// (B2.closing.3).
func (c *Channel) signedVariant(p *commitment.Closing, m *lnwire.ClosingSigned) (*commitment.ClosingTx, string) {
	variants, err := commitment.ClosingVariants(p, m.Fee)
	if err != nil {
		return nil, err.Error()
	}
	for _, tx := range variants {
		if check, ok := tx.Check(m.Sig); ok && c.crypto.Verify([]commitment.Check{check}) {
			return tx, ""
		}
	}
	return nil, "the signature is wrong"
}

// relays: no output is dust for its script.
func (c *Channel) relays(tx *commitment.ClosingTx) bool {
	for _, out := range tx.Tx.TxOut {
		if out.Value < int64(commitment.DustThreshold(out.PkScript)) {
			return false
		}
	}
	return true
}

// offerWithin answers an offer that says its range: the fundee chooses within both
// ranges, the funder must follow (B2.closing.6, B2.closing.7).
func (c *Channel) offerWithin(m *lnwire.ClosingSigned, p *commitment.Closing, tx *commitment.ClosingTx) {
	o := &c.conn.offers
	ideal := o.fee
	if !o.sent {
		ideal, o.min, o.max = c.feeRange(p)
		o.max = max(o.max, m.Range.Max)
	}
	low, high := max(o.min, m.Range.Min), min(o.max, m.Range.Max)
	inside := m.Fee >= low && m.Fee <= high
	switch {
	case low > high:
		c.warn(fmt.Sprintf("closing_signed: your fee_range of %v to %v does not meet ours of %v to %v", m.Range.Min, m.Range.Max, o.min, o.max))
	case c.terms.Funder && inside:
		c.agreeOn(m, tx)
	case c.terms.Funder:
		c.fail(fmt.Sprintf("closing_signed: %v is in the fee_range of one side only", m.Fee))
	case o.sent:
		c.fail(fmt.Sprintf("closing_signed: %v is not the %v that you were to confirm", m.Fee, o.fee))
	case inside:
		c.agreeOn(m, tx)
	default:
		c.counter(m, p, min(max(ideal, low), high))
	}
}

// offerBetween answers an offer in the old way: take what is in our own range, else
// go to meet it, but never outside that range: a peer that asks for all we have must
// not get us to sign half of it away, nor a fee that does not relay. We go in small
// steps: lnd comes nearer by a tenth of its last offer, whatever we offer, and takes
// one that is less than a third away.
func (c *Channel) offerBetween(m *lnwire.ClosingSigned, p *commitment.Closing, tx *commitment.ClosingTx) {
	o := &c.conn.offers
	if !o.sent {
		var ideal lnwire.Sat
		if ideal, o.min, o.max = c.feeRange(p); m.Fee < o.min {
			c.counter(m, p, ideal)
			return
		}
	}
	if m.Fee >= o.min && m.Fee <= o.max { // B2.closing.5
		c.agreeOn(m, tx)
		return
	}
	next := o.fee
	if m.Fee < o.fee {
		next -= min((o.fee-m.Fee)/2, step(o.fee-o.min))
	} else {
		next += min((m.Fee-o.fee)/2, step(o.max-o.fee))
	}
	if next == o.fee {
		c.warn(fmt.Sprintf("closing_signed: %v is out of the %v to %v that we accept", m.Fee, o.min, o.max))
		return
	}
	c.counter(m, p, next) // B2.closing.11
}

// step is how far one offer goes, of the way that is left to the end of our range.
func step(left lnwire.Sat) lnwire.Sat { return (left + 15) / 16 }

// counter makes another offer than the peer's.
func (c *Channel) counter(m *lnwire.ClosingSigned, p *commitment.Closing, fee lnwire.Sat) {
	tx, err := commitment.BuildClosing(p, fee)
	if err != nil {
		c.fail("no closing transaction is possible: " + err.Error())
		return
	}
	if _, ok := c.offer(tx, fee); !ok {
		c.conn.offers.waiting = m
	}
}

// agreeOn takes the peer's offer: the closing transaction is complete. We sign the
// very variant that the peer has signed, and say so unless it knows.
func (c *Channel) agreeOn(m *lnwire.ClosingSigned, tx *commitment.ClosingTx) {
	sig, ok := c.offer(tx, m.Fee)
	if !ok {
		c.conn.offers.waiting = m
		return
	}
	done := tx.Finish(sig, m.Sig)
	c.core.CloseTx, c.core.CloseFee = done, m.Fee
	c.enter(MutualClose)
	c.fx.Publish = append(c.fx.Publish, done)
	c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: NoticeClosePublished, Tx: done})
}

// between reports that fee lies strictly between a and b.
func between(fee, a, b lnwire.Sat) bool { return fee > min(a, b) && fee < max(a, b) }
