package chainntnfs

import (
	"fmt"
	"sync"
)

// Status is a State that many may wait on: the helper with which a backend
// implements State. The zero value is down with no reason.
type Status struct {
	mu      sync.Mutex
	state   State
	changed chan struct{}
}

// Get is the present state and a channel that is closed when it changes.
func (s *Status) Get() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.state, s.changed
}

// Update applies a change and wakes everybody who waits, if anything but the
// tip's time is different.
func (s *Status) Update(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state
	change(&s.state)
	same := old.Up == s.state.Up && old.Tip == s.state.Tip && old.Stale == s.state.Stale &&
		fmt.Sprint(old.Why) == fmt.Sprint(s.state.Why)
	if !same && s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
