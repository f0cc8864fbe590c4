package routing

import (
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// holds reads the hold times that came with the end of an attempt (BOLT 4).
//
// B4.origin.20: hold times are kept as far as every hop up to there authenticated them.
func (s *turn) holds(f flight, res htlc.Resolution) []time.Duration {
	if res.Attribution == nil {
		return nil
	}
	switch res.Kind {
	case htlc.Fulfilled:
		return onion.ReadAttribution(s.secrets(f), nil, res.Attribution)
	case htlc.Failed:
		return onion.ReadAttribution(s.secrets(f), res.Reason, res.Attribution)
	case htlc.Malformed, htlc.TimedOut:
	}
	return nil
}

// spoilt reads a failure that no hop authenticated, of which the first n hops did
// authenticate what they passed on. Hop n-1 or hop n spoilt it, if hop n takes part in
// attributing at all; if not, it may have been anybody from there on.
//
// B4.origin.21: a failure that nobody can read is charged to the two nodes between which it was spoilt, when attribution data tells them.
func (s *turn) spoilt(r *Route, n int) (AttemptFailure, verdict) {
	f := AttemptFailure{Hop: UnknownHop}
	d := reading{r: r, busy: s.env.Busy}
	switch {
	case n > r.intro(): // the introduction node has to make an answer of its own
		d.passed(r.intro() + 1)
		d.v.path = d.path()
		f.Text = fmt.Sprintf("%s answered with what nobody can read", place(r, r.intro()))
		return f, d.v
	case n == len(r.Hops):
		d.passed(n)
		f.Text = fmt.Sprintf("%s answered with what nobody can read", place(r, n-1))
		return f, d.node(n - 1)
	case !s.attributes(r, n):
		f.Text = fmt.Sprintf("some node behind the first %d on the way answered with what nobody can read", n)
		return f, unknownFrom(r, s.env.Busy, n)
	case n == 0:
		f.Text = fmt.Sprintf("our peer %s spoilt the answer", r.Hops[0].Node)
		return f, d.node(0)
	}
	d.passed(n)
	f.Text = fmt.Sprintf("%s and %s: one of the two spoilt the answer", place(r, n-1), place(r, n))
	return f, d.channel(n)
}

// attributes reports that a hop says of itself that it attributes.
func (s *turn) attributes(r *Route, hop int) bool {
	const bit = lnwire.AttributionDataOptional
	if hop == len(r.Hops)-1 && s.p.row.Terms.Features.HasEither(bit) {
		return true
	}
	if s.env.Graph == nil {
		return false
	}
	info, ok := s.env.Graph.Node(r.Hops[hop].Node)
	return ok && info.Features.HasEither(bit)
}
