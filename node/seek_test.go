package node

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPeerThatCameIsFound: a peer that had dialled us and does not come back is dialled
// where it says that it listens, as long as there is a channel.
func TestPeerThatCameIsFound(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	alice.open(bob, 1_000_000, 0)
	bob.until("alice's address", func() bool { return len(bob.gossip.addresses(alice.ID())) > 0 })
	require.False(t, bob.host.Kept(alice.ID()))

	old := bob.host.Conn(alice.ID())
	require.True(t, old.Inbound())
	alice.host.Forget(bob.ID()) // it will not come back: it looks in the wrong place
	alice.host.Keep(bob.ID(), "127.0.0.1:1")
	require.NoError(t, alice.DisconnectPeer(bob.ID()))
	bob.until("found", func() bool { c := bob.host.Conn(alice.ID()); return c != nil && c != old })
	require.False(t, bob.host.Conn(alice.ID()).Inbound())
}
