package router

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

const (
	// routeFeeLimit is the most that an estimate may come to.
	routeFeeLimit lnwire.MilliSat = 100_000_000_000
	// padding are blocks that may be found while a payment is under way.
	padding = 3
	// maxGates is how many nodes before a hidden payee are probed.
	maxGates = 3
)

// EstimateRouteFee says what a payment would cost.
func (s *Service) EstimateRouteFee(ctx context.Context, req *routerrpc.RouteFeeRequest) (*routerrpc.RouteFeeResponse, error) {
	switch {
	case (len(req.Dest) > 0) == (req.PaymentRequest != ""):
		return nil, translate.Mistake("specify either a destination or an invoice")
	case req.PaymentRequest != "":
		return s.probeInvoice(ctx, req)
	case len(req.Dest) != 33:
		return nil, translate.Mistake("invalid length destination key")
	case req.AmtSat <= 0:
		return nil, translate.Mistake("amount must be greater than 0")
	}
	dest, err := translate.PubKey("dest", req.Dest)
	if err != nil {
		return nil, err
	}
	amount, err := translate.Amount("amt_sat", req.AmtSat, 0)
	if err != nil {
		return nil, err
	}
	r, err := s.node.FindRoute(routing.Query{
		Target: dest, Amount: amount, FinalDelta: defaultFinalDelta, FeeLimit: routeFeeLimit, Outgoing: translate.SCIDs(req.OutgoingChanIds),
	})
	if err != nil {
		return nil, err
	}
	return &routerrpc.RouteFeeResponse{RoutingFeeMsat: int64(r.Fee()), TimeLockDelay: int64(r.Expiry) + padding}, nil
}

// probeInvoice sends payments that nobody can claim, to the payee, or when that one hides
// to the nodes in front of it.
func (s *Service) probeInvoice(ctx context.Context, req *routerrpc.RouteFeeRequest) (*routerrpc.RouteFeeResponse, error) {
	b, err := s.begin(&routerrpc.SendPaymentRequest{PaymentRequest: req.PaymentRequest, OutgoingChanIds: req.OutgoingChanIds, MaxParts: 1})
	if err != nil {
		return nil, err
	}
	if req.Timeout > math.MaxInt32 {
		return nil, translate.Invalid("timeout", "%d is out of range", req.Timeout)
	}
	b.Limits.Fee, b.Limits.Timeout = routeFeeLimit, time.Duration(req.Timeout)*time.Second
	b.Terms.Request = ""
	gates := s.gates(&b.Terms)
	if len(gates) == 0 {
		return s.probe(ctx, b)
	}
	var worst *routerrpc.RouteFeeResponse
	for _, g := range gates[:min(len(gates), maxGates)] {
		probe := b
		probe.Terms = b.Terms
		probe.Terms.Payee, probe.Terms.Hints, probe.Terms.FinalDelta = g.hop.Node, g.hints, g.hop.Delta
		fee := routing.Fee(g.hop.Base, g.hop.PPM, b.Terms.Amount)
		probe.Terms.Amount += fee
		got, err := s.probe(ctx, probe)
		if ctx.Err() != nil {
			return nil, endError(ctx.Err())
		}
		if err != nil || got.FailureReason != lnrpc.PaymentFailureReason_FAILURE_REASON_NONE {
			continue
		}
		got.RoutingFeeMsat += int64(fee)
		got.TimeLockDelay += int64(b.Terms.FinalDelta)
		if worst == nil || got.RoutingFeeMsat > worst.RoutingFeeMsat {
			worst = got
		}
	}
	if worst == nil {
		return nil, mistake.State("all LSP probe payments failed")
	}
	return worst, nil
}

// gate is a public node through which a payee that nobody else knows is paid.
type gate struct {
	hop   routing.HintHop     // as dear and slow as any hint makes it
	hints [][]routing.HintHop // that lead to it
}

// gates are the public nodes at the ends of an invoice's hints, in the order of their ids;
// none when the payee is public itself.
func (s *Service) gates(t *routing.Terms) (list []gate) {
	graph := s.node.Graph()
	if len(t.Blinded) > 0 || graph.Has(t.Payee) {
		return nil
	}
	for _, hint := range t.Hints {
		if len(hint) == 0 || !graph.Has(hint[len(hint)-1].Node) {
			continue
		}
		last := hint[len(hint)-1]
		i := slices.IndexFunc(list, func(g gate) bool { return g.hop.Node == last.Node })
		if i < 0 {
			i, list = len(list), append(list, gate{hop: last})
		}
		g := &list[i]
		if routing.Fee(last.Base, last.PPM, t.Amount) > routing.Fee(g.hop.Base, g.hop.PPM, t.Amount) {
			g.hop.Base, g.hop.PPM = last.Base, last.PPM
		}
		g.hop.Delta = max(g.hop.Delta, last.Delta)
		if len(hint) > 1 {
			g.hints = append(g.hints, hint[:len(hint)-1])
		}
	}
	slices.SortFunc(list, func(a, b gate) int { return bytes.Compare(a.hop.Node[:], b.hop.Node[:]) })
	return list
}

// probe makes one payment of a hash whose preimage nobody knows. That the payee refuses it
// is what is wanted.
func (s *Service) probe(ctx context.Context, b routing.Begin) (*routerrpc.RouteFeeResponse, error) {
	rand.Read(b.Terms.Hash[:])
	w, err := s.node.Pay(ctx, b)
	if err != nil {
		return nil, payError(err)
	}
	defer w.Close()
	for {
		p, err := w.Next(ctx)
		if err != nil {
			s.node.CancelPayment(b.Terms.Hash)
			return nil, endError(err)
		}
		switch {
		case !ended(&p):
		case p.Payment.Status == routing.Succeeded:
			return nil, errors.New("the probe was claimed: whoever it went to has broken SHA-256")
		case p.Payment.Reason == routing.ReasonIncorrectDetails && len(p.Attempts) > 0:
			r := slices.MaxFunc(p.Attempts, func(a, b routing.Attempt) int { return cmp.Compare(a.Number, b.Number) }).Route
			return &routerrpc.RouteFeeResponse{RoutingFeeMsat: int64(r.Fee()), TimeLockDelay: int64(r.Expiry)}, nil
		default:
			return &routerrpc.RouteFeeResponse{FailureReason: lnrpc.PaymentFailureReason(p.Payment.Reason)}, nil
		}
	}
}
