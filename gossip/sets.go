package gossip

import "time"

// fifoSet is a set that forgets its oldest members beyond a number.
type fifoSet[K comparable] struct {
	has    map[K]uint64 // the number with which it was added
	ring   []K          // with nums: in the order of adding, from oldest on when it is full
	nums   []uint64
	oldest int
	next   uint64
	size   int
}

func newFifoSet[K comparable](size int) fifoSet[K] {
	return fifoSet[K]{has: map[K]uint64{}, size: size}
}

func (s *fifoSet[K]) add(k K) {
	s.next++
	if _, ok := s.has[k]; ok {
		return
	}
	s.has[k] = s.next
	if len(s.ring) < s.size {
		s.ring, s.nums = append(s.ring, k), append(s.nums, s.next)
		return
	}
	if old := s.ring[s.oldest]; s.has[old] == s.nums[s.oldest] {
		delete(s.has, old)
	}
	s.ring[s.oldest], s.nums[s.oldest] = k, s.next
	s.oldest = (s.oldest + 1) % s.size
}

func (s *fifoSet[K]) remove(k K)        { delete(s.has, k) }
func (s *fifoSet[K]) contains(k K) bool { _, ok := s.has[k]; return ok }
func (s *fifoSet[K]) len() int          { return len(s.has) }

// bucket allows a burst, and then one in every interval. Its zero value is full.
type bucket struct {
	free int64 // when all of the burst is there again, in nanoseconds of Unix time
}

func (b *bucket) take(now time.Time, burst int, interval time.Duration) bool {
	if !b.has(now, burst, interval) {
		return false
	}
	b.free = max(b.free, now.UnixNano()) + int64(interval)
	return true
}

// has tells whether take would succeed.
func (b *bucket) has(now time.Time, burst int, interval time.Duration) bool {
	return b.free+int64(interval) <= now.UnixNano()+int64(burst)*int64(interval)
}
