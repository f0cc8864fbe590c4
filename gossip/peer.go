package gossip

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// peer is a connection that is past init (V-49).
type peer struct {
	id      lnwire.PubKey
	queries bool // offers gossip_queries
	flags   bool // offers gossip_queries_ex, and so do we
	chain   bool // is on our chain, or does not say
	dropped bool
	faults  int // announcements without a funding

	// What it told, not judged yet.
	inbox      []arrival
	inboxBytes int
	judging    int // jobs under way
	wakes      bucket

	// What it is told.
	filter  *filter
	busy    bool // a Send of gossip is not Drained
	pos     uint64
	flush   uint64
	streams []*stream // at most one of each kind
	reading *stream   // waits for Values
	slot    bool      // has one of the places for streams
	since   time.Time // when it took its place, or its last piece of an answer
	sent    time.Time // up to when its share of bytes is used
	resume  time.Time // when there is some again; zero: now
	asks    bucket

	// Synchronising.
	welcomed bool
	active   bool // relays to us
	synced   bool // was asked for what it has
	mute     bool // did not answer
}

// arrival is a message with who sent it.
type arrival struct {
	from   lnwire.PubKey
	msg    lnwire.Message
	raw    []byte
	digest [32]byte
}

func (a *arrival) size() int { return len(a.raw) + arrivalCost }

// arrivalCost is about what a message takes beyond its bytes: it is decoded.
const arrivalCost = 300

func (m *Machine) opened(ev Opened) {
	if m.peers[ev.Peer] != nil {
		m.closed(ev.Peer)
	}
	p := &peer{
		id: ev.Peer, pos: m.log.end(), flush: m.log.end(),
		queries: ev.Features.HasEither(lnwire.GossipQueriesOptional),
		flags:   !m.cfg.Plain && ev.Features.HasEither(lnwire.GossipQueriesExOptional),
		chain:   len(ev.Networks) == 0 || slices.Contains(ev.Networks, m.cfg.Chain),
	}
	m.peers[ev.Peer] = p
	m.line = append(m.line, p)
	m.welcome(p)
	m.tellOwn(p)
}

func (m *Machine) closed(id lnwire.PubKey) {
	p := m.peers[id]
	if p == nil {
		return
	}
	m.clear(p)
	delete(m.peers, id)
	m.line = slices.DeleteFunc(m.line, func(q *peer) bool { return q == p })
	m.activate()
}

// clear frees all that is held for a peer.
func (m *Machine) clear(p *peer) {
	for _, a := range p.inbox {
		delete(m.held, a.digest)
	}
	p.inbox, p.inboxBytes = nil, 0
	for _, a := range m.room.leave(p.id) {
		delete(m.held, a.digest)
	}
	m.endStreams(p)
	p.filter, p.active = nil, false
	if m.sync != nil && m.sync.peer == p {
		m.sync = nil
	}
}

// received sorts what a peer sends.
func (m *Machine) received(id lnwire.PubKey, msg lnwire.Message) {
	p := m.peers[id]
	if p == nil || p.dropped {
		return
	}
	switch msg := msg.(type) {
	case *lnwire.ChannelAnnouncement, *lnwire.ChannelUpdate, *lnwire.NodeAnnouncement:
		m.counts.Received++
		m.arrive(p, msg)
	case *lnwire.QueryShortChannelIDs:
		m.gotQueryIDs(p, msg)
	case *lnwire.QueryChannelRange:
		m.gotQueryRange(p, msg)
	case *lnwire.ReplyChannelRange:
		m.gotReplyRange(p, msg)
	case *lnwire.ReplyShortChannelIDsEnd:
		m.gotReplyEnd(p, msg)
	case *lnwire.GossipTimestampFilter:
		m.gotFilter(p, msg)
	}
}
