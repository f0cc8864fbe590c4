package channel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkPayment is the round of one payment, or of a batch, between two machines:
// add, lock in, fulfil, settle. Both ends are in the figure, and the encoding of the
// messages.
func BenchmarkPayment(b *testing.B) {
	for _, real := range []bool{false, true} {
		for _, batch := range []int{1, 50} {
			crypto := map[bool]string{false: "model", true: "curve"}[real]
			b.Run(fmt.Sprintf("%s/batch=%d", crypto, batch), func(b *testing.B) { benchPayment(b, real, batch) })
		}
	}
}

func benchPayment(b *testing.B, real bool, batch int) {
	w := newWorld(b)
	if real {
		w.useReal()
	}
	for _, n := range w.nodes() {
		n.quietLaw, n.side.MaxAccepted = true, 483
	}
	o := usual
	o.capacity, o.push, o.private = 16_000_000, 8_000_000_000, true
	w.open(o)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		from, to := w.a, w.b
		if i%2 == 1 {
			from, to = to, from
		}
		from.rows, to.rows = Rows{}, Rows{} // the store is not what is measured
		first := to.ch.nextIn()
		for k := range batch {
			from.add(1_000_000, k)
		}
		w.settle()
		for k := range batch {
			to.fulfill(first+uint64(k), k)
		}
		w.settle()
		from.outcomes, to.outcomes, to.locked = nil, nil, nil
		from.notices, to.notices, from.attempts, to.outbox, from.outbox = nil, nil, nil, nil, nil
	}
	b.StopTimer()
	require.Empty(b, w.a.ch.out)
	require.Empty(b, w.b.ch.out)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/payment")
}
