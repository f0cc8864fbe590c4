package routing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ring is us (0) with peers 1 and 2, who have a channel; peer 3 leads nowhere else.
func ring(t testing.TB) (*Snapshot, Query) {
	g := NewGraph()
	link(t, g, 12, key(1), key(2), 1_000_000, flat(1000, 0, 40), flat(2000, 0, 40))
	local := func(scid, peer int, base uint32) Local {
		return Local{SCID: lnwire.ShortChannelID(scid), Peer: key(peer), Capacity: 1_000_000, Sendable: 500_000_000,
			Back: Back{SCID: lnwire.ShortChannelID(scid), Policy: *flat(base, 0, 10)}}
	}
	return g.Snapshot(), Query{Source: key(0), Target: key(0), Amount: 1_000_000, FeeLimit: math.MaxInt64, Height: 100, FinalDelta: 9, Now: t0,
		Ours: true, Locals: []Local{local(1, 1, 100), local(2, 2, 500), local(3, 3, 0)}}
}

func TestRoundTrip(t *testing.T) {
	s, q := ring(t)
	var f Finder
	way := func() (list []int) {
		r, err := f.Find(s, &q)
		require.NoError(t, err)
		require.NoError(t, r.Check())
		require.Equal(t, key(0), r.Hops[len(r.Hops)-1].Node)
		for _, h := range r.Hops {
			list = append(list, int(h.SCID))
		}
		return list
	}
	require.Equal(t, []int{1, 12, 2}, way(), "1000 for the channel of the others and 500 for the way back; 2100 the other way")
	last := key(1)
	q.LastHop = &last
	require.Equal(t, []int{2, 12, 1}, way())
	q.LastHop, q.Outgoing = nil, []lnwire.ShortChannelID{2}
	require.Equal(t, []int{2, 12, 1}, way())

	q.Outgoing = []lnwire.ShortChannelID{3}
	_, err := f.Find(s, &q)
	require.Error(t, err, "not straight back over the same channel")
	fourth := q.Locals[2]
	fourth.SCID, fourth.Back.SCID = 4, 4
	q.Locals = append(q.Locals, fourth)
	require.Equal(t, []int{3, 4}, way(), "over another channel with the same peer")

	q.Locals[3].Back.Policy.Max = 999_999
	_, err = f.Find(s, &q)
	require.Error(t, err, "no more than it can bring")
	q.Locals[3].Back = Back{}
	q.Locals[0].Back, q.Locals[1].Back, q.Locals[2].Back = Back{}, Back{}, Back{}
	_, err = f.Find(s, &q)
	require.ErrorContains(t, err, "can bring anything back")
}
