package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// The ids that a channel has besides its own, the peer's and those that were added.
func TestListAliases(t *testing.T) {
	n := &Node{channels: newChannels()}
	for i, l := range []channel.LinkState{
		{SCID: 6}, {SCID: 5, Alias: 77}, {SCID: 7, Alias: 78, Ended: true}, {SCID: 8, Alias: 79, Kind: channel.Kind{ZeroConf: true}}, {},
	} {
		e := &entry{num: uint64(i + 1), alias: l.Alias}
		if e.link.Store(&l); l.SCID == 6 {
			e.more = []lnwire.ShortChannelID{90, 80}
		}
		n.channels.add(e)
	}
	n.channels.add(&entry{num: 9}) // never told
	require.Equal(t, []Aliases{
		{5, []lnwire.ShortChannelID{77}}, {6, []lnwire.ShortChannelID{90, 80}}, {79, []lnwire.ShortChannelID{79}},
	}, n.ListAliases())
	for alias, base := range map[lnwire.ShortChannelID]lnwire.ShortChannelID{77: 5, 80: 6, 79: 79} {
		got, err := n.AliasBase(alias)
		require.NoError(t, err)
		require.Equal(t, base, got)
	}
	require.ErrorContains(t, n.DeleteAliases([]Aliases{{5, []lnwire.ShortChannelID{77}}}), "the peer was told")
	require.ErrorIs(t, n.DeleteAliases([]Aliases{{6, []lnwire.ShortChannelID{90, 77}}}), errAliasAway)
	require.Len(t, n.ListAliases()[1].Aliases, 2, "all or nothing")
	require.ErrorContains(t, n.AddAliases([]Aliases{{Base: 7}}), "not found", "it is over")
	require.ErrorContains(t, n.AddAliases([]Aliases{{Base: 0}}), "not found")
}
