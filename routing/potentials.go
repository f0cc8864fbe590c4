package routing

import (
	"math"
	"math/bits"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Potentials say for every node what the way from us to it costs at least, for amounts
// from some least one on. With them a search that comes from the recipient knows where
// we are, and hardly looks anywhere else (A*): a label's place in the heap is what it
// costs so far, and what the rest must cost.
//
// They are made of one snapshot and what was known then. They may be used for later
// ones: the route is right in any case, since each of its channels is looked at in the
// search; but where something became cheaper or likelier meanwhile, it may be not the
// best one, and where they know no way the plain search has to look for one.
type Potentials struct {
	least lnwire.MilliSat
	graph *Snapshot
	near  []bool // nodes that our channels lead to
	nodes []potential
}

// potential is what lies between us and a node: fees and time locks, and the inverse of
// how likely the likeliest way is. Both are too low rather than too high.
type potential struct{ sum, odds float32 }

// nowhere is the potential of a node that cannot be reached from us.
var nowhere = potential{float32(math.Inf(1)), float32(math.Inf(1))}

// PotentialLevel is the least amount of the potentials that serve an amount: there are
// four of them between an amount and its double.
func PotentialLevel(amount lnwire.MilliSat) lnwire.MilliSat {
	if amount < 8 {
		return amount
	}
	shift := bits.Len64(uint64(amount)) - 3
	return amount >> shift << shift
}

// NewPotentials counts for amounts from level on, along our channels of today. It takes
// some milliseconds for the whole network.
func NewPotentials(s *Snapshot, locals []Local, scores *Scores, p *Params, level lnwire.MilliSat) *Potentials {
	if p == nil {
		p = &DefaultParams
	}
	out := &Potentials{least: level, graph: s, near: make([]bool, s.t.nodes.n), nodes: make([]potential, s.t.nodes.n)}
	w := surveyor{t: &s.t, p: p, level: level, scores: scores, cost: make([]float64, s.t.nodes.n)}
	w.mark()
	for _, l := range locals {
		if n, ok := s.t.node(l.Peer); ok {
			out.near[n], w.grants[n] = true, w.grants[n] || !l.Inbound.IsZero()
			w.start = append(w.start, n)
		}
	}
	w.survey(w.price)
	for i, c := range w.cost {
		out.nodes[i].sum = down(c)
	}
	w.survey(w.doubt)
	for i, c := range w.cost {
		out.nodes[i].odds = down(math.Exp(c))
	}
	return out
}

// Of reports whether they were made of this snapshot.
func (p *Potentials) Of(s *Snapshot) bool { return p.graph == s }

// knows reports whether our channels lead to no other nodes than they did then. A node
// that the graph did not know is on no other way.
func (p *Potentials) knows(peers []uint32) bool {
	for _, n := range peers {
		if int(n) < len(p.near) && !p.near[n] {
			return false
		}
	}
	return true
}

// at is the potential of a node; nothing is known of those that came later.
func (p *Potentials) at(n uint32) potential {
	if int(n) < len(p.nodes) {
		return p.nodes[n]
	}
	return potential{0, 1}
}

// down is a little less than v, so that rounding makes no bound too high.
func down(v float64) float32 { return float32(v * (1 - 1e-6)) }

// surveyor goes from our peers to all nodes, the nearest first.
type surveyor struct {
	t      *tables
	p      *Params
	level  lnwire.MilliSat
	scores *Scores
	start  []uint32
	cost   []float64
	heap   []stop
	known  []bool // something was learned of who sends to the node
	grants []bool // the node may take less for what comes in somewhere
}

// stop is a node on the heap, with what it cost when it was put there.
type stop struct {
	cost float64
	node uint32
}

// mark notes the nodes that need a second look.
func (w *surveyor) mark() {
	w.known, w.grants = make([]bool, w.t.nodes.n), make([]bool, w.t.nodes.n)
	for n := range uint32(w.t.nodes.n) {
		nd := w.t.nodes.at(n)
		w.known[n] = len(w.scores.to(nd.id)) > 0
		for i := range nd.in {
			w.grants[n] = w.grants[n] || nd.in[i].inbound
		}
	}
}

// price is the least that u takes for sending over e to v.
func (w *surveyor) price(u, _ uint32, e *edge) float64 {
	amount := float64(w.level)
	risk := amount * float64(e.delta) * float64(w.p.RiskPPB) / 1e9
	if w.grants[u] {
		return risk
	}
	return risk + float64(e.base) + max(0, amount*float64(e.ppm)*1e-6-1)
}

// doubt is the logarithm of how unlikely it is at least that e carries it.
func (w *surveyor) doubt(u, v uint32, e *edge) float64 {
	proven := false
	if w.known[v] {
		h, ok := w.scores.History(w.t.nodes.at(u).id, w.t.nodes.at(v).id)
		proven = ok && !h.SuccessAt.IsZero() && (w.level <= h.Success || w.p.Bimodal != nil)
	}
	return -math.Log(w.p.most(w.level, e.cap, proven))
}

// survey finds the least sum of weights to every node.
func (w *surveyor) survey(weight func(u, v uint32, e *edge) float64) {
	for i := range w.cost {
		w.cost[i] = math.Inf(1)
	}
	w.heap = w.heap[:0]
	for _, n := range w.start {
		if w.cost[n] != 0 {
			w.cost[n] = 0
			w.push(stop{0, n})
		}
	}
	for len(w.heap) > 0 {
		at := w.pop()
		if at.cost > w.cost[at.node] {
			continue // a better way was found since
		}
		for _, c := range w.t.nodes.at(at.node).chans {
			ch := w.t.channels.at(c)
			side := 0
			if ch.nodes[1] == at.node {
				side = 1
			}
			v := ch.nodes[1-side]
			if ch.place[side] == none {
				continue
			}
			e := &w.t.nodes.at(v).in[ch.place[side]]
			if e.off || e.max < w.level {
				continue
			}
			if cost := at.cost + weight(at.node, v, e); cost < w.cost[v] {
				w.cost[v] = cost
				w.push(stop{cost, v})
			}
		}
	}
}

func (w *surveyor) push(s stop) {
	w.heap = append(w.heap, s)
	i := len(w.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if w.heap[parent].cost <= s.cost {
			break
		}
		w.heap[i], i = w.heap[parent], parent
	}
	w.heap[i] = s
}

func (w *surveyor) pop() stop {
	top, last := w.heap[0], w.heap[len(w.heap)-1]
	w.heap = w.heap[:len(w.heap)-1]
	for i := 0; len(w.heap) > 0; {
		first := 4*i + 1
		best := first
		for c := first + 1; c < min(first+4, len(w.heap)); c++ {
			if w.heap[c].cost < w.heap[best].cost {
				best = c
			}
		}
		if first >= len(w.heap) || w.heap[best].cost >= last.cost {
			w.heap[i] = last
			break
		}
		w.heap[i], i = w.heap[best], best
	}
	return top
}
