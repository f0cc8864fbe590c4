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
	out := &routerrpc.MissionControlConfig{MaximumPaymentResults: uint32(m.Pairs), MinimumFailureRelaxInterval: uint64(m.Relax / time.Second)}
	if b := p.Bimodal; b != nil {
		out.Model = routerrpc.MissionControlConfig_BIMODAL
		out.EstimatorConfig = &routerrpc.MissionControlConfig_Bimodal{Bimodal: &routerrpc.BimodalParameters{
			NodeWeight: b.NodeWeight, ScaleMsat: uint64(b.Scale), DecayTime: uint64(b.Decay / time.Second),
		}}
	} else {
		out.HalfLifeSeconds, out.HopProbability, out.Weight = uint64(p.HalfLife/time.Second), float32(p.Apriori), float32(p.Weight)
		out.EstimatorConfig = &routerrpc.MissionControlConfig_Apriori{Apriori: &routerrpc.AprioriParameters{
			HalfLifeSeconds: out.HalfLifeSeconds, HopProbability: p.Apriori, Weight: p.Weight, CapacityFraction: p.Fraction,
		}}
	}
	return &routerrpc.GetMissionControlConfigResponse{Config: out}, nil
}

const (
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
	m, p := s.node.Learning()
	var err error
	switch c.Model {
	case routerrpc.MissionControlConfig_APRIORI:
		err = setApriori(c, &p)
	case routerrpc.MissionControlConfig_BIMODAL:
		err = setBimodal(c, &p)
	default:
		err = translate.Mistake("unknown estimator type %v", c.Model)
	}
	switch {
	case err != nil:
		return nil, err
	case c.MaximumPaymentResults != 0 && (c.MaximumPaymentResults < minRemembered || c.MaximumPaymentResults > maxRemembered):
		return nil, translate.Invalid("maximum_payment_results", "%d is out of range: %d to %d", c.MaximumPaymentResults, minRemembered, maxRemembered)
	case c.MinimumFailureRelaxInterval > maxSeconds:
		return nil, translate.Invalid("minimum_failure_relax_interval", "%d is out of range", c.MinimumFailureRelaxInterval)
	}
	if m.Relax = time.Duration(c.MinimumFailureRelaxInterval) * time.Second; c.MaximumPaymentResults != 0 {
		m.Pairs = int(c.MaximumPaymentResults)
	}
	s.node.SetLearning(m, p)
	return &routerrpc.SetMissionControlConfigResponse{}, nil
}

// setApriori reads that model; the texts of mistakes are lnd's.
func setApriori(c *routerrpc.MissionControlConfig, p *routing.Params) error {
	a := &routerrpc.AprioriParameters{
		HalfLifeSeconds: c.HalfLifeSeconds, HopProbability: float64(c.HopProbability),
		Weight: float64(c.Weight), CapacityFraction: routing.DefaultParams.Fraction,
	}
	switch v := c.EstimatorConfig.(type) {
	case *routerrpc.MissionControlConfig_Apriori:
		a = v.Apriori
	case *routerrpc.MissionControlConfig_Bimodal:
		return translate.Mistake("bimodal config provided, but apriori model requested")
	}
	switch {
	case a.GetHalfLifeSeconds() > maxSeconds:
		return translate.Invalid("half_life_seconds", "%d is out of range", a.GetHalfLifeSeconds())
	case !(a.GetHopProbability() >= 0 && a.GetHopProbability() <= 1):
		return translate.Mistake("hop probability must be in [0, 1]")
	case !(a.GetWeight() >= 0 && a.GetWeight() <= 1):
		return translate.Mistake("apriori weight must be in [0, 1]")
	case !(a.GetCapacityFraction() >= 0.75 && a.GetCapacityFraction() <= 1):
		return translate.Mistake("capacity fraction must be in [0.75, 1]")
	}
	p.HalfLife, p.Apriori, p.Weight, p.Fraction = time.Duration(a.HalfLifeSeconds)*time.Second, a.HopProbability, a.Weight, a.CapacityFraction
	p.Bimodal = nil
	return nil
}

// setBimodal reads that model; the texts of mistakes are lnd's.
func setBimodal(c *routerrpc.MissionControlConfig, p *routing.Params) error {
	b := c.GetBimodal()
	switch {
	case b == nil:
		return translate.Mistake("bimodal estimator requested but corresponding config not set")
	case b.DecayTime == 0:
		return translate.Mistake("bimodal: decay time must be larger than zero")
	case b.DecayTime > maxSeconds:
		return translate.Invalid("decay_time", "%d is out of range", b.DecayTime)
	case !(b.NodeWeight >= 0 && b.NodeWeight <= 1):
		return translate.Mistake("bimodal: node weight must be in [0, 1]")
	case b.ScaleMsat == 0 || b.ScaleMsat > uint64(routing.MaxBimodalScale):
		return translate.Mistake("bimodal: scale must be >= 0 and sane")
	}
	p.Bimodal = &routing.Bimodal{Scale: lnwire.MilliSat(b.ScaleMsat), Decay: time.Duration(b.DecayTime) * time.Second, NodeWeight: b.NodeWeight}
	return nil
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
