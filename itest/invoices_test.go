package itest

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestPaymentsRefused: what cannot be paid is refused, in words that say why, and no
// msat moves.
func TestPaymentsRefused(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob, _ := w.Pair()
	sim := rig.SimnetWorld(t).Node("elsewhere")
	owned := alice.InChannels()
	add := func(inv *lnrpc.Invoice) string {
		a, err := bob.LN.AddInvoice(rig.Soon(t), inv)
		require.NoError(t, err)
		return a.PaymentRequest
	}
	expired := add(&lnrpc.Invoice{Value: 1000, Expiry: 1})
	rig.Eventually(t, "the invoice expires", func() bool {
		r := alice.Decode(expired)
		return time.Now().After(time.Unix(r.Timestamp+r.Expiry, 0).Add(time.Second))
	})
	any0 := add(&lnrpc.Invoice{})
	for _, c := range []struct {
		name  string
		req   *routerrpc.SendPaymentRequest
		words string
	}{
		{"expired", rig.PayRequest(expired), "invoice expired. Valid until"},
		{"of another network", rig.PayRequest(sim.Invoice(1_000_000)), "invoice not for current active network 'regtest'"},
		{"without an amount", rig.PayRequest(any0), "amount must be specified when paying a zero amount invoice"},
		{"with two amounts", withAmount(add(&lnrpc.Invoice{Value: 10}), 10_000), "amount must not be specified when paying a non-zero amount invoice"},
		{"negative", withAmount(any0, -1), "amt"},
		{"our own", rig.PayRequest(alice.Invoice(1000)), "self-payments not allowed"},
		{"spoilt", rig.PayRequest(spoil(add(&lnrpc.Invoice{Value: 10}))), "payment_request"},
		{"nothing at all", &routerrpc.SendPaymentRequest{}, "dest"},
		{"negative time", &routerrpc.SendPaymentRequest{PaymentRequest: add(&lnrpc.Invoice{Value: 10}), TimeoutSeconds: -1}, "timeout_seconds"},
	} {
		_, err := alice.Send(rig.Soon(t), c.req)
		require.ErrorContains(t, err, c.words, c.name)
	}
	for name, c := range map[string]struct {
		req    *routerrpc.SendPaymentRequest
		reason lnrpc.PaymentFailureReason
	}{
		"above what we have":    {rig.PayRequest(bob.Invoice(owned + 1)), lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE},
		"above every capacity":  {rig.PayRequest(bob.Invoice(5_000_000_000)), lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE},
		"to who is not there":   {rig.PayRequest(w.Node("carol").Invoice(1_000_000)), lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE},
		"canceled by the payee": {rig.PayRequest(canceled(bob)), lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS},
	} {
		p, err := alice.Send(rig.Soon(t), c.req)
		require.NoError(t, err, name)
		require.Equal(t, lnrpc.Payment_FAILED, p.Status, name)
		require.Equal(t, c.reason, p.FailureReason, name)
	}
	rig.Settled(alice, bob)
	require.Equal(t, owned, alice.InChannels())

	p, err := alice.Send(rig.Soon(t), withAmount(any0, 123_456)) // and so it goes
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	rig.Settled(alice, bob)
	require.Equal(t, owned-123_456, alice.InChannels())
	_, err = alice.Send(rig.Soon(t), withAmount(any0, 123_456))
	require.Equal(t, codes.AlreadyExists, status.Code(err))
}

func withAmount(request string, msat int64) *routerrpc.SendPaymentRequest {
	r := rig.PayRequest(request)
	r.AmtMsat = msat
	return r
}

// spoil changes a letter in the middle of an invoice.
func spoil(request string) string {
	b := []byte(request)
	if i := len(b) / 2; b[i] == 'q' {
		b[i] = 'p'
	} else {
		b[i] = 'q'
	}
	return string(b)
}

// canceled is an invoice that its maker does not want paid any more.
func canceled(n *rig.Node) string {
	n.T.Helper()
	a, err := n.LN.AddInvoice(rig.Soon(n.T), &lnrpc.Invoice{Value: 1000})
	require.NoError(n.T, err)
	_, err = n.Invoices.CancelInvoice(rig.Soon(n.T), &invoicesrpc.CancelInvoiceMsg{PaymentHash: a.RHash})
	require.NoError(n.T, err)
	return a.PaymentRequest
}

// TestInvoicesRefused: what no invoice can be made of.
func TestInvoicesRefused(t *testing.T) {
	t.Parallel()
	n := rig.NewWorld(t).Node("alice")
	preimage := make([]byte, 32)
	_, _ = rand.Read(preimage)
	_, err := n.LN.AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 5, RPreimage: preimage})
	require.NoError(t, err)
	for _, c := range []struct {
		inv   *lnrpc.Invoice
		words string
	}{
		{&lnrpc.Invoice{Value: 5, RPreimage: preimage}, "invoice with payment hash already exists"},
		{&lnrpc.Invoice{Value: 5, RPreimage: preimage[:31]}, "r_preimage"},
		{&lnrpc.Invoice{Value: -5}, "value"},
		{&lnrpc.Invoice{Value: 5, ValueMsat: 5000}, "value"},
		{&lnrpc.Invoice{Value: 5, DescriptionHash: []byte{1}}, "description_hash"},
		{&lnrpc.Invoice{Value: 5, Expiry: -1}, "expiry"},
		{&lnrpc.Invoice{Value: 5, Memo: string(make([]byte, 5000))}, "memo"},
		{&lnrpc.Invoice{Value: 5, FallbackAddr: "nowhere"}, "fallback"},
	} {
		_, err := n.LN.AddInvoice(rig.Soon(t), c.inv)
		require.ErrorContains(t, err, c.words)
	}
	_, err = n.LN.LookupInvoice(rig.Soon(t), &lnrpc.PaymentHash{RHash: make([]byte, 32)})
	require.ErrorContains(t, err, "unable to locate invoice")
	list, err := n.LN.ListInvoices(rig.Soon(t), &lnrpc.ListInvoiceRequest{})
	require.NoError(t, err)
	require.Len(t, list.Invoices, 1)
}

// TestHoldInvoices holds payments, over restarts of everybody, and lets them go both
// ways.
func TestHoldInvoices(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	start := []int64{alice.InChannels(), bob.InChannels(), carol.InChannels()}
	taken, given, open := carol.Hold(20_000_000), carol.Hold(30_000_000), carol.Hold(1_000_000)
	single, err := carol.Invoices.SubscribeSingleInvoice(rig.Soon(t), &invoicesrpc.SubscribeSingleInvoiceRequest{RHash: taken.Hash})
	require.NoError(t, err)
	first, err := single.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Invoice_OPEN, first.State)

	alice.Begin(taken.Request)
	alice.Begin(given.Request)
	require.Empty(t, taken.Is(lnrpc.Invoice_ACCEPTED).RPreimage, "not told before it is settled")
	given.Is(lnrpc.Invoice_ACCEPTED)
	second, err := single.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Invoice_ACCEPTED, second.State)
	require.Len(t, alice.Channel(points[0]).PendingHtlcs, 2)
	_, err = alice.Send(rig.Soon(t), rig.PayRequest(taken.Request))
	require.Equal(t, codes.AlreadyExists, status.Code(err), "%v", err)

	for _, n := range nodes {
		n.Restart()
	}
	for i, n := range []*rig.Node{alice, bob, carol} {
		n.Active(points[min(i, 1)])
	}
	taken.Settle()
	given.Cancel()
	require.Equal(t, lnrpc.Payment_SUCCEEDED, alice.Track(taken.Hash).Status)
	failed := alice.Track(given.Hash)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS, failed.FailureReason)
	rig.Settled(nodes...)
	require.Equal(t, []int64{start[0] - 20_000_000 - feeOf(20_000_000), start[1] + feeOf(20_000_000), start[2] + 20_000_000},
		[]int64{alice.InChannels(), bob.InChannels(), carol.InChannels()})

	_, err = carol.Invoices.SettleInvoice(rig.Soon(t), &invoicesrpc.SettleInvoiceMsg{Preimage: open.Preimage})
	require.ErrorContains(t, err, "invoice still open")
	_, err = carol.Invoices.SettleInvoice(rig.Soon(t), &invoicesrpc.SettleInvoiceMsg{Preimage: given.Preimage})
	require.Error(t, err)
	_, err = carol.Invoices.CancelInvoice(rig.Soon(t), &invoicesrpc.CancelInvoiceMsg{PaymentHash: taken.Hash})
	require.ErrorContains(t, err, "already settled")
	open.Cancel()
	p, err := alice.Send(rig.Soon(t), rig.PayRequest(open.Request))
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_FAILED, p.Status)
}

// TestIndexes: the numbers by which programs remember where they were go on over
// restarts, and who comes back with one misses nothing and hears nothing twice.
func TestIndexes(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob, point := w.Pair()
	var added []uint64
	for round := range 3 {
		for range 2 {
			a, err := bob.LN.AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 1000})
			require.NoError(t, err)
			added = append(added, a.AddIndex)
			if round%2 == 0 || len(added)%2 == 0 {
				alice.Pay(a.PaymentRequest)
			}
		}
		if round == 1 {
			bob.Stop()
			bob.Start()
		} else {
			bob.Kill()
			bob.Start()
			alice.Restart()
		}
		rig.Joined([]*rig.Node{alice, bob}, []rig.ChanPoint{point})
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, added)
	payments, err := alice.LN.ListPayments(rig.Soon(t), &lnrpc.ListPaymentsRequest{})
	require.NoError(t, err)
	for i, p := range payments.Payments {
		require.Equal(t, uint64(i+1), p.PaymentIndex)
	}
	require.Len(t, payments.Payments, 5)

	ctx, cancel := context.WithCancel(rig.Soon(t))
	stream, err := bob.LN.SubscribeInvoices(ctx, &lnrpc.InvoiceSubscription{AddIndex: 4, SettleIndex: 3})
	require.NoError(t, err)
	var adds, settles []uint64
	for len(adds)+len(settles) < 4 {
		inv, err := stream.Recv()
		require.NoError(t, err)
		if inv.State == lnrpc.Invoice_SETTLED && len(adds) == 2 {
			settles = append(settles, inv.SettleIndex)
		} else {
			adds = append(adds, inv.AddIndex)
		}
	}
	require.Equal(t, []uint64{5, 6}, adds)
	require.Equal(t, []uint64{4, 5}, settles)
	// and then what is new
	a, err := bob.LN.AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 1000})
	require.NoError(t, err)
	alice.Pay(a.PaymentRequest)
	for _, want := range []lnrpc.Invoice_InvoiceState{lnrpc.Invoice_OPEN, lnrpc.Invoice_SETTLED} {
		inv, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, want, inv.State)
		require.Equal(t, uint64(7), inv.AddIndex)
	}
	cancel()
	_, err = stream.Recv()
	require.NotErrorIs(t, err, io.EOF)
	require.Equal(t, codes.Canceled, status.Code(err))
	pages(t, bob)
}

// pages reads the invoices in pages, both ways.
func pages(t *testing.T, n *rig.Node) {
	t.Helper()
	var forward, back []uint64
	for offset := uint64(0); ; {
		page, err := n.LN.ListInvoices(rig.Soon(t), &lnrpc.ListInvoiceRequest{IndexOffset: offset, NumMaxInvoices: 3})
		require.NoError(t, err)
		if len(page.Invoices) == 0 {
			break
		}
		for _, inv := range page.Invoices {
			forward = append(forward, inv.AddIndex)
		}
		offset = page.LastIndexOffset
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7}, forward)
	page, err := n.LN.ListInvoices(rig.Soon(t), &lnrpc.ListInvoiceRequest{NumMaxInvoices: 3, Reversed: true})
	require.NoError(t, err)
	for _, inv := range page.Invoices {
		back = append(back, inv.AddIndex)
	}
	require.Equal(t, []uint64{5, 6, 7}, back)
}
