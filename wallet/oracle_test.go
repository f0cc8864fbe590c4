package wallet

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/btcsuite/btcwallet/wallet/txauthor"
	"github.com/btcsuite/btcwallet/walletdb"
	_ "github.com/btcsuite/btcwallet/walletdb/bdb" // its driver
	"github.com/btcsuite/btcwallet/wtxmgr"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// oracle keeps btcwallet's transaction store beside the wallet.
type oracle struct {
	*bench
	db    walletdb.DB
	store *wtxmgr.Store
	pool  []*wire.MsgTx
}

var oracleBucket = []byte("wtxmgr")

func (o *oracle) update(f func(ns walletdb.ReadWriteBucket)) {
	require.NoError(o.t, walletdb.Update(o.db, func(tx walletdb.ReadWriteTx) error {
		f(tx.ReadWriteBucket(oracleBucket))
		return nil
	}))
}

// insert tells the oracle of a transaction; block nil: unconfirmed.
func (o *oracle) insert(ns walletdb.ReadWriteBucket, tx *wire.MsgTx, block *wtxmgr.BlockMeta) {
	rec, err := wtxmgr.NewTxRecordFromMsgTx(tx, testNow)
	require.NoError(o.t, err)
	require.NoError(o.t, o.store.InsertTx(ns, rec, block))
	for i, out := range tx.TxOut {
		if _, ok := o.w.Owner(out.PkScript); ok {
			require.NoError(o.t, o.store.AddCredit(ns, rec, block, uint32(i), false))
		}
	}
}

// btcwallet's wtxmgr sees the same blocks, reorgs, unconfirmed and conflicting
// transactions, and has the same unspent coins at the same heights.
func TestCoinsAgainstBtcwallet(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		db, err := walletdb.Create("bdb", filepath.Join(dir, string(rune('a'+n%26))+time.Duration(n).String()), true, time.Minute, false)
		require.NoError(t, err)
		defer db.Close()
		o := &oracle{bench: newBench(t), db: db}
		o.fast = true
		require.NoError(t, walletdb.Update(db, func(tx walletdb.ReadWriteTx) error {
			ns, err := tx.CreateTopLevelBucket(oracleBucket)
			require.NoError(t, err)
			require.NoError(t, wtxmgr.Create(ns))
			o.store, err = wtxmgr.Open(ns, testConfig.Net)
			return err
		}))
		t.Repeat(map[string]func(*rapid.T){
			"unmined deposit": func(t *rapid.T) { o.seen(o.pay(o.address(keys.P2WKH).PkScript, 10_000)) },
			"unmined spend":   func(t *rapid.T) { o.spendCoin(t, 0, o.seen) },
			"mined spend":     func(t *rapid.T) { o.spendCoin(t, 1, func(tx *wire.MsgTx) { o.block(tx) }) },
			"conflict":        o.conflict,
			"block":           o.minePool,
			"reorg":           o.rollback,
			"":                o.check,
		})
	})
}

func (o *oracle) seen(tx *wire.MsgTx) {
	o.apply(o.w.Seen(tx, testNow))
	o.update(func(ns walletdb.ReadWriteBucket) { o.insert(ns, tx, nil) })
	o.pool = append(o.pool, tx)
}

func (o *oracle) block(txs ...*wire.MsgTx) {
	at := o.mine(txs...)
	o.update(func(ns walletdb.ReadWriteBucket) {
		for _, tx := range txs {
			o.insert(ns, tx, &wtxmgr.BlockMeta{Block: wtxmgr.Block{Hash: at.Hash, Height: int32(at.Height)}, Time: testNow})
		}
	})
	o.prunePool()
}

// prunePool keeps what the wallet still holds for possible; check compares that with
// the oracle.
func (o *oracle) prunePool() {
	var left []*wire.MsgTx
	for _, tx := range o.pool {
		if row, ok := o.w.Tx(tx.TxHash()); ok && !row.mined() {
			left = append(left, tx)
		}
	}
	o.pool = left
}

func (o *oracle) spendCoin(t *rapid.T, minConfs uint32, how func(*wire.MsgTx)) {
	coins := o.w.Unspent(minConfs, math.MaxUint32, testNow)
	if len(coins) == 0 {
		return
	}
	c := rapid.SampledFrom(coins).Draw(t, "coin")
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.OutPoint})
	tx.AddTxOut(wire.NewTxOut(int64(c.Value/2), elsewhere(1)))
	tx.AddTxOut(wire.NewTxOut(int64(c.Value/4), o.address(keys.P2TR).PkScript))
	how(tx)
}

// conflict mines something that spends what a transaction in the pool spends.
func (o *oracle) conflict(t *rapid.T) {
	if len(o.pool) == 0 {
		return
	}
	victim := rapid.SampledFrom(o.pool).Draw(t, "victim")
	for _, tx := range o.pool {
		if tx.TxHash() == victim.TxIn[0].PreviousOutPoint.Hash {
			return
		}
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: victim.TxIn[0].PreviousOutPoint})
	tx.AddTxOut(wire.NewTxOut(900, o.address(keys.NestedP2WKH).PkScript))
	o.block(tx)
}

func (o *oracle) minePool(t *rapid.T) {
	n := rapid.IntRange(0, len(o.pool)).Draw(t, "first")
	o.block(o.pool[:n]...) // in order of arrival, so parents first
}

func (o *oracle) rollback(t *rapid.T) {
	n := rapid.IntRange(0, min(3, len(o.blocks))).Draw(t, "depth")
	if n == 0 {
		return
	}
	back := o.reorg(n)
	o.update(func(ns walletdb.ReadWriteBucket) {
		require.NoError(t, o.store.Rollback(ns, int32(len(o.blocks)+1)))
	})
	o.pool = append(back, o.pool...)
}

func (o *oracle) check(t *rapid.T) {
	o.update(func(ns walletdb.ReadWriteBucket) {
		credits, err := o.store.UnspentOutputs(ns)
		require.NoError(t, err)
		want := map[wire.OutPoint]int32{}
		for _, c := range credits {
			want[c.OutPoint] = c.Height
		}
		got := map[wire.OutPoint]int32{}
		for _, c := range o.w.Unspent(0, math.MaxUint32, testNow) {
			got[c.OutPoint] = int32(c.At.Height)
			if c.Confirmations == 0 {
				got[c.OutPoint] = -1
			}
		}
		require.Equal(t, want, got)
		for minConfs := range uint32(4) {
			sum, err := o.store.Balance(ns, int32(minConfs), int32(len(o.blocks)))
			require.NoError(t, err)
			got := lnwire.Sat(0)
			for _, c := range o.w.Unspent(minConfs, math.MaxUint32, testNow) {
				got += c.Value
			}
			require.Equal(t, lnwire.Sat(sum), got)
		}
		unmined, err := o.store.UnminedTxs(ns)
		require.NoError(t, err)
		require.Len(t, unmined, len(o.pool))
	})
}

// txauthor, with our coins in the order of our choice, asks for about the same fee.
func TestFeeAgainstTxauthor(t *testing.T) {
	b := newBench(t)
	for range 12 {
		b.deposit(keys.P2WKH, 40_000)
	}
	rapid.Check(t, func(t *rapid.T) {
		amount := lnwire.Sat(rapid.Int64Range(1000, 300_000).Draw(t, "amount"))
		rate := lnwire.SatPerKW(rapid.Uint32Range(253, 5000).Draw(t, "rate"))
		outs := []*wire.TxOut{wire.NewTxOut(int64(amount), elsewhere(4))}
		f, err := b.w.Plan(FundRequest{Outputs: outs, FeeRate: rate, MinConfs: 1, Strategy: LargestFirst, Now: testNow})
		require.NoError(t, err)

		source := func(need btcutil.Amount) (btcutil.Amount, []*wire.TxIn, []btcutil.Amount, [][]byte, error) {
			var total btcutil.Amount
			var ins []*wire.TxIn
			var values []btcutil.Amount
			var scripts [][]byte
			for _, c := range b.w.Unspent(1, math.MaxUint32, testNow) {
				if total >= need {
					break
				}
				total += btcutil.Amount(c.Value)
				ins = append(ins, wire.NewTxIn(&c.OutPoint, nil, nil))
				values = append(values, btcutil.Amount(c.Value))
				scripts = append(scripts, c.PkScript)
			}
			return total, ins, values, scripts, nil
		}
		change := &txauthor.ChangeSource{ScriptSize: 34, NewScript: func() ([]byte, error) {
			return append([]byte{0x51, 0x20}, make([]byte, 32)...), nil
		}}
		theirs, err := txauthor.NewUnsignedTransaction(outs, btcutil.Amount(rate)*4, source, change)
		require.NoError(t, err)
		if theirs.ChangeIndex < 0 || f.Change == nil {
			return // what is dust differs by the fee that goes with it
		}
		// They round the weight up to whole vbytes, and the fee down once; we round the fee up, and
		// where coins are chosen, that of each input and of both outputs.
		about := feeFor(rate, 4) + 2
		least := DustLimit(theirs.Tx.TxOut[theirs.ChangeIndex].PkScript) + about + lnwire.Sat(len(theirs.Tx.TxIn)+2)
		if lnwire.Sat(theirs.Tx.TxOut[theirs.ChangeIndex].Value) < least {
			return // another coin may have been needed for so little
		}
		require.Len(t, f.Tx.TxIn, len(theirs.Tx.TxIn))
		fee := lnwire.Sat(theirs.TotalInput) - valueOf(theirs.Tx.TxOut)
		require.InDelta(t, float64(fee), float64(f.Fee), float64(about))
	})
}
