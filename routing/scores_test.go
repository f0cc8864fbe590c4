package routing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestProbability(t *testing.T) {
	a, b := fake(1), fake(2)
	s := NewScores()
	at := func(age time.Duration, amount lnwire.MilliSat) float64 {
		return s.Probability(t0.Add(age), &DefaultParams, a, b, amount, 1_000_000)
	}
	require.Equal(t, 0.6, at(0, 1000))
	require.InDelta(t, 0.45, at(0, 999_900_000), 0.001, "near the capacity it is less likely")
	s.Learn(t0, []Observation{{a, b, 5000, true}})
	require.Equal(t, 0.95, at(0, 5000))
	require.Equal(t, 0.6, at(0, 5001))
	s.Learn(t0, []Observation{{a, b, 9000, false}})
	require.Zero(t, at(0, 9000))
	require.Equal(t, 0.6, at(0, 8999))
	require.InDelta(t, 0.3, at(time.Hour, 9000), 1e-9, "after a half-life half is forgiven")
	require.Equal(t, 0.95, at(time.Hour, 5000))
	s.Learn(t0.Add(time.Hour), []Observation{{a, b, 4000, false}})
	require.Equal(t, 0.95, at(time.Hour, 3999), "a failure takes back the successes above it")
	require.Zero(t, at(time.Hour, 4000))
	s.Learn(t0.Add(time.Hour), []Observation{{a, b, 0, false}})
	require.Zero(t, at(time.Hour, 1), "nothing goes through")
	s.Learn(t0.Add(2*time.Hour), []Observation{{a, b, 7000, true}})
	require.Equal(t, 0.95, at(2*time.Hour, 7000), "a success takes back the failures below it")
}

func TestScoresRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewScores()
		now := t0
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
			s.Learn(now, []Observation{{fake(rapid.IntRange(0, 3).Draw(t, "from")), fake(rapid.IntRange(0, 3).Draw(t, "to")),
				lnwire.MilliSat(rapid.IntRange(0, 9).Draw(t, "amount")), rapid.Bool().Draw(t, "success")}})
		}
		rows := s.Export()
		again := NewScores()
		again.Import(rows)
		require.Equal(t, rows, again.Export())
		require.Equal(t, len(rows), again.Pairs())

		copied := s.Snapshot()
		s.Learn(now.Add(time.Hour), []Observation{{fake(0), fake(1), 77, true}, {fake(9), fake(1), 77, false}})
		require.Equal(t, rows, copied.Export(), "a snapshot does not change")
		s.Reset()
		require.Empty(t, s.Export())
		require.Equal(t, rows, copied.Export())
	})
}

func TestScoresAreBounded(t *testing.T) {
	s := NewScores()
	for i := range DefaultMemory.Pairs + 1 {
		s.Learn(t0.Add(time.Duration(i)*time.Second), []Observation{{fake(i), fake(i / 3), 5, true}})
	}
	require.Equal(t, DefaultMemory.Pairs*3/4, s.Pairs())
	_, ok := s.History(fake(0), fake(0))
	require.False(t, ok, "the oldest are forgotten")
	_, ok = s.History(fake(DefaultMemory.Pairs), fake(DefaultMemory.Pairs/3))
	require.True(t, ok)
}

// What was learned turns the next search, until it is forgiven.
func TestSearchHeedsScores(t *testing.T) {
	g := line(t)
	s := NewScores()
	s.Learn(t0, []Observation{{key(2), key(3), 1_000_000, false}})
	q := &Query{Source: key(0), Target: key(3), Amount: 1_000_000, FeeLimit: 400_000, FinalDelta: 9, Scores: s, Now: t0}
	var f Finder
	r, err := f.Find(g.Snapshot(), q)
	require.NoError(t, err)
	require.Len(t, r.Hops, 2)
	q.Now = t0.Add(24 * time.Hour)
	r, err = f.Find(g.Snapshot(), q)
	require.NoError(t, err)
	require.Len(t, r.Hops, 3)
	q.Now, q.Amount = t0, 500_000
	r, err = f.Find(g.Snapshot(), q)
	require.NoError(t, err)
	require.Len(t, r.Hops, 3, "less may go through")
}
