package gossip

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// mapped is a box that knows n channels, each between two of some nodes.
func mapped(t testing.TB, n int, change ...func(*Config)) *box {
	b := woken(t, change...)
	b.open(1)
	for i := range n {
		b.channelBetween(scid(i), 10+i%7, 20+i%5)
	}
	for i := range 7 {
		b.got(1, nodeAnn(10+i, 0))
	}
	return b
}

// TestQueryIDs: B7.query.1, B7.query.2, B7.query.3, B7.query.5.
func TestQueryIDs(t *testing.T) {
	b := mapped(t, 300)
	b.open(2)
	var ids []lnwire.ShortChannelID
	for i := range 310 {
		ids = append(ids, scid(i))
	}
	b.got(2, &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: ids})
	list := gossipTo(b, 2)
	require.Len(t, list, 300*3+7)
	for i := range 300 {
		require.Equal(t, scid(i), list[3*i].(*lnwire.ChannelAnnouncement).SCID)
		require.Equal(t, scid(i), list[3*i+2].(*lnwire.ChannelUpdate).SCID)
	}
	end := b.sent[key(2)][len(b.sent[key(2)])-1]
	require.Equal(t, &lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain, Full: true}, end)
	require.Zero(t, b.m.Counts().Streams)

	for flag, want := range map[uint64][]lnwire.MsgType{
		wantChannel: {256}, wantUpdate1: {258}, wantUpdate2: {258}, wantNode1: {257}, wantNode2: nil, 0: nil, 1 << 40: nil,
		wantUpdate2 | wantNode1: {258, 257},
	} {
		b.sent = map[lnwire.PubKey][]lnwire.Message{}
		b.got(2, &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: []lnwire.ShortChannelID{scid(3), scid(999)}, Flags: []uint64{flag, wantAll}})
		var got []lnwire.MsgType
		for _, msg := range gossipTo(b, 2) {
			got = append(got, msg.Type())
		}
		require.Equal(t, want, got)
		require.Len(t, heard[*lnwire.ReplyShortChannelIDsEnd](b, 2), 1)
	}
	b.sent = map[lnwire.PubKey][]lnwire.Message{}
	other := chainhash.Hash{1}
	b.got(2, &lnwire.QueryShortChannelIDs{ChainHash: other, SCIDs: ids})
	b.got(2, &lnwire.QueryChannelRange{ChainHash: other, NumBlocks: 5})
	require.Equal(t, []lnwire.Message{
		&lnwire.ReplyShortChannelIDsEnd{ChainHash: other}, &lnwire.ReplyChannelRange{ChainHash: other, NumBlocks: 5, Complete: true},
	}, b.sent[key(2)])
}

// TestQueryRange: B7.query.6, B7.query.7, B7.query.8: the answer passes the checks of
// the one who asks, whatever he asks.
func TestQueryRange(t *testing.T) {
	b := mapped(t, 0)
	for i := range 20_000 { // several to a block, more than fit a message
		c := &channel{id: lnwire.NewShortChannelID(lnwire.Height(100+i/9000), uint32(i), 0)}
		c.op.Index = uint32(i)
		c.sides[0].policy = &Policy{Updated: uint32(i)}
		c.sides[1].policy = &Policy{Updated: 7}
		b.m.addChannel(c, [2]lnwire.PubKey{key(1), key(2)})
	}
	one := uint64(1)
	for i, q := range []lnwire.QueryChannelRange{
		{NumBlocks: 1001}, {NumBlocks: math.MaxUint32}, {FirstBlock: 100, NumBlocks: 1}, {FirstBlock: 101, NumBlocks: 2},
		{FirstBlock: 1, NumBlocks: 99}, {FirstBlock: 1 << 24, NumBlocks: 5}, {FirstBlock: math.MaxUint32, NumBlocks: math.MaxUint32},
		{FirstBlock: 7}, {NumBlocks: 1001, Option: &one},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			q.ChainHash = testChain
			peer := 100 + i
			b.open(peer)
			b.got(peer, &q)
			replies := heard[*lnwire.ReplyChannelRange](b, peer)
			require.NotEmpty(t, replies)
			s := &sync{asked: q, end: uint64(q.FirstBlock) + uint64(q.NumBlocks)}
			var got []lnwire.ShortChannelID
			for j, r := range replies {
				if q.NumBlocks > 0 {
					require.NoError(t, s.take(r, 1_000_000))
				}
				require.Equal(t, j == len(replies)-1, r.Complete)
				got = append(got, r.SCIDs...)
				if q.Option != nil {
					require.Len(t, r.Timestamps, len(r.SCIDs))
					require.Equal(t, lnwire.ChannelTimestamps{Node1: r.SCIDs[0].TxIndex(), Node2: 7}, r.Timestamps[0])
				}
			}
			last := replies[len(replies)-1]
			require.GreaterOrEqual(t, uint64(last.FirstBlock)+uint64(last.NumBlocks), min(s.end, uint64(last.FirstBlock)+math.MaxUint32))
			var want []lnwire.ShortChannelID
			for _, id := range b.m.order {
				if id.Block() >= q.FirstBlock && uint64(id.Block()) < s.end {
					want = append(want, id)
				}
			}
			require.Equal(t, want, got)
		})
	}
}

// TestBacklog: B7.filter.1, B7.filter.3, B7.filter.4.
func TestBacklog(t *testing.T) {
	b := mapped(t, 300)
	b.open(2)
	b.got(2, filterAll)
	list := gossipTo(b, 2)
	require.Len(t, list, 300*3+7)
	last := slices.IndexFunc(list, func(m lnwire.Message) bool { return m.Type() == lnwire.MsgNodeAnnouncement })
	require.Equal(t, 900, last)
	b.open(3)
	hour := uint32(testNow.Add(-time.Hour).Unix())
	b.got(3, &lnwire.GossipTimestampFilter{ChainHash: testChain, FirstTimestamp: hour + 1, TimestampRange: math.MaxUint32})
	require.Len(t, gossipTo(b, 3), 7)
	b.got(3, &lnwire.GossipTimestampFilter{ChainHash: testChain, FirstTimestamp: hour, TimestampRange: 1})
	require.Len(t, gossipTo(b, 3), 7+900)
	b.got(3, &lnwire.GossipTimestampFilter{ChainHash: testChain, FirstTimestamp: math.MaxUint32, TimestampRange: 0})
	b.got(1, update(scid(1), 0, 11, 0))
	b.later(time.Minute)
	require.Len(t, gossipTo(b, 3), 7+900)
}

// TestPolite: B7.query.9, B7.limit.2, B7.limit.3: one answer of a kind at a time, at a
// rate, in a number of places.
func TestPolite(t *testing.T) {
	b := mapped(t, 300, func(c *Config) { c.Limits.SendRate = 20_000; c.Limits.Streams = 2; c.Limits.Queries = 20 })
	for n := 2; n <= 9; n++ {
		b.open(n)
		b.got(n, filterAll)
		b.got(n, filterAll)
	}
	require.Equal(t, 2, b.m.Counts().Streams)
	require.LessOrEqual(t, len(gossipTo(b, 2)), 300)
	require.Empty(t, gossipTo(b, 9))
	require.False(t, b.wake.After(b.now.Add(10*time.Second)))
	q := &lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 1001}
	b.choked[key(9)] = true
	b.got(9, q)
	require.Empty(t, heard[*lnwire.Warning](b, 9))
	b.got(9, q)
	require.Len(t, heard[*lnwire.Warning](b, 9), 1)
	b.step(Closed{key(9)})
	for range 2000 {
		b.now = b.now.Add(time.Second)
		b.step(Tick{})
	}
	for n := 2; n <= 8; n++ {
		require.GreaterOrEqual(t, len(gossipTo(b, n)), 907)
	}
	require.Zero(t, b.m.Counts().Streams)
	for range 21 {
		b.got(8, &lnwire.QueryShortChannelIDs{ChainHash: testChain})
	}
	require.Contains(t, b.dropped, key(8))
}
