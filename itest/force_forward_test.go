package itest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestForwardIsClaimedOnChain: the payee closes and takes a forwarded payment on the
// chain. Bob, who has paid it, finds the preimage there and is paid by alice, in a
// channel that stays open.
func TestForwardIsClaimedOnChain(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	carol.Fund(200_000)
	start := []int64{alice.InChannels(), ownIn(bob, points[0])}
	h := carol.Hold(heldSat * 1000)
	alice.Begin(h.Request)
	h.Is(lnrpc.Invoice_ACCEPTED)
	bob.Kill() // it learns from the chain
	stream, err := carol.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: points[1].Proto(), Force: true})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	w.Mempool(1)
	w.Mine(1)
	h.Settle()
	w.Mempool(1)
	w.Mine(1)
	bob.Start()
	alice.Active(points[0])
	w.MineUntil("alice pays", func() bool { return len(alice.Channel(points[0]).PendingHtlcs) == 0 })
	p := alice.Track(h.Hash)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	require.Equal(t, h.Preimage, rig.Unhex(t, p.PaymentPreimage))
	rig.Settled(alice)
	moved := heldSat*1000 + feeOf(heldSat*1000)
	require.Equal(t, start[0]-moved, alice.InChannels())
	require.Equal(t, start[1]+moved/1000, ownIn(bob, points[0]))
	require.Len(t, bob.Forwards(), 1)
	require.Equal(t, uint64(feeOf(heldSat*1000)), bob.Forwards()[0].FeeMsat)
	alice.Active(points[0])
	alice.Pay(bob.Invoice(5_000_000))
	require.Empty(t, alice.Closed())
}

// share is what the node has in one channel, in satoshis.
func ownIn(n *rig.Node, point rig.ChanPoint) int64 {
	n.T.Helper()
	return n.Channel(point).LocalBalance
}

// TestForwardExpires: carol goes away with a forwarded payment held. When it expires bob
// closes that channel himself, takes the payment back on the chain, and gives it back to
// alice in time: their channel stays open, and nobody has lost anything but what the
// chain cost.
func TestForwardExpires(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	start := []int64{alice.InChannels(), ownIn(bob, points[0])}
	h := carol.Hold(heldSat * 1000)
	alice.Begin(h.Request)
	h.Is(lnrpc.Invoice_ACCEPTED)
	expiry := bob.Channel(points[1]).PendingHtlcs[0].ExpirationHeight
	carol.Kill()
	w.MineUntil("bob closes", func() bool { return bob.Channel(points[1]) == nil })
	require.GreaterOrEqual(t, bob.Info().BlockHeight, expiry, "not before it has to be")
	w.MineUntil("the payment is back", func() bool { return len(alice.Channel(points[0]).PendingHtlcs) == 0 })
	p := alice.Track(h.Hash)
	require.Equal(t, lnrpc.Payment_FAILED, p.Status)
	require.Equal(t, start, []int64{alice.InChannels(), ownIn(bob, points[0])})
	require.Empty(t, bob.Forwards())
	w.MineUntil("bob's share is home", func() bool {
		p := bob.Pending()
		return len(p.PendingForceClosingChannels)+len(p.WaitingCloseChannels) == 0
	})
	require.Empty(t, alice.Closed())
	alice.Pay(bob.Invoice(5_000_000))

	carol.Start() // and finds that it is over
	rig.Eventually(t, "carol sees the close", func() bool { return carol.Channel(points[1]) == nil })
	w.MineUntil("carol's share is home", func() bool { return carol.Wallet().ConfirmedBalance > 490_000 })
	h.Is(lnrpc.Invoice_CANCELED)
}
