package node

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

var _ channel.Crypto = (*crypto)(nil)

// TestForesightChangesNothing: whatever a machine has announced, asks again or asks out
// of turn, it gets what BOLT 3 says, with workers and without.
func TestForesightChangesNothing(t *testing.T) {
	ours, theirs := ringOf(t, "ours"), ringOf(t, "theirs")
	locs := keys.ChannelLocs(7)
	us, err := ours.Basepoints(locs)
	require.NoError(t, err)
	them, err := theirs.Basepoints(locs)
	require.NoError(t, err)
	bad := them
	bad.HTLC = lnwire.PubKey{}
	sides := []*commitment.Params{{Owner: us, Other: them}, {Owner: them, Other: us}, {Owner: us, Other: bad}}
	points := []lnwire.PubKey{{}, {2, 1}}
	for n := range uint64(5) {
		points = append(points, theirs.Point(locs.Root, n))
	}
	busy := newPool()
	defer busy.stop()
	for _, p := range []*pool{busy, {}} {
		c := &crypto{signer: ours, pool: p}
		dice := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			side, point, n := sides[dice.IntN(len(sides))], points[dice.IntN(len(points))], dice.Uint64N(6)
			switch dice.IntN(5) {
			case 0, 1:
				c.Soon(side, point)
			case 2, 3:
				want, wantErr := commitment.DeriveKeys(side.Owner, side.Other, point)
				got, err := c.Keys(side, point)
				require.Equal(t, want, got)
				require.Equal(t, wantErr, err)
			case 4:
				require.Equal(t, ours.Point(locs.Root, n), c.Point(locs.Root, n))
			}
		}
	}
	c := &crypto{signer: ours, pool: busy}
	last := uint64(commitment.MaxNumber)
	require.Equal(t, ours.Point(locs.Root, last-1), c.Point(locs.Root, last-1))
	require.Equal(t, ours.Point(locs.Root, last), c.Point(locs.Root, last), "nobody asks for the one after the last")
}
