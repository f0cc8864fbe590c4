package channeldb

import (
	"fmt"
	"slices"
	"sync"
)

// Who pages through the forwards of some channels says how many to skip, and no counts
// are kept of those. But it will have asked for the page before: places remember where
// the last pages ended.
type places struct {
	mu   sync.Mutex
	list []placed // the latest last
}

type placed struct {
	page string // what was asked for, but for the place
	skip uint64
	at   ForwardCursor
}

// maxPlaces bounds what is remembered.
const maxPlaces = 64

// page is what all pages of one list have in common.
func (q *ForwardQuery) page() string {
	return fmt.Sprint(q.From, q.To, q.After, sortedIDs(q.In), sortedIDs(q.Out))
}

// find is where the page begins before which there are skip rows.
func (p *places) find(page string, skip uint64) (ForwardCursor, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.list, func(o placed) bool { return o.skip == skip && o.page == page })
	if skip == 0 || i < 0 {
		return ForwardCursor{}, false
	}
	return p.list[i].at, true
}

// clear forgets all: rows are gone.
func (p *places) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = nil
}

func (p *places) keep(page string, skip uint64, at ForwardCursor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(o placed) bool { return o.skip == skip && o.page == page })
	if len(p.list) == maxPlaces {
		p.list = slices.Delete(p.list, 0, 1)
	}
	p.list = append(p.list, placed{page, skip, at})
}
