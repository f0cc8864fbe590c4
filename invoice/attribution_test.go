package invoice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// attributed is a part that was locked in a second before it is told.
func (w *world) attributed(o offer) offer {
	at := w.now.Add(-time.Second)
	o.change = func(l *htlc.Locked) { l.Attribute, l.HTLC.LockedAt = true, at }
	return o
}

// held is what the payer reads of an answer.
func (w *world) held(ref htlc.Ref) []time.Duration {
	res, ok := w.done[ref]
	require.True(w.t, ok)
	return onion.ReadAttribution([]lnwire.Secret{w.locked[ref].Opened.Secret}, res.Reason, res.Attribution)
}

// B4.attr.5: the recipient begins, with for how long it had each part: of an invoice that is paid at once,
// of one that was held, over a restart, and of what it gives back.
func TestAttributionOfTheRecipient(t *testing.T) {
	second := []time.Duration{time.Second}
	w := newWorld(t)
	w.addTea()
	ref := w.arrive(w.attributed(part(10_000, 0)))
	require.Equal(t, second, w.held(ref))
	require.Equal(t, w.done[ref], w.last.Delta.Outbox[0].Resolution, "the same waits in the outbox")
	late := w.arrive(w.attributed(part(10_000, 0)))
	w.failed(details, late)
	require.Equal(t, second, w.held(late))

	for _, restart := range []bool{false, true} {
		w = newWorld(t)
		w.addHold()
		one := w.arrive(w.attributed(part(4000, 10_000)))
		w.tick(5 * time.Second)
		two := w.arrive(w.attributed(part(6000, 10_000)))
		w.tick(time.Minute)
		if restart {
			w.restart()
		}
		w.step(Settle{ID: 1, Preimage: tea})
		require.Equal(t, []time.Duration{66 * time.Second}, w.held(one))
		require.Equal(t, []time.Duration{61 * time.Second}, w.held(two))
	}

	w = newWorld(t)
	w.addHold()
	ref = w.arrive(w.attributed(part(10_000, 0)))
	w.tick(time.Minute)
	w.step(Cancel{ID: 1, Hash: tea.Hash()})
	w.failed(details, ref)
	require.Equal(t, []time.Duration{61 * time.Second}, w.held(ref))

	w = newWorld(t)
	w.cfg.AcceptKeysend = true
	w.restart()
	p := lnwire.Preimage{8}
	ref = w.arrive(w.attributed(offer{hash: p.Hash(), noSecret: true, amount: 700,
		custom: []lnwire.TLV{{Type: 5482373484, Value: p[:]}}}))
	require.Equal(t, htlc.Fulfilled, w.done[ref].Kind)
	require.Equal(t, second, w.held(ref))

	w = newWorld(t)
	w.addTea()
	ref = w.arrive(part(10_000, 0))
	require.Nil(t, w.done[ref].Attribution, "its peer does not take it")
}

// Invoices say that their recipient attributes, if it does; one at the end of a blinded path does not.
func TestInvoiceOffersAttribution(t *testing.T) {
	tm := terms()
	for _, on := range []bool{false, true} {
		tm.Attribution = on
		inv, err := Draft(Regtest, tm, time.Unix(1_700_000_000, 0), specSign)
		require.NoError(t, err)
		req, err := Decode(inv.Request)
		require.NoError(t, err)
		require.Equal(t, on, req.Features.Has(lnwire.AttributionDataOptional))
	}
}
