package htlc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var steps = []Step{SendCommit, RecvRevoke, RecvCommit, SendRevoke}

// mirrorStep is the step as the other side sees it.
func mirrorStep(s Step) Step {
	return map[Step]Step{SendCommit: RecvCommit, RecvCommit: SendCommit, SendRevoke: RecvRevoke, RecvRevoke: SendRevoke}[s]
}

// mirror is the state in which the other side has the same HTLC.
func mirror(s State) State {
	if s <= RcvdRemoveAckRevocation {
		return s + 10
	}
	return s - 10
}

func all() (states []State) {
	for s := SentAdd; s <= SentRemoveAckRevocation; s++ {
		states = append(states, s)
	}
	return states
}

// TestTableMirrors: both sides walk through the same life, seen from either end.
func TestTableMirrors(t *testing.T) {
	views := map[View]View{LocalCommit: RemoteCommit, RemoteCommit: LocalCommit, LocalNext: RemoteNext, RemoteNext: LocalNext}
	for _, s := range all() {
		for _, step := range steps {
			require.Equal(t, mirror(s.After(step)), mirror(s).After(mirrorStep(step)), "%v after %d", s, step)
		}
		for v, other := range views {
			require.Equal(t, s.In(v), mirror(s).In(other), "%v in %d", s, v)
		}
		require.NotEqual(t, s.Direction(), mirror(s).Direction())
		require.Equal(t, s.Irrevocable(), mirror(s).Irrevocable())
		require.Equal(t, s.Gone(), mirror(s).Gone())
		require.Equal(t, s.Removing(), mirror(s).Removing())
	}
}

// TestTableOrder: a step leads at most one state on, within the same direction, each
// state by at most one step, and no two states to the same one.
func TestTableOrder(t *testing.T) {
	reached := map[State]State{}
	for _, s := range all() {
		moves := 0
		for _, step := range steps {
			to := s.After(step)
			require.Equal(t, to != s, s.Concerns(step))
			if to == s {
				continue
			}
			moves++
			require.Equal(t, s+1, to)
			require.Equal(t, s.Direction(), to.Direction())
			require.Zero(t, reached[to])
			reached[to] = s
			require.Equal(t, s, to.Before(step))
		}
		rest := s == SentAddAckRevocation || s == RcvdAddAckRevocation || s.Gone()
		require.Equal(t, rest, moves == 0, s)
		require.True(t, s.Valid())
		require.NotEqual(t, "invalid", s.String())
	}
	require.False(t, State(0).Valid())
	require.False(t, State(21).Valid())
	require.Equal(t, "invalid", State(99).String())
	require.Equal(t, SentAdd, SentAdd.Before(SendCommit))
}

// TestViewsHoldOnce: along a life each commitment takes an HTLC in once and lets it go
// once; what will be signed next runs ahead of what is signed.
func TestViewsHoldOnce(t *testing.T) {
	for _, first := range []State{SentAdd, RcvdAdd} {
		for _, v := range []View{LocalCommit, RemoteCommit, LocalNext, RemoteNext} {
			changes, held := 0, false
			for s := first; s < first+10; s++ {
				if s.In(v) != held {
					held = !held
					changes++
				}
			}
			require.Equal(t, 2, changes)
			require.False(t, held)
		}
	}
	for _, s := range all() {
		if s.Irrevocable() && !s.Removing() {
			require.True(t, s.In(LocalCommit) && s.In(RemoteCommit) && s.In(LocalNext) && s.In(RemoteNext))
		}
		if s.Gone() {
			require.False(t, s.In(LocalCommit|RemoteCommit|LocalNext|RemoteNext))
		}
	}
}

// TestTwoTables: two sides that exchange signatures and revocations over a wire never
// disagree: what one signs is what the other expects.
func TestTwoTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := SentAdd, RcvdAdd
		type message struct {
			toB  bool
			step Step
		}
		var wire []message
		var owedA, owedB bool // a revocation that a, b wait for
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			switch rapid.IntRange(0, 3).Draw(t, "move") {
			case 0:
				if !owedA && a.Concerns(SendCommit) {
					a, owedA = a.After(SendCommit), true
					wire = append(wire, message{true, RecvCommit})
				}
			case 1:
				if !owedB && b.Concerns(SendCommit) {
					b, owedB = b.After(SendCommit), true
					wire = append(wire, message{false, RecvCommit})
				}
			case 2:
				if len(wire) == 0 {
					continue
				}
				m := wire[0]
				wire = wire[1:]
				to, owed := &a, &owedA
				if m.toB {
					to, owed = &b, &owedB
				}
				if m.step == RecvCommit {
					require.True(t, to.In(LocalNext) == (to.After(RecvCommit).In(LocalCommit)))
					*to = to.After(RecvCommit).After(SendRevoke)
					wire = append(wire, message{!m.toB, RecvRevoke})
				} else {
					*to, *owed = to.After(RecvRevoke), false
				}
			case 3:
				if b == RcvdAddAckRevocation && a == SentAddAckRevocation && len(wire) == 0 {
					b, a = SentRemove, RcvdRemove
				}
			}
			if len(wire) == 0 {
				require.Equal(t, mirror(a), b)
			}
		}
	})
}

func TestNames(t *testing.T) {
	r := Ref{ChanNum: 12, Dir: Incoming, ID: 3}
	require.Equal(t, "12/incoming/3", r.String())
	require.Equal(t, "outgoing", Outgoing.String())
	h := HTLC{Ref: r, Amount: 5, Expiry: 6}
	require.Equal(t, Origin{Kind: FromForward, Ref: r, AmountIn: 5, ExpiryIn: 6}, Forward(h))
	require.Equal(t, Origin{Kind: FromAttempt, AttemptID: 9}, Attempt(9))
}
