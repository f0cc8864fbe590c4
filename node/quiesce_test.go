package node

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/routing"
)

// TestQuiesce: a channel comes to rest, nothing is paid over it, and it goes on after the
// connection has ended.
func TestQuiesce(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	point := alice.open(bob, 1_000_000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lead, err := alice.Quiesce(ctx, point)
	require.NoError(t, err)
	require.True(t, lead)
	bob.until("quiescent", func() bool { i, err := bob.Channel(ctx, point); return err == nil && i.Quiescent && !i.Leads })
	lead, err = bob.Quiesce(ctx, point)
	require.NoError(t, err)
	require.False(t, lead)
	require.NotEqual(t, routing.Succeeded, alice.pay(bob, 10_000_000).Payment.Status)
	bob.stop() // who is only hung up on may be there again at once
	alice.until("bob is gone", func() bool { i, err := alice.Channel(ctx, point); return err == nil && !i.Connected })
	_, err = alice.Quiesce(ctx, point)
	require.Error(t, err)
	bob.restart()
	alice.until("active again", func() bool { i, err := alice.Channel(ctx, point); return err == nil && i.Active })
	require.Equal(t, routing.Succeeded, alice.pay(bob, 10_000_000).Payment.Status)
}
