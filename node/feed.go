package node

import "sync"

const (
	// feedDepth is how far a subscriber may lag behind before it is cut off.
	feedDepth = 4096
	// feedBytes is how much of what has a weight may wait for a subscriber.
	feedBytes = 4 << 20
)

// weighty is what strangers determine the size of: it is counted in bytes, too.
type weighty interface{ weight() int }

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
	waits  weights
}

// weights are those of what is in a channel, the oldest first.
type weights struct {
	list []int
	sum  int
}

// fits adds a weight behind those of the last unread, all else was read meanwhile; false
// when that is too much. Alone, anything fits.
func (w *weights) fits(unread, next int) bool {
	for ; len(w.list) > unread; w.list = w.list[1:] {
		w.sum -= w.list[0]
	}
	if unread > 0 && w.sum+next > feedBytes {
		return false
	}
	w.list, w.sum = append(w.list, next), w.sum+next
	return true
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
	heavy, counts := any(v).(weighty)
	for s := range f.subs {
		if !counts || s.waits.fits(len(s.c), heavy.weight()) {
			select {
			case s.c <- v:
				continue
			default:
			}
		}
		s.lagged = true
		f.end(s)
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
