package wallet

import (
	"cmp"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// V-26: a hundred channels fail together, the blocks are full and their price rises with
// each of them. Whatever is worth more than it costs is home before its deadline.
func TestMassExit(t *testing.T) {
	b := newBench(t)
	b.fast = true
	at := b.mine().Height
	var reqs []SweepRequest
	for i := range 100 {
		reqs = append(reqs, SweepRequest{
			Spend: b.plain(20_000 + lnwire.Sat(i)*1_000), Confirmed: at, Deadline: at + 18 + lnwire.Height(i%3)*12,
		})
	}
	b.fees = Fees{{1, 500}}
	b.ask(reqs...)
	home := map[wire.OutPoint]lnwire.Height{}
	for floor := lnwire.SatPerKW(500); b.w.height() < at+42; floor += 100 {
		b.fees = Fees{{1, floor}}
		block := b.best(t, floor, 5)
		b.mine(block...)
		for _, tx := range block {
			for _, in := range tx.TxIn {
				home[in.PreviousOutPoint] = b.w.height()
			}
		}
	}
	for i, r := range reqs {
		require.Contains(t, home, r.Spend.OutPoint, "claim %d", i)
		require.LessOrEqual(t, home[r.Spend.OutPoint], r.Deadline, "claim %d", i)
	}
}

// best are the transactions of the wallet that a full block has room for.
func (b *bench) best(t *testing.T, floor lnwire.SatPerKW, room int) []*wire.MsgTx {
	txs := b.w.unmined()
	rate := func(tx *wire.MsgTx) lnwire.SatPerKW { return rateOf(b.rowOf(t, tx).Fee, trueWeight(tx)) }
	txs = slices.DeleteFunc(txs, func(tx *wire.MsgTx) bool { return rate(tx) < floor })
	slices.SortStableFunc(txs, func(x, y *wire.MsgTx) int { return cmp.Compare(rate(y), rate(x)) })
	return txs[:min(room, len(txs))]
}

// V-25: whoever pins one contested output, so that no replacement of ours comes through,
// holds back nothing but that one: what was refused together is tried alone (B5.rev.4).
func TestPinHoldsOnlyItself(t *testing.T) {
	for _, why := range []chainntnfs.RejectReason{chainntnfs.RejectFeeTooLow, chainntnfs.RejectConflict} {
		b := newBench(t)
		b.fast = true
		at := b.mine().Height
		var reqs []SweepRequest
		for range 8 {
			reqs = append(reqs, SweepRequest{Spend: b.plain(40_000), Confirmed: at, Deadline: at + 30})
		}
		b.ask(reqs...)
		pinned := reqs[0].Spend.OutPoint
		for range 10 {
			var block []*wire.MsgTx
			for range 100 {
				if tx := b.spender(pinned); tx != nil {
					b.apply(b.s.Rejected(tx.TxHash(), why, b.now))
				}
			}
			for _, tx := range b.w.unmined() {
				if !spendsOne(tx, pinned) {
					block = append(block, tx)
				}
			}
			b.mine(block...)
		}
		require.Len(t, b.s.Pending(), 1)
		require.Equal(t, pinned, b.s.Pending()[0].OutPoint)
	}
}

// V-25: a batch that nobody refused is parted when its deadline is near, where one of it can
// pay for that: from then on each counts for itself (B5.rev.4).
func TestUrgentBatchIsParted(t *testing.T) {
	b := newBench(t)
	b.fast = true
	at := b.mine().Height
	b.fees = Fees{{1, 300}}
	rich := SweepRequest{Spend: b.plain(900_000), Confirmed: at, Deadline: at + urgentBlocks + 5, Budget: 400_000}
	reqs := []SweepRequest{rich}
	for range 3 {
		reqs = append(reqs, SweepRequest{Spend: b.plain(20_000), Confirmed: at, Deadline: rich.Deadline})
	}
	b.ask(reqs...)
	require.Len(t, b.spender(rich.Spend.OutPoint).TxIn, 4)
	b.mineEmpty(5)
	for _, r := range reqs {
		require.Len(t, b.spender(r.Spend.OutPoint).TxIn, 1)
	}
}

func spendsOne(tx *wire.MsgTx, op wire.OutPoint) bool {
	return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op })
}

// A transaction that is published after the block was taken in which makes it impossible
// counts no longer than until whoever knows of that block says so; from one that is still
// to come nothing follows before it is there (V-07, V-09).
func TestOutdone(t *testing.T) {
	b := newBench(t)
	op, home := b.foreign(), b.address(keys.P2WKH).PkScript
	thief := steal(elsewhere(3), op)
	at := b.mine(thief)
	publish := func() {
		fx, err := b.w.Publish(Publication{Tx: steal(home, op), Now: b.now})
		require.NoError(t, err)
		b.apply(fx)
		require.EqualValues(t, 500, b.w.Balance(0, 1, b.now).Unconfirmed)
	}
	publish()
	b.apply(b.w.Outdone(thief, lnwire.BlockRef{Height: at.Height + 1}))
	require.EqualValues(t, 500, b.w.Balance(0, 1, b.now).Unconfirmed)
	b.apply(b.w.Outdone(thief, at))
	require.Zero(t, b.w.Balance(0, 1, b.now).Unconfirmed)
	require.Empty(t, b.w.spends)

	ours := steal(home, op)
	publish()
	b.apply(b.w.Outdone(ours, b.mine()))
	require.EqualValues(t, 500, b.w.Balance(0, 1, b.now).Unconfirmed, "it is itself")
}
