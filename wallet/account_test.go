package wallet

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// cold is a seed that the wallet under test does not have.
var cold = func() *keys.Ring {
	ring, err := keys.NewRing([]byte("another sixteen."), keys.CoinTest)
	if err != nil {
		panic(err)
	}
	return ring
}()

// coldWallet is the wallet of the one who can sign.
func coldWallet(t failer) *Wallet {
	w, err := Load(NewConfig(testConfig.Net, cold, 3), Rows{})
	require.NoError(t, err)
	return w
}

func (b *bench) watch(name string, kind keys.AccountKind, from lnwire.Height) Account {
	b.t.Helper()
	of := kind
	if kind == keys.Nested49 {
		of = keys.NestedP2WKH
	}
	a, fx, err := b.w.ImportAccount(Import{
		Name: name, Kind: kind, ID: cold.Account(of).ID, Master: [4]byte{1, 2, 3, 4}, From: from,
	})
	require.NoError(b.t, err)
	b.apply(fx)
	return a
}

// An imported account has the addresses of its owner, sees their coins, and its coins
// are nobody else's: not of the default account, not of the reserve.
func TestWatchedAccount(t *testing.T) {
	b := newBench(t)
	owner := coldWallet(t)
	b.deposit(keys.P2WKH, 10_000)
	a := b.watch("cold", keys.P2WKH, 0)
	require.True(t, a.WatchOnly)
	require.GreaterOrEqual(t, a.Number, keys.Foreign)

	theirs, _, err := owner.NextAddress(AccountID{Kind: keys.P2WKH}, keys.External)
	require.NoError(t, err)
	ours, fx, err := b.w.NextAddress(a.AccountID, keys.External)
	require.NoError(t, err)
	b.apply(fx)
	require.Equal(t, theirs.Text, ours.Text)
	tx := b.pay(ours.PkScript, 70_000)
	b.mine(tx)
	require.EqualValues(t, 70_000, b.w.Balance(a.Number, 1, testNow).Confirmed)
	require.EqualValues(t, 10_000, b.w.Balance(0, 1, testNow).Confirmed)
	require.ErrorIs(t, b.w.CheckReserve(wire.NewMsgTx(2), 10_001, testNow), ErrReserve)

	var poor *InsufficientFunds
	_, err = b.w.Plan(FundRequest{Outputs: payTo(50_000), FeeRate: 253, MinConfs: 1, Now: testNow})
	require.ErrorAs(t, err, &poor)
	_, err = b.w.Plan(FundRequest{Outputs: payTo(500), FeeRate: 253, Coins: []wire.OutPoint{{Hash: tx.TxHash()}}, Now: testNow})
	require.ErrorContains(t, err, "another account")
	f, err := b.w.Plan(FundRequest{Outputs: payTo(50_000), FeeRate: 253, MinConfs: 1, Number: a.Number, Now: testNow})
	require.NoError(t, err)
	require.Equal(t, a.Number, f.Change.Key.Number)
	require.Equal(t, keys.P2WKH, f.Change.Key.Account)
	_, _, err = b.w.Send(testRing, FundRequest{Outputs: payTo(50_000), FeeRate: 253, MinConfs: 1, Number: a.Number, Now: testNow}, "")
	require.ErrorIs(t, err, ErrSigner, "nobody here can sign")

	waiting := b.pay(ours.PkScript, 60_000)
	b.apply(b.w.Seen(waiting, testNow))
	_, _, err = b.s.Bump(wire.OutPoint{Hash: waiting.TxHash()}, Bump{Rate: 5000}, b.fees, b.now)
	require.ErrorIs(t, err, ErrNoSweep, "nor make a child that pays for it")
	n, err := b.w.Number("cold")
	require.NoError(t, err)
	require.Equal(t, a.Number, n)
	_, err = b.w.Number("warm")
	require.EqualError(t, err, "account name 'warm' not found")
	require.Len(t, b.w.Accounts(), 4)
}

func TestImportRefuses(t *testing.T) {
	b := newBench(t)
	b.watch("cold", keys.P2WKH, 0)
	for text, im := range map[string]Import{
		"account name is required":     {ID: cold.Account(keys.P2TR).ID},
		"reserved":                     {Name: "default", ID: cold.Account(keys.P2TR).ID},
		"already exists":               {Name: "cold", Kind: keys.P2TR, ID: cold.Account(keys.P2TR).ID},
		"it is the wallet's own":       {Name: "own", Kind: keys.P2TR, ID: testRing.Account(keys.P2TR).ID},
		`it was imported as "cold"`:    {Name: "twice", Kind: keys.P2WKH, ID: cold.Account(keys.P2WKH).ID},
		`account "none": extended key`: {Name: "none"},
	} {
		_, fx, err := b.w.ImportAccount(im)
		require.ErrorContains(t, err, text)
		require.True(t, fx.Delta.Empty())
	}
	again, err := Load(testConfig, b.store.rows())
	require.NoError(t, err)
	requireSame(t, b.w, again)
}

// BIP 49 to the letter has its change inside P2SH, lnd's own kind has not.
func TestNestedKinds(t *testing.T) {
	b := newBench(t)
	_, plainExternal, plain, err := b.w.TryAccount(Import{Name: "a", Kind: keys.NestedP2WKH, ID: cold.Account(keys.NestedP2WKH).ID}, 2)
	require.NoError(t, err)
	_, strictExternal, strict, err := b.w.TryAccount(Import{Name: "a", Kind: keys.Nested49, ID: cold.Account(keys.NestedP2WKH).ID}, 2)
	require.NoError(t, err)
	require.Equal(t, plainExternal, strictExternal)
	require.Equal(t, "bcrt1", plain[0][:5])
	require.Equal(t, "2", strict[0][:1])
	require.Len(t, b.w.Accounts(), 3, "a trial changes nothing")
}

// What happened before the import is found by searching the blocks again, while new ones
// come; what the default account forgot stays forgotten.
func TestScan(t *testing.T) {
	b := newBench(t)
	owner := coldWallet(t)
	var at []Address
	for range 6 {
		a, _, err := owner.NextAddress(AccountID{Kind: keys.P2TR}, keys.External)
		require.NoError(t, err)
		at = append(at, a)
	}
	b.deposit(keys.P2WKH, 50_000)
	mixed := b.pay(at[0].PkScript, 1_000)
	mixed.AddTxOut(wire.NewTxOut(2_000, b.address(keys.P2WKH).PkScript))
	b.mine(mixed)
	gone := b.pay(at[1].PkScript, 3_000)
	b.mine(gone)
	spend := wire.NewMsgTx(2) // of the default account's coin and of the cold one
	spend.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: mixed.TxHash(), Index: 1}})
	spend.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: gone.TxHash()}})
	spend.AddTxOut(wire.NewTxOut(4_000, at[5].PkScript)) // beyond the window of 3 at first
	b.mine(spend)
	b.mineEmpty(130)
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Confirmed)

	a := b.watch("cold", keys.P2TR, 1)
	key := lnwire.PubKey(cold.Account(keys.P2WKH).ID.Key)
	fx, err := b.w.ImportKey(key, keys.P2WKH, 100)
	require.NoError(t, err)
	b.apply(fx)
	_, _, err = b.w.ImportAccount(Import{Name: "more", Kind: keys.P2TR, ID: cold.Account(keys.P2TR).ID})
	require.Error(t, err)
	begin, next, last, due := b.w.Scanning()
	require.True(t, due)
	require.EqualValues(t, []lnwire.Height{1, 1, 134}, []lnwire.Height{begin, next, last})

	live := b.pay(at[2].PkScript, 500)
	b.mine(live)
	for n := 0; ; n++ {
		_, next, _, due := b.w.Scanning()
		if !due {
			require.Equal(t, 135, n)
			break
		}
		b.apply(b.w.Scan(b.blocks[next-1]))
		if n == 60 {
			b.restart()
			b.reorg(2)
			b.mineEmpty(2)
		}
	}
	require.EqualValues(t, 5_000, b.w.Balance(a.Number, 1, testNow).Confirmed, "1000 and 4000: the live one was undone")
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Confirmed)
	_, forgotten := b.w.Coin(wire.OutPoint{Hash: mixed.TxHash(), Index: 1})
	require.False(t, forgotten)
	b.mineEmpty(3)
	_, _, _, due = b.w.Scanning()
	require.False(t, due, "blocks from now on are no search")
}

func TestLooseKey(t *testing.T) {
	b := newBench(t)
	key, err := testRing.PubKey(keys.KeyLoc{Family: 99})
	require.NoError(t, err)
	for i, kind := range keys.Accounts {
		fx, err := b.w.ImportKey(key, kind, 0)
		require.NoError(t, err)
		require.Len(t, fx.Watch, 1)
		b.apply(fx)
		_, err = b.w.ImportKey(key, kind, 0)
		require.ErrorContains(t, err, "already known")
		list, err := b.w.Given(AccountID{kind, keys.Loose})
		require.NoError(t, err)
		require.Len(t, list, 1)
		b.mine(b.pay(list[0].PkScript, 5_000))
		require.EqualValues(t, 5_000*(i+1), b.w.Balance(keys.Loose, 1, testNow).Confirmed)
	}
	require.Len(t, b.w.Accounts(), 6)
	f, err := b.w.Plan(FundRequest{Outputs: payTo(9_000), FeeRate: 253, MinConfs: 1, Number: keys.Loose, Now: testNow})
	require.NoError(t, err)
	require.Zero(t, f.Change.Key.Number, "keys that stand alone have no change")
}

// Of an output that commits to scripts the key alone is known: what it holds is counted, and
// nothing is funded with it, also after a start.
func TestLooseOutput(t *testing.T) {
	b := newBench(t)
	key, err := testRing.PubKey(keys.KeyLoc{Family: 99})
	require.NoError(t, err)
	key[0] = 2
	fx, err := b.w.ImportOutput(key, 0)
	require.NoError(t, err)
	script := append([]byte{txscript.OP_1, 32}, key[1:]...)
	require.Equal(t, [][]byte{script}, fx.Watch)
	b.apply(fx)
	_, err = b.w.ImportOutput(key, 0)
	require.ErrorContains(t, err, "already known")
	fx, err = b.w.ImportKey(key, keys.P2TR, 0)
	require.NoError(t, err, "as an internal key it is another output")
	b.apply(fx)
	paid := b.pay(script, 7_000)
	b.mine(paid)
	for range 2 {
		require.EqualValues(t, 7_000, b.w.Balance(keys.Loose, 1, testNow).Confirmed)
		list, err := b.w.Given(AccountID{keys.P2TR, keys.Loose})
		require.NoError(t, err)
		require.Equal(t, script, list[0].PkScript)
		for _, coins := range [][]wire.OutPoint{nil, {{Hash: paid.TxHash()}}} {
			_, err = b.w.Plan(FundRequest{Outputs: payTo(5_000), Coins: coins, FeeRate: 253, MinConfs: 1, Number: keys.Loose, Now: testNow})
			require.Error(t, err)
		}
		b.restart()
	}
}

// A key that was imported before the wallet came to it itself is the wallet's own from
// then on, with what it holds, and after a start.
func TestImportedKeyIsOurOwn(t *testing.T) {
	b := newBench(t)
	account := testRing.Account(keys.P2WKH)
	key, err := account.PubKey(keys.External, 5)
	require.NoError(t, err)
	fx, err := b.w.ImportKey(key, keys.P2WKH, 0)
	require.NoError(t, err)
	b.apply(fx)
	script, err := pkScript(formP2WKH, key)
	require.NoError(t, err)
	b.mine(b.pay(script, 9_000))
	require.EqualValues(t, 9_000, b.w.Balance(keys.Loose, 1, testNow).Confirmed)
	var at Address
	for range 6 {
		at = b.address(keys.P2WKH)
	}
	require.Equal(t, script, at.PkScript)
	b.restart()
	require.EqualValues(t, 9_000, b.w.Balance(0, 1, testNow).Confirmed)
	b.mine(b.pay(script, 1_000))
	require.EqualValues(t, 10_000, b.w.Balance(0, 1, testNow).Confirmed)
	require.Zero(t, b.w.Balance(keys.Loose, 1, testNow))
}

// A window that is longer than that of the last start finds keys of our own among those
// that were imported.
func TestImportedKeyInALongerWindow(t *testing.T) {
	b := newBench(t)
	account := testRing.Account(keys.P2WKH)
	key, err := account.PubKey(keys.External, 5)
	require.NoError(t, err)
	fx, err := b.w.ImportKey(key, keys.P2WKH, 0)
	require.NoError(t, err)
	b.apply(fx)
	script, err := pkScript(formP2WKH, key)
	require.NoError(t, err)
	b.mine(b.pay(script, 9_000))
	long := testConfig
	long.Window = 50
	w, err := Load(long, b.store.rows())
	require.NoError(t, err)
	require.EqualValues(t, 9_000, w.Balance(0, 1, testNow).Confirmed)
}

// Of one extended key as two kinds of accounts the change has the same scripts.
func TestOneKeyTwoAccounts(t *testing.T) {
	b := newBench(t)
	one := b.watch("one", keys.NestedP2WKH, 0)
	two, fx, err := b.w.ImportAccount(Import{Name: "two", Kind: keys.P2WKH, ID: cold.Account(keys.NestedP2WKH).ID})
	require.NoError(t, err)
	b.apply(fx)
	for range 5 {
		for _, a := range []Account{two, one} {
			at, fx, err := b.w.NextAddress(a.AccountID, keys.Internal)
			require.NoError(t, err)
			b.apply(fx)
			b.mine(b.pay(at.PkScript, 9_000))
		}
	}
	b.restart()
	require.EqualValues(t, 90_000, b.w.Balance(one.Number, 1, testNow).Confirmed)
	require.Zero(t, b.w.Balance(two.Number, 1, testNow))
}

// An account of our own seed beside the default: its coins are apart, and we can sign.
func TestNumberedAccount(t *testing.T) {
	b := newBench(t)
	pub, err := testRing.NumberedAccount(keys.P2TR, b.w.NextNumber())
	require.NoError(t, err)
	a, fx, err := b.w.NewAccount("shop", b.w.NextNumber(), pub, 0)
	require.NoError(t, err)
	b.apply(fx)
	require.False(t, a.WatchOnly)
	require.EqualValues(t, 2, b.w.NextNumber())
	_, _, err = b.w.NewAccount("shop", 2, pub, 0)
	require.ErrorContains(t, err, "already exists")
	at, fx, err := b.w.NextAddress(a.AccountID, keys.External)
	require.NoError(t, err)
	b.apply(fx)
	tx := b.pay(at.PkScript, 60_000)
	b.mine(tx)
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(50_000), FeeRate: 253, MinConfs: 1, Number: a.Number, Now: testNow}, "")
	require.NoError(t, err)
	b.apply(fx)
	requireValid(t, f.Tx, outsOf(f.Coins))
	require.Equal(t, "m/86'/0'/1'/1/0", f.Change.Key.String())
	b.mine(f.Tx)

	// Restored from the seed: made again, it finds its coin.
	left := b.w.Balance(a.Number, 1, testNow).Confirmed
	b.store = newStore()
	b.restart()
	for _, block := range b.blocks {
		b.apply(b.w.Connect(block))
	}
	_, fx, err = b.w.NewAccount("shop", b.w.NextNumber(), pub, 1)
	require.NoError(t, err)
	b.apply(fx)
	b.apply(b.w.Scan(b.blocks...))
	require.Equal(t, left, b.w.Balance(a.Number, 1, testNow).Confirmed)
	require.Positive(t, left)
}

func TestNextKey(t *testing.T) {
	b := newBench(t)
	for i, want := range []uint32{0, 1, 7, 8} {
		from := uint32(0)
		if i >= 2 {
			from = 7
		}
		n, fx, err := b.w.NextKey(99, from)
		require.NoError(t, err)
		b.apply(fx)
		require.Equal(t, want, n)
	}
	_, _, err := b.w.NextKey(1<<31, 0)
	require.Error(t, err)
}
