package gossip

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// heap is what is in use now.
func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestV45TimestampFilterStorm: B7.limit.2, B7.limit.5: a thousand filters make one
// stream for each peer, a few at a time of all, and cost no memory; who does not read
// gives his place to others.
func TestV45TimestampFilterStorm(t *testing.T) {
	b := mapped(t, 2000)
	b.m.cfg.Limits.Queries = 10_000 // so that the storm is not ended by another limit
	before := heap()
	const stormers = 40
	for n := range stormers {
		b.choked[key(100+n)] = true
		b.open(100 + n)
	}
	for i := range 1000 {
		b.got(100+i%stormers, &lnwire.GossipTimestampFilter{ChainHash: testChain, FirstTimestamp: uint32(i), TimestampRange: math.MaxUint32})
	}
	require.Equal(t, b.m.cfg.Limits.Streams, b.m.Counts().Streams)
	for _, p := range b.m.line {
		require.LessOrEqual(t, len(p.streams), 1)
	}
	require.Less(t, heap()-before, int64(10<<20))

	b.open(50)
	b.got(50, filterAll)
	require.Empty(t, heard[*lnwire.ChannelAnnouncement](b, 50), "no place is free")
	for range stormers/b.m.cfg.Limits.Streams + 1 {
		b.later(slotWait)
	}
	require.NotEmpty(t, heard[*lnwire.ChannelAnnouncement](b, 50))
	for n := range stormers {
		b.step(Closed{key(100 + n)})
	}
	for b.m.Counts().Streams > 0 {
		b.later(time.Second)
	}
	require.Len(t, heard[*lnwire.ChannelAnnouncement](b, 50), 2000)
}

// TestV46PrematureUpdates: B7.room.1: updates of channels that nobody announces stay
// within their bytes, and push out nobody else's.
func TestV46PrematureUpdates(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.open(2)
	mine := update(scid(0), 0, 10, 0)
	b.got(1, mine)
	before := heap()
	for i := range 60_000 {
		b.got(2, update(lnwire.ShortChannelID(1<<50+i), 0, 10, 0))
	}
	require.LessOrEqual(t, b.m.Counts().RoomBytes, b.m.cfg.Limits.WaitingRoom)
	require.Less(t, heap()-before, int64(b.m.cfg.Limits.WaitingRoom)*2)
	b.got(1, b.announcement(scid(0), 10, 11))
	c, _ := b.m.Channel(scid(0))
	require.NotNil(t, c.Policies[0])
	b.step(Closed{key(2)})
	require.Zero(t, b.m.Counts().RoomBytes)
}

// TestV47ForgedUpdates: B7.upd.3, B7.limit.1: forged updates, and too many true ones,
// cost their sender and nobody else; past the limit not even a signature is looked at.
func TestV47ForgedUpdates(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	for range 5 * b.m.cfg.Limits.Burst {
		b.open(2)
		forged := update(scid(1), 0, 99, time.Minute)
		b.got(2, forged)
		require.Contains(t, b.dropped[key(2)], "signature is wrong")
		b.step(Closed{key(2)})
	}
	at := func() uint32 { c, _ := b.m.Channel(scid(1)); return c.Policies[0].Updated }
	b.got(1, update(scid(1), 0, 10, time.Minute))
	require.Equal(t, uint32(testNow.Add(time.Minute).Unix()), at(), "the true one is taken")

	for i := range 1000 { // the node itself floods
		b.got(1, update(scid(1), 0, 10, 2*time.Minute+time.Duration(i)*time.Second))
	}
	require.LessOrEqual(t, b.verified, 50+4+2+1+b.m.cfg.Limits.Burst+50)
	require.NotZero(t, b.m.Counts().Limited)
	b.got(1, update(scid(1), 1, 11, time.Minute))
	c, _ := b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Add(time.Minute).Unix()), c.Policies[1].Updated, "the other end is not charged")
	b.later(time.Hour)
	b.got(1, update(scid(1), 0, 10, time.Hour))
	require.Equal(t, uint32(testNow.Add(time.Hour).Unix()), at())

	// Announcements without a funding are charged to who sends them.
	b.open(2)
	b.m.sync = nil
	for i := range banFaults {
		require.Empty(t, b.dropped[key(1)])
		b.got(2, announcement(scid(100+i), 20, 21))
	}
	require.Contains(t, b.dropped[key(2)], "the chain does not know")
	require.True(t, b.m.bad.contains(key(2)), "B7.limit.4")
}

// TestV48OddTimestamps: no timestamp is a sign for anything else.
func TestV48OddTimestamps(t *testing.T) {
	for _, at := range []uint32{0, 1, math.MaxUint32 - 1, math.MaxUint32} {
		b := woken(t)
		b.open(1)
		b.channelBetween(scid(1), 10, 11)
		b.got(1, b.announcement(scid(2), 10, 11))
		stamp := func(u *lnwire.ChannelUpdate) { u.Timestamp = at }
		for range 2 {
			b.got(1, update(scid(1), 0, 10, 0, stamp))
			b.got(1, update(scid(2), 1, 11, 0, stamp))
			b.got(1, update(scid(3), 1, 11, 0, stamp))
			b.got(1, nodeAnn(10, 0, func(a *lnwire.NodeAnnouncement) { a.Timestamp = at }))
		}
		old, _ := b.m.Channel(scid(1))
		require.Equal(t, uint32(testNow.Add(-time.Hour).Unix()), old.Policies[0].Updated)
		c, _ := b.m.Channel(scid(2))
		require.Nil(t, c.Policies[1], "older than two weeks, or far ahead")
		for _, f := range []*lnwire.GossipTimestampFilter{
			{ChainHash: testChain, FirstTimestamp: at}, {ChainHash: testChain, FirstTimestamp: at, TimestampRange: math.MaxUint32},
		} {
			b.got(1, f)
		}
		b.got(1, b.replyWith([]lnwire.ChannelTimestamps{{Node1: at, Node2: at}}, nil, scid(1)))
		require.Empty(t, heard[*lnwire.QueryShortChannelIDs](b, 1))
		require.Empty(t, b.dropped)
	}
	// A clock that stands at zero, as on a board without a battery.
	b := woken(t)
	b.now = time.Unix(0, 0)
	b.m.nextPrune = b.now
	b.step(Tick{})
	b.open(1)
	b.got(1, b.announcement(scid(1), 10, 11))
	b.got(1, update(scid(1), 0, 10, 0, func(u *lnwire.ChannelUpdate) { u.Timestamp = 0 }))
	c, _ := b.m.Channel(scid(1))
	require.Equal(t, uint32(0), c.Policies[0].Updated)
}

// TestV50RangeReplyBombs: B7.sync.3, B7.sync.4, B7.sync.5, B7.sync.6: compressed lists
// are refused unread, and a peer whose answer breaks the rules leaves nothing behind.
// TestHostileReplies has the rules one by one.
func TestV50RangeReplyBombs(t *testing.T) {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, err := z.Write(make([]byte, 40<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	raw := append([]byte{1, 8}, testChain[:]...)
	raw = append(raw, make([]byte, 9)...) // first block, number of blocks, complete
	raw = binary.BigEndian.AppendUint16(raw, uint16(packed.Len()+1))
	raw = append(append(raw, 1), packed.Bytes()...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = lnwire.Unmarshal(raw)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "encoding 1")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))

	for name, bomb := range map[string]func(h int) *lnwire.ReplyChannelRange{
		"empty ones without end": func(int) *lnwire.ReplyChannelRange {
			return &lnwire.ReplyChannelRange{ChainHash: testChain, NumBlocks: 1}
		},
		"ids without end": func(h int) *lnwire.ReplyChannelRange {
			r := &lnwire.ReplyChannelRange{ChainHash: testChain, FirstBlock: lnwire.Height(h), NumBlocks: 1}
			for i := range uint32(2000) {
				r.SCIDs = append(r.SCIDs, lnwire.NewShortChannelID(lnwire.Height(h), i, 0))
			}
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := woken(t)
			b.open(1)
			base := heap()
			for h := 0; len(b.dropped) == 0; h++ {
				require.Less(t, h, maxReplies+1)
				b.got(1, bomb(h))
				if s := b.m.sync; s != nil {
					require.LessOrEqual(t, len(s.missing), b.m.cfg.Limits.QueryIDs)
				}
			}
			require.Nil(t, b.m.sync)
			require.Less(t, heap()-base, int64(1<<20))
		})
	}
}

// TestV53GossipFlood: many peers at once fill what all of them may fill, and no more.
func TestV53GossipFlood(t *testing.T) {
	b := woken(t)
	l := &b.m.cfg.Limits
	l.Inboxes = 4 << 20
	b.stopped = true // proofs take for ever
	const peers = 60
	for n := range peers {
		b.open(100 + n)
	}
	before := heap()
	for i := range 20_000 {
		b.got(100+i%peers, announcement(scid(i), 10, 11))
		b.got(100+i%peers, update(scid(i), 0, 10, 0))
		b.got(100+i%peers, nodeAnn(5000+i, 0))
	}
	c := b.m.Counts()
	most := max(l.Inboxes, peers*inboxFloor) + l.Inbox
	require.LessOrEqual(t, c.InboxBytes, most)
	require.LessOrEqual(t, c.RoomBytes, l.WaitingRoom)
	require.Less(t, heap()-before, int64(2*(most+l.WaitingRoom)))
	require.NotZero(t, c.Dropped)
	long := nodeAnn(10, 0, func(a *lnwire.NodeAnnouncement) { a.Extra = make([]byte, maxExtra); a.Features = make([]byte, 4000) })
	b.got(100, long)
	require.Equal(t, c.Dropped+1, b.m.Counts().Dropped, "B7.room.2")
	for n := range peers {
		b.step(Closed{key(100 + n)})
	}
	b.goOn()
	c = b.m.Counts()
	require.Zero(t, c.InboxBytes+c.RoomBytes+c.InFlight)
	require.Empty(t, b.m.held)
}

// TestV57SeededMaps: what peers choose are keys of Go's maps alone, whose seeds are
// secret; and the seeds show nowhere: two machines that hear the same say the same.
func TestV57SeededMaps(t *testing.T) {
	run := func() []lnwire.Message {
		b := woken(t)
		for n := range 5 {
			b.open(n + 1)
			b.got(n+1, filterAll)
		}
		for i := range 300 {
			b.got(1+i%5, update(scid(i), 0, 10+i%7, 0))
			b.got(1+i%5, b.announcement(scid(i), 10+i%7, 17+i%3))
			b.got(1+i%5, nodeAnn(10+i%7, time.Duration(i)*time.Second))
		}
		b.later(time.Hour)
		b.got(1, &lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 1000})
		b.got(1, &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: []lnwire.ShortChannelID{scid(1), scid(2), scid(3)}})
		var all []lnwire.Message
		for n := range 5 {
			all = append(all, b.sent[key(n+1)]...)
		}
		return all
	}
	first := run()
	require.Greater(t, len(first), 1000)
	for range 3 {
		require.Equal(t, first, run())
	}
}

// TestV62QueryFlood: B7.limit.3: who asks without end is dropped, whatever he asks;
// others are answered meanwhile.
func TestV62QueryFlood(t *testing.T) {
	for name, q := range map[string]lnwire.Message{
		"ranges":  &lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 1000},
		"ids":     &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: []lnwire.ShortChannelID{scid(1)}},
		"filters": filterAll,
	} {
		t.Run(name, func(t *testing.T) {
			b := mapped(t, 3)
			b.open(7)
			b.open(8)
			for i := range b.m.cfg.Limits.Queries {
				require.Empty(t, b.dropped, i)
				b.got(7, q)
			}
			b.got(7, q)
			require.Contains(t, b.dropped[key(7)], "too many queries")
			b.got(8, &lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 1000})
			require.Len(t, heard[*lnwire.ReplyChannelRange](b, 8), 1)
			sent := len(b.sent[key(7)])
			b.got(7, q)
			require.Len(t, b.sent[key(7)], sent)
		})
	}
}
