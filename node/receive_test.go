package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestOwnHintsStand: a channel for which the caller gave a hint, by any of its names, gets
// no second one with other fees.
func TestOwnHintsStand(t *testing.T) {
	l := &channel.LinkState{SCID: 1, Alias: 2, PeerAlias: 3, Kind: channel.Kind{ScidAlias: true}}
	for scid, want := range map[lnwire.ShortChannelID]bool{1: true, 2: true, 3: true, 4: false} {
		require.Equal(t, want, hinted([]invoice.RouteHint{{{SCID: 9}}, {{SCID: scid}}}, l), "%d", scid)
	}
	require.False(t, hinted([]invoice.RouteHint{{{SCID: 1}, {SCID: 7}}}, l), "a way over it to another channel")
	require.False(t, hinted([]invoice.RouteHint{{{}}}, &channel.LinkState{}), "no name")
}
