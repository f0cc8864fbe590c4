package invoices

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// maxPaid bounds what an HTLC may be said to count for: all the money there is.
const maxPaid = 21e6 * 1e8 * 1000

// HtlcModifier asks the caller about HTLCs that would be accepted for invoices.
func (s *Service) HtlcModifier(stream invoicesrpc.Invoices_HtlcModifierServer) error {
	m, err := s.node.Modify()
	if err != nil {
		return err
	}
	defer m.Close()
	translate.Stands(stream.Context())
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	answers := make(chan error, 2)
	go func() { answers <- rule(stream, m) }()
	go func() { answers <- question(ctx, stream, m) }()
	return <-answers
}

// question sends what is asked, until the stream ends.
func question(ctx context.Context, stream invoicesrpc.Invoices_HtlcModifierServer, m Modification) error {
	for {
		q, err := m.Next(ctx)
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
		if err != nil {
			return err
		}
		h := &q.HTLC
		if err := stream.Send(&invoicesrpc.HtlcModifyRequest{
			Invoice:            translate.Invoice(&q.Invoice),
			ExitHtlcCircuitKey: &invoicesrpc.CircuitKey{ChanId: uint64(q.SCID), HtlcId: h.Ref.ID},
			ExitHtlcAmt:        uint64(h.Amount), ExitHtlcExpiry: uint32(h.Expiry), CurrentHeight: uint32(q.Height),
			ExitHtlcWireCustomRecords: translate.Custom(h.Custom.With(h.Accountable.Signal())),
		}); err != nil {
			return err
		}
	}
}

// rule takes the answers. It ends with the stream.
func rule(stream invoicesrpc.Invoices_HtlcModifierServer, m Modification) error {
	for {
		req, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case req.CircuitKey == nil:
			return status.Error(codes.InvalidArgument, "missing circuit key")
		case req.GetAmtPaid() > maxPaid:
			return translate.Invalid("amt_paid", "%d msat is more than there is", req.GetAmtPaid())
		}
		m.Rule(node.CircuitKey{SCID: lnwire.ShortChannelID(req.CircuitKey.ChanId), ID: req.CircuitKey.HtlcId},
			invoice.Ruling{Amount: lnwire.MilliSat(req.GetAmtPaid()), CancelSet: req.CancelSet})
	}
}
