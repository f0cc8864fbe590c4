package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

const (
	aliasOfA lnwire.ShortChannelID = 16_000_001 << 40
	aliasOfB lnwire.ShortChannelID = 16_000_002 << 40
)

// aliased is a world whose nodes give aliases and trust each other.
func aliased(t *testing.T) *world {
	w := newWorld(t)
	w.a.alias, w.b.alias, w.a.trusts, w.b.trusts = aliasOfA, aliasOfB, true, true
	return w
}

func zeroConf() openOptions {
	o := usual
	o.private, o.alias, o.zeroConf = true, true, true
	return o
}

// TestKinds: B2.open.13, B2.open.16: every defined type reads back, those that were not
// negotiated and all others are refused.
func TestKinds(t *testing.T) {
	for _, k := range []Kind{
		{Format: commitment.StaticRemoteKey}, {Format: commitment.Anchors}, {commitment.StaticRemoteKey, true, false},
		{commitment.Anchors, true, false}, {commitment.Anchors, false, true}, {commitment.Anchors, true, true},
	} {
		got, ok := kindOf(k.Type(), everything)
		require.True(t, ok)
		require.Equal(t, k, got)
		less := everything
		switch {
		case k.ScidAlias:
			less = less.Without(lnwire.ScidAliasOptional)
		case k.ZeroConf:
			less = less.Without(lnwire.ZeroConfOptional)
		case k.Format == commitment.Anchors:
			less = less.Without(lnwire.AnchorsOptional)
		default:
			continue
		}
		_, ok = kindOf(k.Type(), less)
		require.False(t, ok)
	}
	for _, bad := range []lnwire.Features{
		nil, lnwire.NewFeatures(lnwire.ScidAliasRequired), lnwire.NewFeatures(lnwire.StaticRemoteKeyRequired, lnwire.ScidAliasOptional),
		lnwire.NewFeatures(lnwire.StaticRemoteKeyRequired, lnwire.QuiesceRequired),
	} {
		_, ok := kindOf(bad, everything)
		require.False(t, ok, bad.Bits())
	}
}

// TestAliases: B2.alias.1, B2.alias.2, B2.alias.3, B2.alias.4: both sides give aliases in
// channel_ready; of a channel with option_scid_alias the real id is neither taken from
// others nor told to them.
func TestAliases(t *testing.T) {
	for _, secret := range []bool{false, true} {
		w, o := aliased(t), usual
		o.private, o.alias = true, secret
		w.open(o)
		real := w.a.ch.core.SCID
		require.NotZero(t, real)
		for _, n := range w.nodes() {
			l := n.link
			require.Equal(t, n.alias, l.Alias)
			require.Equal(t, n.other.alias, l.PeerAlias)
			require.Equal(t, n.other.alias, l.Hint())
			require.Equal(t, real, l.Name(), "the operator's name")
			info := n.info()
			require.Equal(t, real, info.Name())
			want := []lnwire.ShortChannelID{n.alias}
			if !secret {
				want = []lnwire.ShortChannelID{real, n.alias}
			}
			require.Equal(t, want, l.Names())
			l.PeerAlias = 0
			require.Equal(t, secret, l.Hint() == 0)
			require.Equal(t, secret, n.ch.terms.Kind().ScidAlias)
		}
		n := w.a // another alias of the peer replaces the first
		other := aliasOfB + 1
		n.step(Received{Msg: &lnwire.ChannelReady{ChannelID: n.ch.id(), SecondPoint: n.ch.core.RemoteNext, Alias: &other}})
		n.step(Flush{})
		require.Equal(t, other, n.link.Hint())
		n.crash()
		n.step(Flush{})
		require.Equal(t, other, n.link.Hint())
	}
}

// TestPublicAliasType: B2.open.17: a channel that is to be announced has no secret id.
func TestPublicAliasType(t *testing.T) {
	w, o := aliased(t), usual
	o.alias = true
	w.ask(o)
	requireNotice(t, w.a, NoticeOpenFailed, "announced")
	w = aliased(t)
	o.private = true
	w.ask(o)
	w.b.inbox[0].(*lnwire.OpenChannel).Flags = lnwire.AnnounceChannel
	w.b.deliver(1)
	requireAborted(t, w.b, "announced")
}

// TestZeroConf: B2.zeroconf.3: channel_ready follows the signatures at once; the channel
// is used, confirms later, and is moved by a reorg without a word.
func TestZeroConf(t *testing.T) {
	w := aliased(t)
	o := zeroConf()
	o.private, o.alias = false, false // it is announced later
	w.ask(o)
	w.settle()
	for _, n := range w.nodes() {
		require.Equal(t, Open, n.ch.Phase())
		require.True(t, n.link.Up)
		require.Zero(t, n.link.SCID)
		require.Equal(t, n.alias, n.link.Name())
		require.Equal(t, []lnwire.ShortChannelID{n.alias}, n.link.Names())
		require.Zero(t, n.ch.terms.MinDepth)
	}
	w.a.add(90_000_000, 1)
	w.settle()
	require.Equal(t, htlc.Fit, w.b.locked[0].Unfit)
	w.b.fulfill(0, 1)
	w.settle()
	w.b.crash()
	w.connect()
	w.settle()
	require.True(t, w.b.link.Up)
	w.confirm(5)
	w.blocks(int(announceDepth))
	w.settle()
	for _, n := range w.nodes() {
		require.NotZero(t, n.link.SCID)
		require.Equal(t, n.alias, n.link.Name(), "the name stays")
		require.Equal(t, []lnwire.ShortChannelID{n.link.SCID, n.alias}, n.link.Names())
		require.NotNil(t, n.announced)
	}
	was := w.a.ch.core.SCID
	for _, n := range w.nodes() {
		n.step(Unconfirmed{Txid: w.conf.Tx.TxHash()})
		n.step(Flush{})
		require.True(t, n.link.Up)
	}
	w.confirm(9)
	require.NotEqual(t, was, w.a.ch.core.SCID)
	w.a.add(90_000_000, 2)
	w.settle()
	require.Equal(t, htlc.Fit, w.b.locked[len(w.b.locked)-1].Unfit)
}

// TestZeroConfNeedsTrust: B2.zeroconf.1, B2.zeroconf.2: it is refused unless the node says
// that the peer is trusted, and the depth is 0 on both sides.
func TestZeroConfNeedsTrust(t *testing.T) {
	w := aliased(t)
	w.b.trusts = false
	w.ask(zeroConf())
	w.b.deliver(1)
	requireAborted(t, w.b, "not taken from you")

	w = aliased(t)
	w.b.alias = 0
	w.ask(zeroConf())
	w.b.deliver(1)
	requireAborted(t, w.b, "not taken from you")

	w = aliased(t)
	w.a.alias = 0
	w.ask(zeroConf())
	requireNotice(t, w.a, NoticeOpenFailed, "alias")

	w = aliased(t)
	w.ask(zeroConf())
	w.b.deliver(1)
	m := w.a.inbox[0].(*lnwire.AcceptChannel)
	require.Zero(t, m.MinimumDepth)
	m.MinimumDepth = 3
	w.a.deliver(1)
	requireAborted(t, w.a, "minimum_depth")
}

// TestZeroConfNeverMined: B2.zeroconf.4: the operator hears of a trusted funding that does
// not confirm, after a day nothing more is taken that comes over the channel, and it is
// not forgotten as long as money of ours is in it.
func TestZeroConfNeverMined(t *testing.T) {
	for _, push := range []lnwire.MilliSat{0, 300_000_000} {
		w, o := aliased(t), zeroConf()
		o.push = push
		w.ask(o)
		w.settle()
		w.blocks(int(doubtAfter))
		requireNotice(t, w.b, NoticeUnconfirmed, "still taken")
		w.blocks(int(trustFor - doubtAfter))
		requireNotice(t, w.b, NoticeUnconfirmed, "no more")
		w.a.add(90_000_000, 1)
		w.settle()
		require.Equal(t, htlc.UnfitUnfunded, w.b.locked[0].Unfit)
		w.b.fail(0)
		w.settle()
		w.blocks(int(forgetAfter))
		require.Equal(t, push == 0, w.b.ch.Phase() == Closed)
		require.Equal(t, Open, w.a.ch.Phase())
		for _, n := range w.a.notices {
			require.NotEqual(t, NoticeUnconfirmed, n.Kind, "the funder trusts itself")
		}
	}
}

// TestZeroConfWrongFunding: V-01, V-58: what is mined under the funding's name is not the
// funding. The channel ends, and what was carried onwards over it went nowhere.
func TestZeroConfWrongFunding(t *testing.T) {
	w := aliased(t)
	w.ask(zeroConf())
	w.settle()
	w.b.add(90_000_000, 1)
	w.settle()
	tx := w.a.published[0].Copy()
	w.b.ch.terms.Capacity-- // as if the peer had said more than it funded
	w.b.quietLaw = true
	w.b.step(Confirmed{Tx: tx, At: blockRef(w.tip.Height + 1)})
	require.Equal(t, Closed, w.b.ch.Phase())
	require.Len(t, w.b.outcomes, 1)
	require.Equal(t, htlc.TimedOut, w.b.outcomes[0].Resolution.Kind)
}

func requireNotice(t *testing.T, n *node, kind NoticeKind, text string) {
	t.Helper()
	for _, x := range n.notices {
		if x.Kind == kind {
			require.Contains(t, x.Text, text)
			n.notices = nil
			return
		}
	}
	require.FailNow(t, "no notice", "%v: %s", kind, text)
}
