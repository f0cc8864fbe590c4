package forward

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// What the channel that an HTLC comes over asks for is counted on what goes out and the
// fee for that; a discount never makes us pay, and payers who know the former one are
// served for a while. B7.route.6.
func TestInboundFeesAreAskedFor(t *testing.T) {
	const in, out = height + 100, height + 60 // the plain fee of a million is 1100
	for _, c := range []struct {
		fee   lnwire.InboundFee
		least lnwire.MilliSat
	}{
		{lnwire.InboundFee{}, 1_001_100},
		{lnwire.InboundFee{Base: 50}, 1_001_150},
		{lnwire.InboundFee{Base: -50}, 1_001_050},
		{lnwire.InboundFee{PPM: -500}, 1_000_600}, // 500.55 of 1,001,100 are granted as 500
		{lnwire.InboundFee{Base: -5000}, 1_000_000},
	} {
		s := world()
		link := Link{ChanNum: 1, Peer: alice, SCIDs: []lnwire.ShortChannelID{101}, Up: true, Sendable: 1e9, Policy: Policy{Inbound: c.fee}}
		s.Step(t0, LinkChanged{link})
		l := locked(1, 102, c.least, 1_000_000, in, out)
		require.Len(t, s.Step(t0, LockedIn{HTLC: l}).Add, 1, c.fee)
		short := locked(2, 102, c.least-1, 1_000_000, in, out)
		require.Equal(t, onion.FeeInsufficient, failureOf(t, s.Step(t0, LockedIn{HTLC: short}), short).Code)

		if c.least >= 1_001_100 {
			continue
		}
		link.Former, link.FormerUntil, link.Policy = link.Policy, t0.Add(time.Minute), Policy{}
		s.Step(t0, LinkChanged{link})
		late := locked(3, 102, c.least, 1_000_000, in, out)
		require.Len(t, s.Step(t0, LockedIn{HTLC: late}).Add, 1)
		later := locked(4, 102, c.least, 1_000_000, in, out)
		require.Equal(t, onion.FeeInsufficient, failureOf(t, s.Step(t0.Add(2*time.Minute), LockedIn{HTLC: later}), later).Code)
	}
}
