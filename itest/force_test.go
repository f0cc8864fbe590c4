package itest

import (
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestForceClose closes a channel by force, from either end, while a payment is held in
// it. Every output comes back to the wallet that owns it, over crashes in the middle:
// what the two wallets and the miners have is what the wallets had.
func TestForceClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		payeeEnds bool // the payee closes, not the payer
		settled   bool // the payee claims the payment after the close
	}{
		{"the payer closes, the payee claims", false, true},
		{"the payer closes, the payment expires", false, false},
		{"the payee closes and claims", true, true},
		{"the payee closes, the payment expires", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			forceClose(t, c.payeeEnds, c.settled)
		})
	}
}

const heldSat = 100_000

func forceClose(t *testing.T, payeeEnds, claim bool) {
	w := rig.NewWorld(t)
	payer, payee := w.Node("payer"), w.Node("payee")
	payer.Fund(3_000_000)
	payee.Fund(500_000)
	height, _, err := w.Chain.Tip(t.Context())
	require.NoError(t, err)
	miners := rig.Fees{World: w, Height: height}
	payer.Connect(payee)
	point := payer.Open(payee, 1_000_000, func(r *lnrpc.OpenChannelRequest) { r.PushSat = 400_000 })
	h := payee.Hold(heldSat * 1000)
	payer.Begin(h.Request)
	h.Is(lnrpc.Invoice_ACCEPTED)

	closer, other := payer, payee
	if payeeEnds {
		closer, other = payee, payer
	}
	other.Kill() // it learns from the chain
	stream, err := closer.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.Proto(), Force: true})
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetClosePending(), u)
	commitment := chainhash.Hash(u.GetClosePending().Txid)
	w.InMempool(commitment)
	waiting := closer.Pending().WaitingCloseChannels
	require.Len(t, waiting, 1)
	require.Equal(t, commitment.String(), waiting[0].ClosingTxid)
	w.Mine(1)
	other.Start()
	for _, n := range []*rig.Node{payer, payee} {
		rig.Eventually(t, n.Name+" sees the close", func() bool { return len(n.Pending().PendingForceClosingChannels) == 1 })
	}
	if claim {
		h.Settle()
	}
	closer.Kill() // in the middle of it all
	closer.Start()

	home := func() bool {
		return payer.Wallet().ConfirmedBalance+payee.Wallet().ConfirmedBalance+miners.Got()+w.AnchorsLeft(commitment) == 3_500_000
	}
	w.MineUntil("all comes home", home)
	shares(t, payer, payee, claim)
	p := payer.Track(h.Hash)
	if claim {
		require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
		require.Equal(t, h.Preimage, rig.Unhex(t, p.PaymentPreimage))
		h.Is(lnrpc.Invoice_SETTLED)
	} else {
		require.Equal(t, lnrpc.Payment_FAILED, p.Status)
		h.Is(lnrpc.Invoice_CANCELED)
	}
	w.Mine(6)
	closedByForce(t, closer, other, point, commitment.String())
}

// shares: the held amount is whose it must be, and no more than fees are missing.
func shares(t *testing.T, payer, payee *rig.Node, claimed bool) {
	t.Helper()
	a, b := int64(3_000_000-400_000), int64(500_000+400_000)
	if claimed {
		a, b = a-heldSat, b+heldSat
	}
	const cost = 40_000 // at the high rate of regtest
	require.InDelta(t, a-cost/2, payer.Wallet().ConfirmedBalance, cost/2)
	require.InDelta(t, b-cost/2, payee.Wallet().ConfirmedBalance, cost/2)
}

// closedByForce: both ends say what has happened, and that it is over.
func closedByForce(t *testing.T, closer, other *rig.Node, point rig.ChanPoint, txid string) {
	t.Helper()
	for n, want := range map[*rig.Node]lnrpc.ChannelCloseSummary_ClosureType{
		closer: lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE, other: lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE,
	} {
		require.Len(t, n.Closed(), 1)
		c := n.Closed()[0]
		require.Equal(t, want, c.CloseType)
		require.Equal(t, string(point), c.ChannelPoint)
		require.Equal(t, txid, c.ClosingTxHash)
		require.Empty(t, n.Pending().PendingForceClosingChannels)
		require.Zero(t, n.Pending().TotalLimboBalance)
		require.Empty(t, n.Channels())
		n.Restart() // and it stays so
		require.Len(t, n.Closed(), 1)
		require.Empty(t, n.Pending().PendingForceClosingChannels)
	}
}

// oldState brings the payer of a channel back to where it was before its last payments,
// as a copy of its directory does that was put back.
func oldState(t *testing.T, w *rig.World, cheat, honest *rig.Node, point rig.ChanPoint) {
	t.Helper()
	cheat.Stop()
	old := cheat.Dir + "-old"
	require.NoError(t, os.CopyFS(old, os.DirFS(cheat.Dir)))
	cheat.Start()
	cheat.Active(point)
	for range 3 {
		cheat.Pay(honest.Invoice(150_000_000))
	}
	rig.Settled(cheat, honest)
	cheat.Stop()
	require.NoError(t, os.RemoveAll(cheat.Dir))
	require.NoError(t, os.Rename(old, cheat.Dir))
}

// TestOldStatePunished: who publishes a state that was revoked loses all of it.
func TestOldStatePunished(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	cheat, honest, point := w.Pair()
	honest.Fund(100_000)
	oldState(t, w, cheat, honest, point)
	honest.Kill()
	cheat.Start()
	stream, err := cheat.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.Proto(), Force: true})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	w.Mempool(1)
	w.Mine(1)
	before := cheat.Wallet().ConfirmedBalance
	honest.Start()
	w.MineUntil("the penalty", func() bool { return honest.Wallet().ConfirmedBalance > 100_000+900_000 })
	w.Mine(150) // until the cheat's delay would be over
	require.LessOrEqual(t, cheat.Wallet().TotalBalance, before+330, "the cheat gets nothing")
	require.Greater(t, honest.Wallet().ConfirmedBalance, int64(100_000+970_000), "all but fees")
	require.Equal(t, lnrpc.ChannelCloseSummary_BREACH_CLOSE, closedOnce(t, w, honest).CloseType)
}

// TestOldStateAdmitted: a node that was put back, and meets its peer before it has done
// harm, learns that it is behind, publishes nothing, and gets what is its own from the
// peer's close.
func TestOldStateAdmitted(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	lost, peer, point := w.Pair()
	coins := lost.Wallet().ConfirmedBalance
	oldState(t, w, lost, peer, point)
	lost.Start()
	w.Mempool(1)
	rig.Eventually(t, "it knows that it is behind", func() bool {
		for _, c := range lost.Pending().WaitingCloseChannels {
			if strings.Contains(c.Channel.ChanStatusFlags, "ChanStatusLocalDataLoss") {
				return true
			}
		}
		return false
	})
	_, err := lost.Send(rig.Soon(t), rig.PayRequest(peer.Invoice(1_000_000)))
	require.NoError(t, err)
	w.MineUntil("its share", func() bool { return lost.Wallet().ConfirmedBalance > coins+500_000 })
	require.InDelta(t, coins+1_000_000-450_000, lost.Wallet().ConfirmedBalance, 15_000)
	require.Equal(t, lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE, closedOnce(t, w, peer).CloseType)
	require.Equal(t, lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE, closedOnce(t, w, lost).CloseType)
}

// closedOnce mines until the node calls its only channel closed.
func closedOnce(t *testing.T, w *rig.World, n *rig.Node) *lnrpc.ChannelCloseSummary {
	t.Helper()
	w.MineUntil("it is over", func() bool { return len(n.Closed()) == 1 })
	return n.Closed()[0]
}
