package lightning

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// defaultFinalDelta is what the last HTLC must have left if the caller does not say.
const defaultFinalDelta = 80

// QueryRoutes looks for a route.
func (s *Service) QueryRoutes(_ context.Context, req *lnrpc.QueryRoutesRequest) (*lnrpc.QueryRoutesResponse, error) {
	q, err := s.query(req)
	if err != nil {
		return nil, err
	}
	r, err := s.node.FindRoute(q)
	if err != nil {
		return nil, err
	}
	terms := routing.Terms{Amount: q.Amount}
	if terms.Custom, err = translate.Records("dest_custom_records", req.DestCustomRecords); err != nil {
		return nil, err
	}
	return &lnrpc.QueryRoutesResponse{Routes: []*lnrpc.Route{translate.Route(&r, &terms, s.node.Capacities())}, SuccessProb: s.node.Probability(r)}, nil
}

// query reads what route is wanted.
func (s *Service) query(req *lnrpc.QueryRoutesRequest) (q routing.Query, err error) {
	switch {
	case len(req.OutgoingChanIds) > 0 && req.SourcePubKey != "" && req.SourcePubKey != s.node.ID().String():
		return q, translate.Invalid("outgoing_chan_ids", "only our own channels can be chosen")
	case req.FinalCltvDelta < 0 || req.FinalCltvDelta > math.MaxUint16:
		return q, translate.Invalid("final_cltv_delta", "%d is out of range", req.FinalCltvDelta)
	case req.TimePref < -1 || req.TimePref > 1 || math.IsNaN(req.TimePref):
		return q, translate.Invalid("time_pref", "must be between -1 and 1")
	}
	if len(req.BlindedPaymentPaths) > 0 {
		err = blindedTarget(req, &q)
	} else {
		q.Target, err = translate.PubKeyHex("pub_key", req.PubKey)
	}
	if err != nil {
		return q, err
	}
	if q.Amount, err = translate.Amount("amt", req.Amt, req.AmtMsat); err != nil {
		return q, err
	}
	if q.Amount == 0 {
		return q, &routing.NoRoute{Reason: routing.ReasonNoRoute, Why: "no channel carries nothing"}
	}
	if q.FeeLimit, err = feeLimit(req.FeeLimit, q.Amount); err != nil {
		return q, err
	}
	q.FinalDelta, q.CLTV, q.Outgoing = uint16(req.FinalCltvDelta), req.CltvLimit, translate.SCIDs(req.OutgoingChanIds)
	if q.FinalDelta == 0 && len(q.Blinded) == 0 {
		q.FinalDelta = defaultFinalDelta
	}
	if err := translate.CLTVLimit(q.CLTV, uint32(q.FinalDelta)); err != nil {
		return q, err
	}
	q.TimePref = req.TimePref
	if !req.UseMissionControl {
		q.Scores = routing.NewScores() // what was learned so far does not count
	}
	if err := s.queryNodes(req, &q); err != nil {
		return q, err
	}
	return q, finalLen(req, &q)
}

// blindedTarget reads the ways to a recipient that hides itself. What an invoice says
// of others is in the paths.
func blindedTarget(req *lnrpc.QueryRoutesRequest, q *routing.Query) (err error) {
	for _, f := range []struct {
		set  bool
		name string
	}{
		{req.PubKey != "", "pub_key"}, {req.FinalCltvDelta != 0, "final_cltv_delta"}, {len(req.RouteHints) > 0, "route_hints"},
		{len(req.DestFeatures) > 0, "dest_features"}, {len(req.LastHopPubkey) > 0, "last_hop_pubkey"},
	} {
		if f.set {
			return translate.Invalid(f.name, "%s and blinded_payment_paths cannot appear together", f.name)
		}
	}
	q.Blinded, err = translate.ReadBlindedPaths("blinded_payment_paths", req.BlindedPaymentPaths)
	return err
}

// finalLen counts what the recipient is to be told, so that the route leaves room for it.
func finalLen(req *lnrpc.QueryRoutesRequest, q *routing.Query) error {
	custom, err := translate.Records("dest_custom_records", req.DestCustomRecords)
	if err != nil {
		return err
	}
	final := onion.Final{Amount: q.Amount, Expiry: math.MaxUint32, Total: q.Amount, Custom: custom}
	if len(q.Blinded) > 0 {
		q.FinalLen, err = routing.TailLen(q.Blinded, final)
		return err
	}
	final.Secret = new(lnwire.Secret)
	b, err := final.Payload().Encode()
	q.FinalLen = len(b)
	return err
}

// queryNodes reads which nodes and channels may be on the route.
func (s *Service) queryNodes(req *lnrpc.QueryRoutesRequest, q *routing.Query) (err error) {
	if req.SourcePubKey != "" {
		if q.Source, err = translate.PubKeyHex("source_pub_key", req.SourcePubKey); err != nil {
			return err
		}
	}
	if len(req.LastHopPubkey) > 0 {
		last, err := translate.PubKey("last_hop_pubkey", req.LastHopPubkey)
		if err != nil {
			return err
		}
		q.LastHop = &last
	}
	for _, b := range req.IgnoredNodes {
		id, err := translate.PubKey("ignored_nodes", b)
		if err != nil {
			return err
		}
		q.IgnoreNodes = append(q.IgnoreNodes, id)
	}
	for _, p := range req.IgnoredPairs {
		from, err := translate.PubKey("ignored_pairs.from", p.GetFrom())
		if err != nil {
			return err
		}
		to, err := translate.PubKey("ignored_pairs.to", p.GetTo())
		if err != nil {
			return err
		}
		q.IgnorePairs = append(q.IgnorePairs, routing.Pair{From: from, To: to})
	}
	s.ignoredEdges(req, q)
	hints, err := translate.ReadHints("route_hints", req.RouteHints)
	if err != nil {
		return err
	}
	q.Hints = translate.HintHops(hints)
	if len(req.DestFeatures) > 0 {
		q.Features, err = translate.Bits("dest_features", req.DestFeatures)
	}
	return err
}

// ignoredEdges reads directions of channels, which are given by their numbers alone.
// Channels that nobody knows are on no route anyway.
func (s *Service) ignoredEdges(req *lnrpc.QueryRoutesRequest, q *routing.Query) {
	graph := s.node.Graph()
	for _, e := range req.IgnoredEdges {
		c, ok := graph.Channel(lnwire.ShortChannelID(e.GetChannelId()))
		if !ok {
			continue
		}
		from := c.Node1
		if e.GetDirectionReverse() {
			from = c.Node2
		}
		q.IgnoreEdges = append(q.IgnoreEdges, routing.Direction{SCID: c.SCID, From: from})
	}
}

// feeLimit reads the most that a route may cost; unset: a twentieth of the amount, or all
// of a small one, as in lnd.
func feeLimit(l *lnrpc.FeeLimit, amount lnwire.MilliSat) (lnwire.MilliSat, error) {
	switch v := l.GetLimit().(type) {
	case *lnrpc.FeeLimit_Fixed:
		return translate.Limit("fee_limit.fixed", v.Fixed, 0)
	case *lnrpc.FeeLimit_FixedMsat:
		return translate.Limit("fee_limit.fixed_msat", 0, v.FixedMsat)
	case *lnrpc.FeeLimit_Percent:
		if v.Percent < 0 || v.Percent > 1_000_000 {
			return 0, translate.Invalid("fee_limit.percent", "%d is out of range", v.Percent)
		}
		return amount / 100 * lnwire.MilliSat(v.Percent), nil
	}
	const small = 1_000_000
	if amount <= small {
		return amount, nil
	}
	return amount / 20, nil
}
