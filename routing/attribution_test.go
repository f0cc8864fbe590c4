package routing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// attribute makes nodes say that they attribute.
func (b *bench) attribute(nodes ...int) {
	for _, n := range nodes {
		require.NoError(b.t, b.g.SetNode(NodeInfo{ID: key(n), Features: lnwire.NewFeatures(lnwire.AttributionDataOptional)}))
	}
	b.env.Graph = b.g.Snapshot()
}

// back carries the end of an attempt from its last hop to the payer; every hop attributes
// that it had the HTLC for so many seconds as there are hops behind it. What change does to
// it, hop for hop, happens before the hop adds its own.
func (b *bench) back(l Launch, r htlc.Resolution, change func(hop int, r *htlc.Resolution)) Resolved {
	last := len(l.Attempt.Route.Hops) - 1
	packet := l.Onion
	var faults []htlc.Fault
	for i := range l.Attempt.Route.Hops {
		n := -1
		for k := range 10 {
			if key(k) == l.Attempt.Route.Hops[i].Node {
				n = k
			}
		}
		p, bad := onion.Peel(ecdh{privKey(n)}, &packet, l.Hash[:])
		require.Nil(b.t, bad)
		packet = p.Next
		faults = append(faults, htlc.Fault{Secret: p.Secret, LockedAt: b.now.Add(-time.Duration(last-i) * time.Second), Attribute: true})
	}
	for i := last; i >= 0; i-- {
		if change != nil {
			change(i, &r)
		}
		switch {
		case r.Kind == htlc.Fulfilled:
			r = faults[i].Fulfil(r.Preimage, r.Attribution, b.now)
		case i == last && r.Reason == nil:
			r = faults[i].With(onion.Failure{Code: onion.TemporaryNodeFailure}, b.now)
		default:
			r = faults[i].Passed(r, b.now)
		}
	}
	if change != nil {
		change(-1, &r)
	}
	return Resolved{l.AttemptID, r}
}

// B4.origin.20: hold times of a payment and of a failure that can be read are kept with the
// attempt, as far as they are authentic; after a restart as well.
func TestHoldTimesAreKept(t *testing.T) {
	all := []time.Duration{2 * time.Second, time.Second, 0}
	drop := func(at int) func(int, *htlc.Resolution) {
		return func(hop int, r *htlc.Resolution) {
			if hop == at {
				r.Attribution = nil
			}
		}
	}
	for _, kind := range []htlc.ResolutionKind{htlc.Fulfilled, htlc.Failed} {
		for at, want := range map[int][]time.Duration{9: all, 1: all[:2], 0: all[:1], -1: nil} {
			for _, restart := range []bool{false, true} {
				b := newBench(t, line(t))
				p, fx := b.begin(Limits{Fee: 10_000})
				l := fx.Launch[0]
				require.Len(t, l.Attempt.Route.Hops, 3)
				if restart {
					p = Resume(Resumed{Payment: *fx.Delta.Payment, Attempts: []Attempt{l.Attempt}, Live: []uint64{l.AttemptID}, Seed: seed})
					b.step(p, Start{})
				}
				fx = b.step(p, b.back(l, htlc.Resolution{Kind: kind, Preimage: preimage}, drop(at)))
				require.Len(t, fx.Delta.Attempts, 1)
				require.Equal(t, want, fx.Delta.Attempts[0].Holds)
				if kind == htlc.Failed {
					require.EqualValues(t, 2, fx.Delta.Attempts[0].Failure.Hop)
				}
			}
		}
	}
}

// B4.origin.21: a failure that nobody can read is charged to the two nodes between which it
// was spoilt: the one that took part before, and the one behind it, if that says that it
// takes part. If it does not, to all behind.
func TestBlameOfAPair(t *testing.T) {
	flip := func(r *htlc.Resolution) { r.Reason[len(r.Reason)-1] ^= 1 }
	flipMac := func(r *htlc.Resolution) { r.Attribution[500] ^= 1; r.Attribution[100] ^= 1; r.Attribution[3] ^= 1 }
	nothing := func(from, to int) Observation { return Observation{From: key(from), To: key(to)} }
	through := func(from, to int) Observation {
		return Observation{From: key(from), To: key(to), Amount: 1_000_600, Success: true}
	}
	for name, c := range map[string]struct {
		at    int // the hop that gets it spoilt; -1: the payer
		spoil func(*htlc.Resolution)
		takes []int // nodes that say that they take part
		learn []Observation
	}{
		// The route is our node 0, then hops 0, 1, 2: the nodes 1, 2, 3.
		"between the last two":                {1, flip, []int{1, 2, 3}, []Observation{through(1, 2), nothing(2, 3)}},
		"attribution data as well":            {1, flipMac, []int{1, 2, 3}, nil}, // the failure is readable: no matter
		"between the first two":               {0, flip, []int{1, 2, 3}, []Observation{nothing(1, 2)}},
		"by our peer":                         {-1, flip, []int{1, 2, 3}, []Observation{{From: key(0), To: key(1)}, {From: key(1), To: key(2)}}},
		"the last does not take part":         {1, flip, []int{1, 2}, []Observation{through(1, 2), {From: key(2), To: key(3), Amount: 1_000_000}}},
		"the last two do not":                 {0, flip, []int{1}, []Observation{{From: key(1), To: key(2), Amount: 1_000_600}, {From: key(2), To: key(3), Amount: 1_000_000}}},
		"nobody says it, and our peer did it": {-1, flip, nil, []Observation{{From: key(1), To: key(2), Amount: 1_000_600}, {From: key(2), To: key(3), Amount: 1_000_000}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, line(t))
			b.attribute(c.takes...)
			p, fx := b.begin(Limits{Fee: 400_000})
			fx = b.step(p, b.back(fx.Launch[0], htlc.Resolution{Kind: htlc.Failed}, func(hop int, r *htlc.Resolution) {
				if hop == c.at {
					c.spoil(r)
				}
			}))
			f := fx.Delta.Attempts[0].Failure
			if c.learn == nil {
				require.EqualValues(t, 2, f.Hop)
				return
			}
			require.EqualValues(t, UnknownHop, f.Hop)
			require.Equal(t, c.learn, fx.Learn)
			require.Equal(t, []int{4, 5}, scidsOf(fx.Launch[0].Attempt.Route), "another way is tried")
		})
	}
}

// The recipient's invoice says for it that it takes part; when all have authenticated what
// nobody can read, it is the recipient's own.
func TestBlameOfTheRecipient(t *testing.T) {
	b := newBench(t, line(t))
	tm := terms()
	tm.Features = lnwire.NewFeatures(lnwire.AttributionDataOptional)
	p, fx := b.beginWith(tm, Limits{Fee: 400_000})
	fx = b.step(p, b.back(fx.Launch[0], htlc.Resolution{Kind: htlc.Failed}, func(hop int, r *htlc.Resolution) {
		if hop == 1 {
			r.Reason[0] ^= 1
		}
	}))
	require.Contains(t, fx.Learn, Observation{From: key(2), To: key(3)})
	require.Len(t, fx.Launch, 1)

	b = newBench(t, line(t))
	p, fx = b.begin(Limits{Fee: 400_000})
	fx = b.step(p, b.back(fx.Launch[0], htlc.Resolution{Kind: htlc.Failed, Reason: make([]byte, 292)}, nil))
	require.Empty(t, fx.Launch)
	require.Equal(t, ReasonError, p.Row().Reason)
	require.Contains(t, p.Row().Text, "the recipient")
	require.Len(t, fx.Delta.Attempts[0].Holds, 3)
}

// What a peer sends as attribution data breaks nothing.
func TestOddAttribution(t *testing.T) {
	for _, kind := range []htlc.ResolutionKind{htlc.Failed, htlc.Malformed, htlc.TimedOut, htlc.Fulfilled} {
		for _, reason := range [][]byte{nil, {1}, make([]byte, 292), make([]byte, 65000)} {
			b := newBench(t, line(t))
			p, fx := b.begin(Limits{Fee: 400_000})
			fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: kind, Reason: reason, Preimage: preimage,
				Attribution: &lnwire.Attribution{1}}})
			require.Empty(t, fx.Delta.Attempts[0].Holds)
		}
	}
}
