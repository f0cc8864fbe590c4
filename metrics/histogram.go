package metrics

import (
	"sync/atomic"
	"time"
)

// Bounds of histograms, in rising order.
var (
	// Quick is for what a disk or a processor does.
	Quick = []time.Duration{
		100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
	}
	// Slow is for what has to go around the world.
	Slow = []time.Duration{
		10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
		500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour,
	}
)

// Histogram counts how long things took. It may be used by several goroutines.
type Histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // one more than bounds: what took longer than all of them
	sum    atomic.Int64    // nanoseconds
}

// NewHistogram makes an empty one.
func NewHistogram(bounds []time.Duration) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0) // a wall clock may have been set back
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}
