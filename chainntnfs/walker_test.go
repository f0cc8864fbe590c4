package chainntnfs

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var bg = context.Background()

// walk steps to the tip and checks that each step follows from the last.
func walk(t require.TestingT, w *Walker) (steps []Step) {
	for {
		from := w.At()
		step, ok, err := w.Next(bg)
		require.NoError(t, err)
		if !ok {
			require.Equal(t, from, w.At())
			return steps
		}
		require.Equal(t, step.Now, w.At())
		if step.Connect {
			require.Equal(t, from.Height+1, step.At.Height)
			require.Equal(t, from.Hash, step.Block.Header.PrevBlock)
			require.Equal(t, step.At, step.Now)
		} else {
			require.Equal(t, from, step.At)
			require.Less(t, step.Now.Height, step.At.Height)
			if !step.Forgotten() {
				require.Equal(t, step.Now.Height+1, step.At.Height)
				require.Equal(t, step.Now.Hash, step.Block.Header.PrevBlock)
			}
		}
		steps = append(steps, step)
	}
}

func mineN(m *model, n int) {
	for range n {
		m.mine()
	}
}

func TestWalkerCatchesUp(t *testing.T) {
	m := newModel()
	w := NewWalker(m, m.tip())
	require.Empty(t, walk(t, w))
	mineN(m, 50)
	require.Len(t, walk(t, w), 50)
	require.Equal(t, m.tip(), w.At())
}

func TestWalkerReorgsOfOneToSix(t *testing.T) {
	for depth := 1; depth <= 6; depth++ {
		m := newModel()
		mineN(m, 10)
		w := NewWalker(m, m.ref(2))
		walk(t, w)
		m.cut(depth)
		mineN(m, depth+1)
		steps := walk(t, w)
		require.Len(t, steps, 2*depth+1)
		for i, s := range steps {
			require.Equal(t, i >= depth, s.Connect)
			require.NotNil(t, s.Block)
		}
	}
}

// A cursor from before a restart has no memory: the headers lead back.
func TestWalkerFromStaleCursor(t *testing.T) {
	m := newModel()
	mineN(m, 10)
	cursor := m.tip()
	m.cut(4)
	mineN(m, 2) // shorter than what we knew
	steps := walk(t, NewWalker(m, cursor))
	require.Len(t, steps, 6)
	require.False(t, steps[3].Connect)
	require.True(t, steps[4].Connect)
}

func TestWalkerShrunkChain(t *testing.T) {
	m := newModel()
	mineN(m, 10)
	w := NewWalker(m, m.tip())
	m.cut(3)
	require.Len(t, walk(t, w), 3)
	require.Equal(t, m.tip(), w.At())
}

// btcd forgets its regtest chain at every start.
func TestWalkerOnWipedChain(t *testing.T) {
	m := newModel()
	genesis := m.tip()
	mineN(m, 10)
	cursor, middle := m.tip(), m.ref(5)
	m.wipe()
	mineN(m, 3)

	w := NewWalker(m, cursor, middle)
	_, _, err := w.Next(bg)
	require.ErrorIs(t, err, ErrBehind)
	require.Equal(t, cursor, w.At(), "nothing is taken back by a backend that knows nothing of ours")
	mineN(m, 10)
	_, _, err = w.Next(bg)
	require.ErrorIs(t, err, ErrNoForkPoint)
	require.Equal(t, cursor, w.At())

	w = NewWalker(m, cursor, genesis, middle)
	steps := walk(t, w)
	require.Len(t, steps, 14)
	require.True(t, steps[0].Forgotten())
	require.Equal(t, genesis, steps[0].Now)
}

// A walker that was there remembers where both chains part.
func TestWalkerRemembersTheFork(t *testing.T) {
	m := newModel()
	w := NewWalker(m, m.tip())
	mineN(m, 10)
	walk(t, w)
	locator := w.Locator()
	require.Equal(t, m.ref(0), locator[0])
	require.Equal(t, m.tip(), locator[len(locator)-1])
	m.wipe()
	mineN(m, 4)
	steps := walk(t, w)
	require.Len(t, steps, 5)
	require.True(t, steps[0].Forgotten())
	require.Equal(t, m.ref(0), steps[0].Now)

	again := NewWalker(m, locator[len(locator)-1], locator[:len(locator)-1]...)
	require.Equal(t, m.ref(0), walk(t, again)[0].Now, "a stored locator finds the fork too")
}

func TestLocatorThinsOut(t *testing.T) {
	m := newModel()
	w := NewWalker(m, m.tip())
	mineN(m, 3*remembered)
	walk(t, w)
	require.LessOrEqual(t, len(w.past), 2*remembered)
	locator := w.Locator()
	require.Less(t, len(locator), 30)
	for i := range locator[1:] {
		require.Less(t, locator[i].Height, locator[i+1].Height)
	}
}

func TestWalkerSurvivesAnAbsentBackend(t *testing.T) {
	m := newModel()
	w := NewWalker(m, m.tip())
	mineN(m, 2)
	m.down = true
	_, _, err := w.Next(bg)
	require.ErrorIs(t, err, ErrUnavailable)
	m.down = false
	require.Len(t, walk(t, w), 2)
}

// Every answer contradicts the one before: the walker says so instead of turning
// for ever, and goes on when the chain has come to rest.
func TestWalkerGivesUpOnAChainThatNeverRests(t *testing.T) {
	m := newModel()
	mineN(m, 3)
	w := NewWalker(m, m.ref(1))
	whole, calls := m.main, 0
	m.racing = func() { // Tip sees two more blocks, BlockHash none of them
		m.main = whole[:4]
		if calls++; calls%3 == 2 {
			m.main = whole[:2]
		}
	}
	_, _, err := w.Next(bg)
	require.ErrorContains(t, err, "keeps changing")
	m.main, m.racing = whole, nil
	require.Len(t, walk(t, w), 2)
}

// Whatever happens to the chain, and whenever within a step, the steps are a
// walk from the cursor to the tip.
func TestWalkerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		mineN(m, rapid.IntRange(0, 8).Draw(t, "before"))
		w := NewWalker(m, m.tip(), m.ref(0))
		change := func() {
			switch rapid.IntRange(0, 9).Draw(t, "change") {
			case 0, 1, 2, 3:
				mineN(m, rapid.IntRange(1, 4).Draw(t, "blocks"))
			case 4, 5, 6:
				m.cut(rapid.IntRange(0, min(6, len(m.main)-1)).Draw(t, "depth"))
				mineN(m, rapid.IntRange(0, 8).Draw(t, "blocks"))
			case 7:
				m.wipe()
				mineN(m, rapid.IntRange(0, 12).Draw(t, "blocks"))
			case 8:
				w = NewWalker(m, w.At(), m.ref(0)) // a restart
			case 9:
				w = NewWalker(m, w.At(), w.Locator()[:len(w.Locator())-1]...)
			}
		}
		races := 0
		m.racing = func() {
			if races > 0 && rapid.IntRange(0, 9).Draw(t, "race") == 0 {
				races--
				m.cut(rapid.IntRange(0, min(3, len(m.main)-1)).Draw(t, "racing depth"))
				mineN(m, rapid.IntRange(0, 4).Draw(t, "racing blocks"))
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			change()
			races = 3
			walk(t, w)
			races = 0
			walk(t, w)
			require.Equal(t, m.tip(), w.At())
		}
	})
}

func TestCacheSharesBlocks(t *testing.T) {
	m := newModel()
	mineN(m, 20)
	cache := NewCache(m, 0)
	for range 5 {
		walk(t, NewWalker(cache, m.ref(0)))
	}
	require.Equal(t, 20, m.fetched)
	header, err := cache.Header(bg, m.tip().Hash)
	require.NoError(t, err)
	require.Equal(t, m.main[19], header.PrevBlock)
}

func TestCacheStaysSmall(t *testing.T) {
	m := newModel()
	mineN(m, 4)
	size := m.blocks[m.tip().Hash].SerializeSize()
	cache := NewCache(m, 2*size)
	get := func(height int) {
		_, err := cache.Block(bg, m.ref(height).Hash)
		require.NoError(t, err)
	}
	get(1)
	get(2)
	get(1)
	get(3) // the least recently used, 2, goes
	require.LessOrEqual(t, cache.size, cache.limit)
	fetched := m.fetched
	get(1)
	require.Equal(t, fetched, m.fetched)
	get(2)
	require.Equal(t, fetched+1, m.fetched)
	_, err := cache.Block(bg, lnwire.BlockRef{}.Hash)
	require.ErrorIs(t, err, ErrNoBlock)

	tiny := NewCache(m, 1)
	_, err = tiny.Block(bg, m.tip().Hash)
	require.NoError(t, err)
	require.Zero(t, tiny.order.Len())
}
