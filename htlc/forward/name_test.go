package forward

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestSecretIDs: B2.alias.2, B2.alias.3: others name a channel by the ids that it is given,
// the operator by its name, which may be a secret to them.
func TestSecretIDs(t *testing.T) {
	const real, alias, old lnwire.ShortChannelID = 100 << 40, 16_000_000 << 40, 99 << 40
	ls := newLinks()
	ls.set(Link{ChanNum: 1, SCIDs: []lnwire.ShortChannelID{alias}, Name: real})
	require.Nil(t, ls.named(real))
	require.EqualValues(t, 1, ls.named(alias).ChanNum)
	require.EqualValues(t, 1, ls.own(real).ChanNum)
	require.EqualValues(t, 1, ls.own(alias).ChanNum)
	require.Equal(t, real, ls.scid(1))
	ls.set(Link{ChanNum: 1, SCIDs: []lnwire.ShortChannelID{alias}, Name: old}) // another block
	require.Nil(t, ls.own(real))
	ls.set(Link{ChanNum: 2, SCIDs: []lnwire.ShortChannelID{real, old}, Name: 0})
	require.Equal(t, real, ls.scid(2))
	require.EqualValues(t, 1, ls.own(old).ChanNum)
	require.EqualValues(t, 2, ls.named(old).ChanNum)
	ls.drop(1)
	require.EqualValues(t, 2, ls.own(old).ChanNum)
	require.Zero(t, ls.scid(1))
}
