package gossip

import (
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestActive: B7.sync.1, B7.filter.5: three relay, the others step in.
func TestActive(t *testing.T) {
	b := newBox(t)
	for n := 1; n <= 5; n++ {
		b.open(n)
	}
	b.step(Opened{Peer: key(6)})
	b.step(Block{Block: lnwire.BlockRef{Height: 999}})
	b.step(Tick{})
	require.Empty(t, b.sent, "half of the chain asks for half of the map")
	b.step(Block{Block: lnwire.BlockRef{Height: 1000}})
	b.step(AtTip{})
	relays := func(n int) bool {
		f := heard[*lnwire.GossipTimestampFilter](b, n)
		return len(f) > 0 && f[len(f)-1].TimestampRange == math.MaxUint32
	}
	for n := 1; n <= 6; n++ {
		require.Equal(t, n <= 3, relays(n), n)
		require.Len(t, heard[*lnwire.GossipTimestampFilter](b, n), 1)
	}
	require.Equal(t, uint32(math.MaxUint32), heard[*lnwire.GossipTimestampFilter](b, 6)[0].FirstTimestamp)
	require.Len(t, heard[*lnwire.QueryChannelRange](b, 1), 1)
	require.Empty(t, heard[*lnwire.QueryChannelRange](b, 2), "one at a time")
	b.step(Closed{key(1)})
	require.True(t, relays(4))
	require.Len(t, heard[*lnwire.QueryChannelRange](b, 2), 1)
	// B7.sync.8
	b.later(syncWait)
	require.False(t, relays(2))
	require.True(t, relays(5))
	require.Len(t, heard[*lnwire.QueryChannelRange](b, 3), 1)
	require.False(t, relays(6))
}

// reply makes a reply for the whole chain of woken.
func reply(ids ...lnwire.ShortChannelID) *lnwire.ReplyChannelRange {
	return &lnwire.ReplyChannelRange{ChainHash: testChain, NumBlocks: 1001, Complete: true, SCIDs: ids}
}

// TestBatches: B7.sync.2, B7.sync.7.
func TestBatches(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(0), 10, 11)
	var ids []lnwire.ShortChannelID
	for i := range 1200 {
		ids = append(ids, scid(i))
	}
	ids = append(ids, lnwire.NewShortChannelID(996, 1, 0)) // not deep enough
	b.got(1, reply(ids...))
	batches := func() []*lnwire.QueryShortChannelIDs { return heard[*lnwire.QueryShortChannelIDs](b, 1) }
	require.Len(t, batches(), 1)
	require.Equal(t, ids[1:251], batches()[0].SCIDs)
	require.Nil(t, batches()[0].Flags, "it does not offer gossip_queries_ex")
	b.stopped = true
	for i := range 700 {
		b.got(1, b.announcement(scid(5000+i), 10, 11))
	}
	end := &lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain, Full: true}
	b.got(1, end)
	require.Len(t, batches(), 1, "too much of what came is not judged yet")
	b.goOn()
	require.Len(t, batches(), 2)
	b.stopped = true
	b.got(1, b.announcement(scid(300), 10, 11))
	b.got(1, end)
	require.Len(t, batches(), 3, "what is judged meanwhile does not keep us from asking")
	b.goOn()
	b.got(1, end)
	b.got(1, end)
	require.Len(t, batches(), 5)
	require.Equal(t, scid(1199), batches()[4].SCIDs[len(batches()[4].SCIDs)-1])
	require.False(t, b.synced)
	b.got(1, end)
	require.Len(t, batches(), 5)
	require.Nil(t, b.m.sync)
	require.True(t, b.synced)
	b.later(syncEvery)
	require.Len(t, heard[*lnwire.QueryChannelRange](b, 1), 2, "asked again after a while")
}

// TestHostileReplies: B7.sync.3, B7.sync.4, B7.sync.5, B7.sync.6 (V-50).
func TestHostileReplies(t *testing.T) {
	type list = []*lnwire.ReplyChannelRange
	part := func(first lnwire.Height, n uint32, ids ...lnwire.ShortChannelID) *lnwire.ReplyChannelRange {
		return &lnwire.ReplyChannelRange{ChainHash: testChain, FirstBlock: first, NumBlocks: n, SCIDs: ids}
	}
	at := func(h lnwire.Height) lnwire.ShortChannelID { return lnwire.NewShortChannelID(h, 1, 0) }
	endless := func(r *lnwire.ReplyChannelRange, n int) (l list) {
		for range n {
			l = append(l, r)
		}
		return l
	}
	var many list
	for h := range lnwire.Height(900) {
		var ids []lnwire.ShortChannelID
		for i := range uint32(200) {
			ids = append(ids, lnwire.NewShortChannelID(h, i, 0))
		}
		many = append(many, part(h, 1, ids...))
	}
	chain := part(0, 5)
	chain.ChainHash = chainhash.Hash{3}
	for why, replies := range map[string]list{
		"chain_hash":                  {chain},
		"does not begin":              {part(5, 10)},
		"goes backwards":              {part(0, 10), part(9, 5), part(8, 5)},
		"beyond the range":            {part(0, 10), part(1001, 5)},
		"outside of its range":        {part(0, 10, at(10))},
		"does not follow 5x1x0":       {part(0, 10, at(5)), part(5, 5, at(5))},
		"more than 5000 replies":      endless(part(0, 1), 5001),
		"more than 100000 ids":        many,
		"id 3x1x0 is outside of":      {part(0, 3), part(4, 3, at(3))},
		"id 7x1x0 does not follow 9x": {part(0, 10, at(9)), part(5, 10, at(7))},
	} {
		t.Run(why, func(t *testing.T) {
			b := woken(t)
			b.open(1)
			for _, r := range replies {
				b.got(1, r)
			}
			require.Contains(t, b.dropped[key(1)], why)
			require.Len(t, heard[*lnwire.Warning](b, 1), 1)
			require.Nil(t, b.m.sync)
			b.step(Closed{key(1)})
			b.sent = map[lnwire.PubKey][]lnwire.Message{}
			b.open(1)
			require.Empty(t, heard[*lnwire.QueryChannelRange](b, 1), "not asked again")
		})
	}
	b := woken(t)
	b.open(1)
	b.open(2)
	b.got(2, reply(at(1)))
	b.got(2, &lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain})
	require.Empty(t, b.dropped, "what nobody asked for is nothing")
	require.Empty(t, b.m.sync.missing)
}

// TestDrip: B7.sync.10: a peer whose answers never end, though there is always another
// one, is given up.
func TestDrip(t *testing.T) {
	for name, drip := range map[string]func(b *box, n int){
		"ranges": func(b *box, n int) {
			b.got(1, &lnwire.ReplyChannelRange{ChainHash: testChain, FirstBlock: lnwire.Height(n), NumBlocks: 1})
		},
		"ids": func(b *box, n int) {
			if n == 0 {
				var ids []lnwire.ShortChannelID
				for i := range 90_000 {
					ids = append(ids, scid(i))
				}
				b.got(1, reply(ids...))
			}
			b.got(1, &lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := woken(t)
			b.open(1)
			b.open(2)
			for n := range 100 {
				if len(heard[*lnwire.QueryChannelRange](b, 2)) > 0 {
					return
				}
				drip(b, n)
				b.later(syncWait - time.Second)
			}
			t.Fatal("the other peer is never asked")
		})
	}
}

// TestOldComplete: peers of old set sync_complete on every reply.
func TestOldComplete(t *testing.T) {
	b := woken(t)
	b.open(1)
	r := reply(scid(1))
	r.NumBlocks = 500
	b.got(1, r)
	require.Empty(t, heard[*lnwire.QueryShortChannelIDs](b, 1))
	r = reply(lnwire.NewShortChannelID(600, 1, 0))
	r.FirstBlock, r.NumBlocks = 500, 501
	b.got(1, r)
	require.Len(t, heard[*lnwire.QueryShortChannelIDs](b, 1), 1)
}

// TestCatchUp: after a restart the first peer is asked for what was told meanwhile.
func TestCatchUp(t *testing.T) {
	b := mapped(t, 3)
	b = b.restart()
	b.now = testNow.Add(5 * 24 * time.Hour)
	b.open(1)
	b.open(2)
	require.Empty(t, b.sent, "the tip that it had is not the chain's")
	b.step(AtTip{})
	since := func(n int) uint32 { return heard[*lnwire.GossipTimestampFilter](b, n)[0].FirstTimestamp }
	require.Equal(t, uint32(testNow.Add(-2*time.Hour).Unix()), since(1))
	require.Equal(t, uint32(b.now.Add(-overlap).Unix()), since(2))

	// Blocks that were missed come in one go: what is in them is asked for soon.
	ranges := func() int {
		return len(heard[*lnwire.QueryChannelRange](b, 1)) + len(heard[*lnwire.QueryChannelRange](b, 2))
	}
	b.got(1, reply())
	b.got(2, reply())
	require.Equal(t, 2, ranges())
	b.later(time.Second)
	require.Equal(t, 2, ranges())
	for h := range lnwire.Height(20) {
		b.step(Block{Block: lnwire.BlockRef{Height: 1001 + h}})
	}
	b.later(time.Second)
	require.Equal(t, 3, ranges())
}
