package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLnService: a wallet's making, coins, channels, payments, holds, lists, mistakes,
// credentials, backups and a close, as a program sees them that was written for lnd.
func TestLnService(t *testing.T) {
	t.Parallel()
	out, err := newStage(t).play("story.mjs")
	require.NoError(t, err, out)
	require.Contains(t, out, "the end")
}
