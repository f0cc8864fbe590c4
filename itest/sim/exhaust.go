package sim

import (
	"testing"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Extent is what one payment takes: the writes of each node and the messages over each
// edge, until it is over.
type Extent struct{ Writes, Messages []int }

// single is a plan of one payment from the first node to the last.
func single(s Shape) Plan {
	return Plan{
		Seed: 1, Hostile: -1, Shape: s,
		Deals: []Deal{{From: 0, To: s.Nodes - 1, Amount: 20_000_000 * lnwire.MilliSat(1), Parts: 1, Again: 1}},
	}
}

// Exhaust calls f with every plan in which one payment meets one crash, at any write of
// any node, before or after it, together with one cut, at any message of any edge.
func Exhaust(t *testing.T, s Shape, dir string, f func(Plan) (more bool)) (Extent, error) {
	p := single(s)
	p.Measure = true
	r := Run(t, p, dir)
	if r.Err != nil {
		return r.Extent, r.Err
	}
	p.Measure = false
	for node, writes := range r.Extent.Writes {
		for write := range writes {
			for _, kind := range []AccidentKind{CrashBefore, CrashAfter} {
				q := p
				q.Accidents = []Accident{{Kind: kind, Node: node, At: write + 1}}
				if !f(q) || !cuts(q, r.Extent.Messages, f) {
					return r.Extent, nil
				}
			}
		}
	}
	return r.Extent, nil
}

// cuts adds every cut to a plan.
func cuts(p Plan, messages []int, f func(Plan) bool) bool {
	for edge, n := range messages {
		for m := range n {
			q := p
			q.Accidents = append(p.Accidents[:1:1], Accident{Kind: CutAt, Edge: edge, At: m + 1, First: [2]int{m % 2, (m / 2) % 2}})
			if !f(q) {
				return false
			}
		}
	}
	return true
}
