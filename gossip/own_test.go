package gossip

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// us is the number of the box's own node.
const us = 1000

// link is a public channel of ours with node 1, which has the lesser id.
func link(change ...func(*OwnLink)) OwnLink {
	l := OwnLink{
		ChanNum: 7, Peer: key(1), SCID: scid(1), Alias: 1 << 60, PeerAlias: 1<<60 + 1, Funding: wire.OutPoint{Index: 3},
		Capacity: 1_000_000, Up: true, Policy: OwnPolicy{FeeBase: 1000, FeePPM: 1, CLTVDelta: 80, Minimum: 1000, Maximum: 990_000_000},
	}
	for _, f := range change {
		f(&l)
	}
	return l
}

func verify(t *testing.T, u *lnwire.ChannelUpdate) {
	t.Helper()
	require.Equal(t, sig(u.SignedDigest(), key(us)), u.Sig)
}

// TestOwnPrivate: B7.own.2, B7.own.4, B7.own.5: told to the peer alone.
func TestOwnPrivate(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.open(2)
	b.got(2, filterAll)
	down := link(func(l *OwnLink) { l.Private, l.Up, l.SCID = true, false, 0 })
	b.step(down)
	require.Nil(t, b.m.OwnUpdate(7), "B7.own.2")
	up := down
	up.Up = true
	b.step(up)
	list := heard[*lnwire.ChannelUpdate](b, 1)
	require.Len(t, list, 1)
	u := list[0]
	require.Equal(t, b.m.OwnUpdate(7).Sig, u.Sig)
	verify(t, u)
	require.Equal(t, lnwire.ShortChannelID(1<<60+1), u.SCID)
	require.Equal(t, lnwire.UpdateMustBeOne|lnwire.UpdateDontForward, u.MessageFlags)
	require.Equal(t, lnwire.UpdateDirection, u.ChannelFlags) // B7.own.3
	require.Equal(t, lnwire.MilliSat(990_000_000), u.HTLCMaximum)
	b.step(up) // B7.own.9
	b.later(time.Hour)
	require.Len(t, b.own, 1)
	b.step(down) // the peer sees that itself
	b.later(time.Hour)
	require.Len(t, b.own, 1)
	b.step(Closed{key(1)})
	b.open(1)
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), 2, "told again when it connects")
	require.Empty(t, gossipTo(b, 2))

	// The peer's own update, by our alias.
	theirs := update(1<<60, 0, 1, 0)
	b.got(2, theirs)
	require.Empty(t, b.theirs, "not from anybody else")
	b.got(1, theirs)
	require.Equal(t, []PeerUpdate{{7, *policyOf(theirs, 1_000_000)}}, b.theirs)
	require.Equal(t, uint32(1000), b.m.PeerPolicy(7).FeeBase)
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), 3, "told again: it may have come too early by the alias")
	b.got(1, update(1<<60, 0, 2, 0))
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), 3, "but not for ever")
	c, ok := b.m.Channel(1 << 60)
	require.True(t, ok)
	require.True(t, c.Private)
	require.Equal(t, []Channel{c}, b.m.PrivateChannels())
	require.NotNil(t, c.Policies[0])
	require.NotNil(t, c.Policies[1])
	require.Empty(t, b.m.Channels(0, 9))

	// B7.own.5
	for _, v := range []struct {
		p        OwnPolicy
		min, max lnwire.MilliSat
	}{
		{OwnPolicy{}, 0, 1_000_000_000}, {OwnPolicy{Maximum: 1 << 60, Minimum: 5}, 5, 1_000_000_000}, {OwnPolicy{Maximum: 10, Minimum: 50}, 10, 10},
	} {
		up.Policy = v.p
		b.step(up)
		require.Equal(t, []lnwire.MilliSat{v.min, v.max}, []lnwire.MilliSat{b.m.OwnUpdate(7).HTLCMinimum, b.m.OwnUpdate(7).HTLCMaximum})
	}
	up.Ended = true
	b.step(up)
	require.Nil(t, b.m.OwnUpdate(7))
	require.NotContains(t, b.rows, ownKey(7))
}

// TestOwnPublic: B7.own.1, B7.own.3, B7.own.6, B7.own.7.
func TestOwnPublic(t *testing.T) {
	for _, early := range []bool{true, false} {
		b := woken(t)
		b.open(1)
		b.open(2)
		alias, _ := lnwire.NewAlias("fulgur")
		b.step(OwnNode{Alias: alias})
		a := announcement(scid(1), 1, us)
		if early {
			b.step(OwnChannel{a})
			b.step(link())
		} else {
			b.step(link())
			require.Len(t, b.own, 1)
			first := b.own[0].Update
			require.NotZero(t, first.MessageFlags&lnwire.UpdateDontForward)
			b.step(OwnChannel{a})
			// or lnd keeps the first and does not pass the second on
			require.NotEqual(t, first.HTLCMaximum, b.m.OwnUpdate(7).HTLCMaximum)
		}
		u := b.m.OwnUpdate(7)
		verify(t, u)
		require.Equal(t, scid(1), u.SCID)
		require.Equal(t, lnwire.UpdateMustBeOne, u.MessageFlags)
		require.Zero(t, b.verified)
		// Without any filter, and without waiting for the batch.
		list := gossipTo(b, 2)
		require.Len(t, list, 3)
		require.Equal(t, a, list[0])
		require.Equal(t, u.Sig, list[1].(*lnwire.ChannelUpdate).Sig)
		require.Equal(t, alias, list[2].(*lnwire.NodeAnnouncement).Alias)
		c, _ := b.m.Channel(scid(1))
		require.Equal(t, wire.OutPoint{Index: 3}, c.OutPoint)

		// B7.own.6: also when the clock stands still, or goes back, and over restarts.
		last := u.Timestamp
		for i := range 5 {
			b.now = b.now.Add(-time.Minute)
			if i%2 == 1 {
				b = b.restart()
				b.step(Block{Block: lnwire.BlockRef{Height: 1001}})
				require.Equal(t, last, b.m.OwnUpdate(7).Timestamp)
			}
			b.step(OwnNode{Alias: alias, Color: lnwire.RGB{byte(i + 1)}})
			n, _, _ := b.m.Node(key(us))
			require.Equal(t, byte(i+1), n.Color[0])
			b.step(link(func(l *OwnLink) { l.Policy.FeePPM = uint32(i + 50) }))
			require.Equal(t, last+1, b.m.OwnUpdate(7).Timestamp)
			require.Equal(t, uint32(i+50), b.m.OwnUpdate(7).FeePPM)
			last++
		}
		n, _, _ := b.m.Node(key(us))
		require.Equal(t, uint32(testNow.Unix())+5, n.Updated)

		// A later update in our name is about, from before a loss of data.
		b.open(1)
		b.got(1, update(scid(1), 1, us, time.Hour))
		require.Equal(t, uint32(testNow.Add(time.Hour).Unix())+1, b.m.OwnUpdate(7).Timestamp)
		require.Equal(t, uint32(54), b.m.OwnUpdate(7).FeePPM)
		b.got(1, nodeAnn(us, time.Hour))
		n, _, _ = b.m.Node(key(us))
		require.Equal(t, uint32(testNow.Add(time.Hour).Unix())+1, n.Updated)
		require.Equal(t, alias, n.Alias)
	}
}

// TestPeerPolicyOutlivesRestart: what the peer of a public channel asks for is known at
// once: it will not say again what we have.
func TestPeerPolicyOutlivesRestart(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.step(OwnNode{})
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	b.got(1, update(scid(1), 0, 1, 0))
	require.Len(t, b.theirs, 1)
	want := b.theirs[0]
	b = b.restart()
	b.step(Block{Block: lnwire.BlockRef{Height: 1001}})
	b.step(link(func(l *OwnLink) { l.Up = false }))
	require.Equal(t, []PeerUpdate{want}, b.theirs)
	b.step(link())
	require.Len(t, b.theirs, 1)
	b.open(1)
	b.got(1, update(scid(1), 0, 1, 0))
	require.Len(t, b.theirs, 1)
}

// TestToldAgainWhenThePeerKnowsTheChannel: LDK throws away what it hears of us before it
// has made the announcement itself; its own public update says that it has.
func TestToldAgainWhenThePeerKnowsTheChannel(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.step(OwnNode{})
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	require.Empty(t, heard[*lnwire.ChannelAnnouncement](b, 1), "it makes that itself, and lnd takes ours for an offence")
	before, nodes := len(heard[*lnwire.ChannelUpdate](b, 1)), len(heard[*lnwire.NodeAnnouncement](b, 1))
	b.got(1, update(scid(1), 0, 1, 0))
	list := heard[*lnwire.ChannelUpdate](b, 1)
	require.Len(t, list, before+1)
	require.Equal(t, b.m.OwnUpdate(7).Sig, list[before].Sig)
	require.Len(t, heard[*lnwire.NodeAnnouncement](b, 1), nodes+1)
}

// TestToldAgainByARepetition: what it says then it has said before, for itself alone.
func TestToldAgainByARepetition(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.step(link())
	theirs := update(scid(1), 0, 1, 0)
	b.got(1, theirs)
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	before := len(heard[*lnwire.ChannelUpdate](b, 1))
	b.got(1, theirs)
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), before+1)
}

// TestToldAgainAfterAnUpdateUnderWay: its update for us alone, sent before it knew of the
// announcement, arrives behind that: what follows from it comes too early. The same words
// for everybody follow.
func TestToldAgainAfterAnUpdateUnderWay(t *testing.T) {
	b := woken(t)
	b.open(1)
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	before := len(heard[*lnwire.ChannelUpdate](b, 1))
	theirs := update(scid(1), 0, 1, 0)
	b.got(1, theirs)
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), before+1)
	b.got(1, theirs)
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), before+2)
	for range 10 {
		b.got(1, theirs)
	}
	require.Len(t, heard[*lnwire.ChannelUpdate](b, 1), before+shownMax, "but not for ever")
}

// TestPeersUpdateBeforeTheChannelIsPublic: the peer was quicker: its public update,
// told before we have the announcement, is in the map and passed on once we do.
func TestPeersUpdateBeforeTheChannelIsPublic(t *testing.T) {
	for _, byPeer := range []bool{true, false} {
		b := woken(t)
		b.open(1)
		b.open(2)
		b.got(2, filterAll)
		b.step(link())
		theirs := update(scid(1), 0, 1, 0)
		b.got(1, theirs)
		if byPeer {
			b.got(1, b.announcement(scid(1), 1, us))
		} else {
			b.step(OwnChannel{announcement(scid(1), 1, us)})
		}
		c, ok := b.m.Channel(scid(1))
		require.True(t, ok)
		require.NotNil(t, c.Policies[0], "by peer: %v", byPeer)
		b.later(time.Hour)
		require.Contains(t, gossipTo(b, 2), lnwire.Message(theirs))
	}
}

// TestDisable: B7.own.8.
func TestDisable(t *testing.T) {
	b := woken(t)
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	off := func() bool { return b.m.OwnUpdate(7).ChannelFlags&lnwire.UpdateDisabled != 0 }
	down := func(l *OwnLink) { l.Up = false }
	b.later(time.Hour)
	b.step(link(down))
	b.later(19 * time.Minute)
	require.False(t, off())
	b.step(link())
	b.step(link(down))
	b.later(19 * time.Minute)
	require.False(t, off(), "it was back meanwhile")
	b.later(time.Minute)
	require.True(t, off())
	b.step(link())
	require.False(t, off())
	b.step(link(func(l *OwnLink) { l.Policy.Disabled = true }))
	require.True(t, off())
	b.step(link())
	require.False(t, off())
	b.step(link(func(l *OwnLink) { l.Ended = true }))
	require.True(t, off())
	c, _ := b.m.Channel(scid(1))
	require.True(t, c.Policies[1].Disabled)
	b.step(Block{Block: lnwire.BlockRef{Height: 1001}, Spent: []wire.OutPoint{{Index: 3}}})
	b.step(Block{Block: lnwire.BlockRef{Height: 1073}})
	b.later(time.Minute)
	require.Nil(t, b.m.OwnUpdate(7))
	require.NotContains(t, b.rows, ownKey(7))
}

// TestRefresh: B7.own.9: made again before it is stale, and our channel is not pruned.
func TestRefresh(t *testing.T) {
	b := woken(t)
	b.step(OwnNode{})
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	n := len(b.own)
	b.later(13*24*time.Hour - time.Second)
	require.Len(t, b.own, n)
	b.later(3 * time.Second)
	require.Len(t, b.own, n+1)
	b.later(60 * 24 * time.Hour)
	_, ok := b.m.Channel(scid(1))
	require.True(t, ok)
	require.Equal(t, uint32(b.now.Unix()), b.m.OwnUpdate(7).Timestamp)
	view, _, _ := b.m.Node(key(us))
	require.Equal(t, uint32(b.now.Unix()), view.Updated)
}

// TestSignerAway: what is owed is signed later, in its newest form.
func TestSignerAway(t *testing.T) {
	b := woken(t)
	b.deaf = true
	b.step(OwnNode{})
	b.step(link())
	b.step(OwnChannel{announcement(scid(1), 1, us)})
	require.Nil(t, b.m.OwnUpdate(7))
	b.deaf = false
	b.step(Tick{})
	require.NotNil(t, b.m.OwnUpdate(7))
	// While one is being signed the policy changes.
	b.stopped = true
	b.step(link(func(l *OwnLink) { l.Policy.FeePPM = 5 }))
	b.step(link(func(l *OwnLink) { l.Policy.FeePPM = 6 }))
	b.goOn()
	require.Equal(t, uint32(6), b.m.OwnUpdate(7).FeePPM)
}

// TestBadRows: what cannot be used is deleted, and does no harm.
func TestBadRows(t *testing.T) {
	b := mapped(t, 3)
	b.step(link())
	for k, v := range b.rows {
		for _, bad := range [][]byte{nil, {}, {9}, v[:len(v)-1], append([]byte{2}, v[1:]...)} {
			c := woken(t)
			c.rows[k] = bad
			fx := c.m.Restore(Row{k, bad})
			require.Equal(t, []Row{{k, nil}}, fx.Rows, "%v %x", k, bad)
		}
	}
	want := b.m.Channels(0, 100)
	require.Len(t, want, 3)
	c := b.restart()
	require.Equal(t, want, c.m.Channels(0, 100))
	require.Equal(t, b.m.Nodes(lnwire.PubKey{}, 100), c.m.Nodes(lnwire.PubKey{}, 100))
	require.Equal(t, b.m.Info(), c.m.Info())
	require.Equal(t, b.rows, c.rows)
	require.Equal(t, b.m.OwnUpdate(7), c.m.OwnUpdate(7))
}

// TestTimestampsAfterLoss: B7.own.6: the rows of an earlier run are lost and the clock has
// gone back; what we tell is newer than what we told all the same. New channels later on
// follow the clock.
func TestTimestampsAfterLoss(t *testing.T) {
	floor := uint32(testNow.Unix()) + 1000
	b := woken(t, func(c *Config) { c.Floor = floor })
	b.open(1)
	b.step(link(func(l *OwnLink) { l.Private = true }))
	require.Equal(t, floor+1, b.m.OwnUpdate(7).Timestamp)
	b.step(link(func(l *OwnLink) { l.Private, l.Policy.FeePPM = true, 9 }))
	require.Equal(t, floor+2, b.m.OwnUpdate(7).Timestamp)
	b.later(time.Hour)
	b.step(link(func(l *OwnLink) {
		l.Private, l.ChanNum, l.PeerAlias, l.SCID, l.Alias = true, 8, 1<<60+2, scid(2), 1<<60+3
	}))
	require.Equal(t, uint32(b.now.Unix()), b.m.OwnUpdate(8).Timestamp)
}
