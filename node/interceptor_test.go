package node

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// asked waits for the next HTLC that an interceptor is to decide about.
func (i *Interception) asked(t *testing.T) (forward.Intercepted, CircuitKey) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h, err := i.Next(ctx)
	require.NoError(t, err)
	return h, CircuitKey{SCID: h.InSCID, ID: h.In.HTLC.Ref.ID}
}

// owed begins a payment from alice to an invoice of carol, with a record for bob.
func owed(t *testing.T, alice, carol *resident, amount lnwire.MilliSat) (invoice.Invoice, *PaymentWatch) {
	t.Helper()
	inv, err := carol.AddInvoice(t.Context(), invoice.Terms{Amount: amount})
	require.NoError(t, err)
	w, err := alice.Pay(t.Context(), routing.Begin{
		Terms:  routing.Terms{Hash: inv.Hash, Amount: amount, Payee: carol.ID(), FinalDelta: 80, Secret: &inv.Secret},
		Limits: routing.Limits{Fee: amount, Custom: lnwire.ExtraTLVs{{Type: 70001, Value: []byte{5}}}},
	})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return inv, w
}

func ended(t *testing.T, w *PaymentWatch) routing.Payment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p, err := w.Next(ctx)
		require.NoError(t, err)
		if p.Payment.Status != routing.InFlight {
			return p.Payment
		}
	}
}

// intercepts: a program decides what bob carries on, over restarts of itself and of bob.
func intercepts(t *testing.T, alice, bob, carol *resident) {
	for _, r := range []*resident{alice, carol} {
		r.forgive()
	}
	i, err := bob.Intercept()
	require.NoError(t, err)
	_, err = bob.Intercept()
	require.ErrorIs(t, err, ErrInterceptorExists)

	// With the preimage bob keeps what was carol's.
	inv, w := owed(t, alice, carol, 3_000_000)
	h, key := i.asked(t)
	require.Equal(t, inv.Hash, h.In.HTLC.Hash)
	require.Equal(t, lnwire.ExtraTLVs{{Type: 70001, Value: []byte{5}}}, h.In.HTLC.Custom)
	require.Equal(t, lnwire.MilliSat(3_000_000), h.Out.Amount)
	require.NoError(t, i.Decide(key, forward.Verdict{Kind: forward.Settle, Preimage: *inv.Preimage}))
	require.Equal(t, routing.Succeeded, ended(t, w).Status)
	require.ErrorIs(t, i.Decide(key, forward.Verdict{Kind: forward.Resume}), forward.ErrNotHeld)
	require.ErrorIs(t, i.Decide(CircuitKey{SCID: 1}, forward.Verdict{Kind: forward.Resume}), forward.ErrNotHeld)

	// The interceptor goes, and what it held goes on.
	_, w = owed(t, alice, carol, 2_000_000)
	i.asked(t)
	i.Close()
	require.Equal(t, routing.Succeeded, ended(t, w).Status)

	// One that is required is waited for, over a restart.
	bob.strict = true
	bob.restart()
	for _, r := range []*resident{alice, carol} {
		joined(bob, r)
	}
	i, err = bob.Intercept()
	require.NoError(t, err)
	inv, w = owed(t, alice, carol, 1_500_000)
	first, _ := i.asked(t)
	i.Close()
	i, err = bob.Intercept()
	require.NoError(t, err)
	second, _ := i.asked(t)
	require.Equal(t, first.In.HTLC, second.In.HTLC, "offered again")
	bob.restart()
	joined(bob, alice)
	joined(bob, carol)
	i, err = bob.Intercept()
	require.NoError(t, err)
	third, key := i.asked(t)
	require.Equal(t, inv.Hash, third.In.HTLC.Hash)
	require.Equal(t, first.In.HTLC.Ref, third.In.HTLC.Ref)
	require.Equal(t, first.AutoFail, third.AutoFail)
	require.Equal(t, first.In.HTLC.Custom, third.In.HTLC.Custom)
	require.NoError(t, i.Decide(key, forward.Verdict{Kind: forward.Resume, Custom: lnwire.ExtraTLVs{{Type: 70003, Value: []byte{6}}}}))
	require.Equal(t, routing.Succeeded, ended(t, w).Status)
	i.Close()
	_, w = owed(t, alice, carol, 1_200_000)
	require.Equal(t, routing.Failed, ended(t, w).Status, "nobody is there to be asked")
	bob.strict = false
}

// modifies: carol says what alice's HTLCs count for.
func modifies(t *testing.T, alice, carol *resident) {
	m, err := carol.Modify()
	require.NoError(t, err)
	_, err = carol.Modify()
	require.ErrorIs(t, err, ErrModifierExists)
	rule := func(r invoice.Ruling) invoice.Modify {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		q, err := m.Next(ctx)
		require.NoError(t, err)
		m.Rule(CircuitKey{SCID: q.SCID, ID: q.HTLC.Ref.ID}, r)
		return q
	}
	inv, w := owed(t, alice, carol, 3_100_000)
	q := rule(invoice.Ruling{Amount: 4_000_000})
	require.Equal(t, inv.Hash, q.Invoice.Hash)
	require.Equal(t, routing.Succeeded, ended(t, w).Status)
	paid, err := carol.Invoice(inv.Hash)
	require.NoError(t, err)
	require.Equal(t, lnwire.MilliSat(4_000_000), paid.Paid)
	_, w = owed(t, alice, carol, 3_200_000)
	rule(invoice.Ruling{CancelSet: true})
	require.Equal(t, routing.Failed, ended(t, w).Status)
	m.Close()
	_, w = owed(t, alice, carol, 3_300_000)
	require.Equal(t, routing.Succeeded, ended(t, w).Status)
}
