package node

import "time"

// bucket is a bound on bytes per time: it fills up steadily to its size, and what is
// taken must be in it.
type bucket struct {
	size, perSecond int
	left            int
	at              time.Time
}

func newBucket(perSecond, size int, now time.Time) bucket {
	return bucket{size: size, perSecond: perSecond, left: size, at: now}
}

// take takes n bytes out; false when they are not there, and then it takes none.
func (b *bucket) take(now time.Time, n int) bool {
	more := int64(now.Sub(b.at)) * int64(b.perSecond) / int64(time.Second)
	if more > 0 {
		b.left = int(min(int64(b.size), int64(b.left)+more))
		b.at = now
	}
	if n > b.left {
		return false
	}
	b.left -= n
	return true
}
