package itest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// pair starts two nodes with a channel of a million from the first.
func (w *world) pair() (alice, bob *node, point chanPoint) {
	w.t.Helper()
	alice, bob = w.node("alice"), w.node("bob")
	alice.fund(3_000_000)
	alice.connect(bob)
	return alice, bob, alice.open(bob, 1_000_000)
}

// TestPaymentsRefused: what cannot be paid is refused, in words that say why, and no
// msat moves.
func TestPaymentsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob, _ := w.pair()
	sim := simnetWorld(t).node("elsewhere")
	owned := alice.inChannels()
	add := func(inv *lnrpc.Invoice) string {
		a, err := bob.ln.AddInvoice(soon(t), inv)
		require.NoError(t, err)
		return a.PaymentRequest
	}
	expired := add(&lnrpc.Invoice{Value: 1000, Expiry: 1})
	eventually(t, "the invoice expires", func() bool {
		r := alice.decode(expired)
		return time.Now().After(time.Unix(r.Timestamp+r.Expiry, 0).Add(time.Second))
	})
	any0 := add(&lnrpc.Invoice{})
	for _, c := range []struct {
		name  string
		req   *routerrpc.SendPaymentRequest
		words string
	}{
		{"expired", payRequest(expired), "invoice expired. Valid until"},
		{"of another network", payRequest(sim.invoice(1_000_000)), "invoice not for current active network 'regtest'"},
		{"without an amount", payRequest(any0), "amount must be specified when paying a zero amount invoice"},
		{"with two amounts", withAmount(add(&lnrpc.Invoice{Value: 10}), 10_000), "amount must not be specified when paying a non-zero amount invoice"},
		{"negative", withAmount(any0, -1), "amt"},
		{"our own", payRequest(alice.invoice(1000)), "self-payments not allowed"},
		{"spoilt", payRequest(spoil(add(&lnrpc.Invoice{Value: 10}))), "payment_request"},
		{"nothing at all", &routerrpc.SendPaymentRequest{}, "dest"},
		{"negative time", &routerrpc.SendPaymentRequest{PaymentRequest: add(&lnrpc.Invoice{Value: 10}), TimeoutSeconds: -1}, "timeout_seconds"},
	} {
		_, err := alice.send(soon(t), c.req)
		require.ErrorContains(t, err, c.words, c.name)
	}
	for name, c := range map[string]struct {
		req    *routerrpc.SendPaymentRequest
		reason lnrpc.PaymentFailureReason
	}{
		"above what we have":    {payRequest(bob.invoice(owned + 1)), lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE},
		"above every capacity":  {payRequest(bob.invoice(5_000_000_000)), lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE},
		"to who is not there":   {payRequest(w.node("carol").invoice(1_000_000)), lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE},
		"canceled by the payee": {payRequest(canceled(bob)), lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS},
	} {
		p, err := alice.send(soon(t), c.req)
		require.NoError(t, err, name)
		require.Equal(t, lnrpc.Payment_FAILED, p.Status, name)
		require.Equal(t, c.reason, p.FailureReason, name)
	}
	settled(alice, bob)
	require.Equal(t, owned, alice.inChannels())

	p, err := alice.send(soon(t), withAmount(any0, 123_456)) // and so it goes
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	settled(alice, bob)
	require.Equal(t, owned-123_456, alice.inChannels())
	_, err = alice.send(soon(t), withAmount(any0, 123_456))
	require.Equal(t, codes.AlreadyExists, status.Code(err))
}

func withAmount(request string, msat int64) *routerrpc.SendPaymentRequest {
	r := payRequest(request)
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
func canceled(n *node) string {
	n.t.Helper()
	a, err := n.ln.AddInvoice(soon(n.t), &lnrpc.Invoice{Value: 1000})
	require.NoError(n.t, err)
	_, err = n.invoices.CancelInvoice(soon(n.t), &invoicesrpc.CancelInvoiceMsg{PaymentHash: a.RHash})
	require.NoError(n.t, err)
	return a.PaymentRequest
}

// TestInvoicesRefused: what no invoice can be made of.
func TestInvoicesRefused(t *testing.T) {
	t.Parallel()
	n := newWorld(t).node("alice")
	preimage := make([]byte, 32)
	_, _ = rand.Read(preimage)
	_, err := n.ln.AddInvoice(soon(t), &lnrpc.Invoice{Value: 5, RPreimage: preimage})
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
		_, err := n.ln.AddInvoice(soon(t), c.inv)
		require.ErrorContains(t, err, c.words)
	}
	_, err = n.ln.LookupInvoice(soon(t), &lnrpc.PaymentHash{RHash: make([]byte, 32)})
	require.ErrorContains(t, err, "unable to locate invoice")
	list, err := n.ln.ListInvoices(soon(t), &lnrpc.ListInvoiceRequest{})
	require.NoError(t, err)
	require.Len(t, list.Invoices, 1)
}

// hold is an invoice whose settlement the test decides.
type hold struct {
	n              *node
	preimage, hash []byte
	request        string
}

func (n *node) hold(msat int64) *hold {
	n.t.Helper()
	h := &hold{n: n, preimage: make([]byte, 32)}
	_, _ = rand.Read(h.preimage)
	sum := sha256.Sum256(h.preimage)
	h.hash = sum[:]
	a, err := n.invoices.AddHoldInvoice(soon(n.t), &invoicesrpc.AddHoldInvoiceRequest{Hash: h.hash, ValueMsat: msat})
	require.NoError(n.t, err)
	h.request = a.PaymentRequest
	return h
}

// is waits until the invoice is in a state.
func (h *hold) is(want lnrpc.Invoice_InvoiceState) *lnrpc.Invoice {
	h.n.t.Helper()
	var inv *lnrpc.Invoice
	eventually(h.n.t, "the held invoice is "+want.String(), func() bool {
		var err error
		inv, err = h.n.ln.LookupInvoice(soon(h.n.t), &lnrpc.PaymentHash{RHash: h.hash})
		require.NoError(h.n.t, err)
		return inv.State == want
	})
	return inv
}

func (h *hold) settle() {
	h.n.t.Helper()
	_, err := h.n.invoices.SettleInvoice(soon(h.n.t), &invoicesrpc.SettleInvoiceMsg{Preimage: h.preimage})
	require.NoError(h.n.t, err)
}

func (h *hold) cancel() {
	h.n.t.Helper()
	_, err := h.n.invoices.CancelInvoice(soon(h.n.t), &invoicesrpc.CancelInvoiceMsg{PaymentHash: h.hash})
	require.NoError(h.n.t, err)
}

// begin begins a payment and leaves it under way.
func (n *node) begin(request string) grpc.ServerStreamingClient[lnrpc.Payment] {
	n.t.Helper()
	stream, err := n.router.SendPaymentV2(soon(n.t), payRequest(request))
	require.NoError(n.t, err)
	return stream
}

// track follows a payment that was begun before.
func (n *node) track(hash []byte) *lnrpc.Payment {
	n.t.Helper()
	p, err := n.trackOr(hash)
	require.NoError(n.t, err)
	return p
}

// trackOr is track for a payment that may not be there.
func (n *node) trackOr(hash []byte) (*lnrpc.Payment, error) {
	n.t.Helper()
	stream, err := n.router.TrackPaymentV2(soon(n.t), &routerrpc.TrackPaymentRequest{PaymentHash: hash, NoInflightUpdates: true})
	require.NoError(n.t, err)
	return lastPayment(stream)
}

// TestHoldInvoices holds payments, over restarts of everybody, and lets them go both
// ways.
func TestHoldInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	start := []int64{alice.inChannels(), bob.inChannels(), carol.inChannels()}
	taken, given, open := carol.hold(20_000_000), carol.hold(30_000_000), carol.hold(1_000_000)
	single, err := carol.invoices.SubscribeSingleInvoice(soon(t), &invoicesrpc.SubscribeSingleInvoiceRequest{RHash: taken.hash})
	require.NoError(t, err)
	first, err := single.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Invoice_OPEN, first.State)

	alice.begin(taken.request)
	alice.begin(given.request)
	require.Empty(t, taken.is(lnrpc.Invoice_ACCEPTED).RPreimage, "not told before it is settled")
	given.is(lnrpc.Invoice_ACCEPTED)
	second, err := single.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Invoice_ACCEPTED, second.State)
	require.Len(t, alice.channel(points[0]).PendingHtlcs, 2)
	_, err = alice.send(soon(t), payRequest(taken.request))
	require.Equal(t, codes.AlreadyExists, status.Code(err), "%v", err)

	for _, n := range nodes {
		n.restart()
	}
	for i, n := range []*node{alice, bob, carol} {
		n.active(points[min(i, 1)])
	}
	taken.settle()
	given.cancel()
	require.Equal(t, lnrpc.Payment_SUCCEEDED, alice.track(taken.hash).Status)
	failed := alice.track(given.hash)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS, failed.FailureReason)
	settled(nodes...)
	require.Equal(t, []int64{start[0] - 20_000_000 - feeOf(20_000_000), start[1] + feeOf(20_000_000), start[2] + 20_000_000},
		[]int64{alice.inChannels(), bob.inChannels(), carol.inChannels()})

	_, err = carol.invoices.SettleInvoice(soon(t), &invoicesrpc.SettleInvoiceMsg{Preimage: open.preimage})
	require.ErrorContains(t, err, "invoice still open")
	_, err = carol.invoices.SettleInvoice(soon(t), &invoicesrpc.SettleInvoiceMsg{Preimage: given.preimage})
	require.Error(t, err)
	_, err = carol.invoices.CancelInvoice(soon(t), &invoicesrpc.CancelInvoiceMsg{PaymentHash: taken.hash})
	require.ErrorContains(t, err, "already settled")
	open.cancel()
	p, err := alice.send(soon(t), payRequest(open.request))
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_FAILED, p.Status)
}

// TestIndexes: the numbers by which programs remember where they were go on over
// restarts, and who comes back with one misses nothing and hears nothing twice.
func TestIndexes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob, point := w.pair()
	var added []uint64
	for round := range 3 {
		for range 2 {
			a, err := bob.ln.AddInvoice(soon(t), &lnrpc.Invoice{Value: 1000})
			require.NoError(t, err)
			added = append(added, a.AddIndex)
			if round%2 == 0 || len(added)%2 == 0 {
				alice.pay(a.PaymentRequest)
			}
		}
		if round == 1 {
			bob.stop()
			bob.start()
		} else {
			bob.kill()
			bob.start()
			alice.restart()
		}
		alice.active(point)
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, added)
	payments, err := alice.ln.ListPayments(soon(t), &lnrpc.ListPaymentsRequest{})
	require.NoError(t, err)
	for i, p := range payments.Payments {
		require.Equal(t, uint64(i+1), p.PaymentIndex)
	}
	require.Len(t, payments.Payments, 5)

	ctx, cancel := context.WithCancel(soon(t))
	stream, err := bob.ln.SubscribeInvoices(ctx, &lnrpc.InvoiceSubscription{AddIndex: 4, SettleIndex: 3})
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
	a, err := bob.ln.AddInvoice(soon(t), &lnrpc.Invoice{Value: 1000})
	require.NoError(t, err)
	alice.pay(a.PaymentRequest)
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
func pages(t *testing.T, n *node) {
	t.Helper()
	var forward, back []uint64
	for offset := uint64(0); ; {
		page, err := n.ln.ListInvoices(soon(t), &lnrpc.ListInvoiceRequest{IndexOffset: offset, NumMaxInvoices: 3})
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
	page, err := n.ln.ListInvoices(soon(t), &lnrpc.ListInvoiceRequest{NumMaxInvoices: 3, Reversed: true})
	require.NoError(t, err)
	for _, inv := range page.Invoices {
		back = append(back, inv.AddIndex)
	}
	require.Equal(t, []uint64{5, 6, 7}, back)
}
