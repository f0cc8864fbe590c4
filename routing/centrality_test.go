package routing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func centrality(t testing.TB, list [][2]byte) map[lnwire.PubKey][2]float64 {
	g := NewGraph()
	for i, ends := range list {
		a, b := min(ends[0], ends[1]), max(ends[0], ends[1])
		require.NoError(t, g.AddChannel(Channel{SCID: lnwire.ShortChannelID(i + 1), Node1: lnwire.PubKey{2, a}, Node2: lnwire.PubKey{2, b}}))
	}
	c := g.Snapshot().Centrality()
	for i := range c.Nodes() {
		c.From(i)
	}
	all := map[lnwire.PubKey][2]float64{}
	c.Each(func(id lnwire.PubKey, v, norm float64) { all[id] = [2]float64{v, norm} })
	return all
}

func TestCentrality(t *testing.T) {
	is := func(got map[lnwire.PubKey][2]float64, want map[byte][2]float64) {
		t.Helper()
		require.Len(t, got, len(want))
		for n, v := range want {
			require.InDeltaSlice(t, v[:], sliceOf2(got[lnwire.PubKey{2, n}]), 1e-9, "node %d", n)
		}
	}
	is(centrality(t, nil), nil)
	is(centrality(t, [][2]byte{{1, 2}}), map[byte][2]float64{1: {0, 0}, 2: {0, 0}})
	// a line of five: 2 is between 1 and each of 3, 4, 5; 3 between {1, 2} and {4, 5}
	is(centrality(t, [][2]byte{{1, 2}, {2, 3}, {3, 4}, {4, 5}}), map[byte][2]float64{1: {0, 0}, 2: {3, 0.75}, 3: {4, 1}, 4: {3, 0.75}, 5: {0, 0}})
	// a square: each corner has half of the two ways between its neighbours
	is(centrality(t, [][2]byte{{1, 2}, {2, 3}, {3, 4}, {4, 1}}), map[byte][2]float64{1: {0.5, 1}, 2: {0.5, 1}, 3: {0.5, 1}, 4: {0.5, 1}})
	// with a second channel 1-2 there are two ways over 2 and one over 4
	is(centrality(t, [][2]byte{{1, 2}, {1, 2}, {2, 3}, {3, 4}, {4, 1}}),
		map[byte][2]float64{1: {2. / 3, 1}, 2: {2. / 3, 1}, 3: {1. / 3, 0.5}, 4: {1. / 3, 0.5}})
	// two parts that know nothing of each other
	is(centrality(t, [][2]byte{{1, 2}, {2, 3}, {7, 8}}), map[byte][2]float64{1: {0, 0}, 2: {1, 1}, 3: {0, 0}, 7: {0, 0}, 8: {0, 0}})
}

func sliceOf2(v [2]float64) []float64 { return v[:] }

// The figures are those of counting all shortest paths one by one.
func TestCentralityCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 7).Draw(t, "nodes")
		var list [][2]byte
		adj := make([][]int, n)
		for range rapid.IntRange(1, 14).Draw(t, "channels") {
			a := rapid.IntRange(0, n-2).Draw(t, "a")
			b := rapid.IntRange(a+1, n-1).Draw(t, "b")
			list = append(list, [2]byte{byte(a), byte(b)})
			adj[a], adj[b] = append(adj[a], b), append(adj[b], a)
		}
		want := make([]float64, n)
		for a := range n {
			for b := a + 1; b < n; b++ {
				through, total := countPaths(adj, a, b)
				for i := range through {
					want[i] += through[i] / max(total, 1)
				}
			}
		}
		g := NewGraph()
		for i, ends := range list {
			if err := g.AddChannel(Channel{SCID: lnwire.ShortChannelID(i + 1), Node1: lnwire.PubKey{2, ends[0]}, Node2: lnwire.PubKey{2, ends[1]}}); err != nil {
				t.Fatal(err)
			}
		}
		c := g.Snapshot().Centrality()
		for i := range c.Nodes() {
			c.From(i)
		}
		c.Each(func(id lnwire.PubKey, v, _ float64) {
			if d := v - want[id[1]]; d > 1e-9 || d < -1e-9 {
				t.Fatalf("node %d: %v, want %v", id[1], v, want[id[1]])
			}
		})
	})
}

// countPaths counts the shortest paths between two nodes, and of them those through each.
func countPaths(adj [][]int, a, b int) (through []float64, total float64) {
	through = make([]float64, len(adj))
	paths := [][]int{{a}}
	for range adj {
		var longer [][]int
		for _, p := range paths {
			for _, next := range adj[p[len(p)-1]] {
				if next != b {
					longer = append(longer, append(p[:len(p):len(p)], next))
					continue
				}
				total++
				for _, v := range p[1:] {
					through[v]++
				}
			}
		}
		if total > 0 || len(longer) > 100_000 {
			break
		}
		paths = longer
	}
	return through, total
}

// On the real network a step takes a millisecond or so: between two of them the caller
// may stop.
func BenchmarkCentrality(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	c := load(b, channels).Snapshot().Centrality()
	start, n := time.Now(), 0
	for b.Loop() {
		c.From(n % c.Nodes())
		n++
	}
	b.ReportMetric(time.Since(start).Seconds()/float64(n)*float64(c.Nodes()), "s/all")
}
