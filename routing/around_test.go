package routing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// What is found is the cheapest way of all, however many channels there are: each first
// and each last one is tried by itself beside it.
func TestRoundTripIsTheCheapest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := DefaultParams
		params.AttemptBase, params.AttemptPPM = 0, 0 // then costs are sums, and a search is exact
		peers := rapid.IntRange(1, 6).Draw(t, "peers")
		fee := rapid.Uint32Range(0, 5000)
		g := NewGraph()
		for a := 1; a <= peers; a++ {
			for b := a + 1; b <= peers; b++ {
				if rapid.Bool().Draw(t, "linked") {
					link(t, g, 10*a+b, key(a), key(b), 1_000_000, flat(fee.Draw(t, "there"), 0, 40), flat(fee.Draw(t, "back"), 0, 40))
				}
			}
		}
		q := Query{Source: key(0), Target: key(0), Amount: 1_000_000, FeeLimit: math.MaxInt64, Height: 100, FinalDelta: 9, Now: t0, Ours: true,
			Params: &params}
		for i := range rapid.IntRange(1, 9).Draw(t, "channels") {
			peer := rapid.IntRange(1, peers).Draw(t, "peer")
			l := Local{SCID: lnwire.ShortChannelID(1000 + i), Peer: key(peer), Capacity: 1_000_000, Sendable: 500_000_000}
			if rapid.IntRange(0, 4).Draw(t, "brings") > 0 {
				l.Back = Back{SCID: l.SCID, Policy: *flat(fee.Draw(t, "of the peer"), 0, 10)}
			}
			q.Locals = append(q.Locals, l)
		}
		s := g.Snapshot()
		least := math.Inf(1)
		for i := range q.Locals { // in pairs: nothing can be mixed up
			for j := range q.Locals {
				if i == j || q.Locals[j].Back.SCID == 0 {
					continue
				}
				pair, first := q, q.Locals[i]
				first.Back = Back{}
				pair.Locals = []Local{first, q.Locals[j]}
				pair.Outgoing = []lnwire.ShortChannelID{first.SCID}
				if _, cost, err := new(Finder).around(s, &pair); err == nil {
					least = min(least, cost)
				}
			}
		}
		r, cost, err := new(Finder).around(s, &q)
		if math.IsInf(least, 1) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.NoError(t, r.Check())
		require.NotEqual(t, r.Hops[0].SCID, r.Hops[len(r.Hops)-1].SCID)
		require.InEpsilon(t, 1+least, 1+cost, 1e-9)
	})
}
