package lightning

import (
	"context"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ListPayments is a page of payments, from old to new.
func (s *Service) ListPayments(ctx context.Context, req *lnrpc.ListPaymentsRequest) (*lnrpc.ListPaymentsResponse, error) {
	if err := dates(req.CreationDateStart, req.CreationDateEnd); err != nil {
		return nil, err
	}
	q := node.PageQuery{
		After: req.IndexOffset, Reverse: req.Reversed, Marked: !req.IncludeIncomplete,
		From: second(req.CreationDateStart), To: second(req.CreationDateEnd),
	}
	index := func(p *node.Payment) uint64 { return p.Index }
	list, err := page(ctx, s.node.Payments, q, pageSize(req.MaxPayments), index)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ListPaymentsResponse{}
	capacity := s.node.Capacities()
	for _, p := range list {
		m := translate.Payment(&p.Payment, p.Attempts, p.Index, capacity)
		for _, a := range m.Htlcs {
			if req.OmitHops {
				a.Route.Hops = nil
			}
		}
		out.Payments = append(out.Payments, m)
	}
	if len(list) > 0 {
		out.FirstIndexOffset, out.LastIndexOffset = list[0].Index, list[len(list)-1].Index
	}
	if req.CountTotalPayments {
		out.TotalNumPayments, err = s.node.CountPayments()
	}
	return out, err
}

// eachPayment goes through all payments.
func (s *Service) eachPayment(ctx context.Context, f func(*node.Payment)) error {
	for after := uint64(0); ; {
		if err := ctx.Err(); err != nil {
			return status.FromContextError(err).Err()
		}
		rows, err := s.node.Payments(node.PageQuery{After: after, Limit: readPage})
		if err != nil {
			return err
		}
		for _, p := range rows {
			after = p.Index
			f(p)
		}
		if len(rows) < readPage {
			return nil
		}
	}
}

// errKeepsAttempts: an attempt is never forgotten without its payment.
var errKeepsAttempts = status.Error(codes.Unimplemented, "failed_htlcs_only: attempts are kept as long as their payment")

// DeletePayment forgets a payment that has ended.
func (s *Service) DeletePayment(_ context.Context, req *lnrpc.DeletePaymentRequest) (*lnrpc.DeletePaymentResponse, error) {
	hash, err := translate.Hash("payment_hash", req.PaymentHash)
	if err != nil {
		return nil, err
	}
	if req.FailedHtlcsOnly {
		return nil, errKeepsAttempts
	}
	if _, err := s.node.PaymentRow(hash); errors.Is(err, node.ErrUnknownPayment) {
		return nil, status.Error(codes.NotFound, err.Error())
	} else if err != nil {
		return nil, err
	}
	if err := s.node.DeletePayments(hash); err != nil {
		return nil, err
	}
	return &lnrpc.DeletePaymentResponse{Status: "payment deleted"}, nil
}

// DeleteAllPayments forgets all payments that have ended, or all that failed.
func (s *Service) DeleteAllPayments(ctx context.Context, req *lnrpc.DeleteAllPaymentsRequest) (*lnrpc.DeleteAllPaymentsResponse, error) {
	switch {
	case req.FailedHtlcsOnly:
		return nil, errKeepsAttempts
	case !req.AllPayments && !req.FailedPaymentsOnly:
		return nil, translate.Invalid("all_payments", "you must specify if you want to delete all payments or only failed ones")
	case req.AllPayments && req.FailedPaymentsOnly:
		return nil, translate.Invalid("all_payments", "cannot be set together with failed_payments_only")
	}
	var gone []lnwire.Hash
	err := s.eachPayment(ctx, func(p *node.Payment) {
		if p.Status == routing.Failed || req.AllPayments && p.Status == routing.Succeeded {
			gone = append(gone, p.Terms.Hash)
		}
	})
	if err != nil {
		return nil, err
	}
	deleted := 0
	for _, h := range gone {
		switch err := s.node.DeletePayments(h); {
		case errors.Is(err, node.ErrPaymentRunning): // it was begun again meanwhile
		case err != nil:
			return nil, err
		default:
			deleted++
		}
	}
	return &lnrpc.DeleteAllPaymentsResponse{Status: fmt.Sprintf("%d payments deleted", deleted)}, nil
}
