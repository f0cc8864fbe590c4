package gossip

import (
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Machine is all of gossip. It is driven by one caller at a time; what it gives out
// is never changed by it.
type Machine struct {
	cfg Config
	now time.Time
	fx  Effects

	tip       lnwire.BlockRef
	awake     bool // a block is known
	restoring bool // nodeOrder is not in order yet

	// The map.
	channels  map[lnwire.ShortChannelID]*channel
	order     []lnwire.ShortChannelID // ascending
	outpoints map[wire.OutPoint]lnwire.ShortChannelID
	nodes     map[lnwire.PubKey]*node
	nodeOrder []*node // by id
	newest    uint32  // timestamp of any update
	spent     []lnwire.ShortChannelID
	zombies   fifoSet[lnwire.ShortChannelID] // forgotten as stale
	gone      fifoSet[lnwire.ShortChannelID] // whose funding is spent
	outlaws   fifoSet[lnwire.PubKey]         // nodes that announced a channel twice

	// What is being judged.
	peers  map[lnwire.PubKey]*peer
	line   []*peer // in the order of their coming
	turn   int     // of the peers' inboxes
	stray  *peer   // stands for those who are gone
	jobs   map[uint64]*job
	held   map[[32]byte]struct{} // digests of all messages that are being judged or wait
	room   room
	lastID uint64
	counts Counts

	// What is told.
	log       relayLog
	slots     int // streams under way
	reads     map[uint64]*peer
	bad       fifoSet[lnwire.PubKey] // peers whose answers were wrong
	sync      *sync
	nextFlush time.Time
	nextPrune time.Time
	nextSync  time.Time
	askedTo   lnwire.Height // the tip when a peer was asked last

	// Ourselves.
	own      map[uint64]*own
	ownOrder []uint64
	ownNames map[lnwire.ShortChannelID]uint64
	ownLost  map[lnwire.ShortChannelID]*lnwire.ChannelAnnouncement // announced before their link
	self     self
	signing  map[uint64]signature
}

// Counts are what the machine has seen and holds; for metrics and tests.
type Counts struct {
	Received, Duplicate, Stale, Early, Dropped, Limited uint64 // messages
	BadSignature, BadFunding, Accepted                  uint64 // messages
	InboxBytes, RoomBytes, LogBytes                     int    // held now
	InFlight, Streams, Dead                             int    // held now
}

// New makes a Machine that knows nothing. Restore follows for every row of the
// store, then the first Step.
func New(cfg Config) (*Machine, error) {
	if cfg.Self.IsZero() {
		return nil, errors.New("make gossip: our node id is not set")
	}
	cfg.fill()
	return &Machine{
		cfg:       cfg,
		channels:  map[lnwire.ShortChannelID]*channel{},
		outpoints: map[wire.OutPoint]lnwire.ShortChannelID{},
		nodes:     map[lnwire.PubKey]*node{},
		zombies:   newFifoSet[lnwire.ShortChannelID](cfg.Limits.Dead),
		gone:      newFifoSet[lnwire.ShortChannelID](cfg.Limits.Dead),
		outlaws:   newFifoSet[lnwire.PubKey](outlawsKept),
		bad:       newFifoSet[lnwire.PubKey](badKept),
		peers:     map[lnwire.PubKey]*peer{},
		stray:     &peer{},
		jobs:      map[uint64]*job{},
		held:      map[[32]byte]struct{}{},
		room:      newRoom(cfg.Limits.WaitingRoom),
		log:       newRelayLog(cfg.Limits.RelayLog),
		reads:     map[uint64]*peer{},
		own:       map[uint64]*own{},
		ownNames:  map[lnwire.ShortChannelID]uint64{},
		ownLost:   map[lnwire.ShortChannelID]*lnwire.ChannelAnnouncement{},
		signing:   map[uint64]signature{},
	}, nil
}

const (
	outlawsKept = 1000
	badKept     = 1000
)

// Step applies one event at a time of the wall clock. It does not block.
func (m *Machine) Step(now time.Time, ev Event) Effects {
	m.now = now
	m.restored()
	switch ev := ev.(type) {
	case Opened:
		m.opened(ev)
	case Closed:
		m.closed(ev.Peer)
	case Received:
		m.received(ev.Peer, ev.Msg)
	case Drained:
		if p := m.peers[ev.Peer]; p != nil {
			p.busy = false
		}
	case Verified:
		m.verified(ev)
	case Found:
		m.found(ev)
	case Values:
		m.values(ev)
	case Block:
		m.block(ev)
	case AtTip:
		m.awaken()
	case Unblock:
		m.unblock(ev.Tip)
	case Tick:
		m.tick()
	case OwnChannel:
		m.ownChannel(ev.Announcement)
	case OwnLink:
		m.ownLink(ev)
	case OwnNode:
		m.self.want = &ev
		m.refreshSelf()
	case Signed:
		m.signed(ev)
	}
	m.work()
	return m.take()
}

// work goes on with whatever the event made possible.
func (m *Machine) work() {
	m.judge()
	m.goOn()
	m.pump()
}

// take hands out the effects.
func (m *Machine) take() Effects {
	fx := m.fx
	m.fx = Effects{}
	fx.Wake = m.wake()
	return fx
}

// tickEvery is the longest time between two ticks.
const tickEvery = 10 * time.Second

func (m *Machine) wake() time.Time {
	at := m.nextFlush
	if late := m.now.Add(tickEvery); at.IsZero() || at.After(late) {
		at = late
	}
	for _, p := range m.line {
		if p.resume.After(m.now) && p.resume.Before(at) {
			at = p.resume
		}
	}
	return at
}

func (m *Machine) tick() {
	if !m.now.Before(m.nextFlush) {
		m.flush()
		m.nextFlush = m.now.Add(m.cfg.Trickle)
	}
	if !m.now.Before(m.nextPrune) {
		m.prune()
		m.nextPrune = m.now.Add(pruneEvery)
	}
	m.watchSync()
	m.reclaim()
	for _, num := range slices.Clone(m.ownOrder) {
		m.refreshOwn(m.own[num])
	}
	m.refreshSelf()
}

// Counts are the machine's own counters.
func (m *Machine) Counts() Counts {
	c := m.counts
	c.RoomBytes, c.LogBytes, c.InFlight, c.Streams = m.room.bytes, m.log.bytes, len(m.jobs), m.slots
	c.Dead = m.zombies.len() + m.gone.len()
	for _, p := range m.line {
		c.InboxBytes += p.inboxBytes
	}
	c.InboxBytes += m.stray.inboxBytes
	return c
}

// Tip is the last block that was seen: blocks above it are to be told.
func (m *Machine) Tip() lnwire.BlockRef { return m.tip }

func (m *Machine) id() uint64 {
	m.lastID++
	return m.lastID
}

func (m *Machine) unix() uint32 { return uint32(max(m.now.Unix(), 0)) }

// ago is a moment that is d before now, as a timestamp.
func (m *Machine) ago(d time.Duration) uint32 { return uint32(max(m.now.Add(-d).Unix(), 0)) }

func (m *Machine) put(k Key, value []byte)  { m.fx.Rows = append(m.fx.Rows, Row{k, value}) }
func (m *Machine) erase(k Key)              { m.fx.Rows = append(m.fx.Rows, Row{k, nil}) }
func (m *Machine) changed(c Change)         { m.fx.Changes = append(m.fx.Changes, c) }
func (m *Machine) warn(p *peer, why string) { m.send(p, &lnwire.Warning{Data: []byte(why)}) }

// send is for what does not wait for room in the lane of gossip: small, and as
// seldom as the peer's own queries or faults.
func (m *Machine) send(p *peer, msg lnwire.Message) {
	m.fx.Send = append(m.fx.Send, Send{Peer: p.id, Msgs: []lnwire.Message{msg}})
}

// drop ends the connection of a peer that broke the rules.
func (m *Machine) drop(p *peer, why string) {
	if p == m.stray || p.dropped {
		return
	}
	p.dropped = true
	m.warn(p, why)
	m.fx.Disconnect = append(m.fx.Disconnect, Disconnect{Peer: p.id, Why: why})
	m.clear(p)
}
