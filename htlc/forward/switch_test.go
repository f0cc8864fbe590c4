package forward

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

var (
	alice = lnwire.PubKey{2, 0xa}
	carol = lnwire.PubKey{2, 0xc}
	t0    = time.Unix(1_700_000_000, 0)

	// payerPolicy is what the channels to carol ask for.
	carolPolicy = Policy{Base: 1000, PPM: 100, Delta: 40, Min: 1000, Max: 900_000_000}
)

const height lnwire.Height = 500

// world is a switch with a channel 1 to alice and channels 2 and 3 to carol.
func world() *Switch {
	s := New(DefaultConfig)
	s.Step(t0, Restarted{Height: height})
	s.Step(t0, LinkChanged{Link{ChanNum: 1, Peer: alice, SCIDs: []lnwire.ShortChannelID{101}, Up: true, Sendable: 1e9}})
	s.Step(t0, LinkChanged{Link{ChanNum: 2, Peer: carol, SCIDs: []lnwire.ShortChannelID{102, 1022}, Up: true, Sendable: 5e8,
		Policy: carolPolicy, Update: &lnwire.ChannelUpdate{SCID: 102}}})
	s.Step(t0, LinkChanged{Link{ChanNum: 3, Peer: carol, SCIDs: []lnwire.ShortChannelID{103}, Up: true, Sendable: 2e8,
		Policy: carolPolicy, Update: &lnwire.ChannelUpdate{SCID: 103}}})
	return s
}

// locked is an HTLC from alice that asks to be carried to scid.
func locked(id uint64, scid lnwire.ShortChannelID, in, out lnwire.MilliSat, expiryIn, expiryOut lnwire.Height) htlc.Locked {
	return htlc.Locked{
		HTLC: htlc.HTLC{
			Ref: htlc.Ref{ChanNum: 1, Dir: htlc.Incoming, ID: id}, Amount: in, Expiry: expiryIn,
			Hash: lnwire.Hash{byte(id)}, State: htlc.RcvdAddAckRevocation,
		},
		Opened: htlc.Opened{
			Payload: &onion.Payload{AmtToForward: &out, OutgoingCLTV: &expiryOut, ShortChannelID: &scid},
			Secret:  lnwire.Secret{1, byte(id), byte(id >> 8)},
		},
	}
}

func good(id uint64) htlc.Locked { return locked(id, 102, 1_001_100, 1_000_000, height+100, height+60) }

// failureOf decodes the only answer in fx as the payer would.
func failureOf(t *testing.T, fx Effects, l htlc.Locked) onion.Failure {
	t.Helper()
	require.Empty(t, fx.Add)
	require.Len(t, fx.Resolve, 1)
	require.Equal(t, l.HTLC.Ref, fx.Resolve[0].Ref)
	require.Equal(t, htlc.Failed, fx.Resolve[0].Resolution.Kind)
	hop, f, ok := onion.DecodeFailure([]lnwire.Secret{l.Opened.Secret}, fx.Resolve[0].Resolution.Reason)
	require.True(t, ok)
	require.Zero(t, hop)
	return f
}

// An alias that was given to a channel names it until it is taken away, and not longer than the channel is there.
func TestAliased(t *testing.T) {
	const alias = 16_000_000 << 40
	s := world()
	named := func(id uint64) htlc.Locked { return locked(id, alias, 1_001_100, 1_000_000, height+100, height+60) }
	require.Equal(t, onion.UnknownNextPeer, failureOf(t, s.Step(t0, LockedIn{HTLC: named(1)}), named(1)).Code)
	s.Step(t0, Aliased{SCID: alias, ChanNum: 2})
	require.Equal(t, uint64(2), s.Step(t0, LockedIn{HTLC: named(2)}).Add[0].ChanNum)
	s.Step(t0, LinkGone{ChanNum: 2})
	require.Empty(t, s.links.more)
	require.Empty(t, s.Step(t0, LockedIn{HTLC: named(3)}).Add)
	s.Step(t0, Aliased{SCID: alias, ChanNum: 3})
	require.Len(t, s.Step(t0, LockedIn{HTLC: named(4)}).Add, 1)
	s.Step(t0, Aliased{SCID: alias})
	require.Equal(t, onion.UnknownNextPeer, failureOf(t, s.Step(t0, LockedIn{HTLC: named(5)}), named(5)).Code)
}

func TestForwardAndSettle(t *testing.T) {
	s := world()
	l := good(7)
	fx := s.Step(t0, LockedIn{HTLC: l})
	require.Len(t, fx.Add, 1)
	require.Len(t, fx.Delta.Tags, 1)
	add := fx.Add[0]
	require.Equal(t, uint64(2), add.ChanNum, "the named channel comes first")
	require.Equal(t, lnwire.MilliSat(1_000_000), add.Amount)
	require.Equal(t, height+60, add.Expiry)
	require.Equal(t, htlc.Forward(l.HTLC), add.Origin)
	require.Equal(t, 1, s.InFlight())

	p := lnwire.Preimage{9}
	out := htlc.Outcome{Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: 4}, Origin: add.Origin, Amount: add.Amount,
		Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: p}}
	fx = s.Step(t0.Add(time.Second), Ended{out})
	require.Len(t, fx.Resolve, 1)
	require.Equal(t, p, fx.Resolve[0].Resolution.Preimage)
	rec := fx.Resolve[0].Record
	require.NotNil(t, rec)
	require.Equal(t, lnwire.MilliSat(1100), rec.Fee())
	require.Equal(t, lnwire.ShortChannelID(101), rec.InSCID)
	require.Equal(t, lnwire.ShortChannelID(102), rec.OutSCID)
	require.Zero(t, s.InFlight())
}

// TestRefusals holds every forwarding check of BOLT 4 and 7 (B4.fwd.1 minimum,
// B4.fwd.2 fee, B4.fwd.3 delta, B4.fwd.4 too soon).
func TestRefusals(t *testing.T) {
	tests := []struct {
		name string
		l    htlc.Locked
		code onion.Code
	}{
		{"unknown channel", locked(1, 999, 1_001_100, 1_000_000, height+100, height+60), onion.UnknownNextPeer},
		{"below minimum", locked(1, 102, 5000, 999, height+100, height+60), onion.AmountBelowMinimum},
		{"above maximum", locked(1, 102, 1e9, 900_000_001, height+100, height+60), onion.TemporaryChannelFailure},
		{"fee one short", locked(1, 102, 1_001_099, 1_000_000, height+100, height+60), onion.FeeInsufficient},
		{"out above in", locked(1, 102, 1_000_000, 1_000_001, height+100, height+60), onion.FeeInsufficient},
		{"delta one short", locked(1, 102, 1_001_100, 1_000_000, height+99, height+60), onion.IncorrectCLTVExpiry},
		{"too soon", locked(1, 102, 1_001_100, 1_000_000, height+43, height+3), onion.ExpiryTooSoon},
		{"in too far", locked(1, 102, 1_001_100, 1_000_000, height+2017, height+60), onion.ExpiryTooFar},
		{"overflowing fee", locked(1, 102, 1<<63, 1<<62, height+100, height+60), onion.TemporaryChannelFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fx := world().Step(t0, LockedIn{HTLC: tt.l})
			f := failureOf(t, fx, tt.l)
			require.Equal(t, tt.code == onion.TemporaryChannelFailure, fx.Tell[0].Detail == htlc.ExceedsMax)
			require.Equal(t, tt.code, f.Code, "%s", f.Code)
			if tt.code.Has(onion.FlagUpdate) {
				require.NotNil(t, f.Update)
				require.Equal(t, lnwire.ShortChannelID(102), f.Update.SCID)
			}
		})
	}
}

func TestBoundariesPass(t *testing.T) {
	for name, l := range map[string]htlc.Locked{
		"fee exact, delta exact": good(1),
		"minimum":                locked(2, 102, 5000, 1000, height+100, height+60),
		"soonest":                locked(3, 102, 1_001_100, 1_000_000, height+44, height+4),
		"furthest":               locked(4, 102, 1_001_100, 1_000_000, height+2016, height+1976),
		"by alias":               locked(5, 1022, 1_001_100, 1_000_000, height+100, height+60),
	} {
		require.Len(t, world().Step(t0, LockedIn{HTLC: l}).Add, 1, name)
	}
}

// TestNonStrict: another channel to the same peer serves when the named one
// cannot, and only when all refuse the sender hears of it.
func TestNonStrict(t *testing.T) {
	s := world()
	l := good(1)
	add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
	refusal := htlc.Refusal{ChanNum: add.ChanNum, Origin: add.Origin, Reason: htlc.NoBalance, Text: "reserve"}
	fx := s.Step(t0, Refused{refusal})
	require.Len(t, fx.Add, 1)
	require.Equal(t, uint64(3), fx.Add[0].ChanNum)
	refusal.ChanNum = 3
	f := failureOf(t, s.Step(t0, Refused{refusal}), l)
	require.Equal(t, onion.TemporaryChannelFailure, f.Code)
	require.Zero(t, s.InFlight())

	l = locked(2, 102, 300_100_000, 300_000_000, height+100, height+60)
	l.HTLC.Amount = 301_000_000
	require.Equal(t, uint64(2), s.Step(t0, LockedIn{HTLC: l}).Add[0].ChanNum, "too large for channel 3")
}

func TestLinkDown(t *testing.T) {
	s := world()
	for _, n := range []uint64{2, 3} {
		l := *s.links.byNum[n]
		l.Up = false
		s.Step(t0, LinkChanged{l})
	}
	l := good(1)
	fx := s.Step(t0, LockedIn{HTLC: l})
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, fx, l).Code)
	require.Contains(t, fx.Tell[0].Text, "not connected")
}

// TestReplayedOnion: the same onion in another HTLC is refused, the same HTLC told
// again is not (B4.replay.1).
func TestReplayedOnion(t *testing.T) {
	s := world()
	first := good(1)
	s.Step(t0, LockedIn{HTLC: first})
	require.Empty(t, s.Step(t0, LockedIn{HTLC: first}))
	again := good(1)
	again.HTLC.Ref.ID = 2
	require.Equal(t, onion.TemporaryNodeFailure, failureOf(t, s.Step(t0, LockedIn{HTLC: again}), again).Code)

	tag := Tag{Tag: onion.ReplayTag(first.Opened.Secret), Expiry: first.HTLC.Expiry, Owner: first.HTLC.Ref}
	s = world()
	s.Step(t0, Restarted{Height: height, Tags: []Tag{tag}})
	require.Equal(t, onion.TemporaryNodeFailure, failureOf(t, s.Step(t0, LockedIn{HTLC: again}), again).Code)
	require.Len(t, s.Step(t0, LockedIn{HTLC: first}).Add, 1, "its owner may go on")
	fx := s.Step(t0, Block{Height: first.HTLC.Expiry + 1})
	require.Equal(t, first.HTLC.Expiry+1, fx.Delta.ForgetTags)
	require.Empty(t, s.tags.owner)
}

func TestFormerPolicyIsHonouredForAWhile(t *testing.T) {
	s := world()
	l := *s.links.byNum[2]
	l.Former, l.FormerUntil = l.Policy, t0.Add(time.Minute)
	l.Policy.Base = 50_000
	s.Step(t0, LinkChanged{l})
	require.Len(t, s.Step(t0, LockedIn{HTLC: good(1)}).Add, 1)
	late := good(2)
	require.Equal(t, onion.FeeInsufficient, failureOf(t, s.Step(t0.Add(2*time.Minute), LockedIn{HTLC: late}), late).Code)
}

// TestFailuresTravelBack: what a later node said is wrapped, what it could not read
// we report ourselves (B4.mal.1), a timeout on chain is a permanent failure.
func TestFailuresTravelBack(t *testing.T) {
	secrets := func(l htlc.Locked) []lnwire.Secret { return []lnwire.Secret{l.Opened.Secret, {77}} }
	run := func(res htlc.Resolution) (int, onion.Failure) {
		s := world()
		l := good(1)
		add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
		fx := s.Step(t0, Ended{htlc.Outcome{Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing}, Origin: add.Origin, Resolution: res}})
		require.Len(t, fx.Resolve, 1)
		require.Nil(t, fx.Resolve[0].Record)
		hop, f, ok := onion.DecodeFailure(secrets(l), fx.Resolve[0].Resolution.Reason)
		require.True(t, ok)
		return hop, f
	}
	hop, f := run(htlc.Resolution{Kind: htlc.Failed, Reason: onion.EncryptFailure(lnwire.Secret{77}, onion.Failure{Code: onion.MPPTimeout})})
	require.Equal(t, 1, hop)
	require.Equal(t, onion.MPPTimeout, f.Code)

	hop, f = run(htlc.Resolution{Kind: htlc.Malformed, Code: uint16(onion.InvalidOnionHMAC), OnionSHA256: [32]byte{5}})
	require.Zero(t, hop)
	require.Equal(t, onion.InvalidOnionHMAC, f.Code)
	require.Equal(t, [32]byte{5}, f.OnionSHA256)

	hop, f = run(htlc.Resolution{Kind: htlc.TimedOut})
	require.Zero(t, hop)
	require.Equal(t, onion.PermanentChannelFailure, f.Code)
}

func TestUnreadableOnions(t *testing.T) {
	s := world()
	l := good(1)
	l.Opened = htlc.Opened{Bad: &onion.BadOnion{Code: onion.InvalidOnionKey, SHA256: [32]byte{3}}}
	res := s.Step(t0, LockedIn{HTLC: l}).Resolve[0].Resolution
	require.Equal(t, htlc.Malformed, res.Kind)
	require.Equal(t, uint16(onion.InvalidOnionKey), res.Code)

	l = good(2)
	l.Opened = htlc.Opened{Invalid: &onion.Failure{Code: onion.InvalidOnionPayload, Type: 4}, Secret: l.Opened.Secret}
	require.Equal(t, onion.InvalidOnionPayload, failureOf(t, s.Step(t0, LockedIn{HTLC: l}), l).Code)
}

// TestUnfit: what the channel calls unfit is not carried on, whatever its onion says.
// One for us is a matter of the invoices: before a restart, when it was not unfit yet,
// they may have accepted it.
func TestUnfit(t *testing.T) {
	for unfit, code := range map[htlc.Unfit]onion.Code{
		htlc.UnfitDust: onion.TemporaryChannelFailure, htlc.UnfitFar: onion.ExpiryTooFar,
		htlc.UnfitClosed: onion.PermanentChannelFailure, htlc.UnfitUnfunded: onion.TemporaryChannelFailure,
	} {
		l := good(1)
		l.Unfit = unfit
		require.Equal(t, code, failureOf(t, world().Step(t0, LockedIn{HTLC: l}), l).Code)
		l.Opened.Final = true
		fx := world().Step(t0, LockedIn{HTLC: l})
		require.Empty(t, fx.Resolve)
		require.Equal(t, unfit, fx.Receive[0].Unfit)
	}
}

func TestFinalGoesToInvoices(t *testing.T) {
	s := world()
	l := good(1)
	l.Opened.Final = true
	fx := s.Step(t0, LockedIn{HTLC: l})
	require.Len(t, fx.Receive, 1)
	require.Empty(t, fx.Add)
}

func TestLaunch(t *testing.T) {
	s := world()
	fx := s.Step(t0, Launch{AttemptID: 5, FirstHop: 103, Amount: 1000, Expiry: height + 50, Row: []byte("row")})
	require.Equal(t, []Add{{ChanNum: 3, Amount: 1000, Expiry: height + 50, Origin: htlc.Attempt(5), Row: []byte("row")}}, fx.Add)
	fx = s.Step(t0, Refused{htlc.Refusal{ChanNum: 3, Origin: htlc.Attempt(5), Reason: htlc.TooMany}})
	require.Equal(t, uint64(2), fx.Add[0].ChanNum)
	fx = s.Step(t0, Ended{htlc.Outcome{Origin: htlc.Attempt(5), Resolution: htlc.Resolution{Kind: htlc.Fulfilled}}})
	require.Len(t, fx.Results, 1)
	require.NotNil(t, fx.Results[0].Resolution)

	fx = s.Step(t0, Launch{AttemptID: 6, FirstHop: 999})
	require.Equal(t, htlc.UnknownChannel, fx.Results[0].Refusal.Reason)
	fx = s.Step(t0, Launch{AttemptID: 7, FirstHop: 102, Amount: 1e12})
	require.Equal(t, htlc.NoBalance, fx.Results[0].Refusal.Reason)
}

// TestRestart: an outgoing HTLC in a row stands for the incoming one that it
// carries, which is therefore not forwarded again (V-29), whichever of its outcome
// and the incoming HTLC is heard of first.
func TestRestart(t *testing.T) {
	l := good(1)
	origin := htlc.Forward(l.HTLC)
	ref := htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: 3}
	paid := htlc.Outcome{Ref: ref, Origin: origin, Amount: 1_000_000, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{1}}}

	for name, story := range map[string]struct {
		at   Restarted
		then []Event
	}{
		"told, then ended":  {Restarted{Live: []Live{{ref, origin, 1_000_000}}}, []Event{LockedIn{HTLC: l}, Ended{paid}}},
		"ended, then told":  {Restarted{Live: []Live{{ref, origin, 1_000_000}}}, []Event{Ended{paid}, LockedIn{HTLC: l}}},
		"outcome in outbox": {Restarted{Outbox: []htlc.Outcome{paid}}, []Event{LockedIn{HTLC: l}}},
		"both":              {Restarted{Live: []Live{{ref, origin, 1_000_000}}, Outbox: []htlc.Outcome{paid}}, []Event{LockedIn{HTLC: l}}},
	} {
		s := New(DefaultConfig)
		story.at.Height = height
		s.Step(t0, story.at)
		var all Effects
		for _, ev := range story.then {
			fx := s.Step(t0, ev)
			all.Add = append(all.Add, fx.Add...)
			all.Resolve = append(all.Resolve, fx.Resolve...)
		}
		require.Empty(t, all.Add, name)
		require.Len(t, all.Resolve, 1, name)
		require.Equal(t, lnwire.Preimage{1}, all.Resolve[0].Resolution.Preimage, name)
		require.Equal(t, lnwire.MilliSat(1_000_000), all.Resolve[0].Record.AmountOut, name)
		require.Equal(t, l.HTLC.Amount, all.Resolve[0].Record.AmountIn, name)
	}
}

// TestLatePreimage: a preimage that comes after a failure was sent back is still
// passed on; a failure never is (V-05).
func TestLatePreimage(t *testing.T) {
	s := world()
	l := good(1)
	add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
	s.Step(t0, Ended{htlc.Outcome{Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.TimedOut}}})
	fx := s.Step(t0, Ended{htlc.Outcome{Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{1}}}})
	require.Len(t, fx.Resolve, 1)
	require.Empty(t, s.Step(t0, Ended{htlc.Outcome{Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.TimedOut}}}))
}

func TestFeeSaturates(t *testing.T) {
	require.Equal(t, ^lnwire.MilliSat(0), Policy{PPM: ^uint32(0)}.Fee(^lnwire.MilliSat(0)))
	require.Equal(t, lnwire.MilliSat(1001), Policy{Base: 1000, PPM: 1}.Fee(1_999_999))
}

// TestToldAgain: an HTLC that was answered is answered in the same way when it is told
// again, by a channel that lost its memory while the answer was under way: it is not
// carried on a second time (V-29), nor carried on after it was failed.
func TestToldAgain(t *testing.T) {
	s := world()
	l := good(1)
	add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
	paid := htlc.Outcome{Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{1}}}
	first := s.Step(t0, Ended{paid}).Resolve[0]
	again := s.Step(t0, LockedIn{HTLC: l})
	require.Empty(t, again.Add)
	require.Equal(t, []Resolve{first}, again.Resolve, "with its record, which went with the memory: the channel writes it once")

	down := *s.links.byNum[2]
	down.Up = false
	other := *s.links.byNum[3]
	other.Up = false
	s.Step(t0, LinkChanged{down})
	s.Step(t0, LinkChanged{other})
	l = good(2)
	first = s.Step(t0, LockedIn{HTLC: l}).Resolve[0]
	down.Up = true
	s.Step(t0, LinkChanged{down})
	again = s.Step(t0, LockedIn{HTLC: l})
	require.Empty(t, again.Add)
	require.Equal(t, first, again.Resolve[0])

	for id := uint64(10); id < 2*maxAnswers; id++ { // what is remembered is bounded
		s.Step(t0, LockedIn{HTLC: locked(id, 999, 1_001_100, 1_000_000, height+100, height+60)})
	}
	require.Len(t, s.answered.byRef, maxAnswers)
	require.Len(t, s.answered.ring, maxAnswers)
}

// TestLongReasonsAreNotKept: what is remembered of a failure that a peer made as long as a
// message is bounded (V-44); what is passed on is whole.
func TestLongReasonsAreNotKept(t *testing.T) {
	s := world()
	l := good(1)
	add := s.Step(t0, LockedIn{HTLC: l}).Add[0]
	failed := htlc.Outcome{Origin: add.Origin, Resolution: htlc.Resolution{Kind: htlc.Failed, Reason: make([]byte, 60_000)}}
	require.Len(t, s.Step(t0, Ended{failed}).Resolve[0].Resolution.Reason, 60_000)
	require.Len(t, s.Step(t0, LockedIn{HTLC: l}).Resolve[0].Resolution.Reason, maxReason)
}

// TestBlind: while the chain is out of sight nothing is decided (V-27); what is decided
// then knows the true height. What was decided before goes on.
func TestBlind(t *testing.T) {
	s := world()
	before := good(1)
	add := s.Step(t0, LockedIn{HTLC: before}).Add[0]
	s.Step(t0, Chain{})
	requireIdle(t, s.Step(t0, LockedIn{HTLC: before}))
	fails := htlc.Resolution{Kind: htlc.TimedOut}
	require.Len(t, s.Step(t0, Ended{htlc.Outcome{Origin: add.Origin, Resolution: fails}}).Resolve, 1)

	for id := uint64(2); id < 5; id++ {
		requireIdle(t, s.Step(t0, LockedIn{HTLC: good(id)}))
		requireIdle(t, s.Step(t0, LockedIn{HTLC: good(id)}))
	}
	final := good(5)
	final.Opened.Final = true
	requireIdle(t, s.Step(t0, LockedIn{HTLC: final}))
	s.Step(t0, Block{Height: height + 57})
	fx := s.Step(t0, Chain{Current: true})
	require.Empty(t, fx.Add)
	require.Len(t, fx.Resolve, 3)
	require.Equal(t, onion.ExpiryTooSoon, fx.Tell[0].Code)
	require.Len(t, fx.Receive, 1)
	require.Len(t, s.Step(t0, LockedIn{HTLC: locked(6, 102, 1_001_100, 1_000_000, height+157, height+117)}).Add, 1)
	require.Empty(t, s.Step(t0, Chain{Current: true}))

	s.Step(t0, Chain{})
	requireIdle(t, s.Step(t0, LockedIn{HTLC: locked(7, 102, 1_001_100, 1_000_000, height+157, height+117)}))
	requireIdle(t, s.Step(t0, LinkGone{ChanNum: 2}))
	require.Len(t, s.Step(t0, LinkGone{ChanNum: 1}).Resolve, 1, "it came by a channel that is closed now")
	require.Empty(t, s.Step(t0, Chain{Current: true}))
}

// requireIdle: nothing is decided.
func requireIdle(t *testing.T, fx Effects) {
	t.Helper()
	fx.Wake = time.Time{}
	require.Empty(t, fx)
}

// TestBlindForTooLong: V-27: the money of others does not wait for a chain that stays out
// of sight, but for what may have been promised in an earlier run.
func TestBlindForTooLong(t *testing.T) {
	s := world()
	s.Step(t0, Chain{})
	fx := s.Step(t0, LockedIn{HTLC: good(1)})
	require.Equal(t, t0.Add(holdLimit), fx.Wake)
	final, again := good(2), good(3)
	final.Opened.Final = true
	later := t0.Add(time.Second)
	requireIdle(t, s.Step(later, LockedIn{HTLC: final}))
	requireIdle(t, s.Step(later, LockedIn{HTLC: again, Again: true}))
	requireIdle(t, s.Step(later, LockedIn{HTLC: good(1), Again: true}))

	fx = s.Step(t0.Add(holdLimit), Tick{})
	require.Equal(t, later.Add(holdLimit), fx.Wake)
	require.Equal(t, onion.TemporaryNodeFailure, failureOf(t, fx, good(1)).Code)
	require.Contains(t, fx.Tell[0].Text, "cannot see the chain")
	fx = s.Step(later.Add(holdLimit), Tick{})
	require.Equal(t, onion.TemporaryNodeFailure, failureOf(t, fx, final).Code)
	require.Zero(t, fx.Wake)
	require.Empty(t, s.Step(t0.Add(100*holdLimit), Tick{}))
	require.Len(t, s.Step(t0.Add(100*holdLimit), Chain{Current: true}).Add, 1, "what came again has waited")
}
