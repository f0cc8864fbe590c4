package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/routing"
)

// TestWordOfALostBlockThatComesLate: the channels are told of a block that the backend does
// not know by another goroutine than the one that walks the chain, and maybe later: the node
// has come to its tip again by then, and no block need follow for a long time (V-27).
func TestWordOfALostBlockThatComesLate(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(1_000_000)
	alice.connect(bob)
	alice.open(bob, 500_000, 0)
	bob.chainLost(chainntnfs.Lost{Cursor: bob.Tip()})
	p := alice.pay(bob, 10_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
}

// TestBackendSetBack: a backend that reads its chain again knows less than the node does.
// Until it has come where it was, nothing is risked (V-27), and what its lost blocks held is
// not forgotten: nobody would tell the map again.
func TestBackendSetBack(t *testing.T) {
	chain, alice, bob, carol := lineOf(t)
	height, _, err := chain.Tip(t.Context())
	require.NoError(t, err)
	alice.open(bob, 1_000_000, 0)
	bob.open(carol, 1_000_000, 0)
	far := bob.Links()[1].SCID
	known := func() bool {
		c, ok := alice.Graph().Channel(far)
		return ok && c.Policies[0] != nil && c.Policies[1] != nil
	}
	alice.until("bob-carol by gossip", known)

	first, err := chain.BlockHash(t.Context(), height+1)
	require.NoError(t, err)
	require.NoError(t, chain.InvalidateBlock(t.Context(), first))
	alice.until("set back", func() bool { return int32(alice.Tip().Height) == height })
	require.False(t, alice.SyncedToChain())
	require.ErrorContains(t, alice.inSight(), "still catching up: it is at block")
	_, err = alice.Pay(t.Context(), routing.Begin{})
	require.ErrorContains(t, err, "still catching up")
	require.True(t, known())

	require.NoError(t, chain.ReconsiderBlock(t.Context(), first))
	for _, r := range []*resident{alice, bob, carol} {
		r.until("synced", r.SyncedToChain)
	}
	joined(alice, bob)
	joined(bob, carol)
	require.True(t, known())
	p := alice.pay(carol, 50_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
}
