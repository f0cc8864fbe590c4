package node

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestCommitmentBelowTheFloor: a commitment that pays less than the backend relays at
// all cannot be lifted by a child, for packages are not relayed. The operator is told so,
// what it would have cost before, and no coins are held for a child that cannot be.
func TestCommitmentBelowTheFloor(t *testing.T) {
	chain := chainOf(t, "minrelaytxfee=0.00005", "norelaypriority=0") // 5 sat/vbyte
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.maxAnchor = 500 // 2 sat/vbyte
	alice.restart()
	alice.fund(1_000_000)
	alice.connect(bob)
	funding := alice.open(bob, 500_000, 100_000_000)

	before := alice.confirmed()
	plan, err := alice.PlanClose(t.Context(), CloseRequest{Funding: funding, Force: true})
	require.NoError(t, err)
	require.Empty(t, plan.Obstacle)
	require.EqualValues(t, 400_000, plan.Balance)
	require.EqualValues(t, 330, plan.LiftBudget, "nothing is at stake")
	require.Len(t, plan.Outputs, 1)
	require.Greater(t, plan.HomeAt, plan.MinedAt+100)
	require.Positive(t, plan.Sweep)
	agreed, err := alice.PlanClose(t.Context(), CloseRequest{Funding: funding, FeeRate: 1000})
	require.NoError(t, err)
	require.EqualValues(t, 672, agreed.ClosingFee)
	_, err = alice.Rescue(t.Context(), &funding)
	require.ErrorIs(t, err, ErrNoChannel, "it is not being closed")
	require.ErrorIs(t, alice.BumpForceClose(t.Context(), funding, BumpRequest{Rate: 5000}), ErrNoChannel)

	bob.stop()
	_, err = alice.CloseChannel(t.Context(), CloseRequest{Funding: funding, Force: true})
	require.NoError(t, err)
	var told Closing
	alice.until("the refusal is explained", func() bool {
		r, err := alice.Rescue(t.Context(), &funding)
		if err != nil {
			return false
		}
		require.Len(t, r.Channels, 1)
		told = r.Channels[0]
		return told.Steps[0].Advice != ""
	})
	require.Contains(t, told.Steps[0].WaitsFor, "refuses it: publish transaction: fee too low")
	require.Contains(t, told.Steps[0].Advice, "norelaypriority=1")
	require.Contains(t, told.Steps[1].WaitsFor, "its budget does not pay the fee")
	require.Contains(t, told.Steps[1].Advice, "bumpforceclosefee")
	_, err = alice.PlanClose(t.Context(), CloseRequest{Funding: funding, Force: true})
	require.ErrorIs(t, err, ErrClosing)

	// With a budget a child is made, and waits for its parent: the backend has neither.
	require.NoError(t, alice.BumpForceClose(t.Context(), funding, BumpRequest{Rate: 10_000, Budget: 20_000}))
	alice.mine(1)
	alice.until("the child waits", func() bool {
		list := alice.Sweeps()
		return len(list) == 1 && list[0].Held == "the backend does not have the transaction whose fee it raises"
	})
	require.Less(t, alice.confirmed(), before)
	require.EqualValues(t, 10_000, alice.Sweeps()[0].Requested)
}

// TestChainEvents: what a channel is told of the chain.
func TestChainEvents(t *testing.T) {
	tx := wire.NewMsgTx(2)
	fork := lnwire.BlockRef{Height: 3}
	require.Equal(t, channel.Unmined{Tx: tx}, chainEvent(chainntnfs.Unmined{Tx: tx}))
	require.Equal(t, channel.ChainLost{Fork: fork}, chainEvent(chainntnfs.Lost{Cursor: lnwire.BlockRef{Height: 7}, Fork: fork}))
	require.Equal(t, channel.Block{At: fork}, chainEvent(chainntnfs.Tip{At: fork}))
}
