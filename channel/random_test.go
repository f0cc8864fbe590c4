package channel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// storm is two honest machines under random payments, cuts and crashes.
type storm struct {
	*rapid.T
	w    *world
	next int
	// answers are the resolutions given, by node, id: fulfilled or not.
	answers map[*node]map[uint64]htlc.ResolutionKind
	made    map[*node]map[uint64]bool // attempts asked for, not refused
	closes  bool                      // one of them may ask for the close
}

func (s *storm) node() *node {
	return map[string]*node{"a": s.w.a, "b": s.w.b}[rapid.SampledFrom([]string{"a", "b"}).Draw(s.T, "node")]
}

func (s *storm) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"add":     func(t *rapid.T) { s.T = t; s.add() },
		"resolve": func(t *rapid.T) { s.T = t; s.resolve() },
		"deliver": func(t *rapid.T) { s.T = t; s.node().deliver(rapid.IntRange(1, 3).Draw(t, "k")) },
		"turn": func(t *rapid.T) {
			s.T = t
			n := s.node()
			n.deliver(-1)
			n.step(Flush{})
		},
		"flush": func(t *rapid.T) { s.T = t; s.node().step(Flush{}) },
		"cut": func(t *rapid.T) {
			s.T = t
			if rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
				s.w.disconnect()
			}
		},
		"connect": func(t *rapid.T) {
			if !s.w.up {
				s.w.connect()
			}
		},
		"crash": func(t *rapid.T) {
			s.T = t
			if rapid.IntRange(0, 5).Draw(t, "crash") == 0 {
				s.crash(s.node())
			}
		},
		"fee": func(t *rapid.T) {
			s.T = t
			s.w.a.step(FeeRate{Rate: lnwire.SatPerKW(rapid.IntRange(253, 6000).Draw(t, "rate"))})
		},
		"signer": func(t *rapid.T) {
			s.T = t
			n := s.node()
			n.away = rapid.IntRange(0, 3).Draw(t, "away") == 0
		},
		"close": func(t *rapid.T) {
			s.T = t
			if s.closes && rapid.IntRange(0, 9).Draw(t, "close") == 0 {
				s.node().step(CloseAsked{})
			}
		},
		"": func(t *rapid.T) { s.T = t; s.check() },
	}
}

func (s *storm) add() {
	n := s.node()
	amount := lnwire.MilliSat(rapid.SampledFrom([]int{1, 999, 1000, 353_999, 354_000, 400_123, 5_000_000, 90_000_001, 400_000_000}).Draw(s.T, "amount"))
	s.next++
	before := len(n.refused)
	n.add(amount, s.next)
	if len(n.refused) == before {
		s.made[n][uint64(s.next)] = true
	}
}

// answered is true for an HTLC that has its answer.
func (s *storm) resolve() {
	n := s.node()
	var open []htlc.Locked
	for _, l := range n.locked {
		if _, ok := s.answers[n][l.HTLC.Ref.ID]; !ok {
			open = append(open, l)
		}
	}
	if len(open) == 0 {
		return
	}
	s.answer(n, open[rapid.IntRange(0, len(open)-1).Draw(s.T, "htlc")], rapid.Bool().Draw(s.T, "fulfil"))
}

func (s *storm) answer(n *node, l htlc.Locked, fulfil bool) {
	id := l.HTLC.Ref.ID
	r := htlc.Resolution{Kind: htlc.Failed, Reason: []byte{1}}
	if fulfil {
		for k := 1; k <= s.next; k++ {
			if preimage(k).Hash() == l.HTLC.Hash {
				r = htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(k)}
			}
		}
	}
	s.answers[n][id] = r.Kind
	n.step(Resolve{Ref: l.HTLC.Ref, Resolution: r})
	n.step(Resolve{Ref: l.HTLC.Ref, Resolution: htlc.Resolution{Kind: htlc.Failed}}) // V-30: a second one changes nothing
}

// crash loses what was never signed: it has not happened.
func (s *storm) crash(n *node) {
	lazy := rapid.Bool().Draw(s.T, "lazy")
	if lazy {
		n.restore(n.safe)
		n.outcomes = n.outcomes[:n.safeOutcomes]
	}
	kept := map[uint64]bool{}
	for _, h := range n.rows.HTLCs {
		if h.Ref.Dir == htlc.Outgoing {
			kept[h.Origin.AttemptID] = true
		}
	}
	for _, o := range n.outcomes {
		kept[o.Origin.AttemptID] = true
	}
	for id := range s.made[n] {
		if !kept[id] {
			delete(s.made[n], id)
		}
	}
	if lazy {
		n.crashLazy()
		return
	}
	n.crash()
}

// check holds what must be true after every step.
func (s *storm) check() {
	for _, n := range s.w.nodes() {
		for _, r := range n.refused {
			delete(s.made[n], r.Origin.AttemptID)
		}
		n.refused = nil
		require.False(s.T, n.drop, "%s wants to disconnect", n.name)
		for _, x := range n.notices {
			switch x.Kind {
			case NoticeWarning, NoticeError, NoticeFailing, NoticeBug, NoticeDataLost, NoticeOpenFailed:
				require.Fail(s.T, "two honest nodes quarrel", "%s: %s", n.name, x.Text)
			}
		}
		n.notices = nil
		for _, ours := range [2]bool{true, false} {
			requireWhole(s.T, n.ch, n.ch.spec(ours, holds(map[bool]htlc.View{true: htlc.LocalCommit, false: htlc.RemoteCommit}[ours])))
		}
		requireWhole(s.T, n.ch, n.ch.spec(false, remoteHeld))
	}
}

// requireWhole: a commitment holds the whole capacity, to the msat.
func requireWhole(t require.TestingT, c *Channel, s commitment.Spec) {
	sum := s.ToOwner + s.ToOther
	for _, h := range s.HTLCs {
		sum += h.Amount
	}
	require.Equal(t, c.terms.Capacity.MilliSat(), sum)
}

// finish lets everything come to its end.
func (s *storm) finish() {
	w := s.w
	for _, n := range w.nodes() {
		n.away = false
	}
	if !w.up {
		w.connect()
	}
	for range 20 {
		w.settle()
		s.check()
		for _, n := range w.nodes() {
			for _, l := range slices.Clone(n.locked) {
				if _, ok := s.answers[n][l.HTLC.Ref.ID]; !ok {
					s.answer(n, l, l.HTLC.Ref.ID%2 == 0)
				}
			}
		}
	}
	a, b := w.a.info(), w.b.info()
	require.Empty(s.T, a.HTLCs)
	require.Empty(s.T, b.HTLCs)
	require.Equal(s.T, a.Core.Ours, b.Core.Theirs)
	require.Equal(s.T, a.Core.Theirs, b.Core.Ours)
	require.Equal(s.T, a.Core.FeeRate, b.Core.FeeRate)
	require.Equal(s.T, a.Core.Phase, b.Core.Phase)
	if a.Core.OurShutdown != nil || b.Core.OurShutdown != nil {
		require.Equal(s.T, MutualClose, a.Core.Phase)
	}
	require.Equal(s.T, a.Core.LocalN, b.Core.RemoteN)
	for _, n := range w.nodes() {
		s.outcomes(n)
	}
}

// outcomes: each attempt that was not refused has exactly one, the one that the
// other side has given.
func (s *storm) outcomes(n *node) {
	seen := map[uint64]bool{}
	for _, o := range n.outcomes {
		id := o.Origin.AttemptID
		require.False(s.T, seen[id], "attempt %d ended twice", id)
		seen[id] = true
		require.Equal(s.T, s.answers[n.other][o.Ref.ID], o.Resolution.Kind, "attempt %d", id)
		require.True(s.T, s.made[n][id], "attempt %d was refused and ended", id)
	}
	require.Len(s.T, seen, len(s.made[n]), "%s: %v", n.name, fmt.Sprint(s.made[n]))
}

// TestHonestStorm: whatever two honest nodes do, and whenever the wire is cut, a
// process dies or a signer is away, no money appears or vanishes, both agree, every
// HTLC ends once and as it was answered, and nobody warns.
func TestHonestStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		o := usual
		o.format = rapid.SampledFrom([]commitment.Format{commitment.Anchors, commitment.StaticRemoteKey}).Draw(t, "format")
		w.open(o)
		s := &storm{T: t, w: w, closes: rapid.Bool().Draw(t, "closes"), answers: map[*node]map[uint64]htlc.ResolutionKind{w.a: {}, w.b: {}}, made: map[*node]map[uint64]bool{w.a: {}, w.b: {}}}
		t.Repeat(s.actions())
		s.T = t
		s.finish()
	})
}
