package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestMargins holds the deadlines of the packages against each other: an HTLC that came
// in must not expire before what it was carried on as is decided, in the chain if it
// has to be. The figures are those of BOLT 2, cltv_expiry_delta selection.
func TestMargins(t *testing.T) {
	const (
		mined   = 12 // S: blocks until a transaction is in the chain
		reorg   = 2  // R: deepest reorg
		given   = 6  // blocks until an HTLC that timed out in the chain is failed upstream
		usual   = 80 // cltv_expiry_delta unless the operator wants another
		behind  = 1  // the switch and the invoices may see a block later than a channel
		oldPeer = 22 // final expiry of a keysend by Core Lightning
	)
	grace := channel.OfferedGrace
	require.EqualValues(t, 2*reorg+grace+mined, channel.FulfilMargin)
	require.EqualValues(t, 3*reorg+2*grace+2*mined, channel.MinCLTVDelta)

	// Downstream we go to the chain grace blocks after the expiry. The commitment is mined,
	// then the HTLC is taken, by the peer with the preimage or by us. Only now upstream
	// begins: it still has what it needs to go on chain in its turn.
	downstream := grace + 2*mined
	require.LessOrEqual(t, downstream+channel.FulfilMargin, lnwire.Height(usual))
	// Twice the time for a transaction, and a reorg, are there as well.
	require.LessOrEqual(t, downstream+2*mined+reorg, lnwire.Height(usual))
	// A timeout is told before the peer upstream would go to the chain, whatever the
	// operator has chosen.
	require.LessOrEqual(t, downstream+given, lnwire.Height(channel.MinCLTVDelta)+grace)

	// What is offered is not due at once.
	require.Greater(t, forward.DefaultConfig.ExpiryGrace, grace)

	// The invoices let go of what is held before the channel would have to go on chain for
	// it, and accept nothing that they would have to let go at once.
	in := invoice.DefaultConfig
	require.Greater(t, in.HoldDelta, channel.FulfilMargin+behind)
	require.Greater(t, in.RejectDelta, in.HoldDelta)
	require.GreaterOrEqual(t, lnwire.Height(invoice.MinFinalDelta), in.RejectDelta+behind)
	require.GreaterOrEqual(t, lnwire.Height(oldPeer), in.RejectDelta+behind)

	// The furthest final expiry is taken by channel and switch, ours and the payer's.
	require.Less(t, lnwire.Height(invoice.MaxFinalDelta), forward.DefaultConfig.MaxExpiry)
}

// TestSlotsAreFew: V-16: a peer that fills every slot that we give it, at the highest rate that
// we set for a commitment, makes our close dearer by less than 50,000 sat; with all slots of
// the protocol it would be four times as much.
func TestSlotsAreFew(t *testing.T) {
	cost := func(htlcs int) lnwire.Sat {
		return commitment.CommitFee(commitment.Anchors, channel.DefaultAnchorRate, htlcs) - commitment.CommitFee(commitment.Anchors, channel.DefaultAnchorRate, 0)
	}
	require.Less(t, cost(maxAccepted), lnwire.Sat(50_000))
	require.Greater(t, cost(483), 4*cost(maxAccepted))
}
