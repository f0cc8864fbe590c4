package wallet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// The addresses of lnd for the seed of wallet/keys/testdata/lnd.txt.
func TestAddressesOfLnd(t *testing.T) {
	entropy := [16]byte{0x81, 0xb6, 0x37, 0xd8, 0x63, 0x59, 0xe6, 0x96, 0x0d, 0xe7, 0x95, 0xe4, 0x1e, 0x0b, 0x4c, 0xfd}
	ring, err := keys.NewRing(entropy[:], keys.CoinMainnet)
	require.NoError(t, err)
	w, err := Load(NewConfig(&chaincfg.MainNetParams, ring, 2), Rows{})
	require.NoError(t, err)
	for _, v := range []struct {
		account keys.AccountKind
		branch  keys.Branch
		want    []string
	}{
		{keys.NestedP2WKH, keys.External, []string{"3Bmhn8iNCk26F1iWR164aj2Qdkii88cXaw", "3HykaLNX2PaKMi881a4ti2sqde5MiQH2Jw"}},
		{keys.NestedP2WKH, keys.Internal, []string{"bc1qmnmnx7g9md2a4k7gh20lxrqkczp2hurywwm063", "bc1q7u02rl7q8yltkh3h4slftzvyq63dr6xsgc2x2l"}},
		{keys.P2WKH, keys.External, []string{"bc1qkhdemh9jxcn2xez07vlgtkkx7gnc09xja4rs5q", "bc1ql0rgvuvy3c9xtpk2kfgew9pdefxsv5mmnmdcn5"}},
		{keys.P2TR, keys.External, []string{"bc1pxyyd8talnncyl2wj07cy86pdtuf2tt6d4f7rc0dvhvhkzq544azqv5s4lz", "bc1pqmqa2jxq3pwr3q4qw6eqp45hqnutw76hdvghje9k042jltlwtt0qncm7rn"}},
		{keys.P2TR, keys.Internal, []string{"bc1pu2gl9tfup7ugzlvqww8na6jrcr2n09rzsvjzzkaytkugc084pvss0dlr5t", "bc1pk7gpajekgpww20a3raea75xkc83f0u6gnza5ytl4v6t759eepusqjmgnvt"}},
	} {
		for i, want := range v.want {
			a, fx, err := w.NextAddress(AccountID{Kind: v.account}, v.branch)
			require.NoError(t, err)
			require.Equal(t, want, a.Text)
			require.Equal(t, uint32(i), a.Key.Index)
			require.Len(t, fx.Delta.Branches, 1)
			require.Len(t, fx.Watch, 1, "the window moves")
		}
		list, err := w.Addresses(AccountID{Kind: v.account}, v.branch)
		require.NoError(t, err)
		require.Len(t, list, 2)
	}
	_, _, err = w.NextAddress(AccountID{Kind: 3}, keys.External)
	require.ErrorContains(t, err, "no branch 0 of account")
	_, _, err = w.UnusedAddress(AccountID{}, 2)
	require.Error(t, err)
	_, err = w.Addresses(AccountID{Kind: 9}, 0)
	require.Error(t, err)
}

// The unused address is the same until somebody pays it.
func TestUnusedAddress(t *testing.T) {
	b := newBench(t)
	first, fx, err := b.w.UnusedAddress(AccountID{Kind: keys.P2WKH}, keys.External)
	require.NoError(t, err)
	b.apply(fx)
	again, fx, err := b.w.UnusedAddress(AccountID{Kind: keys.P2WKH}, keys.External)
	require.NoError(t, err)
	require.True(t, fx.Delta.Empty())
	require.Equal(t, first, again)
	b.mine(b.pay(first.PkScript, 1000))
	next, _, err := b.w.UnusedAddress(AccountID{Kind: keys.P2WKH}, keys.External)
	require.NoError(t, err)
	require.NotEqual(t, first, next)
}

// A wallet made from the same seed, fed the same blocks, has the same coins, though
// addresses were skipped, some in one block far beyond the window.
func TestRecovery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		b.fast = true
		for range rapid.IntRange(1, 12).Draw(t, "blocks") {
			var txs []*wire.MsgTx
			for range rapid.IntRange(0, 4).Draw(t, "deposits") {
				kind := rapid.SampledFrom(keys.Accounts[:]).Draw(t, "account")
				for range rapid.IntRange(0, int(testConfig.Window)-1).Draw(t, "skipped") {
					if row := b.w.branches[branchID{0, kind, keys.External}].row; row.Next < row.Used+testConfig.Window-1 {
						b.address(kind)
					}
				}
				tx := b.pay(b.address(kind).PkScript, 50_000)
				b.apply(b.w.Seen(tx, testNow)) // so that the next address counts from it
				txs = append(txs, tx)
			}
			if rapid.Bool().Draw(t, "send") {
				_, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(20_000), FeeRate: 500, MinConfs: 1, Now: testNow}, "")
				if err == nil {
					b.apply(fx)
				}
			}
			txs = append(txs, b.w.unmined()...)
			// The later address first: the window must be searched again.
			for i, j := 0, len(txs)-1; i < j && len(b.w.unmined()) == 0; i, j = i+1, j-1 {
				txs[i], txs[j] = txs[j], txs[i]
			}
			b.mine(txs...)
		}
		fresh, err := Load(testConfig, Rows{})
		require.NoError(t, err)
		var fx Effects
		store := newStore()
		for _, block := range b.blocks {
			fx = fresh.Connect(block)
			store.write(fx.Delta)
		}
		require.Equal(t, b.w.Balance(0, 1, testNow), fresh.Balance(0, 1, testNow))
		require.Equal(t, b.w.Unspent(1, math.MaxUint32, testNow), ownAs(b.w, fresh.Unspent(1, math.MaxUint32, testNow)))
		require.Len(t, fresh.Txs(0, math.MaxUint32, true), len(b.w.Txs(0, math.MaxUint32, true)))
		again, err := Load(testConfig, store.rows())
		require.NoError(t, err)
		requireSame(t, fresh, again)
	})
}

// ownAs forgets the one thing that blocks do not tell: who published a transaction.
func ownAs(w *Wallet, list []Unspent) []Unspent {
	for i := range list {
		c, _ := w.Coin(list[i].OutPoint)
		list[i].Own = c.Own
	}
	return list
}

// Two deltas written one after the other leave what their sum leaves.
func TestDeltaAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (d Delta) {
			for i := range uint32(4) {
				op, id := wire.OutPoint{Index: i}, chainhash.Hash{byte(i)}
				n := lnwire.Sat(rapid.Uint8().Draw(t, name))
				switch rapid.IntRange(0, 2).Draw(t, name) {
				case 1:
					d.Coins = append(d.Coins, CoinRow{OutPoint: op, Value: n})
					d.Txs = append(d.Txs, TxRow{Txid: id, Fee: n})
					d.Leases = append(d.Leases, LeaseRow{OutPoint: op, Number: uint64(n)})
					d.Branches = append(d.Branches, BranchRow{Branch: keys.Branch(i), Next: uint32(n)})
					d.Tip = &TipRow{At: lnwire.BlockRef{Height: lnwire.Height(n)}}
				case 2:
					d.CoinsGone = append(d.CoinsGone, op)
					d.TxsGone = append(d.TxsGone, id)
					d.LeasesGone = append(d.LeasesGone, op)
				}
			}
			return d
		}
		one, two := newStore(), newStore()
		var sum Delta
		for _, name := range []string{"a", "b", "c"} {
			d := draw(name)
			one.write(d)
			sum.Append(d)
		}
		for _, r := range sum.Coins {
			require.NotContains(t, sum.CoinsGone, r.OutPoint)
		}
		two.write(sum)
		require.Equal(t, one, two)
	})
}

// What a later event gave up is not published for an earlier one.
func TestEffectsAppend(t *testing.T) {
	a, b := wire.NewMsgTx(2), wire.NewMsgTx(1)
	fx := Effects{Publish: []*wire.MsgTx{a, b}}
	fx.Append(Effects{Delta: Delta{TxsGone: []chainhash.Hash{a.TxHash()}}, Publish: []*wire.MsgTx{b}, Watch: [][]byte{{1}}})
	require.Equal(t, []*wire.MsgTx{b, b}, fx.Publish)
	require.Len(t, fx.Watch, 1)
}

func TestLoadRefuses(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 5000)
	for name, spoil := range map[string]func(*Rows){
		"coin":    func(r *Rows) { r.Coins[0].PkScript = elsewhere(1) },
		"key":     func(r *Rows) { r.Coins[0].Key.Index++ },
		"tx":      func(r *Rows) { r.Txs[0].Txid[0]++ },
		"no tx":   func(r *Rows) { r.Txs[0].Tx = nil },
		"account": func(r *Rows) { r.Branches[0].Account = 3 },
		"branch":  func(r *Rows) { r.Branches[0].Branch = 2 },
	} {
		rows := b.store.rows()
		spoil(&rows)
		_, err := Load(testConfig, rows)
		require.ErrorContains(t, err, "load wallet: ", name)
	}
}

func TestLeases(t *testing.T) {
	b := newBench(t)
	op := b.deposit(keys.P2WKH, 5000)
	until := testNow.Add(time.Minute)
	row := LeaseRow{OutPoint: op, ID: [32]byte{1}, Expiry: until.UnixNano()}
	fx, err := b.w.Lease(row, testNow)
	require.NoError(t, err)
	b.apply(fx)
	require.Empty(t, b.w.Unspent(0, math.MaxUint32, testNow))
	require.Len(t, b.w.Unspent(0, math.MaxUint32, until), 1, "it ran out")

	_, err = b.w.Lease(LeaseRow{OutPoint: wire.OutPoint{}, ID: row.ID}, testNow)
	require.EqualError(t, err, "unknown output")
	_, err = b.w.Lease(LeaseRow{OutPoint: op, ID: [32]byte{2}}, testNow)
	require.EqualError(t, err, "output already locked")
	fx, err = b.w.Lease(row, testNow) // renewed
	require.NoError(t, err)
	b.apply(fx)
	_, err = b.w.Release(op, [32]byte{2})
	require.ErrorIs(t, err, ErrNotLeased)
	_, err = b.w.Release(wire.OutPoint{}, row.ID)
	require.ErrorIs(t, err, ErrUnknownOutput)
	_, err = b.w.Lease(LeaseRow{OutPoint: op, ID: row.ID, Owner: LeasedByChannel, Number: 7}, testNow)
	require.ErrorIs(t, err, ErrLeased, "the same id, but somebody else")
	b.apply(b.w.Expire(testNow))
	require.Len(t, b.w.Leases(), 1)
	b.apply(b.w.Expire(until))
	require.Empty(t, b.w.Leases())

	fx, err = b.w.Lease(row, testNow)
	require.NoError(t, err)
	b.apply(fx)
	b.mine(steal(elsewhere(1), op))
	require.Empty(t, b.w.Leases(), "a spent coin needs none")
	_, err = b.w.Lease(row, testNow)
	require.ErrorIs(t, err, ErrUnknownOutput)
}

// A channel's lease is no user's to make shorter, though its id is listed.
func TestLeaseOfAChannel(t *testing.T) {
	b := newBench(t)
	row := LeaseRow{OutPoint: b.deposit(keys.P2WKH, 5000), ID: [32]byte{7}, Owner: LeasedByChannel, Number: 7}
	fx, err := b.w.Lease(row, testNow)
	require.NoError(t, err)
	b.apply(fx)
	_, err = b.w.Lease(LeaseRow{OutPoint: row.OutPoint, ID: row.ID, Expiry: testNow.Add(time.Second).UnixNano()}, testNow)
	require.ErrorIs(t, err, ErrLeased)
	require.Equal(t, []LeaseRow{row}, b.w.Leases())
}

func TestLabels(t *testing.T) {
	b := newBench(t)
	op := b.deposit(keys.P2TR, 5000)
	_, err := b.w.Label(chainhash.Hash{1}, "x", false)
	require.EqualError(t, err, "cannot label transaction not known to wallet")
	fx, err := b.w.Label(op.Hash, "rent", false)
	require.NoError(t, err)
	b.apply(fx)
	_, err = b.w.Label(op.Hash, "food", false)
	require.ErrorContains(t, err, "already labelled")
	fx, err = b.w.Label(op.Hash, "food", true)
	require.NoError(t, err)
	b.apply(fx)
	row, ok := b.w.Tx(op.Hash)
	require.True(t, ok)
	require.Equal(t, "food", row.Label)
}

// Own transactions are published with every block, parents first, until they are
// mined; a restart does so at once.
func TestRebroadcast(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 100_000)
	var sent []*wire.MsgTx
	for range 4 {
		f, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(5000), FeeRate: 500, Now: testNow}, "")
		require.NoError(t, err)
		b.apply(fx)
		sent = append(sent, f.Tx)
	}
	b.out = nil
	b.mine()
	require.Equal(t, sent, b.out)
	b.restart()
	require.Equal(t, sent, b.w.Resumed().Publish)
	require.NotEmpty(t, b.w.Resumed().Watch)
	b.mine(sent[:2]...)
	b.out = nil
	b.mine()
	require.Equal(t, sent[2:], b.out)
}

// A payment of somebody else's that the network does not know any more is forgotten, and
// seen again when it comes again; not so while it may only wait, or when something of ours
// rests on it.
func TestRefused(t *testing.T) {
	for why, gone := range map[chainntnfs.RejectReason]bool{
		chainntnfs.RejectConflict: true, chainntnfs.RejectMissingInputs: true, chainntnfs.RejectFeeTooLow: false,
		chainntnfs.RejectNotFinal: false, chainntnfs.RejectOther: false,
	} {
		b := newBench(t)
		b.deposit(keys.P2WKH, 100_000)
		theirs := b.pay(b.address(keys.P2WKH).PkScript, 50_000)
		b.apply(b.w.Seen(theirs, b.now))
		b.out = nil
		b.mine()
		require.Equal(t, []*wire.MsgTx{theirs}, b.out, "it is asked for")
		b.apply(b.w.Refused(theirs.TxHash(), why))
		require.Equal(t, !gone, b.w.Balance(0, 0, b.now).Unconfirmed == 50_000, "%v", why)

		b.apply(b.w.Seen(theirs, b.now))
		f, fx, err := b.w.Send(testRing, FundRequest{
			Outputs: payTo(20_000), Coins: []wire.OutPoint{{Hash: theirs.TxHash()}}, FeeRate: 500, Now: b.now,
		}, "")
		require.NoError(t, err)
		b.apply(fx)
		b.apply(b.w.Refused(theirs.TxHash(), why))
		require.NotNil(t, b.w.txs[theirs.TxHash()])
		b.mine(theirs)
		b.apply(b.w.Refused(theirs.TxHash(), why))
		b.apply(b.w.Refused(f.Tx.TxHash(), why))
		require.Len(t, b.w.unmined(), 1, "ours waits")
	}
}

// A replacement takes the place of what it conflicts with, and of all that rests on
// that; what is mined cannot be replaced.
func TestPublishReplaces(t *testing.T) {
	b := newBench(t)
	coin := b.deposit(keys.P2WKH, 100_000)
	send := func(rate lnwire.SatPerKW) *Funded {
		f, err := b.w.Plan(FundRequest{Outputs: payTo(5000), FeeRate: rate, Coins: []wire.OutPoint{coin}, Now: testNow})
		require.NoError(t, err)
		require.NoError(t, b.w.signCoins(testRing, f.Tx, f.Coins, nil))
		return f
	}
	cheap, dear := send(253), send(2530)
	fx, err := b.w.Publish(Publication{Tx: cheap.Tx, Now: testNow})
	require.NoError(t, err)
	b.apply(fx)
	child, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(7000), FeeRate: 253, Now: testNow}, "")
	require.NoError(t, err)
	b.apply(fx)
	require.Equal(t, cheap.Tx.TxHash(), child.Tx.TxIn[0].PreviousOutPoint.Hash)

	b.told = nil
	fx, err = b.w.Publish(Publication{Tx: dear.Tx, Now: testNow})
	require.NoError(t, err)
	b.apply(fx)
	require.Len(t, b.told, 2)
	require.Len(t, b.w.Txs(0, math.MaxUint32, true), 2)
	b.apply(b.w.Seen(cheap.Tx, testNow)) // an echo from the network changes nothing
	require.Len(t, b.w.Txs(0, math.MaxUint32, true), 2)

	b.mine(dear.Tx)
	_, err = b.w.Publish(Publication{Tx: cheap.Tx, Now: testNow})
	require.ErrorContains(t, err, "already spent")
	_, err = b.w.Abandon(dear.Tx.TxHash())
	require.ErrorContains(t, err, "it is in block 2")
	_, err = b.w.Abandon(cheap.Tx.TxHash())
	require.ErrorContains(t, err, "not a transaction of this wallet")
}

// What takes the place of a transaction and of one that rests on it takes that of both.
func TestPublishReplacesParentAndChild(t *testing.T) {
	b := newBench(t)
	coin, other := b.deposit(keys.P2WKH, 100_000), b.deposit(keys.P2WKH, 50_000)
	signed := func(rate lnwire.SatPerKW, amount lnwire.Sat, from ...wire.OutPoint) *Funded {
		f, err := b.w.Plan(FundRequest{Outputs: payTo(amount), FeeRate: rate, Coins: from, Now: testNow})
		require.NoError(t, err)
		require.NoError(t, b.w.signCoins(testRing, f.Tx, f.Coins, nil))
		return f
	}
	publish := func(f *Funded) chainhash.Hash {
		fx, err := b.w.Publish(Publication{Tx: f.Tx, Now: testNow})
		require.NoError(t, err)
		b.apply(fx)
		return f.Tx.TxHash()
	}
	both := signed(2530, 120_000, coin, other)
	parent := publish(signed(253, 5000, coin))
	child := publish(signed(253, 100_000, wire.OutPoint{Hash: parent, Index: b.w.txs[parent].Outputs[0]}, other))
	last := publish(both)
	require.Nil(t, b.w.txs[parent])
	require.Nil(t, b.w.txs[child])
	require.NotNil(t, b.w.txs[last])
}

// What budgets were charged for a transaction they get back when it can no longer be mined
// or is given up, with what rests on it, and once; not while it waits, nor for what
// replaces it.
func TestChargesComeBack(t *testing.T) {
	b := newBench(t)
	coin := b.deposit(keys.P2WKH, 100_000)
	charge := func(n byte) []budget.Charge { return []budget.Charge{{ID: budget.ID{n}, Day: 7, Amount: 1000}} }
	send := func(n byte, from ...wire.OutPoint) *Funded {
		f, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(5000), FeeRate: 253, Coins: from, Now: testNow, Charges: charge(n)}, "")
		require.NoError(t, err)
		b.apply(fx)
		return f
	}
	returned := func() (ids []byte) {
		for _, fx := range b.seen {
			for _, c := range fx.Returned {
				require.EqualValues(t, 1000, c.Sub)
				require.EqualValues(t, 7, c.Day)
				ids = append(ids, c.Limit.ID[0])
			}
		}
		slices.Sort(ids)
		b.seen = nil
		return ids
	}
	dear, err := b.w.Plan(FundRequest{Outputs: payTo(5000), FeeRate: 2530, Coins: []wire.OutPoint{coin}, Now: testNow})
	require.NoError(t, err)
	require.NoError(t, b.w.signCoins(testRing, dear.Tx, dear.Coins, nil))
	first := send(1, coin)
	child := send(2)
	require.Equal(t, first.Tx.TxHash(), child.Tx.TxIn[0].PreviousOutPoint.Hash)
	b.mine()
	require.Empty(t, returned())

	fx, err := b.w.Publish(Publication{Tx: dear.Tx, Now: testNow})
	require.NoError(t, err)
	b.apply(fx)
	require.Empty(t, returned(), "one of the two will be mined")
	b.mine(dear.Tx)
	require.Empty(t, returned())
	b.reorg(1)
	rival := b.pay(elsewhere(9), 90_000)
	rival.TxIn = []*wire.TxIn{wire.NewTxIn(&coin, nil, nil)}
	b.mine(rival)
	require.Empty(t, returned(), "nobody remembers what was replaced")

	coin = b.deposit(keys.P2WKH, 100_000)
	send(5, coin)
	send(6)
	b.restart()
	rival = b.pay(elsewhere(9), 90_000)
	rival.TxIn = []*wire.TxIn{wire.NewTxIn(&coin, nil, nil)}
	b.mine(rival)
	require.Equal(t, []byte{5, 6}, returned())
	b.mine(rival)
	require.Empty(t, returned())

	b.deposit(keys.P2WKH, 100_000)
	parent := send(3)
	send(4)
	fx, err = b.w.Abandon(parent.Tx.TxHash())
	require.NoError(t, err)
	b.apply(fx)
	require.Equal(t, []byte{3, 4}, returned())

	sweep := b.pay(b.address(keys.P2WKH).PkScript, 90_000)
	fx, err = b.w.Publish(Publication{Tx: sweep, Now: testNow, Sweep: true})
	require.NoError(t, err)
	b.apply(fx)
	send(7, wire.OutPoint{Hash: sweep.TxHash()})
	fx, err = b.w.Abandon(sweep.TxHash())
	require.NoError(t, err)
	b.apply(fx)
	require.Empty(t, returned(), "the blocks that a reorg brings may hold both")
}

// What was replaced may be mined all the same: its budgets get nothing back then.
func TestReplacedIsMined(t *testing.T) {
	b := newBench(t)
	coin := b.deposit(keys.P2WKH, 100_000)
	dear, err := b.w.Plan(FundRequest{Outputs: payTo(5000), FeeRate: 2530, Coins: []wire.OutPoint{coin}, Now: testNow})
	require.NoError(t, err)
	require.NoError(t, b.w.signCoins(testRing, dear.Tx, dear.Coins, nil))
	cheap, fx, err := b.w.Send(testRing, FundRequest{
		Outputs: payTo(5000), FeeRate: 253, Coins: []wire.OutPoint{coin}, Now: testNow,
		Charges: []budget.Charge{{ID: budget.ID{1}, Day: 7, Amount: 5100}},
	}, "")
	require.NoError(t, err)
	b.apply(fx)
	fx, err = b.w.Publish(Publication{Tx: dear.Tx, Now: testNow})
	require.NoError(t, err)
	b.apply(fx)
	b.mine(cheap.Tx)
	require.Nil(t, b.w.txs[dear.Tx.TxHash()])
	for _, fx := range b.seen {
		require.Empty(t, fx.Returned)
	}
}

// A coin is remembered until its spender is deep, and then forgotten; the history
// stays.
func TestPrune(t *testing.T) {
	b := newBench(t)
	b.fast = true
	op := b.deposit(keys.P2WKH, 100_000)
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(0), All: true, FeeRate: 500, MinConfs: 1, Now: testNow}, "")
	require.NoError(t, err)
	b.apply(fx)
	b.mine(f.Tx)
	b.mineEmpty(keepDepth - 1)
	_, ok := b.w.Coin(op)
	require.True(t, ok)
	b.mineEmpty(1 + pruneEvery)
	_, ok = b.w.Coin(op)
	require.False(t, ok)
	b.fast = false
	b.mine()
	row, ok := b.w.Tx(f.Tx.TxHash())
	require.True(t, ok)
	require.Equal(t, []uint32{0}, row.Inputs)
	require.EqualValues(t, 100_000, row.Debit)
}

// The tip, the way back, and the order of the history.
func TestChainViews(t *testing.T) {
	b := newBench(t)
	_, ok := b.w.Tip()
	require.False(t, ok)
	a := b.deposit(keys.P2WKH, 1000)
	b.mine()
	c := b.deposit(keys.P2TR, 2000)
	tip, ok := b.w.Tip()
	require.True(t, ok)
	require.Equal(t, b.blocks[2].At, tip)
	require.Equal(t, []lnwire.BlockRef{b.blocks[0].At, tip}, b.w.Known())
	unmined := b.pay(b.address(keys.P2WKH).PkScript, 3000)
	b.apply(b.w.Seen(unmined, testNow))
	var ids []chainhash.Hash
	for _, row := range b.w.Txs(0, math.MaxUint32, true) {
		ids = append(ids, row.Txid)
	}
	require.Equal(t, []chainhash.Hash{a.Hash, c.Hash, unmined.TxHash()}, ids)
	require.Len(t, b.w.Txs(2, 3, false), 1)

	// The same block again changes nothing; another at its height takes its place.
	fx := b.w.Connect(b.blocks[2])
	require.True(t, fx.Delta.Empty())
	rival := Block{At: lnwire.BlockRef{Height: 3, Hash: chainhash.Hash{9}}, Time: testNow}
	b.apply(b.w.Connect(rival))
	row, _ := b.w.Tx(c.Hash)
	require.False(t, row.mined())
	require.EqualValues(t, 5000, b.w.Balance(0, 1, testNow).Unconfirmed)
}
