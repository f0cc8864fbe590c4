package node

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// termsOf are those of an invoice.
func termsOf(t *testing.T, text string) routing.Terms {
	req, err := invoice.Decode(text)
	require.NoError(t, err)
	secret := req.Secret
	return routing.Terms{
		Hash: req.Hash, Amount: req.Amount, Payee: req.Payee, FinalDelta: uint16(req.FinalDelta),
		Secret: &secret, Features: req.Features, Request: text,
	}
}

// over follows a payment until nothing more comes of it.
func over(ctx context.Context, t *testing.T, w *PaymentWatch) routing.Progress {
	defer w.Close()
	for {
		p, err := w.Next(ctx)
		require.NoError(t, err)
		open := p.Payment.Status == routing.InFlight
		for i := range p.Attempts {
			open = open || p.Attempts[i].Status == routing.InFlight
		}
		if !open {
			return p
		}
	}
}

func (r *resident) payParts(text string, fee lnwire.MilliSat) routing.Progress {
	t := r.t.(*testing.T)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w, err := r.Pay(ctx, routing.Begin{Terms: termsOf(t, text), Limits: routing.Limits{Fee: fee, Parts: 16}})
	require.NoError(t, err)
	return over(ctx, t, w)
}

// TestPartsOnRealNodes: over two channels to the payee, and over two ways through others.
// What is known of the store afterwards is what was seen.
func TestPartsOnRealNodes(t *testing.T) {
	chain := chainOf(t)
	alice, bob, carol, dave := residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol"), residentOf(t, chain, "dave")
	for _, r := range []*resident{alice, bob, carol} {
		r.fund(5_000_000)
	}
	alice.connect(bob)
	bob.connect(dave)
	carol.connect(dave)
	alice.open(bob, 60_000, 0)
	alice.open(bob, 60_000, 0)

	invoiceOf := func(r *resident, amount lnwire.MilliSat) string {
		inv, err := r.AddInvoice(t.Context(), invoice.Terms{Amount: amount, Memo: "parts"})
		require.NoError(t, err)
		return inv.Request
	}
	p := alice.payParts(invoiceOf(bob, 100_000_000), 0)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	require.Greater(t, len(p.Attempts), 1)
	require.EqualValues(t, 100_000_000, p.Payment.Paid)
	require.Zero(t, p.Payment.Fee)
	row, err := alice.PaymentRow(p.Payment.Terms.Hash)
	require.NoError(t, err)
	require.Equal(t, p.Payment.Paid, row.Paid)
	open, err := alice.db.OpenPayments()
	require.NoError(t, err)
	require.Empty(t, open)
	got, err := bob.Invoice(p.Payment.Terms.Hash)
	require.NoError(t, err)
	require.Equal(t, lnwire.MilliSat(100_000_000), got.Paid)

	p = alice.payParts(invoiceOf(bob, 100_000_000), 0)
	require.Equal(t, routing.ReasonInsufficientBalance, p.Payment.Reason)
	require.Empty(t, p.Attempts)

	// To ourselves: out over one channel and back over the other, for bob's fee.
	p = alice.payParts(invoiceOf(alice, 1_000_000), 100_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	require.NotZero(t, p.Payment.Fee)
	for i := range p.Attempts {
		hops := p.Attempts[i].Route.Hops
		require.Equal(t, alice.ID(), hops[len(hops)-1].Node)
		require.NotEqual(t, hops[0].SCID, hops[len(hops)-1].SCID)
	}

	alice.open(bob, 200_000, 0)
	held(t, alice, bob)
	alice.connect(carol)
	alice.open(carol, 200_000, 0)
	bob.open(dave, 400_000, 0)
	carol.open(dave, 200_000, 0)
	alice.until("all channels by gossip", func() bool {
		n := 0
		for c := range alice.Graph().ChannelsOf(dave.ID()) {
			if c.Policies[0] != nil && c.Policies[1] != nil {
				n++
			}
		}
		return n == 2
	})
	text := invoiceOf(dave, 300_000_000)
	p = alice.payParts(text, 1000)
	require.Equal(t, routing.ReasonNoRoute, p.Payment.Reason, "the fee of two parts is more")
	p = alice.payParts(text, 10_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	peers, fees := map[lnwire.PubKey]bool{}, lnwire.MilliSat(0)
	for _, a := range p.Attempts {
		if a.Status == routing.Succeeded {
			peers[a.Route.Hops[0].Node] = true
			fees += a.Route.Fee()
		}
	}
	require.Len(t, peers, 2, "both ways were needed")
	require.Equal(t, fees, p.Payment.Fee)
	require.LessOrEqual(t, fees, lnwire.MilliSat(10_000))

	shards(t, alice, dave, invoiceOf(dave, 16_000_000))
}

// held pays a hold invoice in parts, and the payer's node is stopped and started while
// they are held: it takes up the payment with all of its parts, and knows what was paid
// when they are claimed, or that nothing was when they come back.
func held(t *testing.T, from, to *resident) {
	for _, claim := range []bool{false, true} {
		preimage := lnwire.Preimage{77}
		if claim {
			preimage[0]++
		}
		inv, err := to.AddInvoice(t.Context(), invoice.Terms{Amount: 10_000_000, Hash: preimage.Hash()})
		require.NoError(t, err)
		w, err := from.Pay(t.Context(), routing.Begin{Terms: termsOf(t, inv.Request), Limits: routing.Limits{Parts: 16, MaxPart: 4_000_000}})
		require.NoError(t, err)
		w.Close()
		to.until("held", func() bool { i, err := to.Invoice(inv.Hash); return err == nil && i.State == invoice.Accepted })
		from.restart()
		_, err = from.Pay(t.Context(), routing.Begin{Terms: termsOf(t, inv.Request)})
		require.ErrorIs(t, err, routing.ErrPaymentInFlight)
		w, err = from.TrackPayment(inv.Hash)
		require.NoError(t, err)
		if claim {
			_, err = to.SettleInvoice(t.Context(), preimage)
		} else {
			_, err = to.CancelInvoice(t.Context(), inv.Hash)
		}
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		p := over(ctx, t, w)
		cancel()
		require.Len(t, p.Attempts, 3)
		if claim {
			require.Equal(t, routing.Succeeded, p.Payment.Status)
			require.EqualValues(t, 10_000_000, p.Payment.Paid)
		} else {
			require.Equal(t, routing.ReasonIncorrectDetails, p.Payment.Reason)
		}
		open, err := from.db.OpenPayments()
		require.NoError(t, err)
		require.Empty(t, open)
	}
}

// shards pays an invoice by two routes of the caller's, at the same time.
func shards(t *testing.T, from, to *resident, text string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	terms := termsOf(t, text)
	r, err := from.FindRoute(routing.Query{Target: to.ID(), Amount: 8_000_000, FinalDelta: 100, FeeLimit: 100_000})
	require.NoError(t, err)
	var watches []*PaymentWatch
	for range 2 {
		w, id, err := from.SendToRoute(ctx, routing.Begin{Terms: terms, Route: &r})
		require.NoError(t, err)
		require.NotZero(t, id)
		watches = append(watches, w)
	}
	_, _, err = from.SendToRoute(ctx, routing.Begin{Terms: terms, Route: &r})
	require.Error(t, err)
	for _, w := range watches {
		p := over(ctx, t, w)
		require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
		require.Len(t, p.Attempts, 2)
		require.Equal(t, lnwire.MilliSat(16_000_000)+p.Payment.Fee, p.Payment.Paid)
	}
}

// TestKeysend: a payment that nobody asked for, with a record of the payer's.
func TestKeysendBetweenNodes(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	require.False(t, bob.features.HasEither(lnwire.KeysendOptional))
	bob.keysend = true
	bob.restart()
	alice.fund(1_000_000)
	alice.connect(bob)
	alice.open(bob, 100_000, 0)
	alice.until("bob's announcement", func() bool {
		i, ok := alice.Graph().Node(bob.ID())
		return ok && i.Features.HasEither(lnwire.KeysendOptional)
	})
	preimage := lnwire.Preimage{7, 7}
	send := func() routing.Progress {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		w, err := alice.Pay(ctx, routing.Begin{
			Terms: routing.Terms{Hash: preimage.Hash(), Amount: 9_000_000, Payee: bob.ID(), FinalDelta: 40, Custom: []lnwire.TLV{
				{Type: invoice.KeysendType, Value: preimage[:]}, {Type: 65537, Value: []byte("hello")}}},
			Limits: routing.Limits{Parts: 16},
		})
		require.NoError(t, err)
		return over(ctx, t, w)
	}
	p := send()
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	got, err := bob.Invoice(preimage.Hash())
	require.NoError(t, err)
	require.True(t, got.Keysend)
	require.Equal(t, []byte("hello"), got.Parts[0].Custom[0].Value)

	preimage[0] = 8
	bob.keysend = false
	bob.restart()
	joined(alice, bob)
	p = send()
	require.Equal(t, routing.ReasonIncorrectDetails, p.Payment.Reason, "who does not take it, says so")
}

// TestInboundFeeBetweenNodes: bob grants alice a discount on what comes over her channel;
// she learns of it by his channel_update and pays no more.
func TestInboundFeeBetweenNodes(t *testing.T) {
	_, alice, bob, carol := lineOf(t)
	ab := alice.open(bob, 500_000, 0)
	bob.open(carol, 500_000, 0)
	alice.until("bob-carol by gossip", func() bool {
		c, ok := alice.Graph().Channel(bob.Links()[1].SCID)
		return ok && c.Policies[0] != nil && c.Policies[1] != nil
	})
	_, err := bob.SetPolicy(t.Context(), &ab, func(l channel.LinkState) (channel.Policy, error) {
		l.Policy.InboundBase, l.Policy.InboundPPM = -400, -2
		return l.Policy, nil
	})
	require.NoError(t, err)
	alice.until("the discount by gossip", func() bool {
		p, ok := alice.PeerPolicy(alice.Links()[0].ChanNum)
		return ok && p.Inbound == lnwire.InboundFee{Base: -400, PPM: -2}
	})
	p := alice.pay(carol, 100_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	require.EqualValues(t, 1000+100-400-200, p.Payment.Fee)
	require.Len(t, p.Attempts, 1)
}
