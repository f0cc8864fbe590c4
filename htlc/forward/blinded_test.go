package forward

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// blinded is an HTLC from alice inside a blinded path, or at its beginning, that is told to go to next.
func blinded(id uint64, inside bool, next onion.RecipientData, amount lnwire.MilliSat) htlc.Locked {
	l := good(id)
	l.HTLC.Amount = amount
	l.Onion = &onion.Packet{byte(id)}
	l.Opened.Payload = &onion.Payload{EncryptedRecipientData: []byte{}}
	next.Relay = &onion.PaymentRelay{CLTVDelta: 40, FeeBase: 1000, FeePPM: 100}
	next.Constraints = &onion.PaymentConstraints{MaxExpiry: height + 200, HTLCMinimum: 1000}
	l.Opened.Blinded = &onion.Blinded{Data: next, Next: lnwire.PubKey{3, byte(id)}}
	l.Opened.Introduces = !inside
	if inside {
		l.HTLC.PathKey = &lnwire.PubKey{2, 7}
	}
	return l
}

func byChannel(id lnwire.ShortChannelID) onion.RecipientData {
	return onion.RecipientData{ShortChannelID: &id}
}

// B4.bfwd.1, B4.bfwd.6: amount and expiry come from the relay parameters, and the path key goes along, also to
// another channel when the first refuses. B4.blind.7.
func TestForwardsInsideABlindedPath(t *testing.T) {
	for _, inside := range []bool{true, false} {
		s := world()
		l := blinded(1, inside, byChannel(102), 1_001_100)
		fx := s.Step(t0, LockedIn{HTLC: l})
		require.Len(t, fx.Add, 1)
		add := fx.Add[0]
		require.EqualValues(t, 2, add.ChanNum)
		require.EqualValues(t, 1_000_000, add.Amount)
		require.Equal(t, height+60, add.Expiry)
		require.Equal(t, &lnwire.PubKey{3, 1}, add.PathKey)
		fx = s.Step(t0, Refused{htlc.Refusal{ChanNum: 2, Origin: add.Origin, Reason: htlc.NoBalance}})
		require.Len(t, fx.Add, 1)
		require.EqualValues(t, 3, fx.Add[0].ChanNum)
		require.Equal(t, add.PathKey, fx.Add[0].PathKey)
	}
	fx := world().Step(t0, LockedIn{HTLC: blinded(2, true, onion.RecipientData{NextNode: &carol}, 1_001_100)})
	require.Len(t, fx.Add, 1)
	require.EqualValues(t, 3, fx.Add[0].ChanNum, "the emptiest that fits")
}

// The amount that goes on is rounded up, which may cost a millisatoshi of the fee.
func TestRoundingInsideABlindedPath(t *testing.T) {
	for amount := lnwire.MilliSat(1_001_100); amount < 1_001_400; amount++ {
		fx := world().Step(t0, LockedIn{HTLC: blinded(1, true, byChannel(102), amount)})
		require.Len(t, fx.Add, 1, "%d", amount)
	}
	poor := blinded(1, true, byChannel(102), 1_001_100)
	poor.Opened.Blinded.Data.Relay.FeeBase = 997
	require.Empty(t, world().Step(t0, LockedIn{HTLC: poor}).Add)
}

// B4.blind.2, B4.blind.10: whatever the reason, ours or behind us, the answer is one for those inside and one for
// an introduction node, whose answer waits.
func TestFailuresOfABlindedPath(t *testing.T) {
	check := func(t *testing.T, l htlc.Locked, fx Effects) {
		t.Helper()
		require.Empty(t, fx.Add)
		require.Len(t, fx.Resolve, 1)
		r, sum := fx.Resolve[0], sha256.Sum256(l.Onion[:])
		if l.HTLC.PathKey != nil {
			require.Equal(t, htlc.Resolution{Kind: htlc.Malformed, OnionSHA256: sum, Code: uint16(onion.InvalidOnionBlinding)}, r.Resolution)
			require.Nil(t, r.Late)
			return
		}
		require.NotNil(t, r.Late)
		require.Equal(t, onion.Failure{Code: onion.InvalidOnionBlinding, OnionSHA256: sum}, failureOf(t, fx, l))
	}
	for _, inside := range []bool{true, false} {
		off := world()
		off.cfg.RejectBlinded = true
		good := blinded(1, inside, byChannel(102), 1_001_100)
		check(t, good, off.Step(t0, LockedIn{HTLC: good}))
		for name, change := range map[string]func(*htlc.Locked){
			"unknown channel": func(l *htlc.Locked) { *l.Opened.Blinded.Data.ShortChannelID = 999 },
			"unknown node": func(l *htlc.Locked) {
				l.Opened.Blinded.Data.ShortChannelID, l.Opened.Blinded.Data.NextNode = nil, &lnwire.PubKey{3, 9}
			},
			"below minimum":   func(l *htlc.Locked) { l.Opened.Blinded.Data.Relay.FeeBase = 1_001_000 },
			"past its time":   func(l *htlc.Locked) { l.Opened.Blinded.Data.Constraints.MaxExpiry = height + 99 },
			"delta too small": func(l *htlc.Locked) { l.Opened.Blinded.Data.Relay.CLTVDelta = 39 },
			"too much dust":   func(l *htlc.Locked) { l.Unfit = htlc.UnfitDust },
			"too far":         func(l *htlc.Locked) { l.HTLC.Expiry = height + 2017 },
			"invalid payload": func(l *htlc.Locked) {
				l.Opened.Payload, l.Opened.Invalid = nil, &onion.Failure{Code: onion.InvalidOnionPayload}
			},
			"unreadable layer": func(l *htlc.Locked) { l.Opened.Bad = &onion.BadOnion{Code: onion.InvalidOnionBlinding} },
		} {
			t.Run(name, func(t *testing.T) {
				l := blinded(1, inside, byChannel(102), 1_001_100)
				change(&l)
				check(t, l, world().Step(t0, LockedIn{HTLC: l}))
			})
		}
		for _, r := range []htlc.Resolution{
			{Kind: htlc.Failed, Reason: make([]byte, 292)}, {Kind: htlc.TimedOut},
			{Kind: htlc.Malformed, Code: uint16(onion.InvalidOnionBlinding), OnionSHA256: [32]byte{8}},
		} {
			s := world()
			l := blinded(1, inside, byChannel(102), 1_001_100)
			add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
			check(t, l, s.Step(t0, Ended{htlc.Outcome{Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing}, Origin: add.Origin, Resolution: r}}))
		}
	}
}
