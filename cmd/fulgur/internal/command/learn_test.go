package command

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestSetMCConfig: what is not named stays as it is.
func TestSetMCConfig(t *testing.T) {
	d := startDaemon(t)
	apriori := func(half uint64) *routerrpc.MissionControlConfig {
		return &routerrpc.MissionControlConfig{MaximumPaymentResults: 16384, MinimumFailureRelaxInterval: 60,
			EstimatorConfig: &routerrpc.MissionControlConfig_Apriori{Apriori: &routerrpc.AprioriParameters{HalfLifeSeconds: half, HopProbability: 0.6, Weight: 1, CapacityFraction: 0.9999}}}
	}
	d.answer(routerrpc.Router_GetMissionControlConfig_FullMethodName, &routerrpc.GetMissionControlConfigResponse{Config: apriori(3600)})
	d.answer(routerrpc.Router_SetMissionControlConfig_FullMethodName, &routerrpc.SetMissionControlConfigResponse{})
	got := typist{d: d, term: true}.types("setmccfg", "--apriorihalflife=30m")
	require.Equal(t, exitOK, got.code, got.err)
	require.True(t, proto.Equal(&routerrpc.SetMissionControlConfigRequest{Config: apriori(1800)}, d.request(routerrpc.Router_SetMissionControlConfig_FullMethodName)))
	bimodal := func(decay uint64) *routerrpc.MissionControlConfig {
		return &routerrpc.MissionControlConfig{MaximumPaymentResults: 16384, MinimumFailureRelaxInterval: 60, Model: routerrpc.MissionControlConfig_BIMODAL,
			EstimatorConfig: &routerrpc.MissionControlConfig_Bimodal{Bimodal: &routerrpc.BimodalParameters{DecayTime: decay, ScaleMsat: 300_000_000, NodeWeight: 0.2}}}
	}
	got = typist{d: d, term: true}.types("setmccfg", "--estimator=bimodal", "--bimodaldecaytime=24h")
	require.Equal(t, exitOK, got.code, got.err)
	require.True(t, proto.Equal(&routerrpc.SetMissionControlConfigRequest{Config: bimodal(24 * 3600)}, d.request(routerrpc.Router_SetMissionControlConfig_FullMethodName)))
	require.Contains(t, got.out, "bimodal")
	for _, wrong := range [][]string{{"--estimator=other"}, {"--bimodalscale=5"}, {"--estimator=bimodal", "--apriorihalflife=1h"}} {
		got = typist{d: d, term: true}.types(append([]string{"setmccfg"}, wrong...)...)
		require.Equal(t, exitUsage, got.code, wrong)
	}
	d.answer(routerrpc.Router_GetMissionControlConfig_FullMethodName, &routerrpc.GetMissionControlConfigResponse{Config: bimodal(60)})
	got = typist{d: d, term: true}.types("setmccfg", "--estimator=apriori", "--apriorihalflife=30m")
	require.Equal(t, exitOK, got.code, got.err)
	require.True(t, proto.Equal(&routerrpc.SetMissionControlConfigRequest{Config: apriori(1800)}, d.request(routerrpc.Router_SetMissionControlConfig_FullMethodName)))
}
