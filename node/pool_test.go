package node

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPoolDoesEveryPieceOnce(t *testing.T) {
	p := newPool()
	for _, n := range []int{0, 1, 2, 3, 7, 483} {
		for _, share := range []int{1, 2} {
			times := make([]atomic.Int32, n)
			p.each(n, share, func(from, to int) {
				for i := from; i < to; i++ {
					times[i].Add(1)
				}
			})
			for i := range times {
				require.Equal(t, int32(1), times[i].Load(), "%d of %d", i, n)
			}
		}
	}
	p.stop()
}

func TestLaterRunsOnceWhoeverIsFirst(t *testing.T) {
	p := newPool()
	var calls atomic.Int32
	var gets []func() int
	for i := range 5000 { // more than the queue holds
		gets = append(gets, later(p, func() int { calls.Add(1); return i }))
	}
	for i, get := range gets {
		require.Equal(t, i, get())
		require.Equal(t, i, get())
	}
	require.Equal(t, int32(5000), calls.Load())
	p.stop()
}
