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
