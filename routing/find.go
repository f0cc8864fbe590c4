package routing

import (
	"fmt"
	"math"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// A search goes from the recipient to the payer, since fees and expiries are counted
// back from what the recipient gets. Each node that was reached has a label: what
// must arrive at it, for how long, how likely the rest of the way works, and what it
// costs. The label with the least cost is settled next (Dijkstra). Cost is
//
//	fees + time-lock risk + attempt cost / probability
//
// which is not a sum over channels: amounts grow with fees, and probabilities
// multiply. So the route is a very good one, not provably the best; it is exact when
// fees do not depend on amounts and failed attempts cost nothing.

// state of a label.
type state uint8

const (
	unseen state = iota
	open
	settled
)

// marks of a node for one search.
type marks uint8

const (
	markIgnored marks = 1 << iota // may not be on the way
	markSpecial                   // as the receiving end of something in Finder.specials
	markExtra                     // as the receiving end of a channel in Finder.extras
	markLocal                     // a peer of ours
)

// via says in which list a label's channel stands.
type via uint8

const (
	viaGraph via = iota
	viaExtra
	viaLocal
)

// spot is the part of a label that every look at a channel needs. It is void unless
// gen is the search's. The cost is that of the way from the target, and with potentials
// what the rest of the way costs at least.
type spot struct {
	cost  float64
	gen   uint32
	state state
	marks marks
}

// label is the rest of what a search knows of a node that it has reached.
type label struct {
	via     via
	hops    uint8
	heapPos int32
	next    uint32 // the node after this one
	channel uint32 // index by via
	base    uint32
	ppm     uint32
	cltv    uint32 // blocks from now that the HTLC to this node is locked
	delta   uint16
	out     lnwire.MilliSat // what this node sends on
	amount  lnwire.MilliSat // out and the fee for that, without what it asks for by where it comes from
	risk    float64         // time-lock cost so far
	prob    float64
}

// special is what one search makes of a pair or of one of its channels.
type special struct {
	from, to uint32
	channel  uint32          // none: all of the pair
	load     lnwire.MilliSat // under way already, over the channel
	bar      bool            // nothing from barFrom on goes through, what is under way included
	barFrom  lnwire.MilliSat
	policy   *Policy // instead of the graph's
}

// extra is a channel that the graph does not know, from a route hint, or a blinded path.
type extra struct {
	from, to uint32
	scid     lnwire.ShortChannelID
	path     *BlindedPath
	policy   Policy
}

// Finder is the memory of a search, to be used again by the next one: one search at
// a time, any snapshot. The zero Finder is ready.
type Finder struct {
	gen      uint32
	spots    []spot
	labels   []label
	heap     []uint32
	specials []special
	extras   []extra
	locals   []Local
	peers    []uint32 // of locals
	outside  []lnwire.PubKey
	path     []step

	// Of the search under way.
	t       *tables
	q       *Query
	p       *Params
	source  uint32
	target  uint32
	maxCLTV uint32
	maxHops uint8
	attempt float64   // the cost of a failed attempt
	risk    float64   // the cost of locking one msat for one block
	bound   float64   // the cost of the best way to the source so far
	here    []special // those of the node that is settled
	known   toNode    // what was learned of those who send to it
	ahead   *Potentials
	// unlikely: a way was left out since it is not likely enough.
	unlikely bool
}

// Find looks for the cheapest and likeliest route. The error is a *NoRoute.
func (f *Finder) Find(s *Snapshot, q *Query) (Route, error) {
	if err := f.begin(s, q); err != nil {
		return Route{}, err
	}
	defer func() { f.t, f.q, f.p, f.known, f.ahead = nil, nil, nil, nil, nil }()
	if !f.search() && !f.plainly() {
		return Route{}, &NoRoute{Reason: ReasonNoRoute, Unlikely: f.unlikely, Why: f.why()}
	}
	return f.trace(), nil
}

func (f *Finder) why() string {
	target := f.q.Target.String()
	if len(f.q.Blinded) > 0 {
		target = "a blinded path of the recipient"
	}
	text := fmt.Sprintf("no channels with room for %s lead from %s to %s within %s of fees and %d blocks",
		f.q.Amount, f.q.Source, target, f.q.FeeLimit, f.maxCLTV)
	if f.unlikely {
		text += ", but for ways that failed lately"
	}
	return text
}

func (f *Finder) begin(s *Snapshot, q *Query) error {
	f.t, f.q, f.p = &s.t, q, q.Params
	if f.p == nil {
		f.p = &DefaultParams
	}
	if q.Source == q.Target {
		return noRoute("payer and recipient are the same node")
	}
	f.maxCLTV = min(q.CLTV, math.MaxUint32/2)
	if f.maxCLTV == 0 {
		f.maxCLTV = MaxCLTV
	}
	if uint32(q.FinalDelta) > f.maxCLTV {
		return noRoute("the recipient wants %d blocks, the limit is %d", q.FinalDelta, f.maxCLTV)
	}
	f.maxHops = f.hops()
	if f.maxHops == 0 {
		return noRoute("what the recipient is to be told does not fit into an onion")
	}
	f.bound, f.risk, f.unlikely, f.ahead = math.Inf(1), float64(f.p.RiskPPB)/1e9, false, nil
	f.attempt = (float64(f.p.AttemptBase) + float64(q.Amount)*float64(f.p.AttemptPPM)/1e6) * preference(q.TimePref)
	f.reset()
	f.source, f.target = f.index(q.Source), f.index(q.Target)
	if q.Features == nil && f.bars(f.target) {
		return noRoute("the recipient requires a feature that this node does not know")
	}
	f.mark()
	if err := f.blinded(); err != nil {
		return err
	}
	if err := f.useLocals(); err != nil {
		return err
	}
	if a := q.Potentials; a != nil && q.Ours && q.Amount >= a.least && a.knows(f.peers) {
		f.ahead = a
	}
	return nil
}

// plainly searches again without potentials, which may know no way to where there is
// one by now.
func (f *Finder) plainly() bool {
	if f.ahead == nil {
		return false
	}
	q := *f.q
	q.Potentials = nil
	return f.begin(&Snapshot{*f.t}, &q) == nil && f.search()
}

// rest is what lies between the source and a node at least.
func (f *Finder) rest(u uint32) potential {
	if f.ahead == nil || u == f.source {
		return potential{0, 1}
	}
	return f.ahead.at(u)
}

// hops is the most channels of a route, a blinded path counted as one.
func (f *Finder) hops() uint8 {
	if len(f.q.Blinded) == 0 {
		return uint8(hopsFor(max(f.q.FinalLen, 64)))
	}
	if room := onion.PayloadsLen - f.q.FinalLen; room >= 0 {
		return uint8(min(MaxHops, 2+room/relayPayload))
	}
	return 0
}

// preference is the factor by which a time preference makes failed attempts count: 1
// for none, some twentieth for -1, some twenty times for 1. It is lnd's scale.
func preference(p float64) float64 {
	p = 0.9 * min(max(p, -1), 1)
	return (1 + p) / (1 - p)
}

// reset makes every label void and drops the last search's lists.
func (f *Finder) reset() {
	if f.gen++; f.gen == 0 {
		clear(f.spots[:cap(f.spots)])
		f.gen = 1
	}
	f.spots = slices.Grow(f.spots[:0], f.t.nodes.n+2)[:f.t.nodes.n]
	f.labels = slices.Grow(f.labels[:0], f.t.nodes.n+2)[:f.t.nodes.n]
	f.heap, f.specials, f.extras, f.outside = f.heap[:0], f.specials[:0], f.extras[:0], f.outside[:0]
	f.locals, f.peers, f.path = f.locals[:0], f.peers[:0], f.path[:0]
}

// index is a node's number; nodes that the graph does not know get one behind the
// others.
func (f *Finder) index(id lnwire.PubKey) uint32 {
	if n, ok := f.t.node(id); ok {
		return n
	}
	if i := slices.Index(f.outside, id); i >= 0 {
		return uint32(f.t.nodes.n + i)
	}
	f.outside = append(f.outside, id)
	f.spots, f.labels = append(f.spots, spot{}), append(f.labels, label{})
	return uint32(f.t.nodes.n + len(f.outside) - 1)
}

func (f *Finder) id(n uint32) lnwire.PubKey {
	if int(n) < f.t.nodes.n {
		return f.t.nodes.at(n).id
	}
	return f.outside[int(n)-f.t.nodes.n]
}

// at gives a node's spot, fresh for this search.
func (f *Finder) at(n uint32) *spot {
	s := &f.spots[n]
	if s.gen != f.gen {
		*s = spot{gen: f.gen}
	}
	return s
}

// mark notes everything by which this search differs from the plain graph.
func (f *Finder) mark() {
	for _, id := range f.q.IgnoreNodes {
		if n, ok := f.t.node(id); ok {
			f.at(n).marks |= markIgnored
		} else if i := slices.Index(f.outside, id); i >= 0 {
			f.at(uint32(f.t.nodes.n + i)).marks |= markIgnored
		}
	}
	for _, p := range f.q.IgnorePairs {
		f.special(special{from: f.index(p.From), to: f.index(p.To), channel: none, bar: true})
	}
	for _, o := range f.q.Failed {
		f.special(special{from: f.index(o.From), to: f.index(o.To), channel: none, bar: true, barFrom: o.Amount})
	}
	for _, d := range f.q.IgnoreEdges {
		f.onChannel(d, special{bar: true})
	}
	for i := range f.q.Updates {
		f.onChannel(f.q.Updates[i].Direction, special{policy: &f.q.Updates[i].Policy})
	}
	for _, l := range f.q.Busy {
		f.onChannel(l.Direction, special{load: l.Amount})
	}
	for _, hint := range f.q.Hints {
		f.hint(hint)
	}
}

func (f *Finder) special(s special) {
	f.specials = append(f.specials, s)
	f.at(s.to).marks |= markSpecial
}

// onChannel notes what is special of a channel that the graph knows; those of hints
// are compared by their ids.
func (f *Finder) onChannel(d Direction, s special) {
	n, ok := f.t.channel(d.SCID)
	if !ok {
		return
	}
	ch := f.t.channels.at(n)
	for side, v := range ch.nodes {
		if f.t.nodes.at(v).id == d.From {
			s.from, s.to, s.channel = v, ch.nodes[1-side], n
			f.special(s)
		}
	}
}

// hint adds the channels of a route hint that the graph does not have.
//
// B4.origin.3: the channels of an invoice's route hints are used as if they were public.
func (f *Finder) hint(hops []HintHop) {
	to := f.target
	for i := len(hops) - 1; i >= 0 && len(f.extras) < maxHints; i-- {
		h := hops[i]
		from := f.index(h.Node)
		if _, public := f.t.channel(h.SCID); !public && from != to {
			f.extra(extra{from: from, to: to, scid: h.SCID,
				policy: Policy{Base: h.Base, PPM: h.PPM, Delta: h.Delta, Max: math.MaxUint64}})
		}
		to = from
	}
}

func (f *Finder) extra(x extra) {
	d := Direction{x.scid, f.id(x.from)}
	if slices.Contains(f.q.IgnoreEdges, d) {
		return
	}
	for _, u := range f.q.Updates {
		if u.Direction == d {
			x.policy = u.Policy
		}
	}
	f.extras = append(f.extras, x)
	f.at(x.to).marks |= markExtra
}

// useLocals takes those of our channels that may be the first.
func (f *Finder) useLocals() error {
	if !f.q.Ours {
		return nil
	}
	var allowed, usable purse
	for _, l := range f.q.Locals {
		if len(f.q.Outgoing) > 0 && !slices.Contains(f.q.Outgoing, l.SCID) {
			continue
		}
		allowed.add(&l)
		if slices.Contains(f.q.IgnoreEdges, Direction{l.SCID, f.q.Source}) {
			continue
		}
		for _, c := range f.q.Caps {
			if c.SCID == l.SCID {
				l.Sendable = min(l.Sendable, c.Most)
			}
		}
		usable.add(&l)
		f.locals = append(f.locals, l)
		n := f.index(l.Peer)
		f.peers = append(f.peers, n)
		f.at(n).marks |= markLocal
	}
	return checkBalance(f.q.Amount, allowed, usable)
}

func (f *Finder) search() bool {
	f.at(f.target).state = open
	f.labels[f.target] = label{next: none, out: f.q.Amount, amount: f.q.Amount, cltv: uint32(f.q.FinalDelta), prob: 1}
	f.push(f.target)
	for len(f.heap) > 0 {
		v := f.pop()
		at := f.at(v)
		at.state = settled
		if v == f.source {
			return true
		}
		l := f.labels[v]
		if l.hops < f.maxHops && (v == f.target || at.marks&markIgnored == 0 && !f.bars(v)) {
			f.settle(v, &l, at.marks)
		}
	}
	return false
}

// bars reports that a node requires a feature that we do not know.
//
// B7.route.5: nothing is sent through a node or a channel, nor without an invoice to a node, that requires an unknown feature.
func (f *Finder) bars(v uint32) bool { return int(v) < f.t.nodes.n && f.t.nodes.at(v).bars }

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
	likely := f.p.Apriori
	if len(f.known) > 0 {
		likely = max(likely, f.p.Known)
	}
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
	base := f.p.apriori(saturatingAdd(c.carried, c.onChannel), c.cap)
	if len(f.known) > 0 {
		if i, ok := f.known.find(f.id(u)); ok {
			return f.p.experienced(f.q.Now, &f.known[i], saturatingAdd(c.carried, c.onPair), base)
		}
	}
	return base
}

// trace follows the labels from the source and makes the route.
func (f *Finder) trace() Route {
	var tail *Tail
	for v := f.source; v != f.target; {
		l := &f.labels[v]
		s := step{to: f.id(l.next), base: l.base, ppm: l.ppm, delta: l.delta}
		switch l.via {
		case viaGraph:
			s.scid = f.t.channels.at(l.channel).scid
			if f.asks(l.next) {
				s.inbound = f.t.inbound(l.channel, l.next)
			}
		case viaExtra:
			x := &f.extras[l.channel]
			if s.scid = x.scid; x.path != nil {
				tail, s.to = &x.path.Tail, x.path.ID()
			}
		case viaLocal:
			s.scid = f.locals[l.channel].SCID
			if f.asks(l.next) {
				s.inbound = f.locals[l.channel].Inbound
			}
		}
		f.path = append(f.path, s)
		v = l.next
	}
	expiry := uint64(f.q.Height) + uint64(f.q.FinalDelta)
	r := route(f.q.Source, f.path, f.q.Amount, lnwire.Height(min(expiry, math.MaxUint32)))
	r.Tail = tail
	return r
}
