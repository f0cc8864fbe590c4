package btcdtest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPortsAreGivenOnce: over the ends of blocks, which stay ours.
func TestPortsAreGivenOnce(t *testing.T) {
	seen := map[string]bool{}
	for range 2 * blockSize {
		addr, err := FreeAddr()
		require.NoError(t, err)
		require.False(t, seen[addr], addr)
		seen[addr] = true
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		require.Len(t, port, 5)
	}
	require.GreaterOrEqual(t, len(ports.held), 2)
	for _, l := range ports.held {
		require.False(t, seen[l.Addr().String()])
		_, err := net.Listen("tcp", l.Addr().String())
		require.Error(t, err, "another process would look elsewhere")
	}
}
