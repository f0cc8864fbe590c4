package forward

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// attributed is an HTLC from alice that was locked in two seconds before t0.
func attributed() htlc.Locked {
	l := good(7)
	l.Attribute, l.HTLC.LockedAt = true, t0.Add(-2*time.Second)
	l.HTLC.Accountable = lnwire.AccountableTrial
	return l
}

// ends are ends of an HTLC at the node behind us, which had it for half a second.
func ends() (secret lnwire.Secret, preimage, failure htlc.Resolution) {
	behind := htlc.Fault{Secret: lnwire.Secret{77}, LockedAt: t0.Add(time.Second), Attribute: true}
	at := t0.Add(1500 * time.Millisecond)
	return behind.Secret, behind.Fulfil(lnwire.Preimage{9}, nil, at), behind.With(onion.Failure{Code: onion.TemporaryNodeFailure}, at)
}

// B4.attr.1, B4.attr.2, B4.attr.5: what came with the end of the outgoing HTLC goes on with the answer, with our
// own hold time before it, counted from when the incoming one was locked in: over a
// restart, too, and whether the incoming HTLC or the outcome is told first then.
func TestAttributionIsPassedOn(t *testing.T) {
	l := attributed()
	secret, preimage, failure := ends()
	secrets := []lnwire.Secret{l.Opened.Secret, secret}
	for _, r := range []htlc.Resolution{preimage, failure} {
		out := htlc.Outcome{Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: 4}, Origin: htlc.Forward(l.HTLC), Amount: 1_000_000, Resolution: r}
		check := func(fx Effects) {
			t.Helper()
			require.Len(t, fx.Resolve, 1)
			answer := fx.Resolve[0].Resolution
			require.Equal(t, r.Kind, answer.Kind)
			require.Equal(t, []time.Duration{4 * time.Second, 500 * time.Millisecond},
				onion.ReadAttribution(secrets, answer.Reason, answer.Attribution))
		}
		s := world()
		require.Len(t, s.Step(t0, LockedIn{HTLC: l}).Add, 1)
		fx := s.Step(t0.Add(2*time.Second), Ended{out})
		check(fx)
		require.Equal(t, fx.Resolve, s.Step(t0.Add(time.Hour), LockedIn{HTLC: l}).Resolve, "once answered it is answered so again")

		s = New(DefaultConfig)
		s.Step(t0, Restarted{Height: height, Live: []Live{{Ref: out.Ref, Origin: out.Origin, Amount: out.Amount}}})
		s.Step(t0, LockedIn{HTLC: l, Again: true})
		check(s.Step(t0.Add(2*time.Second), Ended{out}))

		s = New(DefaultConfig)
		s.Step(t0, Restarted{Height: height, Outbox: []htlc.Outcome{out}})
		check(s.Step(t0.Add(2*time.Second), LockedIn{HTLC: l, Again: true}))
	}
}

// What ended in the chain, or was refused by us, begins with us.
func TestAttributionOfOurOwn(t *testing.T) {
	l := attributed()
	secrets := []lnwire.Secret{l.Opened.Secret, {77}}
	for _, r := range []htlc.Resolution{{Kind: htlc.TimedOut}, {Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{9}}} {
		s := world()
		add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
		fx := s.Step(t0.Add(time.Second), Ended{htlc.Outcome{Origin: add.Origin, Resolution: r}})
		answer := fx.Resolve[0].Resolution
		require.Equal(t, []time.Duration{3 * time.Second}, onion.ReadAttribution(secrets, answer.Reason, answer.Attribution))
	}
	lost := attributed()
	*lost.Opened.Payload.ShortChannelID = 999
	answer := world().Step(t0, LockedIn{HTLC: lost}).Resolve[0].Resolution
	require.Equal(t, []time.Duration{2 * time.Second}, onion.ReadAttribution(secrets, answer.Reason, answer.Attribution))
	plain := attributed()
	*plain.Opened.Payload.ShortChannelID, plain.Attribute = 999, false
	require.Nil(t, world().Step(t0, LockedIn{HTLC: plain}).Resolve[0].Resolution.Attribution)
}

// The accountability signal goes on with the HTLC, to each channel that is tried, and after
// a restart between lock-in and forward.
func TestSignalIsPassedOn(t *testing.T) {
	s := world()
	l := attributed()
	fx := s.Step(t0, LockedIn{HTLC: l, Again: true})
	require.Len(t, fx.Add, 1)
	require.Equal(t, lnwire.AccountableTrial, fx.Add[0].Accountable)
	fx = s.Step(t0, Refused{htlc.Refusal{ChanNum: 2, Origin: fx.Add[0].Origin, Reason: htlc.TooMany}})
	require.Len(t, fx.Add, 1)
	require.Equal(t, lnwire.AccountableTrial, fx.Add[0].Accountable)
	fx = s.Step(t0, Launch{AttemptID: 1, FirstHop: 102, Amount: 5000})
	require.Zero(t, fx.Add[0].Accountable, "our own say nothing")
}
