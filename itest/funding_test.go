package itest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// TestAgreedFunding: alice and bob agree upon the output of a transaction that neither of them
// publishes, and open a channel on it; alice may not close it before the height that they set.
func TestAgreedFunding(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	alice.Fund(1_000_000)
	alice.Connect(bob)
	alice.Synced()
	bob.Synced()
	const capacity = 300_000
	key := func(n *rig.Node) *signrpc.KeyDescriptor {
		k, err := n.Kit.DeriveNextKey(rig.Soon(t), &walletrpc.KeyReq{KeyFamily: 1017})
		require.NoError(t, err)
		return k
	}
	ours, theirs := key(alice), key(bob)
	_, script := commitment.FundingScript(lnwire.PubKey(ours.RawKeyBytes), lnwire.PubKey(theirs.RawKeyBytes))
	pays, err := address.NewAddressWitnessScriptHash(script[2:], &chaincfg.RegressionNetParams)
	require.NoError(t, err)
	final, err := alice.Kit.FinalizePsbt(rig.Soon(t), &walletrpc.FinalizePsbtRequest{
		FundedPsbt: fundPsbt(alice, "", map[string]uint64{pays.String(): capacity}).FundedPsbt,
	})
	require.NoError(t, err)
	tx := wire.NewMsgTx(2)
	require.NoError(t, tx.Deserialize(bytes.NewReader(final.RawFinalTx)))
	txid := tx.TxHash()
	shim := func(local, remote *signrpc.KeyDescriptor) *lnrpc.FundingShim {
		return &lnrpc.FundingShim{Shim: &lnrpc.FundingShim_ChanPointShim{ChanPointShim: &lnrpc.ChanPointShim{
			Amt: capacity, PendingChanId: bytes.Repeat([]byte{9}, 32), RemoteKey: remote.RawKeyBytes, ThawHeight: 5000,
			LocalKey:  &lnrpc.KeyDescriptor{RawKeyBytes: local.RawKeyBytes, KeyLoc: &lnrpc.KeyLocator{KeyFamily: local.KeyLoc.KeyFamily, KeyIndex: local.KeyLoc.KeyIndex}},
			ChanPoint: &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: txid[:]}, OutputIndex: uint32(slices.IndexFunc(tx.TxOut, func(o *wire.TxOut) bool { return o.Value == capacity }))},
		}}}
	}
	register := func(s *lnrpc.FundingShim) error {
		_, err := bob.LN.FundingStateStep(rig.Soon(t), &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_ShimRegister{ShimRegister: s}})
		return err
	}
	open := func() (*lnrpc.ChannelPoint, error) {
		req := alice.OpenRequest(bob, capacity)
		req.SatPerVbyte, req.FundingShim = 0, shim(ours, theirs)
		return alice.LN.OpenChannelSync(rig.Soon(t), req)
	}
	wrong := key(bob)
	require.ErrorContains(t, register(shim(ours, theirs)), "KeyLocator does not match")
	require.NoError(t, register(shim(theirs, wrong)))
	require.ErrorContains(t, register(shim(theirs, wrong)), "duplicate pending channel ID")
	_, err = open()
	require.ErrorContains(t, err, "funding_pubkey is not the one")
	_, err = bob.LN.FundingStateStep(rig.Soon(t), &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_ShimCancel{
		ShimCancel: &lnrpc.FundingShimCancel{PendingChanId: bytes.Repeat([]byte{9}, 32)},
	}})
	require.NoError(t, err)
	_, err = open()
	require.ErrorContains(t, err, "the peer's funding key is not the remote_key", "bob takes it for a channel like any other")
	require.NoError(t, register(shim(theirs, ours)))
	point, err := open()
	require.NoError(t, err)
	w.Mempool(0)
	bob.Restart()
	rig.Eventually(t, "they meet again", func() bool { return alice.HasPeer(bob) })
	_, err = alice.Kit.PublishTransaction(rig.Soon(t), &walletrpc.Transaction{TxHex: final.RawFinalTx})
	require.NoError(t, err)
	w.Mempool(1)
	w.Mine(6)
	at := rig.PointOf(point.GetFundingTxidBytes(), point.OutputIndex)
	alice.Active(at)
	bob.Active(at)
	require.Equal(t, uint32(5000), bob.Channel(at).ThawHeight)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, alice.Pay(bob.Invoice(50_000_000)).Status)
	closing := func(n *rig.Node) error {
		s, err := n.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: at.Proto()})
		require.NoError(t, err)
		_, err = s.Recv()
		return err
	}
	require.ErrorContains(t, closing(alice), "cannot co-op close frozen channel as initiator until height=")
	require.NoError(t, closing(bob))
	w.Mempool(1)
}

// TestFundingFromElsewhere: carol's wallet funds alice's channels, two by one transaction;
// an acceptor refuses one and takes the next; and carol opens two by one transaction of
// her own.
func TestFundingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob, carol := w.Node("alice"), w.Node("bob"), w.Node("carol")
	carol.Fund(1_000_000)
	carol.Fund(1_000_000)
	alice.Connect(bob)
	alice.Connect(carol)
	carol.Connect(bob)
	alice.Synced()
	bob.Synced()

	acceptor, err := bob.LN.ChannelAcceptor(rig.Soon(t))
	require.NoError(t, err)
	_, err = acceptor.Header()
	require.NoError(t, err)
	verdicts := make(chan *lnrpc.ChannelAcceptResponse, 2)
	verdicts <- &lnrpc.ChannelAcceptResponse{Error: "not today"}
	verdicts <- &lnrpc.ChannelAcceptResponse{Accept: true, ReserveSat: 3000}
	go func() {
		for v := range verdicts {
			q, err := acceptor.Recv()
			if err != nil {
				return
			}
			v.PendingChanId = q.PendingChanId
			_ = acceptor.Send(v)
		}
	}()
	ask := func(to *rig.Node, id byte, noPublish bool) (lnrpc.Lightning_OpenChannelClient, *lnrpc.ReadyForPsbtFunding, error) {
		req := alice.OpenRequest(to, 200_000)
		req.SatPerVbyte, req.Private = 0, true
		req.FundingShim = &lnrpc.FundingShim{Shim: &lnrpc.FundingShim_PsbtShim{PsbtShim: &lnrpc.PsbtShim{
			PendingChanId: bytes.Repeat([]byte{id}, 32), NoPublish: noPublish,
		}}}
		stream, err := alice.LN.OpenChannel(rig.Soon(t), req)
		require.NoError(t, err)
		u, err := stream.Recv()
		return stream, u.GetPsbtFund(), err
	}
	_, _, err = ask(bob, 1, true)
	require.ErrorContains(t, err, "not today")
	first, toBob, err := ask(bob, 2, true)
	require.NoError(t, err)
	last, toCarol, err := ask(carol, 3, false)
	require.NoError(t, err)

	funded := fundPsbt(carol, "", map[string]uint64{
		toBob.FundingAddress: uint64(toBob.FundingAmount), toCarol.FundingAddress: uint64(toCarol.FundingAmount),
	})
	final, err := carol.Kit.FinalizePsbt(rig.Soon(t), &walletrpc.FinalizePsbtRequest{FundedPsbt: funded.FundedPsbt})
	require.NoError(t, err)
	step := func(m *lnrpc.FundingTransitionMsg) {
		_, err := alice.LN.FundingStateStep(rig.Soon(t), m)
		require.NoError(t, err)
	}
	for _, id := range []byte{3, 2} { // the one that publishes first: it waits for the other
		pending := bytes.Repeat([]byte{id}, 32)
		step(&lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtVerify{
			PsbtVerify: &lnrpc.FundingPsbtVerify{PendingChanId: pending, FundedPsbt: funded.FundedPsbt},
		}})
		w.Mempool(0)
		step(&lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtFinalize{
			PsbtFinalize: &lnrpc.FundingPsbtFinalize{PendingChanId: pending, FinalRawTx: final.RawFinalTx},
		}})
	}
	for _, stream := range []lnrpc.Lightning_OpenChannelClient{first, last} {
		u, err := stream.Recv()
		require.NoError(t, err)
		require.NotNil(t, u.GetChanPending())
	}
	w.Mempool(1)
	w.Mine(6)
	for _, stream := range []lnrpc.Lightning_OpenChannelClient{first, last} {
		u, err := stream.Recv()
		require.NoError(t, err)
		require.NotNil(t, u.GetChanOpen())
	}
	for _, ch := range alice.Channels() {
		if ch.RemotePubkey == bob.ID {
			require.EqualValues(t, 3000, ch.LocalConstraints.ChanReserveSat)
		}
	}

	close(verdicts)
	require.NoError(t, acceptor.CloseSend())
	batch := &lnrpc.BatchOpenChannelRequest{SatPerVbyte: 2, Label: "both"}
	for _, to := range []*rig.Node{alice, bob} {
		batch.Channels = append(batch.Channels, &lnrpc.BatchOpenChannel{NodePubkey: rig.Unhex(t, to.ID), LocalFundingAmount: 100_000})
	}
	rig.Eventually(t, "the acceptor is gone and the batch opens", func() bool {
		out, err := carol.LN.BatchOpenChannel(rig.Soon(t), batch)
		return err == nil && len(out.PendingChannels) == 2 && bytes.Equal(out.PendingChannels[0].Txid, out.PendingChannels[1].Txid)
	})
	w.Mempool(1)
	w.Mine(6)
	rig.Eventually(t, "all channels are open", func() bool { return len(carol.Channels()) == 3 && len(bob.Channels()) == 2 })
}
