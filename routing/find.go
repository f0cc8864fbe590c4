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
	attempt float64                          // the cost of a failed attempt
	risk    float64                          // the cost of locking one msat for one block
	bound   float64                          // the cost of the best way to the source so far
	here    []special                        // those of the node that is settled
	known   toNode                           // what was learned of those who send to it
	senders map[lnwire.PubKey][]*PairHistory // what was learned of each who sends, where that is looked at; else nil
	ahead   *Potentials
	halves  *halves // of our channels, for a payment to ourselves; nil for others
	// unlikely: a way was left out since it is not likely enough.
	unlikely bool
}

// Find looks for the cheapest and likeliest route. The error is a *NoRoute.
func (f *Finder) Find(s *Snapshot, q *Query) (Route, error) {
	find := f.find
	if q.Ours && q.Source == q.Target {
		find = f.around
	}
	r, _, err := find(s, q)
	return r, err
}

// find gives a route and what it costs.
func (f *Finder) find(s *Snapshot, q *Query) (Route, float64, error) {
	if err := f.begin(s, q); err != nil {
		return Route{}, 0, err
	}
	defer func() { f.t, f.q, f.p, f.known, f.ahead, f.senders = nil, nil, nil, nil, nil, nil }()
	if !f.search() && !f.plainly() {
		return Route{}, 0, &NoRoute{Reason: ReasonNoRoute, Unlikely: f.unlikely, Why: f.why()}
	}
	return f.trace(), f.at(f.source).cost, nil
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
	if q.Source == q.Target && !q.Ours {
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
	if f.p.looksAround() {
		f.senders = q.Scores.senders()
	}
	f.attempt = (float64(f.p.AttemptBase) + float64(q.Amount)*float64(f.p.AttemptPPM)/1e6) * preference(q.TimePref)
	f.reset()
	f.source = f.index(q.Source)
	if f.target = f.index(q.Target); f.target == f.source {
		f.target = f.outsider(q.Target) // what pays and what is paid are two nodes of the search
	}
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
	return f.outsider(id)
}

func (f *Finder) outsider(id lnwire.PubKey) uint32 {
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
	if f.halves != nil {
		f.backs()
		return
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
	for i, l := range f.q.Locals {
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
		if f.halves != nil && f.halves.back(i) {
			continue
		}
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
