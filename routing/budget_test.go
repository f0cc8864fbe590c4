package routing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

func reservation(amount lnwire.MilliSat) []budget.Change {
	return []budget.Change{{Limit: budget.Limit{ID: budget.ID{1}, Total: 1 << 40, Day: budget.Unlimited}, Day: 7, Add: amount}}
}

// TestPaymentIsCharged: what is reserved is written with the beginning, and what it has not cost comes back with the
// end, once.
func TestPaymentIsCharged(t *testing.T) {
	begin := Begin{Terms: terms(), Limits: Limits{Fee: 400_000}, Seed: seed, Reserve: reservation(1_400_000)}
	for _, pays := range []bool{true, false} {
		b := newBench(t, line(t))
		p, err := New(begin)
		require.NoError(t, err)
		fx := b.step(p, Start{})
		require.Equal(t, begin.Reserve, fx.Delta.Reserved)
		require.Empty(t, fx.Delta.Returned)
		require.Equal(t, []budget.Charge{{ID: budget.ID{1}, Day: 7, Amount: 1_400_000}}, fx.Delta.Payment.Charges)

		cost := lnwire.MilliSat(0)
		if pays {
			fx = b.step(p, b.walk(fx.Launch[0], len(fx.Launch[0].Attempt.Route.Hops)-1, nil))
			cost = p.Row().Paid
			require.NotZero(t, cost)
		} else {
			fx = b.step(p, b.walk(fx.Launch[0], len(fx.Launch[0].Attempt.Route.Hops)-1, &onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails}))
		}
		require.True(t, p.Done())
		require.Equal(t, []budget.Change{{Limit: budget.Limit{ID: budget.ID{1}}, Day: 7, Sub: 1_400_000 - cost}}, fx.Delta.Returned)
		require.Equal(t, cost, fx.Delta.Payment.Charges[0].Amount)
		require.Empty(t, b.step(p, Cancel{}).Delta.Returned, "once")
	}
}

// TestPaymentThatCannotBegin: what fails in its first step gives back what it reserves in the same write.
func TestPaymentThatCannotBegin(t *testing.T) {
	b := newBench(t, line(t))
	b.env.Locals = nil
	p, err := New(Begin{Terms: terms(), Seed: seed, Reserve: reservation(1_000_000)})
	require.NoError(t, err)
	fx := b.step(p, Start{})
	require.True(t, p.Done())
	require.EqualValues(t, 1_000_000, fx.Delta.Reserved[0].Add)
	require.EqualValues(t, 1_000_000, fx.Delta.Returned[0].Sub)
}

// TestChargesSurviveARestart: a payment that was under way gives back what it took before.
func TestChargesSurviveARestart(t *testing.T) {
	b := newBench(t, line(t))
	p, err := New(Begin{Terms: terms(), Limits: Limits{Fee: 400_000}, Seed: seed, Reserve: reservation(1_400_000)})
	require.NoError(t, err)
	l := b.step(p, Start{}).Launch[0]
	again := Resume(Resumed{Payment: p.Row(), Attempts: []Attempt{l.Attempt}, Live: []uint64{l.AttemptID}, Seed: seed})
	require.Empty(t, b.step(again, Start{}).Delta.Reserved)
	fx := b.step(again, b.walk(l, len(l.Attempt.Route.Hops)-1, nil))
	require.Equal(t, 1_400_000-again.Row().Paid, fx.Delta.Returned[0].Sub)
}

// TestRoutesAreCharged: every further route of the caller's is charged with its fee, to the same budgets.
func TestRoutesAreCharged(t *testing.T) {
	b := newBench(t, line(t))
	_, fx := b.begin(Limits{Fee: 400_000})
	half := fx.Launch[0].Attempt.Route
	fee := half.Fee()
	scale := func(r Route) Route {
		r.Hops = append([]Hop(nil), r.Hops...)
		r.Amount -= 500_000
		for i := range r.Hops {
			r.Hops[i].Forward -= 500_000
		}
		return r
	}
	half = scale(half)
	p, err := New(Begin{Terms: terms(), Seed: seed, Route: &half, Reserve: reservation(1_000_000 + fee)})
	require.NoError(t, err)
	first := b.step(p, Start{})
	require.Len(t, first.Launch, 1)
	for _, other := range [][]budget.Change{nil, {{Limit: budget.Limit{ID: budget.ID{2}}}}} {
		fx = b.step(p, Shard{Terms: terms(), Route: half, Reserve: other})
		require.EqualError(t, fx.Refused, "the payment was begun with another spending budget")
		require.Empty(t, fx.Delta.Reserved)
	}
	fx = b.step(p, Shard{Terms: terms(), Route: half, Reserve: reservation(fee)})
	require.NoError(t, fx.Refused)
	require.Equal(t, fee, fx.Delta.Reserved[0].Add)
	require.Equal(t, 1_000_000+2*fee, fx.Delta.Payment.Charges[0].Amount)
	b.step(p, b.walk(first.Launch[0], 2, nil))
	require.False(t, p.Done())
	last := b.step(p, b.walk(fx.Launch[0], 2, nil))
	require.Zero(t, last.Delta.Returned[0].Sub, "all of it was needed")
	require.Equal(t, p.Row().Paid, last.Delta.Payment.Charges[0].Amount)
}
