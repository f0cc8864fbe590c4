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
)

// limits count the calls of each caller.
type limits struct {
	mu      sync.Mutex
	callers map[string]*calls
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

// leave forgets who has nothing under way and used little: nothing is kept of those who are gone.
func (l *limits) leave(caller string, c *calls) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.open--
	if c.refill(l.now()); c.open == 0 && c.left >= callBurst-1 {
		delete(l.callers, caller)
	}
}
