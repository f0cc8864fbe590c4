package btcd

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
)

func requireRejected(t *testing.T, want chainntnfs.RejectReason, err error) {
	t.Helper()
	var rejected *chainntnfs.RejectError
	require.ErrorAs(t, err, &rejected)
	require.Equal(t, want, rejected.Reason, rejected.Text)
}

func TestPublish(t *testing.T) {
	ctx := within(t)
	// By default btcd on regtest takes transactions that are not final.
	n := startNode(t, ctx, nil, "rejectnonstd=1", "norelaypriority=0")
	b := startBackend(t, ctx, configOf(t, n))
	m := n.Miner()
	require.NoError(t, m.Mature(ctx))
	take := func() []btcdtest.Coin {
		coins, err := m.Take(ctx, 1)
		require.NoError(t, err)
		return coins
	}
	spend := func(coins []btcdtest.Coin, fee int64, to byte) *wire.MsgTx {
		tx, err := m.Spend(coins, wire.NewTxOut(coins[0].Value-fee, script(to)))
		require.NoError(t, err)
		return tx
	}

	coins := take()
	tx := spend(coins, 10_000, 1)
	require.NoError(t, b.Publish(ctx, tx))
	require.NoError(t, b.Publish(ctx, tx), "in the mempool already")
	requireRejected(t, chainntnfs.RejectConflict, b.Publish(ctx, spend(coins, 20_000, 2)))
	_, err := n.Generate(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, b.Publish(ctx, tx), "in a block already")
	requireRejected(t, chainntnfs.RejectMissingInputs, b.Publish(ctx, spend(coins, 20_000, 2)))

	// In a block and all its outputs spent: btcd itself says that inputs miss.
	own, err := m.Spend(take(), wire.NewTxOut(50_0000, m.Script()))
	require.NoError(t, err)
	require.NoError(t, b.Publish(ctx, own))
	next := spend([]btcdtest.Coin{{Outpoint: wire.OutPoint{Hash: own.TxHash()}, Value: 50_0000}}, 10_000, 3)
	require.NoError(t, b.Publish(ctx, next))
	_, err = n.Generate(ctx, 1)
	require.NoError(t, err)
	require.NoError(t, b.Publish(ctx, own))

	requireRejected(t, chainntnfs.RejectMissingInputs, b.Publish(ctx,
		spend([]btcdtest.Coin{{Outpoint: wire.OutPoint{Index: 7}, Value: 20_000}}, 10_000, 4)))

	coins = take()
	broken := spend(coins, 10_000, 5)
	broken.TxOut[0].Value--
	requireRejected(t, chainntnfs.RejectOther, b.Publish(ctx, broken))

	locked := wire.NewMsgTx(2)
	locked.AddTxIn(&wire.TxIn{PreviousOutPoint: coins[0].Outpoint, Sequence: 0})
	locked.AddTxOut(wire.NewTxOut(coins[0].Value-10_000, script(6)))
	locked.LockTime = 100_000
	require.NoError(t, m.Sign(locked))
	requireRejected(t, chainntnfs.RejectNotFinal, b.Publish(ctx, locked))
	locked.LockTime, locked.TxIn[0].Sequence = 0, 1000
	require.NoError(t, m.Sign(locked))
	requireRejected(t, chainntnfs.RejectNotFinal, b.Publish(ctx, locked))

	hash, err := n.BlockHash(ctx, 105)
	require.NoError(t, err)
	young, err := n.Block(ctx, hash)
	require.NoError(t, err)
	requireRejected(t, chainntnfs.RejectNotFinal, b.Publish(ctx, spend([]btcdtest.Coin{{
		Outpoint: wire.OutPoint{Hash: young.Transactions[0].TxHash()}, Value: 10_0000,
	}}, 10_000, 7)))

	// A replacement must pay more than what it replaces, and for itself.
	first := wire.NewMsgTx(2)
	first.AddTxIn(&wire.TxIn{PreviousOutPoint: coins[0].Outpoint, Sequence: 1})
	first.AddTxOut(wire.NewTxOut(coins[0].Value-10_000, script(8)))
	first.TxIn[0].Sequence = wire.MaxTxInSequenceNum - 2
	require.NoError(t, m.Sign(first))
	require.NoError(t, b.Publish(ctx, first))
	requireRejected(t, chainntnfs.RejectFeeTooLow, b.Publish(ctx, spend(coins, 10_001, 9)))
	require.NoError(t, b.Publish(ctx, spend(coins, 20_000, 9)))

	fresh, err := m.Spend(take(), wire.NewTxOut(50_0000, m.Script()))
	require.NoError(t, err)
	require.NoError(t, b.Publish(ctx, fresh))
	requireRejected(t, chainntnfs.RejectFeeTooLow, b.Publish(ctx,
		spend([]btcdtest.Coin{{Outpoint: wire.OutPoint{Hash: fresh.TxHash()}, Value: 50_0000}}, 1, 10)))
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]chainntnfs.RejectReason{
		"TX rejected: orphan transaction a references outputs of unknown or fully-spent transaction b":       chainntnfs.RejectMissingInputs,
		"TX rejected: transaction a has 3 fees which is under the required amount of 9":                      chainntnfs.RejectFeeTooLow,
		"TX rejected: transaction a has insufficient priority (1 <= 2)":                                      chainntnfs.RejectFeeTooLow,
		"TX rejected: transaction a has been rejected by the rate limiter due to low fees":                   chainntnfs.RejectFeeTooLow,
		"TX rejected: a: replacement transaction has an insufficient absolute fee: needs 1, has 0":           chainntnfs.RejectFeeTooLow,
		"TX rejected: a: replacement transaction evicts more transactions than permitted: max is 1":          chainntnfs.RejectConflict,
		"TX rejected: a: replacement transaction spends parent transaction b":                                chainntnfs.RejectConflict,
		"TX rejected: replacement transaction spends new unconfirmed input a not found in conflicting":       chainntnfs.RejectConflict,
		"TX rejected: transaction a is not standard: transaction version 3 is not in the valid range of 1-2": chainntnfs.RejectOther,
	} {
		got := classify(&rpcError{-26, text})
		require.Equal(t, want, got.Reason, text)
		require.Equal(t, text, got.Text)
	}
	require.Nil(t, classify(&rpcError{codeInChain, "TX rejected: whatever"}))
	require.Nil(t, classify(&rpcError{-26, "TX rejected: already have transaction in mempool a"}))
}
