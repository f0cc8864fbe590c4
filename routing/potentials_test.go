package routing

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ours turns a query into one of the source's own: its channels are those of the graph,
// with all of their capacity to send.
func ours(s *Snapshot, q *Query) *Query {
	q.Ours, q.Locals = true, nil
	for c := range s.ChannelsOf(q.Source) {
		side, peer := 0, c.Node2
		if c.Node2 == q.Source {
			side, peer = 1, c.Node1
		}
		if p := c.Policies[side]; p != nil && !p.Disabled {
			l := Local{SCID: c.SCID, Peer: peer, Capacity: c.Capacity, Sendable: min(c.Capacity.MilliSat(), p.Max), Min: p.Min}
			if theirs := c.Policies[1-side]; theirs != nil {
				l.Inbound = theirs.Inbound
			}
			q.Locals = append(q.Locals, l)
		}
	}
	return q
}

// weigh is what a search minimises, for a route that it found.
func weigh(s *Snapshot, q *Query, r *Route) float64 {
	p := cmp.Or(q.Params, &DefaultParams)
	prob, risk := 1.0, 0.0
	for i := 1; i < len(r.Hops); i++ {
		c, _ := s.Channel(r.Hops[i].SCID)
		prob *= q.Scores.Probability(q.Now, p, r.from(i), r.Hops[i].Node, r.carried(i), c.Capacity)
	}
	expiry := r.Expiry
	for i := range r.Hops {
		risk += float64(r.carried(i)) * float64(expiry-r.Hops[i].Expiry) * float64(p.RiskPPB) / 1e9
		expiry = r.Hops[i].Expiry
	}
	attempt := float64(p.AttemptBase) + float64(q.Amount)*float64(p.AttemptPPM)/1e6
	return float64(r.Fee()) + risk + attempt/prob
}

// With potentials the same ways are found or better ones, up to what makes both searches
// heuristics: amounts that grow with fees, and probabilities that multiply.
func TestPotentialsFindTheSame(t *testing.T) {
	worse, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := NewGraph()
		const nodes = 9
		for i := range rapid.IntRange(1, 24).Draw(t, "channels") {
			a, b := rapid.IntRange(0, nodes-1).Draw(t, "a"), rapid.IntRange(0, nodes-1).Draw(t, "b")
			if a == b {
				continue
			}
			policy := func() *Policy {
				p := flat(rapid.Uint32Range(0, 5000).Draw(t, "base"), rapid.Uint32Range(0, 3000).Draw(t, "ppm"), rapid.Uint16Range(0, 144).Draw(t, "delta"))
				p.Max = lnwire.MilliSat(rapid.Uint64Range(1, 4).Draw(t, "max")) * 1_000_000
				if rapid.IntRange(0, 5).Draw(t, "discount") == 0 {
					p.Inbound = Inbound{Base: -int32(rapid.IntRange(0, 2000).Draw(t, "off")), PPM: -int32(rapid.IntRange(0, 1000).Draw(t, "rate"))}
				}
				return p
			}
			link(t, g, i+1, key(a), key(b), lnwire.Sat(rapid.IntRange(1000, 5000).Draw(t, "capacity")), policy(), policy())
		}
		s := g.Snapshot()
		scores := NewScores()
		for range rapid.IntRange(0, 5).Draw(t, "seen") {
			scores.Learn(t0.Add(-time.Hour), []Observation{{key(rapid.IntRange(0, nodes-1).Draw(t, "from")), key(rapid.IntRange(0, nodes-1).Draw(t, "to")),
				lnwire.MilliSat(rapid.IntRange(1, 3_000_000).Draw(t, "seen amount")), rapid.Bool().Draw(t, "success")}})
		}
		amount := lnwire.MilliSat(rapid.IntRange(1, 3_000_000).Draw(t, "amount"))
		q := ours(s, &Query{Source: key(0), Target: key(rapid.IntRange(1, nodes-1).Draw(t, "target")), Amount: amount,
			Height: 100, FinalDelta: 9, FeeLimit: amount, Now: t0, Scores: scores})
		switch rapid.IntRange(0, 3).Draw(t, "model") {
		case 0:
			p := DefaultParams
			p.Weight = 0.5
			q.Params = &p
		case 1:
			p := DefaultParams
			p.Bimodal = &Bimodal{Scale: 1_000_000, Decay: time.Hour, NodeWeight: float64(rapid.IntRange(0, 1).Draw(t, "others")) / 5}
			q.Params = &p
		}
		var f Finder
		plain, err := f.Find(s, q)
		q.Potentials = NewPotentials(s, q.Locals, scores, q.Params, PotentialLevel(amount))
		require.True(t, q.Potentials.Of(s))
		ahead, err2 := f.Find(s, q)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			return
		}
		checkForwards(t, s, &ahead, q)
		all++
		if a, b := weigh(s, q, &ahead), weigh(s, q, &plain); a > b*1.0001 {
			worse++
			require.Less(t, a, b*1.25, "by little, where at all")
		}
	})
	require.LessOrEqual(t, worse*50, all, "seldom")
}

// Old potentials, and none for a node that came later, cost nothing but time.
func TestOldPotentials(t *testing.T) {
	g := line(t)
	old := g.Snapshot()
	q := ours(old, &Query{Source: key(0), Target: key(3), Amount: 1_000_000, FeeLimit: 400_000, FinalDelta: 9, Now: t0})
	q.Potentials = NewPotentials(old, q.Locals, nil, nil, PotentialLevel(q.Amount))
	link(t, g, 50, key(3), key(9), 1_000_000, flat(0, 0, 1), flat(0, 0, 1))
	link(t, g, 51, key(8), key(9), 1_000_000, flat(0, 0, 1), flat(0, 0, 1))
	s := g.Snapshot()
	require.False(t, q.Potentials.Of(s))
	var f Finder
	q.Target = key(9)
	_, err := f.Find(s, q)
	require.NoError(t, err, "a new node")
	require.NoError(t, g.RemoveChannel(3))
	require.NoError(t, g.RemoveChannel(5))
	q.Target = key(3)
	_, err = f.Find(g.Snapshot(), q)
	require.Error(t, err)
	link(t, g, 60, key(0), key(8), 1_000_000, flat(0, 0, 1), flat(0, 0, 1))
	_, err = f.Find(g.Snapshot(), ours(g.Snapshot(), q))
	require.NoError(t, err, "a new channel of ours")

	for _, amount := range []lnwire.MilliSat{0, 1, 7, 8, 9, 1000, 1_000_000, 10_000_000_000, maxAmount} {
		level := PotentialLevel(amount)
		require.LessOrEqual(t, level, amount)
		require.LessOrEqual(t, uint64(amount), uint64(level)*5/4+1)
		require.Equal(t, level, PotentialLevel(level))
	}
}

// On the real network they find what the plain search finds.
func TestMainnetPotentials(t *testing.T) {
	channels := readMainnet(t)
	if channels == nil {
		t.Log("the graph of the real network is not here (FULGUR_TESTDATA): nothing to compare")
		return
	}
	s := load(t, channels).Snapshot()
	var f Finder
	for _, w := range workloads[:1] {
		found, worse, sum, plain := 0, 0, 0.0, 0.0
		for _, pair := range readPairs(t, w.pairs)[:25] {
			q := ours(s, w.query(pair))
			a, err := f.Find(s, q)
			q.Potentials = NewPotentials(s, q.Locals, nil, nil, PotentialLevel(q.Amount))
			b, err2 := f.Find(s, q)
			require.Equal(t, err == nil, err2 == nil)
			if err != nil {
				continue
			}
			found++
			x, y := weigh(s, q, &a), weigh(s, q, &b)
			plain, sum = plain+x, sum+y
			if y > x*1.0001 {
				worse++
			}
		}
		t.Logf("%-16s found %d, worse than the plain search %d, cost in the mean %.4f of its", w.name, found, worse, sum/plain)
		require.LessOrEqual(t, worse, 2)
		require.Less(t, sum, plain*1.001)
	}
}

// BenchmarkFindOurs searches from ourselves, as a payment does: with potentials that are
// there already, and, as plain, without.
func BenchmarkFindOurs(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	s := load(b, channels).Snapshot()
	for _, w := range workloads {
		pairs := readPairs(b, w.pairs)[:100]
		var queries []*Query
		for _, pair := range pairs {
			q := ours(s, w.query(pair))
			q.Potentials = NewPotentials(s, q.Locals, nil, nil, PotentialLevel(q.Amount))
			queries = append(queries, q)
		}
		for _, plain := range []bool{false, true} {
			name := w.name
			if plain {
				name += "-plain"
			}
			b.Run(name, func(b *testing.B) {
				var f Finder
				var took []time.Duration
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					q := *queries[i%len(queries)]
					if plain {
						q.Potentials = nil
					}
					start := time.Now()
					_, _ = f.Find(s, &q)
					took = append(took, time.Since(start))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-us")
			})
		}
	}
}

func BenchmarkNewPotentials(b *testing.B) {
	channels := readMainnet(b)
	if channels == nil {
		b.Skip("the graph of the real network is not here")
	}
	s := load(b, channels).Snapshot()
	q := ours(s, workloads[0].query(readPairs(b, workloads[3].pairs)[0]))
	b.ReportAllocs()
	for b.Loop() {
		NewPotentials(s, q.Locals, nil, nil, PotentialLevel(q.Amount))
	}
}
