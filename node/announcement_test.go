package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestChangesOfTheAnnouncementLast: what was changed is stored, and holds for a
// configuration that says the same; what the operator configures anew counts.
func TestChangesOfTheAnnouncementLast(t *testing.T) {
	addr := func(host string) lnwire.Address { return lnwire.Address{Type: lnwire.AddrIPv4, Host: host, Port: 9735} }
	one, two, three := addr("203.0.113.1"), addr("203.0.113.2"), addr("203.0.113.3")
	configured := gossip.OwnNode{
		Alias: lnwire.Alias{'a'}, Color: lnwire.RGB{1}, Addresses: []lnwire.Address{one, two}, Features: lnwire.NewFeatures(9, 15, 17),
	}
	wanted := gossip.OwnNode{
		Alias: lnwire.Alias{'b'}, Color: lnwire.RGB{2}, Addresses: []lnwire.Address{two, three}, Features: lnwire.NewFeatures(9, 15),
	}
	s := between(configured, wanted)
	got := s.on(configured)
	require.True(t, got.Features.Equal(wanted.Features))
	got.Features = wanted.Features
	require.Equal(t, wanted, got)

	other := configured
	other.Alias, other.Addresses, other.Features = lnwire.Alias{'c'}, []lnwire.Address{one, addr("203.0.113.4")}, other.Features.With(19)
	got = s.on(other)
	require.Equal(t, other.Alias, got.Alias, "the operator has named it anew")
	require.Equal(t, wanted.Color, got.Color)
	require.Equal(t, []lnwire.Address{addr("203.0.113.4"), three}, got.Addresses)
	require.True(t, got.Features.Equal(lnwire.NewFeatures(9, 15, 19)))

	none := between(configured, configured)
	require.Equal(t, selfChanges{Hidden: none.Hidden}, none)
	require.True(t, none.Hidden.IsEmpty())
}
