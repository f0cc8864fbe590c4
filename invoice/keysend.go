package invoice

import (
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// KeysendType is the custom record that holds the preimage of a spontaneous
// payment (bLIP 3).
const KeysendType = 5482373484

// keysend takes a payment that nobody asked for: the payer sends the preimage
// along. It becomes an invoice that is settled as soon as it exists.
func (r *Registry) keysend(ev Arrived, final onion.Final, fx *Effects) {
	h := ev.HTLC.HTLC
	preimage, ok := keysendPreimage(final.Custom)
	switch {
	case !ok || preimage.Hash() != h.Hash:
		r.refuse(ev.HTLC, unasked(final), "no such invoice, and no preimage for a keysend", fx)
		return
	case preimage == lnwire.Preimage{}:
		r.refuse(ev.HTLC, htlc.InvalidKeysend, ErrZeroPreimage.Error(), fx)
		return
	case final.Total != final.Amount:
		r.refuse(ev.HTLC, htlc.InvalidKeysend, "a keysend in several parts", fx)
		return
	case uint64(h.Expiry) < uint64(r.height)+uint64(r.cfg.RejectDelta):
		r.refuse(ev.HTLC, htlc.InvoiceExpirySoon, fmt.Sprintf("expiry %d at height %d is too soon", h.Expiry, r.height), fx)
		return
	}
	l := &live{
		Invoice: Invoice{
			Hash: h.Hash, Preimage: &preimage, Keysend: true, Amount: h.Amount,
			FinalDelta: uint32(r.cfg.RejectDelta), CreatedAt: r.now.Round(0), Expiry: DefaultExpiry,
		},
		faults: map[htlc.Ref]htlc.Fault{h.Ref: ev.HTLC.Fault()},
	}
	switch {
	case r.ask(ev, &l.Invoice, fx):
		return
	case ev.ruling != nil && ev.ruling.CancelSet:
		r.cancelSet(ev.HTLC, nil, fx)
		return
	}
	r.enter(l, fx)
	fx.tell(WasAdded, l)
	l.Parts = []Part{r.newPart(ev, final)}
	r.settle(l, preimage, fx)
}

// unasked is what a payment is for which there is no invoice.
func unasked(final onion.Final) htlc.Detail {
	if slices.ContainsFunc(final.Custom, func(rec lnwire.TLV) bool { return rec.Type == KeysendType }) {
		return htlc.InvalidKeysend
	}
	return htlc.UnknownInvoice
}

func keysendPreimage(custom []lnwire.TLV) (p lnwire.Preimage, ok bool) {
	for _, rec := range custom {
		if rec.Type == KeysendType && len(rec.Value) == len(p) {
			return lnwire.Preimage(rec.Value), true
		}
	}
	return p, false
}
