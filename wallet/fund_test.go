package wallet

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

func payTo(value lnwire.Sat) []*wire.TxOut {
	return []*wire.TxOut{wire.NewTxOut(int64(value), elsewhere(1))}
}

// One transaction with a coin of every kind, change of BIP49 among them: each script
// runs, and no input weighs more than was paid for.
func TestSignEveryKind(t *testing.T) {
	b := newBench(t)
	for _, kind := range keys.Accounts {
		b.deposit(kind, 50_000)
		a, fx, err := b.w.NextAddress(AccountID{Kind: kind}, keys.Internal)
		require.NoError(t, err)
		b.apply(fx)
		b.mine(b.pay(a.PkScript, 50_000))
	}
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(0, elsewhere(1))}, All: true, FeeRate: 1000, MinConfs: 1, Now: testNow}, "")
	require.NoError(t, err)
	require.Len(t, f.Tx.TxIn, 6)
	requireValid(t, f.Tx, outsOf(f.Coins))
	require.LessOrEqual(t, trueWeight(f.Tx), f.Weight)
	b.apply(fx)
	row, ok := b.w.Tx(f.Tx.TxHash())
	require.True(t, ok)
	require.Equal(t, "external", row.Label)
	require.True(t, row.FeeKnown)
	require.Equal(t, f.Fee, row.Fee)
	require.Zero(t, b.w.Balance(0, 1, testNow))
}

func TestFundRefuses(t *testing.T) {
	b := newBench(t)
	coin := b.deposit(keys.P2WKH, 100_000)
	other := b.deposit(keys.P2TR, 50_000)
	taproot := keys.P2TR
	for _, v := range []struct {
		name string
		req  FundRequest
		text string
	}{
		{"nothing", FundRequest{FeeRate: 253}, "no outputs"},
		{"rate", FundRequest{Outputs: payTo(1000), FeeRate: 252}, "below the relay minimum of 253"},
		{"dust", FundRequest{Outputs: payTo(293), FeeRate: 253}, "output 0: 293 sat is below its dust limit of 294 sat"},
		{"negative", FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(-1, elsewhere(1))}, FeeRate: 253}, "out of range"},
		{"too much", FundRequest{Outputs: payTo(lnwire.MaxSat + 1), FeeRate: 253}, "out of range"},
		{"sum", FundRequest{Outputs: append(payTo(lnwire.MaxSat), payTo(1000)...), FeeRate: 253}, "more than all the money"},
		{"poor", FundRequest{Outputs: payTo(150_000), FeeRate: 253, MinConfs: 1}, "insufficient funds available to construct transaction"},
		{"depth", FundRequest{Outputs: payTo(40_000), FeeRate: 253, MinConfs: 3}, "insufficient funds available to construct transaction"},
		{"all and amount", FundRequest{Outputs: payTo(1000), All: true, FeeRate: 253}, "amount set while SendAll is active"},
		{"all to two", FundRequest{Outputs: append(payTo(0), payTo(0)...), All: true, FeeRate: 253}, "want one"},
		{"twice", FundRequest{Outputs: payTo(1000), FeeRate: 253, Coins: []wire.OutPoint{coin, coin}}, "selected outpoints contain duplicate"},
		{"unknown", FundRequest{Outputs: payTo(1000), FeeRate: 253, Coins: []wire.OutPoint{{Index: 3}}}, "unknown output"},
		{"chosen and poor", FundRequest{Outputs: payTo(99_999), FeeRate: 253, Coins: []wire.OutPoint{coin}}, "insufficient funds available to construct transaction"},
		{"chosen and shallow", FundRequest{Outputs: payTo(1000), FeeRate: 253, MinConfs: 3, Coins: []wire.OutPoint{coin}}, "has 2 confirmations, want 3"},
		{"other account", FundRequest{Outputs: payTo(1000), FeeRate: 253, Account: &taproot, Coins: []wire.OutPoint{coin}}, "another account"},
		{"account", FundRequest{Outputs: payTo(60_000), FeeRate: 253, Account: &taproot}, "insufficient funds available to construct transaction"},
		{"reserve", FundRequest{Outputs: payTo(120_000), FeeRate: 253, Reserve: 30_000, MinConfs: 1}, "reserved wallet balance invalidated"},
	} {
		v.req.Now = testNow
		_, err := b.w.Plan(v.req)
		require.ErrorContains(t, err, v.text, v.name)
	}
	fx, err := b.w.Lease(LeaseRow{OutPoint: other, ID: [32]byte{1}}, testNow)
	require.NoError(t, err)
	b.apply(fx)
	_, err = b.w.Plan(FundRequest{Outputs: payTo(1000), FeeRate: 253, Coins: []wire.OutPoint{other}, Now: testNow})
	require.ErrorIs(t, err, ErrLeased)
}

// The signer is away: nothing has changed, no address is used up.
func TestSendWithoutSigner(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 100_000)
	_, _, err := b.w.Send(awaySigner{}, FundRequest{Outputs: payTo(5000), FeeRate: 253, Now: testNow}, "")
	require.ErrorIs(t, err, ErrSigner)
	fx := b.w.flush()
	require.True(t, fx.Delta.Empty())
	b.apply(fx)
}

// A funding leases its coins in the same delta; publishing takes the lease away, and
// giving up frees the coins.
func TestFundLeases(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 100_000)
	req := FundRequest{Outputs: payTo(60_000), FeeRate: 500, MinConfs: 1, Now: testNow}
	f, fx, err := b.w.Fund(testRing, req, LeaseRow{Owner: LeasedByChannel, Number: 7, ID: [32]byte{7}})
	require.NoError(t, err)
	require.Len(t, fx.Delta.Leases, 1)
	require.Empty(t, fx.Publish)
	b.apply(fx)
	requireValid(t, f.Tx, outsOf(f.Coins))
	require.EqualValues(t, 100_000, b.w.Balance(0, 1, testNow).Locked)

	_, _, err = b.w.Fund(testRing, req, LeaseRow{})
	var poor *InsufficientFunds
	require.ErrorAs(t, err, &poor)
	require.Zero(t, poor.Have)

	b.restart()
	require.Equal(t, uint64(7), b.w.Leases()[0].Number)
	fx, err = b.w.Publish(Publication{Tx: f.Tx, Label: "funding", Now: testNow})
	require.NoError(t, err)
	require.Len(t, fx.Delta.LeasesGone, 1)
	b.apply(fx)
	require.Zero(t, b.w.Balance(0, 1, testNow).Locked)

	fx, err = b.w.Abandon(f.Tx.TxHash())
	require.NoError(t, err)
	b.apply(fx)
	_, fx, err = b.w.Fund(testRing, req, LeaseRow{Owner: LeasedByChannel, Number: 8})
	require.NoError(t, err)
	b.apply(fx)
	b.apply(b.w.ReleaseIf(func(l LeaseRow) bool { return l.Owner == LeasedByChannel && l.Number == 8 }))
	require.EqualValues(t, 100_000, b.w.Balance(0, 1, testNow).Confirmed)
}

// Sending all leaves the reserve with us: 10,000 for each anchor channel, at most
// 100,000 (V-39).
func TestSendAllKeepsTheReserve(t *testing.T) {
	require.EqualValues(t, 0, RequiredReserve(0))
	require.EqualValues(t, 10_000, RequiredReserve(1))
	require.EqualValues(t, 100_000, RequiredReserve(10))
	require.EqualValues(t, 100_000, RequiredReserve(1_000_000))

	b := newBench(t)
	b.deposit(keys.P2WKH, 100_000)
	req := FundRequest{Outputs: payTo(0), All: true, FeeRate: 253, MinConfs: 1, Reserve: RequiredReserve(2), Now: testNow}
	f, err := b.w.Plan(req)
	require.NoError(t, err)
	require.NotNil(t, f.Change)
	require.Len(t, f.Tx.TxOut, 2)
	require.EqualValues(t, 20_000, f.Tx.TxOut[1-f.Outputs[0]].Value)
	require.EqualValues(t, 80_000-f.Fee, f.Tx.TxOut[f.Outputs[0]].Value)

	req.Reserve = RequiredReserve(10)
	_, err = b.w.Plan(req)
	var poor *InsufficientFunds
	require.ErrorAs(t, err, &poor)
}

// Opening a channel that would eat the reserve is refused, on every opening anew
// (V-39).
func TestReserveGrowsWithChannels(t *testing.T) {
	b := newBench(t)
	for range 8 {
		b.deposit(keys.P2WKH, 30_000)
	}
	opened := 0
	for {
		req := FundRequest{Outputs: payTo(20_000), FeeRate: 253, MinConfs: 1, Reserve: RequiredReserve(opened + 1), Now: testNow}
		f, fx, err := b.w.Send(testRing, req, "")
		if errors.Is(err, ErrReserve) {
			break
		}
		require.NoError(t, err)
		b.apply(fx)
		b.mine(f.Tx)
		opened++
	}
	left := b.w.Balance(0, 1, testNow).Confirmed
	require.GreaterOrEqual(t, left, RequiredReserve(opened))
	require.Positive(t, opened)
}

// Unconfirmed coins only when asked for, our own change before others'.
func TestMinConfs(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 100_000)
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(10_000), FeeRate: 253, MinConfs: 1, Now: testNow}, "")
	require.NoError(t, err)
	b.apply(fx)
	b.apply(b.w.Seen(b.pay(b.address(keys.P2WKH).PkScript, 50_000), testNow))

	_, err = b.w.Plan(FundRequest{Outputs: payTo(10_000), FeeRate: 253, MinConfs: 1, Now: testNow})
	require.Error(t, err)
	next, err := b.w.Plan(FundRequest{Outputs: payTo(10_000), FeeRate: 253, Now: testNow})
	require.NoError(t, err)
	require.Len(t, next.Tx.TxIn, 1)
	require.Equal(t, f.Tx.TxHash(), next.Tx.TxIn[0].PreviousOutPoint.Hash, "our own change")
	next, err = b.w.Plan(FundRequest{Outputs: payTo(100_000), FeeRate: 253, Now: testNow})
	require.NoError(t, err)
	require.Len(t, next.Tx.TxIn, 2)
}

// Coinbases wait for 100 confirmations.
func TestCoinbaseMaturity(t *testing.T) {
	b := newBench(t)
	b.fast = true
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}})
	tx.AddTxOut(wire.NewTxOut(50_000, b.address(keys.P2WKH).PkScript))
	b.mine(tx)
	b.mineEmpty(98)
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Immature)
	_, err := b.w.Plan(FundRequest{Outputs: payTo(10_000), FeeRate: 253, Now: testNow})
	require.Error(t, err)
	b.mine()
	require.EqualValues(t, 50_000, b.w.Balance(0, 1, testNow).Confirmed)
	_, err = b.w.Plan(FundRequest{Outputs: payTo(10_000), FeeRate: 253, Now: testNow})
	require.NoError(t, err)
}

func TestDustLimits(t *testing.T) {
	p2pkh := append(append([]byte{0x76, 0xa9, 20}, make([]byte, 20)...), 0x88, 0xac)
	p2sh := append(append([]byte{0xa9, 20}, make([]byte, 20)...), 0x87)
	for want, script := range map[lnwire.Sat][]byte{
		546: p2pkh,
		540: p2sh,
		294: elsewhere(1),
		330: append([]byte{0, 32}, make([]byte, 32)...),
		240: {0x51, 2, 0x4e, 0x73},
		0:   {0x6a, 1, 1},
	} {
		require.Equal(t, want, DustLimit(script))
	}
	require.EqualValues(t, 330, DustLimit(append([]byte{0x51, 32}, make([]byte, 32)...)))
}

// What is chosen reaches the target; and if any coins at all need no change, the
// tightest are found.
func TestChoose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var coins []*CoinRow
		for i := range rapid.IntRange(1, 12).Draw(t, "coins") {
			coins = append(coins, &CoinRow{
				OutPoint: wire.OutPoint{Index: uint32(i)},
				Value:    lnwire.Sat(rapid.Int64Range(1, 5000).Draw(t, "value")),
				Key:      keys.CoinLoc{Account: keys.P2WKH},
			})
		}
		rate := lnwire.SatPerKW(rapid.Uint32Range(253, 3000).Draw(t, "rate"))
		list := candidates(coins, rate)
		tgt := target{
			need:   lnwire.Sat(rapid.Int64Range(1, 20_000).Draw(t, "need")),
			change: feeFor(rate, scale*changeSize), dust: 330, spend: feeFor(rate, inputWeight(formP2TR)),
		}
		strategy := Strategy(rapid.IntRange(0, 2).Draw(t, "strategy"))
		picked, err := choose(list, tgt, strategy, [32]byte{1})
		if worthOf(list) < tgt.need {
			var poor *InsufficientFunds
			require.ErrorAs(t, err, &poor)
			return
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, worthOf(picked), tgt.need)
		seen := map[wire.OutPoint]bool{}
		for _, c := range picked {
			require.False(t, seen[c.coin.OutPoint])
			seen[c.coin.OutPoint] = true
		}
		if strategy != BestFit {
			return
		}
		// Every subset: if any fits without change, the tightest was found.
		best, found := lnwire.Sat(0), false
		for set := range 1 << len(list) {
			sum := lnwire.Sat(0)
			for i := range list {
				if set>>i&1 == 1 {
					sum += list[i].worth
				}
			}
			if sum >= tgt.need && sum <= tgt.need+tgt.change+tgt.spend && (!found || sum < best) {
				best, found = sum, true
			}
		}
		if found {
			require.Equal(t, best, worthOf(picked))
		}
	})
}

// When nothing fits exactly: the smallest coin that is enough, or the largest first.
func TestChooseOne(t *testing.T) {
	var coins []*CoinRow
	for i, value := range []lnwire.Sat{500_000, 90_000, 200_000, 70_000, 60_000} {
		coins = append(coins, &CoinRow{OutPoint: wire.OutPoint{Index: uint32(i)}, Value: value, Key: keys.CoinLoc{Account: keys.P2WKH}})
	}
	list := candidates(coins, 253)
	values := func(strategy Strategy, need lnwire.Sat) (v []lnwire.Sat) {
		picked, err := choose(list, target{need: need, change: 50, dust: 330, spend: 60}, strategy, [32]byte{})
		require.NoError(t, err)
		for _, c := range picked {
			v = append(v, c.coin.Value)
		}
		return v
	}
	require.Equal(t, []lnwire.Sat{200_000}, values(BestFit, 100_000))
	require.Equal(t, []lnwire.Sat{60_000}, values(BestFit, 10_000))
	require.Equal(t, []lnwire.Sat{500_000, 200_000}, values(BestFit, 600_000))
	require.Equal(t, []lnwire.Sat{500_000}, values(LargestFirst, 10_000))
	require.Equal(t, -1, lastEnough(list, 600_000))
}

type awaySigner struct{}

func (awaySigner) SignCoins([]keys.CoinJob) ([]lnwire.Sig, bool) { return nil, false }
func (awaySigner) Sign([]keys.SignJob) ([]lnwire.Sig, bool)      { return nil, false }

func BenchmarkSelect2000(b *testing.B) {
	for _, v := range []struct {
		name string
		need lnwire.Sat
	}{{"small", 30_000}, {"large", 150_000_000}} {
		b.Run(v.name, func(b *testing.B) {
			w := walletWith(b, 2000)
			req := FundRequest{Outputs: payTo(v.need), FeeRate: 1000, MinConfs: 1, Now: testNow}
			for b.Loop() {
				if _, err := w.Plan(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A full block in which nothing is ours.
func BenchmarkConnectBlock(b *testing.B) {
	w := walletWith(b, 2000)
	block := Block{At: lnwire.BlockRef{Height: 2}, Time: testNow}
	for i := range uint32(4000) {
		tx := wire.NewMsgTx(2)
		for j := range uint32(2) {
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: [32]byte{byte(i), byte(i >> 8)}, Index: j}})
			tx.AddTxOut(wire.NewTxOut(int64(i), elsewhere(byte(i+j))))
		}
		block.Txs = append(block.Txs, tx)
	}
	for b.Loop() {
		block.At.Height++
		w.Connect(block)
	}
}

// walletWith is a wallet with that many coins of many values.
func walletWith(t testing.TB, n int) *Wallet {
	w, err := Load(testConfig, Rows{})
	require.NoError(t, err)
	a, _, err := w.NextAddress(AccountID{Kind: keys.P2WKH}, keys.External)
	require.NoError(t, err)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 5}})
	for i := range n {
		tx.AddTxOut(wire.NewTxOut(10_000+int64(i*i)%100_003*7, a.PkScript))
	}
	w.Connect(Block{At: lnwire.BlockRef{Height: 1, Hash: [32]byte{1}}, Time: testNow, Txs: []*wire.MsgTx{tx}})
	return w
}
