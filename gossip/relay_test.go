package gossip

import (
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// gossipTo are the messages of the map that a peer was sent.
func gossipTo(b *box, n int) (list []lnwire.Message) {
	for _, msg := range b.sent[key(n)] {
		switch msg.Type() {
		case lnwire.MsgChannelAnnouncement, lnwire.MsgChannelUpdate, lnwire.MsgNodeAnnouncement:
			list = append(list, msg)
		}
	}
	return list
}

// TestRelay: B7.relay.1, B7.relay.2, B7.relay.3, B7.relay.4, B7.relay.5, B7.relay.8.
func TestRelay(t *testing.T) {
	b := woken(t)
	for n := 1; n <= 5; n++ {
		b.open(n)
	}
	b.step(Opened{Peer: key(6), Networks: []chainhash.Hash{{1}}})
	now := uint32(testNow.Unix())
	b.got(1, filterAll)
	b.got(2, filterAll)
	b.got(3, &lnwire.GossipTimestampFilter{ChainHash: testChain, FirstTimestamp: now, TimestampRange: 10})
	b.got(5, &lnwire.GossipTimestampFilter{ChainHash: chainhash.Hash{1}, TimestampRange: math.MaxUint32}) // B7.filter.2
	b.got(6, filterAll)

	a := b.announcement(scid(1), 10, 11)
	b.got(1, a)
	b.later(2 * time.Minute)
	require.Empty(t, gossipTo(b, 2), "B7.relay.2: not without an update")
	u := update(scid(1), 0, 10, -time.Second)
	b.got(1, u)
	require.Empty(t, gossipTo(b, 2), "B7.relay.1: not before the batch")
	b.later(time.Minute)
	require.Equal(t, []lnwire.Message{a, u}, gossipTo(b, 2))
	require.Empty(t, gossipTo(b, 1), "B7.relay.5: not to the sender")
	require.Empty(t, gossipTo(b, 3), "B7.relay.4: not within its filter")
	require.Empty(t, gossipTo(b, 4), "B7.relay.3: without a filter")
	require.Empty(t, gossipTo(b, 5))
	require.Empty(t, gossipTo(b, 6), "B7.relay.8: another chain")

	first, second := update(scid(1), 0, 10, 0), update(scid(1), 0, 10, 5*time.Second)
	b.got(2, first)
	b.got(2, second)
	b.later(time.Minute)
	require.Equal(t, []lnwire.Message{second}, gossipTo(b, 1), "the newest word only")
	require.Equal(t, []lnwire.Message{second}, gossipTo(b, 3))
	require.Zero(t, b.m.Counts().LogBytes, "everybody has it")

	b.got(1, update(scid(1), 0, 10, 7*time.Second, func(u *lnwire.ChannelUpdate) { u.MessageFlags |= lnwire.UpdateDontForward }))
	b.later(time.Minute)
	require.Len(t, gossipTo(b, 2), 2, "B7.upd.7")
	c, _ := b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()+7), c.Policies[0].Updated)
}

// TestSlowPeer: who does not read costs no more than the log is allowed, and goes
// on where it stands.
func TestSlowPeer(t *testing.T) {
	const limit = 64 << 10
	b := woken(t, func(c *Config) { c.Limits.RelayLog = limit; c.Limits.Burst = 1000 })
	b.open(1)
	b.open(2)
	b.got(2, filterAll)
	b.choked[key(2)] = true
	b.channelBetween(scid(1), 10, 11)
	b.later(time.Minute)
	sent := len(gossipTo(b, 2))
	for i := range 1000 {
		id := scid(2 + i)
		b.got(1, b.announcement(id, 10, 11))
		b.got(1, update(id, 0, 10, 0))
		require.LessOrEqual(t, b.m.Counts().LogBytes, limit)
	}
	b.later(time.Minute)
	require.Len(t, gossipTo(b, 2), sent, "nothing before Drained")
	b.choked[key(2)] = false
	b.step(Drained{key(2)})
	last := gossipTo(b, 2)
	require.Equal(t, update(scid(1001), 0, 10, 0), last[len(last)-1])
	require.Zero(t, b.m.Counts().LogBytes)
}

// TestSpent: B7.prune.1, B7.prune.2, B7.prune.5, B7.upd.8, B7.relay.6, B7.relay.7,
// B7.relay.9.
func TestSpent(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	b.channelBetween(scid(2), 11, 12)
	b.got(1, nodeAnn(10, 0))
	b.open(2)
	c, _ := b.m.Channel(scid(1))
	b.changes = nil
	require.Equal(t, 2, b.m.Info().MaxOutDegree)
	b.step(Block{Block: lnwire.BlockRef{Height: 1001}, Spent: []wire.OutPoint{{}, c.OutPoint}})
	require.Equal(t, 1, b.m.Info().MaxOutDegree, "what is spent is not counted")
	c.SpentAt = 1001
	require.Equal(t, []Change{ChannelSpent{c}}, b.changes)

	b.got(2, filterAll)
	b.later(time.Minute)
	require.Len(t, gossipTo(b, 2), 4, "the other channel, and the node")
	b.got(1, update(scid(1), 0, 10, 0))
	require.Len(t, b.changes, 1)
	b.got(1, update(scid(1), 0, 10, 0, func(u *lnwire.ChannelUpdate) { u.ChannelFlags |= lnwire.UpdateDisabled }))
	require.Len(t, b.changes, 2)
	b.later(time.Minute)
	require.Len(t, gossipTo(b, 2), 5)

	b = b.restart()
	b.open(1)
	b.step(Block{Block: lnwire.BlockRef{Height: 1072}})
	_, ok := b.m.Channel(scid(1))
	require.True(t, ok)
	b.changes = nil
	b.step(Block{Block: lnwire.BlockRef{Height: 1073}})
	_, ok = b.m.Channel(scid(1))
	require.False(t, ok)
	require.Len(t, b.changes, 2)
	require.IsType(t, ChannelGone{}, b.changes[0])
	require.Equal(t, NodeGone{key(10)}, b.changes[1])
	require.Len(t, b.rows, 1+3, "the tip, and the other channel")
	b.got(1, b.announcement(scid(1), 10, 11))
	require.Zero(t, b.verified, "not asked again")
}

// TestReorg: B7.prune.6.
func TestReorg(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	id := lnwire.NewShortChannelID(995, 1, 0)
	b.channelBetween(id, 10, 11)
	c, _ := b.m.Channel(scid(1))
	b.step(Block{Block: lnwire.BlockRef{Height: 1001}, Spent: []wire.OutPoint{c.OutPoint}})
	b.step(Unblock{lnwire.BlockRef{Height: 1000}})
	require.Equal(t, ChannelRevived{c}, b.changes[len(b.changes)-1])
	got, _ := b.m.Channel(scid(1))
	require.Zero(t, got.SpentAt)
	require.NotContains(t, b.rows, spentKey(scid(1)))
	require.Equal(t, lnwire.Height(1000), b.restart().m.Tip().Height)
	b.step(Unblock{lnwire.BlockRef{Height: 994}})
	back, ok := b.m.Channel(id)
	require.True(t, ok, "the chain may only be read again")
	block := Block{Block: lnwire.BlockRef{Height: 995}, Txids: []chainhash.Hash{{1}, back.OutPoint.Hash}}
	b.step(block)
	_, ok = b.m.Channel(id)
	require.True(t, ok)
	b.step(Unblock{lnwire.BlockRef{Height: 994}})
	block.Txids = block.Txids[:1]
	b.step(block)
	_, ok = b.m.Channel(id)
	require.False(t, ok, "another block stands in its place")
	require.IsType(t, ChannelGone{}, b.changes[len(b.changes)-1])
	require.NotContains(t, b.rows, channelKey(id))
}

// TestStale: B7.prune.3: and a word of life is enough to be asked for again.
func TestStale(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	b.got(1, b.announcement(scid(2), 10, 12))
	b.channelBetween(scid(3), 13, 14)
	b.later(25 * time.Hour)
	require.Len(t, b.m.Channels(0, 9), 2, "nobody ever spoke for it")
	b.now = b.now.Add(12 * 24 * time.Hour)
	b.got(1, update(scid(3), 0, 13, 13*24*time.Hour))
	b.later(23 * time.Hour)
	require.Len(t, b.m.Channels(0, 9), 1)
	require.Equal(t, 2, b.m.Info().Zombies)
	b.verified = 0
	b.got(1, b.announcement(scid(1), 10, 11))
	require.Zero(t, b.verified)
	b.got(1, update(scid(1), 0, 10, 14*24*time.Hour))
	b.got(1, b.announcement(scid(1), 10, 11))
	require.Equal(t, 4, b.verified)
}
