package chainntnfs

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

func connect(m *model, txs ...*wire.MsgTx) Step {
	at := m.mine(txs...)
	return Step{Connect: true, At: at, Now: at, Block: m.blocks[at.Hash]}
}

func disconnect(m *model) Step {
	at := m.tip()
	m.cut(1)
	return Step{At: at, Now: m.tip(), Block: m.blocks[at.Hash]}
}

// V-04: one transaction that spends several watched outputs is told once for
// each of them.
func TestTrackerToldEveryInputOfOneTransaction(t *testing.T) {
	m, tr := newModel(), NewTracker()
	for i := range byte(3) {
		tr.Watch(1, Watch{Outpoint: external(i)})
	}
	tr.Watch(2, Watch{Outpoint: external(2)})
	tx := pay([]wire.OutPoint{external(9), external(2), external(0), external(1)}, "x")
	step := connect(m, pay([]wire.OutPoint{external(8)}, "y"), tx)
	spent := func(n byte, input uint32) Spent {
		return Spent{Outpoint: external(n), Tx: tx, Input: input, At: step.At, TxIndex: 2}
	}
	require.Equal(t, []Notice{
		{1, spent(2, 1)}, {2, spent(2, 1)}, {1, spent(0, 2)}, {1, spent(1, 3)},
	}, tr.Step(step))
}

func TestTrackerTellsConfirmationsOncePerClient(t *testing.T) {
	m, tr := newModel(), NewTracker()
	tx := pay([]wire.OutPoint{external(1)}, "a", "b", "a")
	tr.Watch(3, Watch{Txid: tx.TxHash(), PkScript: []byte("b")})
	tr.Watch(1, Watch{PkScript: []byte("a")})
	tr.Watch(1, Watch{PkScript: []byte("b")})
	tr.Watch(2, Watch{PkScript: []byte("c")})
	other := pay([]wire.OutPoint{external(2)}, "b")
	step := connect(m, tx, other)
	require.Equal(t, []Notice{
		{1, Confirmed{Tx: tx, At: step.At, TxIndex: 1}},
		{3, Confirmed{Tx: tx, At: step.At, TxIndex: 1}},
		{1, Confirmed{Tx: other, At: step.At, TxIndex: 2}},
	}, tr.Step(step), "a script beside a txid is a hint, not a watch")
	require.Equal(t, []Client{1, 2, 3}, tr.Clients())
}

func TestTrackerTakesBackLastFirst(t *testing.T) {
	m, tr := newModel(), NewTracker()
	funding := pay([]wire.OutPoint{external(1)}, "f")
	closing := pay([]wire.OutPoint{outpoint(funding, 0)}, "c")
	tr.Watch(1, Watch{Txid: funding.TxHash(), Outpoint: outpoint(funding, 0)})
	first := connect(m, funding)
	require.Len(t, tr.Step(first), 1)
	second := connect(m, closing)
	require.Len(t, tr.Step(second), 1)

	require.Equal(t, []Notice{{1, Unconfirmed{closing.TxHash(), second.At}}}, tr.Step(disconnect(m)))
	require.Equal(t, []Notice{{1, Unconfirmed{funding.TxHash(), first.At}}}, tr.Step(disconnect(m)))

	both := connect(m, funding, closing)
	require.Len(t, tr.Step(both), 2)
	require.Equal(t, []Notice{
		{1, Unconfirmed{closing.TxHash(), both.At}}, {1, Unconfirmed{funding.TxHash(), both.At}},
	}, tr.Step(disconnect(m)))
	require.Empty(t, tr.told)
}

// What a client knew before it joined is taken back as well, from the block
// itself; without the block only what was told can be.
func TestTrackerTakesBackWhatItNeverTold(t *testing.T) {
	m, tr := newModel(), NewTracker()
	tx := pay([]wire.OutPoint{external(1)}, "f")
	step := connect(m, tx)
	tr.Watch(1, Watch{Outpoint: external(1)})
	gone := disconnect(m)
	require.Equal(t, []Notice{{1, Unconfirmed{tx.TxHash(), step.At}}}, tr.Step(gone))
	gone.Block = nil
	require.Empty(t, tr.Step(gone))
}

func TestTrackerTakesBackEverythingAboveTheFork(t *testing.T) {
	m, tr := newModel(), NewTracker()
	tr.Watch(1, Watch{PkScript: []byte("a")})
	low, mid, high := pay(nil, "a"), pay(nil, "a", "x"), pay(nil, "a", "y")
	atLow, atMid, atHigh := connect(m, low), connect(m, mid), connect(m, high)
	for _, s := range []Step{atLow, atMid, atHigh} {
		require.Len(t, tr.Step(s), 1)
	}
	require.Equal(t, []Notice{
		{1, Unconfirmed{high.TxHash(), atHigh.At}},
		{1, Unconfirmed{mid.TxHash(), atMid.At}},
	}, tr.Step(Step{At: atHigh.At, Now: atLow.At}))
}

func TestTrackerUnwatchAndLeave(t *testing.T) {
	m, tr := newModel(), NewTracker()
	tx := pay([]wire.OutPoint{external(1)}, "a")
	watches := []Watch{{Outpoint: external(1)}, {Txid: tx.TxHash()}, {PkScript: []byte("a")}}
	for _, w := range watches {
		for c := range Client(3) {
			tr.Watch(c, w)
		}
		tr.Unwatch(1, w)
		tr.Unwatch(1, w)
		tr.Unwatch(9, w)
	}
	step := connect(m, tx)
	require.Len(t, tr.Step(step), 4, "a spend and a confirmation for two clients")
	tr.Leave(0)
	require.Equal(t, []Notice{{2, Unconfirmed{tx.TxHash(), step.At}}}, tr.Step(disconnect(m)))
	tr.Leave(2)
	tr.Leave(1)
	require.Empty(t, tr.Clients())
	require.Empty(t, tr.outpoints)
	require.Empty(t, tr.txids)
	require.Empty(t, tr.scripts)
	require.Empty(t, tr.told)
}

func TestTrackerForgetsWhatNoReorgReaches(t *testing.T) {
	m, tr := newModel(), NewTracker()
	tr.Watch(1, Watch{PkScript: []byte("a")})
	tr.Step(connect(m, pay(nil, "a")))
	for range remembered - 1 {
		tr.Step(connect(m))
	}
	require.Len(t, tr.told, 1)
	tr.Step(connect(m))
	require.Empty(t, tr.told)
}

func TestAdoptKeepsWatchesAndMemory(t *testing.T) {
	m, live, behind := newModel(), NewTracker(), NewTracker()
	tx := pay([]wire.OutPoint{external(1)}, "a")
	behind.Watch(5, Watch{Outpoint: external(1)})
	live.Watch(5, Watch{Txid: tx.TxHash()})
	step := connect(m, tx)
	require.Len(t, behind.Step(step), 1)
	require.Len(t, live.Step(step), 1)
	live.Adopt(behind)
	require.Equal(t, []Notice{{5, Unconfirmed{tx.TxHash(), step.At}}}, live.Step(disconnect(m)))
	require.Len(t, live.Step(connect(m, tx)), 2)
}

// The work on a block must not grow with the number of watches.
func BenchmarkTrackerConnect(b *testing.B) {
	tr := NewTracker()
	for i := range uint32(100_000) {
		op := external(1)
		op.Index = i
		tr.Watch(Client(i), Watch{Outpoint: op})
	}
	m := newModel()
	var txs []*wire.MsgTx
	for i := range uint32(3000) {
		ins := []wire.OutPoint{external(2), external(3)}
		ins[0].Index, ins[1].Index = i, i
		txs = append(txs, pay(ins, "some script of about the usual len", "some other script of the usual len"))
	}
	at := m.mine(txs...)
	step := Step{Connect: true, At: at, Now: at, Block: m.blocks[at.Hash]}
	b.ReportAllocs()
	for b.Loop() {
		if len(tr.Step(step)) != 0 {
			b.Fatal("nothing was watched")
		}
	}
}
