package itest

import (
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

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
	w := newWorld(t)
	payer, payee := w.node("payer"), w.node("payee")
	payer.fund(3_000_000)
	payee.fund(500_000)
	height, _, err := w.chain.Tip(t.Context())
	require.NoError(t, err)
	miners := fees{w: w, height: height}
	payer.connect(payee)
	point := payer.open(payee, 1_000_000, func(r *lnrpc.OpenChannelRequest) { r.PushSat = 400_000 })
	h := payee.hold(heldSat * 1000)
	payer.begin(h.request)
	h.is(lnrpc.Invoice_ACCEPTED)

	closer, other := payer, payee
	if payeeEnds {
		closer, other = payee, payer
	}
	other.kill() // it learns from the chain
	stream, err := closer.ln.CloseChannel(soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.proto(), Force: true})
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetClosePending(), u)
	commitment := w.mempool(1)[0]
	waiting := closer.pending().WaitingCloseChannels
	require.Len(t, waiting, 1)
	require.Equal(t, commitment.String(), waiting[0].ClosingTxid)
	w.mine(1)
	other.start()
	for _, n := range []*node{payer, payee} {
		eventually(t, n.name+" sees the close", func() bool { return len(n.pending().PendingForceClosingChannels) == 1 })
	}
	if claim {
		h.settle()
	}
	closer.kill() // in the middle of it all
	closer.start()

	home := func() bool {
		return payer.wallet().ConfirmedBalance+payee.wallet().ConfirmedBalance+miners.got()+w.anchorsLeft(commitment) == 3_500_000
	}
	w.mineUntil("all comes home", home)
	shares(t, payer, payee, claim)
	p := payer.track(h.hash)
	if claim {
		require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
		require.Equal(t, h.preimage, unhex(t, p.PaymentPreimage))
		h.is(lnrpc.Invoice_SETTLED)
	} else {
		require.Equal(t, lnrpc.Payment_FAILED, p.Status)
		h.is(lnrpc.Invoice_CANCELED)
	}
	w.mine(6)
	closedByForce(t, closer, other, point, commitment.String())
}

// mineUntil mines until it is so: one by one at first, then in steps, for delays of a
// hundred blocks and more.
func (w *world) mineUntil(what string, so func() bool) {
	w.t.Helper()
	for blocks := 0; !so(); {
		require.Less(w.t, blocks, 500, "mined in vain: %s", what)
		step := 1
		if blocks >= 8 {
			step = 6
		}
		w.mine(step)
		blocks += step
	}
}

// shares: the held amount is whose it must be, and no more than fees are missing.
func shares(t *testing.T, payer, payee *node, claimed bool) {
	t.Helper()
	a, b := int64(3_000_000-400_000), int64(500_000+400_000)
	if claimed {
		a, b = a-heldSat, b+heldSat
	}
	const cost = 40_000 // at the high rate of regtest
	require.InDelta(t, a-cost/2, payer.wallet().ConfirmedBalance, cost/2)
	require.InDelta(t, b-cost/2, payee.wallet().ConfirmedBalance, cost/2)
}

// closedByForce: both ends say what has happened, and that it is over.
func closedByForce(t *testing.T, closer, other *node, point chanPoint, txid string) {
	t.Helper()
	for n, want := range map[*node]lnrpc.ChannelCloseSummary_ClosureType{
		closer: lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE, other: lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE,
	} {
		require.Len(t, n.closed(), 1)
		c := n.closed()[0]
		require.Equal(t, want, c.CloseType)
		require.Equal(t, string(point), c.ChannelPoint)
		require.Equal(t, txid, c.ClosingTxHash)
		require.Empty(t, n.pending().PendingForceClosingChannels)
		require.Zero(t, n.pending().TotalLimboBalance)
		require.Empty(t, n.channels())
		n.restart() // and it stays so
		require.Len(t, n.closed(), 1)
		require.Empty(t, n.pending().PendingForceClosingChannels)
	}
}

// fees is what the blocks above a height paid beyond the subsidy.
type fees struct {
	w      *world
	height int32 // counted up to here
	sum    int64
}

func (f *fees) got() int64 {
	t := f.w.t
	t.Helper()
	tip, _, err := f.w.chain.Tip(t.Context())
	require.NoError(t, err)
	for f.height < tip {
		f.height++
		hash, err := f.w.chain.BlockHash(t.Context(), f.height)
		require.NoError(t, err)
		block, err := f.w.chain.Block(t.Context(), hash)
		require.NoError(t, err)
		for _, out := range block.Transactions[0].TxOut {
			f.sum += out.Value
		}
		f.sum -= int64(50_0000_0000) >> (f.height / 150)
	}
	return f.sum
}

// anchorsLeft is what lies in the anchors of a commitment that nobody has spent.
func (w *world) anchorsLeft(commitment [32]byte) (left int64) {
	w.t.Helper()
	for i, out := range w.tx(commitment).TxOut {
		if out.Value == 330 && w.unspent(wire.OutPoint{Hash: commitment, Index: uint32(i)}) {
			left += out.Value
		}
	}
	return left
}

// unspent: the output is in the chain and nothing in it spends it.
func (w *world) unspent(op wire.OutPoint) bool {
	w.t.Helper()
	var out *struct{}
	require.NoError(w.t, w.chain.Call(w.t.Context(), &out, "gettxout", op.Hash.String(), op.Index, false))
	return out != nil
}

// oldState brings the payer of a channel back to where it was before its last payments,
// as a copy of its directory does that was put back.
func oldState(t *testing.T, w *world, cheat, honest *node, point chanPoint) {
	t.Helper()
	cheat.stop()
	old := cheat.dir + "-old"
	require.NoError(t, os.CopyFS(old, os.DirFS(cheat.dir)))
	cheat.start()
	cheat.active(point)
	for range 3 {
		cheat.pay(honest.invoice(150_000_000))
	}
	settled(cheat, honest)
	cheat.stop()
	require.NoError(t, os.RemoveAll(cheat.dir))
	require.NoError(t, os.Rename(old, cheat.dir))
}

// TestOldStatePunished: who publishes a state that was revoked loses all of it.
func TestOldStatePunished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cheat, honest, point := w.pair()
	honest.fund(100_000)
	oldState(t, w, cheat, honest, point)
	honest.kill()
	cheat.start()
	stream, err := cheat.ln.CloseChannel(soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.proto(), Force: true})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	w.mempool(1)
	w.mine(1)
	before := cheat.wallet().ConfirmedBalance
	honest.start()
	w.mineUntil("the penalty", func() bool { return honest.wallet().ConfirmedBalance > 100_000+900_000 })
	w.mine(150) // until the cheat's delay would be over
	require.LessOrEqual(t, cheat.wallet().TotalBalance, before+330, "the cheat gets nothing")
	require.Greater(t, honest.wallet().ConfirmedBalance, int64(100_000+970_000), "all but fees")
	closed := honest.closed()
	require.Len(t, closed, 1)
	require.Equal(t, lnrpc.ChannelCloseSummary_BREACH_CLOSE, closed[0].CloseType)
}

// TestOldStateAdmitted: a node that was put back, and meets its peer before it has done
// harm, learns that it is behind, publishes nothing, and gets what is its own from the
// peer's close.
func TestOldStateAdmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, peer, point := w.pair()
	coins := lost.wallet().ConfirmedBalance
	oldState(t, w, lost, peer, point)
	lost.start()
	w.mempool(1)
	eventually(t, "it knows that it is behind", func() bool {
		for _, c := range lost.pending().WaitingCloseChannels {
			if strings.Contains(c.Channel.ChanStatusFlags, "ChanStatusLocalDataLoss") {
				return true
			}
		}
		return false
	})
	_, err := lost.send(soon(t), payRequest(peer.invoice(1_000_000)))
	require.NoError(t, err)
	w.mineUntil("its share", func() bool { return lost.wallet().ConfirmedBalance > coins+500_000 })
	require.InDelta(t, coins+1_000_000-450_000, lost.wallet().ConfirmedBalance, 15_000)
	require.Equal(t, lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE, closedOnce(t, w, peer).CloseType)
	require.Equal(t, lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE, closedOnce(t, w, lost).CloseType)
}

// closedOnce mines until the node calls its only channel closed.
func closedOnce(t *testing.T, w *world, n *node) *lnrpc.ChannelCloseSummary {
	t.Helper()
	w.mineUntil("it is over", func() bool { return len(n.closed()) == 1 })
	return n.closed()[0]
}
