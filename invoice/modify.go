package invoice

import (
	"cmp"
	"slices"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Modifying says that a modifier is there from now on, or is not: it is asked about every
// HTLC that would be accepted for an invoice. What waits for one that goes is decided
// without it.
type Modifying struct{ Present bool }

// Modified is the modifier's answer. One about an HTLC that does not wait is of no
// consequence.
type Modified struct {
	Ref    htlc.Ref
	Ruling Ruling
}

func (Modifying) isEvent() {}
func (Modified) isEvent()  {}

// Ruling is what the modifier says of an HTLC.
type Ruling struct {
	Amount lnwire.MilliSat // that it counts for; 0: its own
	// CancelSet fails the HTLC and all that are held with it. The invoice stays open.
	CancelSet bool
}

// Modify is a question to the modifier.
type Modify struct {
	Invoice Invoice // as it is without the HTLC; treat as read-only
	HTLC    htlc.HTLC
	SCID    lnwire.ShortChannelID
	Height  lnwire.Height
}

// pending is an HTLC about which the modifier was asked.
type pending struct {
	ev    Arrived
	order uint64
}

// ask puts an HTLC to the modifier; false when there is none, or it has answered.
func (r *Registry) ask(ev Arrived, inv *Invoice, fx *Effects) bool {
	if !r.modifying || ev.ruling != nil {
		return false
	}
	r.order++
	r.pending[ev.HTLC.HTLC.Ref] = pending{ev, r.order}
	fx.Modify = append(fx.Modify, Modify{Invoice: inv.clone(), HTLC: ev.HTLC.HTLC, SCID: ev.SCID, Height: r.height})
	return true
}

// pendingInOrder lists what the modifier was asked about, in the order of the questions.
func (r *Registry) pendingInOrder() []pending {
	list := make([]pending, 0, len(r.pending))
	for _, p := range r.pending { // sorted below
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b pending) int { return cmp.Compare(a.order, b.order) })
	return list
}

// setModifier lets go on what waits for a modifier that has left.
func (r *Registry) setModifier(present bool, fx *Effects) {
	r.modifying = present
	if present {
		return
	}
	for _, p := range r.pendingInOrder() {
		r.modified(Modified{Ref: p.ev.HTLC.HTLC.Ref}, fx)
	}
}

// modified goes on with an HTLC: whatever has changed meanwhile is looked at again.
func (r *Registry) modified(ev Modified, fx *Effects) {
	p, ok := r.pending[ev.Ref]
	if !ok {
		return
	}
	delete(r.pending, ev.Ref)
	p.ev.ruling = &ev.Ruling
	r.locate(p.ev.HTLC.HTLC.Hash, p.ev, fx)
}

// sweepPending fails what the modifier has not decided before it could not be claimed in
// time any more.
func (r *Registry) sweepPending(fx *Effects) {
	if len(r.pending) == 0 {
		return
	}
	for _, p := range r.pendingInOrder() {
		h := p.ev.HTLC.HTLC
		if h.Expiry <= r.height+r.cfg.HoldDelta {
			delete(r.pending, h.Ref)
			r.refuse(p.ev.HTLC, htlc.ModifierRefused, "the modifier did not decide in time", fx)
		}
	}
}

// cancelSet does what a ruling asks: the HTLC and its set are failed.
func (r *Registry) cancelSet(in htlc.Locked, l *live, fx *Effects) {
	const why = "the modifier canceled the set"
	r.refuse(in, htlc.ModifierRefused, why, fx)
	if l != nil && l.State == Open && l.firstHeld() != nil {
		r.giveBack(l, onion.IncorrectOrUnknownPaymentDetails, htlc.ModifierRefused, why, fx)
		r.put(l, fx)
	}
}
