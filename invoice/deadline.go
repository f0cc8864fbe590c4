package invoice

import (
	"bytes"
	"container/heap"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// alarm says that something may be due for an invoice: at a time, or at a height.
// Alarms are never taken back: whoever takes one looks whether it still holds.
type alarm struct {
	at     time.Time
	height lnwire.Height
	hash   lnwire.Hash
}

// slack is how many alarms there must be before they are looked through for those
// that are in vain.
const slack = 1024

// full says that it is time to do so; as the number has to double, it costs little.
func (a alarms) full() bool { return len(a) >= slack && len(a)&(len(a)-1) == 0 }

// alarms is a heap, earliest first; the hash makes the order complete.
type alarms []alarm

func (a alarms) Len() int      { return len(a) }
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a alarms) Less(i, j int) bool {
	if c := a[i].at.Compare(a[j].at); c != 0 {
		return c < 0
	}
	if a[i].height != a[j].height {
		return a[i].height < a[j].height
	}
	return bytes.Compare(a[i].hash[:], a[j].hash[:]) < 0
}

// Push and Pop are for container/heap.
func (a *alarms) Push(v any) { *a = append(*a, v.(alarm)) }

// Pop takes the last element.
func (a *alarms) Pop() any {
	last := len(*a) - 1
	v := (*a)[last]
	*a = (*a)[:last]
	return v
}

func (a *alarms) set(v alarm) { heap.Push(a, v) }

// keep drops the alarms that are not needed any more.
func (a *alarms) keep(needed func(alarm) bool) {
	kept := (*a)[:0]
	seen := make(map[alarm]bool, len(*a))
	for _, v := range *a {
		if needed(v) && !seen[v] {
			seen[v] = true
			kept = append(kept, v)
		}
	}
	*a = kept
	heap.Init(a)
}

// drop takes the earliest.
func (a *alarms) drop() { heap.Pop(a) }
