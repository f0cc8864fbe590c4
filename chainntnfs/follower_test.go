package chainntnfs

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// settle advances until nothing is left to do.
func settle(t require.TestingT, f *Follower) (notices []Notice) {
	for range 10_000 {
		some, more, err := f.Advance(bg)
		require.NoError(t, err)
		notices = append(notices, some...)
		if !more {
			return notices
		}
	}
	require.Fail(t, "the follower does not come to rest")
	return nil
}

func TestFollowerTellsLiveClients(t *testing.T) {
	m := newModel()
	f := NewFollower(m)
	funding := pay([]wire.OutPoint{external(1)}, "f")
	closing := pay([]wire.OutPoint{outpoint(funding, 0)}, "c")
	f.Join(2, lnwire.BlockRef{})
	f.Join(1, lnwire.BlockRef{}, Watch{Txid: funding.TxHash()}, Watch{Outpoint: outpoint(funding, 0)})
	require.Equal(t, []Notice{{1, Tip{m.tip()}}, {2, Tip{m.tip()}}}, settle(t, f))
	require.Empty(t, settle(t, f))

	require.Equal(t, []Notice{{1, Unmined{funding}}}, f.Unmined(funding))
	require.Empty(t, f.Unmined(pay(nil, "z")))

	at := m.mine(funding)
	require.Equal(t, []Notice{
		{1, Confirmed{Tx: funding, At: at, TxIndex: 1}}, {1, Tip{at}}, {2, Tip{at}},
	}, settle(t, f))
	at = m.mine(closing)
	require.Equal(t, []Notice{
		{1, Spent{Outpoint: outpoint(funding, 0), Tx: closing, At: at, TxIndex: 1}}, {1, Tip{at}}, {2, Tip{at}},
	}, settle(t, f))

	m.cut(1)
	now := m.tip()
	require.Equal(t, []Notice{{1, Unconfirmed{closing.TxHash(), at}}, {1, Tip{now}}, {2, Tip{now}}}, settle(t, f))

	f.Leave(1)
	now = m.mine(closing)
	require.Equal(t, []Notice{{2, Tip{now}}}, settle(t, f))
	f.Watch(1, Watch{Txid: closing.TxHash()}) // too late: it has left
	require.Empty(t, settle(t, f))
}

// A spend in the same block as what it spends: the watch comes late and is led
// over that block again, and no Tip is told in between.
func TestFollowerReplaysForALateWatch(t *testing.T) {
	m := newModel()
	f := NewFollower(m)
	commitment := pay([]wire.OutPoint{external(1)}, "htlc")
	claim := pay([]wire.OutPoint{outpoint(commitment, 0)}, "theirs")
	f.Join(1, lnwire.BlockRef{}, Watch{Outpoint: external(1)})
	settle(t, f)
	at := m.mine(commitment, claim)
	require.Len(t, settle(t, f), 2)
	f.Watch(1, Watch{Outpoint: outpoint(commitment, 0), From: at.Height})
	require.Equal(t, []Notice{
		{1, Spent{Outpoint: outpoint(commitment, 0), Tx: claim, At: at, TxIndex: 2}},
	}, settle(t, f), "the same tip is not told twice")

	next := m.mine()
	f.Watch(1, Watch{Outpoint: outpoint(claim, 0), From: at.Height})
	require.Equal(t, []Notice{{1, Tip{next}}}, settle(t, f))
}

// While one client is led over a long past, the others hear of new blocks.
func TestFollowerReplayDoesNotHoldUpOthers(t *testing.T) {
	m := newModel()
	old := pay(nil, "old")
	m.mine(old)
	mineN(m, 10*batch)
	f := NewFollower(m)
	f.Join(1, lnwire.BlockRef{})
	f.Join(2, lnwire.BlockRef{}, Watch{PkScript: []byte("old")})
	notices, more, err := f.Advance(bg)
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []Notice{{2, Confirmed{Tx: old, At: m.ref(1), TxIndex: 1}}, {1, Tip{m.tip()}}}, notices)
	at := m.mine()
	notices, more, err = f.Advance(bg)
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []Notice{{1, Tip{at}}}, notices)
	require.Equal(t, []Notice{{2, Tip{at}}}, settle(t, f))
}

// Many requests at once share one pass over the past.
func TestFollowerRequestsShareALane(t *testing.T) {
	m := newModel()
	mineN(m, 60)
	f := NewFollower(m)
	for c := range Client(50) {
		f.Join(c, m.ref(20), Watch{Outpoint: external(byte(c)), From: lnwire.Height(1 + c)})
	}
	require.Len(t, settle(t, f), 50)
	require.Equal(t, 60, m.fetched)
	require.Empty(t, f.behind)
}

func TestFollowerTakesBackWhatAReorgDuringDowntimeUndid(t *testing.T) {
	m := newModel()
	mineN(m, 5)
	tx, other := pay([]wire.OutPoint{external(1)}, "a"), pay([]wire.OutPoint{external(1)}, "b")
	was := m.mine(tx)
	mineN(m, 2)
	cursor := m.tip()
	m.cut(3)
	now := m.mine(other)

	f := NewFollower(m)
	f.Join(1, cursor, Watch{Outpoint: external(1), From: cursor.Height})
	require.Equal(t, []Notice{
		{1, Unconfirmed{tx.TxHash(), was}},
		{1, Spent{Outpoint: external(1), Tx: other, At: now, TxIndex: 1}},
		{1, Tip{now}},
	}, settle(t, f))
}

// A backend that is set back (or not yet synced) makes the client wait; others
// go on.
func TestFollowerWaitsForABackendThatIsBehind(t *testing.T) {
	m := newModel()
	mineN(m, 10)
	full, blocks := m.main, m.blocks
	cursor := m.tip()
	m.wipe()
	for _, hash := range full[1:4] {
		m.main, m.blocks[hash] = append(m.main, hash), blocks[hash]
	}
	f := NewFollower(m)
	f.Join(1, cursor, Watch{Outpoint: external(1), From: cursor.Height})
	f.Join(2, lnwire.BlockRef{})
	notices, more, err := f.Advance(bg)
	require.ErrorIs(t, err, ErrBehind)
	require.False(t, more)
	require.Equal(t, []Notice{{2, Tip{m.tip()}}}, notices)
	m.main, m.blocks = full, blocks
	require.Equal(t, []Notice{{2, Tip{cursor}}, {1, Tip{cursor}}}, order(settle(t, f), 2, 1))
}

// order sorts notices by the order of clients, stably.
func order(notices []Notice, clients ...Client) (sorted []Notice) {
	for _, c := range clients {
		for _, n := range notices {
			if n.Client == c {
				sorted = append(sorted, n)
			}
		}
	}
	return sorted
}

func TestFollowerOnWipedChain(t *testing.T) {
	tx := pay([]wire.OutPoint{external(1)}, "a")
	for _, withGenesis := range []bool{false, true} {
		m := newModel()
		genesis := m.tip()
		mineN(m, 8)
		cursor := m.tip()
		m.wipe()
		at := m.mine(tx)
		mineN(m, 10)
		var known []lnwire.BlockRef
		if withGenesis {
			known = append(known, genesis)
		}
		f := NewFollower(m, known...)
		f.Join(1, cursor, Watch{Outpoint: external(1), From: cursor.Height})
		want := []Notice{{1, Lost{Cursor: cursor}}, {1, Tip{m.tip()}}}
		if withGenesis {
			want = []Notice{
				{1, Lost{Cursor: cursor, Fork: genesis}},
				{1, Spent{Outpoint: external(1), Tx: tx, At: at, TxIndex: 1}},
				{1, Tip{m.tip()}},
			}
		}
		require.Equal(t, want, settle(t, f))
	}
}

func TestFollowerUnwatchAndLeaveWhileBehind(t *testing.T) {
	m := newModel()
	mineN(m, 3*batch)
	m.mine(pay([]wire.OutPoint{external(1), external(2), external(3)}, "a"))
	f := NewFollower(m)
	early, late := Watch{Outpoint: external(1), From: 1}, Watch{Outpoint: external(2), From: 2 * batch}
	f.Join(1, lnwire.BlockRef{}, early, late)
	f.Join(2, lnwire.BlockRef{}, early, late)
	f.Join(3, lnwire.BlockRef{}, early)
	f.Unwatch(3, early)
	notices, more, err := f.Advance(bg)
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []Notice{{3, Tip{m.tip()}}}, notices)
	f.Unwatch(1, early, late)
	f.Leave(2)
	require.Equal(t, []Notice{{1, Tip{m.tip()}}}, settle(t, f))
}

func TestFollowerGoesOnAfterEveryError(t *testing.T) {
	m := newModel()
	tx := pay([]wire.OutPoint{external(1)}, "a")
	at := m.mine(tx)
	mineN(m, 5)
	f := NewFollower(m, m.ref(0))
	require.Equal(t, []lnwire.BlockRef{m.ref(0)}, f.Locator())
	f.Join(1, m.ref(3), Watch{Outpoint: external(1), From: 1})
	answers := 0
	var got []Notice
	for budget := 0; ; budget++ {
		answers = 0
		m.racing = func() { answers++; m.down = answers > budget }
		notices, more, err := f.Advance(bg)
		got = append(got, notices...)
		if err == nil && !more {
			break
		}
		if err != nil {
			require.ErrorIs(t, err, ErrUnavailable)
		}
	}
	require.Equal(t, []Notice{
		{1, Spent{Outpoint: external(1), Tx: tx, At: at, TxIndex: 1}}, {1, Tip{m.tip()}},
	}, got)
	require.Contains(t, f.Locator(), m.tip())
}

// A client comes back with a cursor while the chain changes from one without its
// block to the one with it to a third, at every pair of questions there is: what
// it believes of its own chain is taken back in each case.
func TestFollowerCursorOvertakenByReorgs(t *testing.T) {
	tx := pay([]wire.OutPoint{external(1)}, "a")
	for first := 1; first < 16; first++ {
		for second := first; second < first+8; second++ {
			for from := lnwire.Height(6); from <= 12; from += 3 {
				m := newModel()
				branch := func(txs ...*wire.MsgTx) []chainhash.Hash {
					m.main = m.main[:1]
					m.mine(txs...)
					mineN(m, 9)
					return append([]chainhash.Hash(nil), m.main...)
				}
				before, ours, after := branch(), branch(tx), branch()
				m.main = ours
				cursor := m.ref(5)
				b := &believer{id: 1, facts: map[chainhash.Hash]lnwire.BlockRef{tx.TxHash(): m.ref(1)}}

				m.main = before
				f := NewFollower(m)
				f.Join(1, cursor, Watch{Outpoint: external(1), From: from})
				questions := 0
				m.racing = func() {
					questions++
					switch {
					case questions >= second:
						m.main = after
					case questions >= first:
						m.main = ours
					}
				}
				hear(b, settle(t, f))
				m.racing, m.main = nil, after
				hear(b, settle(t, f))
				require.Equal(t, m.tip(), b.tip)
				require.Empty(t, b.facts, "first %d second %d from %d", first, second, from)
			}
		}
	}
}

func hear(b *believer, notices []Notice) {
	for _, n := range notices {
		b.hear(n.Event)
	}
}

// believer is a client as the node has them: it folds what it is told, and what
// it had at its last Tip is what it has after a crash.
type believer struct {
	id      Client
	facts   map[chainhash.Hash]lnwire.BlockRef
	tip     lnwire.BlockRef
	stored  map[chainhash.Hash]lnwire.BlockRef
	watches []Watch
	told    []bool // watches[i] stood when the last Tip was told
}

func clone(facts map[chainhash.Hash]lnwire.BlockRef) map[chainhash.Hash]lnwire.BlockRef {
	c := make(map[chainhash.Hash]lnwire.BlockRef)
	for k, v := range facts {
		c[k] = v
	}
	return c
}

func (b *believer) hear(ev Event) {
	switch ev := ev.(type) {
	case Confirmed:
		b.facts[ev.Tx.TxHash()] = ev.At
	case Spent:
		b.facts[ev.Tx.TxHash()] = ev.At
	case Unconfirmed:
		delete(b.facts, ev.Txid)
	case Lost:
		for txid, at := range b.facts {
			if at.Height > ev.Fork.Height {
				delete(b.facts, txid)
			}
		}
	case Tip:
		b.tip, b.stored = ev.At, clone(b.facts)
		for i := range b.told {
			b.told[i] = true
		}
	case Unmined:
	}
}

// truth is what a client with these watches should believe of the chain.
func (b *believer) truth(m *model) map[chainhash.Hash]lnwire.BlockRef {
	tr := NewTracker()
	for _, w := range b.watches {
		tr.Watch(1, w)
	}
	facts := make(map[chainhash.Hash]lnwire.BlockRef)
	for height := range m.main {
		at := m.ref(height)
		for _, n := range tr.Step(Step{Connect: true, At: at, Now: at, Block: m.blocks[at.Hash]}) {
			switch ev := n.Event.(type) {
			case Confirmed:
				facts[ev.Tx.TxHash()] = at
			case Spent:
				facts[ev.Tx.TxHash()] = at
			}
		}
	}
	return facts
}

// Whatever the chain does, whenever clients join, watch, crash or leave, and
// whenever the backend is away: at rest, the events folded are the state of the
// final chain.
func TestFollowerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(5, 40).Draw(t, "rounds") {
			w.act(t)
			w.advance(t, rapid.IntRange(0, 3).Draw(t, "advances"))
		}
		w.m.down = false
		for _, n := range settle(t, w.f) {
			w.clients[n.Client].hear(n.Event)
		}
		for _, b := range w.clients {
			if b == nil {
				continue
			}
			require.Equal(t, w.m.tip(), b.tip)
			require.Equal(t, b.truth(w.m), b.facts, "client %d", b.id)
		}
	})
}

type world struct {
	m       *model
	f       *Follower
	txs     []*wire.MsgTx
	clients map[Client]*believer
}

func newWorld(t *rapid.T) *world {
	w := &world{m: newModel(), clients: make(map[Client]*believer)}
	for i := range 4 { // four trees: a parent, its children, a conflicting child
		parent := pay([]wire.OutPoint{external(byte(i)), external(100)}, fmt.Sprint("p", i), "shared")
		child := pay([]wire.OutPoint{outpoint(parent, 0), outpoint(parent, 1)}, fmt.Sprint("c", i))
		rival := pay([]wire.OutPoint{outpoint(parent, 1)}, fmt.Sprint("r", i))
		w.txs = append(w.txs, parent, child, rival)
	}
	w.mine(t, 3)
	w.f = NewFollower(NewCache(w.m, 0), w.m.ref(0))
	return w
}

// mine adds blocks with some of the transactions that no block has yet.
func (w *world) mine(t *rapid.T, blocks int) {
	for range blocks {
		var txs []*wire.MsgTx
		for _, tx := range w.txs {
			if !w.m.mined(tx) && rapid.IntRange(0, 5).Draw(t, "include") == 0 {
				txs = append(txs, tx)
			}
		}
		w.m.mine(txs...)
	}
}

func (w *world) watch(t *rapid.T) Watch {
	tx := rapid.SampledFrom(w.txs).Draw(t, "tx")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return Watch{Outpoint: tx.TxIn[0].PreviousOutPoint}
	case 1:
		return Watch{Txid: tx.TxHash()}
	case 2:
		return Watch{Txid: tx.TxHash(), Outpoint: outpoint(tx, 0)}
	default:
		return Watch{PkScript: tx.TxOut[len(tx.TxOut)-1].PkScript}
	}
}

func (w *world) act(t *rapid.T) {
	id := Client(rapid.IntRange(1, 4).Draw(t, "client"))
	b := w.clients[id]
	switch rapid.IntRange(0, 11).Draw(t, "act") {
	case 0, 1, 2:
		w.mine(t, rapid.IntRange(1, 3).Draw(t, "blocks"))
	case 3, 4:
		w.m.cut(rapid.IntRange(0, min(6, len(w.m.main)-1)).Draw(t, "depth"))
		w.mine(t, rapid.IntRange(0, 7).Draw(t, "blocks"))
	case 5:
		w.mine(t, 2*batch)
	case 6:
		w.m.down = !w.m.down
	case 7, 8:
		if b == nil {
			b = &believer{id: id, facts: make(map[chainhash.Hash]lnwire.BlockRef)}
			w.clients[id] = b
			w.f.Join(id, lnwire.BlockRef{})
		}
		watch := w.watch(t)
		b.watches, b.told = append(b.watches, watch), append(b.told, false)
		w.f.Watch(id, watch)
	case 9:
		w.f.Leave(id)
		delete(w.clients, id)
	case 10:
		w.crash()
	case 11:
		if rapid.Bool().Draw(t, "really") {
			w.m.wipe()
			w.mine(t, rapid.IntRange(1, 20).Draw(t, "blocks"))
		}
	}
}

// crash starts the follower and every client anew from what they had stored. A
// watch that stood at the last Tip looks only at the blocks after it.
func (w *world) crash() {
	w.f = NewFollower(NewCache(w.m, 0), w.m.ref(0))
	for id := Client(1); id <= 4; id++ {
		b := w.clients[id]
		if b == nil {
			continue
		}
		b.facts = clone(b.stored)
		watches := append([]Watch(nil), b.watches...)
		for i := range watches {
			if b.told[i] {
				watches[i].From = b.tip.Height + 1
			}
		}
		w.f.Join(id, b.tip, watches...)
	}
}

// advance lets the follower work while the chain may change at every question.
func (w *world) advance(t *rapid.T, times int) {
	races := 2
	w.m.racing = func() {
		if races > 0 && rapid.IntRange(0, 19).Draw(t, "race") == 0 {
			races--
			w.m.cut(rapid.IntRange(0, min(4, len(w.m.main)-1)).Draw(t, "racing depth"))
			w.mine(t, rapid.IntRange(0, 5).Draw(t, "racing blocks"))
		}
	}
	defer func() { w.m.racing = nil }()
	for range times {
		notices, _, err := w.f.Advance(bg)
		for _, n := range notices {
			w.clients[n.Client].hear(n.Event)
		}
		if err != nil && !w.m.down {
			require.ErrorIs(t, err, ErrBehind)
		}
	}
}
