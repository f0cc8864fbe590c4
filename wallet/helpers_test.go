package wallet

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

var (
	testRing = func() *keys.Ring {
		ring, err := keys.NewRing([]byte("sixteen bytes :)"), keys.CoinTest)
		if err != nil {
			panic(err)
		}
		return ring
	}()
	testConfig = NewConfig(&chaincfg.RegressionNetParams, testRing, 3)
	testNow    = time.Unix(1_700_000_000, 0)
)

type failer interface {
	require.TestingT
	Helper()
}

// store is what a database would hold.
type store struct {
	branches map[branchID]BranchRow
	coins    map[wire.OutPoint]CoinRow
	txs      map[chainhash.Hash]TxRow
	leases   map[wire.OutPoint]LeaseRow
	wishes   map[wire.OutPoint]WishRow
	accounts map[uint32]AccountRow
	keys     map[uint32]KeyRow
	families map[uint32]FamilyRow
	tip      *TipRow
}

func newStore() *store {
	return &store{
		branches: map[branchID]BranchRow{}, accounts: map[uint32]AccountRow{}, keys: map[uint32]KeyRow{}, families: map[uint32]FamilyRow{}, coins: map[wire.OutPoint]CoinRow{},
		txs: map[chainhash.Hash]TxRow{}, leases: map[wire.OutPoint]LeaseRow{}, wishes: map[wire.OutPoint]WishRow{},
	}
}

func (s *store) write(d Delta) {
	for _, r := range d.Branches {
		s.branches[r.id()] = r
	}
	for _, r := range d.Accounts {
		s.accounts[r.Number] = r
	}
	for _, r := range d.Keys {
		s.keys[r.Index] = r
	}
	for _, r := range d.Families {
		s.families[r.Family] = r
	}
	for _, r := range d.Coins {
		s.coins[r.OutPoint] = r
	}
	for _, op := range d.CoinsGone {
		delete(s.coins, op)
	}
	for _, r := range d.Txs {
		s.txs[r.Txid] = r
	}
	for _, id := range d.TxsGone {
		delete(s.txs, id)
	}
	for _, r := range d.Leases {
		s.leases[r.OutPoint] = r
	}
	for _, op := range d.LeasesGone {
		delete(s.leases, op)
	}
	for _, r := range d.Wishes {
		s.wishes[r.OutPoint] = r
	}
	for _, op := range d.WishesGone {
		delete(s.wishes, op)
	}
	if d.Tip != nil {
		s.tip = d.Tip
	}
}

func (s *store) rows() (r Rows) {
	for _, v := range s.branches {
		r.Branches = append(r.Branches, v)
	}
	for _, v := range s.accounts {
		r.Accounts = append(r.Accounts, v)
	}
	for _, v := range s.keys {
		r.Keys = append(r.Keys, v)
	}
	for _, v := range s.families {
		r.Families = append(r.Families, v)
	}
	for _, v := range s.coins {
		r.Coins = append(r.Coins, v)
	}
	for _, v := range s.txs {
		r.Txs = append(r.Txs, v)
	}
	for _, v := range s.leases {
		r.Leases = append(r.Leases, v)
	}
	for _, v := range s.wishes {
		r.Wishes = append(r.Wishes, v)
	}
	r.Tip = s.tip
	return r
}

// bench is a wallet with its store and a chain of blocks.
type bench struct {
	t      failer
	w      *Wallet
	s      *Sweeper
	store  *store
	blocks []Block // by height - 1
	salt   uint32
	fees   Fees
	now    time.Time
	told   []Notice
	seen   []Effects
	fast   bool // do not check the reload law

	out []*wire.MsgTx // what was published, in order
}

func newBench(t failer) *bench {
	w, err := Load(testConfig, Rows{})
	require.NoError(t, err)
	return &bench{t: t, w: w, s: NewSweeper(w, testRing), store: newStore(), fees: Fees{{1, 1000}}, now: testNow}
}

// apply writes the effects and checks the reload law: what is stored makes the same
// wallet.
func (b *bench) apply(fx Effects) {
	b.t.Helper()
	for _, c := range fx.Delta.Coins {
		require.NotContains(b.t, fx.Delta.CoinsGone, c.OutPoint)
	}
	for _, c := range fx.Delta.Txs {
		require.NotContains(b.t, fx.Delta.TxsGone, c.Txid)
	}
	b.store.write(fx.Delta)
	b.seen = append(b.seen, fx)
	b.told = append(b.told, fx.Tell...)
	b.out = append(b.out, fx.Publish...)
	if b.fast {
		return
	}
	again, err := Load(b.w.cfg, b.store.rows())
	require.NoError(b.t, err)
	requireSame(b.t, b.w, again)
}

func requireSame(t failer, want, got *Wallet) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	require.Equal(t, want.tip, got.tip)
	require.Equal(t, want.branches, got.branches)
	require.Equal(t, want.coins, got.coins)
	require.Equal(t, want.txs, got.txs)
	require.Equal(t, want.leases, got.leases)
	require.Equal(t, want.wishes, got.wishes)
	require.Equal(t, want.spends, got.spends)
	require.Equal(t, want.scripts, got.scripts)
	require.Fail(t, "reload differs")
}

// restart loads the wallet from the store, as after a crash.
func (b *bench) restart() {
	b.t.Helper()
	b.restartWith(testConfig.Window)
}

// restartWith is restart with a window.
func (b *bench) restartWith(window uint32) {
	b.t.Helper()
	w, err := Load(NewConfig(testConfig.Net, testRing, window), b.store.rows())
	require.NoError(b.t, err)
	b.w, b.s = w, NewSweeper(w, testRing)
}

func (b *bench) unique() uint32 {
	b.salt++
	return b.salt
}

// mine connects a block with these transactions.
func (b *bench) mine(txs ...*wire.MsgTx) lnwire.BlockRef {
	b.t.Helper()
	height := lnwire.Height(len(b.blocks) + 1)
	ref := lnwire.BlockRef{Height: height, Hash: sha256.Sum256(binary.BigEndian.AppendUint32([]byte("block"), b.unique()))}
	block := Block{At: ref, Time: testNow.Add(time.Duration(height) * time.Minute), Txs: txs}
	b.blocks = append(b.blocks, block)
	fx := b.w.Connect(block)
	fx.Append(b.s.Connect(block, b.fees, b.now))
	b.apply(fx)
	return ref
}

func (b *bench) mineEmpty(n int) {
	for range n {
		b.mine()
	}
}

// reorg takes n blocks off the chain and gives their transactions back.
func (b *bench) reorg(n int) (txs []*wire.MsgTx) {
	b.t.Helper()
	keep := len(b.blocks) - n
	for _, block := range b.blocks[keep:] {
		txs = append(txs, block.Txs...)
	}
	b.blocks = b.blocks[:keep]
	var to lnwire.BlockRef
	if keep > 0 {
		to = b.blocks[keep-1].At
	}
	b.apply(b.w.Disconnect(to))
	b.apply(b.s.Disconnect(to))
	return txs
}

// foreign is an outpoint that is not ours.
func (b *bench) foreign() wire.OutPoint {
	return wire.OutPoint{Hash: sha256.Sum256(binary.BigEndian.AppendUint32([]byte("foreign"), b.unique()))}
}

// pay makes a transaction of somebody else's that pays to a script.
func (b *bench) pay(script []byte, value lnwire.Sat) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: b.foreign()})
	tx.AddTxOut(wire.NewTxOut(int64(value), script))
	return tx
}

func (b *bench) address(kind keys.AccountKind) Address {
	b.t.Helper()
	a, fx, err := b.w.NextAddress(AccountID{Kind: kind}, keys.External)
	require.NoError(b.t, err)
	b.apply(fx)
	return a
}

// deposit mines a payment to a fresh address.
func (b *bench) deposit(kind keys.AccountKind, value lnwire.Sat) wire.OutPoint {
	b.t.Helper()
	tx := b.pay(b.address(kind).PkScript, value)
	b.mine(tx)
	return wire.OutPoint{Hash: tx.TxHash()}
}

// elsewhere is a script that is not ours.
func elsewhere(n byte) []byte {
	return p2wkhScript(lnwire.PubKey{2, n, 1})
}

// requireValid runs every script of a transaction.
func requireValid(t failer, tx *wire.MsgTx, outs map[wire.OutPoint]*wire.TxOut) {
	t.Helper()
	fetch := txscript.NewMultiPrevOutFetcher(outs)
	hashes := txscript.NewTxSigHashes(tx, fetch)
	for i, in := range tx.TxIn {
		out := outs[in.PreviousOutPoint]
		require.NotNil(t, out, "input %d spends %v", i, in.PreviousOutPoint)
		vm, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetch)
		require.NoError(t, err)
		require.NoError(t, vm.Execute(), "input %d", i)
	}
}

func outsOf(coins []CoinRow) map[wire.OutPoint]*wire.TxOut {
	m := map[wire.OutPoint]*wire.TxOut{}
	for _, c := range coins {
		m[c.OutPoint] = wire.NewTxOut(int64(c.Value), c.PkScript)
	}
	return m
}

func last[T any](t testing.TB, list []T) T {
	t.Helper()
	require.NotEmpty(t, list)
	return list[len(list)-1]
}

func contains[T any](list []Notice) bool {
	return slices.ContainsFunc(list, func(n Notice) bool { _, ok := n.(T); return ok })
}

func trueWeight(tx *wire.MsgTx) int64 {
	return int64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
}

func isErr(err, target error) bool { return errors.Is(err, target) }
