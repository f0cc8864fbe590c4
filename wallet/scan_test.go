package wallet

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// scripts are those of the first addresses that a wallet of our seed gives out somewhere
// else.
func scriptsOf(t *testing.T, kind keys.AccountKind, n int) (list [][]byte) {
	other, err := Load(testConfig, Rows{})
	require.NoError(t, err)
	for range n {
		a, _, err := other.NextAddress(AccountID{Kind: kind}, keys.External)
		require.NoError(t, err)
		list = append(list, a.PkScript)
	}
	return list
}

// TestWiden: coins on addresses beyond the window are found in old blocks when the wallet
// is opened with a longer one, with what was spent of them; what is known stays as it is.
func TestWiden(t *testing.T) {
	b := newBench(t)
	at := scriptsOf(t, keys.P2WKH, 30)
	spent := b.deposit(keys.P2WKH, 50_000) // known, and long forgotten in the end
	far := b.pay(at[10], 7_000)
	gone := b.pay(at[20], 9_000)
	b.mine(far, gone)
	spend := wire.NewMsgTx(2) // of a known coin and one that is not
	spend.AddTxIn(&wire.TxIn{PreviousOutPoint: spent})
	spend.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: gone.TxHash()}})
	spend.AddTxOut(wire.NewTxOut(40_000, at[1]))
	spend.AddTxOut(wire.NewTxOut(3_000, at[29]))
	b.mine(spend)
	b.mineEmpty(130)
	require.EqualValues(t, 40_000, b.w.Balance(0, 1, testNow).Confirmed)
	_, known := b.w.Coin(spent)
	require.False(t, known)

	require.False(t, b.w.Narrow())
	b.restartWith(2)
	require.False(t, b.w.Narrow())
	b.mine()
	b.restartWith(3)
	require.True(t, b.w.Narrow(), "one block was searched with less")
	b.restartWith(12)
	require.True(t, b.w.Narrow())
	b.apply(b.w.Widen(1))
	require.False(t, b.w.Narrow())
	begin, next, last, due := b.w.Scanning()
	require.True(t, due)
	require.EqualValues(t, []lnwire.Height{1, 1, 134}, []lnwire.Height{begin, next, last})
	_, err := b.w.Plan(FundRequest{Outputs: payTo(9_000), FeeRate: 253, MinConfs: 1, Now: testNow})
	require.ErrorContains(t, err, "still being searched")

	for n := 0; ; n++ {
		_, next, _, due := b.w.Scanning()
		if !due {
			require.Equal(t, 137, n)
			break
		}
		b.apply(b.w.Scan(b.blocks[next-1]))
		_, known := b.w.Coin(spent)
		require.False(t, known, "block %d brings back what is spent and forgotten", next)
		if n == 50 {
			b.restartWith(12)
			require.False(t, b.w.Narrow())
			b.reorg(2)
			b.mineEmpty(5)
		}
	}
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Confirmed, "40000, 7000 and 3000")
	c, _ := b.w.Coin(wire.OutPoint{Hash: gone.TxHash()})
	require.Equal(t, spend.TxHash(), c.SpentBy)
	b.restartWith(12)
	require.False(t, b.w.Narrow(), "once is enough")
	_, _, _, due = b.w.Scanning()
	require.False(t, due)
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Confirmed)
	b.restartWith(5)
	b.mine()
	b.restartWith(12)
	require.True(t, b.w.Narrow(), "later blocks were searched with less")
}

// TestWidenWithoutBlocks: a wallet that has seen nothing searches everything as it comes.
func TestWidenWithoutBlocks(t *testing.T) {
	b := newBench(t)
	b.restartWith(12)
	require.False(t, b.w.Narrow())
	require.Empty(t, b.w.Widen(1).Delta)
	b.mine(b.pay(scriptsOf(t, keys.P2TR, 12)[11], 7_000))
	require.EqualValues(t, 7_000, b.w.Balance(0, 1, testNow).Confirmed)
}
