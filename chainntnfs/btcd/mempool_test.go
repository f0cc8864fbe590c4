package btcd

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
)

// unmined waits for a transaction; repetitions of those seen before are dropped.
func unmined(t *testing.T, ctx context.Context, b *Backend, seen map[chainhash.Hash]bool) chainhash.Hash {
	t.Helper()
	for {
		select {
		case tx := <-b.Unmined():
			if txid := tx.TxHash(); !seen[txid] {
				seen[txid] = true
				return txid
			}
		case <-ctx.Done():
			require.Fail(t, "waited in vain for a transaction")
		}
	}
}

func TestReportsUnminedTransactions(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	m := n.Miner()
	require.NoError(t, m.Mature(ctx))
	pay := func(to ...byte) *wire.MsgTx {
		var outs []*wire.TxOut
		for _, id := range to {
			outs = append(outs, wire.NewTxOut(10_000, script(id)))
		}
		tx, err := m.Pay(ctx, outs...)
		require.NoError(t, err)
		return tx
	}
	seen := make(map[chainhash.Hash]bool)
	before := pay(1)
	b := startBackend(t, ctx, configOf(t, n))

	// What was there before it was watched, and what comes after.
	b.WatchMempool(chainntnfs.MempoolFilter{Scripts: [][]byte{script(1), {0x51}, nil}})
	require.Equal(t, before.TxHash(), unmined(t, ctx, b, seen))
	require.Equal(t, pay(9, 1).TxHash(), unmined(t, ctx, b, seen))

	coins, err := m.Take(ctx, 1)
	require.NoError(t, err)
	spend := func(coin btcdtest.Coin) *wire.MsgTx {
		tx, err := m.Spend([]btcdtest.Coin{coin}, wire.NewTxOut(coin.Value-10_000, m.Script()))
		require.NoError(t, err)
		return tx
	}
	first := spend(coins[0])
	second := spend(btcdtest.Coin{Outpoint: wire.OutPoint{Hash: first.TxHash()}, Value: first.TxOut[0].Value})
	require.NoError(t, b.Publish(ctx, first))
	b.WatchMempool(chainntnfs.MempoolFilter{Outpoints: []wire.OutPoint{
		coins[0].Outpoint, coins[0].Outpoint, second.TxIn[0].PreviousOutPoint,
	}})
	require.Equal(t, first.TxHash(), unmined(t, ctx, b, seen))
	require.NoError(t, b.Publish(ctx, second))
	require.Equal(t, second.TxHash(), unmined(t, ctx, b, seen))

	// What is not watched any more is dropped; the rest survives a reconnect.
	b.WatchMempool(chainntnfs.MempoolFilter{Scripts: [][]byte{script(2)}})
	require.Equal(t, pay(2).TxHash(), unmined(t, ctx, b, seen))
	b.UnwatchMempool(chainntnfs.MempoolFilter{
		Scripts: [][]byte{script(1)}, Outpoints: []wire.OutPoint{coins[0].Outpoint},
	})
	b.mu.Lock()
	b.conn.end(context.Canceled)
	b.mu.Unlock()
	pay(1)
	require.Equal(t, pay(2).TxHash(), unmined(t, ctx, b, seen))
}

func TestMempoolReportsAreBounded(t *testing.T) {
	var m mempool
	m.init(&chaincfg.RegressionNetParams)
	m.watch(chainntnfs.MempoolFilter{Scripts: [][]byte{script(1)}})
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(1, script(1)))
	note, err := json.Marshal(hexOf(t, tx))
	require.NoError(t, err)
	for range 2 * unminedBuffer {
		m.accepted([]json.RawMessage{note})
	}
	require.Len(t, m.out, unminedBuffer)
	for _, bad := range []string{``, `7`, `"zz"`, `"00"`} {
		m.accepted([]json.RawMessage{json.RawMessage(bad)})
	}
	m.accepted(nil)
}

// Watched things go to btcd in chunks; a large mempool is not looked through.
func TestLoadsFilterInChunks(t *testing.T) {
	var m mempool
	m.init(&chaincfg.RegressionNetParams)
	var ops []wire.OutPoint
	for i := range uint32(2*filterChunk + 1) {
		ops = append(ops, wire.OutPoint{Index: i})
	}
	m.watch(chainntnfs.MempoolFilter{Outpoints: ops, Scripts: [][]byte{script(1)}})
	m.reload()
	sizes, calls := []int{}, map[string]int{}
	call := func(_ context.Context, result any, method string, params ...any) error {
		calls[method]++
		switch method {
		case "loadtxfilter":
			raw, err := json.Marshal(params[2])
			require.NoError(t, err)
			var list []any
			require.NoError(t, json.Unmarshal(raw, &list))
			sizes = append(sizes, len(list))
		case "getrawmempool":
			*result.(*[]string) = make([]string, scanLimit+1)
		}
		return nil
	}
	for len(m.changed) > 0 {
		<-m.changed
		require.NoError(t, m.load(context.Background(), call))
	}
	require.Equal(t, []int{filterChunk, filterChunk, 1}, sizes)
	require.Equal(t, map[string]int{"loadtxfilter": 3, "gettxspendingprevout": 3, "getrawmempool": 1}, calls)
}
