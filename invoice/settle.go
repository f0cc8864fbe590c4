package invoice

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// settle claims the whole set: in one write the invoice is settled, its preimage
// kept, and the answer to every part in the outbox (B4.final.16).
func (r *Registry) settle(l *live, preimage lnwire.Preimage, fx *Effects) {
	_, _, amount := l.held()
	l.State, l.Preimage, l.Paid, l.SettledAt = Settled, &preimage, amount, r.now.Round(0)
	for i := range l.Parts {
		p := &l.Parts[i]
		if p.State != Held {
			continue
		}
		p.State, p.ResolvedAt = Claimed, r.now.Round(0)
		// After a restart an HTLC may not have been told again yet: without its onion's
		// secret the answer goes out unattributed.
		res := htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage}
		if fault, ok := l.faults[p.Ref]; ok {
			res = fault.Fulfil(preimage, nil, r.now)
		}
		fx.Delta.Outbox = append(fx.Delta.Outbox, Answer{Ref: p.Ref, Resolution: res})
		fx.Resolve = append(fx.Resolve, Resolve{Ref: p.Ref, Resolution: res, Why: "paid"})
	}
	r.counters.SettleIndex++
	l.SettleIndex = r.counters.SettleIndex
	r.count(fx)
	r.put(l, fx)
	r.close(l)
	fx.tell(WasSettled, l)
}

// giveBack fails every part that is held (B4.final.17). A part whose HTLC was not
// told again since a restart is answered when it is: its row says how.
func (r *Registry) giveBack(l *live, code onion.Code, detail htlc.Detail, why string, fx *Effects) {
	for i := range l.Parts {
		p := &l.Parts[i]
		if p.State != Held {
			continue
		}
		p.State, p.Code, p.ResolvedAt = Returned, code, r.now.Round(0)
		if fault, ok := l.faults[p.Ref]; ok {
			r.fail(p.Ref, fault, r.failure(code, p.Amount), detail, why, fx)
			delete(l.faults, p.Ref)
		}
	}
	l.Paid, l.started = 0, time.Time{}
	r.schedule(l)
}

// cancel ends an invoice without payment.
func (r *Registry) cancel(l *live, fx *Effects) {
	r.giveBack(l, onion.IncorrectOrUnknownPaymentDetails, htlc.InvoiceCanceled, "the invoice is canceled", fx)
	l.State = Canceled
	r.put(l, fx)
	r.close(l)
	fx.tell(WasCanceled, l)
}

func (r *Registry) settleAsked(ev Settle, l *live, row *Invoice, fx *Effects) {
	if row == nil {
		fx.reply(ev.ID, nil, ErrNotFound)
		return
	}
	switch row.State {
	case Open:
		fx.reply(ev.ID, row, ErrStillOpen)
	case Settled:
		fx.reply(ev.ID, row, ErrAlreadySettled)
	case Canceled:
		fx.reply(ev.ID, row, ErrAlreadyCanceled)
	case Accepted:
		if l == nil { // a row that was not given at the start
			fx.reply(ev.ID, row, ErrNotFound)
			return
		}
		r.settle(l, ev.Preimage, fx)
		fx.reply(ev.ID, &l.Invoice, nil)
	}
}

func (r *Registry) cancelAsked(ev Cancel, l *live, row *Invoice, fx *Effects) {
	switch {
	case row == nil:
		fx.reply(ev.ID, nil, ErrNotFound)
	case row.State == Settled:
		fx.reply(ev.ID, row, ErrAlreadySettled)
	case row.State == Canceled:
		fx.reply(ev.ID, row, nil) // as wanted
	case l == nil: // a row that was not given at the start
		fx.reply(ev.ID, row, ErrNotFound)
	default:
		r.cancel(l, fx)
		fx.reply(ev.ID, &l.Invoice, nil)
	}
}

func (r *Registry) deleteAsked(ev Delete, row *Invoice, fx *Effects) {
	switch {
	case row == nil:
		fx.reply(ev.ID, nil, ErrNotFound)
	case row.State != Canceled:
		fx.reply(ev.ID, row, ErrNotCanceled)
	default:
		fx.Delta.Deleted = append(fx.Delta.Deleted, row.Hash)
		r.closed++
		fx.reply(ev.ID, row, nil)
	}
}

// schedule sets the alarm for what is next due by time.
func (r *Registry) schedule(l *live) {
	if at := r.due(l); !at.IsZero() {
		r.byTime.set(alarm{at: at, hash: l.Hash})
	}
	if r.byTime.full() {
		r.byTime.keep(func(a alarm) bool {
			l := r.live[a.hash]
			return l != nil && r.due(l).Equal(a.at)
		})
	}
}

// due is when time next changes an invoice; zero: never.
func (r *Registry) due(l *live) time.Time {
	switch {
	case l.State != Open:
		return time.Time{}
	case !l.started.IsZero():
		return l.started.Add(r.cfg.SetTimeout)
	}
	return l.ExpiresAt()
}

// watch sets the alarm for a part that is held.
func (r *Registry) watch(expiry lnwire.Height, l *live) {
	r.byHeight.set(alarm{height: expiry, hash: l.Hash})
	if r.byHeight.full() {
		r.byHeight.keep(func(a alarm) bool {
			l := r.live[a.hash]
			return l != nil && l.endangered(a.height)
		})
	}
}

// wake is the next moment at which something is due.
func (r *Registry) wake() time.Time {
	for len(r.byTime) > 0 {
		next := r.byTime[0]
		if l := r.live[next.hash]; l != nil && r.due(l).Equal(next.at) {
			return next.at
		}
		r.byTime.drop()
	}
	return time.Time{}
}

// sweepTimes gives back sets that are not whole in time (B4.final.18) and cancels
// invoices that have expired. A set that began in time keeps its own time.
func (r *Registry) sweepTimes(fx *Effects) {
	for range maxSweep {
		at := r.wake()
		if at.IsZero() || at.After(r.now) {
			return
		}
		l := r.live[r.byTime[0].hash]
		r.byTime.drop()
		if l.started.IsZero() {
			r.cancel(l, fx)
			continue
		}
		r.giveBack(l, onion.MPPTimeout, htlc.SetTimeout, "the other parts did not come in time", fx)
		r.put(l, fx)
	}
}

// sweepHeights gives back what could soon not be claimed in time any more: an
// incomplete set, or a hold invoice that nobody has decided.
func (r *Registry) sweepHeights(fx *Effects) {
	for len(r.byHeight) > 0 {
		next := r.byHeight[0]
		if next.height > r.height+r.cfg.HoldDelta {
			return
		}
		r.byHeight.drop()
		l := r.live[next.hash]
		switch {
		case l == nil || !l.endangered(next.height):
		case l.State == Accepted:
			r.cancel(l, fx)
		default:
			r.giveBack(l, onion.MPPTimeout, htlc.SetTimeout, "the HTLC is about to expire", fx)
			r.put(l, fx)
		}
	}
}

// endangered reports a part that is held and expires at or below the height.
func (i *Invoice) endangered(height lnwire.Height) bool {
	for k := range i.Parts {
		if i.Parts[k].State == Held && i.Parts[k].Expiry <= height {
			return true
		}
	}
	return false
}
