package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// TestFundMax: a channel takes all that the wallet has but for the fee and the reserve
// for anchors; or all that a channel may hold.
func TestFundMax(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(300_000)
	alice.fund(400_000)
	alice.connect(bob)
	bob.until("synced", bob.SyncedToChain)
	opened := func(req OpenRequest) lnwire.Sat {
		t.Helper()
		req.Peer, req.Max = bob.ID(), true
		updates, err := alice.OpenChannel(t.Context(), req)
		require.NoError(t, err)
		u := <-updates
		require.NoError(t, u.Err)
		alice.unconfirmed(u.Funding.Hash)
		alice.mine(1)
		bob.until("synced", bob.SyncedToChain)
		info, err := alice.Channel(t.Context(), u.Funding)
		require.NoError(t, err)
		return info.Terms.Capacity
	}
	capacity := opened(OpenRequest{FeeRate: 1000, MinConfs: 1})
	left, reserve := alice.Balance(1)
	require.Equal(t, wallet.RequiredReserve(1), reserve)
	require.Equal(t, reserve, left.Confirmed)
	require.InDelta(t, int64(700_000-reserve), int64(capacity), 1000)

	_, err := alice.OpenChannel(t.Context(), OpenRequest{Peer: bob.ID(), Max: true, MinConfs: 1})
	require.Error(t, err, "only the reserve is left")
	_, err = alice.OpenChannel(t.Context(), OpenRequest{Peer: bob.ID(), Max: true, Capacity: 50_000})
	require.ErrorIs(t, err, errMaxWithAmount)

	alice.fund(30_000_000)
	require.Equal(t, MaxSmallChannel, opened(OpenRequest{MinConfs: 1, Push: 5000}))

	all, reserve := alice.Balance(1)
	capacity = opened(OpenRequest{Format: commitment.StaticRemoteKey, FeeRate: 500, MinConfs: 1})
	require.InDelta(t, int64(all.Confirmed-reserve), int64(capacity), 1000)
	left, _ = alice.Balance(1)
	require.Equal(t, reserve, left.Confirmed)
}

// TestOpenToSelf: nobody is his own peer.
func TestOpenToSelf(t *testing.T) {
	n, _, _ := storeOnly(t)
	n.id = lnwire.PubKey{2, 1}
	_, err := n.OpenChannel(t.Context(), OpenRequest{Peer: n.id, Capacity: 100_000})
	require.EqualError(t, err, "cannot open channel to self")
}
