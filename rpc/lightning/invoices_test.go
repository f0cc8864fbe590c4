package lightning

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// keeping is a node with invoices that cannot be deleted.
type keeping struct {
	Node
	err error
}

func (l *keeping) DeleteInvoice(context.Context, lnwire.Hash) error { return l.err }

func TestDeleteCanceledInvoice(t *testing.T) {
	l := &keeping{}
	s := &Service{node: l}
	_, err := s.DeleteCanceledInvoice(t.Context(), &lnrpc.DelCanceledInvoiceReq{})
	require.EqualError(t, err, "invoice hash must be provided")
	req := &lnrpc.DelCanceledInvoiceReq{InvoiceHash: lnwire.Hash{1}.String()}
	got, err := s.DeleteCanceledInvoice(t.Context(), req)
	require.NoError(t, err)
	require.Contains(t, got.Status, "canceled invoice deleted successfully: invoice hash 01")
	l.err = invoice.ErrNotCanceled
	_, err = s.DeleteCanceledInvoice(t.Context(), req)
	require.EqualError(t, err, "invoice not canceled")
	l.err = invoice.ErrNotFound
	_, err = s.DeleteCanceledInvoice(t.Context(), req)
	require.Equal(t, codes.NotFound, status.Code(err))
}
