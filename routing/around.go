package routing

import "math"

// around looks for the cheapest way from us over the network back to us, as those walk
// who move what they have from one of their channels to another. A search keeps one way
// from each node, and the cheapest one from a peer may be that over the very channel by
// which it was reached: so there is a search for each last channel.
func (f *Finder) around(s *Snapshot, q *Query) (best Route, err error) {
	least := math.Inf(1)
	for i := range q.Locals {
		l := &q.Locals[i]
		if l.Back.SCID == 0 || q.LastHop != nil && l.Peer != *q.LastHop {
			continue
		}
		f.last = l
		r, cost, e := f.find(s, q)
		switch {
		case e != nil && err == nil:
			err = e
		case e == nil && cost < least:
			best, least = r, cost
		}
	}
	f.last = nil
	switch {
	case !math.IsInf(least, 1):
		return best, nil
	case err == nil:
		err = noRoute("no channel of ours can bring anything back to us")
	}
	return Route{}, err
}

// back adds the last hop.
func (f *Finder) back() {
	f.extra(extra{from: f.index(f.last.Peer), to: f.target, scid: f.last.Back.SCID, policy: f.last.Back.Policy})
}

// goesBack: what goes over a channel of ours to the node with this label comes straight
// back over it.
func (f *Finder) goesBack(own *Local, l *label) bool {
	return f.last != nil && l.next == f.target && own.SCID == f.last.SCID
}
