package node

import "sync"

// feedDepth is how far a subscriber may lag behind before it is cut off.
const feedDepth = 4096

// Feed tells subscribers what happens. Nobody waits for a slow one: who lags too
// far behind is cut off, and can tell that from a channel that is closed with
// Lagged set.
type Feed[T any] struct {
	mu   sync.Mutex
	subs map[*Subscription[T]]struct{}
}

// Subscription is one subscriber's end of a Feed.
type Subscription[T any] struct {
	C      <-chan T // closed when the subscription ends
	c      chan T
	feed   *Feed[T]
	lagged bool
}

// Subscribe starts with what is published next. The caller cancels.
func (f *Feed[T]) Subscribe() *Subscription[T] {
	c := make(chan T, feedDepth)
	s := &Subscription[T]{C: c, c: c, feed: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs == nil {
		f.subs = map[*Subscription[T]]struct{}{}
	}
	f.subs[s] = struct{}{}
	return s
}

// Watched: somebody has subscribed.
func (f *Feed[T]) Watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs) > 0
}

// Publish tells all subscribers.
func (f *Feed[T]) Publish(v T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		select {
		case s.c <- v:
		default:
			s.lagged = true
			f.end(s)
		}
	}
}

// Cancel ends the subscription. It may be called more than once.
func (s *Subscription[T]) Cancel() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.end(s)
}

// Lagged reports that the subscription ended because its reader was too slow.
func (s *Subscription[T]) Lagged() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.lagged
}

func (f *Feed[T]) end(s *Subscription[T]) {
	if _, ok := f.subs[s]; ok {
		delete(f.subs, s)
		close(s.c)
	}
}
