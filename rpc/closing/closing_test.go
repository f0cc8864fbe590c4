package closing

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

type fake struct {
	only *wire.OutPoint
	ask  node.CloseRequest
	err  error
}

func (f *fake) Rescue(_ context.Context, only *wire.OutPoint) (node.Rescue, error) {
	f.only = only
	return node.Rescue{Height: 9, Warnings: []string{"w"}, Channels: []node.Closing{{
		State: "s", Limbo: 5, HomeAt: 7, Steps: []node.ClosingStep{{What: "x", Rate: 2500}, {OutPoint: wire.OutPoint{Index: 2}, Txid: chainhash.Hash{1}, Done: true}},
	}}}, f.err
}

func (f *fake) PlanClose(_ context.Context, req node.CloseRequest) (node.ClosePlan, error) {
	f.ask = req
	return node.ClosePlan{Summary: "s", ClosingFee: 1, Lift: 2, LiftBudget: 3, Sweep: 4, Balance: 5, Outputs: []node.PlannedOutput{{What: "x", Mature: 8}}}, f.err
}

var point = &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: chainhash.Hash{7}.String()}, OutputIndex: 1}

func TestRescue(t *testing.T) {
	f := &fake{}
	out, err := New(f).Rescue(t.Context(), &fulgurrpc.RescueRequest{})
	require.NoError(t, err)
	require.Nil(t, f.only)
	require.EqualValues(t, 9, out.BlockHeight)
	c := out.Channels[0]
	require.Equal(t, []string{"w"}, out.Warnings)
	require.Equal(t, "", c.ClosingTxid)
	require.EqualValues(t, 10, c.Steps[0].SatPerVbyte)
	require.Equal(t, "", c.Steps[0].Outpoint+c.Steps[0].Txid)
	require.Equal(t, wire.OutPoint{Index: 2}.String(), c.Steps[1].Outpoint)
	require.Equal(t, chainhash.Hash{1}.String(), c.Steps[1].Txid)
	_, err = New(f).Rescue(t.Context(), &fulgurrpc.RescueRequest{ChanPoint: point})
	require.NoError(t, err)
	require.EqualValues(t, 1, f.only.Index)
	_, err = New(f).Rescue(t.Context(), &fulgurrpc.RescueRequest{ChanPoint: &lnrpc.ChannelPoint{}})
	require.ErrorContains(t, err, "chan_point")
}

func TestPlanClose(t *testing.T) {
	f := &fake{}
	out, err := New(f).PlanClose(t.Context(), &fulgurrpc.PlanCloseRequest{ChanPoint: point, SatPerVbyte: 4})
	require.NoError(t, err)
	require.EqualValues(t, 1000, f.ask.FeeRate)
	require.EqualValues(t, []int64{1, 2, 3, 4, 5}, []int64{out.ClosingFee, out.LiftFee, out.LiftBudget, out.SweepFee, out.Balance})
	require.EqualValues(t, 8, out.Outputs[0].MatureHeight)
	for _, bad := range []*fulgurrpc.PlanCloseRequest{
		{}, {ChanPoint: point, Force: true, TargetConf: 3}, {ChanPoint: point, TargetConf: 3, SatPerVbyte: 1}, {ChanPoint: point, TargetConf: 5000},
	} {
		_, err := New(f).PlanClose(t.Context(), bad)
		require.Error(t, err)
	}
	f.err = node.ErrClosing
	_, err = New(f).PlanClose(t.Context(), &fulgurrpc.PlanCloseRequest{ChanPoint: point})
	require.ErrorContains(t, err, "closed already")
}
