package node

import (
	"errors"
	"time"
)

// openingLimit is how long a peer may take from open_channel to the last signature of
// the funding. Who waits for ever would keep its place among the few openings that may
// be in progress (V-40).
const openingLimit = 10 * time.Minute

// limitOpening ends an opening that comes to nothing: with the connection, by which the
// channel's machine forgets it on either side.
func (n *Node) limitOpening(e *entry) {
	e.limit.Store(time.AfterFunc(openingLimit, func() { n.endOpening(e) }))
	if n.channels.num(e.num) == nil {
		e.unlimit() // it is over already
	}
}

func (n *Node) endOpening(e *entry) {
	if e.link.Load() != nil || n.channels.num(e.num) == nil {
		return // it is a channel, or gone
	}
	if c := n.host.Conn(e.peer); c != nil {
		c.Close(errors.New("the opening of a channel takes too long"))
	}
}

// unlimit gives up waiting.
func (e *entry) unlimit() {
	if t := e.limit.Swap(nil); t != nil {
		t.Stop()
	}
}
