package routing

// The open labels stand in a heap of four children each: it is half as high as one
// of two, and the children of a place lie side by side.

func (f *Finder) push(n uint32) {
	f.heap = append(f.heap, n)
	f.up(len(f.heap) - 1)
}

// up moves the label at i towards the top until its parent costs no more.
func (f *Finder) up(i int) {
	n := f.heap[i]
	cost := f.spots[n].cost
	for i > 0 {
		parent := (i - 1) / 4
		m := f.heap[parent]
		if f.spots[m].cost <= cost {
			break
		}
		f.put(i, m)
		i = parent
	}
	f.put(i, n)
}

func (f *Finder) pop() uint32 {
	top := f.heap[0]
	last := f.heap[len(f.heap)-1]
	f.heap = f.heap[:len(f.heap)-1]
	if len(f.heap) > 0 {
		f.down(last)
	}
	return top
}

// down puts a label at the top and moves it towards the leaves.
func (f *Finder) down(n uint32) {
	cost := f.spots[n].cost
	i := 0
	for {
		first := i*4 + 1
		if first >= len(f.heap) {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, len(f.heap)); c++ {
			if f.spots[f.heap[c]].cost < f.spots[f.heap[best]].cost {
				best = c
			}
		}
		if f.spots[f.heap[best]].cost >= cost {
			break
		}
		f.put(i, f.heap[best])
		i = best
	}
	f.put(i, n)
}

func (f *Finder) put(i int, n uint32) {
	f.heap[i] = n
	f.labels[n].heapPos = int32(i)
}
