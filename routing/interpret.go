package routing

import (
	"bytes"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// verdict is what a failed attempt teaches.
type verdict struct {
	learn []Observation
	// For this payment alone:
	avoidNode *lnwire.PubKey
	avoidEdge *Direction
	update    *Update
	path      *Observation // of a blinded path as a whole
	// end, unless it is ReasonNone, says that trying again is of no use.
	end FailureReason
}

// reading is one failed attempt while it is read. Edge i of a route leads to hop i.
type reading struct {
	r    *Route
	busy []Load
	v    verdict
}

func (d *reading) edge(i int) Direction { return Direction{d.r.Hops[i].SCID, d.r.from(i)} }

// passed notes that the first n channels carried the HTLC. The first is our own, of
// which we know more than that.
func (d *reading) passed(n int) {
	for i := 1; i < min(n, d.r.intro()+1); i++ {
		d.v.learn = append(d.v.learn, Observation{d.r.from(i), d.r.Hops[i].Node, d.r.carried(i), true})
	}
}

// failed notes that channel i did not carry so much. Of what was under way over it
// besides nobody knows whether it is through already: what failed is all of it together.
func (d *reading) failed(i int, amount lnwire.MilliSat) {
	from, to := d.r.from(i), d.r.Hops[i].Node
	if amount != 0 {
		amount = max(amount, between(d.busy, from, to))
	}
	d.v.learn = append(d.v.learn, Observation{from, to, amount, false})
}

// node blames hop i for whatever happens to what it gets and sends.
func (d *reading) node(i int) verdict {
	id := d.r.Hops[i].Node
	d.v.avoidNode = &id
	d.failed(i, 0)
	if i+1 < len(d.r.Hops) {
		d.failed(i+1, 0)
	} else {
		d.v.end = ReasonError
	}
	return d.v
}

// channel blames channel i, whatever the amount.
func (d *reading) channel(i int) verdict {
	e := d.edge(i)
	d.v.avoidEdge = &e
	d.failed(i, 0)
	return d.v
}

// unknown reads a failure of which nobody can say who made it: any channel behind
// the first may be at fault.
//
// B4.origin.4: a reply that no hop authenticated blames no hop in particular, and the payment goes on without those channels.
func unknown(r *Route, busy []Load) verdict { return unknownFrom(r, busy, 0) }

// unknownFrom is unknown when the first n hops are not at fault.
func unknownFrom(r *Route, busy []Load, n int) verdict {
	d := reading{r: r, busy: busy}
	if len(r.Hops) == 1 {
		return d.node(0)
	}
	d.passed(n)
	if r.Tail != nil {
		d.v.path = d.path()
	}
	for i := max(n, 1); i < min(len(r.Hops), r.intro()+1); i++ {
		d.failed(i, r.carried(i))
	}
	return d.v
}

// badOnion reads that the node at the far end of channel i could not read the onion:
// one of the two ends spoilt it.
func badOnion(r *Route, i int) verdict {
	d := reading{r: r}
	if i >= r.intro() {
		return d.inside(onion.InvalidOnionBlinding)
	}
	d.passed(i)
	if i == len(r.Hops)-1 && i == 0 {
		d.v.end = ReasonError
	}
	return d.channel(i)
}

// interpret reads the failure of hop i.
func interpret(r *Route, busy []Load, i int, f *onion.Failure) verdict {
	d := reading{r: r, busy: busy}
	if i >= r.intro() {
		return d.inside(f.Code)
	}
	if i == len(r.Hops)-1 {
		return interpretFinal(r, f)
	}
	d.passed(i + 1)
	switch f.Code {
	case onion.TemporaryChannelFailure:
		d.failed(i+1, r.carried(i+1))
		d.v.update = updateOf(r, i, f)
		return d.v
	case onion.AmountBelowMinimum, onion.FeeInsufficient, onion.IncorrectCLTVExpiry, onion.ChannelDisabled, onion.ExpiryTooSoon:
		// B4.origin.5: a policy that came with a failure is used for the next try of the same payment, and nowhere else.
		if d.v.update = updateOf(r, i, f); d.v.update != nil {
			return d.v
		}
		return d.channel(i + 1)
	case onion.PermanentChannelFailure, onion.RequiredChannelFeatureMissing, onion.UnknownNextPeer, onion.ExpiryTooFar:
		// B4.origin.6: a channel that failed for good is not tried again.
		return d.channel(i + 1)
	case onion.InvalidOnionVersion, onion.InvalidOnionHMAC, onion.InvalidOnionKey, onion.InvalidOnionBlinding:
		return d.channel(i + 1)
	case onion.TemporaryNodeFailure, onion.PermanentNodeFailure, onion.RequiredNodeFeatureMissing,
		onion.InvalidOnionPayload, onion.InvalidRealm, onion.Unreadable:
		// B4.origin.7: a node that failed is not tried again.
		return d.node(i)
	case onion.IncorrectOrUnknownPaymentDetails, onion.FinalIncorrectCLTVExpiry, onion.FinalIncorrectHTLCAmount,
		onion.MPPTimeout, onion.IncorrectPaymentAmount, onion.FinalExpiryTooSoon:
		// Only a recipient may say so.
		return d.node(i)
	}
	// B4.origin.8: of a code that is not known the flags say whether the node or its channel is at fault.
	if f.Code.Has(onion.FlagNode) {
		return d.node(i)
	}
	return d.channel(i + 1)
}

// interpretFinal reads a failure of the recipient.
func interpretFinal(r *Route, f *onion.Failure) verdict {
	last := len(r.Hops) - 1
	d := reading{r: r}
	switch f.Code {
	case onion.IncorrectOrUnknownPaymentDetails, onion.IncorrectPaymentAmount, onion.FinalExpiryTooSoon:
		// B4.origin.9: a permanent failure of the recipient ends the payment.
		d.passed(last + 1)
		d.v.end = ReasonIncorrectDetails
		return d.v
	case onion.MPPTimeout:
		d.passed(last + 1)
		return d.v
	case onion.FinalIncorrectCLTVExpiry, onion.FinalIncorrectHTLCAmount:
		// The node before it changed what it was told; a peer of ours had it from us.
		d.passed(last)
		if last == 0 {
			d.v.end = ReasonError
		}
		return d.channel(last)
	}
	d.passed(last)
	return d.node(last)
}

// updateOf is the policy that came with a failure of hop i, when it is for the
// channel that the HTLC was to take next.
func updateOf(r *Route, i int, f *onion.Failure) *Update {
	u := f.Update
	if u == nil || u.SCID != r.Hops[i+1].SCID {
		return nil
	}
	from, to := r.Hops[i].Node, r.Hops[i+1].Node
	second := u.ChannelFlags&lnwire.UpdateDirection != 0
	if second != (bytes.Compare(from[:], to[:]) > 0) {
		return nil
	}
	return &Update{Direction{u.SCID, from}, Policy{Base: u.FeeBase, PPM: u.FeePPM, Delta: u.CLTVExpiryDelta,
		Min: u.HTLCMinimum, Max: u.HTLCMaximum, Disabled: u.ChannelFlags&lnwire.UpdateDisabled != 0, Updated: u.Timestamp}}
}
