package wallet

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

var (
	peerRing = func() *keys.Ring {
		ring, err := keys.NewRing([]byte("another 16 bytes"), keys.CoinTest)
		if err != nil {
			panic(err)
		}
		return ring
	}()
	ourLocs, peerLocs = keys.ChannelLocs(1), keys.ChannelLocs(4)
	testPreimage      = lnwire.Preimage{1, 2, 3}
)

const (
	testDelay  = 5
	testExpiry = 40
)

// closed is a commitment with HTLCs each way, two of them with one hash, made by commitment and keys alone.
func closed(t testing.TB, format commitment.Format, weOwn bool) *commitment.Commitment {
	t.Helper()
	ours, err := testRing.Basepoints(ourLocs)
	require.NoError(t, err)
	theirs, err := peerRing.Basepoints(peerLocs)
	require.NoError(t, err)
	p := &commitment.Params{
		Format: format, Funding: wire.OutPoint{Hash: sha256.Sum256([]byte("funding"))}, Capacity: 1_000_000,
		OwnerIsFunder: true, Owner: ours, Other: theirs, DustLimit: 354, ToSelfDelay: testDelay,
	}
	point := testRing.Point(ourLocs.Root, 3)
	if !weOwn {
		p.Owner, p.Other = theirs, ours
		point = peerRing.Point(peerLocs.Root, 3)
	}
	c, err := commitment.Build(p, 3, point, commitment.Spec{
		FeeRate: 1000, ToOwner: 401_000_000, ToOther: 300_000_000,
		HTLCs: []commitment.HTLC{
			{Ref: htlc.Ref{ID: 1}, Offered: true, Amount: 100_000_000, Expiry: testExpiry, Hash: testPreimage.Hash()},
			{Ref: htlc.Ref{ID: 2}, Offered: false, Amount: 100_000_000, Expiry: testExpiry + 3, Hash: testPreimage.Hash()},
			{Ref: htlc.Ref{ID: 3}, Offered: false, Amount: 99_000_000, Expiry: testExpiry + 3, Hash: testPreimage.Hash()},
		},
	})
	require.NoError(t, err)
	return c
}

// ourSpends are all spends that are ours of a commitment.
func ourSpends(t testing.TB, format commitment.Format, weOwn, revoked bool) (*commitment.Commitment, []commitment.Spend) {
	t.Helper()
	c := closed(t, format, weOwn)
	var spends []commitment.Spend
	add := func(s commitment.Spend, ok bool) {
		if ok {
			spends = append(spends, s)
		}
	}
	switch {
	case weOwn:
		theirSigs, ok := peerRing.Sign(c.SignJobs(peerLocs))
		require.True(t, ok)
		add(c.OwnerMain(ourLocs))
		for i := range c.HTLCs {
			add(c.OwnerHTLC(i, ourLocs, theirSigs[1+i], &testPreimage))
			add(c.OwnerSecond(i, wire.OutPoint{Hash: c.HTLCs[i].Second.TxHash()}, ourLocs), true)
		}
		add(c.OwnerAnchor(ourLocs))
	case revoked:
		secret := peerRing.Secret(peerLocs.Root, 3)
		add(c.OtherMain(ourLocs))
		spends = append(spends, c.Punish(ourLocs, secret)...)
		for i := range c.HTLCs {
			spends = append(spends, c.PunishSeconds(c.HTLCs[i].Second, ourLocs, secret)...)
		}
	default:
		add(c.OtherMain(ourLocs))
		for i := range c.HTLCs {
			add(c.OtherHTLC(i, ourLocs, &testPreimage))
		}
		add(c.OtherAnchor(ourLocs))
	}
	return c, spends
}

// newSweepBench has coins in the wallet that can help to pay.
func newSweepBench(t testing.TB) *bench {
	b := newBench(t)
	b.fast = true
	for range 6 {
		b.deposit(keys.P2TR, 100_000)
	}
	b.out = nil
	return b
}

// spender is the last published transaction that spends an outpoint.
func (b *bench) spender(op wire.OutPoint) *wire.MsgTx {
	for i := len(b.out) - 1; i >= 0; i-- {
		for _, in := range b.out[i].TxIn {
			if in.PreviousOutPoint == op {
				return b.out[i]
			}
		}
	}
	return nil
}

// prevouts of a sweep: the requests' and the wallet's.
func (b *bench) prevouts(spends []commitment.Spend) map[wire.OutPoint]*wire.TxOut {
	m := map[wire.OutPoint]*wire.TxOut{}
	for op, c := range b.w.coins {
		m[op] = wire.NewTxOut(int64(c.Value), c.PkScript)
	}
	for _, s := range spends {
		m[s.OutPoint] = &s.Output
	}
	return m
}

// Every kind of output of every kind of closed channel comes home, by scripts that
// run, at its time and not before.
func TestSweepEveryKind(t *testing.T) {
	seen := map[commitment.SpendKind]bool{}
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		for _, how := range []struct{ weOwn, revoked bool }{{true, false}, {false, false}, {false, true}} {
			c, spends := ourSpends(t, format, how.weOwn, how.revoked)
			for _, spend := range spends {
				name := fmt.Sprintf("format %d own %v revoked %v kind %d", format, how.weOwn, how.revoked, spend.Kind)
				t.Run(name, func(t *testing.T) { sweepOne(t, c, spend) })
				seen[spend.Kind] = true
			}
		}
	}
	any := closed(t, commitment.Anchors, true)
	for _, spend := range any.AnyAnchors() {
		t.Run("any anchor", func(t *testing.T) { sweepOne(t, any, spend) })
		seen[spend.Kind] = true
	}
	require.Len(t, seen, 13)
}

func sweepOne(t *testing.T, c *commitment.Commitment, spend commitment.Spend) {
	b := newSweepBench(t)
	at := b.mine(c.Tx)
	req := SweepRequest{Spend: spend, Confirmed: at.Height}
	if spend.Output.Value == 330 {
		// An anchor is not worth its fee: for its own sake it stays, forced it goes.
		req.Budget = 2000
		req.Force = true
	}
	fx := b.s.Request(req)
	require.Equal(t, []Watched{{OutPoint: spend.OutPoint, PkScript: spend.Output.PkScript}}, fx.WatchSpent)
	b.apply(fx)
	b.apply(b.s.Decide(b.fees, b.now))

	first := max(at.Height, lnwire.Height(spend.LockTime)+1)
	if seq := spend.Sequence; seq < wire.SequenceLockTimeDisabled {
		first = max(first, at.Height+lnwire.Height(seq))
	}
	for b.w.height()+1 < first {
		require.Nil(t, b.spender(spend.OutPoint), "too early at %d, first is %d", b.w.height(), first)
		b.mine()
	}
	tx := b.spender(spend.OutPoint)
	require.NotNil(t, tx, "at %d", b.w.height())
	require.LessOrEqual(t, lnwire.Height(tx.LockTime), b.w.height())
	requireValid(t, tx, b.prevouts([]commitment.Spend{spend}))
	if spend.Pair != nil {
		require.Equal(t, spend.OutPoint, tx.TxIn[0].PreviousOutPoint)
		require.Equal(t, spend.Pair, tx.TxOut[0])
	}
	pending := b.s.Pending()
	require.Len(t, pending, 1)
	require.Equal(t, tx.TxHash(), pending[0].Txid)
	require.Equal(t, first, pending[0].Maturity)

	row, ok := b.w.Tx(tx.TxHash())
	require.True(t, ok)
	require.True(t, row.Sweep && row.FeeKnown)
	require.GreaterOrEqual(t, row.Fee, feeFor(1000, trueWeight(tx)))
	require.LessOrEqual(t, row.Fee, feeFor(1000, trueWeight(tx)+8)+1)

	b.mine(tx)
	require.True(t, contains[Swept](b.told))
	require.False(t, contains[SweepLost](b.told))
	require.Empty(t, b.s.Pending())
	require.Equal(t, b.w.height(), b.w.coins[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(len(tx.TxOut) - 1)}].At.Height)
}

// All that is free at once and that nobody contests goes in one transaction.
func TestSweepTogether(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, false, false)
	at := b.mine(c.Tx)
	for _, s := range spends {
		b.apply(b.s.Request(SweepRequest{Spend: s, Confirmed: at.Height}))
	}
	b.mineEmpty(testExpiry)
	for _, s := range spends {
		if s.Output.Value == 330 {
			require.Nil(t, b.spender(s.OutPoint), "an anchor is not worth it")
			continue
		}
		require.NotNil(t, b.spender(s.OutPoint))
	}
	tx := b.spender(spends[0].OutPoint)
	requireValid(t, tx, b.prevouts(spends))
	require.Contains(t, b.told, Notice(SweepHeld{OutPoint: spends[len(spends)-1].OutPoint, Why: "it costs more than its budget at the present fee rate"}))
}

// HTLC transactions go together only where the other side's signatures allow it: with
// one lock time. What helps to pay signs for all of them.
func TestSweepPairsByLockTime(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	at := b.mine(c.Tx).Height
	b.mineEmpty(testExpiry)
	txs := map[*wire.MsgTx]int{}
	var reqs []SweepRequest
	for _, s := range spends {
		if s.Pair != nil {
			reqs = append(reqs, SweepRequest{Spend: s, Confirmed: at, Deadline: at + 200})
		}
	}
	require.Len(t, reqs, 3)
	b.ask(reqs...)
	for _, r := range reqs {
		tx := b.spender(r.Spend.OutPoint)
		require.NotNil(t, tx)
		requireValid(t, tx, b.prevouts(spends))
		txs[tx]++
	}
	require.Len(t, txs, 2)
}
