package invoices

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
)

// place is the modifier's.
type place struct {
	Node
	questions chan invoice.Modify
	rulings   map[node.CircuitKey]invoice.Ruling
	closed    bool
}

func (p *place) Modify() (Modification, error) { return p, nil }
func (p *place) Close()                        { p.closed = true }

func (p *place) Rule(k node.CircuitKey, r invoice.Ruling) { p.rulings[k] = r }

func (p *place) Next(ctx context.Context) (invoice.Modify, error) {
	select {
	case q := <-p.questions:
		return q, nil
	case <-ctx.Done():
		return invoice.Modify{}, ctx.Err()
	}
}

type talk struct {
	grpc.ServerStream
	ctx  context.Context
	said chan *invoicesrpc.HtlcModifyResponse
	sent chan *invoicesrpc.HtlcModifyRequest
}

func (s *talk) Context() context.Context                       { return s.ctx }
func (s *talk) Send(m *invoicesrpc.HtlcModifyRequest) error    { s.sent <- m; return nil }
func (s *talk) Recv() (*invoicesrpc.HtlcModifyResponse, error) { return <-s.said, nil }

func TestHtlcModifier(t *testing.T) {
	p := &place{questions: make(chan invoice.Modify, 1), rulings: map[node.CircuitKey]invoice.Ruling{}}
	s := &talk{ctx: t.Context(), said: make(chan *invoicesrpc.HtlcModifyResponse), sent: make(chan *invoicesrpc.HtlcModifyRequest)}
	over := make(chan error)
	go func() { over <- New(p).HtlcModifier(s) }()
	p.questions <- invoice.Modify{
		Invoice: invoice.Invoice{Hash: lnwire.Hash{1}, Memo: "tea"}, SCID: 7, Height: 90,
		HTLC: htlc.HTLC{Ref: htlc.Ref{ID: 3}, Amount: 10, Expiry: 100, Custom: lnwire.ExtraTLVs{{Type: 65537, Value: []byte{1}}}},
	}
	q := <-s.sent
	require.Equal(t, "tea", q.Invoice.Memo)
	require.Equal(t, []uint64{7, 3, 10, 100, 90}, []uint64{q.ExitHtlcCircuitKey.ChanId, q.ExitHtlcCircuitKey.HtlcId, q.ExitHtlcAmt,
		uint64(q.ExitHtlcExpiry), uint64(q.CurrentHeight)})
	require.Equal(t, map[uint64][]byte{65537: {1}}, q.ExitHtlcWireCustomRecords)
	paid := uint64(12)
	s.said <- &invoicesrpc.HtlcModifyResponse{CircuitKey: q.ExitHtlcCircuitKey, AmtPaid: &paid}
	s.said <- &invoicesrpc.HtlcModifyResponse{CircuitKey: &invoicesrpc.CircuitKey{HtlcId: 4}, CancelSet: true}
	s.said <- &invoicesrpc.HtlcModifyResponse{}
	require.ErrorContains(t, <-over, "missing circuit key")
	require.True(t, p.closed)
	require.Equal(t, map[node.CircuitKey]invoice.Ruling{{SCID: 7, ID: 3}: {Amount: 12}, {ID: 4}: {CancelSet: true}}, p.rulings)
}
