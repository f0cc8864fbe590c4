package routing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestKeptUpdates: the channel_update of a failure stays with the attempt, as long as it
// is no longer than an honest one.
func TestKeptUpdates(t *testing.T) {
	require.Nil(t, kept(nil))
	u := &lnwire.ChannelUpdate{SCID: 7, Extra: make([]byte, maxUpdateExtra)}
	require.Equal(t, u, kept(u))
	u.Extra = append(u.Extra, 0)
	require.Nil(t, kept(u))
}
