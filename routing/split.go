package routing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// What no single way carries is sent in parts: half of it first, and when there is no
// way for that either half of the half, until the parts become too small to be worth
// an HTLC. What is left is split anew. All parts of a plan leave at once; a plan that
// brings less than all is none.

// slots is how many more attempts may be under way.
func (s *turn) slots() int {
	most := int(max(s.p.row.Limits.Parts, 1))
	if most > 1 && !s.takesParts() {
		most = 1
	}
	return most - len(s.p.flights)
}

// takesParts reports whether the recipient puts parts together: by its invoice or, if
// there is none, its announcement. It knows them for parts of one set by the secret,
// or by the blinded path that they come on.
//
// B4.origin.18: parts are made only for a recipient that says that it takes them.
func (s *turn) takesParts() bool {
	t := &s.p.row.Terms
	if t.Secret == nil && len(t.Blinded) == 0 {
		return false
	}
	f := t.Features
	if f == nil && t.Request == "" && len(t.Blinded) == 0 {
		info, _ := s.env.Graph.Node(t.Payee)
		f = info.Features
	}
	return f.HasEither(lnwire.BasicMPPOptional)
}

// plan finds routes that together bring rest, for no more than fees: one, if there is
// one, and ways that failed lately only if there are no others.
func (s *turn) plan(rest, fees lnwire.MilliSat) ([]Route, error) {
	q, err := s.query(rest)
	if err != nil {
		return nil, err
	}
	most := s.largestPart()
	pl := planner{s: s, q: &q, slots: s.slots(), most: most, fees: fees, smallest: s.params().MinPart}
	whole := noRoute("%s is to be sent in parts of at most %s", rest, most)
	if rest <= most {
		r, err := pl.find(rest, fees)
		if err == nil {
			return []Route{r}, nil
		}
		whole = err
	}
	if none := (*NoRoute)(nil); errors.As(whole, &none) && none.Reason == ReasonInsufficientBalance {
		return nil, whole
	}
	if pl.slots > 1 {
		for _, pl.spend = range []bool{false, true} {
			if pl.parts(rest) {
				return pl.routes, nil
			}
		}
	}
	if pl.unlikely {
		q.Unlikely = true
		if rest <= most {
			if r, err := pl.find(rest, fees); err == nil {
				return []Route{r}, nil
			}
		}
		if pl.slots > 1 && pl.parts(rest) {
			return pl.routes, nil
		}
	}
	return nil, pl.failure(whole)
}

func (s *turn) params() *Params {
	if s.env.Params != nil {
		return s.env.Params
	}
	return &DefaultParams
}

func (s *turn) largestPart() lnwire.MilliSat {
	if most := s.p.row.Limits.MaxPart; most != 0 {
		return most
	}
	return math.MaxUint64
}

// query is the search for a part, but for its amount and its fee.
func (s *turn) query(rest lnwire.MilliSat) (Query, error) {
	p := s.p
	t, l := &p.row.Terms, &p.row.Limits
	delta := paddedDelta(t, l)
	final := s.final()
	final.Amount, final.Expiry = rest, s.env.Height+lnwire.Height(delta)
	size, err := TailLen(t.Blinded, final)
	if err == nil && len(t.Blinded) == 0 {
		var payload []byte
		payload, err = final.Payload().Encode()
		size = len(payload)
	}
	return Query{Source: s.env.Self, Target: t.Payee, Height: s.env.Height, FinalDelta: delta, FinalLen: size,
		Features: t.Features, CLTV: l.CLTV, Ours: true, Locals: s.env.Locals, Hints: t.Hints, Blinded: t.Blinded,
		Outgoing: l.Outgoing, LastHop: l.LastHop, IgnoreNodes: p.local.nodes, IgnoreEdges: p.local.edges,
		Updates: p.local.updates, Failed: p.local.failed, Caps: p.local.caps, Busy: s.env.Busy,
		Scores: s.env.Scores, Params: s.env.Params, Now: s.now, TimePref: l.TimePref}, err
}

// blockPadding is how many blocks may be found while an HTLC is under way, and by how many
// the recipient may be ahead of us, without the payment being refused as expiring too
// soon: which would end it. It is lnd's figure.
const blockPadding = 3

// paddedDelta is what the last HTLC gets, as far as the limit leaves room.
func paddedDelta(t *Terms, l *Limits) uint16 {
	most := l.CLTV
	if most == 0 {
		most = MaxCLTV
	}
	if uint32(t.FinalDelta)+blockPadding <= min(most, math.MaxUint16) {
		return t.FinalDelta + blockPadding
	}
	return t.FinalDelta
}

// planner makes one plan.
type planner struct {
	s        *turn
	q        *Query
	slots    int
	most     lnwire.MilliSat // of one part
	smallest lnwire.MilliSat // that is made by halving
	fees     lnwire.MilliSat
	spend    bool // a part may take more than its share of the fees
	unlikely bool // a way was left out that failed lately
	largest  lnwire.MilliSat
	routes   []Route
}

func (pl *planner) find(amount, fees lnwire.MilliSat) (Route, error) {
	finder := pl.s.env.Finder
	if finder == nil {
		finder = &Finder{}
		pl.s.env.Finder = finder
	}
	pl.q.Amount, pl.q.FeeLimit = amount, fees
	if ask := pl.s.env.Potentials; ask != nil {
		pl.q.Potentials = ask(amount)
	}
	r, err := finder.Find(pl.s.env.Graph, pl.q)
	if none := (*NoRoute)(nil); errors.As(err, &none) {
		pl.unlikely = pl.unlikely || none.Unlikely
		pl.largest = none.Largest
	}
	return r, err
}

// parts makes a plan of several parts. What a part takes is no longer there for the
// next one.
func (pl *planner) parts(rest lnwire.MilliSat) bool {
	locals, busy := pl.q.Locals, pl.q.Busy
	defer func() { pl.q.Locals, pl.q.Busy = locals, busy }()
	pl.q.Locals, pl.q.Busy = slices.Clone(locals), slices.Clone(busy)
	pl.routes = nil
	fees := pl.fees
	for rest > 0 {
		r, ok := pl.part(rest, fees)
		if !ok {
			return false
		}
		pl.routes = append(pl.routes, r)
		rest -= min(rest, r.Received())
		fees -= min(fees, r.Fee())
		for i := range pl.q.Locals {
			if l := &pl.q.Locals[i]; l.SCID == r.Hops[0].SCID {
				l.Sendable -= min(l.Sendable, r.Amount)
			}
		}
		for l := range r.loads {
			pl.q.Busy = append(pl.q.Busy, l)
		}
	}
	return true
}

// part finds a way for as much of rest as one carries. The last slot has to take all.
func (pl *planner) part(rest, fees lnwire.MilliSat) (Route, bool) {
	last := len(pl.routes)+1 >= pl.slots
	if last && rest > pl.most {
		return Route{}, false
	}
	largest := lnwire.MilliSat(0)
	for size := min(rest, pl.most); ; size = (size + 1) / 2 {
		if r, err := pl.find(size, pl.share(fees, size, rest)); err == nil {
			return r, true
		}
		largest = max(largest, pl.largest)
		if last || size/2 < pl.smallest {
			break
		}
	}
	// Parts of another size may use our channels better: what one of them can send.
	size := min(largest-largest/64, pl.most)
	if last || size >= rest || size < pl.smallest {
		return Route{}, false
	}
	r, err := pl.find(size, pl.share(fees, size, rest))
	return r, err == nil
}

// share is what a part may cost of what all of the rest may cost.
//
// B4.origin.19: all parts together cost no more than the limit on fees.
func (pl *planner) share(fees, part, rest lnwire.MilliSat) lnwire.MilliSat {
	if pl.spend || part >= rest {
		return fees
	}
	hi, lo := bits.Mul64(uint64(fees), uint64(part))
	q, _ := bits.Div64(hi, lo, uint64(rest))
	return lnwire.MilliSat(q)
}

// failure says that there is no plan: why not for the whole, and that parts do not
// help either.
func (pl *planner) failure(whole error) error {
	none := (*NoRoute)(nil)
	if !errors.As(whole, &none) || pl.slots <= 1 {
		return whole
	}
	return &NoRoute{Reason: none.Reason, Why: fmt.Sprintf("%s; nor is there a way in up to %d parts", none.Why, pl.slots)}
}
