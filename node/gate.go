package node

import (
	"sync"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// gateBytes is how much of what peers say about the map waits to be looked at.
const gateBytes = 8 << 20

// gate bounds by bytes what is on the way to an owner: who brings more waits (V-44).
type gate struct {
	limit int

	mu     *sync.Mutex
	room   *sync.Cond
	held   int
	closed bool
}

func newGate(limit int) gate {
	mu := new(sync.Mutex)
	return gate{limit: limit, mu: mu, room: sync.NewCond(mu)}
}

// enter waits for room; false: the gate is closed. Alone, anything fits.
func (g *gate) enter(weight int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held > 0 && g.held+weight > g.limit && !g.closed {
		g.room.Wait()
	}
	g.held += weight
	return !g.closed
}

// leave makes room again.
func (g *gate) leave(weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held -= weight
	g.room.Broadcast()
}

// close lets everybody go, with nothing.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.room.Broadcast()
}

// weight is about what a decoded message of BOLT 7 holds in memory; 0: it is none.
func weight(m lnwire.Message) int {
	const head = 200
	switch m := m.(type) {
	case *lnwire.ChannelAnnouncement:
		return head + 400 + len(m.Features) + len(m.Extra)
	case *lnwire.ChannelUpdate:
		return head + len(m.Extra)
	case *lnwire.NodeAnnouncement:
		return head + 100 + len(m.Features) + len(m.RawAddrs) + 100*len(m.Addresses) + len(m.Extra)
	case *lnwire.QueryShortChannelIDs:
		return head + 8*len(m.SCIDs) + 8*len(m.Flags)
	case *lnwire.ReplyChannelRange:
		return head + 8*(len(m.SCIDs)+len(m.Timestamps)+len(m.Checksums))
	case *lnwire.QueryChannelRange, *lnwire.ReplyShortChannelIDsEnd, *lnwire.GossipTimestampFilter:
		return head
	}
	return 0
}
