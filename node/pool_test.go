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

// TestLeisure: what is asked for at leisure is done, after the jobs that wait.
func TestLeisure(t *testing.T) {
	p := &pool{jobs: make(chan func(), 1024), spare: make(chan func(), 1024)}
	var order []string
	done := make(chan struct{})
	for range 3 {
		p.atLeisure(func() {
			if order = append(order, "leisure"); len(order) == 8 {
				close(done)
			}
		})
	}
	for range 5 {
		later(p, func() int { order = append(order, "job"); return 0 })
	}
	p.done.Go(p.work) // one worker
	<-done
	p.stop()
	require.Equal(t, []string{"job", "job", "job", "job", "job", "leisure", "leisure", "leisure"}, order)
}
