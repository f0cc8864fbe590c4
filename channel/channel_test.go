package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// total is what both balances and all HTLCs of a machine's view sum up to.
func requireBalances(t require.TestingT, n *node, ours, theirs lnwire.MilliSat) {
	i := n.info()
	require.Equal(t, ours, i.Core.Ours, n.name)
	require.Equal(t, theirs, i.Core.Theirs, n.name)
	require.Empty(t, i.HTLCs)
}

func TestPaymentBothWays(t *testing.T) {
	for _, real := range []bool{false, true} {
		w := newWorld(t)
		if real {
			w.useReal()
		}
		w.open(usual)
		w.a.add(50_000_000, 1)
		w.b.add(20_000_000, 2)
		w.settle()
		require.Len(t, w.b.locked, 1)
		require.Len(t, w.a.locked, 1)
		w.b.fulfill(0, 1)
		w.a.fail(0)
		w.settle()
		requireBalances(t, w.a, 650_000_000, 350_000_000)
		requireBalances(t, w.b, 350_000_000, 650_000_000)
		require.Len(t, w.a.outcomes, 1)
		require.Len(t, w.b.outcomes, 1)
	}
}
