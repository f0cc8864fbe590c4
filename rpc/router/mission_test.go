package router

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

func (f *fake) Learned() []routing.PairHistory { return f.learned }
func (f *fake) ForgetLearned()                 { f.learned = nil }
func (f *fake) MergeLearned(rows []routing.PairHistory, all bool) {
	f.learned = append(f.learned, rows...)
}
func (f *fake) Learning() (routing.Memory, routing.Params) {
	if f.params == nil {
		return routing.DefaultMemory, routing.DefaultParams
	}
	return f.memory, *f.params
}
func (f *fake) SetLearning(m routing.Memory, p routing.Params) { f.memory, f.params = m, &p }
func (f *fake) PairProbability(from, to lnwire.PubKey, amount lnwire.MilliSat) (float64, routing.PairHistory) {
	return 0.5, routing.PairHistory{From: from, To: to, Success: amount, SuccessAt: start}
}
func (f *fake) Capacities() func(lnwire.ShortChannelID) lnwire.Sat {
	return func(lnwire.ShortChannelID) lnwire.Sat { return 0 }
}
func (f *fake) Graph() *routing.Snapshot { return f.graph.Snapshot() }
func (f *fake) BuildRoute(b routing.Build) (routing.Route, error) {
	f.built = b
	return routing.Route{Amount: 7, Hops: []routing.Hop{{Node: b.Hops[0], Forward: 7}}}, f.err
}
func (f *fake) FindRoute(q routing.Query) (routing.Route, error) {
	return routing.Route{Amount: q.Amount + 9, Expiry: 700, Hops: []routing.Hop{{Forward: q.Amount}}}, f.err
}

func TestMissionControl(t *testing.T) {
	f := &fake{}
	s := service(f)
	a, b := point(1), point(2)
	_, err := s.XImportMissionControl(t.Context(), &routerrpc.XImportMissionControlRequest{})
	require.EqualError(t, err, "at least one pair required for import")
	give := func(h *routerrpc.PairData) error {
		_, err := s.XImportMissionControl(t.Context(), &routerrpc.XImportMissionControlRequest{
			Pairs: []*routerrpc.PairHistory{{NodeFrom: a[:], NodeTo: b[:], History: h}}})
		return err
	}
	for want, h := range map[string]*routerrpc.PairData{
		"either success or failure":   nil,
		"requires non-zero amount":    {SuccessTime: 5},
		"requires non-zero timestamp": {SuccessAmtSat: 5},
		"values not equal":            {FailTime: 1, FailAmtMsat: 5000, FailAmtSat: 6},
		"out of range":                {FailTime: 1, FailAmtMsat: -1},
	} {
		require.ErrorContains(t, give(h), want)
	}
	require.NoError(t, give(&routerrpc.PairData{FailTime: 9, FailAmtSat: 5, SuccessTime: 8, SuccessAmtMsat: 4000, SuccessAmtSat: 4}))
	require.Equal(t, []routing.PairHistory{{From: a, To: b, Fail: 5000, FailAt: time.Unix(9, 0), Success: 4000, SuccessAt: time.Unix(8, 0)}}, f.learned)
	got, err := s.QueryMissionControl(t.Context(), &routerrpc.QueryMissionControlRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 5, got.Pairs[0].History.FailAmtSat)
	_, err = s.ResetMissionControl(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, f.learned)
	p, err := s.QueryProbability(t.Context(), &routerrpc.QueryProbabilityRequest{FromNode: a[:], ToNode: b[:], AmtMsat: 77})
	require.NoError(t, err)
	require.EqualValues(t, 77, p.History.SuccessAmtMsat)
	require.Equal(t, 0.5, p.Probability)
	_, err = s.QueryProbability(t.Context(), &routerrpc.QueryProbabilityRequest{FromNode: a[:], ToNode: b[:], AmtMsat: -1})
	require.Error(t, err)
}

// TestMissionControlConfig: what is read can be set as it is, and what fulgur does not have
// is refused by name.
func TestMissionControlConfig(t *testing.T) {
	f := &fake{}
	s := service(f)
	set := func(change func(*routerrpc.MissionControlConfig, *routerrpc.AprioriParameters)) error {
		got, err := s.GetMissionControlConfig(t.Context(), nil)
		require.NoError(t, err)
		change(got.Config, got.Config.GetApriori())
		_, err = s.SetMissionControlConfig(t.Context(), &routerrpc.SetMissionControlConfigRequest{Config: got.Config})
		return err
	}
	require.NoError(t, set(func(*routerrpc.MissionControlConfig, *routerrpc.AprioriParameters) {}))
	require.Equal(t, routing.DefaultParams, *f.params)
	require.Equal(t, routing.DefaultMemory, f.memory)
	require.NoError(t, set(func(c *routerrpc.MissionControlConfig, a *routerrpc.AprioriParameters) {
		c.MaximumPaymentResults, c.MinimumFailureRelaxInterval = 500, 5
		a.HalfLifeSeconds, a.HopProbability, a.Weight, a.CapacityFraction = 60, 0.25, 0.5, 0.8
	}))
	require.Equal(t, routing.Memory{Pairs: 500, Relax: 5 * time.Second}, f.memory)
	require.Equal(t, []float64{60, 0.25, 0.5, 0.8}, []float64{f.params.HalfLife.Seconds(), f.params.Apriori, f.params.Weight, f.params.Fraction})
	bimodal := func(weight float64, scale, decay uint64) error {
		_, err := s.SetMissionControlConfig(t.Context(), &routerrpc.SetMissionControlConfigRequest{Config: &routerrpc.MissionControlConfig{
			Model: routerrpc.MissionControlConfig_BIMODAL, EstimatorConfig: &routerrpc.MissionControlConfig_Bimodal{
				Bimodal: &routerrpc.BimodalParameters{NodeWeight: weight, ScaleMsat: scale, DecayTime: decay},
			},
		}})
		return err
	}
	require.NoError(t, bimodal(0.3, 5000, 60))
	require.Equal(t, &routing.Bimodal{Scale: 5000, Decay: time.Minute, NodeWeight: 0.3}, f.params.Bimodal)
	got, err := s.GetMissionControlConfig(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, []any{routerrpc.MissionControlConfig_BIMODAL, 0.3, uint64(5000), uint64(60)},
		[]any{got.Config.Model, got.Config.GetBimodal().NodeWeight, got.Config.GetBimodal().ScaleMsat, got.Config.GetBimodal().DecayTime})
	_, err = s.SetMissionControlConfig(t.Context(), &routerrpc.SetMissionControlConfigRequest{Config: got.Config})
	require.NoError(t, err, "what it says it takes")
	require.ErrorContains(t, bimodal(1.5, 5000, 60), "node weight must be in [0, 1]")
	require.ErrorContains(t, bimodal(0, 0, 60), "scale")
	require.ErrorContains(t, bimodal(0, 1<<60, 60), "scale")
	require.ErrorContains(t, bimodal(0, 5000, 0), "decay time")
	require.ErrorContains(t, bimodal(0, 5000, 1<<60), "decay_time")
	_, err = s.SetMissionControlConfig(t.Context(), &routerrpc.SetMissionControlConfigRequest{Config: &routerrpc.MissionControlConfig{
		EstimatorConfig: &routerrpc.MissionControlConfig_Apriori{Apriori: &routerrpc.AprioriParameters{HopProbability: 0.5, Weight: 1, CapacityFraction: 1}},
	}})
	require.NoError(t, err)
	require.Nil(t, f.params.Bimodal)
	for want, change := range map[string]func(*routerrpc.MissionControlConfig, *routerrpc.AprioriParameters){
		"apriori weight must be":    func(_ *routerrpc.MissionControlConfig, a *routerrpc.AprioriParameters) { a.Weight = 1.5 },
		"hop probability must be":   func(_ *routerrpc.MissionControlConfig, a *routerrpc.AprioriParameters) { a.HopProbability = 2 },
		"capacity fraction must be": func(_ *routerrpc.MissionControlConfig, a *routerrpc.AprioriParameters) { a.CapacityFraction = 0.1 },
		"half_life_seconds":         func(_ *routerrpc.MissionControlConfig, a *routerrpc.AprioriParameters) { a.HalfLifeSeconds = 1 << 60 },
		"maximum_payment_results": func(c *routerrpc.MissionControlConfig, _ *routerrpc.AprioriParameters) {
			c.MaximumPaymentResults = 1 << 30
		},
		"config not set":    func(c *routerrpc.MissionControlConfig, _ *routerrpc.AprioriParameters) { c.Model = 1 },
		"unknown estimator": func(c *routerrpc.MissionControlConfig, _ *routerrpc.AprioriParameters) { c.Model = 7 },
		"but apriori model requested": func(c *routerrpc.MissionControlConfig, _ *routerrpc.AprioriParameters) {
			c.EstimatorConfig = &routerrpc.MissionControlConfig_Bimodal{}
		},
	} {
		require.ErrorContains(t, set(change), want)
	}
	_, err = s.SetMissionControlConfig(t.Context(), &routerrpc.SetMissionControlConfigRequest{})
	require.Error(t, err)
}

func TestBuildRoute(t *testing.T) {
	f := &fake{}
	a := point(1)
	got, err := service(f).BuildRoute(t.Context(), &routerrpc.BuildRouteRequest{AmtMsat: 7, OutgoingChanId: 5, HopPubkeys: [][]byte{a[:]}, PaymentAddr: make([]byte, 32)})
	require.NoError(t, err)
	require.Equal(t, routing.Build{Amount: 7, Outgoing: 5, FinalDelta: 80, Hops: []lnwire.PubKey{a}}, f.built)
	require.EqualValues(t, 7, got.Route.Hops[0].MppRecord.TotalAmtMsat)
	for want, req := range map[string]*routerrpc.BuildRouteRequest{
		"hop_pubkeys": {HopPubkeys: [][]byte{{1}}}, "amt_msat": {AmtMsat: -1}, "final_cltv_delta": {FinalCltvDelta: -1},
		"payment_addr": {PaymentAddr: []byte{1}}, "first_hop_custom_records": {FirstHopCustomRecords: map[uint64][]byte{1: nil}},
	} {
		_, err := service(f).BuildRoute(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
}

func TestEstimateRouteFee(t *testing.T) {
	a := point(1)
	f := &fake{graph: routing.NewGraph()}
	for want, req := range map[string]*routerrpc.RouteFeeRequest{
		"specify either a destination or an invoice": {}, "invalid length destination key": {Dest: []byte{1}},
		"amount must be greater than 0": {Dest: a[:]}, "amount must be specified": {PaymentRequest: text(t, func(r *invoice.Request) { r.Amount = 0 })},
	} {
		_, err := service(f).EstimateRouteFee(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
	got, err := service(f).EstimateRouteFee(t.Context(), &routerrpc.RouteFeeRequest{Dest: a[:], AmtSat: 10})
	require.NoError(t, err)
	require.Equal(t, []int64{9, 703}, []int64{got.RoutingFeeMsat, got.TimeLockDelay})

	over := routing.Payment{Status: routing.Failed, Reason: routing.ReasonIncorrectDetails}
	f.progress = []routing.Progress{{Payment: over, Attempts: []routing.Attempt{
		{Number: 0, Route: routing.Route{Amount: 50, Expiry: 3}},
		{Number: 1, Status: routing.Failed, Route: routing.Route{Amount: 12, Expiry: 900, Hops: []routing.Hop{{Forward: 10}}}}}}}
	got, err = service(f).EstimateRouteFee(t.Context(), &routerrpc.RouteFeeRequest{PaymentRequest: text(t), Timeout: 5})
	require.NoError(t, err)
	require.Equal(t, []int64{2, 900, 0}, []int64{got.RoutingFeeMsat, got.TimeLockDelay, int64(got.FailureReason)})
	require.NotEqual(t, lnwire.Hash{1}, f.begun.Terms.Hash, "nobody knows its preimage")
	require.Empty(t, f.begun.Terms.Request)
	require.Equal(t, 5*time.Second, f.begun.Limits.Timeout)
	require.EqualValues(t, 1, f.begun.Limits.Parts)

	f.progress = []routing.Progress{{Payment: routing.Payment{Status: routing.Failed, Reason: routing.ReasonNoRoute}}}
	got, err = service(f).EstimateRouteFee(t.Context(), &routerrpc.RouteFeeRequest{PaymentRequest: text(t)})
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, got.FailureReason)

	// A payee that only its hint knows: the node in front of it is probed.
	require.NoError(t, f.graph.AddChannel(routing.Channel{SCID: 5, Node1: point(8), Node2: point(9)}))
	f.progress = []routing.Progress{{Payment: over, Attempts: []routing.Attempt{{Route: routing.Route{Amount: 1_000_012, Expiry: 900, Hops: []routing.Hop{{Forward: 1_000_010}}}}}}}
	got, err = service(f).EstimateRouteFee(t.Context(), &routerrpc.RouteFeeRequest{PaymentRequest: text(t, func(r *invoice.Request) {
		r.Hints = []invoice.RouteHint{{{Node: point(8), SCID: 77, FeeBase: 10, CLTVDelta: 30}}}
	})})
	require.NoError(t, err)
	require.Equal(t, point(8), f.begun.Terms.Payee)
	require.Equal(t, lnwire.MilliSat(1_000_010), f.begun.Terms.Amount)
	require.EqualValues(t, 30, f.begun.Terms.FinalDelta)
	require.Equal(t, []int64{2 + 10, 940}, []int64{got.RoutingFeeMsat, got.TimeLockDelay})
}
