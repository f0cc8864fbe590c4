package node

import (
	"sync"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// gateBytes is how much of what peers say about the map waits to be looked at.
const gateBytes = 8 << 20

// gate bounds by bytes what is on the way to an owner: who brings more waits (V-44).
// Those who wait go on in the order in which they came, and only when half of it is free:
// woken for each message that leaves, a crowd of them would keep everybody else from
// running.
type gate struct {
	limit int

	mu     *sync.Mutex
	held   int
	closed bool
	queue  []*arrival
}

// arrival is one who waits at a gate.
type arrival struct {
	weight int
	goOn   chan bool // told once: the gate is open, or closed for good
}

func newGate(limit int) gate { return gate{limit: limit, mu: new(sync.Mutex)} }

// enter waits for room; false: the gate is closed. Alone, anything fits.
func (g *gate) enter(weight int) bool {
	g.mu.Lock()
	switch {
	case g.closed:
		g.mu.Unlock()
		return false
	case len(g.queue) == 0 && g.fits(weight):
		g.held += weight
		g.mu.Unlock()
		return true
	}
	a := &arrival{weight, make(chan bool, 1)}
	g.queue = append(g.queue, a)
	g.mu.Unlock()
	return <-a.goOn
}

func (g *gate) fits(weight int) bool { return g.held == 0 || g.held+weight <= g.limit }

// leave makes room again.
func (g *gate) leave(weight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held -= weight; g.held > g.limit/2 {
		return
	}
	for len(g.queue) > 0 && g.fits(g.queue[0].weight) {
		g.held += g.queue[0].weight
		g.queue[0].goOn <- true
		g.queue = g.queue[1:]
	}
}

// close lets everybody go, with nothing.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, a := range g.queue {
		a.goOn <- false
	}
	g.queue = nil
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
