package node

import (
	"sync"
	"time"
)

// alarm calls a function at the earliest time that was asked for and not yet come.
type alarm struct {
	after func(time.Duration, func()) (stop func() bool)
	ring  func()

	mu   sync.Mutex
	quit func() bool // ends what was asked for; nil: nothing was
	at   time.Time
	off  bool
}

func (n *Node) newAlarm(ring func()) *alarm {
	a := &alarm{after: n.cfg.After, ring: ring}
	if a.after == nil {
		a.after = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return a
}

// set asks for a call at t, or earlier if one was asked for already. The zero time
// asks for nothing.
func (a *alarm) set(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.IsZero() || a.off || !a.at.IsZero() && !t.Before(a.at) {
		return
	}
	a.at = t
	if a.quit != nil {
		a.quit()
	}
	a.quit = a.after(max(0, time.Until(t)), a.due)
}

func (a *alarm) due() {
	a.mu.Lock()
	if a.off {
		a.mu.Unlock()
		return
	}
	a.at = time.Time{}
	a.mu.Unlock()
	a.ring()
}

// stop ends it. A call that is under way is not waited for.
func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = true
	if a.quit != nil {
		a.quit()
	}
}
