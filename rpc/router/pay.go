package router

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SendPaymentV2 pays and reports how it goes.
func (s *Service) SendPaymentV2(req *routerrpc.SendPaymentRequest, out routerrpc.Router_SendPaymentV2Server) error {
	b, err := s.begin(req)
	if err != nil {
		return err
	}
	w, err := s.node.Pay(out.Context(), b, macaroons.BudgetsFrom(out.Context())...)
	if err != nil {
		return payError(err)
	}
	defer w.Close()
	err = s.follow(out.Context(), w, req.NoInflightUpdates, out.Send)
	if req.Cancelable && out.Context().Err() != nil {
		s.node.CancelPayment(b.Terms.Hash)
	}
	return err
}

// TrackPaymentV2 reports how a payment goes that was begun before.
func (s *Service) TrackPaymentV2(req *routerrpc.TrackPaymentRequest, out routerrpc.Router_TrackPaymentV2Server) error {
	hash, err := translate.Hash("payment_hash", req.PaymentHash)
	if err != nil {
		return err
	}
	w, err := s.node.TrackPayment(hash)
	if err != nil {
		return payError(err)
	}
	defer w.Close()
	return s.follow(out.Context(), w, req.NoInflightUpdates, out.Send)
}

// TrackPayments reports on all payments.
func (s *Service) TrackPayments(req *routerrpc.TrackPaymentsRequest, out routerrpc.Router_TrackPaymentsServer) error {
	w := s.node.TrackPayments()
	defer w.Close()
	translate.Stands(out.Context())
	for {
		p, err := w.Next(out.Context())
		if err != nil {
			return endError(err)
		}
		if req.NoInflightUpdates && !ended(&p) {
			continue
		}
		m, err := s.message(&p, 0)
		if err != nil {
			return err
		}
		if err := out.Send(m); err != nil {
			return err
		}
	}
}

// follow sends every progress of one payment until it has ended.
func (s *Service) follow(ctx context.Context, w Watch, onlyEnd bool, send func(*lnrpc.Payment) error) error {
	index, told := uint64(0), 0
	for first := true; ; first = false {
		p, err := w.Next(ctx)
		if err != nil {
			return endError(err)
		}
		end := ended(&p)
		if onlyEnd && !end {
			continue
		}
		m, err := s.message(&p, index)
		if err != nil {
			return err
		}
		if n := failures(m); end && !onlyEnd && !first && n > told {
			// Clients look for failed attempts in payments that are under way, not in their end.
			// Who asks for a payment that has ended is told the end and nothing else.
			if err := send(underWay(m)); err != nil {
				return err
			}
		} else {
			told = n
		}
		index = m.PaymentIndex
		if err := send(m); err != nil || end {
			return err
		}
	}
}

func failures(m *lnrpc.Payment) (n int) {
	for _, a := range m.Htlcs {
		if a.Status == lnrpc.HTLCAttempt_FAILED {
			n++
		}
	}
	return n
}

// underWay is a payment as it was just before it ended.
func underWay(m *lnrpc.Payment) *lnrpc.Payment {
	before := proto.Clone(m).(*lnrpc.Payment)
	before.Status, before.FailureReason = lnrpc.Payment_IN_FLIGHT, lnrpc.PaymentFailureReason_FAILURE_REASON_NONE
	before.PaymentPreimage = translate.NoPreimage
	return before
}

// ended: nothing more will come of the payment. One of which the preimage is known may
// still have parts under way; the last progress has none.
func ended(p *routing.Progress) bool {
	return p.Payment.Status != routing.InFlight && !translate.UnderWay(p.Attempts)
}

// message is a progress with the payment's number, which is looked up when it is not
// known yet.
func (s *Service) message(p *routing.Progress, index uint64) (*lnrpc.Payment, error) {
	if index == 0 {
		row, err := s.node.PaymentRow(p.Payment.Terms.Hash)
		switch {
		case errors.Is(err, node.ErrUnknownPayment): // deleted meanwhile
		case err != nil:
			return nil, err
		default:
			index = row.Index
		}
	}
	return translate.Payment(&p.Payment, p.Attempts, index, s.node.Capacities()), nil
}

// payError gives the errors of beginnings their codes.
func payError(err error) error {
	switch {
	case errors.Is(err, routing.ErrPaymentInFlight), errors.Is(err, routing.ErrAlreadyPaid):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, node.ErrUnknownPayment):
		return status.Error(codes.NotFound, err.Error())
	}
	return translate.BudgetError(err)
}

func endError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return err
}

// SendToRouteV2 makes one attempt along a route. Attempts of the same hash, payment
// address and whole amount are parts of one payment.
func (s *Service) SendToRouteV2(ctx context.Context, req *routerrpc.SendToRouteRequest) (*lnrpc.HTLCAttempt, error) {
	hash, err := translate.Hash("payment_hash", req.PaymentHash)
	if err != nil {
		return nil, err
	}
	route, terms, err := translate.ReadRoute("route", req.Route)
	if err != nil {
		return nil, err
	}
	if route.Custom, err = translate.WireRecords("first_hop_custom_records", req.FirstHopCustomRecords); err != nil {
		return nil, err
	}
	route.Source, terms.Hash = s.node.ID(), hash
	if err := route.Check(); err != nil {
		return nil, translate.Invalid("route", "%v", err)
	}
	begin := routing.Begin{Terms: terms, Route: &route, Limits: routing.Limits{Parts: 1, Custom: route.Custom}}
	w, id, err := s.node.SendToRoute(ctx, begin, macaroons.BudgetsFrom(ctx)...)
	if err != nil {
		return nil, payError(err)
	}
	defer w.Close()
	return s.attemptOf(ctx, w, id)
}

// attemptOf waits for the end of one attempt.
func (s *Service) attemptOf(ctx context.Context, w Watch, id uint64) (*lnrpc.HTLCAttempt, error) {
	for {
		p, err := w.Next(ctx)
		if err != nil {
			return nil, endError(err)
		}
		for i := range p.Attempts {
			if a := &p.Attempts[i]; a.ID == id && a.Status != routing.InFlight {
				return translate.Attempt(a, &p.Payment.Terms, s.node.Capacities()), nil
			}
		}
	}
}
