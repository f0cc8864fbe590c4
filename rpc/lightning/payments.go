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

// forget is what deletes a payment, or no more than its failed attempts.
func (s *Service) forget(attempts bool) func(lnwire.Hash) error {
	if attempts {
		return s.node.DeleteFailedAttempts
	}
	return func(h lnwire.Hash) error { return s.node.DeletePayments(h) }
}

// DeletePayment forgets a payment that has ended, or its failed attempts.
func (s *Service) DeletePayment(_ context.Context, req *lnrpc.DeletePaymentRequest) (*lnrpc.DeletePaymentResponse, error) {
	hash, err := translate.Hash("payment_hash", req.PaymentHash)
	if err != nil {
		return nil, err
	}
	if _, err := s.node.PaymentRow(hash); errors.Is(err, node.ErrUnknownPayment) {
		return nil, status.Error(codes.NotFound, err.Error())
	} else if err != nil {
		return nil, err
	}
	if err := s.forget(req.FailedHtlcsOnly)(hash); err != nil {
		return nil, err
	}
	return &lnrpc.DeletePaymentResponse{Status: "payment deleted"}, nil
}

// DeleteAllPayments forgets all payments that have ended, or all that failed, or of either
// the failed attempts alone.
func (s *Service) DeleteAllPayments(ctx context.Context, req *lnrpc.DeleteAllPaymentsRequest) (*lnrpc.DeleteAllPaymentsResponse, error) {
	switch {
	case !req.AllPayments && !req.FailedPaymentsOnly && !req.FailedHtlcsOnly:
		return nil, translate.Invalid("all_payments", "one of all_payments, failed_payments_only and failed_htlcs_only is needed: this cannot be undone")
	case req.AllPayments && (req.FailedPaymentsOnly || req.FailedHtlcsOnly):
		return nil, translate.Invalid("all_payments", "cannot be set together with failed_payments_only or failed_htlcs_only")
	}
	var gone []lnwire.Hash
	err := s.eachPayment(ctx, func(p *node.Payment) {
		if p.Status == routing.Failed || !req.FailedPaymentsOnly && p.Status == routing.Succeeded {
			gone = append(gone, p.Terms.Hash)
		}
	})
	if err != nil {
		return nil, err
	}
	deleted := 0
	for _, h := range gone {
		switch err := s.forget(req.FailedHtlcsOnly)(h); {
		case errors.Is(err, node.ErrPaymentRunning): // it was begun again meanwhile
		case req.FailedHtlcsOnly && errors.Is(err, node.ErrUnknownPayment): // deleted meanwhile
		case err != nil:
			return nil, err
		case !req.FailedHtlcsOnly:
			deleted++
		}
	}
	return &lnrpc.DeleteAllPaymentsResponse{Status: fmt.Sprintf("%d payments deleted, failed_htlcs_only=%t", deleted, req.FailedHtlcsOnly)}, nil
}
