package forward

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestNoticesHaveNumbers: subscribers hear of an HTLC when a channel has signed for it,
// with the numbers of both sides, once; and of our own attempts as of forwards.
func TestNoticesHaveNumbers(t *testing.T) {
	s := world()
	l := good(7)
	fx := s.Step(t0, LockedIn{HTLC: l})
	require.Empty(t, fx.Tell, "a channel may still refuse it")
	origin := fx.Add[0].Origin
	out := htlc.Ref{ChanNum: 3, Dir: htlc.Outgoing, ID: 12}
	fx = s.Step(t0, Signed{Ref: out, Origin: origin})
	require.Len(t, fx.Tell, 1)
	require.Equal(t, Forwarded, fx.Tell[0].Kind)
	require.Equal(t, []any{l.HTLC.Ref, out, lnwire.ShortChannelID(103), height + 60}, []any{fx.Tell[0].In, fx.Tell[0].Out, fx.Tell[0].OutSCID, fx.Tell[0].ExpiryOut})
	require.Empty(t, s.Step(t0, Signed{Ref: out, Origin: origin}).Tell)
	fx = s.Step(t0, Ended{htlc.Outcome{Ref: out, Origin: origin, Resolution: htlc.Resolution{Kind: htlc.TimedOut}}})
	require.Equal(t, FailedBack, fx.Tell[0].Kind)
	require.Equal(t, out, fx.Tell[0].Out)
	require.Empty(t, s.Step(t0, Signed{Ref: out, Origin: origin}).Tell, "it is over")

	launch := Launch{AttemptID: 5, FirstHop: 102, Amount: 4000, Expiry: height + 50}
	add := s.Step(t0, launch).Add[0]
	ref := htlc.Ref{ChanNum: add.ChanNum, Dir: htlc.Outgoing, ID: 13}
	for i := range 2 {
		fx = s.Step(t0, Signed{Ref: ref, Origin: add.Origin})
		require.Len(t, fx.Tell, 1-i)
		if i == 0 {
			require.Equal(t, Notice{
				Kind: Forwarded, AttemptID: 5, Out: ref, OutSCID: 102, AmountOut: 4000, ExpiryOut: height + 50,
			}, fx.Tell[0])
		}
	}
	p := lnwire.Preimage{3}
	end := Ended{htlc.Outcome{Ref: ref, Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: p}}}
	fx = s.Step(t0, end)
	require.Equal(t, []any{Settled, uint64(5), ref, p}, []any{fx.Tell[0].Kind, fx.Tell[0].AttemptID, fx.Tell[0].Out, fx.Tell[0].Preimage})
	require.Empty(t, s.Step(t0, end).Tell)

	launch.AttemptID, launch.Amount = 6, 1e12
	fx = s.Step(t0, launch)
	require.Len(t, fx.Results, 1)
	require.Equal(t, []any{RefusedHere, uint64(6)}, []any{fx.Tell[0].Kind, fx.Tell[0].AttemptID})
	require.NotEmpty(t, fx.Tell[0].Text)
	require.Equal(t, htlc.InsufficientBalance, fx.Tell[0].Detail)
}
