package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestTimestampsAreNoted: B7.own.6: what an update says of time is known to a later run
// before the update leaves, whatever becomes of the map's file.
func TestTimestampsAreNoted(t *testing.T) {
	n, _, _ := storeOnly(t)
	until, err := n.announcedUntil()
	require.NoError(t, err)
	require.Zero(t, until)
	g := &gossiper{n: n}
	for _, c := range []struct{ time, until uint32 }{{1000, 1060}, {1060, 1060}, {900, 1060}, {1061, 1121}} {
		g.reserve([]gossip.OwnUpdate{{ChanNum: 7, Update: &lnwire.ChannelUpdate{Timestamp: c.time}}, {ChanNum: 8}})
		until, err = n.announcedUntil()
		require.NoError(t, err)
		require.Equal(t, c.until, until)
	}
}
