package budget

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// book is the rows, as a store keeps them.
type book map[ID]Spent

func (b book) spent(id ID) Spent { return b[id] }

func (b book) apply(changes ...Change) {
	for _, c := range changes {
		b[c.Limit.ID] = b[c.Limit.ID].After(c)
	}
}

func TestBothLimitsHold(t *testing.T) {
	b := book{}
	l := Limit{ID: ID{1}, Name: "kiosk", Total: 10_000_000, Day: 4_000_000}
	reserve := func(amount lnwire.MilliSat, day Day) ([]Change, error) {
		changes, err := Reserve([]Limit{l}, b.spent, amount, day)
		b.apply(changes...)
		return changes, err
	}
	first, err := reserve(3_000_000, 100)
	require.NoError(t, err)
	_, err = reserve(1_000_001, 100)
	require.EqualError(t, err, `spending budget "kiosk" exceeded: 1000 sat are left of 4000 sat for today (UTC), up to 1000.001 sat are needed`)
	_, err = reserve(4_000_000, 101)
	require.NoError(t, err, "another day")
	_, err = reserve(3_000_001, 102)
	require.EqualError(t, err, `spending budget "kiosk" exceeded: 3000 sat are left of 10000 sat in total, up to 3000.001 sat are needed`)
	_, err = reserve(1, 100)
	require.Error(t, err, "a clock that goes back brings no day back")

	b.apply(Charges(first)[0].Settle(1_000_000))
	require.EqualValues(t, 5_000_000, b[l.ID].Sum)
	require.EqualValues(t, 4_000_000, b[l.ID].Today, "what comes back is another day's")
	require.Equal(t, l, b[l.ID].Limit)
	_, err = reserve(4_000_000, 102)
	require.NoError(t, err)
}

func TestTheTightestCounts(t *testing.T) {
	b := book{}
	wide, narrow := Limit{ID: ID{1}, Total: 10_000, Day: Unlimited}, Limit{ID: ID{2}, Total: Unlimited, Day: 2_000}
	changes, err := Reserve([]Limit{wide, narrow}, b.spent, 2_000, 7)
	require.NoError(t, err)
	b.apply(changes...)
	_, err = Reserve([]Limit{wide, narrow}, b.spent, 1, 7)
	var exceeded *Exceeded
	require.ErrorAs(t, err, &exceeded)
	require.Equal(t, narrow, exceeded.Limit)
	require.EqualValues(t, 2_000, b[wide.ID].Sum, "what is refused is charged to none")
	_, err = Reserve([]Limit{wide}, b.spent, 8_000, 7)
	require.NoError(t, err)
	left, _, _ := Tightest(nil, b.spent, 7)
	require.Equal(t, Unlimited, left)
	_, err = Reserve([]Limit{wide}, b.spent, math.MaxUint64, 7)
	require.Error(t, err)
}

func TestSettle(t *testing.T) {
	c := Charge{ID: ID{1}, Day: 7, Amount: 100}
	require.Equal(t, Change{Limit: Limit{ID: ID{1}}, Day: 7, Sub: 40}, c.Settle(60))
	require.Equal(t, Change{Limit: Limit{ID: ID{1}}, Day: 7, Add: 5}, c.Settle(105), "what it has cost is what counts")
}

func TestDayOf(t *testing.T) {
	require.EqualValues(t, 0, DayOf(time.Unix(-5, 0)))
	require.EqualValues(t, 0, DayOf(time.Unix(86_399, 0)))
	require.EqualValues(t, 1, DayOf(time.Unix(86_400, 0)))
}

// TestNothingIsOverspent: payments begin and end in any order over some days; what all of them have cost is within the
// limits at every moment, and rows do not depend on the order in which a store takes the changes.
func TestNothingIsOverspent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := func(name string) lnwire.MilliSat {
			if rapid.Bool().Draw(t, name+" is none") {
				return Unlimited
			}
			return lnwire.MilliSat(rapid.Uint64Range(0, 50).Draw(t, name))
		}
		l := Limit{ID: ID{1}, Total: limit("total"), Day: limit("day")}
		b, store := book{}, book{}
		var open []Charge
		var late []Change // that the store has not taken yet
		day, cost, today := Day(5), lnwire.MilliSat(0), map[Day]lnwire.MilliSat{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				day++
			case 1, 2:
				amount := lnwire.MilliSat(rapid.Uint64Range(0, 30).Draw(t, "amount"))
				changes, err := Reserve([]Limit{l}, b.spent, amount, day)
				if err == nil {
					b.apply(changes...)
					late = append(late, changes...)
					open = append(open, Charges(changes)...)
				}
			case 3:
				if len(open) == 0 {
					continue
				}
				c := open[0]
				open = open[1:]
				paid := lnwire.MilliSat(rapid.Uint64Range(0, uint64(c.Amount)).Draw(t, "cost"))
				cost += paid
				today[c.Day] += paid
				b.apply(c.Settle(paid))
				late = append(late, c.Settle(paid))
			}
			require.LessOrEqual(t, cost, l.Total)
			require.LessOrEqual(t, today[day], l.Day)
		}
		for _, c := range open {
			b.apply(c.Settle(0))
			late = append(late, c.Settle(0))
		}
		store.apply(late...)
		require.Equal(t, b[l.ID], store[l.ID])
		require.Equal(t, cost, b[l.ID].Sum)
	})
}
