package rpc

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of one caller: of a macaroon and all that were narrowed from it, or of an address where none is needed. They
// are far above what programs do; one that has gone wild must not take the node from the others.
const (
	maxCalls  = 4096 // under way at once, streams included
	callRate  = 5_000
	callBurst = 20_000

	minLook = 1000 // callers that are worth a look at who is gone
)

// limits count the calls of each caller.
type limits struct {
	mu      sync.Mutex
	callers map[string]*calls
	look    int // how many there may be before the next look for those who are gone
	now     func() time.Time
}

type calls struct {
	open  int
	left  float64 // that may begin now
	since time.Time
}

// enter counts a call that begins; leave is called at its end.
func (l *limits) enter(caller string) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	c := l.callers[caller]
	if c == nil {
		l.forget(now)
		c = &calls{left: callBurst, since: now}
		l.callers[caller] = c
	}
	c.refill(now)
	switch {
	case c.open >= maxCalls:
		return nil, status.Errorf(codes.ResourceExhausted, "too many calls and streams at once: at most %d with one macaroon", maxCalls)
	case c.left < 1:
		return nil, status.Errorf(codes.ResourceExhausted, "too many calls: at most %d a second with one macaroon", callRate)
	}
	c.open++
	c.left--
	return func() { l.leave(caller, c) }, nil
}

func (c *calls) refill(now time.Time) {
	c.left = min(callBurst, c.left+callRate*now.Sub(c.since).Seconds())
	c.since = now
}

// forget looks for callers who are gone, each time that there are twice as many as it left.
func (l *limits) forget(now time.Time) {
	if len(l.callers) < max(l.look, minLook) {
		return
	}
	for name, c := range l.callers {
		if c.refill(now); c.gone() {
			delete(l.callers, name)
		}
	}
	l.look = 2 * len(l.callers)
}

// gone: nothing is under way, and there is as much left as for somebody new.
func (c *calls) gone() bool { return c.open == 0 && c.left >= callBurst-1 }

// leave forgets who has nothing under way and used little. Who used more is forgotten later.
func (l *limits) leave(caller string, c *calls) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.open--
	if c.refill(l.now()); c.gone() {
		delete(l.callers, caller)
	}
}
