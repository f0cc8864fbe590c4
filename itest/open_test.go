package itest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestOpenRefused: what no channel can be made of, in words that say why.
func TestOpenRefused(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob", "--minchansize=100000", "--maxchansize=2000000", "--maxpendingchannels=1")
	stranger := w.Node("stranger")
	alice.Fund(700_000)
	alice.Fund(700_000)
	alice.Connect(bob)
	for _, c := range []struct {
		name   string
		change func(*lnrpc.OpenChannelRequest)
		words  string
	}{
		{"no peer", func(r *lnrpc.OpenChannelRequest) { r.NodePubkey = nil }, "node_pubkey"},
		{"no key", func(r *lnrpc.OpenChannelRequest) { r.NodePubkey = make([]byte, 33) }, "node_pubkey"},
		{"not connected", func(r *lnrpc.OpenChannelRequest) { r.NodePubkey = rig.Unhex(t, stranger.ID) }, "not"},
		{"to itself", func(r *lnrpc.OpenChannelRequest) { r.NodePubkey = rig.Unhex(t, alice.ID) }, "cannot open channel to self"},
		{"nothing in it", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 0 }, "local_funding_amount"},
		{"negative", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = -1 }, "local_funding_amount"},
		{"below what we allow", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 19_999 }, "20000"},
		{"below what the peer allows", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 99_999 }, "100000"},
		{"above what the peer allows", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 2_000_001 }, "2000000"},
		{"above what we have", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 1_900_000 }, "insufficient funds"},
		{"too large without wumbo", func(r *lnrpc.OpenChannelRequest) { r.LocalFundingAmount = 16_777_216 }, "16777215"},
		{"all pushed", func(r *lnrpc.OpenChannelRequest) { r.PushSat = r.LocalFundingAmount }, "push"},
		{"more pushed", func(r *lnrpc.OpenChannelRequest) { r.PushSat = r.LocalFundingAmount + 1 }, "push"},
		{"two fees", func(r *lnrpc.OpenChannelRequest) { r.SatPerVbyte, r.TargetConf = 5, 5 }, "target_conf"},
		{"taproot", func(r *lnrpc.OpenChannelRequest) { r.CommitmentType = lnrpc.CommitmentType_SIMPLE_TAPROOT }, "commitment_type"},
		{"a reserve of all", func(r *lnrpc.OpenChannelRequest) { r.RemoteChanReserveSat = uint64(r.LocalFundingAmount) }, "reserve"},
		{"no confirmations at all", func(r *lnrpc.OpenChannelRequest) { r.ZeroConf = true }, "protocol.zero-conf"},
	} {
		req := alice.OpenRequest(bob, 500_000)
		c.change(req)
		stream, err := alice.LN.OpenChannel(rig.Soon(t), req)
		require.NoError(t, err)
		_, err = stream.Recv()
		require.ErrorContains(t, err, c.words, c.name)
	}
	require.Equal(t, int64(1_400_000), alice.Wallet().ConfirmedBalance)
	require.Zero(t, alice.Wallet().LockedBalance, "the coins of openings that failed are free")
	require.Empty(t, alice.Pending().PendingOpenChannels)
	require.Empty(t, bob.Pending().PendingOpenChannels)

	one, err := alice.LN.OpenChannelSync(rig.Soon(t), alice.OpenRequest(bob, 500_000))
	require.NoError(t, err)
	_, err = alice.LN.OpenChannelSync(rig.Soon(t), alice.OpenRequest(bob, 500_000))
	require.ErrorContains(t, err, "pending")
	w.Mempool(1)
	w.Mine(6)
	alice.Active(rig.PointOf(one.GetFundingTxidBytes(), one.OutputIndex))
}
