package sim

import (
	"slices"
	"testing"
)

// Shrink gives a smaller plan that fails too: without the accidents, the deals and the
// slownesses that the failure does not need.
func Shrink(t *testing.T, p Plan, dir string) Plan {
	fails := func(q Plan) bool { return Run(t, q, dir).Err != nil }
	for smaller := true; smaller; {
		smaller = false
		for _, q := range lesser(p) {
			if fails(q) {
				p, smaller = q, true
				break
			}
		}
	}
	return p
}

// lesser are plans with one thing less.
func lesser(p Plan) (out []Plan) {
	for i := range p.Accidents {
		q := p
		q.Accidents = slices.Delete(slices.Clone(p.Accidents), i, i+1)
		out = append(out, q)
	}
	for i := range p.Deals {
		if len(p.Deals) == 1 || slices.ContainsFunc(p.Deals, func(d Deal) bool { return d.Of > i }) {
			continue // the numbers of others would change
		}
		q := p
		q.Deals = slices.Delete(slices.Clone(p.Deals), i, i+1)
		out = append(out, q)
	}
	for i := range p.Accidents {
		if a := p.Accidents[i]; a.Down > 0 {
			a.Down = 0
			q := p
			q.Accidents = slices.Clone(p.Accidents)
			q.Accidents[i] = a
			out = append(out, q)
		}
	}
	if q := p; p.SlowDisk > 0 {
		q.SlowDisk = 0
		out = append(out, q)
	}
	for i := range p.Slow {
		if q := p; p.Slow[i] > 0 {
			q.Slow[i] = 0
			out = append(out, q)
		}
		if q := p; p.SlowNode[i] > 0 {
			q.SlowNode[i] = 0
			out = append(out, q)
		}
	}
	return out
}
