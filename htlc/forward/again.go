package forward

import (
	"maps"
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// maxAnswers is how many answers are remembered: more than can be on their way to the
// channels at any time. Of a reason maxReason bytes are remembered: what is longer is
// not of BOLT 4's making, and nobody may fill our memory with it (V-44).
const (
	maxAnswers = 4096
	maxReason  = 2048
)

// answers remember how the last HTLCs were answered. A channel that picks itself up
// from its stored state tells its HTLCs again while our answer is still on its way to
// it. To decide anew then would carry an HTLC on a second time that was paid for
// already, or that is failed in the next moment (V-29). Across a restart nothing need
// be remembered: what was carried on has a row, and a refusal that is in no row was
// never given. The record of a forward comes again as well: the channel writes it once.
type answers struct {
	byRef map[htlc.Ref]Resolve
	ring  []htlc.Ref
	next  int // in ring, once that is full
}

func newAnswers() answers { return answers{byRef: map[htlc.Ref]Resolve{}} }

// add remembers an answer. Of two a preimage stays (V-05).
func (a *answers) add(r Resolve) {
	if reason := r.Resolution.Reason; len(reason) > maxReason {
		r.Resolution.Reason = append([]byte(nil), reason[:maxReason]...)
	}
	if old, known := a.byRef[r.Ref]; known {
		if old.Resolution.Kind != htlc.Fulfilled {
			a.byRef[r.Ref] = r
		}
		return
	}
	a.byRef[r.Ref] = r
	if len(a.ring) < maxAnswers {
		a.ring = append(a.ring, r.Ref)
		return
	}
	delete(a.byRef, a.ring[a.next])
	a.ring[a.next] = r.Ref
	a.next = (a.next + 1) % maxAnswers
}

// resolve answers an incoming HTLC.
func (s *Switch) resolve(r Resolve, fx *Effects) {
	s.answered.add(r)
	fx.Resolve = append(fx.Resolve, r)
}

// holdLimit is how long an HTLC waits for the chain. A backend that restarts should fail
// no payment, and one that stays away should not keep others' money.
const holdLimit = time.Minute

// held is an HTLC that waits for the chain to come into sight.
type held struct {
	in      htlc.Locked
	until   time.Time // when it is failed; zero: it may have been promised something before, and waits
	verdict *Verdict  // of the interceptor, who let it go; nil: none
}

// hold keeps an HTLC until the chain is in sight: what is left of its time cannot be
// told before. One that a restart brings back waits for as long as it takes: the
// invoices may have taken it.
func (s *Switch) hold(in htlc.Locked, again bool) {
	for i := range s.waiting {
		if s.waiting[i].in.HTLC.Ref == in.HTLC.Ref { // told again
			s.waiting[i].in = in
			return
		}
	}
	h := held{in: in}
	if !again {
		h.until = s.now.Add(holdLimit)
	}
	s.waiting = append(s.waiting, h)
}

// tire fails what has waited for too long, and says when the next one will have.
func (s *Switch) tire(fx *Effects) {
	kept := s.waiting[:0]
	for _, h := range s.waiting {
		switch {
		case h.until.IsZero():
			kept = append(kept, h)
		case s.now.Before(h.until):
			kept = append(kept, h)
			if fx.Wake.IsZero() || h.until.Before(fx.Wake) {
				fx.Wake = h.until
			}
		case h.in.Opened.Bad != nil || h.in.Opened.Invalid != nil:
			s.decide(h.in, false, fx)
		default:
			s.refuse(h.in, nil, onion.Failure{Code: onion.TemporaryNodeFailure}, "the node cannot see the chain", fx)
		}
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
}

// sight takes in whether the tip is the network's, and decides what has waited for it.
func (s *Switch) sight(current bool, fx *Effects) {
	s.blind = !current
	if s.blind {
		return
	}
	if s.gathered.IsZero() {
		s.gathered = s.now.Add(gatherLimit)
	}
	waiting := s.waiting
	s.waiting = nil
	for _, h := range waiting {
		if p, bad, _ := h.in.Onwards(); h.verdict != nil && h.in.Unfit == htlc.Fit && bad == nil {
			s.carry(h.in, p, *h.verdict, fx)
			continue
		}
		s.decide(h.in, h.until.IsZero(), fx)
	}
}

// linkGone drops a channel. An HTLC that came in by it and was not decided yet would
// have to be claimed in the chain, where it may be nothing: it is not carried on. One
// for us waits: the invoices may know it. So does one of an earlier run, when there are
// interceptors: they may know its preimage.
func (s *Switch) linkGone(ev LinkGone, fx *Effects) {
	num := ev.ChanNum
	s.links.drop(num)
	maps.DeleteFunc(s.links.more, func(_ lnwire.ShortChannelID, of uint64) bool { return of == num })
	if ev.OnChain {
		s.closed(num, fx)
	}
	kept := s.waiting[:0]
	for _, h := range s.waiting {
		if h.in.HTLC.Ref.ChanNum != num || h.in.Opened.Final {
			kept = append(kept, h)
			continue
		}
		if ev.OnChain && h.until.IsZero() && (s.intercepting || s.cfg.RequireInterceptor) {
			h.in.Unfit = htlc.UnfitClosed
			kept = append(kept, h)
			continue
		}
		s.refuse(h.in, nil, onion.Failure{Code: onion.PermanentChannelFailure}, "its channel is closed", fx)
	}
	s.waiting = kept
	s.strand(num, fx)
}
