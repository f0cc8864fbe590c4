package forward

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// gatherLimit is how long after a start, counted from when the chain is first in sight,
// an HTLC waits for the next node. All our connections broke with the process: what was
// on its way then should not fail because the node it came from, or the chain, was back a
// moment before the one that it goes to. Both ends dial again within a few seconds; who
// is not there after that is away for reasons of its own.
const gatherLimit = 15 * time.Second

// absent is an HTLC that waits for the next node, with what was said of it.
type absent struct {
	in      htlc.Locked
	verdict Verdict
}

// waitsForNext takes in an HTLC that waits for the next node as its channel tells it now;
// false when it does not wait.
func (s *Switch) waitsForNext(in htlc.Locked) bool {
	for i := range s.absent {
		if s.absent[i].in.HTLC.Ref == in.HTLC.Ref {
			s.absent[i].in = in
			return true
		}
	}
	return false
}

// cameBack carries on what has waited for the node at the other end of a channel.
func (s *Switch) cameBack(l Link, fx *Effects) {
	if !l.Up || len(s.absent) == 0 {
		return
	}
	s.sift(func(a absent, p onion.Forward) bool {
		next := s.links.next(p)
		return next != nil && next.Peer == l.Peer
	}, fx)
}

// giveUpAbsent fails what has waited for too long, or says when it will have.
func (s *Switch) giveUpAbsent(fx *Effects) {
	if s.now.Before(s.gathered) {
		if fx.Wake.IsZero() || s.gathered.Before(fx.Wake) {
			fx.Wake = s.gathered
		}
		return
	}
	s.sift(func(absent, onion.Forward) bool { return true }, fx)
}

// sift takes those out that are chosen, and decides where they go as if they had just
// come. While the chain is out of sight it is waited for.
func (s *Switch) sift(chosen func(absent, onion.Forward) bool, fx *Effects) {
	list := s.absent
	s.absent = nil
	for _, a := range list {
		p, _, _ := a.in.Onwards() // it could be read when it came
		switch {
		case !chosen(a, p):
			s.absent = append(s.absent, a)
		case s.blind:
			s.waiting = append(s.waiting, held{in: a.in, until: s.now.Add(holdLimit), verdict: &a.verdict})
		case a.in.Unfit != htlc.Fit: // since it came
			s.decide(a.in, false, fx)
		default:
			s.carry(a.in, p, a.verdict, fx)
		}
	}
}

// strand fails what waits and came in by a channel that is gone: it would have to be
// claimed in the chain.
func (s *Switch) strand(num uint64, fx *Effects) {
	kept := s.absent[:0]
	for _, a := range s.absent {
		if a.in.HTLC.Ref.ChanNum != num {
			kept = append(kept, a)
			continue
		}
		s.refuse(a.in, nil, onion.Failure{Code: onion.PermanentChannelFailure}, "its channel is closed", fx)
	}
	clear(s.absent[len(kept):])
	s.absent = kept
}
