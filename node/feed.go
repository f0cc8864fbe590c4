package node

import "sync"

const (
	// feedDepth is how far a subscriber may lag behind before it is cut off.
	feedDepth = 4096
	// feedBytes is how much of what has a weight may wait for subscribers.
	feedBytes = 4 << 20
	// feedReady is how many events lie ready for each subscriber. Who reads them in time
	// costs no more than that.
	feedReady = 16
)

// weighty is what strangers determine the size of: it is counted in bytes, too.
type weighty interface{ weight() int }

// Feed tells subscribers what happens. Nobody waits for a slow one: who lags too
// far behind is cut off, and can tell that from a channel that is closed with
// Lagged set. What is kept for the slow ones is kept once for all of them.
type Feed[T any] struct {
	mu   sync.Mutex
	subs map[*Subscription[T]]struct{}

	backlog []queued[T] // what somebody has not been given yet, and what came after it
	weight  int         // of the backlog
	end     uint64      // the number of the next event
}

type queued[T any] struct {
	event  T
	weight int
}

// Subscription is one subscriber's end of a Feed.
type Subscription[T any] struct {
	C      <-chan T // closed when the subscription ends
	c      chan T
	feed   *Feed[T]
	lagged bool
	// behind: c is full, and a goroutine of its own fills it from the backlog, beginning
	// with event next. It ends with over, and then closes c.
	behind bool
	next   uint64
	over   chan struct{}
}

// Subscribe starts with what is published next. The caller cancels.
func (f *Feed[T]) Subscribe() *Subscription[T] {
	c := make(chan T, feedReady)
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
	behind := false
	for s := range f.subs {
		if !s.behind {
			select {
			case s.c <- v:
				continue
			default:
			}
			s.behind, s.next, s.over = true, f.end, make(chan struct{})
			go s.catchUp()
		}
		behind = true
	}
	if f.end++; !behind {
		f.backlog, f.weight = nil, 0
		return
	}
	q := queued[T]{event: v}
	if heavy, ok := any(v).(weighty); ok {
		q.weight = heavy.weight()
	}
	f.backlog, f.weight = append(f.backlog, q), f.weight+q.weight
	f.bound()
}

// bound drops the oldest of a backlog that is too long, and who waits for it. Alone,
// anything fits.
func (f *Feed[T]) bound() {
	drop := 0
	for n := len(f.backlog); n-drop > feedDepth || f.weight > feedBytes && n-drop > 1; drop++ {
		f.weight -= f.backlog[drop].weight
		f.backlog[drop] = queued[T]{}
	}
	if drop == 0 {
		return
	}
	f.backlog = f.backlog[drop:]
	for s := range f.subs {
		if s.behind && s.next < f.first() {
			s.lagged = true
			f.stop(s)
		}
	}
}

// first is the number of the oldest event of the backlog.
func (f *Feed[T]) first() uint64 { return f.end - uint64(len(f.backlog)) }

// catchUp gives a subscriber what is in the backlog, as fast as it reads.
func (s *Subscription[T]) catchUp() {
	for {
		v, ok := s.ahead()
		if !ok {
			return
		}
		select {
		case s.c <- v:
		case <-s.over:
		}
	}
}

// ahead is the next event of a subscriber that is behind; false when there is none, or
// the subscription is over.
func (s *Subscription[T]) ahead() (v T, ok bool) {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, open := f.subs[s]; !open {
		close(s.c)
		return v, false
	}
	if s.next == f.end {
		s.behind = false
		return v, false
	}
	v = f.backlog[s.next-f.first()].event
	s.next++
	return v, true
}

// Cancel ends the subscription. It may be called more than once.
func (s *Subscription[T]) Cancel() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.stop(s)
}

// Lagged reports that the subscription ended because its reader was too slow.
func (s *Subscription[T]) Lagged() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.lagged
}

func (f *Feed[T]) stop(s *Subscription[T]) {
	if _, ok := f.subs[s]; !ok {
		return
	}
	delete(f.subs, s)
	if s.behind {
		close(s.over)
	} else {
		close(s.c)
	}
	if len(f.subs) == 0 {
		f.backlog, f.weight = nil, 0
	}
}
