package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
)

// TestOpeningStorm: V-41: openings whose connection ends at any moment, again and again:
// each ends once, one owner at a time, and what came of them is known to both sides.
func TestOpeningStorm(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	pending := 0
	for range 6 {
		updates, err := alice.OpenChannel(t.Context(), OpenRequest{Peer: bob.ID(), Capacity: 300_000})
		if err == nil {
			_ = alice.DisconnectPeer(bob.ID())
			if u := <-updates; u.Err == nil {
				require.True(t, u.Pending)
				pending++
			}
		}
		_ = bob.DisconnectPeer(alice.ID())
		alice.connect(bob)
	}
	alice.until("the openings are over", func() bool {
		list, err := alice.ListChannels(t.Context())
		made := 0
		for _, c := range list {
			if c.Core.Phase < channel.AwaitReady {
				return false
			}
			made++
		}
		return err == nil && made == pending
	})
	list, err := alice.ListChannels(t.Context())
	require.NoError(t, err)
	for _, c := range list {
		_, err := bob.Channel(t.Context(), c.Core.Funding)
		require.NoError(t, err, "what alice has paid for, bob knows")
	}
	require.LessOrEqual(t, len(bob.channels.all()), 6)
}
