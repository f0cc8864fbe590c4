package routing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func webOf(t require.TestingT, list [][2]byte) *Snapshot {
	g := NewGraph()
	for i, ends := range list {
		a, b := min(ends[0], ends[1]), max(ends[0], ends[1])
		require.NoError(t, g.AddChannel(Channel{SCID: lnwire.ShortChannelID(i + 1), Node1: lnwire.PubKey{2, a}, Node2: lnwire.PubKey{2, b}}))
	}
	return g.Snapshot()
}

func never() bool { return false }

func TestDiameter(t *testing.T) {
	for want, list := range map[int][][2]byte{
		0: nil,
		1: {{1, 2}, {1, 2}},
		2: {{1, 2}, {2, 3}, {3, 4}, {4, 1}},
		4: {{1, 2}, {2, 3}, {3, 4}, {4, 5}},
		// the hub is in the first part; the line is longer, but nothing leads there
		3: {{1, 2}, {1, 3}, {1, 4}, {4, 5}, {11, 12}, {12, 13}, {13, 14}, {14, 15}},
	} {
		got, ok := webOf(t, list).Diameter(never)
		require.True(t, ok)
		require.Equal(t, want, got, "%v", list)
	}
	_, ok := webOf(t, [][2]byte{{1, 2}, {2, 3}}).Diameter(func() bool { return true })
	require.False(t, ok)
}

// It is the longest of all shortest ways, whatever the graph.
func TestDiameterIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "nodes")
		var list [][2]byte
		for range rapid.IntRange(1, 30).Draw(t, "channels") {
			a := rapid.IntRange(0, n-2).Draw(t, "a")
			list = append(list, [2]byte{byte(a), byte(rapid.IntRange(a+1, n-1).Draw(t, "b"))})
		}
		s := webOf(t, list)
		w := s.web()
		hops := func(from uint32) ([]uint32, []int32) {
			far := make([]int32, len(w.ids))
			for i := range far {
				far[i] = -1
			}
			return w.reach(from, far, nil), far
		}
		want := int32(0)
		reached, _ := hops(w.hub())
		for _, from := range reached {
			order, far := hops(from)
			want = max(want, far[order[len(order)-1]])
		}
		got, ok := s.Diameter(never)
		if !ok || got != int(want) {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func BenchmarkDiameter(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	s := load(b, channels).Snapshot()
	tried, hops := 0, 0
	start := time.Now()
	for b.Loop() {
		tried = 0
		hops, _ = s.Diameter(func() bool { tried++; return false })
	}
	b.ReportMetric(float64(hops), "hops")
	b.ReportMetric(float64(tried), "tried")
	b.ReportMetric(time.Since(start).Seconds()/float64(b.N), "s")
}
