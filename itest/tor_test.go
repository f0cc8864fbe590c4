package itest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestTor: two nodes that reach each other over a real Tor network only. One offers an
// onion service, announces it, and keeps its name over a restart; the other pays it.
func TestTor(t *testing.T) {
	t.Parallel()
	net := rig.NewTorNet(t)
	w := rig.NewWorld(t)
	tor := []string{"--tor.active", "--tor.socks=" + net.SOCKS, "--tor.control=" + net.Control, "--tor.streamisolation"}
	published := net.Published()
	alice := w.Node("alice", append(tor, "--tor.v3")...)
	bob := w.Node("bob", tor...)

	require.Len(t, alice.Info().Uris, 1)
	_, onion, _ := strings.Cut(alice.Info().Uris[0], "@")
	require.True(t, strings.HasSuffix(onion, ".onion:9735"), onion)
	key, err := os.Stat(filepath.Join(alice.Dir, "v3_onion_private_key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), key.Mode())

	bob.Fund(1_000_000)
	published()
	_, err = bob.LN.ConnectPeer(rig.Soon(t), &lnrpc.ConnectPeerRequest{
		Addr: &lnrpc.LightningAddress{Pubkey: alice.ID, Host: onion}, Timeout: 60,
	})
	if err != nil && !strings.Contains(err.Error(), "already connected") {
		t.Fatalf("bob does not reach the onion service: %v", err)
	}
	bob.Open(alice, 500_000)
	bob.Pay(alice.Invoice(10_000))

	rig.Eventually(t, "bob hears of the address", func() bool {
		info, err := bob.LN.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: alice.ID})
		return err == nil && len(info.Node.Addresses) == 1 && info.Node.Addresses[0].Addr == onion
	})

	// It comes back under its name. How soon others reach it again is a matter of Tor's,
	// whose clients remember for a while where it was.
	alice.Restart()
	_, again, _ := strings.Cut(alice.Info().Uris[0], "@")
	require.Equal(t, onion, again)
}
