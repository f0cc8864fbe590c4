package gossip

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// script makes events out of bytes: whatever the bytes are, it is something that peers,
// the chain, the clock and we ourselves could do.
type script struct {
	b    *box
	data []byte
	height
}

type height = lnwire.Height

// n is the next number below limit; 0 when nothing is left.
func (s *script) n(limit int) int {
	if len(s.data) == 0 {
		return 0
	}
	v := int(s.data[0])
	s.data = s.data[1:]
	return v % limit
}

func (s *script) scid() lnwire.ShortChannelID {
	n := s.n(24)
	if n >= 20 { // one of ours
		return lnwire.NewShortChannelID(980, uint32(1+n%2), 0)
	}
	return lnwire.NewShortChannelID(height(990+n), uint32(s.n(4)), 0)
}

func (s *script) ids() (ids []lnwire.ShortChannelID) {
	for range s.n(6) {
		ids = append(ids, s.scid())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// age is how far from testNow a timestamp is, which is near the present moment.
func (s *script) age() time.Duration {
	return s.b.now.Sub(testNow) + []time.Duration{0, time.Second, -time.Hour, time.Hour, 25 * time.Hour, -20 * 24 * time.Hour}[s.n(6)]
}

// run plays the script and holds the machine to its word after each event.
func (s *script) run(t testing.TB) {
	for n := range 5 {
		s.b.open(n + 1)
	}
	for len(s.data) > 0 {
		s.event()
		sound(t, s.b.m)
	}
	s.b.goOn()
	for n := range 5 {
		s.b.step(Closed{key(n + 1)})
	}
	sound(t, s.b.m)
	if c := s.b.m.Counts(); c.InboxBytes+c.RoomBytes+c.InFlight+c.Streams != 0 || len(s.b.m.held) != 0 {
		t.Fatalf("something is held for nobody: %+v, %d digests", c, len(s.b.m.held))
	}
}

func (s *script) event() {
	b, peer := s.b, 1+s.n(5)
	for n := range 5 { // who was dropped comes back
		if id := key(n + 1); b.dropped[id] != "" {
			delete(b.dropped, id)
			b.step(Closed{id})
			b.openEx(n + 1)
		}
	}
	switch s.n(16) {
	case 0:
		b.open(peer)
	case 1:
		b.openEx(peer)
	case 2:
		b.step(Closed{key(peer)})
	case 3, 4:
		b.got(peer, s.announcement())
	case 5, 6:
		b.got(peer, s.update())
	case 7:
		n := 9 + s.n(9)
		b.got(peer, nodeAnn(n, s.age(), func(a *lnwire.NodeAnnouncement) { a.Extra = make([]byte, []int{0, 3, 5000}[s.n(3)]) }))
	case 8:
		b.got(peer, s.query())
	case 9:
		b.got(peer, s.reply())
	case 10:
		b.got(peer, &lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain, Full: s.n(2) == 0})
	case 11:
		b.got(peer, &lnwire.GossipTimestampFilter{
			ChainHash: testChain, FirstTimestamp: []uint32{0, uint32(testNow.Unix()), math.MaxUint32}[s.n(3)], TimestampRange: []uint32{0, 3600, math.MaxUint32}[s.n(3)],
		})
	case 12:
		if b.choked[key(peer)] = s.n(2) == 0; !b.choked[key(peer)] {
			b.step(Drained{key(peer)})
		}
	case 13:
		b.later([]time.Duration{time.Second, 10 * time.Second, time.Minute, 20 * time.Minute, time.Hour, 0, 0, 15 * 24 * time.Hour}[s.n(8)])
	case 14:
		s.chain()
	case 15:
		s.ours()
	}
}

func (s *script) announcement() *lnwire.ChannelAnnouncement {
	id, n1, n2 := s.scid(), 9+s.n(9), 9+s.n(9)
	switch s.n(40) {
	case 0, 1, 2: // not in the chain
		return announcement(id, n1, n2)
	case 3: // forged
		a := s.b.announcement(id, n1, n2)
		a.NodeSig1[5]++
		return a
	}
	if _, there := s.b.txos[id]; there {
		return announcement(id, n1, n2)
	}
	return s.b.announcement(id, n1, n2)
}

func (s *script) update() *lnwire.ChannelUpdate {
	id, side := s.scid(), s.n(2)
	signer := []int{1, 2, 1000, 9, 10, 11, 12, 13, 14, 15, 16, 17}[s.n(12)]
	if c := s.b.m.channels[id]; c != nil && s.n(40) > 0 {
		signer = int(binary.BigEndian.Uint64(c.nodes[side].id[1:]))
	}
	return update(id, side, signer, s.age(), func(u *lnwire.ChannelUpdate) {
		u.MessageFlags |= uint8(s.n(2) * 2)
		u.ChannelFlags |= uint8(s.n(2) * 2)
		u.FeeBase = uint32(s.n(3))
	})
}

func (s *script) query() lnwire.Message {
	if s.n(2) == 0 {
		q := &lnwire.QueryChannelRange{ChainHash: testChain, FirstBlock: height(s.n(256) * 5), NumBlocks: []uint32{0, 1, 10, 2000, math.MaxUint32}[s.n(5)]}
		if o := uint64(s.n(5)); o < 4 {
			q.Option = &o
		}
		return q
	}
	q := &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: s.ids()}
	if s.n(2) == 0 {
		q.Flags = make([]uint64, len(q.SCIDs))
		for i := range q.Flags {
			q.Flags[i] = uint64(s.n(64))
		}
	}
	return q
}

func (s *script) reply() *lnwire.ReplyChannelRange {
	r := &lnwire.ReplyChannelRange{ChainHash: testChain, FirstBlock: []height{0, 990, 1000}[s.n(3)], NumBlocks: []uint32{1, 500, 1001, 5000}[s.n(4)], Complete: s.n(2) == 0, SCIDs: s.ids()}
	if s.n(2) == 0 {
		for range r.SCIDs {
			r.Timestamps = append(r.Timestamps, lnwire.ChannelTimestamps{Node1: uint32(testNow.Add(s.age()).Unix()), Node2: uint32(s.n(3))})
			r.Checksums = append(r.Checksums, lnwire.ChannelChecksums{Node1: uint32(s.n(3))})
		}
	}
	return r
}

// chain lets blocks come and go, and answers wait.
func (s *script) chain() {
	b := s.b
	switch s.n(5) {
	case 0:
		b.stopped = true
	case 1:
		b.goOn()
	case 2:
		s.height -= min(s.height-900, height(s.n(5)))
		b.step(Unblock{lnwire.BlockRef{Height: s.height}})
	case 3:
		s.height++
		var spent []wire.OutPoint
		if c := b.m.channels[s.scid()]; c != nil && c.proved() {
			spent = append(spent, c.op)
		}
		b.step(Block{Block: lnwire.BlockRef{Height: s.height}, Spent: spent})
	case 4:
		for range s.n(80) {
			s.height++
			b.step(Block{Block: lnwire.BlockRef{Height: s.height}})
		}
	}
}

// ours is a channel of ours that comes up, goes down, is announced and ends.
func (s *script) ours() {
	num := 1 + s.n(2)
	l := OwnLink{
		ChanNum: uint64(num), Peer: key(num), SCID: lnwire.NewShortChannelID(980, uint32(num), 0), Alias: lnwire.ShortChannelID(100 + num),
		Funding: wire.OutPoint{Index: uint32(77 + num)}, Capacity: 1_000_000, Up: s.n(2) == 0, Ended: s.n(8) == 7,
		Policy: OwnPolicy{FeeBase: uint32(s.n(3)), CLTVDelta: 40},
	}
	s.b.step(OwnNode{Alias: lnwire.Alias{'x'}})
	s.b.step(l)
	if s.n(2) == 0 {
		a := announcement(l.SCID, 1000, num)
		s.b.step(OwnChannel{a})
	}
}

// sound holds a machine to what it promises about what it keeps.
func sound(t testing.TB, m *Machine) {
	l := &m.cfg.Limits
	must := func(ok bool, what string, args ...any) {
		if !ok {
			t.Helper()
			t.Fatalf(what, args...)
		}
	}
	digests, inboxes, slots, most := len(m.jobs), 0, 0, 0
	for _, p := range append(slices.Clone(m.line), m.stray) {
		held := 0
		for i := range p.inbox {
			held += p.inbox[i].size()
		}
		digests += len(p.inbox)
		inboxes += held
		must(held == p.inboxBytes, "an inbox of %d bytes is counted as %d", held, p.inboxBytes)
		if p.slot {
			slots++
		}
		kinds := map[streamKind]int{}
		for _, s := range p.streams {
			kinds[s.kind]++
			must(kinds[s.kind] == 1 && len(s.flags) <= len(s.ids)+len(s.flags) && len(s.nodes) <= 2*rangeBytes/8, "streams of a kind: %d", kinds[s.kind])
		}
		most = max(most, len(p.streams))
	}
	waiting, places := 0, 0
	for _, list := range m.room.by {
		for _, g := range list {
			waiting, places = waiting+g.size(), places+1
		}
	}
	digests += places
	must(waiting == m.room.bytes && waiting <= l.WaitingRoom, "%d bytes wait, %d are counted", waiting, m.room.bytes)
	must(digests == len(m.held), "%d messages are held, %d digests", digests, len(m.held))
	must(inboxes <= max(l.Inboxes, len(m.line)*inboxFloor)+l.Inbox+l.WaitingRoom, "%d bytes in inboxes", inboxes)
	must(len(m.jobs) <= l.InFlight, "%d jobs", len(m.jobs))
	must(slots == m.slots && slots <= l.Streams, "%d places taken, %d counted", slots, m.slots)
	must(m.log.bytes <= l.RelayLog, "%d bytes to pass on", m.log.bytes)
	kept := 0
	for _, c := range m.log.kept {
		if c.unheard != nil {
			kept += len(c.unheard.raw)
		}
	}
	must(kept == m.log.keptBytes && kept <= l.RelayLog/4, "%d bytes unheard, %d counted", kept, m.log.keptBytes)
	if s := m.sync; s != nil {
		must(len(s.missing) == len(s.flags) && len(s.missing) <= l.QueryIDs && m.peers[s.peer.id] == s.peer, "what is missing: %d, %d", len(s.missing), len(s.flags))
	}
	must(slices.IsSorted(m.order) && len(m.order) == len(m.channels), "the order of channels")
	must(slices.IsSortedFunc(m.nodeOrder, func(a, b *node) int { return bytes.Compare(a.id[:], b.id[:]) }) && len(m.nodeOrder) == len(m.nodes), "the order of nodes")
	ends := 0
	for _, n := range m.nodeOrder {
		must(len(n.channels) > 0, "a node without channels")
		ends += len(n.channels)
	}
	must(ends == 2*len(m.channels), "%d ends of %d channels", ends, len(m.channels))
	for _, c := range m.channels {
		must(!c.proved() || m.outpoints[c.op] == c.id, "an outpoint is not known")
	}
}

// tight makes every limit so small that scripts run into it.
func tight(c *Config) {
	c.Limits = Limits{
		Inbox: 8000, Inboxes: 16_000, InFlight: 4, WaitingRoom: 16_000, RelayLog: 6000, QueryIDs: 12, Dead: 5, SendRate: 4000, Streams: 2, Queries: 20, Burst: 2,
	}
}

// FuzzSequence: no sequence of what may happen breaks what the machine promises.
func FuzzSequence(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03\x01\x01\x02\x03\x04\x05\x06\x07"))
	f.Add(bytes.Repeat([]byte{0, 0, 1, 3, 5, 7, 2, 9, 4, 8, 6, 14, 11, 13, 15, 10, 12}, 12))
	f.Add(story(1))
	f.Add(story(2))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		(&script{b: woken(t, tight), data: data, height: 1000}).run(t)
	})
}

// TestSequences: B7.room.1: what is held stays within the stated bytes in
// random stories, too, with limits that they run into.
func TestSequences(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := story(rapid.Uint64().Draw(rt, "seed"))
		(&script{b: woken(t, tight), data: data, height: 1000}).run(t)
	})
}

// story is as good as any other.
func story(seed uint64) []byte {
	data := make([]byte, 3000)
	rnd := rand.New(rand.NewPCG(1, seed))
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	return data
}
