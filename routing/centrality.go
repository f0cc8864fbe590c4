package routing

import "github.com/fulgur-ln/fulgur/lnwire"

// Centrality works out how much lies on each node: for every pair of other nodes the
// share of their shortest paths, by hops, that pass through it (Brandes, "A Faster
// Algorithm for Betweenness Centrality", 2001). Channels between the same two nodes are
// as many paths. It goes node by node, so that the caller can stop in between: on the
// main network all of them take many seconds.
type Centrality struct {
	web
	sum []float64

	// Of the node that it goes from: hops to each node, how many shortest paths lead
	// there, what lies on it, and the nodes in the order in which they were met.
	hops  []int32
	paths []float64
	share []float64
	order []uint32
}

// Centrality prepares it for a graph; the caller goes From every node.
func (s *Snapshot) Centrality() *Centrality {
	c := &Centrality{web: s.web()}
	n := len(c.ids)
	c.sum, c.paths, c.share = make([]float64, n), make([]float64, n), make([]float64, n)
	c.hops, c.order = make([]int32, n), make([]uint32, 0, n)
	return c
}

// Nodes counts the nodes to go from.
func (c *Centrality) Nodes() int { return len(c.ids) }

// From adds the paths that begin at the i-th node.
func (c *Centrality) From(i int) {
	for n := range c.hops {
		c.hops[n], c.paths[n], c.share[n] = -1, 0, 0
	}
	c.hops[i], c.paths[i] = 0, 1
	c.order = append(c.order[:0], uint32(i))
	for k := 0; k < len(c.order); k++ {
		from := c.order[k]
		for _, to := range c.neighbours(from) {
			if c.hops[to.node] < 0 {
				c.hops[to.node] = c.hops[from] + 1
				c.order = append(c.order, to.node)
			}
			if c.hops[to.node] == c.hops[from]+1 {
				c.paths[to.node] += to.channels * c.paths[from]
			}
		}
	}
	for k := len(c.order) - 1; k > 0; k-- { // from the farthest back
		n := c.order[k]
		c.sum[n] += c.share[n]
		each := (1 + c.share[n]) / c.paths[n]
		for _, before := range c.neighbours(n) {
			if c.hops[before.node] == c.hops[n]-1 {
				c.share[before.node] += before.channels * c.paths[before.node] * each
			}
		}
	}
}

// Each gives every node with its figure, and the same from 0 to 1, as a share of the
// highest.
func (c *Centrality) Each(f func(id lnwire.PubKey, value, normalized float64)) {
	highest := 0.0
	for _, v := range c.sum {
		highest = max(highest, v)
	}
	for i, v := range c.sum {
		share := 0.0
		if highest > 0 {
			share = v / highest
		}
		f(c.ids[i], v/2, share) // each pair was gone both ways
	}
}
