package gossip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// openEx connects a peer that offers gossip_queries_ex, too.
func (b *box) openEx(n int) {
	b.step(Opened{Peer: key(n), Features: lnwire.NewFeatures(lnwire.GossipQueriesOptional, lnwire.GossipQueriesExOptional)})
}

// replyWith is reply with what the peer knows of the updates, all of the same content
// as ours unless other is in the list.
func (b *box) replyWith(times []lnwire.ChannelTimestamps, other map[int]bool, ids ...lnwire.ShortChannelID) *lnwire.ReplyChannelRange {
	r := reply(ids...)
	r.Timestamps = times
	for i, id := range ids {
		var s lnwire.ChannelChecksums
		if c := b.m.channels[id]; c != nil {
			s = c.toldSums()
		}
		if other[i] {
			s.Node1, s.Node2 = s.Node1+1, s.Node2+1
		}
		r.Checksums = append(r.Checksums, s)
	}
	return r
}

// TestGaps: B7.sync.9, B7.prune.7: what is asked for when the peer says how old its
// updates are and what they say.
func TestGaps(t *testing.T) {
	at := func(d time.Duration) uint32 { return uint32(testNow.Add(d).Unix()) }
	both := func(d time.Duration) lnwire.ChannelTimestamps {
		return lnwire.ChannelTimestamps{Node1: at(d), Node2: at(d)}
	}
	ours := both(-time.Hour) // those of channelBetween
	for name, c := range map[string]struct {
		known bool
		times lnwire.ChannelTimestamps
		other bool
		want  uint64 // 0: not asked
	}{
		"unknown":                         {false, both(0), true, wantAll},
		"unknown, one end fresh":          {false, lnwire.ChannelTimestamps{Node2: at(0)}, true, wantAll},
		"unknown, both stale":             {false, both(-stale - time.Hour), true, 0},
		"unknown, without any update":     {false, lnwire.ChannelTimestamps{}, true, 0},
		"unknown, from the future":        {false, both(future + time.Hour), true, 0},
		"known, the same":                 {true, ours, false, 0},
		"known, same age, other content":  {true, ours, true, 0},
		"known, newer and other":          {true, both(0), true, wantUpdate1 | wantUpdate2},
		"known, newer, the same content":  {true, both(0), false, 0},
		"known, much newer, same content": {true, both(23*time.Hour + 30*time.Minute), false, wantUpdate1 | wantUpdate2},
		"known, one end newer":            {true, lnwire.ChannelTimestamps{Node1: ours.Node1, Node2: at(0)}, true, wantUpdate2},
		"known, older":                    {true, both(-2 * time.Hour), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := woken(t)
			b.openEx(1)
			q := heard[*lnwire.QueryChannelRange](b, 1)
			require.Equal(t, uint64(optionTimes|optionSums), *q[0].Option)
			id := scid(1)
			if c.known {
				b.channelBetween(id, 10, 11)
			}
			b.got(1, b.replyWith([]lnwire.ChannelTimestamps{c.times}, map[int]bool{0: c.other}, id))
			asked := heard[*lnwire.QueryShortChannelIDs](b, 1)
			if c.want == 0 {
				require.Empty(t, asked)
				return
			}
			require.Len(t, asked, 1)
			require.Equal(t, []lnwire.ShortChannelID{id}, asked[0].SCIDs)
			require.Equal(t, []uint64{c.want}, asked[0].Flags)
		})
	}

	// An end that never told anything.
	b := woken(t)
	b.openEx(1)
	b.got(1, b.announcement(scid(1), 10, 11))
	b.got(1, update(scid(1), 0, 10, -time.Hour))
	b.got(1, b.replyWith([]lnwire.ChannelTimestamps{ours}, nil, scid(1)))
	require.Equal(t, []uint64{wantUpdate2}, heard[*lnwire.QueryShortChannelIDs](b, 1)[0].Flags)

	// Without the peer's bit nothing is asked again of what is known, and no flag is sent.
	b = woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	b.got(1, b.replyWith([]lnwire.ChannelTimestamps{both(0), both(0)}, map[int]bool{0: true}, scid(1), scid(2)))
	require.Equal(t, []lnwire.ShortChannelID{scid(2)}, heard[*lnwire.QueryShortChannelIDs](b, 1)[0].SCIDs)
	require.Nil(t, heard[*lnwire.QueryShortChannelIDs](b, 1)[0].Flags)

	// Switched off, none of it.
	b = woken(t, func(c *Config) { c.Plain = true })
	b.openEx(1)
	require.Nil(t, heard[*lnwire.QueryChannelRange](b, 1)[0].Option)
	b.got(1, reply(scid(1)))
	require.Nil(t, heard[*lnwire.QueryShortChannelIDs](b, 1)[0].Flags)
}

// TestZombieAgain: B7.prune.7: a channel that was forgotten as stale is asked for when
// somebody knows a fresh update of it, and not before.
func TestZombieAgain(t *testing.T) {
	b := woken(t)
	b.openEx(1)
	b.channelBetween(scid(1), 10, 11)
	b.now = b.now.Add(stale)
	b.later(pruneEvery)
	require.Equal(t, 1, b.m.Info().Zombies)
	require.True(t, b.m.Zombie(scid(1)))
	require.False(t, b.m.Zombie(scid(2)))
	ask := func(d time.Duration) []*lnwire.QueryShortChannelIDs {
		b.m.sync = nil
		b.m.askRange(b.m.peers[key(1)])
		at := uint32(b.now.Add(d).Unix())
		b.got(1, b.replyWith([]lnwire.ChannelTimestamps{{Node1: at, Node2: 0}}, nil, scid(1)))
		return heard[*lnwire.QueryShortChannelIDs](b, 1)
	}
	require.Empty(t, ask(-stale-time.Hour))
	require.Equal(t, 1, b.m.Info().Zombies)
	require.Len(t, ask(-time.Hour), 1)
	require.Zero(t, b.m.Info().Zombies)
}

// TestExtendedAnswer: B7.query.8, B7.query.10: timestamps and checksums as asked, those
// of updates that may be told alone, within what a message holds.
func TestExtendedAnswer(t *testing.T) {
	b := woken(t)
	b.openEx(1)
	b.channelBetween(scid(1), 10, 11)
	b.got(1, b.announcement(scid(2), 10, 11))
	b.got(1, update(scid(2), 0, 10, -time.Hour))
	b.got(1, update(scid(2), 1, 11, -time.Hour, func(u *lnwire.ChannelUpdate) { u.MessageFlags |= lnwire.UpdateDontForward }))
	ask := func(option uint64) *lnwire.ReplyChannelRange {
		b.sent = map[lnwire.PubKey][]lnwire.Message{}
		b.got(1, &lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 1000, Option: &option})
		return heard[*lnwire.ReplyChannelRange](b, 1)[0]
	}
	at := uint32(testNow.Add(-time.Hour).Unix())
	sum := func(side int) uint32 { return update(scid(1), side, 10+side, -time.Hour).Checksum() }
	times := []lnwire.ChannelTimestamps{{Node1: at, Node2: at}, {Node1: at}}
	sums := []lnwire.ChannelChecksums{{Node1: sum(0), Node2: sum(1)}, {Node1: update(scid(2), 0, 10, -time.Hour).Checksum()}}
	for option := range uint64(8) {
		r := ask(option)
		require.Equal(t, []lnwire.ShortChannelID{scid(1), scid(2)}, r.SCIDs)
		require.Equal(t, option&1 != 0, r.Timestamps != nil)
		require.Equal(t, option&2 != 0, r.Checksums != nil)
		if r.Timestamps != nil {
			require.Equal(t, times, r.Timestamps)
		}
		if r.Checksums != nil {
			require.Equal(t, sums, r.Checksums)
		}
	}
	b.m.cfg.Plain = true
	require.Nil(t, ask(3).Timestamps)
	b.m.cfg.Plain = false

	for i := range 6000 { // two replies and a bit with both arrays
		id := scid(10 + i)
		c := &channel{id: id}
		c.op.Index = uint32(i + 1)
		c.sides[0].policy = &Policy{Updated: at}
		b.m.addChannel(c, [2]lnwire.PubKey{key(10), key(11)})
	}
	ask(3)
	list := heard[*lnwire.ReplyChannelRange](b, 1)
	require.Len(t, list, 3)
	n := 0
	for i, r := range list {
		require.Equal(t, i == 2, r.Complete)
		require.Len(t, r.Checksums, len(r.SCIDs))
		n += len(r.SCIDs)
	}
	require.Equal(t, 6002, n)
}
