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
	for i := range feedDepth + 1 {
		f.Publish(i)
	}
	require.True(t, slow.Lagged())
	n := 0
	for v := range slow.C {
		require.Equal(t, n, v)
		n++
	}
	require.Equal(t, feedDepth, n, "what was taken before the cut is still read")
	require.False(t, gone.Lagged())
	slow.Cancel()
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
	}
	require.False(t, quick.Lagged())
	require.True(t, slow.Lagged())
	n := 0
	for range slow.C {
		n++
	}
	require.Equal(t, feedBytes/(size+headBytes), n)

	again := f.Subscribe()
	f.Publish(CustomMessage{Data: make([]byte, feedBytes)})
	require.False(t, again.Lagged(), "alone, anything fits")
	f.Publish(CustomMessage{})
	require.True(t, again.Lagged())
}
