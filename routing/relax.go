package routing

import (
	"math"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// settle looks at every channel that leads to v.
func (f *Finder) settle(v uint32, l *label, is marks) {
	f.known = nil
	if f.q.Scores != nil {
		f.known = f.q.Scores.to(f.id(v))
	}
	f.here = f.here[:0]
	if is&markSpecial != 0 {
		for i := range f.specials {
			if f.specials[i].to == v {
				f.here = append(f.here, f.specials[i])
			}
		}
	}
	lastHop := uint32(none)
	if v == f.target && f.q.LastHop != nil {
		lastHop = f.index(*f.q.LastHop)
	}
	if int(v) < f.t.nodes.n {
		if in := f.t.nodes.at(v).in; len(f.here) == 0 && lastHop == none {
			f.overPlain(v, l, in)
		} else {
			for i := range in {
				if e := &in[i]; lastHop == none || e.from == lastHop {
					f.overEdge(v, l, e)
				}
			}
		}
	}
	if is&markExtra != 0 {
		for i, x := range f.extras {
			if x.to == v && (lastHop == none || x.from == lastHop) && !(f.q.Ours && x.from == f.source) {
				f.overExtra(v, l, uint32(i), &x.policy)
			}
		}
	}
	if is&markLocal != 0 && (lastHop == none || lastHop == f.source) {
		f.overLocal(v, l)
	}
}

// overPlain goes back over channels of which nothing is special. Here the time of a
// search is spent: most channels are dropped by a look at the edge and a bound that is
// a little below the cost of the way over it.
func (f *Finder) overPlain(v uint32, l *label, in []edge) {
	likely := f.p.most(0, 0, len(f.known) > 0)
	floor, odds := float64(l.amount-f.q.Amount)+l.risk-1, f.attempt/(l.prob*likely)
	amount, lock := float64(l.amount), float64(l.amount)*f.risk
	for i := range in {
		e := &in[i]
		if e.off || l.amount > e.max || l.amount < e.min {
			continue
		}
		if e.from != f.source && !e.inbound {
			to, limit := &f.spots[e.from], f.bound
			if to.gen == f.gen {
				if to.state == settled {
					continue
				}
				if to.state == open {
					limit = min(limit, to.cost)
				}
			}
			rest := f.rest(e.from)
			if rest == nowhere || floor+float64(rest.sum)+odds*float64(rest.odds)+float64(e.base)+amount*float64(e.ppm)*1e-6+lock*float64(e.delta) >= limit {
				continue
			}
		}
		f.overEdge(v, l, e)
	}
}

// overEdge goes back over a channel of the graph.
//
// B7.route.3: nothing is sent over a channel that is disabled, nor below its minimum or above its maximum.
func (f *Finder) overEdge(v uint32, l *label, e *edge) {
	if e.from == f.source && (f.q.Ours || len(f.q.Outgoing) > 0 && !slices.Contains(f.q.Outgoing, f.t.channels.at(e.channel).scid)) {
		return
	}
	c := candidate{via: viaGraph, channel: e.channel, base: e.base, ppm: e.ppm, delta: e.delta, cap: e.cap, carried: l.amount}
	least, most, off := e.min, e.max, e.off
	if e.inbound {
		c.carried = f.incoming(v, l, f.t.inbound(e.channel, v))
	}
	if len(f.here) > 0 {
		p, ok := f.specially(e.from, &c)
		if !ok {
			return
		}
		if p != nil {
			c.base, c.ppm, c.delta = p.Base, p.PPM, p.Delta
			least, most, off = p.Min, min(p.Max, e.cap), p.Disabled || e.barred
		}
	}
	if off || c.carried < least || c.carried > most || c.onChannel > e.cap-c.carried {
		return
	}
	f.relax(e.from, v, l, &c)
}

// incoming is what has to come to v over a channel of which it asks for in. A
// recipient asks for nothing, and what the first node of a blinded path asks for is in
// the price of the path.
func (f *Finder) incoming(v uint32, l *label, in Inbound) lnwire.MilliSat {
	if !f.asks(v) {
		return l.amount
	}
	return in.Incoming(l.out, l.amount-l.out)
}

func (f *Finder) asks(v uint32) bool {
	return v != f.target && (len(f.q.Blinded) == 0 || f.labels[v].next != f.target)
}

// specially takes in what is special about going from a node to the one that is
// settled: what is under way already, and a policy that replaces the graph's. It is
// false when it must not be done.
func (f *Finder) specially(from uint32, c *candidate) (policy *Policy, ok bool) {
	for i := range f.here {
		if s := &f.here[i]; s.from == from && s.load != 0 {
			c.onPair = saturatingAdd(c.onPair, s.load)
			if s.channel == c.channel && c.via == viaGraph {
				c.onChannel = saturatingAdd(c.onChannel, s.load)
			}
		}
	}
	for i := range f.here {
		s := &f.here[i]
		if s.from != from || s.channel != none && (s.channel != c.channel || c.via != viaGraph) {
			continue
		}
		if s.bar && saturatingAdd(c.carried, c.onPair) >= s.barFrom {
			return nil, false
		}
		if s.policy != nil {
			policy = s.policy
		}
	}
	return policy, true
}

func (f *Finder) overExtra(v uint32, l *label, i uint32, p *Policy) {
	x := &f.extras[i]
	c := candidate{via: viaExtra, channel: i, base: p.Base, ppm: p.PPM, delta: p.Delta,
		cap: math.MaxUint64, carried: l.amount, sure: x.path != nil}
	if _, ok := f.specially(x.from, &c); !ok {
		return
	}
	if p.Disabled || c.carried < p.Min || c.carried > p.Max {
		return
	}
	f.relax(x.from, v, l, &c)
}

// overLocal goes back to ourselves, over that of our channels to v which has most.
func (f *Finder) overLocal(v uint32, l *label) {
	c := candidate{via: viaLocal, sure: true, carried: l.amount}
	if _, ok := f.specially(f.source, &c); !ok {
		return
	}
	best := -1
	for i, peer := range f.peers {
		if peer != v {
			continue
		}
		own := &f.locals[i]
		carried := f.incoming(v, l, own.Inbound)
		if carried <= own.Sendable && carried >= own.Min && (best < 0 || own.Sendable > f.locals[best].Sendable) {
			best, c.carried = i, carried
		}
	}
	if best >= 0 {
		c.channel = uint32(best)
		f.relax(f.source, v, l, &c)
	}
}

// candidate is a channel by which a label may be made.
type candidate struct {
	via       via
	sure      bool // it carries what it should, as far as anybody can know
	channel   uint32
	base      uint32
	ppm       uint32
	delta     uint16
	cap       lnwire.MilliSat
	carried   lnwire.MilliSat // over it
	onChannel lnwire.MilliSat // under way over it already
	onPair    lnwire.MilliSat // and over all channels of the pair
}

// leastChance is what a channel is given that failed just now, where such count.
const leastChance = 1e-3

// relax makes the label of u over a channel to v, unless it has a better one or a
// limit forbids it.
//
// B7.route.4: the total of fees and the total of time locks stay within the payer's limits.
func (f *Finder) relax(u, v uint32, l *label, c *candidate) {
	to := f.at(u)
	if to.state == settled || to.marks&markIgnored != 0 && u != f.source {
		return
	}
	amount, cltv, risk := c.carried, l.cltv, l.risk
	if u != f.source {
		amount = saturatingAdd(amount, Fee(c.base, c.ppm, c.carried))
		cltv += uint32(c.delta)
		risk += float64(amount) * float64(c.delta) * f.risk
	}
	if amount > maxAmount || amount-f.q.Amount > f.q.FeeLimit || cltv > f.maxCLTV {
		return
	}
	// A way that costs more than the best one to the source leads nowhere.
	limit := f.bound
	if to.state == open {
		limit = min(limit, to.cost)
	}
	rest := f.rest(u)
	if rest == nowhere {
		return
	}
	sum := float64(amount-f.q.Amount) + risk + float64(rest.sum)
	odds := f.attempt * float64(rest.odds)
	if sum+odds/l.prob >= limit {
		return
	}
	chance := f.probability(u, c)
	if f.q.Unlikely {
		chance = max(chance, leastChance)
	}
	prob := l.prob * chance
	if prob <= 0 || prob < f.p.MinProbability && !f.q.Unlikely {
		f.unlikely = true
		return
	}
	cost := sum + odds/prob
	if cost >= limit {
		return
	}
	f.reach(u, cost, label{via: c.via, channel: c.channel, next: v, hops: l.hops + 1, base: c.base, ppm: c.ppm,
		delta: c.delta, out: c.carried, amount: amount, cltv: cltv, risk: risk, prob: prob, heapPos: f.labels[u].heapPos})
}

// reach gives a node a better label than it had.
func (f *Finder) reach(u uint32, cost float64, l label) {
	f.labels[u] = l
	s := &f.spots[u]
	s.cost = cost
	if u == f.source {
		f.bound = cost
	}
	if s.state == unseen {
		s.state = open
		f.push(u)
	} else {
		f.up(int(l.heapPos))
	}
}

func (f *Finder) probability(u uint32, c *candidate) float64 {
	if c.sure {
		return 1
	}
	var h *PairHistory
	if len(f.known) > 0 {
		if i, ok := f.known.find(f.id(u)); ok {
			h = &f.known[i]
		}
	}
	var others []*PairHistory
	if f.senders != nil {
		others = f.senders[f.id(u)]
	}
	return f.p.likely(f.q.Now, h, others, saturatingAdd(c.carried, c.onPair), saturatingAdd(c.carried, c.onChannel), c.cap)
}
