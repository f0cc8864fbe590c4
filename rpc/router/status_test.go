package router

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

func (f *fake) SetPolicy(_ context.Context, _ *wire.OutPoint, change func(channel.LinkState) (channel.Policy, error)) ([]wire.OutPoint, error) {
	p, err := change(f.link)
	if err == nil {
		f.link.Policy = p
	}
	return nil, err
}

func TestUpdateChanStatus(t *testing.T) {
	f := &fake{}
	set := func(a routerrpc.ChanStatusAction) error {
		_, err := service(f).UpdateChanStatus(t.Context(), &routerrpc.UpdateChanStatusRequest{
			ChanPoint: &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: make([]byte, 32)}}, Action: a})
		return err
	}
	require.NoError(t, set(routerrpc.ChanStatusAction_DISABLE))
	require.True(t, f.link.Policy.Disabled)
	require.ErrorIs(t, set(routerrpc.ChanStatusAction_ENABLE), errInactive)
	require.NoError(t, set(routerrpc.ChanStatusAction_AUTO))
	require.False(t, f.link.Policy.Disabled)
	f.link.Up = true
	require.NoError(t, set(routerrpc.ChanStatusAction_ENABLE))
	require.ErrorContains(t, set(9), "unrecognized ChannelStatusAction")
	_, err := service(f).UpdateChanStatus(t.Context(), &routerrpc.UpdateChanStatusRequest{})
	require.ErrorContains(t, err, "chan_point")
}
