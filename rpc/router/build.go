package router

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// BuildRoute makes a route over given nodes.
func (s *Service) BuildRoute(_ context.Context, req *routerrpc.BuildRouteRequest) (*routerrpc.BuildRouteResponse, error) {
	b := routing.Build{Amount: lnwire.MilliSat(req.AmtMsat), Outgoing: lnwire.ShortChannelID(req.OutgoingChanId), FinalDelta: defaultFinalDelta}
	for _, k := range req.HopPubkeys {
		id, err := translate.PubKey("hop_pubkeys", k)
		if err != nil {
			return nil, err
		}
		b.Hops = append(b.Hops, id)
	}
	switch {
	case req.AmtMsat < 0:
		return nil, translate.Invalid("amt_msat", "must not be negative")
	case req.FinalCltvDelta < 0 || req.FinalCltvDelta > math.MaxUint16:
		return nil, translate.Invalid("final_cltv_delta", "%d is out of range", req.FinalCltvDelta)
	case req.FinalCltvDelta != 0:
		b.FinalDelta = uint16(req.FinalCltvDelta)
	}
	if _, err := translate.WireRecords("first_hop_custom_records", req.FirstHopCustomRecords); err != nil {
		return nil, err
	}
	var terms routing.Terms
	if len(req.PaymentAddr) > 0 {
		secret, err := translate.Array[lnwire.Secret]("payment_addr", req.PaymentAddr)
		if err != nil {
			return nil, err
		}
		terms.Secret = &secret
	}
	r, err := s.node.BuildRoute(b)
	if err != nil {
		return nil, err
	}
	terms.Amount = r.Received()
	return &routerrpc.BuildRouteResponse{Route: translate.Route(&r, &terms, s.node.Capacities())}, nil
}
