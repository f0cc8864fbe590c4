package itest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// TestAnchorLifts: fees have risen since the channel was opened, and bob goes to the
// chain with a forwarded payment in it. His commitment would wait for days: a child lifts
// it, pays more with every block that passes, and more at once when bob says so. What the
// payment's end shows in the mempool is alice's before any block holds it.
func TestAnchorLifts(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	set := w.ServeFees(2_000)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	h := carol.Hold(heldSat * 1000)
	alice.Begin(h.Request)
	h.Is(lnrpc.Invoice_ACCEPTED)
	carol.Kill()
	set(30_000)
	bob.Restart() // and has heard of it

	point := string(points[1])
	var plan struct {
		Summary    string
		LiftFee    string `json:"lift_fee"`
		LiftBudget string `json:"lift_budget"`
		Outputs    []struct{ What string }
	}
	rig.Eventually(t, "bob knows the fees", func() bool {
		bob.Ask(&plan, "closechannel", "--dry_run", "--force", point)
		return plan.LiftFee != "0"
	})
	require.Contains(t, plan.Summary, "closed by force")
	require.Equal(t, fmt.Sprint(330+heldSat/8*3), plan.LiftBudget)
	require.Len(t, plan.Outputs, 2)
	require.NotNil(t, bob.Channel(points[1]), "nothing was done")

	stream, err := bob.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: points[1].Proto(), Force: true})
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	commitment := chainhash.Hash(u.GetClosePending().Txid)
	child := lifts(t, w, commitment)
	require.GreaterOrEqual(t, packageRate(w, commitment, child), 6.0)
	sweep := anchorOf(t, bob, commitment)
	require.EqualValues(t, 330+heldSat/8*3, sweep.Budget)
	require.NotZero(t, sweep.DeadlineHeight)
	require.True(t, sweep.Immediate)
	tellsOf(t, bob, point, "our commitment waits to be mined", "the child that lifts it")

	paid := feeOfTx(w, child)
	w.MineEmpty(2)
	rig.Eventually(t, "more is paid for it", func() bool { return feeOfTx(w, lifts(t, w, commitment)) > paid })

	var done struct{ Status string }
	bob.Ask(&done, "wallet", "bumpforceclosefee", "--sat_per_vbyte=60", point)
	require.Contains(t, done.Status, "Successfully registered")
	rig.Eventually(t, "bob's wish is heard", func() bool { return packageRate(w, commitment, lifts(t, w, commitment)) >= 59 })
	require.EqualValues(t, 60, anchorOf(t, bob, commitment).RequestedSatPerVbyte)
	bob.Ask(&done, "wallet", "bumpfee", "--sat_per_vbyte=72", fmt.Sprintf("%v:%d", commitment, sweep.Outpoint.OutputIndex))
	require.Equal(t, "Successfully registered rbf-tx with sweeper", done.Status)
	rig.Eventually(t, "and again", func() bool { return packageRate(w, commitment, lifts(t, w, commitment)) >= 71 })
	last := lifts(t, w, commitment).TxHash()
	bob.Restart()
	require.Equal(t, last, lifts(t, w, commitment).TxHash(), "nothing is published twice without need")

	w.Mine(1)
	require.Empty(t, w.Waiting(), "both are mined")
	var list struct {
		IDs struct {
			List []string `json:"transaction_ids"`
		} `json:"transaction_ids"`
	}
	bob.Ask(&list, "wallet", "listsweeps")
	require.Contains(t, list.IDs.List, last.String())
	require.Nil(t, anchorOf(t, bob, commitment))
	tellsOf(t, bob, point, "closed by our commitment", "an outgoing payment", "our balance")

	// carol comes back, is paid on the chain, and shows the preimage in the mempool.
	carol.Start()
	rig.Eventually(t, "carol sees the close", func() bool { return len(carol.Pending().PendingForceClosingChannels) == 1 })
	h.Settle()
	rig.Eventually(t, "alice has paid, before any block", func() bool { return alice.Track(h.Hash).Status == lnrpc.Payment_SUCCEEDED })
	require.NotEmpty(t, w.Waiting())
	require.Equal(t, h.Preimage, rig.Unhex(t, alice.Track(h.Hash).PaymentPreimage))
}

// lifts is the transaction in the mempool that spends an output of another one there. It
// may be replaced at any time.
func lifts(t *testing.T, w *rig.World, parent chainhash.Hash) (child *wire.MsgTx) {
	t.Helper()
	rig.Eventually(t, "a child lifts the commitment", func() bool {
		child = nil
		waiting := w.Waiting()
		for _, id := range waiting {
			if tx := w.Known(id); tx != nil && id != parent && tx.TxIn[0].PreviousOutPoint.Hash == parent {
				child = tx
			}
		}
		return child != nil && slices.Contains(waiting, parent)
	})
	return child
}

// feeOfTx is what a transaction pays, whose inputs are known.
func feeOfTx(w *rig.World, tx *wire.MsgTx) (fee int64) {
	for _, in := range tx.TxIn {
		fee += w.Tx(in.PreviousOutPoint.Hash).TxOut[in.PreviousOutPoint.Index].Value
	}
	for _, out := range tx.TxOut {
		fee -= out.Value
	}
	return fee
}

// packageRate is what a commitment and its child pay together, in sat/vbyte.
func packageRate(w *rig.World, commitment chainhash.Hash, child *wire.MsgTx) float64 {
	fee, weight := int64(0), 0
	for _, tx := range []*wire.MsgTx{w.Tx(commitment), child} {
		fee += feeOfTx(w, tx)
		weight += 3*tx.SerializeSizeStripped() + tx.SerializeSize()
	}
	return 4 * float64(fee) / float64(weight)
}

// anchorOf is the pending sweep of the anchor of a commitment; nil: none.
func anchorOf(t *testing.T, n *rig.Node, commitment chainhash.Hash) *walletrpc.PendingSweep {
	t.Helper()
	list, err := n.Kit.PendingSweeps(rig.Soon(t), &walletrpc.PendingSweepsRequest{})
	require.NoError(t, err)
	i := slices.IndexFunc(list.PendingSweeps, func(s *walletrpc.PendingSweep) bool {
		return s.WitnessType == walletrpc.WitnessType_COMMITMENT_ANCHOR && s.Outpoint.TxidStr == commitment.String()
	})
	if i < 0 {
		return nil
	}
	return list.PendingSweeps[i]
}

// tellsOf: rescue has these words for the channel.
func tellsOf(t *testing.T, n *rig.Node, point string, words ...string) {
	t.Helper()
	got := n.Fulgur("", "rescue", point)
	require.Zero(t, got.Code, got.Err)
	for _, word := range words {
		require.Contains(t, got.Out, word)
	}
}
