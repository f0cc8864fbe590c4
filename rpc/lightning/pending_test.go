package lightning

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/wallet"
)

// forcedNode is a node with one channel, whose commitment is in the chain.
type forcedNode struct {
	fake
	info channel.Info
	tip  lnwire.Height
}

func (c *forcedNode) Tip() lnwire.BlockRef { return lnwire.BlockRef{Height: c.tip} }
func (c *forcedNode) ListChannels(context.Context) ([]channel.Info, error) {
	return []channel.Info{c.info}, nil
}
func (c *forcedNode) Txs(lnwire.Height, lnwire.Height, bool) []wallet.TxRow { return nil }
func (c *forcedNode) ClosedChannels(from uint64, _ int) ([]channel.ClosedRow, error) {
	if from > 4 {
		return nil, nil
	}
	return []channel.ClosedRow{{ChanNum: 4, Kind: channel.ClosedByThem}}, nil
}

// TestPendingForceClose: a forced close stays pending as long as anything of it can still
// become ours, also an HTLC whose preimage nobody knows yet; the sums are those of the
// outputs.
func TestPendingForceClose(t *testing.T) {
	out := func(kind channel.ResolutionKind, end channel.ResolutionEnd, value lnwire.Sat) channel.EndOutput {
		return channel.EndOutput{Resolution: channel.Resolution{Kind: kind, End: end, Value: value, OutPoint: wire.OutPoint{Index: uint32(value)}}}
	}
	c := &forcedNode{tip: 110}
	c.info.Terms = channel.Terms{ChanNum: 4, Capacity: 1_000_000}
	c.info.Core = channel.Core{Phase: channel.Closing, Spend: &channel.Spend{
		Tx: wire.NewMsgTx(2), Place: channel.Place{At: lnwire.BlockRef{Height: 100}}, Kind: channel.SpentByThem, Reported: true,
	}}
	incoming := out(channel.ResolvedIncoming, channel.EndOpen, 20_000)
	incoming.Expiry = 150
	second := out(channel.ResolvedOutgoing, channel.EndOpen, 30_000)
	second.Second, second.Mature = true, 120
	first := out(channel.ResolvedOutgoing, channel.EndFirstStage, 31_000)
	balance := out(channel.ResolvedBalance, channel.EndClaimed, 400_000)
	c.info.Ends = []channel.EndOutput{balance, incoming, first, second, out(channel.ResolvedOutgoing, channel.EndLost, 7000)}
	s := New(c, Config{})
	list := func() []*lnrpc.PendingChannelsResponse_ForceClosedChannel {
		t.Helper()
		r, err := s.PendingChannels(t.Context(), &lnrpc.PendingChannelsRequest{})
		require.NoError(t, err)
		closed, err := s.ClosedChannels(t.Context(), &lnrpc.ClosedChannelsRequest{})
		require.NoError(t, err)
		require.Equal(t, len(r.PendingForceClosingChannels) == 0, len(closed.Channels) == 1, "in one list or the other")
		sum := int64(0)
		for _, f := range r.PendingForceClosingChannels {
			sum += f.LimboBalance
		}
		require.Equal(t, sum, r.TotalLimboBalance)
		return r.PendingForceClosingChannels
	}
	f := list()[0]
	require.EqualValues(t, 400_000, f.RecoveredBalance)
	require.EqualValues(t, 50_000, f.LimboBalance)
	require.Len(t, f.PendingHtlcs, 2)
	require.Equal(t, []any{true, int64(20_000), uint32(1), uint32(150), int32(40)}, []any{
		f.PendingHtlcs[0].Incoming, f.PendingHtlcs[0].Amount, f.PendingHtlcs[0].Stage, f.PendingHtlcs[0].MaturityHeight, f.PendingHtlcs[0].BlocksTilMaturity,
	})
	require.Equal(t, []any{false, uint32(2), uint32(120)}, []any{f.PendingHtlcs[1].Incoming, f.PendingHtlcs[1].Stage, f.PendingHtlcs[1].MaturityHeight})

	c.info.Ends[3].End = channel.EndClaimed
	f = list()[0]
	require.EqualValues(t, 430_000, f.RecoveredBalance)
	require.EqualValues(t, 20_000, f.LimboBalance)

	c.tip = 150 // it is the peer's now
	require.Empty(t, list())
	c.info.Ends[1].Mature = 101 // unless we have the preimage
	require.Len(t, list(), 1)
	c.info.Ends[1].End = channel.EndClaimed
	c.info.Core.Spend.Reported = false
	require.Len(t, list(), 1)
}
