package lightning

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// linked is a node with channels, and with invoices that cannot be deleted.
type linked struct {
	Node
	links []channel.LinkState
	err   error
}

func (l *linked) Links() []channel.LinkState                       { return l.links }
func (l *linked) DeleteInvoice(context.Context, lnwire.Hash) error { return l.err }

func TestListAliases(t *testing.T) {
	l := &linked{links: []channel.LinkState{{SCID: 5}, {SCID: 6, Alias: 77}, {SCID: 7, Alias: 78, Ended: true}, {SCID: 8, Alias: 79, Kind: channel.Kind{ZeroConf: true}}}}
	got, err := (&Service{node: l}).ListAliases(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, got.AliasMaps, 2)
	require.Equal(t, []uint64{6, 77, 79, 79}, []uint64{got.AliasMaps[0].BaseScid, got.AliasMaps[0].Aliases[0], got.AliasMaps[1].BaseScid, got.AliasMaps[1].Aliases[0]})
}

func TestDeleteCanceledInvoice(t *testing.T) {
	l := &linked{}
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
