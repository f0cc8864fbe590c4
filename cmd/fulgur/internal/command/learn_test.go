package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

func TestImportMC(t *testing.T) {
	d := startDaemon(t)
	d.answer(routerrpc.Router_XImportMissionControl_FullMethodName, &routerrpc.XImportMissionControlResponse{})
	before := time.Now().Unix()
	got := typist{d: d, term: true}.types("importmc", "--failure", "--force", key1, key2, "1500")
	require.Equal(t, exitOK, got.code, got.err)
	req := d.request(routerrpc.Router_XImportMissionControl_FullMethodName)
	asked := &routerrpc.XImportMissionControlRequest{}
	proto.Merge(asked, clone(t, req, asked))
	require.True(t, asked.Force)
	h := asked.Pairs[0].History
	require.EqualValues(t, 1500, h.FailAmtMsat)
	require.GreaterOrEqual(t, h.FailTime, before)
	require.Zero(t, h.SuccessTime)
}

// clone reads a message again as the type of want.
func clone[T proto.Message](t *testing.T, m proto.Message, want T) T {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	out := want.ProtoReflect().New().Interface().(T)
	require.NoError(t, proto.Unmarshal(b, out))
	return out
}

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
	got = typist{d: d, term: true}.types("setmccfg", "--estimator=bimodal")
	require.Equal(t, exitUsage, got.code, got.err)
}
