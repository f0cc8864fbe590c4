package node

import (
	"sync"
	"time"
)

// alarm calls a function at the earliest time that was asked for and not yet come.
type alarm struct {
	ring func()

	mu    sync.Mutex
	timer *time.Timer
	at    time.Time
	off   bool
}

func newAlarm(ring func()) *alarm { return &alarm{ring: ring} }

// set asks for a call at t, or earlier if one was asked for already. The zero time
// asks for nothing.
func (a *alarm) set(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.IsZero() || a.off || !a.at.IsZero() && !t.Before(a.at) {
		return
	}
	a.at = t
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timer = time.AfterFunc(max(0, time.Until(t)), a.due)
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
	if a.timer != nil {
		a.timer.Stop()
	}
}
