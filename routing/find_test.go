package routing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// inboundOf is what a node asks for what comes to it over a channel.
func inboundOf(s *Snapshot, scid lnwire.ShortChannelID, to lnwire.PubKey) Inbound {
	c, _ := s.Channel(scid)
	p := c.Policies[0]
	if c.Node2 == to {
		p = c.Policies[1]
	}
	if p == nil {
		return Inbound{}
	}
	return p.Inbound
}

// checkForwards walks a route as the nodes on it would: each holds what it gets
// against its policy, as the switch of this house does (B7.route.1, B7.route.2).
func checkForwards(t fataler, s *Snapshot, r *Route, q *Query) {
	t.Helper()
	amount, expiry := r.Amount, r.Expiry
	from := q.Source
	for i, h := range r.Hops {
		c, ok := s.Channel(h.SCID)
		if !ok || c.Node1 != from && c.Node2 != from || c.Node1 != h.Node && c.Node2 != h.Node {
			t.Fatalf("hop %d: no channel %s from %s to %s", i, h.SCID, from, h.Node)
		}
		side := 0
		if c.Node2 == from {
			side = 1
		}
		p := c.Policies[side]
		if p == nil || p.Disabled || amount < p.Min || amount > p.Max || amount > c.Capacity.MilliSat() { // B7.route.3
			t.Fatalf("hop %d: channel %s does not carry %s: %+v", i, h.SCID, amount, p)
		}
		if i > 0 {
			fee := forward.Policy{Base: lnwire.MilliSat(p.Base), PPM: p.PPM}.Fee(amount)
			fee = inboundOf(s, r.Hops[i-1].SCID, from).Incoming(amount, fee) - amount
			in, out := r.carried(i-1), amount
			if in-out != fee || r.Hops[i-1].Fee != fee {
				t.Fatalf("hop %d keeps %s, its fee is %s", i-1, in-out, fee)
			}
			if want := lnwire.Height(p.Delta); r.expiryTo(i-1)-expiry != want {
				t.Fatalf("hop %d gets %d blocks, wants %d", i-1, r.expiryTo(i-1)-expiry, want)
			}
		}
		amount, expiry, from = h.Forward, h.Expiry, h.Node
	}
	if last := r.Hops[len(r.Hops)-1]; last.Node != q.Target || amount != q.Amount || expiry != q.Height+lnwire.Height(q.FinalDelta) {
		t.Fatalf("the recipient gets %s until %d", amount, expiry)
	}
	if r.Fee() > q.FeeLimit || r.Check() != nil { // B7.route.4
		t.Fatalf("fee %s above the limit of %s, or %v", r.Fee(), q.FeeLimit, r.Check())
	}
	if limit := max(q.CLTV, 1); q.CLTV > 0 && r.Expiry > q.Height+lnwire.Height(limit) {
		t.Fatalf("locked until %d, the limit is %d blocks", r.Expiry, limit)
	}
}

// expiryTo is the expiry of the HTLC that hop i gets.
func (r *Route) expiryTo(i int) lnwire.Height {
	if i == 0 {
		return r.Expiry
	}
	return r.Hops[i-1].Expiry
}

type world struct {
	g *Graph
	n int
}

func drawWorld(t *rapid.T, ppm bool) world {
	w := world{g: NewGraph(), n: rapid.IntRange(2, 8).Draw(t, "nodes")}
	policy := rapid.Custom(func(t *rapid.T) *Policy {
		if rapid.IntRange(0, 9).Draw(t, "absent") == 0 {
			return nil
		}
		p := &Policy{Base: rapid.Uint32Range(0, 2000).Draw(t, "base"), Delta: rapid.Uint16Range(0, 300).Draw(t, "delta"),
			Min: lnwire.MilliSat(rapid.IntRange(0, 2000).Draw(t, "min")), Max: lnwire.MilliSat(rapid.IntRange(500, 1_000_000).Draw(t, "max")),
			Disabled: rapid.IntRange(0, 9).Draw(t, "disabled") == 0}
		if ppm {
			p.PPM = rapid.Uint32Range(0, 100_000).Draw(t, "ppm")
		}
		return p
	})
	for i := range rapid.IntRange(1, 20).Draw(t, "channels") {
		a := rapid.IntRange(0, w.n-1).Draw(t, "a")
		b := rapid.IntRange(0, w.n-1).Draw(t, "b")
		if a == b {
			continue
		}
		link(t, w.g, i+1, fake(a), fake(b), lnwire.Sat(rapid.IntRange(1, 1500).Draw(t, "capacity")), policy.Draw(t, "pa"), policy.Draw(t, "pb"))
	}
	return w
}

// cheapest is the least cost by trying every path without loops; fees must not
// depend on amounts.
func cheapest(s *Snapshot, q *Query, at lnwire.PubKey, seen map[lnwire.PubKey]bool, cost float64) float64 {
	if at == q.Source {
		return cost
	}
	best := math.Inf(1)
	seen[at] = true
	for c := range s.ChannelsOf(at) {
		from, side := c.Node1, 0
		if from == at {
			from, side = c.Node2, 1
		}
		p := c.Policies[side]
		if seen[from] || p == nil || p.Disabled || q.Amount < p.Min || q.Amount > p.Max || q.Amount > c.Capacity.MilliSat() {
			continue
		}
		step := cost
		if from != q.Source {
			step += float64(p.Base)
		}
		best = min(best, cheapest(s, q, from, seen, step))
	}
	delete(seen, at)
	return best
}

// Where costs add up, the search finds a route if and only if there is one, and none
// is cheaper. (Amounts that grow on the way could break limits on one path and not on
// another; here min and max are held against amounts with fees, so the oracle only
// speaks where fees cannot matter.)
func TestCheapestRoute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{g: NewGraph(), n: rapid.IntRange(2, 7).Draw(t, "nodes")}
		for i := range rapid.IntRange(1, 16).Draw(t, "channels") {
			a, b := rapid.IntRange(0, w.n-1).Draw(t, "a"), rapid.IntRange(0, w.n-1).Draw(t, "b")
			if a == b {
				continue
			}
			pol := func(name string) *Policy {
				p := flat(rapid.Uint32Range(0, 500).Draw(t, name), 0, 0)
				if rapid.IntRange(0, 3).Draw(t, name+" carries") == 0 {
					p.Max = 999
				}
				return p
			}
			link(t, w.g, i+1, fake(a), fake(b), 1_000_000, pol("a to b"), pol("b to a"))
		}
		s := w.g.Snapshot()
		q := &Query{Source: fake(0), Target: fake(1), Amount: 1000, FeeLimit: math.MaxInt64, FinalDelta: 9, Now: t0,
			Params: &Params{Apriori: 1, MinProbability: 0.0001}}
		want := cheapest(s, q, q.Target, map[lnwire.PubKey]bool{}, 0)
		var f Finder
		r, err := f.Find(s, q)
		if math.IsInf(want, 1) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, float64(r.Fee()))
		checkForwards(t, s, &r, q)
	})
}

// Whatever the graph and the limits: what is found can be sent (B7.route.3, B7.route.4).
func TestEveryRouteHolds(t *testing.T) {
	var f Finder // one for all: nothing of a search may show in the next
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, true)
		s := w.g.Snapshot()
		q := &Query{Source: fake(0), Target: fake(1), Amount: lnwire.MilliSat(rapid.IntRange(1, 900_000).Draw(t, "amount")),
			FeeLimit: lnwire.MilliSat(rapid.IntRange(0, 50_000).Draw(t, "fee limit")), Height: 100, FinalDelta: 9, Now: t0,
			CLTV: rapid.Uint32Range(10, 1000).Draw(t, "cltv")}
		r, err := f.Find(s, q)
		var fresh Finder
		again, err2 := fresh.Find(s, q)
		require.Equal(t, err, err2)
		require.Equal(t, again, r)
		if err == nil {
			checkForwards(t, s, &r, q)
		}
	})
}

// line is 0 - 1 - 2 - 3, with a dearer way 0 - 4 - 3.
func line(t testing.TB) *Graph {
	g := NewGraph()
	link(t, g, 1, key(0), key(1), 1_000_000, flat(9999, 0, 99), flat(0, 0, 10))
	link(t, g, 2, key(1), key(2), 1_000_000, flat(1000, 1000, 40), flat(1000, 0, 40))
	link(t, g, 3, key(2), key(3), 1_000_000, flat(500, 100, 20), flat(500, 0, 20))
	link(t, g, 4, key(0), key(4), 1_000_000, flat(0, 0, 10), flat(0, 0, 10))
	link(t, g, 5, key(4), key(3), 1_000_000, flat(300_000, 0, 100), flat(0, 0, 10))
	return g
}

func TestFigures(t *testing.T) {
	q := &Query{Source: key(0), Target: key(3), Amount: 1_000_000, Height: 700, FinalDelta: 9, FeeLimit: 10_000, Now: t0}
	var f Finder
	r, err := f.Find(line(t).Snapshot(), q)
	require.NoError(t, err)
	// 3 gets 1,000,000; 2 keeps 500 + 100; 1 keeps 1000 + 1000.6, rounded down.
	require.Equal(t, Route{Source: key(0), Amount: 1_002_600, Expiry: 769, Hops: []Hop{
		{Node: key(1), SCID: 1, Forward: 1_000_600, Expiry: 729, Fee: 2000},
		{Node: key(2), SCID: 2, Forward: 1_000_000, Expiry: 709, Fee: 600},
		{Node: key(3), SCID: 3, Forward: 1_000_000, Expiry: 709},
	}}, r)
}

func TestRestrictions(t *testing.T) {
	s := line(t).Snapshot()
	scids := func(r Route) (out []int) {
		for _, h := range r.Hops {
			out = append(out, int(h.SCID))
		}
		return out
	}
	locals := []Local{{SCID: 1, Peer: key(1), Sendable: 2_000_000, Capacity: 1_000_000}, {SCID: 40, Peer: key(4), Sendable: 3_000_000, Capacity: 1_000_000}}
	last := key(4)
	for _, c := range []struct {
		name string
		with func(q *Query)
		want []int
	}{
		{"as it is", func(*Query) {}, []int{1, 2, 3}},
		{"a node is ignored", func(q *Query) { q.IgnoreNodes = []lnwire.PubKey{key(2)} }, []int{4, 5}},
		{"a pair is ignored", func(q *Query) { q.IgnorePairs = []Pair{{key(1), key(2)}} }, []int{4, 5}},
		{"the other direction is ignored", func(q *Query) { q.IgnorePairs = []Pair{{key(2), key(1)}} }, []int{1, 2, 3}},
		{"a channel is ignored", func(q *Query) { q.IgnoreEdges = []Direction{{3, key(2)}} }, []int{4, 5}},
		{"the last hop is given", func(q *Query) { q.LastHop = &last }, []int{4, 5}},
		{"the first channel is given", func(q *Query) { q.Outgoing = []lnwire.ShortChannelID{4} }, []int{4, 5}},
		{"the fee limit is below the cheap way", func(q *Query) { q.FeeLimit = 2599 }, nil},
		{"the fee limit is the cheap way", func(q *Query) { q.FeeLimit = 2600 }, []int{1, 2, 3}},
		{"the lock is too long", func(q *Query) { q.CLTV = 68 }, nil},
		{"the lock is just so long", func(q *Query) { q.CLTV = 69 }, []int{1, 2, 3}},
		{"another policy", func(q *Query) { q.Updates = []Update{{Direction{3, key(2)}, *flat(400_000, 0, 20)}} }, []int{4, 5}},
		{"disabled by an update", func(q *Query) {
			q.Updates = []Update{{Direction{3, key(2)}, Policy{Max: 1 << 40, Disabled: true}}}
		}, []int{4, 5}},
		{"our own channels", func(q *Query) { q.Ours, q.Locals = true, locals }, []int{1, 2, 3}},
		{"one of our own channels", func(q *Query) {
			q.Ours, q.Locals, q.Outgoing = true, locals, []lnwire.ShortChannelID{40}
		}, []int{40, 5}},
		{"our other channel is empty", func(q *Query) {
			q.Ours, q.Locals = true, []Local{{SCID: 1, Peer: key(1), Sendable: 1_002_599}, locals[1]}
		}, []int{40, 5}},
		{"our channel has just enough", func(q *Query) { q.Ours, q.Locals = true, []Local{{SCID: 1, Peer: key(1), Sendable: 1_002_600}} }, []int{1, 2, 3}},
		{"a hint is used", func(q *Query) { // B4.origin.3
			q.Target = key(9)
			q.Hints = [][]HintHop{{{Node: key(2), SCID: 77, Base: 1, PPM: 0, Delta: 10}, {Node: key(8), SCID: 78, Base: 7, Delta: 5}}}
		}, []int{1, 2, 77, 78}},
	} {
		q := &Query{Source: key(0), Target: key(3), Amount: 1_000_000, Height: 700, FinalDelta: 9, FeeLimit: 400_000, Now: t0}
		c.with(q)
		var f Finder
		r, err := f.Find(s, q)
		if c.want == nil {
			require.ErrorContains(t, err, "unable to find a path to destination", c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, scids(r), c.name)
	}
}

// B7.route.5
func TestUnknownRequiredFeatures(t *testing.T) {
	find := func(g *Graph, features lnwire.Features, updates ...Update) (int, error) {
		var f Finder
		r, err := f.Find(g.Snapshot(), &Query{Source: key(0), Target: key(3), Amount: 1_000_000, FinalDelta: 9, FeeLimit: 400_000,
			Features: features, Updates: updates, Now: t0})
		return len(r.Hops), err
	}
	strange := lnwire.NewFeatures(4002)
	g := line(t)
	require.NoError(t, g.SetNode(NodeInfo{ID: key(2), Features: strange}))
	hops, err := find(g, nil)
	require.NoError(t, err)
	require.Equal(t, 2, hops)

	g = line(t)
	c, _ := g.Snapshot().Channel(3)
	c.Barred = true
	require.NoError(t, g.AddChannel(c))
	hops, err = find(g, nil, Update{Direction{3, key(2)}, *flat(1, 0, 20)})
	require.NoError(t, err)
	require.Equal(t, 2, hops)
	c.Barred = false
	require.NoError(t, g.AddChannel(c))
	hops, err = find(g, nil)
	require.NoError(t, err)
	require.Equal(t, 3, hops)

	require.NoError(t, g.SetNode(NodeInfo{ID: key(3), Features: strange}))
	_, err = find(g, nil)
	require.ErrorContains(t, err, "requires a feature")
	_, err = find(g, lnwire.NewFeatures(lnwire.PaymentSecretOptional))
	require.NoError(t, err)
}

func TestInsufficientBalance(t *testing.T) {
	s := line(t).Snapshot()
	q := &Query{Source: key(0), Target: key(3), Amount: 1_000_000, FeeLimit: 1000, Ours: true,
		Locals: []Local{{SCID: 1, Peer: key(1), Sendable: 400_000}, {SCID: 4, Peer: key(4), Sendable: 500_000}, {SCID: 5, Peer: key(5), Down: true}}, Now: t0}
	var f Finder
	_, err := f.Find(s, q)
	var none *NoRoute
	require.ErrorAs(t, err, &none)
	require.Equal(t, ReasonInsufficientBalance, none.Reason)
	require.Contains(t, none.Why, "(3, of them down: 1)")
	q.Amount = 600_000
	_, err = f.Find(s, q)
	require.ErrorAs(t, err, &none)
	require.Equal(t, ReasonNoRoute, none.Reason)
}

// B4.origin.1: 20 hops, and fewer when the last payload is long.
func TestLongestRoute(t *testing.T) {
	g := NewGraph()
	for i := range 22 {
		link(t, g, i+1, fake(i), fake(i+1), 1_000_000, flat(1, 0, 1), flat(1, 0, 1))
	}
	s := g.Snapshot()
	find := func(target, final int) error {
		var f Finder
		_, err := f.Find(s, &Query{Source: fake(0), Target: fake(target), Amount: 1000, FeeLimit: 1000, FinalLen: final, Now: t0,
			Params: &Params{Apriori: 1}})
		return err
	}
	require.NoError(t, find(20, 0))
	require.Error(t, find(21, 0))
	require.NoError(t, find(10, 600))
	require.Error(t, find(15, 600))
	require.Error(t, find(1, 1300))
}

// V-51: no graph, however absurd its numbers, makes the search panic or overflow.
func FuzzExtremes(f *testing.F) {
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), uint32(math.MaxUint32), uint32(math.MaxUint32), uint16(math.MaxUint16), uint64(math.MaxUint64))
	f.Add(uint64(1000), uint64(1), uint32(0), uint32(0), uint16(0), uint64(0))
	f.Add(uint64(2_100_000_000_000_000_000), uint64(2_100_000_000_000_000), uint32(1), uint32(1_000_000), uint16(144), uint64(math.MaxInt64))
	f.Add(uint64(1_000_000), uint64(1000), uint32(0), uint32(0), uint16(40), uint64(0)) // capacity = amount
	f.Fuzz(func(t *testing.T, amount, capacity uint64, base, ppm uint32, delta uint16, limit uint64) {
		g := NewGraph()
		p := &Policy{Base: base, PPM: ppm, Delta: delta, Max: math.MaxUint64}
		for i := range 3 {
			link(t, g, i+1, fake(i), fake(i+1), lnwire.Sat(capacity), p, p)
		}
		q := &Query{Source: fake(0), Target: fake(3), Amount: lnwire.MilliSat(amount), FeeLimit: lnwire.MilliSat(limit),
			Height: lnwire.Height(base), FinalDelta: delta, CLTV: ppm, Now: t0}
		var finder Finder
		r, err := finder.Find(g.Snapshot(), q)
		if err != nil {
			return
		}
		if r.Amount < q.Amount || r.Fee() > q.FeeLimit || r.Amount > maxAmount {
			t.Fatalf("%+v for %+v", r, q)
		}
		q.Ours, q.Locals = true, []Local{{SCID: 9, Peer: fake(1), Sendable: math.MaxUint64}}
		q.Hints = [][]HintHop{{{Node: fake(2), SCID: 90, Base: base, PPM: ppm, Delta: delta}, {Node: fake(2), SCID: 91}}}
		_, _ = finder.Find(g.Snapshot(), q)
	})
}
