package invoice

import (
	"bytes"
	"crypto/subtle"
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// arrived decides about an HTLC that ends here. row is what is known of its hash,
// l the same if it is in memory.
func (r *Registry) arrived(ev Arrived, l *live, row *Invoice, fx *Effects) {
	in := ev.HTLC
	if p, ok := r.pending[in.HTLC.Ref]; ok { // told again
		p.ev = ev
		r.pending[in.HTLC.Ref] = p
		return
	}
	if res, ok := r.refused.byRef[in.HTLC.Ref]; ok {
		r.giveUp(in.HTLC.Ref, res, htlc.NoDetail, "refused before", fx)
		return
	}
	if row != nil {
		if p := row.part(in.HTLC.Ref); p != nil {
			r.again(in, p, l, row, fx)
			return
		}
	}
	final, ok := r.open(in, fx)
	if !ok {
		return
	}
	switch {
	case l != nil:
		r.pay(ev, final, l, fx)
	case row == nil && r.cfg.AcceptKeysend:
		r.keysend(ev, final, fx)
	case row == nil:
		r.refuse(in, htlc.UnknownInvoice, "no such invoice", fx) // B4.final.3
	default:
		r.refuse(in, htlc.InvoiceNotOpen, fmt.Sprintf("the invoice is %s", row.State), fx) // B4.final.4
	}
}

// again answers an HTLC that was accepted before, by its name: what was decided
// stays decided.
func (r *Registry) again(in htlc.Locked, p *Part, l *live, row *Invoice, fx *Effects) {
	switch p.State {
	case Held:
		// Without l the store has a row that it had to have given us at the start.
		// Nothing is safe to say then.
		if l != nil {
			l.faults[p.Ref] = in.Fault()
		}
	case Claimed:
		fx.Resolve = append(fx.Resolve, Resolve{Ref: p.Ref, Why: "claimed before", Resolution: in.Fault().Fulfil(*row.Preimage, nil, r.now)})
	case Returned:
		r.fail(p.Ref, in.Fault(), r.failure(p.Code, p.Amount), htlc.NoDetail, "returned before", fx)
	}
}

// open gives what the onion tells the recipient. When it tells nothing that can be
// used, or the HTLC must be failed anyway, open answers and is false.
func (r *Registry) open(in htlc.Locked, fx *Effects) (onion.Final, bool) {
	ref, o := in.HTLC.Ref, in.Opened
	switch {
	case o.Bad != nil:
		r.giveUp(ref, htlc.Resolution{
			Kind: htlc.Malformed, OnionSHA256: o.Bad.SHA256, Code: uint16(o.Bad.Code),
		}, htlc.NoDetail, "unreadable onion", fx)
		return onion.Final{}, false
	case o.Invalid != nil:
		r.fail(ref, in.Fault(), *o.Invalid, htlc.NoDetail, "invalid payload", fx)
		return onion.Final{}, false
	case o.Payload == nil || !o.Final: // not for us: no preimage of ours is its business (V-03)
		r.fail(ref, in.Fault(), onion.Failure{Code: onion.TemporaryNodeFailure}, htlc.NoDetail, "we are not its last hop", fx)
		return onion.Final{}, false
	}
	switch in.Unfit {
	case htlc.Fit:
	case htlc.UnfitDust:
		r.fail(ref, in.Fault(), onion.Failure{Code: onion.TemporaryChannelFailure}, htlc.NoDetail, "too much dust", fx)
		return onion.Final{}, false
	case htlc.UnfitFar:
		r.fail(ref, in.Fault(), onion.Failure{Code: onion.ExpiryTooFar}, htlc.NoDetail, "expires too far ahead", fx)
		return onion.Final{}, false
	case htlc.UnfitUnfunded:
		r.fail(ref, in.Fault(), onion.Failure{Code: onion.TemporaryChannelFailure}, htlc.NoDetail, "the funding of its channel left the chain", fx)
		return onion.Final{}, false
	case htlc.UnfitClosed:
		r.fail(ref, in.Fault(), onion.Failure{Code: onion.PermanentChannelFailure}, htlc.NoDetail, "its channel is closed", fx)
		return onion.Final{}, false
	}
	final, bad, why := in.Ours() // B4.final.1, B4.final.2
	if bad != nil {
		r.fail(ref, in.Fault(), *bad, htlc.NoDetail, why, fx)
		return onion.Final{}, false
	}
	return final, true
}

// pay holds an HTLC against its invoice and accepts or refuses it.
func (r *Registry) pay(ev Arrived, final onion.Final, l *live, fx *Effects) {
	in := ev.HTLC
	parts, _, _ := l.held()
	if l.State == Open && parts == 0 && !r.now.Before(l.ExpiresAt()) {
		r.cancel(l, fx) // B11.payee.1
		r.refuse(in, htlc.InvoiceCanceled, "the invoice has expired", fx)
		return
	}
	if detail, why := r.check(in.HTLC, final, l); why != "" {
		r.refuse(in, detail, why, fx)
		return
	}
	if p := l.firstHeld(); p != nil && p.Total != final.Total {
		// The payer contradicts itself: nobody knows what the set is to be. B4.final.13
		r.refuse(in, htlc.SetTotalMismatch, fmt.Sprintf("total_msat %s, of other parts %s", final.Total, p.Total), fx)
		r.giveBack(l, onion.IncorrectOrUnknownPaymentDetails, htlc.SetTotalMismatch, "parts with different total_msat", fx)
		r.put(l, fx)
		return
	}
	switch {
	case r.ask(ev, &l.Invoice, fx):
	case ev.ruling != nil && ev.ruling.CancelSet:
		r.cancelSet(in, l, fx)
	default:
		r.accept(ev, final, l, fx)
	}
}

// check says why an HTLC does not pay the invoice; empty if it does.
func (r *Registry) check(in htlc.HTLC, final onion.Final, l *live) (htlc.Detail, string) {
	expiry := uint64(in.Expiry)
	switch {
	case final.Blinded != l.Blinded:
		return htlc.WrongAddress, "it did not come by the way that the invoice gave" // B4.bfinal.5
	case final.Secret == nil:
		return htlc.WrongAddress, "no payment_secret" // B4.final.5
	case subtle.ConstantTimeCompare(final.Secret[:], l.Secret[:]) != 1:
		return htlc.WrongAddress, "wrong payment_secret" // B4.final.6
	case l.State != Open:
		return htlc.InvoiceNotOpen, fmt.Sprintf("the invoice is %s", l.State)
	case l.Metadata != nil && !bytes.Equal(l.Metadata, final.Metadata):
		return htlc.NoDetail, "payment_metadata is not that of the invoice" // B4.final.7
	case final.Total == 0:
		return htlc.SetTotalTooLow, "total_msat is 0"
	case final.Total < l.Amount:
		return tooLow(final), fmt.Sprintf("total_msat %s, the invoice asks for %s", final.Total, l.Amount) // B4.final.8
	case l.Amount != 0 && final.Total > 2*l.Amount:
		return htlc.SetOverpaid, fmt.Sprintf("total_msat %s is more than twice the %s of the invoice", final.Total, l.Amount) // B4.final.9
	case !l.Features.HasEither(lnwire.BasicMPPOptional) && final.Total != final.Amount:
		return htlc.InvoiceUnderpaid, "a part, but the invoice does not offer basic_mpp" // B4.final.10
	case expiry < uint64(r.height)+uint64(l.FinalDelta), expiry < uint64(r.height)+uint64(r.cfg.RejectDelta):
		return htlc.InvoiceExpirySoon, fmt.Sprintf("expiry %d at height %d is too soon", in.Expiry, r.height) // B4.final.11
	case len(l.Parts) >= maxParts:
		return htlc.NoDetail, fmt.Sprintf("%d HTLCs were accepted for this invoice, no more are", maxParts)
	}
	return htlc.NoDetail, ""
}

// tooLow is why too little does not pay: what comes in one part is no set.
func tooLow(final onion.Final) htlc.Detail {
	if final.Total == final.Amount {
		return htlc.InvoiceUnderpaid
	}
	return htlc.SetTotalTooLow
}

// firstHeld is the first part of the current set.
func (i *Invoice) firstHeld() *Part {
	for k := range i.Parts {
		if i.Parts[k].State == Held {
			return &i.Parts[k]
		}
	}
	return nil
}

// accept adds the HTLC to the set (B4.final.12), and ends the set when it is whole
// (B4.final.14). One that is not whole waits (B4.final.15).
func (r *Registry) accept(ev Arrived, final onion.Final, l *live, fx *Effects) {
	h := ev.HTLC.HTLC
	l.Parts = append(l.Parts, r.newPart(ev, final))
	l.faults[h.Ref] = ev.HTLC.Fault()
	r.watch(h.Expiry, l)
	if l.started.IsZero() {
		l.started = r.now
		r.schedule(l)
	}
	_, toForward, amount := l.held()
	switch {
	case toForward < final.Total:
		r.put(l, fx)
	case l.Hold:
		l.State, l.Paid = Accepted, amount
		r.put(l, fx)
		fx.tell(WasAccepted, l)
	default:
		r.settle(l, *l.Preimage, fx)
	}
}

func (r *Registry) newPart(ev Arrived, final onion.Final) Part {
	h := ev.HTLC.HTLC
	p := Part{
		Ref: h.Ref, SCID: ev.SCID, State: Held, Amount: h.Amount, ToForward: final.Amount, Total: final.Total,
		Expiry: h.Expiry, Height: r.height, AcceptedAt: r.now.Round(0), Custom: final.Custom,
	}
	if ev.ruling != nil {
		p.Counted = ev.ruling.Amount
	}
	return p
}

// refuse answers with the one failure that does not tell which condition was not
// met.
func (r *Registry) refuse(in htlc.Locked, detail htlc.Detail, why string, fx *Effects) {
	r.fail(in.HTLC.Ref, in.Fault(), r.failure(onion.IncorrectOrUnknownPaymentDetails, in.HTLC.Amount), detail, why, fx)
}

// failure is what the payer is told: mpp_timeout, or the other code with amount
// and height.
func (r *Registry) failure(code onion.Code, amount lnwire.MilliSat) onion.Failure {
	if code == onion.MPPTimeout {
		return onion.Failure{Code: code}
	}
	return onion.Failure{Code: code, HTLCMsat: amount, Height: r.height}
}
