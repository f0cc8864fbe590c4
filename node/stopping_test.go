package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// TestAskedWhileStopping: who asks the wallet for something when the last write was done gets
// an answer.
func TestAskedWhileStopping(t *testing.T) {
	alice := residentOf(t, chainOf(t), "alice")
	n := alice.Node
	alice.stop()
	_, err := n.NewAddress(keys.P2WKH, false, false)
	require.ErrorIs(t, err, errStopping)
}
