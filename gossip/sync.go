package gossip

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// sync is what we ask of one peer: what it has, and then for what we lack. There is
// one at a time.
type sync struct {
	peer    *peer
	asked   lnwire.QueryChannelRange
	end     uint64 // of the range, exclusive
	first   uint64 // of the last reply
	begun   bool
	last    lnwire.ShortChannelID // of all replies
	replies int
	brought int                     // ids in them
	missing []lnwire.ShortChannelID // of which we lack something
	flags   []uint8                 // what of each
	batch   bool                    // a query of ids is out
	ranging bool
	until   time.Time // without an answer it is given up
	limit   time.Time // and so it is at the latest, though answers come
}

const (
	syncWait = 2 * time.Minute
	// rangeWait is how long all replies to one query may take, and idsWait all that is
	// asked for then: a peer that says little now and then keeps others from being asked.
	rangeWait = 10 * time.Minute
	idsWait   = time.Hour
	// syncEvery is how often one peer is asked again for what we missed.
	syncEvery = time.Hour
	// batchIDs is how many channels are asked for at once: the answer fits into what a
	// quarter full inbox has left.
	batchIDs = 250
	// maxReplies to one query: a chain of empty ones must end, too.
	maxReplies = 5000
	// overlap is how far back the live relay begins.
	overlap = 10 * time.Minute
)

// welcome tells a new peer whether to relay to us. Before the first block nothing
// that comes could be proved.
//
// B7.filter.5: a peer that is not to relay to us, and one that is not worth asking,
// gets a filter that lets nothing through.
func (m *Machine) welcome(p *peer) {
	if p.welcomed || !m.awake {
		return
	}
	p.welcomed = true
	m.activate()
	if p.chain && !p.active {
		m.sendFilter(p, math.MaxUint32, 0)
	}
}

// activate chooses peers that relay to us until there are enough.
//
// B7.sync.1: a few peers relay and are asked, the others stay in reserve.
func (m *Machine) activate() {
	active := 0
	for _, p := range m.line {
		if p.active {
			active++
		}
	}
	for _, p := range m.line {
		if active >= m.cfg.Active {
			return
		}
		if p.active || p.dropped || !p.welcomed || !p.queries || !p.chain || p.mute || m.bad.contains(p.id) {
			continue
		}
		since := m.ago(overlap)
		if active == 0 && len(m.channels) > 0 {
			// What was told while we were away.
			since = min(since, max(m.ago(stale), m.newest-min(m.newest, uint32(syncEvery/time.Second))))
		}
		p.active = true
		m.sendFilter(p, since, math.MaxUint32)
		active++
	}
}

func (m *Machine) sendFilter(p *peer, first, length uint32) {
	m.send(p, &lnwire.GossipTimestampFilter{ChainHash: m.cfg.Chain, FirstTimestamp: first, TimestampRange: length})
}

// goOn takes the next step of synchronising, when there is one.
func (m *Machine) goOn() {
	if !m.awake {
		return
	}
	if s := m.sync; s != nil && !s.ranging && !s.batch && m.digested(s) {
		m.askIDs(s)
	}
	if m.sync != nil {
		return
	}
	for _, p := range m.line {
		if p.active && !p.synced && !p.dropped {
			m.askRange(p)
			return
		}
	}
}

// digested: there is room for another answer. The last look at what is missing waits
// until all is judged, since nothing else is asked then.
func (m *Machine) digested(s *sync) bool {
	if len(s.missing) == 0 {
		return s.peer.judging == 0 && len(s.peer.inbox) == 0
	}
	return s.peer.inboxBytes <= m.cfg.Limits.Inbox/4
}

// askRange asks a peer for all ids that it has, and how old and of what content the
// updates are. Who does not know these options answers with ids alone.
//
// B7.sync.9: timestamps and checksums are asked for, and with them only what is newer
// or other than what we have; query flags go to who offers gossip_queries_ex.
// B7.sync.2: the next query to a peer waits for the whole answer to the last one.
func (m *Machine) askRange(p *peer) {
	p.synced = true
	m.askedTo = m.tip.Height
	q := lnwire.QueryChannelRange{ChainHash: m.cfg.Chain, NumBlocks: uint32(m.tip.Height) + 1}
	if !m.cfg.Plain {
		option := uint64(optionTimes | optionSums)
		q.Option = &option
	}
	m.sync = &sync{peer: p, asked: q, end: uint64(q.NumBlocks), ranging: true, until: m.now.Add(syncWait), limit: m.now.Add(rangeWait)}
	m.send(p, &q)
}

// gotReplyRange takes a piece of the answer.
func (m *Machine) gotReplyRange(p *peer, r *lnwire.ReplyChannelRange) {
	s := m.sync
	if s == nil || s.peer != p || !s.ranging {
		return // too late, or never asked for
	}
	if err := s.take(r, m.cfg.Limits.QueryIDs); err != nil {
		m.badAnswer(p, fmt.Sprintf("gossip: reply_channel_range: %v", err))
		return
	}
	for i := range r.SCIDs {
		if flags := m.gaps(p, r, i); flags != 0 {
			s.missing, s.flags = append(s.missing, r.SCIDs[i]), append(s.flags, flags)
		}
	}
	s.until = m.now.Add(syncWait)
	if r.Complete && s.first+uint64(r.NumBlocks) >= s.end {
		s.ranging, s.limit = false, m.now.Add(idsWait)
	}
}

// badAnswer: B7.sync.6: who answers against the rules is warned and dropped, with all
// that was kept of the answer, and not asked again.
func (m *Machine) badAnswer(p *peer, why string) {
	m.bad.add(p.id)
	m.drop(p, why)
	m.activate()
}

// take checks a reply against the query and the replies before it (V-50).
//
// B7.sync.3: replies are for the chain and within the range that was asked for.
// B7.sync.4: they do not go backwards, nor do the ids in them.
// B7.sync.5: they are so many at most, and so are the ids.
func (s *sync) take(r *lnwire.ReplyChannelRange, limit int) error {
	first, end := uint64(r.FirstBlock), uint64(r.FirstBlock)+uint64(r.NumBlocks)
	if s.replies++; s.replies > maxReplies {
		return fmt.Errorf("more than %d replies", maxReplies)
	}
	if s.brought += len(r.SCIDs); s.brought > limit {
		return fmt.Errorf("more than %d ids", limit)
	}
	switch {
	case r.ChainHash != s.asked.ChainHash:
		return fmt.Errorf("chain_hash is not that of the query")
	case !s.begun && (first > uint64(s.asked.FirstBlock) || end <= uint64(s.asked.FirstBlock)):
		return fmt.Errorf("the first reply does not begin with the range")
	case s.begun && first < s.first:
		return fmt.Errorf("first_blocknum goes backwards")
	case first >= s.end:
		return fmt.Errorf("first_blocknum is beyond the range")
	}
	for _, id := range r.SCIDs {
		if s.last != 0 && id <= s.last {
			return fmt.Errorf("id %s does not follow %s", id, s.last)
		}
		if b := uint64(id.Block()); b < first || b >= end {
			return fmt.Errorf("id %s is outside of its range", id)
		}
		s.last = id
	}
	s.begun, s.first = true, first
	return nil
}

// askIDs asks for the next channels of which we lack something, or ends.
func (m *Machine) askIDs(s *sync) {
	q := &lnwire.QueryShortChannelIDs{ChainHash: m.cfg.Chain}
	for len(s.missing) > 0 && len(q.SCIDs) < batchIDs {
		id, flags := s.missing[0], s.flags[0]
		s.missing, s.flags = s.missing[1:], s.flags[1:]
		if flags&wantChannel != 0 && !m.lacks(id) {
			continue // it came meanwhile
		}
		q.SCIDs = append(q.SCIDs, id)
		if s.peer.flags {
			q.Flags = append(q.Flags, uint64(flags))
		}
	}
	if len(q.SCIDs) == 0 {
		m.sync, m.fx.Synced = nil, true
		return
	}
	s.batch, s.until = true, m.now.Add(syncWait)
	m.send(s.peer, q)
}

// gotReplyEnd: everything that was asked for is here; the next batch is asked for
// when it has been judged.
func (m *Machine) gotReplyEnd(p *peer, r *lnwire.ReplyShortChannelIDsEnd) {
	if s := m.sync; s != nil && s.peer == p && r.ChainHash == m.cfg.Chain {
		s.batch, s.until = false, m.now.Add(syncWait)
	}
}

// watchSync gives up on a peer that does not answer, and asks another one now and
// then.
//
// B7.sync.8: who does not answer is not waited for for ever, nor asked again on the
// same connection. B7.sync.10: nor is who answers so slowly that it never ends.
func (m *Machine) watchSync() {
	if s := m.sync; s != nil && (!m.now.Before(s.until) || !m.now.Before(s.limit)) {
		ours := !s.batch && !s.ranging || s.peer.judging > 0 || len(s.peer.inbox) > 0
		if ours && m.now.Before(s.limit) {
			s.until = m.now.Add(syncWait)
		} else {
			s.peer.active, s.peer.mute = false, true
			m.sendFilter(s.peer, math.MaxUint32, 0)
			m.sync = nil
			m.activate()
		}
	}
	// Blocks came faster than time passed: the last answers ended too early.
	behind := m.tip.Height > m.askedTo+soonBlocks
	if m.sync != nil || m.now.Before(m.nextSync) && !behind {
		return
	}
	m.nextSync = m.now.Add(syncEvery)
	m.rotate()
}

// rotate asks the next of the peers again, and lets it be the first for the time
// after this one.
func (m *Machine) rotate() {
	at := slices.IndexFunc(m.line, func(p *peer) bool { return p.active && p.synced })
	if at < 0 {
		return
	}
	p := m.line[at]
	p.synced = false
	m.line = append(slices.Delete(m.line, at, at+1), p)
}
