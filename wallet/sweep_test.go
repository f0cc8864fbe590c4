package wallet

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// plain is an output of the simplest kind that comes back to us: to_remote.
func (b *bench) plain(value lnwire.Sat) commitment.Spend {
	key, err := testRing.PubKey(ourLocs.Payment)
	require.NoError(b.t, err)
	return commitment.Spend{
		Kind: commitment.SpendOtherMain, OutPoint: b.foreign(), Output: *wire.NewTxOut(int64(value), p2wkhScript(key)),
		Sequence: wire.MaxTxInSequenceNum - 2, Key: ourLocs.Payment, PubKey: key, WitnessWeight: 108,
	}
}

// ask makes requests and decides.
func (b *bench) ask(reqs ...SweepRequest) {
	fx := b.s.Request(reqs...)
	fx.Append(b.s.Decide(b.fees, b.now))
	b.apply(fx)
}

func (b *bench) rowOf(t require.TestingT, tx *wire.MsgTx) TxRow {
	require.NotNil(t, tx)
	row, ok := b.w.Tx(tx.TxHash())
	require.True(t, ok)
	return row
}

// steal is a transaction of somebody else's that spends outpoints.
func steal(script []byte, ops ...wire.OutPoint) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, op := range ops {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
	}
	tx.AddTxOut(wire.NewTxOut(500, script))
	return tx
}

// An adversary spends one of forty contested outputs with every block: what is left
// is published anew with the same block, never for less per weight, and all of it is
// found in valid transactions (V-07).
func TestSweepReplacementStalling(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	var reqs []SweepRequest
	for range 40 {
		reqs = append(reqs, SweepRequest{Spend: b.plain(20_000), Confirmed: at, Deadline: at + 60})
	}
	b.ask(reqs...)
	rate := lnwire.SatPerKW(0)
	for i, victim := range reqs[:30] {
		left := reqs[i:]
		tx := b.spender(victim.Spend.OutPoint)
		require.Len(t, tx.TxIn, len(left))
		row := b.rowOf(t, tx)
		now := rateOf(row.Fee, trueWeight(tx))
		require.GreaterOrEqual(t, now+1, rate)
		rate = now
		requireValid(t, tx, b.prevouts(spendsOf(left)))
		b.mine(steal(elsewhere(3), victim.Spend.OutPoint))
		require.NotEqual(t, tx, b.spender(left[1].Spend.OutPoint), "rebuilt with the block")
		require.Len(t, b.s.Pending(), len(left)-1)
	}
	require.Greater(t, rate, lnwire.SatPerKW(10_000), "and for more, as the deadline comes near")
}

func spendsOf(reqs []SweepRequest) (spends []commitment.Spend) {
	for _, r := range reqs {
		spends = append(spends, r.Spend)
	}
	return spends
}

// One transaction takes outputs of two of our batches: both are rebuilt (V-04, V-09).
// That it pays us too does not make it ours (V-19).
func TestSweepStolenFromTwoBatches(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	var reqs []SweepRequest
	for i := range 6 {
		reqs = append(reqs, SweepRequest{Spend: b.plain(20_000), Confirmed: at, Deadline: at + 50 + lnwire.Height(i%2)})
	}
	b.ask(reqs...)
	first, second := b.spender(reqs[0].Spend.OutPoint), b.spender(reqs[1].Spend.OutPoint)
	require.NotEqual(t, first, second)

	thief := steal(first.TxOut[0].PkScript, reqs[0].Spend.OutPoint, reqs[1].Spend.OutPoint, reqs[3].Spend.OutPoint)
	b.told = nil
	ref := b.mine(thief)
	for _, i := range []int{0, 1, 3} {
		require.Contains(t, b.told, Notice(SweepLost{OutPoint: reqs[i].Spend.OutPoint, By: thief.TxHash(), At: ref}))
	}
	require.False(t, contains[Swept](b.told))
	for _, i := range []int{2, 4, 5} {
		tx := b.spender(reqs[i].Spend.OutPoint)
		require.NotEqual(t, first, tx)
		require.NotEqual(t, second, tx)
		requireValid(t, tx, b.prevouts(spendsOf(reqs)))
	}
	// The two given up are gone from the wallet.
	_, ok := b.w.Tx(first.TxHash())
	require.False(t, ok)
}

// As the deadline nears, every block brings a replacement that pays more, by the
// rules of BIP 125, up to the budget in the last block and not beyond.
func TestSweepRaisesToTheBudget(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(100_000), Confirmed: at, Deadline: at + 20, Budget: 30_000}
	b.ask(req)
	fee, weight := lnwire.Sat(0), int64(0)
	for b.w.height() < req.Deadline {
		row := b.rowOf(t, b.spender(req.Spend.OutPoint))
		require.LessOrEqual(t, row.Fee, req.Budget)
		if fee > 0 && row.Fee != fee {
			require.GreaterOrEqual(t, row.Fee, fee+feeFor(incrementalFee, weight))
		}
		require.GreaterOrEqual(t, row.Fee, fee)
		fee, weight = row.Fee, trueWeight(row.Tx)
		b.mine()
	}
	row := b.rowOf(t, b.spender(req.Spend.OutPoint))
	require.InDelta(t, float64(req.Budget), float64(row.Fee), 2)
	require.Greater(t, b.s.Pending()[0].Attempts, 15)
	require.Greater(t, fee, req.Budget*9/10, "a straight line")

	// After it the last version stands.
	b.mineEmpty(3)
	require.Equal(t, row.Txid, b.spender(req.Spend.OutPoint).TxHash())
}

// The estimate falls and the transaction must be built anew: what was offered before
// is offered again (V-07).
func TestSweepNeverLess(t *testing.T) {
	b := newSweepBench(t)
	b.fees = Fees{{1, 5000}}
	at := b.mine().Height
	reqs := []SweepRequest{{Spend: b.plain(100_000), Confirmed: at, Deadline: at + 50}, {Spend: b.plain(100_000), Confirmed: at}}
	b.ask(reqs...)
	b.fees = Fees{{1, 253}}
	for _, r := range reqs {
		b.apply(b.s.Rejected(b.spender(r.Spend.OutPoint).TxHash(), chainntnfs.RejectConflict, b.now))
	}
	b.out = nil
	b.apply(b.s.Decide(b.fees, b.now))
	for i, r := range reqs {
		require.NotNil(t, b.spender(r.Spend.OutPoint))
		require.GreaterOrEqual(t, b.s.Pending()[i].Rate, lnwire.SatPerKW(5000))
		row := b.rowOf(t, b.spender(r.Spend.OutPoint))
		require.GreaterOrEqual(t, row.Fee, feeFor(5000, trueWeight(row.Tx)))
	}
}

// Without a deadline a sweep is cheap, follows the estimate up in steps, never down.
func TestSweepWithoutHurry(t *testing.T) {
	b := newSweepBench(t)
	b.fees = Fees{{1, 5000}, {6, 3000}, {144, 500}}
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(100_000), Confirmed: at}
	b.ask(req)
	first := b.spender(req.Spend.OutPoint)
	require.Equal(t, lnwire.SatPerKW(500), b.s.Pending()[0].Rate)
	b.fees = Fees{{1, 300}}
	b.mineEmpty(3)
	require.Equal(t, first, b.spender(req.Spend.OutPoint))
	b.fees = Fees{{1, 600}}
	b.mineEmpty(3)
	require.Equal(t, first, b.spender(req.Spend.OutPoint), "less than a quarter more")
	b.fees = Fees{{1, 900}}
	b.mine()
	require.GreaterOrEqual(t, b.s.Pending()[0].Rate, lnwire.SatPerKW(900))
	b.fees = Fees{{1, 5000}, {6, 3000}, {144, 900}}
	b.mineEmpty(140)
	require.GreaterOrEqual(t, b.s.Pending()[0].Rate, lnwire.SatPerKW(3000), "patience has an end")
}

// What costs more than its budget waits until it is cheaper.
func TestSweepUneconomic(t *testing.T) {
	b := newSweepBench(t)
	b.fees = Fees{{1, 20_000}}
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(9_000), Confirmed: at}
	b.ask(req)
	require.Nil(t, b.spender(req.Spend.OutPoint))
	require.True(t, contains[SweepHeld](b.told))
	require.NotEmpty(t, b.s.Pending()[0].Held)
	told := len(b.told)
	b.mineEmpty(3)
	require.Len(t, b.told, told, "told once")
	b.fees = Fees{{1, 1000}}
	b.mine()
	require.NotNil(t, b.spender(req.Spend.OutPoint))
	require.Empty(t, b.s.Pending()[0].Held)
}

// With a deadline, it is sent for what its budget pays; and it does not keep others
// from going.
func TestSweepPoorWithDeadline(t *testing.T) {
	b := newSweepBench(t)
	b.fees = Fees{{1, 10_000}}
	at := b.mine().Height
	poor := SweepRequest{Spend: b.plain(5_000), Confirmed: at, Deadline: at + 30}
	rich := SweepRequest{Spend: b.plain(500_000), Confirmed: at, Deadline: at + 30}
	b.ask(poor, rich)
	require.NotEqual(t, b.spender(poor.Spend.OutPoint), b.spender(rich.Spend.OutPoint))
	row := b.rowOf(t, b.spender(poor.Spend.OutPoint))
	require.LessOrEqual(t, row.Fee, lnwire.Sat(2_500))
	require.Greater(t, row.Fee, lnwire.Sat(2_400))
	b.rowOf(t, b.spender(rich.Spend.OutPoint))
}

// After a restart the same requests find what was published: nothing goes out under
// a new id, and the fee goes on from where it was.
func TestSweepRestart(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	reqs := []SweepRequest{
		{Spend: b.plain(100_000), Confirmed: at, Deadline: at + 30},
		{Spend: b.plain(50_000), Confirmed: at, Deadline: at + 30},
	}
	b.ask(reqs...)
	b.mineEmpty(5)
	before := b.s.Pending()
	tx := b.spender(reqs[0].Spend.OutPoint)

	b.restart()
	require.Equal(t, []*wire.MsgTx{tx}, b.w.Resumed().Publish)
	b.out = nil
	b.ask(reqs...)
	require.Empty(t, b.out)
	after := b.s.Pending()
	for i := range after {
		require.Equal(t, before[i].Txid, after[i].Txid)
		require.InEpsilon(t, float64(before[i].Rate), float64(after[i].Rate), 0.01)
	}
	b.mineEmpty(8)
	next := b.spender(reqs[0].Spend.OutPoint)
	require.Len(t, next.TxIn, 2)
	require.NotEqual(t, tx.TxHash(), next.TxHash())
	require.Greater(t, b.rowOf(t, next).Fee, feeFor(incrementalFee, 600))
	require.Equal(t, tx.TxOut[0].PkScript, next.TxOut[0].PkScript, "to the same address")

	// Mined, and restarted: it is known to be done.
	b.mine(next)
	b.restart()
	b.out = nil
	b.ask(reqs...)
	require.Empty(t, b.out)
	require.Empty(t, b.s.Pending())
}

// An earlier version may be mined after all: it is ours, and known as such.
func TestSweepEarlierVersionMined(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(100_000), Confirmed: at, Deadline: at + 10}
	b.ask(req)
	early := b.spender(req.Spend.OutPoint)
	fee := b.rowOf(t, early).Fee
	b.mineEmpty(3)
	require.NotEqual(t, early, b.spender(req.Spend.OutPoint))
	b.mine(early)
	require.True(t, contains[Swept](b.told))
	row := b.rowOf(t, early)
	require.True(t, row.Sweep && row.FeeKnown && row.Label == sweepLabel)
	require.Equal(t, fee, row.Fee)
	require.Empty(t, b.s.flights)
}

// A reorg makes open again what was done, ours and others'.
func TestSweepReorg(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	reqs := []SweepRequest{{Spend: b.plain(100_000), Confirmed: at}, {Spend: b.plain(50_000), Confirmed: at, Deadline: at + 90}}
	b.ask(reqs...)
	ours := b.spender(reqs[0].Spend.OutPoint)
	b.mine(ours, steal(elsewhere(1), reqs[1].Spend.OutPoint))
	require.Empty(t, b.s.Pending())
	b.out = nil
	b.reorg(1)
	require.Len(t, b.s.Pending(), 2)
	b.mine()
	require.Equal(t, ours, b.spender(reqs[0].Spend.OutPoint), "published again, not built again")
	again := b.spender(reqs[1].Spend.OutPoint)
	require.NotNil(t, again)
	b.mine(ours, again)
	require.Empty(t, b.s.Pending())
	b.mineEmpty(keepDepth)
	require.Empty(t, b.s.requests)
}

// A sweep whose claim was withdrawn while a block held it is given up when that block goes,
// whatever happened in between; the claim may come again.
func TestSweepForsaken(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := newSweepBench(t)
		before := b.w.Balance(0, 0, b.now)
		req := SweepRequest{Spend: b.plain(100_000), Confirmed: b.mine().Height}
		b.ask(req)
		b.mine(b.spender(req.Spend.OutPoint))
		if b.s.Cancel(req.Spend.OutPoint); restart {
			b.restart()
		}
		b.reorg(1)
		require.Empty(t, b.w.spends, "nothing waits to be mined")
		require.Equal(t, before, b.w.Balance(0, 0, b.now))
		b.out = nil
		b.ask(req)
		b.mine(b.spender(req.Spend.OutPoint))
		require.Empty(t, b.s.Pending())
	}
}

// An HTLC transaction that pays no fee by itself waits for coins that do.
func TestSweepPairWaitsForCoins(t *testing.T) {
	b := newBench(t)
	b.fast = true
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	at := b.mine(c.Tx).Height
	var pair commitment.Spend
	for _, s := range spends {
		if s.Kind == commitment.SpendOwnerSuccess {
			pair = s
		}
	}
	b.ask(SweepRequest{Spend: pair, Confirmed: at, Deadline: at + 40})
	require.Nil(t, b.spender(pair.OutPoint))
	require.Contains(t, b.s.Pending()[0].Held, "insufficient funds")
	b.deposit(keys.P2WKH, 60_000)
	tx := b.spender(pair.OutPoint)
	require.NotNil(t, tx)
	requireValid(t, tx, b.prevouts(spends))
	b.mine()
	bumped := b.spender(pair.OutPoint)
	require.NotEqual(t, tx, bumped)
	require.Equal(t, tx.TxIn[1].PreviousOutPoint, bumped.TxIn[1].PreviousOutPoint, "the only coin, taken again")
	requireValid(t, bumped, b.prevouts(spends))
}

// An anchor lifts its unconfirmed commitment to the rate that is needed, with coins
// of the wallet, and within the budget.
func TestSweepAnchorLiftsParent(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	anchor := last(t, spends)
	require.Equal(t, commitment.SpendOwnerAnchor, anchor.Kind)
	parent := &Parent{Weight: c.Weight(), Fee: feeFor(300, c.Weight())}
	b.fees = Fees{{1, 2000}}
	b.ask(SweepRequest{Spend: anchor, Group: 1, Deadline: 100, Budget: 20_000, Parent: parent})
	tx := b.spender(anchor.OutPoint)
	require.NotNil(t, tx)
	requireValid(t, tx, b.prevouts(spends))
	row := b.rowOf(t, tx)
	package_ := rateOf(row.Fee+parent.Fee, trueWeight(tx)+parent.Weight)
	require.InDelta(t, 2000, float64(package_), 25)
	require.LessOrEqual(t, row.Fee, lnwire.Sat(20_000))

	// Once the commitment is mined, the anchor is an output like any other.
	b.mine(c.Tx)
	require.Nil(t, b.s.requests[anchor.OutPoint].Parent)
}

// The peer's commitment may leave the mempools, and nobody here publishes it: what was to
// lift it holds no coins between two tries.
func TestSweepAnchorOfWhatIsGone(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	anchor := last(t, spends)
	anchor.Kind = commitment.SpendOtherAnchor
	b.fees = Fees{{1, 2000}}
	b.ask(SweepRequest{Spend: anchor, Group: 1, Deadline: 100, Budget: 20_000, Parent: &Parent{Weight: c.Weight(), Fee: feeFor(300, c.Weight())}})
	for range 3 {
		tx := b.spender(anchor.OutPoint)
		b.apply(b.s.Rejected(tx.TxHash(), chainntnfs.RejectMissingInputs, b.now))
		require.Empty(t, b.w.spends)
		require.Contains(t, b.s.Pending()[0].Held, "does not have")
		b.mine()
	}
	require.NotNil(t, b.spender(anchor.OutPoint))
}

// A commitment that pays enough is not lifted.
func TestSweepAnchorNotNeeded(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	anchor := last(t, spends)
	b.ask(SweepRequest{Spend: anchor, Budget: 20_000, Parent: &Parent{Weight: c.Weight(), Fee: feeFor(3000, c.Weight())}})
	require.Nil(t, b.spender(anchor.OutPoint))
	require.Equal(t, "its parent pays enough by itself", b.s.Pending()[0].Held)
	b.s.ParentMined(c.Txid, 1) // in a block that was taken in before
	require.Empty(t, b.s.Pending())
}

// What was spent in a block that was taken in before it was asked for is not tried for ever.
func TestSweepTakenBefore(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine()
	coin := b.plain(50_000)
	thief := wire.NewMsgTx(2)
	thief.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, nil))
	b.ask(SweepRequest{Spend: coin, Confirmed: at.Height})
	require.Len(t, b.s.Pending(), 1)
	require.NotNil(t, b.spender(coin.OutPoint))
	b.s.Taken(thief, at)
	b.s.Decide(b.fees, b.now)
	require.Empty(t, b.s.Pending())
	require.Empty(t, b.w.spends, "our sweep can never be mined: what it holds of the wallet is free again")
	b.s.Disconnect(lnwire.BlockRef{Height: at.Height - 1})
	require.Len(t, b.s.Pending(), 1, "the block left the chain")
}

// Requests of a group, and urgent ones, go alone.
func TestSweepAlone(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	reqs := []SweepRequest{
		{Spend: b.plain(50_000), Confirmed: at, Group: 9},
		{Spend: b.plain(50_000), Confirmed: at, Group: 9},
		{Spend: b.plain(50_000), Confirmed: at, Deadline: at + urgentBlocks},
		{Spend: b.plain(50_000), Confirmed: at, Deadline: at + urgentBlocks},
		{Spend: b.plain(50_000), Confirmed: at},
		{Spend: b.plain(50_000), Confirmed: at},
	}
	b.ask(reqs...)
	ids := map[string]bool{}
	for _, r := range reqs {
		ids[b.spender(r.Spend.OutPoint).TxHash().String()] = true
	}
	require.Len(t, ids, 5)
}

// The network's refusals: too little fee is raised at once until the budget ends,
// what cannot be is taken apart and tried again with the next block.
func TestSweepRejected(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(50_000), Confirmed: at}
	b.ask(req)
	op := req.Spend.OutPoint
	fee := b.rowOf(t, b.spender(op)).Fee
	for range 100 {
		b.apply(b.s.Rejected(b.spender(op).TxHash(), chainntnfs.RejectFeeTooLow, b.now))
	}
	row := b.rowOf(t, b.spender(op))
	require.Greater(t, row.Fee, 10*fee)
	require.LessOrEqual(t, row.Fee, lnwire.Sat(25_000))
	require.Less(t, b.s.Pending()[0].Attempts, 30)

	b.apply(b.s.Rejected(row.Txid, chainntnfs.RejectNotFinal, b.now))
	b.rowOf(t, b.spender(op))
	b.apply(b.s.Rejected(row.Txid, chainntnfs.RejectMissingInputs, b.now))
	_, ok := b.w.Tx(row.Txid)
	require.False(t, ok)
	require.Contains(t, b.s.Pending()[0].Held, "inputs missing")
	require.Empty(t, b.s.Rejected(row.Txid, chainntnfs.RejectOther, b.now))
	b.out = nil
	b.mine()
	require.NotNil(t, b.spender(op))
}

// The user raises a sweep, gives it a deadline, or gives up the transaction.
func TestSweepBump(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	req := SweepRequest{Spend: b.plain(50_000), Confirmed: at}
	b.ask(req)
	op := req.Spend.OutPoint
	fx, known, err := b.s.Bump(op, Bump{Rate: 4000, Budget: 20_000}, b.fees, b.now)
	require.NoError(t, err)
	require.True(t, known)
	b.apply(fx)
	require.EqualValues(t, 4000, b.s.Pending()[0].Rate)
	require.EqualValues(t, 20_000, b.s.Pending()[0].Budget)
	require.EqualValues(t, 4000, b.s.Pending()[0].Requested)
	_, _, err = b.s.Bump(wire.OutPoint{}, Bump{Rate: 4000}, b.fees, b.now)
	require.ErrorIs(t, err, ErrNoSweep)
	fx, _, err = b.s.Bump(op, Bump{Rate: 400_000}, b.fees, b.now)
	require.NoError(t, err, "as far as the budget goes")
	b.apply(fx)
	_, known, err = b.s.Bump(op, Bump{Rate: 400_000}, b.fees, b.now)
	require.ErrorContains(t, err, "budget")
	require.True(t, known)

	tx := b.spender(op)
	fx, err = b.w.Abandon(tx.TxHash())
	require.NoError(t, err)
	b.apply(fx)
	b.out = nil
	b.mine()
	require.NotNil(t, b.spender(op))
	require.GreaterOrEqual(t, b.s.Pending()[0].Rate, lnwire.SatPerKW(4000))

	b.s.Cancel(op)
	require.Empty(t, b.s.Pending())
	require.Empty(t, b.s.flights)
}

// Without a signer nothing is sent, and everything as soon as it is back.
func TestSweepWithoutSigner(t *testing.T) {
	b := newSweepBench(t)
	b.s = NewSweeper(b.w, awaySigner{})
	at := b.mine().Height
	reqs := []SweepRequest{{Spend: b.plain(50_000), Confirmed: at}, {Spend: b.plain(50_000), Confirmed: at}}
	b.ask(reqs...)
	require.Empty(t, b.out)
	require.Contains(t, b.s.Pending()[0].Held, "signer")
	b.s.signer = testRing
	b.mine()
	require.NotNil(t, b.spender(reqs[0].Spend.OutPoint))
}

// Another way to spend a requested output takes the place of the first.
func TestSweepNewFacts(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, false, false)
	at := b.mine(c.Tx).Height
	var timeout commitment.Spend
	for _, s := range spends {
		if s.Kind == commitment.SpendOtherTimeout {
			timeout = s
		}
	}
	punish := c.Punish(ourLocs, peerRing.Secret(peerLocs.Root, 3))
	b.mineEmpty(int(testExpiry))
	b.ask(SweepRequest{Spend: timeout, Confirmed: at})
	first := b.spender(timeout.OutPoint)
	for _, s := range punish {
		if s.OutPoint == timeout.OutPoint {
			b.ask(SweepRequest{Spend: s, Confirmed: at})
			next := b.spender(s.OutPoint)
			require.NotEqual(t, first, next)
			requireValid(t, next, b.prevouts(punish))
		}
	}
}

// Any mix of requests, fees, blocks, thefts, reorgs and restarts: every transaction
// is valid and within its budget, a replacement pays for itself, and in the end, when
// blocks take what is published, nothing is left open.
func TestSweepAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		b.fast = true
		for range 3 {
			b.deposit(keys.P2TR, 50_000)
		}
		var reqs []SweepRequest
		spends := map[wire.OutPoint]commitment.Spend{}
		checked := 0
		t.Repeat(map[string]func(*rapid.T){
			"request": func(t *rapid.T) {
				r := SweepRequest{Spend: b.plain(lnwire.Sat(rapid.Int64Range(400, 200_000).Draw(t, "value"))), Confirmed: b.w.height()}
				if rapid.Bool().Draw(t, "deadline") {
					r.Deadline = b.w.height() + lnwire.Height(rapid.IntRange(1, 20).Draw(t, "in"))
				}
				if rapid.Bool().Draw(t, "csv") {
					r.Spend.Sequence = rapid.Uint32Range(0, 6).Draw(t, "delay")
				}
				reqs = append(reqs, r)
				spends[r.Spend.OutPoint] = r.Spend
				b.ask(r)
			},
			"fees":  func(t *rapid.T) { b.fees = Fees{{1, lnwire.SatPerKW(rapid.Uint32Range(253, 20_000).Draw(t, "rate"))}} },
			"block": func(t *rapid.T) { b.mine() },
			"mine ours": func(t *rapid.T) {
				b.mine(b.w.unmined()...)
			},
			"theft": func(t *rapid.T) {
				if p := b.s.Pending(); len(p) > 0 {
					b.mine(steal(elsewhere(8), rapid.SampledFrom(p).Draw(t, "victim").OutPoint))
				}
			},
			"reorg": func(t *rapid.T) {
				b.reorg(rapid.IntRange(0, min(2, len(b.blocks)-3)).Draw(t, "depth"))
				for i := range reqs { // the channel finds its transaction in another block
					reqs[i].Confirmed = min(reqs[i].Confirmed, b.w.height())
				}
				b.ask(reqs...)
			},
			"restart": func(t *rapid.T) {
				b.restart()
				b.ask(reqs...)
			},
			"": func(t *rapid.T) {
				for ; checked < len(b.out); checked++ {
					checkSweep(t, b, b.out[checked], reqs, spends)
				}
				for _, p := range b.s.Pending() {
					due := p.Maturity != 0 && p.Maturity <= b.w.height()+1
					require.True(t, !due || p.Held != "" || p.Txid != [32]byte{} || b.s.requests[p.OutPoint].Confirmed == 0, "%+v", p)
				}
			},
		})
		b.fees = Fees{{1, 253}}
		for range 30 {
			b.mine(b.w.unmined()...)
		}
		for _, p := range b.s.Pending() {
			require.Less(t, p.Value, lnwire.Sat(600), "%+v", p)
		}
	})
}

func checkSweep(t *rapid.T, b *bench, tx *wire.MsgTx, reqs []SweepRequest, spends map[wire.OutPoint]commitment.Spend) {
	in, budget := lnwire.Sat(0), lnwire.Sat(0)
	outs := map[wire.OutPoint]*wire.TxOut{}
	for _, txIn := range tx.TxIn {
		op := txIn.PreviousOutPoint
		if s, ok := spends[op]; ok {
			outs[op] = &s.Output
			for _, r := range reqs {
				if r.Spend.OutPoint == op {
					budget += (&request{SweepRequest: r}).budget()
				}
			}
		} else {
			c, ok := b.w.Coin(op)
			require.True(t, ok)
			outs[op] = wire.NewTxOut(int64(c.Value), c.PkScript)
		}
		in += lnwire.Sat(outs[op].Value)
	}
	requireValid(t, tx, outs)
	fee := in - valueOf(tx.TxOut)
	require.LessOrEqual(t, fee, budget)
	require.GreaterOrEqual(t, fee, feeFor(lnwire.FeeFloor, trueWeight(tx)))
	for _, o := range tx.TxOut {
		require.GreaterOrEqual(t, lnwire.Sat(o.Value), DustLimit(o.PkScript))
	}
}

// The same events give the same effects, whatever the order of Go's maps.
func TestDeterministic(t *testing.T) {
	story := func() []Effects {
		b := newBench(t)
		b.fast = true
		for i := range 12 {
			b.deposit(keys.Accounts[i%3], lnwire.Sat(40_000+i*1000))
		}
		var reqs []SweepRequest
		for i := range 8 {
			reqs = append(reqs, SweepRequest{Spend: b.plain(30_000), Confirmed: b.w.height(), Deadline: b.w.height() + lnwire.Height(10+i/4)})
		}
		b.ask(reqs...)
		for range 3 {
			_, fx, err := b.w.Send(testRing, FundRequest{Outputs: payTo(60_000), FeeRate: 700, Strategy: Shuffled, Now: testNow}, "")
			require.NoError(t, err)
			b.apply(fx)
		}
		b.mine(steal(elsewhere(1), reqs[0].Spend.OutPoint, reqs[5].Spend.OutPoint))
		b.mine(b.w.unmined()...)
		b.reorg(2)
		b.mineEmpty(4)
		b.restart()
		b.ask(reqs...)
		b.mine(steal(elsewhere(2), reqs[1].Spend.OutPoint))
		return b.seen
	}
	first := story()
	for range 5 {
		require.Equal(t, first, story())
	}
}

// A claim without a deadline that was offered much, together with others that paid for
// it, is not held for ever when it is left alone.
func TestSweepAfterBetterTimes(t *testing.T) {
	b := newBench(t)
	b.fees = Fees{{1, 253}}
	b.mine()
	r := SweepRequest{Spend: b.plain(600), Confirmed: b.w.height()}
	r.Spend.Sequence = 3
	b.ask(r)
	b.s.requests[r.Spend.OutPoint].rate = 1667
	for range 30 {
		b.mine(b.w.unmined()...)
	}
	require.Empty(t, b.s.Pending())
}

// What a user wished of a sweep holds after a restart, published or not; it ends with the
// sweep (V-07).
func TestSweepWishesSurviveRestart(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	ready := SweepRequest{Spend: b.plain(50_000), Confirmed: at}
	later := SweepRequest{Spend: b.plain(60_000), Confirmed: at}
	later.Spend.LockTime = uint32(at + 10)
	b.ask(ready, later)
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(20_000, elsewhere(1))}, FeeRate: 300, Now: b.now}, "")
	require.NoError(t, err)
	b.apply(fx)
	coin := wire.OutPoint{Hash: f.Tx.TxHash(), Index: 1 - f.Outputs[0]}
	for _, op := range []wire.OutPoint{ready.Spend.OutPoint, later.Spend.OutPoint, coin} {
		fx, _, err := b.s.Bump(op, Bump{Rate: 4000, Budget: 20_000, Deadline: at + 500, Alone: true}, b.fees, b.now)
		require.NoError(t, err)
		b.apply(fx)
	}
	before := b.s.Pending()
	for i := range before {
		before[i].Attempts = min(before[i].Attempts, 1) // the others are not remembered
	}
	b.restart()
	published := len(b.out)
	b.ask(ready, later)
	require.Len(t, b.out, published)
	after := b.s.Pending()
	for i := range after {
		require.InEpsilon(t, float64(before[i].Rate), float64(after[i].Rate), 0.01)
		after[i].Rate = before[i].Rate
	}
	require.Equal(t, before, after)
	b.mineEmpty(11)
	row := b.rowOf(t, b.spender(later.Spend.OutPoint))
	require.GreaterOrEqual(t, rateOf(row.Fee, trueWeight(row.Tx)), lnwire.SatPerKW(3990))

	b.s.Cancel(later.Spend.OutPoint) // a reorg
	b.restart()
	b.ask(ready, later)
	require.EqualValues(t, 20_000, b.s.Pending()[0].Budget)
	b.mine(f.Tx, b.spender(ready.Spend.OutPoint), b.spender(later.Spend.OutPoint), b.spender(coin))
	require.Empty(t, b.s.Pending())
	b.mineEmpty(keepDepth)
	require.Empty(t, b.store.wishes)
}

// Of an output that nobody asks for again, nothing is left in the end.
func TestSweepWishesEnd(t *testing.T) {
	b := newSweepBench(t)
	req := SweepRequest{Spend: b.plain(50_000), Confirmed: b.mine().Height}
	b.ask(req)
	fx, _, err := b.s.Bump(req.Spend.OutPoint, Bump{Rate: 4000}, b.fees, b.now)
	require.NoError(t, err)
	b.apply(fx)
	b.s.Cancel(req.Spend.OutPoint)
	b.fast = true
	b.mineEmpty(wishBlocks)
	require.Len(t, b.store.wishes, 1)
	b.mineEmpty(1)
	require.Empty(t, b.store.wishes)
}

// An anchor that is in the chain costs more alone than it brings: it goes along with
// another sweep when that pays, not before, and a wish that was made for its lift counts
// no more.
func TestAnchorGoesAlong(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := newSweepBench(t)
		c, spends := ourSpends(t, commitment.Anchors, true, false)
		lift := SweepRequest{Spend: last(t, spends), Group: 7, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee}, Budget: 330}
		b.ask(lift)
		op := lift.Spend.OutPoint
		fx, _, _ := b.s.Bump(op, Bump{Budget: 50_000}, b.fees, b.now)
		b.apply(fx)
		at := b.mine(c.Tx).Height
		if restart {
			b.restart()
		}
		anchor := SweepRequest{Spend: lift.Spend, Confirmed: at}
		b.fees = Fees{{1, 3000}}
		b.ask(anchor, SweepRequest{Spend: b.plain(100_000), Confirmed: at})
		require.Nil(t, b.spender(op), "it does not pay")
		b.fees = Fees{{1, 500}}
		b.mineEmpty(2)
		require.Nil(t, b.spender(op), "nor alone")
		next := SweepRequest{Spend: b.plain(100_000), Confirmed: at}
		b.ask(next)
		tx := b.spender(op)
		require.NotNil(t, tx)
		require.Equal(t, tx, b.spender(next.Spend.OutPoint))
		requireValid(t, tx, b.prevouts([]commitment.Spend{anchor.Spend, next.Spend}))
		require.Empty(t, b.store.wishes)
	}
}

// A channel tells of a spend that this machine has seen leave the chain already: when the
// claim is made again, it is made (V-09).
func TestTakenAfterTheReorg(t *testing.T) {
	for _, seen := range []bool{false, true} {
		b := newSweepBench(t)
		at := b.mine().Height
		req := SweepRequest{Spend: b.plain(100_000), Confirmed: at}
		thief := steal(elsewhere(3), req.Spend.OutPoint)
		if seen {
			b.ask(req)
		}
		block := b.mine(thief)
		b.reorg(1)
		b.mine()
		if !seen {
			fx := b.s.Request(req)
			b.s.Taken(thief, block)
			fx.Append(b.s.Decide(b.fees, b.now))
			b.apply(fx)
			require.Nil(t, b.spender(req.Spend.OutPoint))
		} else {
			b.s.Taken(thief, block)
		}
		b.out = nil
		b.ask(req)
		b.mine()
		require.NotNil(t, b.w.spends[req.Spend.OutPoint])
		require.Empty(t, b.s.requests[req.Spend.OutPoint].by)
		require.NotNil(t, b.s.requests[req.Spend.OutPoint].flight)
		// What it sees itself stands, whoever asks again.
		b.s.Taken(thief, b.mine(thief))
		b.ask(req)
		require.Empty(t, b.s.Pending())
		fx := b.s.Request(req)
		b.apply(fx)
		require.Empty(t, b.s.Pending())
	}
}
