package gossip

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestChannelAccepted: B7.chan.2, B7.chan.8: four signatures, then the chain, then
// the map; duplicates cost nothing.
func TestChannelAccepted(t *testing.T) {
	b := woken(t)
	b.open(1)
	a := b.announcement(scid(1), 10, 11)
	b.stopped = true
	b.got(1, a)
	require.Equal(t, 4, b.verified)
	require.Zero(t, b.lookups)
	require.Empty(t, b.changes)
	b.got(1, a) // under way
	require.Equal(t, 4, b.verified)
	b.goOn()
	require.Equal(t, 1, b.lookups)
	c, ok := b.m.Channel(scid(1))
	require.True(t, ok)
	require.Equal(t, []Change{ChannelAdded{c}}, b.changes)
	require.Equal(t, lnwire.Sat(1_000_000), c.Capacity)
	require.Contains(t, b.rows, channelKey(scid(1)))
	b.got(1, a) // known
	require.Equal(t, 4, b.verified)
	require.Equal(t, uint64(2), b.m.Counts().Duplicate)
	require.Empty(t, b.m.held)
	require.Empty(t, b.dropped)
}

// TestChannelRefused: what is cheap to refuse is refused before any signature.
func TestChannelRefused(t *testing.T) {
	edit := func(f func(*lnwire.ChannelAnnouncement)) func(b *box) *lnwire.ChannelAnnouncement {
		return func(b *box) *lnwire.ChannelAnnouncement {
			a := b.announcement(scid(1), 10, 11)
			f(a)
			signChannel(a)
			return a
		}
	}
	for _, v := range []struct {
		name              string
		make              func(b *box) *lnwire.ChannelAnnouncement
		verified, lookups int
		dropped           bool
	}{
		{"B7.chan.1 another chain", edit(func(a *lnwire.ChannelAnnouncement) { a.ChainHash[0]++ }), 0, 0, false},
		{"B7.chan.4 nodes out of order", edit(func(a *lnwire.ChannelAnnouncement) { a.NodeID1, a.NodeID2 = a.NodeID2, a.NodeID1 }), 0, 0, true},
		{"B7.chan.4 one node", edit(func(a *lnwire.ChannelAnnouncement) { a.NodeID1 = a.NodeID2 }), 0, 0, true},
		{"too long", edit(func(a *lnwire.ChannelAnnouncement) { a.Extra = make([]byte, maxExtra+1) }), 0, 0, false},
		{"B7.chan.7 far above the tip", edit(func(a *lnwire.ChannelAnnouncement) { a.SCID = lnwire.NewShortChannelID(1008, 1, 0) }), 0, 0, false},
		{"B7.chan.6 other keys", edit(func(a *lnwire.ChannelAnnouncement) { a.BitcoinKey1 = key(5) }), 4, 1, false},
		{"B7.chan.6 spent", func(b *box) *lnwire.ChannelAnnouncement {
			a := b.announcement(scid(1), 10, 11)
			delete(b.txos, a.SCID)
			return a
		}, 4, 1, false},
		{"B7.chan.3 signature", func(b *box) *lnwire.ChannelAnnouncement {
			a := b.announcement(scid(1), 10, 11)
			a.BitcoinSig2[5]++
			return a
		}, 4, 0, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			b := woken(t)
			b.open(1)
			b.got(1, v.make(b))
			require.Equal(t, v.verified, b.verified)
			require.Equal(t, v.lookups, b.lookups)
			require.Empty(t, b.changes)
			require.Equal(t, v.dropped, len(b.dropped) == 1)
			require.Equal(t, v.dropped, len(heard[*lnwire.Warning](b, 1)) == 1)
			require.Empty(t, b.m.held)
			b.got(1, b.announcement(scid(2), 10, 11))
			require.Equal(t, !v.dropped, len(b.changes) == 1, "who was dropped is not heard any more")
		})
	}
}

// TestUnknownFeature: B7.chan.5: the channel is kept and told, but marked.
func TestUnknownFeature(t *testing.T) {
	b := woken(t)
	b.open(1)
	a := b.announcement(scid(1), 10, 11)
	a.Features = lnwire.NewFeatures(1000)
	signChannel(a)
	b.got(1, a)
	c, ok := b.m.Channel(scid(1))
	require.True(t, ok)
	require.True(t, c.Unusable)
	c, _ = b.restart().m.Channel(scid(1))
	require.True(t, c.Unusable)
}

// TestPremature: B7.chan.7, B7.chan.11.
func TestPremature(t *testing.T) {
	b := woken(t)
	b.open(1)
	id := lnwire.NewShortChannelID(996, 1, 0)
	b.got(1, b.announcement(id, 10, 11))
	b.got(1, update(id, 0, 10, 0))
	// lnd passes on what its peer told it alone before the announcement.
	b.got(1, update(id, 1, 11, 0, func(u *lnwire.ChannelUpdate) { u.MessageFlags |= lnwire.UpdateDontForward }))
	require.Zero(t, b.verified)
	b.step(Block{Block: lnwire.BlockRef{Height: 1001}})
	c, ok := b.m.Channel(id)
	require.True(t, ok)
	require.NotNil(t, c.Policies[0], "the update waited with it")
	require.NotNil(t, c.Policies[1], "and so did what is not to be passed on")
	require.Zero(t, b.m.Counts().RoomBytes)
	require.Empty(t, b.m.held)
}

// TestOutlaws: B7.chan.9, B7.chan.10: one funding, two pairs of nodes.
func TestOutlaws(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	b.channelBetween(scid(2), 11, 12)
	b.channelBetween(scid(3), 12, 13)
	a := announcement(scid(1), 10, 11)
	a.NodeID1, a.NodeID2 = key(20), key(21)
	h := *a
	h.NodeSig1[3]++ // not proved: nothing happens
	b.open(2)
	b.got(2, &h)
	require.Len(t, b.m.Channels(0, 10), 3)
	signChannel(a)
	b.got(1, a)
	require.Len(t, b.m.Channels(0, 10), 1)
	verified := b.verified
	b.got(1, b.announcement(scid(4), 20, 30))
	b.got(1, nodeAnn(10, 0))
	require.Equal(t, verified, b.verified)
	require.Len(t, b.m.Channels(0, 10), 1)
}

// TestUpdateRules: what is taken of updates after one of -1 h is known.
func TestUpdateRules(t *testing.T) {
	flag := func(f func(*lnwire.ChannelUpdate)) func(*lnwire.ChannelUpdate) { return f }
	at := func(ts uint32) func(*lnwire.ChannelUpdate) {
		return flag(func(u *lnwire.ChannelUpdate) { u.Timestamp = ts })
	}
	hour := uint32(testNow.Add(-time.Hour).Unix())
	for _, v := range []struct {
		name           string
		u              *lnwire.ChannelUpdate
		verified       int
		taken, dropped bool
	}{
		{"newer", update(scid(1), 0, 10, 0), 1, true, false},
		{"B7.upd.1 chain", update(scid(1), 0, 10, 0, func(u *lnwire.ChannelUpdate) { u.ChainHash[1]++ }), 0, false, false},
		{"B7.upd.3 B7.upd.4 signed by the other", update(scid(1), 0, 11, 0), 1, false, true},
		{"B7.upd.5 older", update(scid(1), 0, 10, -2*time.Hour), 0, false, false},
		{"B7.upd.5 as old, other content", update(scid(1), 0, 10, 0, at(hour)), 0, false, false},
		{"B7.upd.5 zero", update(scid(1), 0, 10, 0, at(0)), 0, false, false},
		{"one", update(scid(1), 0, 10, 0, at(1)), 0, false, false},
		{"B7.upd.6 last second", update(scid(1), 0, 10, 0, at(1<<32-1)), 0, false, false},
		{"B7.upd.6 25 h ahead", update(scid(1), 0, 10, 25*time.Hour), 0, false, false},
		{"23 h ahead", update(scid(1), 0, 10, 23*time.Hour), 1, true, false},
		{"the same again", update(scid(1), 0, 10, -time.Hour, at(hour+5)), 0, false, false},
		{"keep-alive", update(scid(1), 0, 10, -time.Hour, at(hour+uint32(keepAlive/time.Second))), 1, true, false},
		{"too long", update(scid(1), 0, 10, 0, func(u *lnwire.ChannelUpdate) { u.Extra = make([]byte, maxExtra+1) }), 0, false, false},
		{"B7.upd.2 unknown channel", update(scid(9), 0, 10, 0), 0, false, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			b := woken(t)
			b.open(1)
			b.channelBetween(scid(1), 10, 11)
			b.verified = 0
			changes := len(b.changes)
			b.got(1, v.u)
			require.Equal(t, v.verified, b.verified)
			require.Equal(t, v.taken, len(b.changes) > changes)
			require.Equal(t, v.dropped, len(b.dropped) > 0)
		})
	}
}

// TestZeroTimestamp: V-48: at the beginning of time 0 is a timestamp like another.
func TestZeroTimestamp(t *testing.T) {
	b := woken(t)
	b.now = time.Unix(1000, 0)
	b.open(1)
	b.got(1, b.announcement(scid(1), 10, 11))
	zero := func(u *lnwire.ChannelUpdate) { u.Timestamp = 0 }
	b.got(1, update(scid(1), 0, 10, 0, zero))
	c, _ := b.m.Channel(scid(1))
	require.NotNil(t, c.Policies[0])
	b.got(1, update(scid(1), 0, 10, time.Second, zero))
	require.Equal(t, uint64(2), b.m.Counts().Accepted)
	b.got(1, nodeAnn(10, 0, func(a *lnwire.NodeAnnouncement) { a.Timestamp = 0 }))
	n, _, _ := b.m.Node(key(10))
	require.True(t, n.Announced)
}

// TestStaleUpdate: B7.prune.4.
func TestStaleUpdate(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.got(1, b.announcement(scid(1), 10, 11))
	b.got(1, update(scid(1), 0, 10, -stale-time.Second))
	c, _ := b.m.Channel(scid(1))
	require.Nil(t, c.Policies[0])
	require.Empty(t, b.dropped)
	b.got(1, update(scid(1), 0, 10, -stale+time.Second))
	c, _ = b.m.Channel(scid(1))
	require.NotNil(t, c.Policies[0])
}

// TestImpossibleLimits: B7.upd.9: told on, but nothing is routed.
func TestImpossibleLimits(t *testing.T) {
	for _, f := range []func(*lnwire.ChannelUpdate){
		func(u *lnwire.ChannelUpdate) { u.HTLCMaximum = 1_000_000_001 },
		func(u *lnwire.ChannelUpdate) { u.HTLCMaximum = 999 },
		func(u *lnwire.ChannelUpdate) { u.ChannelFlags |= lnwire.UpdateDisabled },
	} {
		b := woken(t)
		b.open(1)
		b.open(2)
		b.got(2, filterAll)
		b.got(1, b.announcement(scid(1), 10, 11))
		b.got(1, update(scid(1), 0, 10, 0, f))
		c, _ := b.m.Channel(scid(1))
		require.True(t, c.Policies[0].Disabled)
		b.later(time.Minute)
		require.Len(t, heard[*lnwire.ChannelUpdate](b, 2), 1)
	}
}

// TestNodeRules: B7.node.1, B7.node.2, B7.node.3, B7.node.4, B7.node.5, B7.node.6.
func TestNodeRules(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.open(2)
	b.got(2, filterAll)
	b.got(1, nodeAnn(10, 0)) // B7.node.1: waits
	require.Zero(t, b.verified)
	b.channelBetween(scid(1), 10, 11)
	n, _, ok := b.m.Node(key(10))
	require.True(t, ok)
	require.True(t, n.Announced)
	b.later(time.Minute)
	require.Len(t, heard[*lnwire.NodeAnnouncement](b, 2), 1) // B7.node.5

	b.verified = 0
	b.got(1, nodeAnn(10, 0))
	b.got(1, nodeAnn(10, -1))
	b.got(1, nodeAnn(10, 0, func(a *lnwire.NodeAnnouncement) { a.RGB[0] = 1 }))
	b.got(1, nodeAnn(10, 25*time.Hour))
	require.Zero(t, b.verified) // B7.node.4

	// B7.node.6: two names are taken, and not passed on.
	name := []byte{5, 1, 'a', 1, 1}
	b.got(1, nodeAnn(10, time.Second, func(a *lnwire.NodeAnnouncement) { a.RawAddrs = append(name, name...) }))
	n, _, _ = b.m.Node(key(10))
	require.Equal(t, uint32(testNow.Unix()+1), n.Updated)
	b.later(time.Minute)
	require.Len(t, heard[*lnwire.NodeAnnouncement](b, 2), 1)

	bad := nodeAnn(10, 2*time.Second) // B7.node.2, B7.node.3
	bad.Sig[9]++
	b.got(1, bad)
	require.Contains(t, b.dropped, key(1))
	n, _, _ = b.m.Node(key(10))
	require.Equal(t, uint32(testNow.Unix()+1), n.Updated)
}

// TestRates: B7.limit.1, and V-47: forged updates use up nobody's share.
func TestRates(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.channelBetween(scid(1), 10, 11)
	for i := range 50 {
		b.open(100 + i)
		u := update(scid(1), 0, 10, time.Duration(i)*time.Second)
		u.Sig[0]++
		b.got(100+i, u)
		require.Contains(t, b.dropped, key(100+i))
	}
	b.got(1, update(scid(1), 0, 10, time.Second))
	c, _ := b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()+1), c.Policies[0].Updated)
	for i := range 30 {
		b.got(1, update(scid(1), 0, 10, time.Duration(2+i)*time.Second))
	}
	c, _ = b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()+9), c.Policies[0].Updated, "10 in a burst")
	require.Equal(t, uint64(22), b.m.Counts().Limited)
	b.later(2 * time.Minute)
	b.got(1, update(scid(1), 0, 10, time.Hour))
	c, _ = b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()+3600), c.Policies[0].Updated)
	b.got(1, update(scid(1), 1, 11, time.Hour))
	c, _ = b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()+3600), c.Policies[1].Updated, "the other direction has its own")
}

// TestFaults: who sends channels without a funding is dropped after many.
func TestFaults(t *testing.T) {
	b := woken(t)
	b.open(2) // is synchronised with
	b.open(1)
	for i := range banFaults {
		require.Empty(t, b.dropped)
		b.got(1, announcement(scid(i), 10, 11))
	}
	require.Contains(t, b.dropped, key(1))
}

// TestFundingScript: B7.chan.6: the script is that of BOLT 3's funding output, in
// whichever order the keys come.
func TestFundingScript(t *testing.T) {
	a, err := lnwire.ParsePubKey("023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb")
	require.NoError(t, err)
	b, err := lnwire.ParsePubKey("030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c1")
	require.NoError(t, err)
	const want = "0020c015c4a6be010e21657068fc2e6a9d02b27ebe4d490a25846f7237f104d1a3cd"
	require.Equal(t, want, hex.EncodeToString(fundingScript(a, b)))
	require.Equal(t, want, hex.EncodeToString(fundingScript(b, a)))
}

// TestRealSignatures: the checks are those of the spec.
func TestRealSignatures(t *testing.T) {
	b := woken(t)
	b.open(1)
	a := announcement(scid(1), 10, 11)
	var keys []*btcec.PrivateKey
	for i, p := range []*lnwire.PubKey{&a.NodeID1, &a.NodeID2, &a.BitcoinKey1, &a.BitcoinKey2} {
		k, _ := btcec.PrivKeyFromBytes([]byte{byte(i + 1)})
		keys = append(keys, k)
		*p = lnwire.NewPubKey(k.PubKey())
	}
	if string(a.NodeID1[:]) > string(a.NodeID2[:]) {
		a.NodeID1, a.NodeID2 = a.NodeID2, a.NodeID1
		keys[0], keys[1] = keys[1], keys[0]
	}
	h := a.SignedDigest()
	for i, s := range []*lnwire.Sig{&a.NodeSig1, &a.NodeSig2, &a.BitcoinSig1, &a.BitcoinSig2} {
		*s = lnwire.NewSig(ecdsa.Sign(keys[i], h[:]))
	}
	fx := b.m.Step(b.now, Received{key(1), a})
	require.Len(t, fx.Verify, 1)
	for _, c := range fx.Verify[0].Checks {
		require.True(t, c.OK())
		c.Digest[0]++
		require.False(t, c.OK())
	}
}
