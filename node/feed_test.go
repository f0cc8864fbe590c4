package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFeedCutsOffWhoLags(t *testing.T) {
	var f Feed[int]
	slow, gone := f.Subscribe(), f.Subscribe()
	gone.Cancel()
	gone.Cancel()
	const most = feedReady + feedDepth
	for i := range most {
		f.Publish(i)
	}
	require.False(t, slow.Lagged())
	for i := range 3 { // one or two of them are in the hands of who catches up
		f.Publish(most + i)
	}
	require.True(t, slow.Lagged())
	n := 0
	for v := range slow.C {
		require.Equal(t, n, v)
		n++
	}
	require.GreaterOrEqual(t, n, feedReady, "what lay ready before the cut is still read")
	require.False(t, gone.Lagged())
	slow.Cancel()
	require.Empty(t, f.backlog)
}

// TestFeedLosesNothing: who reads late, but in time, gets all events in their order, and
// so does who comes later; the backlog is given up when nobody needs it.
func TestFeedLosesNothing(t *testing.T) {
	var f Feed[int]
	late, stopped := f.Subscribe(), f.Subscribe()
	for i := range 1000 {
		f.Publish(i)
	}
	later := f.Subscribe()
	stopped.Cancel()
	for range stopped.C { // it is closed, behind or not
	}
	for i := 1000; i < 2000; i++ {
		f.Publish(i)
	}
	for i := range 2000 {
		require.Equal(t, i, <-late.C)
	}
	for i := 1000; i < 2000; i++ {
		require.Equal(t, i, <-later.C)
	}
	for i := 2000; len(f.backlog) > 0; i++ { // as soon as those who caught up have noticed
		f.Publish(i)
		require.Equal(t, i, <-late.C)
		require.Equal(t, i, <-later.C)
	}
	late.Cancel()
	later.Cancel()
	_, open := <-late.C
	require.False(t, open)
}

// TestFeedOfMany: ten thousand who do not read cost little more than one.
func TestFeedOfMany(t *testing.T) {
	var f Feed[CustomMessage]
	var subs []*Subscription[CustomMessage]
	for range 10_000 {
		subs = append(subs, f.Subscribe())
	}
	for range feedReady + 40 {
		f.Publish(CustomMessage{Data: make([]byte, 1000)})
	}
	require.LessOrEqual(t, len(f.backlog), 40)
	for _, s := range subs {
		require.False(t, s.Lagged())
		s.Cancel()
	}
	require.Empty(t, f.backlog)
}

// TestFeedCountsBytes: what strangers determine the size of is bounded by bytes for a
// subscriber that is slow, and not for one that reads (V-44).
func TestFeedCountsBytes(t *testing.T) {
	var f Feed[CustomMessage]
	slow, quick := f.Subscribe(), f.Subscribe()
	const size, published = 60_000, 1000
	for range published {
		f.Publish(CustomMessage{Data: make([]byte, size)})
		<-quick.C
		require.LessOrEqual(t, f.weight, feedBytes)
	}
	require.False(t, quick.Lagged())
	require.True(t, slow.Lagged())
	n := 0
	for range slow.C {
		n++
	}
	require.LessOrEqual(t, n, feedReady+feedBytes/(size+headBytes))

	again := f.Subscribe()
	for range feedReady {
		f.Publish(CustomMessage{})
	}
	f.Publish(CustomMessage{Data: make([]byte, feedBytes)})
	require.False(t, again.Lagged(), "alone, anything fits")
}
