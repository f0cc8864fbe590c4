package gossip

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// streamKind is what a stream answers.
type streamKind uint8

const (
	rangeAnswer streamKind = iota // to query_channel_range
	idsAnswer                     // to query_short_channel_ids
	backlog                       // to gossip_timestamp_filter
)

// stream is an answer that is sent piece by piece: it walks over the map by a cursor
// and has rows read as it goes, so that it costs the same however long it is (V-45).
type stream struct {
	kind streamKind
	// rangeAnswer.
	query *lnwire.QueryChannelRange
	next  lnwire.Height
	begun bool
	// idsAnswer: what is left of the question, and the nodes to be told after.
	ids   []lnwire.ShortChannelID
	flags []uint64
	told  map[lnwire.PubKey]struct{}
	nodes []lnwire.PubKey
	// idsAnswer and rangeAnswer, and backlog: where it stands.
	cursor  lnwire.ShortChannelID // of the last channel
	node    lnwire.PubKey         // of the last node
	inNodes bool
	filter  filter
	done    bool
	// keys are the rows that are being read.
	keys   []Key
	readID uint64
}

// readKeys is how many rows are read at once.
const readKeys = 100

// addStream begins an answer.
//
// B7.query.9: a query before the last one of its kind was answered is refused with a
// warning (V-62).
func (m *Machine) addStream(p *peer, s *stream) {
	for i, old := range p.streams {
		if old.kind != s.kind {
			continue
		}
		if s.kind != backlog {
			m.warn(p, "gossip: the last query is not answered yet")
			return
		}
		p.streams = slices.Delete(p.streams, i, i+1) // a new filter replaces the old one
		break
	}
	p.streams = append(p.streams, s)
	slices.SortStableFunc(p.streams, func(a, b *stream) int { return int(a.kind) - int(b.kind) })
}

// endStreams forgets a peer's streams and frees its place.
func (m *Machine) endStreams(p *peer) {
	if p.reading != nil {
		delete(m.reads, p.reading.readID)
		p.reading = nil
	}
	p.streams = nil
	m.freeSlot(p)
}

func (m *Machine) freeSlot(p *peer) {
	if p.slot {
		p.slot = false
		m.slots--
	}
}

// slotWait is how long a piece of an answer may wait to be taken while others wait for
// the place.
const slotWait = 10 * time.Second

// reclaim takes the places of peers that do not take what they asked for: they go on
// when there is one again.
//
// B7.limit.5: who does not read does not keep others from being answered (V-45).
func (m *Machine) reclaim() {
	for _, p := range m.line {
		if p.slot && p.busy && m.now.Sub(p.since) >= slotWait {
			m.freeSlot(p)
		}
	}
}

// mayStream: there is one stream for a peer at a time, a number for all, and a rate
// of bytes.
//
// B7.limit.2: answers and backlogs are sent at no more than a rate, from a number of
// places.
func (m *Machine) mayStream(p *peer) bool {
	if m.now.Before(p.resume) {
		return false
	}
	if !p.slot {
		if m.slots >= m.cfg.Limits.Streams {
			return false
		}
		p.slot, m.slots = true, m.slots+1
	}
	p.since = m.now
	return true
}

// charge counts bytes that a peer is sent: it may be a second ahead.
func (m *Machine) charge(p *peer, group []lnwire.Message) {
	size := 0
	for _, msg := range group {
		switch msg := msg.(type) {
		case *lnwire.Unknown:
			size += len(msg.Payload) + 2
		case *lnwire.ReplyChannelRange:
			size += 50 + 8*(len(msg.SCIDs)+len(msg.Timestamps)+len(msg.Checksums))
		default:
			size += 50
		}
	}
	if p.sent.Before(m.now) {
		p.sent = m.now
	}
	p.sent = p.sent.Add(time.Duration(size) * time.Second / time.Duration(m.cfg.Limits.SendRate))
	p.resume = p.sent.Add(-time.Second)
}

// stream sends the next piece of a peer's first stream, or has it read.
func (m *Machine) stream(p *peer) {
	s := p.streams[0]
	group, keys := m.advance(s)
	switch {
	case len(keys) > 0:
		s.readID, s.keys = m.id(), keys
		m.reads[s.readID] = p
		p.reading = s
		m.fx.Read = append(m.fx.Read, Read{s.readID, keys})
	case len(group) > 0:
		m.charge(p, group)
		m.sendGossip(p, group)
		m.finish(p, s)
	default:
		m.finish(p, s)
		if len(p.streams) > 0 {
			m.stream(p)
		}
	}
}

func (m *Machine) finish(p *peer, s *stream) {
	if !s.done {
		return
	}
	p.streams = slices.DeleteFunc(p.streams, func(t *stream) bool { return t == s })
	m.freeSlot(p)
}

// values goes on with a stream when its rows are read.
func (m *Machine) values(ev Values) {
	p := m.reads[ev.ID]
	if p == nil {
		return
	}
	delete(m.reads, ev.ID)
	s := p.reading
	p.reading = nil
	var group []lnwire.Message
	for i, v := range ev.Values {
		if i >= len(s.keys) || len(v) == 0 {
			continue
		}
		if raw, err := rawOf(s.keys[i].Kind, v); err == nil && len(raw) > 2 {
			group = append(group, verbatim(raw))
		}
	}
	if !slices.Contains(p.streams, s) {
		return // it was replaced meanwhile
	}
	if len(group) > 0 {
		m.charge(p, group)
		m.sendGossip(p, group)
	}
	m.finish(p, s)
}
