package lightning_test

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// open opens a channel and waits until both sides can use it.
func open(t *testing.T, from, to *client, sat int64) *lnrpc.ChannelPoint {
	t.Helper()
	ctx := t.Context()
	to.synced()
	_, err := from.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: to.id, Host: to.addr}})
	require.NoError(t, err)
	point, err := from.OpenChannelSync(ctx, &lnrpc.OpenChannelRequest{NodePubkeyString: to.id, LocalFundingAmount: sat})
	require.NoError(t, err)
	from.until("funding is on its way", func() bool {
		mempool, err := from.btcd.Mempool(ctx)
		return err == nil && len(mempool) == 1
	})
	from.mine(6)
	for _, end := range [][2]*client{{from, to}, {to, from}} {
		key, err := hex.DecodeString(end[1].id)
		require.NoError(t, err)
		end[0].until("active", func() bool {
			list, err := end[0].ListChannels(ctx, &lnrpc.ListChannelsRequest{ActiveOnly: true, Peer: key})
			return err == nil && len(list.Channels) == 1
		})
	}
	return point
}

func fund(t *testing.T, c *client) {
	t.Helper()
	ctx := t.Context()
	address, err := c.NewAddress(ctx, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_TAPROOT_PUBKEY})
	require.NoError(t, err)
	require.NoError(t, c.btcd.Miner().Mature(ctx))
	_, err = c.btcd.Miner().PayAddress(ctx, address.Address, 10_000_000)
	require.NoError(t, err)
	c.mine(1)
}

// TestForwardAndForce: a payment over a node in the middle stands in its history; then
// the first channel is closed by force and comes home.
func TestForwardAndForce(t *testing.T) {
	b := chainOf(t)
	alice, bob, carol := clientOf(t, b, "alice"), clientOf(t, b, "bob"), clientOf(t, b, "carol")
	ctx := t.Context()
	fund(t, alice)
	bob.synced()
	fund(t, bob)
	alice.synced()
	ab := open(t, alice, bob, 1_000_000)
	open(t, bob, carol, 1_000_000)
	alice.synced()
	alice.until("the way to carol is known", func() bool {
		_, err := alice.QueryRoutes(ctx, &lnrpc.QueryRoutesRequest{PubKey: carol.id, Amt: 10_000})
		return err == nil
	})
	htlcs, err := bob.router.SubscribeHtlcEvents(ctx, &routerrpc.SubscribeHtlcEventsRequest{})
	require.NoError(t, err)
	ev, err := htlcs.Recv()
	require.NoError(t, err)
	require.NotNil(t, ev.GetSubscribedEvent())
	sends, err := alice.router.SubscribeHtlcEvents(ctx, &routerrpc.SubscribeHtlcEventsRequest{})
	require.NoError(t, err)
	ev, err = sends.Recv()
	require.NoError(t, err)
	require.NotNil(t, ev.GetSubscribedEvent())
	pay(t, alice, carol, 10_000)
	ev, err = sends.Recv()
	require.NoError(t, err)
	require.Equal(t, routerrpc.HtlcEvent_SEND, ev.EventType)
	require.NotNil(t, ev.GetForwardEvent())
	require.NotZero(t, ev.IncomingHtlcId)
	sent := ev
	ev, err = sends.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, ev.GetSettleEvent().GetPreimage())
	require.Equal(t, []uint64{sent.IncomingHtlcId, sent.OutgoingHtlcId, sent.OutgoingChannelId}, []uint64{ev.IncomingHtlcId, ev.OutgoingHtlcId, ev.OutgoingChannelId})
	ev, err = htlcs.Recv()
	require.NoError(t, err)
	require.Equal(t, routerrpc.HtlcEvent_FORWARD, ev.EventType)
	require.EqualValues(t, 10_000_000, ev.GetForwardEvent().GetInfo().GetOutgoingAmtMsat())
	ev, err = htlcs.Recv()
	require.NoError(t, err)
	require.NotNil(t, ev.GetSettleEvent())
	in := ev.IncomingHtlcId
	ev, err = htlcs.Recv()
	require.NoError(t, err)
	require.True(t, ev.GetFinalHtlcEvent().GetSettled() && ev.GetFinalHtlcEvent().GetOffchain())
	require.Equal(t, []uint64{sent.OutgoingChannelId, in}, []uint64{ev.IncomingChannelId, ev.IncomingHtlcId})

	end, err := bob.LookupHtlcResolution(ctx, &lnrpc.LookupHtlcResolutionRequest{ChanId: ev.IncomingChannelId, HtlcIndex: in})
	require.NoError(t, err, "it is there when the event comes")
	require.True(t, end.Settled && end.Offchain)
	_, err = bob.LookupHtlcResolution(ctx, &lnrpc.LookupHtlcResolutionRequest{ChanId: ev.IncomingChannelId, HtlcIndex: in + 1})
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = alice.LookupHtlcResolution(ctx, &lnrpc.LookupHtlcResolutionRequest{ChanId: ev.IncomingChannelId, HtlcIndex: in})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "--store-final-htlc-resolutions")
	metrics, err := alice.GetNodeMetrics(ctx, &lnrpc.NodeMetricsRequest{Types: []lnrpc.NodeMetricType{lnrpc.NodeMetricType_BETWEENNESS_CENTRALITY}})
	require.NoError(t, err)
	central := metrics.BetweennessCentrality
	require.Len(t, central, 3)
	require.Equal(t, []float64{0, 1, 0}, []float64{central[alice.id].Value, central[bob.id].Value, central[carol.id].NormalizedValue})

	var history *lnrpc.ForwardingHistoryResponse
	bob.until("history", func() bool {
		history, err = bob.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{})
		return err == nil && len(history.ForwardingEvents) == 1
	})
	e := history.ForwardingEvents[0]
	require.EqualValues(t, 10_000_000, e.AmtOutMsat)
	require.EqualValues(t, 1010, e.FeeMsat)
	require.EqualValues(t, 1, history.LastOffsetIndex)
	history, err = bob.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{IndexOffset: 1})
	require.NoError(t, err)
	require.Empty(t, history.ForwardingEvents)
	history, err = bob.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{OutgoingChanIds: []uint64{e.ChanIdOut}})
	require.NoError(t, err)
	require.Len(t, history.ForwardingEvents, 1)

	forceIt(t, alice, ab)
}

func forceIt(t *testing.T, c *client, point *lnrpc.ChannelPoint) {
	t.Helper()
	ctx := t.Context()
	closing, err := c.CloseChannel(ctx, &lnrpc.CloseChannelRequest{ChannelPoint: point, Force: true})
	require.NoError(t, err)
	u, err := closing.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetClosePending())
	c.until("commitment is on its way", func() bool {
		mempool, err := c.btcd.Mempool(ctx)
		return err == nil && len(mempool) >= 1
	})
	list, err := c.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
	require.NoError(t, err)
	require.Len(t, list.WaitingCloseChannels, 1)
	require.Contains(t, list.WaitingCloseChannels[0].Channel.ChanStatusFlags, "ChanStatusCommitBroadcasted|ChanStatusLocalCloseInitiator")
	require.NotEmpty(t, list.WaitingCloseChannels[0].ClosingTxid)
	require.NotEmpty(t, list.WaitingCloseChannels[0].Commitments.RemoteTxid)
	require.NotZero(t, list.WaitingCloseChannels[0].Commitments.RemoteCommitFeeSat)
	c.mine(1)
	var f *lnrpc.PendingChannelsResponse_ForceClosedChannel
	c.until("forced", func() bool {
		list, err = c.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
		require.NoError(t, err)
		if len(list.PendingForceClosingChannels) == 1 {
			f = list.PendingForceClosingChannels[0]
		}
		return f != nil && f.MaturityHeight > 0
	})
	require.Greater(t, f.LimboBalance, int64(900_000))
	require.Zero(t, f.RecoveredBalance)
	require.Positive(t, f.BlocksTilMaturity)
	c.until("the sweeper knows", func() bool {
		sweeps, err := c.kit.PendingSweeps(ctx, &walletrpc.PendingSweepsRequest{})
		return err == nil && slices.ContainsFunc(sweeps.PendingSweeps, func(s *walletrpc.PendingSweep) bool {
			return s.WitnessType == walletrpc.WitnessType_COMMITMENT_TIME_LOCK
		})
	})
	c.mine(int(f.BlocksTilMaturity))
	c.until("home", func() bool {
		if mempool, err := c.btcd.Mempool(ctx); err == nil && len(mempool) > 0 {
			c.mine(1)
		}
		list, err = c.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
		return err == nil && len(list.PendingForceClosingChannels) == 0
	})
	closed, err := c.ClosedChannels(ctx, &lnrpc.ClosedChannelsRequest{LocalForce: true})
	require.NoError(t, err)
	require.Len(t, closed.Channels, 1)
	require.Greater(t, closed.Channels[0].TimeLockedBalance, int64(900_000))
}
