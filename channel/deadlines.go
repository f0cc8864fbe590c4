package channel

import (
	"fmt"
	"strings"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// What a forced close takes beyond the commitment's own fee, roughly: the child on the
// anchor and the sweep of to_local; and each HTLC that is enforced, with anchors: its
// transaction with a coin that pays for it, and the sweep of the second stage.
const (
	closeWeight  = 1200
	htlcWeight   = 1000
	secondWeight = 330
)

// deadlines goes to the chain while HTLCs can still be enforced there, when that saves
// more than it costs. A close takes every HTLC and all further payments with it, so one
// that is dust, or worth less than its own enforcement, is no reason for it: it is failed
// upstream in time, lest that channel be closed for it. The peer can fulfil it nevertheless:
// no more is left to it than may be dust (V-20), and tooLate bounds what it takes.
func (c *Channel) deadlines() {
	if c.core.Phase != Open && c.core.Phase != ShuttingDown {
		return
	}
	var due []*entry
	saved, left := lnwire.Sat(0), lnwire.MilliSat(0)
	c.each(func(e *entry) {
		if c.isDue(e) {
			due = append(due, e)
			saved += c.enforceable(e)
			if e.Origin.Kind == htlc.FromForward {
				left += e.Amount
			}
		}
	})
	if len(due) == 0 {
		return
	}
	cost := c.closeCost()
	if saved > cost || left > c.cfg.maxDust() {
		c.unilaterally(c.describeDue(due), fmt.Sprintf("; closing costs about %v and saves %v", cost, saved))
		return
	}
	for _, e := range due {
		if !c.overdue[e.Ref] {
			if c.overdue == nil {
				c.overdue = map[htlc.Ref]bool{}
			}
			c.overdue[e.Ref] = true
			c.tell(NoticeOverdue, fmt.Sprintf("%s; closing would cost about %v and save %v, so the channel stays", c.describeDue([]*entry{e}), cost, saved))
		}
		// B2.expiry.3
		if up := e.Origin.ExpiryIn; e.Origin.Kind == htlc.FromForward && c.core.Tip.Height+UpstreamMargin >= up && !e.Told {
			e.Late = true
			c.outcome(e, htlc.Resolution{Kind: htlc.TimedOut})
		}
	}
}

// tooLate: the peer fulfils an HTLC that was failed upstream, for it was not worth a close.
// That is our loss. Whoever takes more in this way than a close costs loses the channel
// before that counts (B2.expiry.4).
func (c *Channel) tooLate(e *entry) bool {
	if !e.Late {
		return false
	}
	taken := c.core.Forfeit + e.Amount
	for _, o := range c.out {
		if o.Late && o.Removal != nil && o.Removal.Kind == htlc.Fulfilled {
			taken += o.Amount
		}
	}
	why := fmt.Sprintf("htlc %d of %v, which expired at %d, is fulfilled at %d, when it was failed upstream", e.Ref.ID, e.Amount, e.Expiry, c.core.Tip.Height)
	cost := c.closeCost()
	if taken <= cost.MilliSat() {
		c.tell(NoticeOverdue, why)
		return false
	}
	c.unilaterally(why, fmt.Sprintf("; closing costs about %v, the peer has taken %v in this way", cost, taken))
	return true
}

// isDue: an HTLC should be off both commitments by now (B2.expiry.1, B2.expiry.2).
func (c *Channel) isDue(e *entry) bool {
	tip := c.core.Tip.Height
	if e.Ref.Dir == htlc.Outgoing {
		return e.State != htlc.SentAdd && tip >= e.Expiry+OfferedGrace
	}
	return e.Removal != nil && e.Removal.Kind == htlc.Fulfilled && tip+FulfilMargin >= e.Expiry
}

// describeDue says what is due of HTLCs, for the operator and the peer.
func (c *Channel) describeDue(due []*entry) string {
	var b strings.Builder
	for i, e := range due {
		switch {
		case i == 3:
			fmt.Fprintf(&b, ", and %d more", len(due)-i)
			return b.String()
		case i > 0:
			b.WriteString(", ")
		}
		if e.Ref.Dir == htlc.Outgoing {
			fmt.Fprintf(&b, "htlc %d of %v expired at %d and is not removed at %d", e.Ref.ID, e.Amount, e.Expiry, c.core.Tip.Height)
		} else {
			fmt.Fprintf(&b, "htlc %d of %v, which we fulfilled, expires at %d and is not removed at %d", e.Ref.ID, e.Amount, e.Expiry, c.core.Tip.Height)
		}
	}
	return b.String()
}

// presentRate is what weight costs in the chain now, as far as that is known.
func (c *Channel) presentRate() lnwire.SatPerKW { return max(c.target, c.core.FeeRate) }

// enforceable is what our commitment would give us of an HTLC, after the fees.
func (c *Channel) enforceable(e *entry) lnwire.Sat {
	p, offered, rate := c.owner(true), e.Ref.Dir == htlc.Outgoing, c.presentRate()
	now := c.rate(holds(htlc.LocalCommit))
	if commitment.Trimmed(p.Format, now, p.DustLimit, e.Amount, offered) {
		return 0
	}
	fee := commitment.HTLCFee(p.Format, now, offered) + rate.Fee(secondWeight)
	if p.Format == commitment.Anchors {
		fee += rate.Fee(htlcWeight)
	}
	return e.Amount.Sat() - min(fee, e.Amount.Sat())
}

// petty are the HTLCs that are nothing to wait for when they are left in the chain: they give
// nothing after the fees, or, carried on, less than a close would cost upstream, its
// commitment included. There they are no reason for a close either, and their senders would
// wait for ever (B5.absent.4). The peer can wait until the chain is cheaper, and take them
// all: no more is petty than may be dust, with what was given up before, first what gives
// nothing (V-20).
func (c *Channel) petty() map[htlc.Ref]bool {
	bygone := c.bygone()
	for _, most := range []lnwire.Sat{c.presentRate().Fee(2 * closeWeight), 0} {
		list, sum := map[htlc.Ref]bool{}, lnwire.MilliSat(0)
		for _, e := range c.out {
			if bygone[e.Ref] {
				continue
			}
			worth := c.enforceable(e)
			if e.Late || worth == 0 || worth <= most && e.Origin.Kind == htlc.FromForward {
				list[e.Ref] = true
				sum += e.Amount
			}
		}
		if sum <= c.cfg.maxDust() {
			return list
		}
	}
	return nil
}

// bygone are the outgoing HTLCs of which the peer can take no more than it had a right to:
// their outputs are spent, by us or before they were given up.
func (c *Channel) bygone() map[htlc.Ref]bool {
	list := map[htlc.Ref]bool{}
	for i := range c.end.outputs {
		o := &c.end.outputs[i]
		if o.Role != onchain.FirstStage || o.By == nil {
			continue
		}
		e, ok := c.byRef(o.Ref)
		list[o.Ref] = ok && (!e.Late || o.Taken != onchain.ByPeer)
	}
	return list
}

// closeCost is what closing alone costs us at the present rate.
func (c *Channel) closeCost() lnwire.Sat {
	cost := c.presentRate().Fee(closeWeight)
	if c.terms.Funder {
		cost += c.owner(true).Cost(c.scratchSpec(true, holds(htlc.LocalCommit)))
	}
	return cost
}
