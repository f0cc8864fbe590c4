package invoices

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

type fake struct {
	Node
	inv    invoice.Invoice
	err    error
	terms  invoice.Terms
	feed   node.Feed[invoice.Notice]
	looked func() // Invoice was asked
}

func (f *fake) AddInvoice(_ context.Context, t invoice.Terms) (invoice.Invoice, error) {
	f.terms = t
	return f.inv, f.err
}
func (f *fake) SettleInvoice(context.Context, lnwire.Preimage) (invoice.Invoice, error) {
	return f.inv, f.err
}
func (f *fake) CancelInvoice(context.Context, lnwire.Hash) (invoice.Invoice, error) {
	return f.inv, f.err
}
func (f *fake) Invoice(lnwire.Hash) (invoice.Invoice, error) {
	if f.looked != nil {
		f.looked()
	}
	return f.inv, f.err
}
func (f *fake) InvoiceEvents() *node.Subscription[invoice.Notice] { return f.feed.Subscribe() }
func (f *fake) InvoiceBySecret(s lnwire.Secret) (invoice.Invoice, error) {
	if s != f.inv.Secret {
		return invoice.Invoice{}, invoice.ErrNotFound
	}
	return f.inv, nil
}

type stream struct {
	grpc.ServerStream
	ctx  context.Context
	send func(*lnrpc.Invoice)
}

func (s *stream) Context() context.Context    { return s.ctx }
func (s *stream) Send(i *lnrpc.Invoice) error { s.send(i); return nil }

var hash = make([]byte, 32)

func TestAddHoldInvoice(t *testing.T) {
	f := &fake{}
	_, err := New(f).AddHoldInvoice(t.Context(), &invoicesrpc.AddHoldInvoiceRequest{Hash: hash})
	require.ErrorContains(t, err, "hash: must not be zero")
	h := append([]byte{1}, hash[1:]...)
	_, err = New(f).AddHoldInvoice(t.Context(), &invoicesrpc.AddHoldInvoiceRequest{Hash: h, ValueMsat: 7, CltvExpiry: 99})
	require.NoError(t, err)
	require.Equal(t, lnwire.Hash(h), f.terms.Hash)
	require.Nil(t, f.terms.Preimage)
	require.EqualValues(t, 7, f.terms.Amount)
	require.EqualValues(t, 99, f.terms.FinalDelta)
	f.err = invoice.ErrDuplicate
	_, err = New(f).AddHoldInvoice(t.Context(), &invoicesrpc.AddHoldInvoiceRequest{Hash: h})
	require.ErrorContains(t, err, "invoice with payment hash already exists")
}

// TestTwiceIsNoError: a second settlement or cancellation changes nothing.
func TestTwiceIsNoError(t *testing.T) {
	_, err := New(&fake{err: invoice.ErrAlreadySettled}).SettleInvoice(t.Context(), &invoicesrpc.SettleInvoiceMsg{Preimage: hash})
	require.NoError(t, err)
	_, err = New(&fake{err: invoice.ErrStillOpen}).SettleInvoice(t.Context(), &invoicesrpc.SettleInvoiceMsg{Preimage: hash})
	require.ErrorContains(t, err, "invoice still open")
	_, err = New(&fake{err: invoice.ErrAlreadyCanceled}).CancelInvoice(t.Context(), &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash})
	require.NoError(t, err)
	_, err = New(&fake{err: invoice.ErrAlreadySettled}).CancelInvoice(t.Context(), &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash})
	require.ErrorContains(t, err, "invoice already settled")
}

func TestLookup(t *testing.T) {
	f := &fake{inv: invoice.Invoice{Secret: lnwire.Secret{3}, AddIndex: 1}}
	byAddr := func(addr lnwire.Secret) error {
		_, err := New(f).LookupInvoiceV2(t.Context(), &invoicesrpc.LookupInvoiceMsg{
			InvoiceRef: &invoicesrpc.LookupInvoiceMsg_PaymentAddr{PaymentAddr: addr[:]},
		})
		return err
	}
	require.NoError(t, byAddr(lnwire.Secret{3}))
	require.Equal(t, codes.NotFound, status.Code(byAddr(lnwire.Secret{4})))
	f.err = invoice.ErrNotFound
	_, err := New(f).LookupInvoiceV2(t.Context(), &invoicesrpc.LookupInvoiceMsg{
		InvoiceRef: &invoicesrpc.LookupInvoiceMsg_PaymentHash{PaymentHash: hash},
	})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.ErrorContains(t, err, "unable to locate invoice")
	_, err = New(f).LookupInvoiceV2(t.Context(), &invoicesrpc.LookupInvoiceMsg{})
	require.ErrorContains(t, err, "invoice_ref")
}

// TestSingle: the invoice as it is, each change once, and the end.
func TestSingle(t *testing.T) {
	f := &fake{}
	var states []lnrpc.Invoice_InvoiceState
	out := &stream{ctx: t.Context(), send: func(i *lnrpc.Invoice) {
		if states = append(states, i.State); len(states) > 1 {
			return
		}
		other := invoice.Invoice{Hash: lnwire.Hash{9}, State: invoice.Settled}
		for _, i := range []invoice.Invoice{other, {}, {State: invoice.Accepted}, {State: invoice.Accepted}, {State: invoice.Settled}} {
			f.feed.Publish(invoice.Notice{Invoice: i})
		}
	}}
	require.NoError(t, New(f).SubscribeSingleInvoice(&invoicesrpc.SubscribeSingleInvoiceRequest{RHash: hash}, out))
	require.Equal(t, []lnrpc.Invoice_InvoiceState{lnrpc.Invoice_OPEN, lnrpc.Invoice_ACCEPTED, lnrpc.Invoice_SETTLED}, states)
}

// TestSingleBefore: who waits for an invoice before there is one hears of it when it is
// added, and then of its end.
func TestSingleBefore(t *testing.T) {
	f := &fake{err: invoice.ErrNotFound}
	f.looked = func() {
		for _, s := range []invoice.State{invoice.Open, invoice.Open, invoice.Canceled} {
			f.feed.Publish(invoice.Notice{Invoice: invoice.Invoice{State: s}})
		}
	}
	var states []lnrpc.Invoice_InvoiceState
	out := &stream{ctx: t.Context(), send: func(i *lnrpc.Invoice) { states = append(states, i.State) }}
	require.NoError(t, New(f).SubscribeSingleInvoice(&invoicesrpc.SubscribeSingleInvoiceRequest{RHash: hash}, out))
	require.Equal(t, []lnrpc.Invoice_InvoiceState{lnrpc.Invoice_OPEN, lnrpc.Invoice_CANCELED}, states)
}
