package routing

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

type workload struct {
	name, pairs string
	sat         lnwire.Sat
	found       int // of the first 300 pairs, by lnd's own search over the same graph
	slack       int
	ppm         float64 // most that is spent on fees, in the mean
}

var workloads = []workload{
	{"uniform-10k", "mainnet-pairs.csv", 10_000, 297, 2, 800},
	{"uniform-1M", "mainnet-pairs.csv", 1_000_000, 73, 3, 800},
	{"uniform-10M", "mainnet-pairs.csv", 10_000_000, 7, 1, 1000},
	{"capweighted-10k", "mainnet-pairs-capweighted.csv", 10_000, 300, 0, 150},
	{"capweighted-1M", "mainnet-pairs-capweighted.csv", 1_000_000, 296, 2, 120},
	{"capweighted-10M", "mainnet-pairs-capweighted.csv", 10_000_000, 271, 4, 150},
}

func (w *workload) query(pair [2]lnwire.PubKey) *Query {
	amount := w.sat.MilliSat()
	return &Query{Source: pair[0], Target: pair[1], Amount: amount, Height: 900_000, FinalDelta: 18, FeeLimit: amount / 20, Now: t0}
}

// On the real network as many routes are found, and about as cheap, as were measured
// with lnd.
func TestMainnet(t *testing.T) {
	channels := readMainnet(t)
	if channels == nil {
		t.Log("the graph of the real network is not here (FULGUR_TESTDATA): nothing to compare")
		return
	}
	s := load(t, channels).Snapshot()
	require.Equal(t, 50808, s.Channels())
	require.Equal(t, 17324, s.Nodes())
	var f Finder
	for _, w := range workloads {
		found, ppm, hops := 0, 0.0, 0
		for _, pair := range readPairs(t, w.pairs)[:300] {
			q := w.query(pair)
			r, err := f.Find(s, q)
			var none *NoRoute
			if errors.As(err, &none) {
				continue
			}
			require.NoError(t, err)
			checkForwards(t, s, &r, q)
			found++
			hops += len(r.Hops)
			ppm += float64(r.Fee()) / float64(q.Amount) * 1e6
		}
		t.Logf("%-16s found %d/300, mean fee %.0f ppm, mean hops %.2f", w.name, found, ppm/float64(found), float64(hops)/float64(found))
		require.InDelta(t, w.found, found, float64(w.slack), w.name)
		require.Less(t, ppm/float64(found), w.ppm, w.name)
	}
}

func BenchmarkLoad(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var g *Graph
	for b.Loop() {
		g = load(b, channels)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB-kept")
	runtime.KeepAlive(g)
	runtime.KeepAlive(channels)
}

func BenchmarkSnapshotAfterUpdate(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	g := load(b, channels)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c := channels[i%len(channels)]
		_ = g.SetPolicy(c.SCID, 0, Policy{Base: uint32(i), Max: 1 << 40})
		g.Snapshot()
	}
}

func BenchmarkFind(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	s := load(b, channels).Snapshot()
	for _, w := range workloads {
		pairs := readPairs(b, w.pairs)
		b.Run(w.name, func(b *testing.B) {
			var f Finder
			var took []time.Duration
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				_, _ = f.Find(s, w.query(pairs[i%len(pairs)]))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-us")
		})
	}
}
