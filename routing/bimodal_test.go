package routing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// What is known of a channel cuts pieces off where its money may lie, and they grow back.
func TestBimodal(t *testing.T) {
	a, b := fake(1), fake(2)
	s := NewScores()
	p := DefaultParams
	p.Bimodal = &Bimodal{Scale: 300_000_000, Decay: 7 * 24 * time.Hour}
	at := func(age time.Duration, amount lnwire.MilliSat) float64 {
		return s.Probability(t0.Add(age), &p, a, b, amount, 10_000_000)
	}
	const capacity = 10_000_000_000 // msat
	require.Equal(t, 1.0, at(0, 0))
	require.Zero(t, at(0, capacity))
	require.Zero(t, at(0, capacity+1))
	require.InDelta(t, 0.5, at(0, capacity/2), 1e-9, "on which side the money lies is a matter of luck")
	require.InDelta(t, (1+math.Exp(-1))/2, at(0, 300_000_000), 1e-6)
	s.Learn(t0, []Observation{{a, b, 4_000_000_000, true}})
	require.Equal(t, 1.0, at(0, 4_000_000_000))
	require.InDelta(t, 1, at(0, capacity/2), 1e-3, "what carried much has its money on this side")
	require.Less(t, at(0, capacity-1_000_000), 0.01)
	s.Learn(t0, []Observation{{a, b, 6_000_000_000, false}})
	require.Zero(t, at(0, 6_000_000_000))
	require.InDelta(t, 0.5, at(0, capacity/2), 1e-3, "between the two nothing is known")
	week := p.Bimodal.Decay
	require.Less(t, at(0, 3_900_000_000), 1.01)
	require.Greater(t, at(week, 6_000_000_000), 0.0)
	require.InDelta(t, 0.5, at(1000*week, capacity/2), 1e-9, "all is forgotten")

	// A history of another channel, larger or smaller, says what it can.
	s.Learn(t0, []Observation{{a, b, 20_000_000_000, true}})
	require.InDelta(t, 1, at(0, capacity-2), 1e-9)
	require.Zero(t, at(0, capacity))
	require.Equal(t, 1.0, s.Probability(t0, &p, a, b, 1, 0), "of a capacity that nobody said")
}

// What a node did with others counts where nothing new is known of the channel.
func TestOthersCount(t *testing.T) {
	from, to := fake(1), fake(2)
	for _, p := range []Params{
		func() Params { p := DefaultParams; p.Weight = 0.5; return p }(),
		func() Params { p := DefaultParams; b := DefaultBimodal; p.Bimodal = &b; return p }(),
	} {
		s := NewScores()
		ask := func() float64 { return s.Probability(t0, &p, from, to, 500_000_000, 1_000_000) }
		before := ask()
		s.Learn(t0, []Observation{{from, fake(3), 600_000_000, true}, {from, fake(4), 600_000_000, true}, {fake(5), fake(3), 1, false}})
		praised := ask()
		require.Greater(t, praised, before)
		s.Learn(t0, []Observation{{from, fake(6), 1000, false}, {from, fake(7), 1000, false}, {from, fake(8), 1000, false}})
		require.Less(t, ask(), praised)
		s.Learn(t0, []Observation{{from, to, 500_000_000, true}})
		require.GreaterOrEqual(t, ask(), 0.95, "what is known of the channel goes first")
		require.GreaterOrEqual(t, p.most(1, satToMsat(1_000_000), true), ask())
	}
	p := DefaultParams
	p.Weight = 0
	require.Equal(t, p.Apriori, NewScores().Probability(t0, &p, from, to, 1, 1_000_000), "of whom nothing is known at all")
}

// Every model keeps its promises: a probability, less for more, never above the bound that a
// search trusts, and the same ways with potentials as without.
func TestModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultParams
		p.Weight = rapid.Float64Range(0, 1).Draw(t, "weight")
		if rapid.Bool().Draw(t, "bimodal") {
			p.Bimodal = &Bimodal{
				Scale: lnwire.MilliSat(rapid.Uint64Range(1, uint64(MaxBimodalScale)).Draw(t, "scale")),
				Decay: time.Duration(rapid.Int64Range(1, int64(30*24*time.Hour)).Draw(t, "decay")),
			}
			if rapid.Bool().Draw(t, "others") {
				p.Bimodal.NodeWeight = rapid.Float64Range(0, 1).Draw(t, "node weight")
			}
		}
		s := NewScores()
		for range rapid.IntRange(0, 6).Draw(t, "seen") {
			s.Learn(t0.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "hours"))*time.Hour), []Observation{{
				fake(rapid.IntRange(0, 2).Draw(t, "from")), fake(rapid.IntRange(3, 5).Draw(t, "to")),
				lnwire.MilliSat(rapid.Uint64Range(0, 1<<40).Draw(t, "amount")), rapid.Bool().Draw(t, "success"),
			}})
		}
		capacity := lnwire.Sat(rapid.Uint64Range(1, 1<<31).Draw(t, "capacity"))
		small := lnwire.MilliSat(rapid.Uint64Range(0, 1<<40).Draw(t, "small"))
		large := small + lnwire.MilliSat(rapid.Uint64Range(0, 1<<40).Draw(t, "more"))
		h, known := s.History(fake(0), fake(3))
		proven := known && !h.SuccessAt.IsZero() && (small <= h.Success || p.Bimodal != nil)
		most := p.most(small, satToMsat(capacity), proven)
		for _, amount := range []lnwire.MilliSat{small, large} {
			got := s.Probability(t0, &p, fake(0), fake(3), amount, capacity)
			require.False(t, math.IsNaN(got))
			require.GreaterOrEqual(t, got, 0.0)
			require.LessOrEqual(t, got, 1.0)
			require.LessOrEqual(t, got, most+1e-9)
		}
		if p.Bimodal != nil {
			require.LessOrEqual(t, s.Probability(t0, &p, fake(0), fake(3), large, capacity), s.Probability(t0, &p, fake(0), fake(3), small, capacity)+1e-9)
		}
	})
}
