package node

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBootstrap: a node that knows nobody meets those that a seed names, and once it
// has a map those that are on it.
func TestBootstrap(t *testing.T) {
	chain := chainOf(t)
	alice, bob, carol := residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	alice.fund(10_000_000)
	alice.connect(bob)
	alice.open(bob, 1_000_000, 0)
	carol.seeds = func(context.Context) ([]Contact, error) {
		return []Contact{
			{ID: carol.ID(), Address: "127.0.0.1:1"}, // itself
			{ID: alice.ID(), Address: bob.addr},      // not who is there
			{ID: bob.ID(), Address: bob.addr},
		}, nil
	}
	carol.restart()
	carol.until("bob by the seed", func() bool { return carol.host.Conn(bob.ID()) != nil })
	carol.until("the map", func() bool {
		return len(carol.gossip.addresses(alice.ID())) > 0 && len(carol.gossip.addresses(bob.ID())) > 0
	})
	carol.seeds = func(context.Context) ([]Contact, error) {
		return nil, errors.New("no seed is asked when there is a map")
	}
	carol.restart()
	carol.until("both by the map", func() bool {
		return carol.host.Conn(alice.ID()) != nil && carol.host.Conn(bob.ID()) != nil
	})
	require.Len(t, carol.fromMap(), 0, "those who are there are not looked for")
}
