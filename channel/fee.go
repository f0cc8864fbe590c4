package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// adjustFee sends update_fee when we pay the fees and the rate is more than a tenth
// off what it should be, up to what we can pay (B2.fee.5).
func (c *Channel) adjustFee() {
	if !c.terms.Funder || c.target == 0 || c.fee != nil || len(c.core.Fees) > 0 || c.core.Phase != Open || c.want.closing || c.quieting() {
		return
	}
	want, now := c.wantedRate(), c.core.FeeRate
	if want == now || max(want, now)-min(want, now) <= now/10 {
		return
	}
	if want > now && (!c.canPay(want) || c.dustyAt(want)) {
		return
	}
	c.fee = &FeeUpdate{Rate: want, State: htlc.SentAdd}
	c.send(&lnwire.UpdateFee{ChannelID: c.core.ChannelID, FeeratePerKW: want})
}

// wantedRate is the estimate, within what is sane for the format.
func (c *Channel) wantedRate() lnwire.SatPerKW {
	want := min(max(c.target, lnwire.FeeFloor), maxFeeRate)
	if c.terms.Format == commitment.Anchors {
		want = min(want, c.cfg.anchorRate())
	}
	return want
}

// canPay: both commitments stay affordable for us at the rate, above our reserve,
// and their fee takes at most half of what we have (V-17).
func (c *Channel) canPay(rate lnwire.SatPerKW) bool {
	for _, ours := range [2]bool{true, false} {
		s := c.ahead(ours)
		s.FeeRate = rate
		p := c.owner(ours)
		mine := s.ToOwner
		if !ours {
			mine = s.ToOther
		}
		if !p.Affordable(s, c.terms.Theirs.Reserve) || 2*p.Cost(s).MilliSat() > mine {
			return false
		}
	}
	return true
}

// dustyAt: at the rate more would be dust than we bear (V-20).
func (c *Channel) dustyAt(rate lnwire.SatPerKW) bool {
	for _, ours := range [2]bool{true, false} {
		s := c.ahead(ours)
		if c.owner(ours).DustExposure(rate, s.HTLCs) > c.cfg.maxDust() {
			return true
		}
	}
	return false
}

// rcvFee is the peer's update_fee. One that is not signed yet is replaced in place:
// nothing grows (V-52, B2.fee.4).
func (c *Channel) rcvFee(m *lnwire.UpdateFee) {
	rate := m.FeeratePerKW
	if c.terms.Funder { // B2.fee.1
		c.warn("update_fee: you do not pay the fees")
		return
	}
	if rate < lnwire.FeeFloor || rate > c.feeCeiling() { // B2.fee.2
		c.warn(fmt.Sprintf("update_fee: %d sat/kw is out of bounds (%d to %d)", rate, lnwire.FeeFloor, c.feeCeiling()))
		return
	}
	s := c.spec(true, holds(htlc.LocalNext))
	old := s.FeeRate
	s.FeeRate = rate
	p := c.owner(true)
	if rate > old {
		if !p.Affordable(s, c.terms.Ours.Reserve) { // B2.fee.3
			c.warn(fmt.Sprintf("update_fee: %d sat/kw cost %v, more than you have above the reserve", rate, p.Cost(s)))
			return
		}
		// V-17: a fee that eats the funder's money leaves it nothing to lose.
		if rate > DefaultAnchorRate && 2*p.Cost(s).MilliSat() > s.ToOther {
			c.warn(fmt.Sprintf("update_fee: %d sat/kw cost %v, more than half of your %v", rate, p.Cost(s), s.ToOther))
			return
		}
	}
	c.fee = &FeeUpdate{Rate: rate, State: htlc.RcvdAdd}
	c.stale = true
}
