package forward

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// watched is a world with an interceptor.
func watched() *Switch {
	s := world()
	s.Step(t0, Intercepting{Present: true})
	return s
}

// offered is an HTLC that the interceptor was asked about, whose preimage is {9}.
func offered(t *testing.T, s *Switch, id uint64) htlc.Locked {
	t.Helper()
	l := good(id)
	l.HTLC.Hash = lnwire.Preimage{9}.Hash()
	fx := s.Step(t0, LockedIn{HTLC: l})
	require.Empty(t, fx.Add)
	require.Empty(t, fx.Resolve)
	require.Len(t, fx.Offer, 1)
	return l
}

func TestInterceptorIsAsked(t *testing.T) {
	s := watched()
	l := offered(t, s, 1)
	require.Empty(t, s.Step(t0, LockedIn{HTLC: l}), "told again: it is held")
	s.Step(t0, Intercepting{})
	s = watched()
	offered(t, s, 1)
	fx := s.Step(t0, Intercepting{Present: true})
	require.Len(t, fx.Offer, 1, "another interceptor is offered what is held")
	o := fx.Offer[0]
	require.Equal(t, lnwire.ShortChannelID(101), o.InSCID)
	require.Equal(t, onion.Forward{Amount: 1_000_000, Expiry: height + 60, SCID: 102}, o.Out)
	require.Equal(t, height+80, o.AutoFail)

	// One of a channel that we do not have is the interceptor's to know what to do with.
	fx = s.Step(t0, LockedIn{HTLC: locked(5, 999, 1_001_100, 1_000_000, height+100, height+60)})
	require.Len(t, fx.Offer, 1)
	// For us, unreadable, or with too little time: nobody is asked.
	final := good(6)
	final.Opened.Final = true
	fx = s.Step(t0, LockedIn{HTLC: final})
	require.Empty(t, fx.Offer)
	require.Len(t, fx.Receive, 1)
	soon := locked(7, 102, 1_001_100, 1_000_000, height+22, height+4)
	require.Equal(t, onion.ExpiryTooSoon, failureOf(t, s.Step(t0, LockedIn{HTLC: soon}), soon).Code)
	require.Len(t, s.Step(t0, LockedIn{HTLC: locked(8, 102, 1_001_100, 1_000_000, height+23, height+4)}).Offer, 1)
}

func TestVerdicts(t *testing.T) {
	s := watched()
	l := offered(t, s, 1)
	rule := func(l htlc.Locked, v Verdict) Effects { return s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: v}) }
	require.ErrorIs(t, rule(l, Verdict{Kind: Settle, Preimage: lnwire.Preimage{8}}).Refused, ErrWrongPreimage)
	fx := rule(l, Verdict{Kind: Settle, Preimage: lnwire.Preimage{9}})
	require.NoError(t, fx.Refused)
	require.Equal(t, htlc.Fulfilled, fx.Resolve[0].Resolution.Kind)
	require.Nil(t, fx.Resolve[0].Record, "nothing was forwarded")
	require.ErrorIs(t, rule(l, Verdict{Kind: Resume}).Refused, ErrNotHeld)

	l = offered(t, s, 2)
	fx = rule(l, Verdict{Kind: Resume})
	require.Len(t, fx.Add, 1)
	require.Equal(t, htlc.Forward(l.HTLC), fx.Add[0].Origin)

	l = offered(t, s, 3)
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, rule(l, Verdict{Kind: Fail, Code: onion.TemporaryChannelFailure}), l).Code)

	l = offered(t, s, 4)
	l.Onion = &[lnwire.OnionLen]byte{7}
	s.Step(t0, LockedIn{HTLC: l})
	f := failureOf(t, rule(l, Verdict{Kind: Fail, Code: onion.InvalidOnionHMAC}), l)
	require.Equal(t, onion.InvalidOnionHMAC, f.Code)
	require.Equal(t, sha256.Sum256(l.Onion[:]), f.OnionSHA256)

	// A reason of its own is what a node behind us would have said.
	l = offered(t, s, 5)
	behind := lnwire.Secret{77}
	fx = rule(l, Verdict{Kind: Fail, Reason: onion.EncryptFailure(behind, onion.Failure{Code: onion.MPPTimeout})})
	hop, got, ok := onion.DecodeFailure([]lnwire.Secret{l.Opened.Secret, behind}, fx.Resolve[0].Resolution.Reason)
	require.True(t, ok)
	require.Equal(t, 1, hop)
	require.Equal(t, onion.MPPTimeout, got.Code)
}

// TestModified: other amounts, records for the next node, and the figures of the record.
func TestModified(t *testing.T) {
	s := watched()
	resume := func(id uint64, in, out lnwire.MilliSat) Effects {
		l := offered(t, s, id)
		return s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Resume, In: in, Out: out,
			Custom: lnwire.ExtraTLVs{{Type: 65537, Value: []byte{1}}}}})
	}
	fx := resume(1, 0, 900_000)
	require.Equal(t, lnwire.MilliSat(900_000), fx.Add[0].Amount)
	require.Equal(t, lnwire.ExtraTLVs{{Type: 65537, Value: []byte{1}}}, fx.Add[0].Custom)
	fx = resume(2, 0, 2_000_000)
	require.Empty(t, fx.Add, "more than came in, less the fee")
	require.Len(t, fx.Resolve, 1)
	fx = resume(3, 2_001_200, 2_000_000)
	require.Equal(t, lnwire.MilliSat(2_000_000), fx.Add[0].Amount, "the interceptor answers for what came in")
	out := htlc.Outcome{Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: 4}, Origin: fx.Add[0].Origin, Amount: 2_000_000,
		Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{9}}}
	fx = s.Step(t0, Ended{out})
	require.Equal(t, lnwire.MilliSat(1200), fx.Resolve[0].Record.Fee())
	require.Zero(t, Record{AmountIn: 5, AmountOut: 6}.Fee())
}

// TestWithoutInterceptor: what is held goes on when it leaves, or waits for the next one
// where one is required; then what is new is failed.
func TestWithoutInterceptor(t *testing.T) {
	s := watched()
	offered(t, s, 1)
	offered(t, s, 2)
	fx := s.Step(t0, Intercepting{})
	require.Len(t, fx.Add, 2)
	require.Equal(t, uint64(1), fx.Add[0].Origin.Ref.ID, "in the order of their coming")
	require.Len(t, s.Step(t0, LockedIn{HTLC: good(3)}).Add, 1)

	s = watched()
	s.cfg.RequireInterceptor = true
	l := offered(t, s, 1)
	require.Empty(t, s.Step(t0, Intercepting{}))
	fresh := good(2)
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, s.Step(t0, LockedIn{HTLC: fresh}), fresh).Code)
	old := good(3)
	require.Empty(t, s.Step(t0, LockedIn{HTLC: old, Again: true}).Resolve, "an earlier run may have offered it")
	fx = s.Step(t0, Intercepting{Present: true})
	require.Len(t, fx.Offer, 2)
	require.Equal(t, l.HTLC.Ref, fx.Offer[0].In.HTLC.Ref)
}

// TestInterceptorSurvivesBlindness: an HTLC of an earlier run that waits for the chain is
// still one of an earlier run then.
func TestInterceptorSurvivesBlindness(t *testing.T) {
	s := world()
	s.cfg.RequireInterceptor = true
	s.Step(t0, Chain{})
	s.Step(t0, LockedIn{HTLC: good(1), Again: true})
	s.Step(t0, LockedIn{HTLC: good(2)})
	fx := s.Step(t0, Chain{Current: true})
	require.Len(t, fx.Resolve, 1)
	require.Equal(t, uint64(2), fx.Resolve[0].Ref.ID)
	require.Len(t, s.Step(t0, Intercepting{Present: true}).Offer, 1)
}

// TestReleasedBlindly: V-27: what an interceptor lets go while the chain is out of sight waits
// for it, as anything that comes then.
func TestReleasedBlindly(t *testing.T) {
	resume := func(s *Switch, l htlc.Locked, out lnwire.MilliSat) Effects {
		return s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Resume, Out: out}})
	}
	s := watched()
	first, second, third := offered(t, s, 1), offered(t, s, 2), offered(t, s, 3)
	s.Step(t0, Chain{})
	requireIdle(t, resume(s, first, 900_000))
	require.ErrorIs(t, resume(s, first, 0).Refused, ErrNotHeld)
	requireIdle(t, s.Step(t0, LockedIn{HTLC: first}))
	require.Len(t, s.Step(t0, Ruled{Ref: third.HTLC.Ref, Verdict: Verdict{Kind: Settle, Preimage: lnwire.Preimage{9}}}).Resolve, 1,
		"a preimage needs no sight")
	requireIdle(t, s.Step(t0, Intercepting{}))
	fx := s.Step(t0, Chain{Current: true})
	require.Len(t, fx.Add, 2)
	require.Equal(t, lnwire.MilliSat(900_000), fx.Add[0].Amount, "as the interceptor said")
	require.Equal(t, second.HTLC.Ref, fx.Add[1].Origin.Ref)

	// The blocks that were not seen count.
	s = watched()
	l := offered(t, s, 1)
	s.Step(t0, Chain{})
	resume(s, l, 0)
	s.Step(t0, Block{Height: height + 57})
	require.Equal(t, onion.ExpiryTooSoon, failureOf(t, s.Step(t0, Chain{Current: true}), l).Code)

	// Another interceptor is asked about what the one before has not decided.
	s = watched()
	first, second = offered(t, s, 1), offered(t, s, 2)
	s.Step(t0, Chain{})
	resume(s, first, 0)
	s.Step(t0, Intercepting{})
	s.Step(t0, Intercepting{Present: true})
	fx = s.Step(t0, Chain{Current: true})
	require.Equal(t, first.HTLC.Ref, fx.Add[0].Origin.Ref)
	require.Equal(t, second.HTLC.Ref, fx.Offer[0].In.HTLC.Ref)

	// A chain that stays away does not keep others' money.
	s = watched()
	l = offered(t, s, 1)
	s.Step(t0, Chain{})
	require.Equal(t, t0.Add(holdLimit), resume(s, l, 0).Wake)
	require.Equal(t, onion.TemporaryNodeFailure, failureOf(t, s.Step(t0.Add(holdLimit), Tick{}), l).Code)
}

// TestBlindOnChain: what an earlier run may have offered, and whose channel goes to the chain
// before that is in sight, can be claimed there as what is held.
func TestBlindOnChain(t *testing.T) {
	s := watched()
	s.Step(t0, Chain{})
	l := good(1)
	l.HTLC.Hash = lnwire.Preimage{9}.Hash()
	s.Step(t0, LockedIn{HTLC: l, Again: true})
	require.Empty(t, s.Step(t0, LinkGone{ChanNum: 1, OnChain: true}).Resolve)
	fx := s.Step(t0, Chain{Current: true})
	require.Empty(t, fx.Resolve)
	require.True(t, fx.Offer[0].OnChain)
	fx = s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Settle, Preimage: lnwire.Preimage{9}}})
	require.Equal(t, htlc.Fulfilled, fx.Resolve[0].Resolution.Kind)

	s = world() // nobody asks
	s.Step(t0, Chain{})
	s.Step(t0, LockedIn{HTLC: good(1), Again: true})
	require.Len(t, s.Step(t0, LinkGone{ChanNum: 1, OnChain: true}).Resolve, 1)
}

// TestHeldIsFailedInTime: at expiry - 20 nobody is waited for any more.
func TestHeldIsFailedInTime(t *testing.T) {
	s := watched()
	l := offered(t, s, 1)
	require.Empty(t, s.Step(t0, Block{Height: height + 79}).Resolve)
	fx := s.Step(t0, Block{Height: height + 80})
	require.Equal(t, onion.TemporaryChannelFailure, failureOf(t, fx, l).Code)
	require.ErrorIs(t, s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Resume}}).Refused, ErrNotHeld)
}

// TestHeldOnChain: an HTLC whose channel went to the chain can be claimed there with the
// preimage, and nothing else.
func TestHeldOnChain(t *testing.T) {
	s := watched()
	l := offered(t, s, 1)
	fx := s.Step(t0, LinkGone{ChanNum: 1, OnChain: true})
	require.Empty(t, fx.Resolve)
	require.True(t, fx.Offer[0].OnChain)
	require.Equal(t, l.HTLC.Expiry, fx.Offer[0].AutoFail)
	require.Equal(t, lnwire.ShortChannelID(101), fx.Offer[0].InSCID)
	require.ErrorIs(t, s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Resume}}).Refused, ErrResumeOnChain)
	require.ErrorIs(t, s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Fail}}).Refused, ErrFailOnChain)
	require.Empty(t, s.Step(t0, Intercepting{}).Add, "it is not released either")
	s.Step(t0, Block{Height: height + 80})
	fx = s.Step(t0, Ruled{Ref: l.HTLC.Ref, Verdict: Verdict{Kind: Settle, Preimage: lnwire.Preimage{9}}})
	require.Equal(t, htlc.Fulfilled, fx.Resolve[0].Resolution.Kind)

	l = good(2) // after a restart
	l.Unfit = htlc.UnfitClosed
	require.Len(t, watched().Step(t0, LockedIn{HTLC: l, Again: true}).Offer, 1)
	require.Len(t, world().Step(t0, LockedIn{HTLC: l, Again: true}).Resolve, 1)
}

// TestEveryHeldIsAnsweredOnce drives a switch with an interceptor that comes and goes at
// random, with crashes.
func TestEveryHeldIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		require := rapid.Bool().Draw(rt, "required")
		fresh := func() *Switch {
			s := world()
			s.cfg.RequireInterceptor = require
			return s
		}
		s := fresh()
		open, told := map[uint64]bool{}, map[uint64]htlc.Locked{}
		there, next := false, uint64(1)
		apply := func(fx Effects) {
			for _, a := range fx.Add {
				if !open[a.Origin.Ref.ID] {
					rt.Fatalf("htlc %d is carried on after its end", a.Origin.Ref.ID)
				}
				delete(open, a.Origin.Ref.ID)
			}
			for _, r := range fx.Resolve {
				if !open[r.Ref.ID] {
					rt.Fatalf("htlc %d is answered twice", r.Ref.ID)
				}
				delete(open, r.Ref.ID)
			}
			if len(fx.Offer) > 0 && !there {
				rt.Fatal("nobody is there to be asked")
			}
		}
		for range 40 {
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				l := good(next)
				l.HTLC.Hash = lnwire.Preimage{9}.Hash()
				open[next], told[next] = true, l
				next++
				apply(s.Step(t0, LockedIn{HTLC: l}))
			case 1:
				there = !there
				apply(s.Step(t0, Intercepting{Present: there}))
			case 2:
				v := Verdict{Kind: VerdictKind(rapid.IntRange(1, 3).Draw(rt, "verdict")), Preimage: lnwire.Preimage{9}, Code: onion.TemporaryChannelFailure}
				id := rapid.Uint64Range(1, next).Draw(rt, "id")
				held := s.held[htlc.Ref{ChanNum: 1, ID: id}] != nil
				fx := s.Step(t0, Ruled{Ref: htlc.Ref{ChanNum: 1, ID: id}, Verdict: v})
				if held != (fx.Refused == nil) {
					rt.Fatalf("held %v: %v", held, fx.Refused)
				}
				apply(fx)
			case 3: // a crash before anything was signed
				s, there = fresh(), false
				for id := uint64(1); id < next; id++ {
					if open[id] {
						apply(s.Step(t0, LockedIn{HTLC: told[id], Again: true}))
					}
				}
			}
		}
		for id := range open {
			if s.held[htlc.Ref{ChanNum: 1, ID: id}] == nil {
				rt.Fatalf("htlc %d is forgotten", id)
			}
		}
	})
}
