package routing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestBuildRoute(t *testing.T) {
	g := NewGraph()
	tight := flat(5000, 0, 30)
	tight.Min = 2_000_000
	link(t, g, 12, key(1), key(2), 1_000_000, flat(1000, 100, 40), flat(9, 9, 9))
	link(t, g, 13, key(1), key(2), 1_000_000, flat(10, 0, 144), flat(9, 9, 9))
	link(t, g, 14, key(1), key(2), 1_000_000, tight, flat(9, 9, 9))
	link(t, g, 23, key(2), key(3), 1_000_000, flat(2000, 0, 10), flat(9, 9, 9))
	off := flat(9000, 0, 10)
	off.Disabled = true
	link(t, g, 24, key(2), key(3), 1_000_000, off, flat(9, 9, 9))
	s := g.Snapshot()
	b := Build{Source: key(0), Hops: []lnwire.PubKey{key(1), key(2), key(3)}, Amount: 1_000_000, FinalDelta: 80, Height: 500,
		Locals: []Local{{SCID: 1, Peer: key(1), Sendable: 5_000_000, Min: 1000}, {SCID: 2, Peer: key(1), Sendable: 9_000_000, Min: 1000}, {SCID: 3, Peer: key(9), Sendable: 1 << 40}}}
	r, err := b.Route(s)
	require.NoError(t, err)
	require.Equal(t, []lnwire.ShortChannelID{2, 12, 23}, []lnwire.ShortChannelID{r.Hops[0].SCID, r.Hops[1].SCID, r.Hops[2].SCID})
	require.Equal(t, lnwire.MilliSat(1_000_000), r.Received())
	require.Equal(t, lnwire.MilliSat(2000+1000+100), r.Fee(), "1000 and 100.2 of 1,002,000")
	require.Equal(t, lnwire.Height(500+80+10+144), r.Expiry, "the longest delta of those that it may choose")
	require.NoError(t, r.Check())

	b.Outgoing = 1
	r, err = b.Route(s)
	require.NoError(t, err)
	require.Equal(t, lnwire.ShortChannelID(1), r.Hops[0].SCID)
	b.Amount = 5_000_000
	_, err = b.Route(s)
	require.Equal(t, NoHop{0}, err)
	require.EqualError(t, err, "no matching outgoing channel available for node index 0")
	b.Hops[1] = key(7)
	_, err = b.Route(s)
	require.Equal(t, NoHop{2}, err)
	b.Hops = nil
	_, err = b.Route(s)
	require.ErrorIs(t, err, ErrNoHops)

	// The least: the peer takes 3,000 msat and more.
	b.Hops, b.Amount, b.Outgoing = []lnwire.PubKey{key(1)}, 0, 0
	b.Locals[0].Min, b.Locals[1].Min = 3000, 3000
	r, err = b.Route(s)
	require.NoError(t, err)
	require.Equal(t, lnwire.MilliSat(3000), r.Received())
	b.Hops = []lnwire.PubKey{key(1), key(2), key(3)}
	b.Locals[0].Min, b.Locals[1].Min = 3_500, 3_500
	r, err = b.Route(s)
	require.NoError(t, err)
	require.Equal(t, lnwire.MilliSat(3500), r.Amount)
	require.Equal(t, lnwire.MilliSat(500), r.Received())
}

func TestMergeScores(t *testing.T) {
	s := NewScores()
	s.Learn(t0, []Observation{{From: fake(1), To: fake(2), Amount: 1000, Success: true}})
	row := PairHistory{From: fake(1), To: fake(2), SuccessAt: t0.Add(-1), Success: 9000, FailAt: t0.Add(1), Fail: 500}
	s.Merge([]PairHistory{row}, false)
	h, _ := s.History(fake(1), fake(2))
	require.Equal(t, lnwire.MilliSat(500), h.Fail)
	require.Equal(t, lnwire.MilliSat(499), h.Success, "a newer failure disproves it")
	s.Merge([]PairHistory{{From: fake(1), To: fake(2), SuccessAt: t0.Add(-1), Success: 9000}}, true)
	h, _ = s.History(fake(1), fake(2))
	require.Equal(t, lnwire.MilliSat(9000), h.Success)
	require.Equal(t, lnwire.MilliSat(9001), h.Fail)

	s.Memory.Pairs = 8
	for i := range 20 {
		s.Learn(t0, []Observation{{From: fake(i), To: fake(i + 50), Amount: 1, Success: true}})
	}
	require.LessOrEqual(t, s.Pairs(), 8)
	p := DefaultParams
	require.Equal(t, p.Apriori, s.Probability(t0, &p, fake(80), fake(81), 1<<40, 0), "of an unknown capacity nothing is held against it")
	p.Fraction = 0.8
	require.Less(t, s.Probability(t0, &p, fake(80), fake(81), 800_000_000, 1_000_000), 0.5)
}
