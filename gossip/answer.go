package gossip

import (
	"math"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// rangeBytes is the most that a reply_channel_range holds in ids, timestamps and
// checksums, so that it fits a message.
const rangeBytes = 64_000

// Bits of query_option_flags.
const (
	optionTimes = 1 << iota
	optionSums
)

// asked charges a peer for a query; it is dropped when it asks without end (V-62).
//
// B7.limit.3: the queries of a peer are counted.
func (m *Machine) asked(p *peer) bool {
	q := m.cfg.Limits.Queries
	if p.asks.take(m.now, q, time.Minute/time.Duration(q)) {
		return true
	}
	m.drop(p, "gossip: too many queries")
	return false
}

// gotQueryIDs begins the answer to query_short_channel_ids.
//
// B7.query.5: of another chain we know nothing, and say so.
func (m *Machine) gotQueryIDs(p *peer, q *lnwire.QueryShortChannelIDs) {
	if !m.asked(p) {
		return
	}
	if q.ChainHash != m.cfg.Chain {
		m.send(p, &lnwire.ReplyShortChannelIDsEnd{ChainHash: q.ChainHash})
		return
	}
	m.addStream(p, &stream{kind: idsAnswer, ids: q.SCIDs, flags: q.Flags, told: map[lnwire.PubKey]struct{}{}})
}

// gotQueryRange begins the answer to query_channel_range.
func (m *Machine) gotQueryRange(p *peer, q *lnwire.QueryChannelRange) {
	if !m.asked(p) {
		return
	}
	if q.ChainHash != m.cfg.Chain {
		m.send(p, &lnwire.ReplyChannelRange{
			ChainHash: q.ChainHash, FirstBlock: q.FirstBlock, NumBlocks: q.NumBlocks, Complete: true,
		})
		return
	}
	m.addStream(p, &stream{kind: rangeAnswer, query: q, next: q.FirstBlock})
}

// gotFilter notes what a peer wants to be told, and begins with what there is.
//
// B7.filter.1: a filter replaces the last one. B7.filter.2: one of another chain
// gets nothing.
func (m *Machine) gotFilter(p *peer, f *lnwire.GossipTimestampFilter) {
	if f.ChainHash != m.cfg.Chain || !m.asked(p) {
		return
	}
	first := uint64(f.FirstTimestamp)
	if p.filter == nil {
		p.pos, p.flush = m.log.end(), m.log.end() // what was said before comes with the backlog
	}
	p.filter = &filter{first, first + uint64(f.TimestampRange)}
	m.addStream(p, &stream{kind: backlog, filter: *p.filter})
}

// advance gives the next piece of a stream: messages, or rows to read. Neither means
// that it is done.
func (m *Machine) advance(s *stream) ([]lnwire.Message, []Key) {
	switch s.kind {
	case rangeAnswer:
		return m.nextRange(s), nil
	case idsAnswer:
		return m.nextIDs(s)
	case backlog:
		return nil, m.nextBacklog(s)
	}
	s.done = true
	return nil, nil
}

// nextRange is the next reply_channel_range.
//
// B7.query.6: the replies cover the range that was asked for without a gap, in
// rising order, and the last one alone says that it is the last.
// B7.query.7: a reply has as many blocks as have their ids in it.
// B7.query.8: the timestamps of both updates are told to who asks for them.
// B7.query.10: and so are their checksums.
func (m *Machine) nextRange(s *stream) []lnwire.Message {
	q := s.query
	end := uint64(q.FirstBlock) + uint64(q.NumBlocks) // exclusive
	times, sums := m.extras(q)
	width := 8
	if times {
		width += 8
	}
	if sums {
		width += 8
	}
	limit := rangeBytes / width
	at := len(m.order)
	if s.begun {
		at, _ = slices.BinarySearch(m.order, s.cursor+1)
	} else if q.FirstBlock < 1<<24 {
		at, _ = slices.BinarySearch(m.order, lnwire.NewShortChannelID(q.FirstBlock, 0, 0))
	}
	s.begun = true
	r := &lnwire.ReplyChannelRange{ChainHash: q.ChainHash, FirstBlock: s.next}
	for ; at < len(m.order) && len(r.SCIDs) < limit; at++ {
		id := m.order[at]
		if uint64(id.Block()) >= end {
			break
		}
		s.cursor = id
		if c := m.channels[id]; m.tellable(c) {
			r.SCIDs = append(r.SCIDs, id)
			if times {
				r.Timestamps = append(r.Timestamps, c.toldTimes())
			}
			if sums {
				r.Checksums = append(r.Checksums, c.toldSums())
			}
		}
	}
	more := at < len(m.order) && uint64(m.order[at].Block()) < end
	if more {
		// The next one may begin within the last block of this one.
		s.next = s.cursor.Block()
		r.NumBlocks = uint32(s.next-r.FirstBlock) + 1
		return []lnwire.Message{r}
	}
	s.done = true
	r.Complete = true
	r.NumBlocks = uint32(min(end-uint64(r.FirstBlock), math.MaxUint32))
	return []lnwire.Message{r}
}

// extras are the arrays that a query asks for beside the ids.
func (m *Machine) extras(q *lnwire.QueryChannelRange) (times, sums bool) {
	if q.Option == nil || m.cfg.Plain {
		return false, false
	}
	return *q.Option&optionTimes != 0, *q.Option&optionSums != 0
}

// toldTimes and toldSums are those of the updates that others may be told.
func (c *channel) toldTimes() (t lnwire.ChannelTimestamps) {
	if c.told(0) {
		t.Node1 = c.sides[0].policy.Updated
	}
	if c.told(1) {
		t.Node2 = c.sides[1].policy.Updated
	}
	return t
}

func (c *channel) toldSums() (s lnwire.ChannelChecksums) {
	if c.told(0) {
		s.Node1 = c.sides[0].sum
	}
	if c.told(1) {
		s.Node2 = c.sides[1].sum
	}
	return s
}

func (c *channel) timestamps() (t lnwire.ChannelTimestamps) {
	if p := c.sides[0].policy; p != nil {
		t.Node1 = p.Updated
	}
	if p := c.sides[1].policy; p != nil {
		t.Node2 = p.Updated
	}
	return t
}

// tellable: B7.relay.9: a channel without an update, and one that is spent, is not
// told to others.
func (m *Machine) tellable(c *channel) bool {
	if c == nil || c.spentAt != 0 {
		return false
	}
	return c.told(0) || c.told(1)
}

// told: the side has an update that may be told.
func (c *channel) told(i int) bool { return c.sides[i].policy != nil && !c.sides[i].quiet }

// Bits of a query flag.
const (
	wantChannel = 1 << iota
	wantUpdate1
	wantUpdate2
	wantNode1
	wantNode2
	wantAll = 1<<iota - 1
)

// nextIDs is the next piece of the answer to a query of ids.
//
// B7.query.1: every channel that is known comes with its updates, and then the nodes
// behind them, each once.
// B7.query.2: with flags only what they ask for.
// B7.query.3: the end is told, and that we know the chain.
func (m *Machine) nextIDs(s *stream) ([]lnwire.Message, []Key) {
	var keys []Key
	for len(s.ids) > 0 && len(keys) < readKeys {
		id, flag := s.ids[0], uint64(wantAll)
		s.ids = s.ids[1:]
		if s.flags != nil {
			flag, s.flags = s.flags[0], s.flags[1:]
		}
		if c := m.channels[id]; c != nil && c.spentAt == 0 {
			keys = append(keys, s.channelKeys(c, flag)...)
		}
	}
	for len(s.ids) == 0 && len(s.nodes) > 0 && len(keys) < readKeys {
		if n := m.nodes[s.nodes[0]]; n != nil {
			keys = append(keys, nodeKey(n.id))
		}
		s.nodes = s.nodes[1:]
	}
	if len(keys) > 0 {
		return nil, keys
	}
	s.done = true
	return []lnwire.Message{&lnwire.ReplyShortChannelIDsEnd{ChainHash: m.cfg.Chain, Full: m.tip.Height > 0}}, nil
}

func (s *stream) channelKeys(c *channel, flag uint64) (keys []Key) {
	if flag&wantChannel != 0 {
		keys = append(keys, channelKey(c.id))
	}
	for i, n := range c.nodes {
		if flag&(wantUpdate1<<i) != 0 && c.told(i) {
			keys = append(keys, updateKey(c.id, i))
		}
		if _, told := s.told[n.id]; !told && flag&(wantNode1<<i) != 0 && n.view.Announced && !n.quiet {
			s.told[n.id] = struct{}{}
			s.nodes = append(s.nodes, n.id)
		}
	}
	return keys
}

// nextBacklog is the next piece of what there is within a filter.
//
// B7.filter.3: a channel counts as old as an update of it, comes only with one, and
// before its updates and the nodes.
// B7.filter.4: updates and nodes come when their timestamps are within the filter.
func (m *Machine) nextBacklog(s *stream) (keys []Key) {
	if !s.inNodes {
		at, _ := slices.BinarySearch(m.order, s.cursor+1)
		for ; at < len(m.order) && len(keys) < readKeys; at++ {
			s.cursor = m.order[at]
			keys = append(keys, s.backlogKeys(m.channels[s.cursor])...)
		}
		s.inNodes = at == len(m.order)
	}
	if !s.inNodes || len(keys) >= readKeys {
		return keys
	}
	at, found := slices.BinarySearchFunc(m.nodeOrder, s.node, compareNode)
	if found {
		at++
	}
	for ; at < len(m.nodeOrder) && len(keys) < readKeys; at++ {
		n := m.nodeOrder[at]
		s.node = n.id
		if n.view.Announced && !n.quiet && s.filter.covers(n.view.Updated) {
			keys = append(keys, nodeKey(n.id))
		}
	}
	s.done = at == len(m.nodeOrder)
	return keys
}

func (s *stream) backlogKeys(c *channel) (keys []Key) {
	if c.spentAt != 0 {
		return nil
	}
	for i := range c.sides {
		if c.told(i) && s.filter.covers(c.sides[i].policy.Updated) {
			keys = append(keys, updateKey(c.id, i))
		}
	}
	if len(keys) > 0 {
		keys = append([]Key{channelKey(c.id)}, keys...)
	}
	return keys
}
