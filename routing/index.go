package routing

import "hash/maphash"

// index finds numbers by key in a table of open addressing whose chunks are shared
// with snapshots. The keys stand elsewhere: match says whether a number is the one
// that is looked for. The hash is keyed, as in Go's own maps: who chooses node ids
// or channels to collide does not know it, and no order ever shows.
type index[K comparable] struct {
	slots cow[uint32] // 0: free; 1: was deleted; else number + 2
	used  int         // slots that are not free
	live  int
	seed  maphash.Seed
}

func newIndex[K comparable]() index[K] {
	x := index[K]{seed: maphash.MakeSeed()}
	x.resize(1024)
	return x
}

func (x *index[K]) resize(n int) {
	x.slots = cow[uint32]{}
	for range n {
		x.slots.grow()
	}
	x.used, x.live = 0, 0
}

func (x *index[K]) share() index[K] {
	out := *x
	out.slots = x.slots.share()
	return out
}

func (x *index[K]) find(key K, match func(uint32) bool) (slot, number uint32, ok bool) {
	mask := uint32(x.slots.n - 1)
	for s := uint32(maphash.Comparable(x.seed, key)) & mask; ; s = (s + 1) & mask {
		switch v := *x.slots.at(s); {
		case v == 0:
			return s, 0, false
		case v >= 2 && match(v-2):
			return s, v - 2, true
		}
	}
}

// put adds a key that is not there. Numbers tells key and number of everything that
// is, for when the table has to grow.
func (x *index[K]) put(key K, number uint32, all func(yield func(K, uint32))) {
	if (x.used+1)*2 > x.slots.n {
		size := x.slots.n
		if x.live*4 > size {
			size *= 2
		}
		x.resize(size)
		all(x.insert)
	}
	x.insert(key, number)
}

func (x *index[K]) insert(key K, number uint32) {
	slot, _, _ := x.find(key, func(uint32) bool { return false })
	*x.slots.edit(slot) = number + 2
	x.used++
	x.live++
}

func (x *index[K]) remove(key K, match func(uint32) bool) {
	if slot, _, ok := x.find(key, match); ok {
		*x.slots.edit(slot) = 1
		x.live--
	}
}
