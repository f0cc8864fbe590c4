package router

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// QueryMissionControl tells what was learned.
func (s *Service) QueryMissionControl(context.Context, *routerrpc.QueryMissionControlRequest) (*routerrpc.QueryMissionControlResponse, error) {
	out := &routerrpc.QueryMissionControlResponse{}
	for _, h := range s.node.Learned() {
		out.Pairs = append(out.Pairs, &routerrpc.PairHistory{NodeFrom: h.From[:], NodeTo: h.To[:], History: pairData(&h)})
	}
	return out, nil
}

func pairData(h *routing.PairHistory) *routerrpc.PairData {
	return &routerrpc.PairData{
		FailTime: translate.Unix(h.FailAt), FailAmtSat: int64(h.Fail.Sat()), FailAmtMsat: int64(h.Fail),
		SuccessTime: translate.Unix(h.SuccessAt), SuccessAmtSat: int64(h.Success.Sat()), SuccessAmtMsat: int64(h.Success),
	}
}

// ResetMissionControl forgets it.
func (s *Service) ResetMissionControl(context.Context, *routerrpc.ResetMissionControlRequest) (*routerrpc.ResetMissionControlResponse, error) {
	s.node.ForgetLearned()
	return &routerrpc.ResetMissionControlResponse{}, nil
}

// XImportMissionControl takes in what another node has learned.
func (s *Service) XImportMissionControl(_ context.Context, req *routerrpc.XImportMissionControlRequest) (*routerrpc.XImportMissionControlResponse, error) {
	if len(req.Pairs) == 0 {
		return nil, translate.Mistake("at least one pair required for import")
	}
	rows := make([]routing.PairHistory, len(req.Pairs))
	for i, p := range req.Pairs {
		var err error
		if rows[i], err = pair(p); err != nil {
			return nil, err
		}
	}
	s.node.MergeLearned(rows, req.Force)
	return &routerrpc.XImportMissionControlResponse{}, nil
}

// pair reads what is known of two nodes; the texts of mistakes are lnd's.
func pair(p *routerrpc.PairHistory) (h routing.PairHistory, err error) {
	if h.From, err = translate.PubKey("node_from", p.GetNodeFrom()); err != nil {
		return h, err
	}
	if h.To, err = translate.PubKey("node_to", p.GetNodeTo()); err != nil {
		return h, err
	}
	prefix := fmt.Sprintf("pair: %v -> %v:", h.From, h.To)
	if h.From == h.To {
		return h, translate.Mistake("%s source and destination node must differ", prefix)
	}
	d := p.GetHistory()
	if h.Fail, err = pairAmount(d.GetFailAmtMsat(), d.GetFailAmtSat()); err != nil {
		return h, translate.Mistake("%s invalid failure: %w", prefix, err)
	}
	if h.Success, err = pairAmount(d.GetSuccessAmtMsat(), d.GetSuccessAmtSat()); err != nil {
		return h, translate.Mistake("%s invalid success: %w", prefix, err)
	}
	switch at := d.GetSuccessTime(); {
	case at != 0 && h.Success == 0:
		return h, translate.Mistake("%s invalid success: non-zero timestamp requires non-zero amount for success pairs", prefix)
	case at == 0 && h.Success != 0:
		return h, translate.Mistake("%s invalid success: non-zero amount for success pairs requires non-zero timestamp", prefix)
	case at != 0:
		h.SuccessAt = time.Unix(at, 0)
	}
	if at := d.GetFailTime(); at != 0 && h.Fail != 0 {
		h.FailAt = time.Unix(at, 0)
	} else {
		h.Fail = 0
	}
	if h.Success == 0 && h.Fail == 0 {
		return h, translate.Mistake("%s: either success or failure result required", prefix)
	}
	return h, nil
}

// pairAmount reads an amount that is given in one unit, or alike in both.
func pairAmount(msat, sat int64) (lnwire.MilliSat, error) {
	switch {
	case msat < 0 || sat < 0 || sat > math.MaxInt64/1000:
		return 0, translate.Mistake("msat: %d or sat: %d out of range", msat, sat)
	case msat/1000 == sat || sat == 0:
		return lnwire.MilliSat(msat), nil
	case msat == 0:
		return lnwire.MilliSat(sat) * 1000, nil
	}
	return 0, translate.Mistake("msat: %d and sat: %d values not equal", msat, sat)
}

// GetMissionControlConfig tells how probabilities are judged.
func (s *Service) GetMissionControlConfig(context.Context, *routerrpc.GetMissionControlConfigRequest) (*routerrpc.GetMissionControlConfigResponse, error) {
	m, p := s.node.Learning()
	half := uint64(p.HalfLife / time.Second)
	return &routerrpc.GetMissionControlConfigResponse{Config: &routerrpc.MissionControlConfig{
		HalfLifeSeconds: half, HopProbability: float32(p.Apriori), Weight: aprioriWeight,
		MaximumPaymentResults: uint32(m.Pairs), MinimumFailureRelaxInterval: uint64(m.Relax / time.Second),
		EstimatorConfig: &routerrpc.MissionControlConfig_Apriori{Apriori: &routerrpc.AprioriParameters{
			HalfLifeSeconds: half, HopProbability: p.Apriori, Weight: aprioriWeight, CapacityFraction: p.Fraction,
		}},
	}}, nil
}

const (
	// aprioriWeight: what other channels of a node did does not count.
	aprioriWeight = 1
	// maxRemembered bounds the memory for pairs of nodes, minRemembered is a sensible least.
	maxRemembered, minRemembered = 1_000_000, 16
	// maxSeconds bounds times: a hundred years.
	maxSeconds = 100 * 366 * 24 * 3600
)

// SetMissionControlConfig changes how probabilities are judged.
func (s *Service) SetMissionControlConfig(_ context.Context, req *routerrpc.SetMissionControlConfigRequest) (*routerrpc.SetMissionControlConfigResponse, error) {
	c := req.Config
	if c == nil {
		return nil, translate.Invalid("config", "must be set")
	}
	a := &routerrpc.AprioriParameters{HalfLifeSeconds: c.HalfLifeSeconds, HopProbability: float64(c.HopProbability),
		Weight: float64(c.Weight), CapacityFraction: routing.DefaultParams.Fraction}
	switch v := c.EstimatorConfig.(type) {
	case *routerrpc.MissionControlConfig_Apriori:
		a = v.Apriori
	case *routerrpc.MissionControlConfig_Bimodal:
		if c.Model == routerrpc.MissionControlConfig_APRIORI {
			return nil, translate.Mistake("bimodal config provided, but apriori model requested")
		}
	}
	m, p := s.node.Learning()
	switch {
	case c.Model == routerrpc.MissionControlConfig_BIMODAL:
		return nil, translate.Invalid("model", "fulgur has no bimodal model: APRIORI is the one that there is")
	case c.Model != routerrpc.MissionControlConfig_APRIORI:
		return nil, translate.Mistake("unknown estimator type %v", c.Model)
	case a.GetHalfLifeSeconds() > maxSeconds:
		return nil, translate.Invalid("half_life_seconds", "%d is out of range", a.GetHalfLifeSeconds())
	case !(a.GetHopProbability() >= 0 && a.GetHopProbability() <= 1):
		return nil, translate.Mistake("hop probability must be in [0, 1]")
	case a.GetWeight() != aprioriWeight:
		return nil, translate.Invalid("weight", "only 1: what other channels of the same node did does not count in fulgur")
	case !(a.GetCapacityFraction() >= 0.75 && a.GetCapacityFraction() <= 1):
		return nil, translate.Mistake("capacity fraction must be in [0.75, 1]")
	case c.MaximumPaymentResults != 0 && (c.MaximumPaymentResults < minRemembered || c.MaximumPaymentResults > maxRemembered):
		return nil, translate.Invalid("maximum_payment_results", "%d is out of range: %d to %d", c.MaximumPaymentResults, minRemembered, maxRemembered)
	case c.MinimumFailureRelaxInterval > maxSeconds:
		return nil, translate.Invalid("minimum_failure_relax_interval", "%d is out of range", c.MinimumFailureRelaxInterval)
	}
	p.HalfLife, p.Apriori, p.Fraction = time.Duration(a.HalfLifeSeconds)*time.Second, a.HopProbability, a.CapacityFraction
	if m.Relax = time.Duration(c.MinimumFailureRelaxInterval) * time.Second; c.MaximumPaymentResults != 0 {
		m.Pairs = int(c.MaximumPaymentResults)
	}
	s.node.SetLearning(m, p)
	return &routerrpc.SetMissionControlConfigResponse{}, nil
}

// QueryProbability is how likely a node can send an amount to another.
func (s *Service) QueryProbability(_ context.Context, req *routerrpc.QueryProbabilityRequest) (*routerrpc.QueryProbabilityResponse, error) {
	from, err := translate.PubKey("from_node", req.FromNode)
	if err != nil {
		return nil, err
	}
	to, err := translate.PubKey("to_node", req.ToNode)
	if err != nil {
		return nil, err
	}
	if req.AmtMsat < 0 {
		return nil, translate.Invalid("amt_msat", "must not be negative")
	}
	p, h := s.node.PairProbability(from, to, lnwire.MilliSat(req.AmtMsat))
	return &routerrpc.QueryProbabilityResponse{Probability: p, History: pairData(&h)}, nil
}
