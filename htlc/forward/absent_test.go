package forward

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// link is what world says of a channel, with the peer there or not.
func link(num uint64, up bool) LinkChanged {
	l := *world().links.byNum[num]
	l.Up = up
	return LinkChanged{l}
}

// returning is a switch after a restart, when the chain comes into sight and alice is
// there, and carol is not.
func returning() *Switch {
	s := world()
	s.Step(t0, Chain{})
	s.Step(t0, link(2, false))
	s.Step(t0, link(3, false))
	s.Step(t0, Chain{Current: true})
	return s
}

// TestNextComesBack: what a restart brings back is not failed because the next node is
// there a moment later.
func TestNextComesBack(t *testing.T) {
	for name, before := range map[string]bool{"the chain is seen later": true, "told when the chain was seen": false} {
		t.Run(name, func(t *testing.T) {
			s, l := returning(), good(7)
			var fx Effects
			if before {
				s = world()
				s.Step(t0, Chain{})
				s.Step(t0, link(2, false))
				s.Step(t0, link(3, false))
				fx = s.Step(t0, LockedIn{HTLC: l, Again: true})
				require.Empty(t, fx.Delta.Tags)
				fx = s.Step(t0, Chain{Current: true})
			} else {
				fx = s.Step(t0, LockedIn{HTLC: l, Again: true})
			}
			require.Len(t, fx.Delta.Tags, 1)
			require.Empty(t, fx.Resolve)
			require.Equal(t, t0.Add(gatherLimit), fx.Wake)

			fx = s.Step(t0.Add(time.Second), LockedIn{HTLC: l, Again: true}) // its channel picks itself up once more
			require.Empty(t, fx.Add)
			require.Empty(t, fx.Resolve)
			require.Empty(t, s.Step(t0.Add(time.Second), link(1, true)).Add, "that was alice")

			fx = s.Step(t0.Add(2*time.Second), link(3, true))
			require.Len(t, fx.Add, 1, "another channel to carol does as well")
			require.Equal(t, uint64(3), fx.Add[0].ChanNum)
			require.Equal(t, htlc.Forward(l.HTLC), fx.Add[0].Origin)
			require.Zero(t, fx.Wake)
			require.Empty(t, s.Step(t0.Add(3*time.Second), link(2, true)).Add, "it went once")
			require.Empty(t, s.Step(t0.Add(time.Hour), Tick{}).Resolve)
		})
	}
}

// TestNextStaysAway: after a while it is failed, and later ones are at once.
func TestNextStaysAway(t *testing.T) {
	s, l := returning(), good(7)
	require.Empty(t, s.Step(t0, LockedIn{HTLC: l, Again: true}).Resolve)
	end := t0.Add(gatherLimit)
	fx := s.Step(end.Add(-1), Tick{})
	require.Empty(t, fx.Resolve)
	require.Equal(t, end, fx.Wake)
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, s.Step(end, Tick{}), l).Code)
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, s.Step(end, LockedIn{HTLC: good(8)}), good(8)).Code)

	s.Step(end, Chain{}) // away and back again: not a start
	s.Step(end.Add(time.Minute), Chain{Current: true})
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, s.Step(end.Add(time.Minute), LockedIn{HTLC: good(9)}), good(9)).Code)
}

// TestNothingToWaitFor: what fails for another reason than an absent node fails at once.
func TestNothingToWaitFor(t *testing.T) {
	disabled := link(2, false)
	disabled.Link.Policy.Disabled = true
	for _, c := range []struct {
		name string
		l    htlc.Locked
		link LinkChanged
		code onion.Code
	}{
		{"no such channel", locked(1, 999, 1_001_100, 1_000_000, height+100, height+60), link(2, false), onion.UnknownNextPeer},
		{"too small a fee", locked(1, 102, 1_000_500, 1_000_000, height+100, height+60), link(2, false), onion.FeeInsufficient},
		{"it was away before, and everybody was told", good(1), disabled, onion.ChannelDisabled},
		{"carol is there, without the money", locked(1, 102, 700_000_000, 600_000_000, height+100, height+60), link(2, true), onion.TemporaryChannelFailure},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := returning()
			s.Step(t0, c.link)
			require.Equal(t, c.code, failureOf(t, s.Step(t0, LockedIn{HTLC: c.l, Again: true}), c.l).Code)
		})
	}
}

// TestWaitsForNextAndMore: other things happen to what waits.
func TestWaitsForNextAndMore(t *testing.T) {
	t.Run("its channel goes to the chain", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		require.Equal(t, onion.PermanentChannelFailure, failureOf(t, s.Step(t0, LinkGone{ChanNum: 1, OnChain: true}), l).Code)
		require.Empty(t, s.Step(t0, link(2, true)).Add)
	})
	t.Run("the funding of its channel leaves the chain", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		l.Unfit = htlc.UnfitUnfunded
		require.Empty(t, s.Step(t0, LockedIn{HTLC: l, Again: true}).Resolve)
		require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, s.Step(t0, link(2, true)), l).Code)
	})
	t.Run("the next channel is closed", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		s.Step(t0, LinkGone{ChanNum: 2})
		require.Equal(t, onion.UnknownNextPeer, failureOf(t, s.Step(t0.Add(gatherLimit), Tick{}), l).Code)
	})
	t.Run("the chain goes out of sight", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		s.Step(t0, Chain{})
		require.Empty(t, s.Step(t0, link(2, true)).Add)
		require.Len(t, s.Step(t0.Add(time.Second), Chain{Current: true}).Add, 1)
	})
	t.Run("blocks come, and too little time is left", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		s.Step(t0, Block{Height: height + 58})
		require.Equal(t, onion.ExpiryTooSoon, failureOf(t, s.Step(t0, link(2, true)), l).Code)
	})
	t.Run("an interceptor has let it go for less", func(t *testing.T) {
		s, l := returning(), good(7)
		s.Step(t0, Intercepting{Present: true})
		require.Len(t, s.Step(t0, LockedIn{HTLC: l}).Offer, 1)
		require.Empty(t, s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Resume, Out: 5000}}).Resolve)
		fx := s.Step(t0, link(2, true))
		require.Len(t, fx.Add, 1)
		require.Equal(t, lnwire.MilliSat(5000), fx.Add[0].Amount)
	})
}
