package htlc

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// faultAt is how node i of a line answers what it has had for i seconds more than the
// last one.
func faultAt(i int) Fault {
	return Fault{Secret: lnwire.Secret{byte(i + 1)}, LockedAt: noon.Add(time.Duration(i) * time.Second), Attribute: true}
}

func secretsOf(n int) (out []lnwire.Secret) {
	for i := range n {
		out = append(out, faultAt(i).Secret)
	}
	return out
}

// B4.attr.5: who ends an HTLC begins, and who passes the answer back adds: the payer reads for
// how long each of them had it. Where one does not take part, what is behind it is lost.
func TestAttributionAlongALine(t *testing.T) {
	const n = 4
	now := noon.Add(10 * time.Second)
	all := []time.Duration{10 * time.Second, 9 * time.Second, 8 * time.Second, 7 * time.Second}
	answers := map[string]func(f Fault) Resolution{
		"preimage": func(f Fault) Resolution { return f.Fulfil(lnwire.Preimage{5}, nil, now) },
		"failure":  func(f Fault) Resolution { return f.With(onion.Failure{Code: onion.TemporaryNodeFailure}, now) },
	}
	for name, end := range answers {
		for plain := -1; plain < n; plain++ { // who does not take part
			t.Run(name, func(t *testing.T) {
				fault := func(i int) Fault {
					f := faultAt(i)
					f.Attribute = i != plain
					return f
				}
				r := end(fault(n - 1))
				for i := n - 2; i >= 0; i-- {
					if r.Kind == Fulfilled {
						r = fault(i).Fulfil(r.Preimage, r.Attribution, now)
					} else {
						r = fault(i).Passed(r, now)
					}
				}
				if r.Kind == Failed {
					hop, f, ok := onion.DecodeFailure(secretsOf(n), r.Reason)
					require.True(t, ok)
					require.Equal(t, n-1, hop)
					require.Equal(t, onion.TemporaryNodeFailure, f.Code)
				}
				if plain == 0 {
					require.Nil(t, r.Attribution)
					return
				}
				want := all
				if plain > 0 {
					want = all[:plain]
				}
				require.Equal(t, want, onion.ReadAttribution(secretsOf(n), r.Reason, r.Attribution))
			})
		}
	}
}

// A failure that the next node did not make itself (it was no onion to it, or the chain ended
// the HTLC) is ours, and begins with us.
func TestAttributionBeginsWithUs(t *testing.T) {
	now := noon.Add(time.Second)
	for _, r := range []Resolution{{Kind: TimedOut}, {Kind: Malformed, Code: uint16(onion.InvalidOnionHMAC)}} {
		back := faultAt(0).Passed(r, now)
		require.Equal(t, []time.Duration{time.Second}, onion.ReadAttribution(secretsOf(2), back.Reason, back.Attribution))
	}
	claimed := faultAt(0).Fulfil(lnwire.Preimage{1}, nil, now) // seen on the chain
	require.Equal(t, []time.Duration{time.Second}, onion.ReadAttribution(secretsOf(2), nil, claimed.Attribution))
}

// Hold times are never negative, end at what fits, and are 0 when nobody knows.
func TestHoldTimes(t *testing.T) {
	const most = math.MaxUint32 * 100 * time.Millisecond
	for _, c := range []struct {
		locked, now time.Time
		want        time.Duration
	}{
		{noon, noon.Add(1999 * time.Millisecond), 1900 * time.Millisecond},
		{noon, noon, 0},
		{noon, noon.Add(-time.Hour), 0},
		{time.Time{}, noon, 0},
		{noon, noon.Add(100_000 * time.Hour), 100_000 * time.Hour},
		{noon, noon.AddDate(200, 0, 0), most},
		{noon, noon.AddDate(900, 0, 0), most},
	} {
		f := faultAt(0)
		f.LockedAt = c.locked
		a := f.Fulfil(lnwire.Preimage{}, nil, c.now).Attribution
		require.Equal(t, []time.Duration{c.want}, onion.ReadAttribution(secretsOf(1), nil, a))
	}
}

// B4.attr.5, B4.blind.10: an introduction node attributes, for itself alone; behind it nobody
// does, and what they let through counts for nothing.
func TestAttributionOfBlindedPaths(t *testing.T) {
	packet, secrets, _ := payment(t, 0, nil)
	first := at(bob, packet, 200_000, 1000, nil)
	first.Attribute, first.HTLC.LockedAt = true, noon
	f, _, _ := first.Onwards()
	second := at(carol, first.Opened.Next, f.Amount, f.Expiry, f.PathKey)
	second.Attribute, second.HTLC.LockedAt = true, noon
	now := noon.Add(3 * time.Second)
	require.Nil(t, second.Fault().With(onion.Failure{Code: onion.TemporaryChannelFailure}, now).Attribution)
	require.Nil(t, second.Fault().Fulfil(lnwire.Preimage{1}, &lnwire.Attribution{1}, now).Attribution)
	hold := func(r Resolution) []time.Duration { return onion.ReadAttribution(secrets, r.Reason, r.Attribution) }
	require.Equal(t, []time.Duration{3 * time.Second}, hold(first.Fault().Fulfil(lnwire.Preimage{1}, nil, now)))
	told := onion.Attribute(second.Opened.Secret, nil, nil, time.Second) // by one who should not
	require.Equal(t, []time.Duration{3 * time.Second}, hold(first.Fault().Fulfil(lnwire.Preimage{1}, told, now)))
	behind := second.Fault().Passed(Resolution{Kind: TimedOut}, now)
	require.Equal(t, []time.Duration{3 * time.Second}, hold(first.Fault().Passed(behind, now)))
	require.Equal(t, []time.Duration{3 * time.Second},
		hold(first.Fault().Passed(Resolution{Kind: Failed, Reason: make([]byte, 292), Attribution: &lnwire.Attribution{1}}, now)))
	later := first.Fault().Delayed(now.Add(300 * time.Millisecond))
	require.Equal(t, []time.Duration{3300 * time.Millisecond}, hold(later), "the time by which it was put off counts")
	require.Equal(t, first.Fault().Passed(behind, now).Reason, later.Reason)
}
