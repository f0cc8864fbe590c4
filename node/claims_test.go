package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// confirmed is the node's balance in blocks.
func (r *resident) confirmed() lnwire.Sat {
	b, _ := r.Balance(1)
	return b.Confirmed
}

// swept mines until the node has got something home since before.
func (r *resident) swept(before lnwire.Sat) (got lnwire.Sat) {
	r.t.Helper()
	r.until("swept", func() bool {
		txs, err := r.chain.Mempool(r.t.Context())
		require.NoError(r.t, err)
		if len(txs) > 0 {
			r.mine(1)
		}
		return r.confirmed() > before
	})
	return r.confirmed() - before
}

// TestForceClose: the balances of both sides come home, the closer's after its delay;
// a restart in between loses nothing.
func TestForceClose(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	ab := alice.open(bob, 1_000_000, 300_000_000)
	bobHad, aliceHas := bob.confirmed(), alice.confirmed()

	updates, err := alice.CloseChannel(t.Context(), CloseRequest{Funding: ab, Force: true})
	require.NoError(t, err)
	u := <-updates
	require.NoError(t, u.Err)
	alice.unconfirmed(u.Tx.TxHash())
	alice.mine(1)
	got := bob.swept(bobHad)
	require.Greater(t, got, lnwire.Sat(290_000))
	require.LessOrEqual(t, got, lnwire.Sat(300_000))

	alice.restart()
	info, err := alice.Channel(t.Context(), ab)
	require.NoError(t, err)
	require.Equal(t, channel.Closing, info.Core.Phase)
	delay := int(info.Terms.Theirs.ToSelfDelay)
	alice.mine(delay)
	got = alice.swept(aliceHas)
	require.Greater(t, got, lnwire.Sat(680_000))
	require.Less(t, got, lnwire.Sat(700_000))
	var rows []channel.ClosedRow
	alice.until("reported", func() bool {
		rows, err = alice.ClosedChannels(0, 10)
		return err == nil && len(rows) == 1
	})
	require.Equal(t, channel.ClosedByUs, rows[0].Kind)
	require.Positive(t, rows[0].TimeLock)
}
