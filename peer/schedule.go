package peer

import (
	"bytes"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// schedule says when which persistent peer is dialled. It knows no clock and draws
// nothing: times and a number in [0, 1) come as arguments.
type schedule struct {
	min, max, stable time.Duration
	peers            map[lnwire.PubKey]*keptPeer
}

// keptPeer is a peer that we want to be connected to.
type keptPeer struct {
	id    lnwire.PubKey
	addrs []string
	state keptState
	due   time.Time     // of the next attempt, while away
	wait  time.Duration // the back-off that led to due, before jitter
	since time.Time     // of the connection, while connected
}

type keptState uint8

const (
	away keptState = iota
	dialled
	connected
)

func newSchedule(l Limits) schedule {
	return schedule{min: l.MinBackoff, max: l.MaxBackoff, stable: l.Stable, peers: make(map[lnwire.PubKey]*keptPeer)}
}

// keep adds a peer, due at once, or replaces the addresses of one.
func (s *schedule) keep(id lnwire.PubKey, addrs []string, isConnected bool, now time.Time) {
	p := s.peers[id]
	if p == nil {
		p = &keptPeer{id: id, due: now}
		s.peers[id] = p
		if isConnected {
			p.state, p.since = connected, now
		}
	}
	p.addrs = slices.Clone(addrs)
}

func (s *schedule) forget(id lnwire.PubKey) { delete(s.peers, id) }

// due gives the peers to be dialled now, the longest due first, such that no more
// than most are being dialled at once, and when to ask again: zero means when
// something has changed.
func (s *schedule) due(now time.Time, most int) (dial []keptPeer, next time.Time) {
	var waiting []*keptPeer
	for _, p := range s.peers {
		switch p.state {
		case away:
			waiting = append(waiting, p)
		case dialled:
			most--
		case connected:
		}
	}
	slices.SortFunc(waiting, func(a, b *keptPeer) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	for _, p := range waiting {
		if len(dial) >= most {
			return dial, time.Time{} // the end of an attempt is the next change
		}
		if p.due.After(now) {
			return dial, p.due
		}
		p.state = dialled
		dial = append(dial, *p)
	}
	return dial, time.Time{}
}

// opened notes that there is a connection, whoever dialled.
func (s *schedule) opened(id lnwire.PubKey, now time.Time) {
	if p := s.peers[id]; p != nil {
		p.state, p.since = connected, now
	}
}

// failed notes the end of an attempt that led to no connection. The waits double.
func (s *schedule) failed(id lnwire.PubKey, now time.Time, r float64) {
	if p := s.peers[id]; p != nil && p.state == dialled {
		s.wait(p, 2*p.wait, now, r)
	}
}

// closed notes that the connection is gone. One that was stable starts over; of
// the wait after a short one is taken off what it lasted, so that only who comes
// and goes in no time is kept waiting.
func (s *schedule) closed(id lnwire.PubKey, now time.Time, r float64) {
	p := s.peers[id]
	if p == nil || p.state != connected {
		return
	}
	wait := s.min
	if lasted := now.Sub(p.since); lasted < s.stable {
		wait = 2*p.wait - lasted
	}
	s.wait(p, wait, now, r)
}

// wait puts the next attempt a quarter more or less than the wait into the future,
// so that two nodes, or all peers of one that restarted, do not act in step.
func (s *schedule) wait(p *keptPeer, wait time.Duration, now time.Time, r float64) {
	p.state = away
	p.wait = min(max(wait, s.min), s.max)
	p.due = now.Add(time.Duration(float64(p.wait) * (0.75 + r/2)))
}
