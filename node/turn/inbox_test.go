package turn

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func background(f func()) { go f() }

// TestInboxKeepsOrderAndRunsOneTurnAtATime: V-69: one owner: whoever calls, a machine is driven
// by one goroutine at a time.
func TestInboxKeepsOrderAndRunsOneTurnAtATime(t *testing.T) {
	const senders, each = 8, 500
	var inTurn sync.Mutex
	next := make([]int, senders)
	var all sync.WaitGroup
	all.Add(senders * each)
	b := NewInbox(background, func(items [][2]int) {
		require.True(t, inTurn.TryLock(), "two turns at a time")
		for _, it := range items {
			require.Equal(t, next[it[0]], it[1])
			next[it[0]]++
			all.Done()
		}
		inTurn.Unlock()
	})
	for s := range senders {
		go func() {
			for i := range each {
				if s%2 == 0 {
					b.Put([2]int{s, i})
				} else {
					b.PutSlow([2]int{s, i})
				}
			}
		}()
	}
	all.Wait()
	b.Close()
	require.Zero(t, b.Len())
}

func TestInboxBatchesWhatGathers(t *testing.T) {
	var later []func()
	var turns [][]int
	b := NewInbox(func(f func()) { later = append(later, f) }, func(items []int) {
		turns = append(turns, append([]int(nil), items...))
	})
	b.Put(1)
	b.Put(2)
	require.Len(t, later, 1, "one runner for all that waits")
	later[0]()
	b.Put(3)
	require.Len(t, later, 2)
	later[1]()
	require.Equal(t, [][]int{{1, 2}, {3}}, turns)
}

func TestPutSlowWaitsForRoomAndCloseFreesIt(t *testing.T) {
	hold := make(chan struct{})
	b := NewInbox(background, func([]int) { <-hold })
	b.Put(0)
	for b.Len() > 0 { // the first is in its turn
	}
	for i := range slowBound {
		b.Put(i)
	}
	through := make(chan struct{})
	go func() { b.PutSlow(1); close(through) }()
	select {
	case <-through:
		t.Fatal("did not wait")
	default:
	}
	closed := make(chan struct{})
	go func() { b.Close(); close(closed) }()
	<-through
	close(hold)
	<-closed
	b.Put(1)
	require.Zero(t, b.Len())
}

func TestPutWithWaitsForCompany(t *testing.T) {
	var later []func()
	var turns [][]int
	b := NewInbox(func(f func()) { later = append(later, f) }, func(items []int) {
		turns = append(turns, append([]int(nil), items...))
	})
	b.Start()
	b.PutWith(1)
	b.PutWith(2)
	require.Empty(t, later)
	b.Start()
	b.Start()
	require.Len(t, later, 1)
	later[0]()
	require.Equal(t, [][]int{{1, 2}}, turns)
	for i := range slowBound/2 + 1 {
		b.PutWith(i)
	}
	require.Len(t, later, 2, "not without a bound")
	later[1]()
	b.PutWith(1)
	b.Put(2)
	later[2]()
	require.Equal(t, []int{1, 2}, turns[2])
	b.Close()
	b.PutWith(3)
	b.Start()
	require.Len(t, later, 3)
	require.Zero(t, b.Len())
}

func TestAsideRunsOnlyWhenNothingElseDoes(t *testing.T) {
	var later []func()
	var turns [][]int
	b := NewInbox(func(f func()) { later = append(later, f) }, func(items []int) {
		turns = append(turns, append([]int(nil), items...))
	})
	ran := 0
	require.True(t, b.Aside(func() {
		ran++
		b.Put(1) // has to wait for its end
		require.False(t, b.Aside(func() { ran++ }))
		require.Empty(t, later)
	}))
	require.Equal(t, 1, ran)
	require.Len(t, later, 1)
	require.False(t, b.Aside(func() { ran++ }), "not before what waits")
	later[0]()
	require.Equal(t, [][]int{{1}}, turns)
	require.True(t, b.Aside(func() { ran++ }))
	require.Equal(t, 2, ran)
	b.Close()
	require.False(t, b.Aside(func() { ran++ }))
}

func TestHereRunsATurnInsideAnother(t *testing.T) {
	var later []func()
	var turns [][]int
	b := NewInbox(func(f func()) { later = append(later, f) }, func(items []int) {
		turns = append(turns, append([]int(nil), items...))
	})
	inside := 0
	around := func(turn func()) {
		inside++
		b.Lay(9) // comes during the turn: it has one of its own
		b.Here(func(func()) { t.Error("two turns at a time") })
		turn()
	}
	b.Here(around)
	require.Zero(t, inside, "nothing waits")
	b.Lay(1)
	b.Lay(2)
	require.Empty(t, later, "nobody has begun a turn")
	b.Here(around)
	require.Equal(t, 1, inside)
	require.Equal(t, [][]int{{1, 2}}, turns)
	require.Len(t, later, 1)
	b.Here(around)
	require.Equal(t, 1, inside, "the turn over the rest is under way")
	later[0]()
	require.Equal(t, [][]int{{1, 2}, {9}}, turns)
	b.Lay(3)
	b.Start()
	require.Len(t, later, 2)
	later[1]()
	require.Equal(t, []int{3}, turns[2])
	b.Close()
	b.Lay(4)
	b.Here(around)
	require.Zero(t, b.Len())
	require.Equal(t, 1, inside)
}
