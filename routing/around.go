package routing

import (
	"math"
	"math/bits"
)

// halves says which of our channels bring a payment to ourselves back in one search, and
// which send it. A search keeps one way from each node, and the cheapest one from a peer
// may be that over the very channel by which it was reached. So those that can bring
// something back are numbered, and told apart by a bit of their numbers: any two differ
// in one of them, which makes two searches for each bit instead of one for each channel.
type halves struct {
	numbers []int // of Query.Locals; -1: brings nothing back
	bit     int
	side    int // those whose bit is this one bring back, all others send
}

func (h *halves) back(i int) bool { return h.numbers[i] >= 0 && h.numbers[i]>>h.bit&1 == h.side }

// around looks for the cheapest way from us over the network back to us, as those walk
// who move what they have from one of their channels to another, and what it costs.
func (f *Finder) around(s *Snapshot, q *Query) (best Route, least float64, err error) {
	h := halves{numbers: make([]int, len(q.Locals))}
	n := 0
	for i := range q.Locals {
		h.numbers[i] = -1
		if l := &q.Locals[i]; l.Back.SCID != 0 && (q.LastHop == nil || l.Peer == *q.LastHop) {
			h.numbers[i] = n
			n++
		}
	}
	if n == 0 {
		return Route{}, 0, noRoute("no channel of ours can bring anything back to us")
	}
	f.halves = &h
	defer func() { f.halves = nil }()
	least = math.Inf(1)
	for h.bit = range max(1, bits.Len(uint(n-1))) {
		for h.side = range min(n, 2) {
			r, cost, e := f.find(s, q)
			switch {
			case e != nil && err == nil:
				err = e
			case e == nil && cost < least:
				best, least = r, cost
			}
		}
	}
	if !math.IsInf(least, 1) {
		err = nil
	}
	return best, least, err
}

// backs adds the last hops.
func (f *Finder) backs() {
	for i := range f.q.Locals {
		if l := &f.q.Locals[i]; f.halves.back(i) {
			f.extra(extra{from: f.index(l.Peer), to: f.target, scid: l.Back.SCID, policy: l.Back.Policy})
		}
	}
}
