package gossip

import (
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// slot is what a message is the newest word about.
type slot struct {
	kind Kind
	scid lnwire.ShortChannelID
	side int
	node lnwire.PubKey
}

// relayed is a message that is to be passed on.
type relayed struct {
	raw  []byte // nil: a newer one took its place
	from lnwire.PubKey
	time uint32 // of an announcement of a channel: that of its first update
	ours bool
	slot slot
}

// relayLog is the common queue of what is new: each peer has a position in it. It is
// bounded by bytes: a peer that falls too far behind misses something, and asks.
type relayLog struct {
	limit   int
	bytes   int
	first   uint64 // number of entries[0]
	entries []relayed
	at      map[slot]uint64
	// kept are channels whose announcement is held until an update comes.
	kept      []*channel
	keptBytes int
}

func newRelayLog(limit int) relayLog { return relayLog{limit: limit, at: map[slot]uint64{}} }

func (l *relayLog) end() uint64 { return l.first + uint64(len(l.entries)) }

// append puts a message at the end; an older one about the same gives way.
func (l *relayLog) append(r relayed) {
	if old, ok := l.at[r.slot]; ok {
		l.blank(old)
	}
	l.at[r.slot] = l.end()
	l.entries = append(l.entries, r)
	l.bytes += len(r.raw) + arrivalCost
	for l.bytes > l.limit {
		l.shift()
	}
}

// blank empties an entry without moving the others.
func (l *relayLog) blank(seq uint64) {
	e := &l.entries[seq-l.first]
	delete(l.at, e.slot)
	l.bytes -= len(e.raw)
	e.raw = nil
}

func (l *relayLog) shift() {
	e := &l.entries[0]
	if e.raw != nil {
		l.blank(l.first)
	}
	l.bytes -= arrivalCost
	l.entries[0] = relayed{}
	l.entries = l.entries[1:]
	l.first++
}

// trim drops what everybody is past.
func (l *relayLog) trim(below uint64) {
	for l.first < below && len(l.entries) > 0 {
		l.shift()
	}
	if len(l.entries) == 0 {
		l.entries = nil
	}
}

// forget takes out all about a channel: B7.relay.7: what is spent is not announced
// any more.
func (l *relayLog) forget(id lnwire.ShortChannelID) {
	for _, s := range []slot{{kind: KindChannel, scid: id}, {kind: KindUpdate, scid: id}, {kind: KindUpdate, scid: id, side: 1}} {
		if seq, ok := l.at[s]; ok {
			l.blank(seq)
		}
	}
}

// keep holds a channel's announcement for its first update. Those that wait longest
// give way; peers will find them by asking.
func (l *relayLog) keep(c *channel) {
	l.kept = append(l.kept, c)
	l.keptBytes += len(c.unheard.raw)
	for l.keptBytes > l.limit/4 || len(l.kept) > 0 && l.kept[0].unheard == nil {
		old := l.kept[0]
		l.kept[0] = nil
		l.kept = l.kept[1:]
		l.unkeep(old)
	}
	if len(l.kept) > 100 && len(l.kept) > l.keptBytes/200 {
		l.kept = slices.DeleteFunc(l.kept, func(c *channel) bool { return c.unheard == nil })
	}
}

func (l *relayLog) unkeep(c *channel) {
	if c.unheard != nil {
		l.keptBytes -= len(c.unheard.raw)
		c.unheard = nil
	}
}

// flush lets what is new go to everybody.
//
// B7.relay.1: gossip is passed on in batches, one in each interval, whenever it came.
func (m *Machine) flush() {
	end := m.log.end()
	for _, p := range m.line {
		p.flush = end
	}
	if len(m.line) == 0 {
		m.log.trim(end)
	}
}

// wants tells whether an entry of the log is for a peer.
//
// B7.relay.3: without a filter of his a peer gets only what we made ourselves.
// B7.relay.4: what is made by others must be within the filter, ours goes anyway.
// B7.relay.5: nothing goes back to who sent it.
// B7.relay.8: nothing goes to a peer that is not on our chain.
func (p *peer) wants(e *relayed) bool {
	if e.raw == nil || !p.chain || e.from == p.id {
		return false
	}
	return e.ours || p.filter != nil && p.filter.covers(e.time)
}

// filter is a peer's gossip_timestamp_filter.
type filter struct{ first, end uint64 }

func (f *filter) covers(t uint32) bool { return uint64(t) >= f.first && uint64(t) < f.end }

// groupBytes is about how much goes into one Send.
const groupBytes = 32 << 10

// pump gives every peer with room what is there for him: answers, then what is new,
// then the backlog.
func (m *Machine) pump() {
	low := m.log.end()
	for _, p := range m.line {
		if !p.dropped {
			m.pumpPeer(p)
			low = min(low, p.pos)
		}
	}
	m.log.trim(low)
}

func (m *Machine) pumpPeer(p *peer) {
	p.pos = max(p.pos, m.log.first)
	if p.busy {
		return
	}
	if group := m.news(p); len(group) > 0 {
		m.sendGossip(p, group)
		return
	}
	if p.reading == nil && len(p.streams) > 0 && m.mayStream(p) {
		m.stream(p)
	}
}

// news are the next messages of the log for a peer.
func (m *Machine) news(p *peer) (group []lnwire.Message) {
	for size := 0; p.pos < p.flush && size < groupBytes; p.pos++ {
		e := &m.log.entries[p.pos-m.log.first]
		if p.wants(e) {
			group = append(group, verbatim(e.raw))
			size += len(e.raw)
		}
	}
	return group
}

// verbatim is a message that is sent as it came, without decoding it again.
func verbatim(raw []byte) lnwire.Message {
	return &lnwire.Unknown{MsgType: lnwire.MsgType(uint16(raw[0])<<8 | uint16(raw[1])), Payload: raw[2:]}
}

func (m *Machine) sendGossip(p *peer, group []lnwire.Message) {
	p.busy = true
	m.fx.Send = append(m.fx.Send, Send{Peer: p.id, Msgs: group, Gossip: true})
}
