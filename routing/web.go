package routing

import "github.com/fulgur-ln/fulgur/lnwire"

// web is who has channels with whom, without what they cost: for figures about the whole
// map. Nodes are numbered without gaps.
type web struct {
	ids   []lnwire.PubKey
	begin []uint32 // of each node's neighbours, and the end of the last one's
	next  []neighbour
}

type neighbour struct {
	node     uint32
	channels float64
}

func (s *Snapshot) web() (w web) {
	place := make([]uint32, s.t.nodes.n)
	for n := range uint32(s.t.nodes.n) {
		if nd := s.t.nodes.at(n); len(nd.chans) > 0 {
			place[n] = uint32(len(w.ids))
			w.ids = append(w.ids, nd.id)
		}
	}
	seen := make([]uint32, len(w.ids)) // 1 + place in next
	for n := range uint32(s.t.nodes.n) {
		nd := s.t.nodes.at(n)
		if len(nd.chans) == 0 {
			continue
		}
		first := uint32(len(w.next))
		w.begin = append(w.begin, first)
		for _, ch := range nd.chans {
			ends := s.t.channels.at(ch).nodes
			other := place[ends[0]]
			if ends[0] == n {
				other = place[ends[1]]
			}
			if seen[other] > first {
				w.next[seen[other]-1].channels++
				continue
			}
			w.next = append(w.next, neighbour{other, 1})
			seen[other] = uint32(len(w.next))
		}
	}
	w.begin = append(w.begin, uint32(len(w.next)))
	return w
}

func (w *web) neighbours(n uint32) []neighbour { return w.next[w.begin[n]:w.begin[n+1]] }

// hub is the node with the most neighbours. There must be nodes.
func (w *web) hub() (best uint32) {
	for n := range uint32(len(w.ids)) {
		if len(w.neighbours(n)) > len(w.neighbours(best)) {
			best = n
		}
	}
	return best
}

// reach goes over all nodes that can be reached from one, the nearest first: order is given
// back with them, and hops, which must be -1 everywhere, is set to how far each of them is.
func (w *web) reach(from uint32, hops []int32, order []uint32) []uint32 {
	hops[from] = 0
	order = append(order[:0], from)
	for k := 0; k < len(order); k++ {
		for _, to := range w.neighbours(order[k]) {
			if hops[to.node] < 0 {
				hops[to.node] = hops[order[k]] + 1
				order = append(order, to.node)
			}
		}
	}
	return order
}

// Diameter is how many hops are between the two nodes that are farthest apart, among those
// that the node with the most neighbours can reach; 0 of an empty map. It begins at that
// hub and tries the nodes that are farthest from it first: as soon as the way over the hub
// is too short to beat what was found, nothing is left to try (Crescenzi and others, "On
// computing the diameter of real-world undirected graphs", 2013). Of the main network a
// handful of its nodes is enough. Between two of them stop may end it: ok is false then.
func (s *Snapshot) Diameter(stop func() bool) (hops int, ok bool) {
	w := s.web()
	if len(w.ids) == 0 {
		return 0, true
	}
	far := make([]int32, len(w.ids))
	clean := func() {
		for i := range far {
			far[i] = -1
		}
	}
	clean()
	order := w.reach(w.hub(), far, nil)
	level := make([]int32, len(order))
	for i, n := range order {
		level[i] = far[n]
	}
	longest := level[len(level)-1]
	var met []uint32
	for i := len(order) - 1; i > 0 && longest < 2*level[i]; i-- {
		if stop() {
			return 0, false
		}
		clean()
		met = w.reach(order[i], far, met)
		longest = max(longest, far[met[len(met)-1]])
	}
	return int(longest), true
}
