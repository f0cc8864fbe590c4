package rig

import (
	"crypto/rand"
	"crypto/sha256"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// Hold is an invoice whose settlement the test decides.
type Hold struct {
	Node           *Node
	Preimage, Hash []byte
	Request        string
}

// Hold makes such an invoice.
func (n *Node) Hold(msat int64) *Hold {
	n.T.Helper()
	h := &Hold{Node: n, Preimage: make([]byte, 32)}
	_, _ = rand.Read(h.Preimage)
	sum := sha256.Sum256(h.Preimage)
	h.Hash = sum[:]
	a, err := n.Invoices.AddHoldInvoice(Soon(n.T), &invoicesrpc.AddHoldInvoiceRequest{Hash: h.Hash, ValueMsat: msat})
	require.NoError(n.T, err)
	h.Request = a.PaymentRequest
	return h
}

// Is waits until the invoice is in a state.
func (h *Hold) Is(want lnrpc.Invoice_InvoiceState) *lnrpc.Invoice {
	h.Node.T.Helper()
	var inv *lnrpc.Invoice
	Eventually(h.Node.T, "the held invoice is "+want.String(), func() bool {
		var err error
		inv, err = h.Node.LN.LookupInvoice(Soon(h.Node.T), &lnrpc.PaymentHash{RHash: h.Hash})
		require.NoError(h.Node.T, err)
		return inv.State == want
	})
	return inv
}

// Settle lets the payee take what is held.
func (h *Hold) Settle() {
	h.Node.T.Helper()
	_, err := h.Node.Invoices.SettleInvoice(Soon(h.Node.T), &invoicesrpc.SettleInvoiceMsg{Preimage: h.Preimage})
	require.NoError(h.Node.T, err)
}

// Cancel gives what is held back.
func (h *Hold) Cancel() {
	h.Node.T.Helper()
	_, err := h.Node.Invoices.CancelInvoice(Soon(h.Node.T), &invoicesrpc.CancelInvoiceMsg{PaymentHash: h.Hash})
	require.NoError(h.Node.T, err)
}

// Begin begins a payment and leaves it under way.
func (n *Node) Begin(request string) grpc.ServerStreamingClient[lnrpc.Payment] {
	n.T.Helper()
	stream, err := n.Router.SendPaymentV2(Soon(n.T), PayRequest(request))
	require.NoError(n.T, err)
	return stream
}

// Track follows a payment that was begun before.
func (n *Node) Track(hash []byte) *lnrpc.Payment {
	n.T.Helper()
	p, err := n.TrackOr(hash)
	require.NoError(n.T, err)
	return p
}

// TrackOr is track for a payment that may not be there.
func (n *Node) TrackOr(hash []byte) (*lnrpc.Payment, error) {
	n.T.Helper()
	stream, err := n.Router.TrackPaymentV2(Soon(n.T), &routerrpc.TrackPaymentRequest{PaymentHash: hash, NoInflightUpdates: true})
	require.NoError(n.T, err)
	return LastPayment(stream)
}
