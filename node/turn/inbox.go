package turn

import "sync"

// Inbox is the queue in front of one owner of state. Whatever is put in is given
// to the owner's turn in order, everything that has gathered at once; only one
// turn runs at a time, and no goroutine lives while there is nothing to do.
//
// Put never blocks: how much can gather is bounded by the protocol. Senders fed by
// a peer use PutSlow, which waits while more than its bound is queued; that is the
// only back-pressure there is.
type Inbox[E any] struct {
	spawn func(func())
	turn  func([]E)

	mu      sync.Mutex
	room    sync.Cond
	items   []E
	spare   []E // the backing of the last turn, used again
	running bool
	closed  bool
	idle    sync.Cond
}

// slowBound is how many items may wait before PutSlow does too.
const slowBound = 1024

// NewInbox makes an inbox whose turns are run by spawn, which must run its
// argument exactly once, in another goroutine or later (a simulator chooses when).
func NewInbox[E any](spawn func(func()), turn func([]E)) *Inbox[E] {
	b := &Inbox[E]{spawn: spawn, turn: turn}
	b.room.L, b.idle.L = &b.mu, &b.mu
	return b
}

// Put queues an item. After Close it does nothing.
func (b *Inbox[E]) Put(e E) {
	b.mu.Lock()
	b.put(e)
}

// PutSlow is Put for senders that a peer feeds.
func (b *Inbox[E]) PutSlow(e E) {
	b.mu.Lock()
	for len(b.items) >= slowBound && !b.closed {
		b.room.Wait()
	}
	b.put(e)
}

// PutWith is PutSlow for one who puts more at once, and then calls Start: the item
// waits for company.
func (b *Inbox[E]) PutWith(e E) {
	b.mu.Lock()
	if len(b.items) < slowBound/2 && !b.closed {
		b.items = append(b.items, e)
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	b.PutSlow(e)
}

// Start begins a turn if anything waits for one.
func (b *Inbox[E]) Start() {
	b.mu.Lock()
	if len(b.items) == 0 || b.running || b.closed {
		b.mu.Unlock()
		return
	}
	b.running = true
	b.mu.Unlock()
	b.spawn(b.run)
}

// Lay queues an item and begins no turn: whoever lays must see to it that Start or Here
// follows. It does not block. After Close it does nothing.
func (b *Inbox[E]) Lay(e E) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.items = append(b.items, e)
	}
}

// put finishes Put: it unlocks.
func (b *Inbox[E]) put(e E) {
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.items = append(b.items, e)
	start := !b.running
	b.running = true
	b.mu.Unlock()
	if start {
		b.spawn(b.run)
	}
}

// run takes turns until nothing is left.
func (b *Inbox[E]) run() {
	for {
		b.mu.Lock()
		if len(b.items) == 0 || b.closed {
			b.running = false
			b.items = nil
			b.idle.Broadcast()
			b.mu.Unlock()
			return
		}
		items := b.items
		b.items = b.spare[:0]
		b.room.Broadcast()
		b.mu.Unlock()

		b.turn(items)

		clear(items)
		b.mu.Lock()
		b.spare = items
		b.mu.Unlock()
	}
}

// More gives a turn what has arrived since it began. Only the turn itself may ask.
func (b *Inbox[E]) More() []E {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = nil
	b.room.Broadcast()
	return items
}

// Aside runs f, in the caller's goroutine, as a turn of its own if no other is under
// way and nothing waits; false when it did not. f must be quick.
func (b *Inbox[E]) Aside(f func()) bool {
	b.mu.Lock()
	if b.running || b.closed || len(b.items) > 0 {
		b.mu.Unlock()
		return false
	}
	b.running = true
	b.mu.Unlock()
	f()
	b.rest()
	return true
}

// Here runs a turn over what waits, in the caller's goroutine, if there is something and
// no other turn is under way. around is called with that turn, as a part of it.
func (b *Inbox[E]) Here(around func(turn func())) {
	b.mu.Lock()
	if b.running || b.closed || len(b.items) == 0 {
		b.mu.Unlock()
		return
	}
	b.running = true
	items := b.items
	b.items = nil
	b.room.Broadcast()
	b.mu.Unlock()
	around(func() { b.turn(items) })
	b.rest()
}

// rest ends a turn in somebody else's goroutine: what has come meanwhile has one of its
// own.
func (b *Inbox[E]) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) > 0 && !b.closed {
		b.spawn(b.run)
		return
	}
	b.running = false
	b.idle.Broadcast()
}

// Close drops what is queued, lets a running turn finish, and refuses the rest.
// It must not be called from within a turn.
func (b *Inbox[E]) Close() {
	b.mu.Lock()
	b.closed = true
	b.room.Broadcast()
	for b.running {
		b.idle.Wait()
	}
	b.mu.Unlock()
}

// Len is how many items wait.
func (b *Inbox[E]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}
