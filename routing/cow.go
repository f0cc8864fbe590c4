package routing

const (
	chunkBits = 8
	chunkLen  = 1 << chunkBits
)

// cow is an array that grows, of which copies are cheap: a copy shares the chunks,
// and whoever owns the array copies a chunk before the first write after that.
type cow[T any] struct {
	chunks [][]T
	owned  []bool // chunks that no copy shares
	n      int
}

// share gives a copy that never changes.
func (c *cow[T]) share() cow[T] {
	clear(c.owned)
	return cow[T]{chunks: append([][]T(nil), c.chunks...), n: c.n}
}

func (c *cow[T]) at(i uint32) *T { return &c.chunks[i>>chunkBits][i&(chunkLen-1)] }

// edit gives a place that may be written.
func (c *cow[T]) edit(i uint32) *T {
	k := i >> chunkBits
	if !c.owned[k] {
		c.chunks[k] = append(make([]T, 0, chunkLen), c.chunks[k]...)
		c.owned[k] = true
	}
	return &c.chunks[k][i&(chunkLen-1)]
}

// grow appends a zero and gives its index.
func (c *cow[T]) grow() uint32 {
	i := uint32(c.n)
	k := i >> chunkBits
	if int(k) == len(c.chunks) {
		c.chunks = append(c.chunks, make([]T, 0, chunkLen))
		c.owned = append(c.owned, true)
	}
	c.n++
	if !c.owned[k] {
		c.chunks[k] = append(make([]T, 0, chunkLen), c.chunks[k]...)
		c.owned[k] = true
	}
	var zero T
	c.chunks[k] = append(c.chunks[k], zero)
	return i
}
