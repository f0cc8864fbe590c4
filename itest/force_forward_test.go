package itest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestForwardIsClaimedOnChain: the payee closes and takes a forwarded payment on the
// chain. Bob, who has paid it, finds the preimage there and is paid by alice, in a
// channel that stays open.
func TestForwardIsClaimedOnChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	carol.fund(200_000)
	start := []int64{alice.inChannels(), bob.share(points[0])}
	h := carol.hold(heldSat * 1000)
	alice.begin(h.request)
	h.is(lnrpc.Invoice_ACCEPTED)
	bob.kill() // it learns from the chain
	stream, err := carol.ln.CloseChannel(soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: points[1].proto(), Force: true})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	w.mempool(1)
	w.mine(1)
	h.settle()
	w.mempool(1)
	w.mine(1)
	bob.start()
	alice.active(points[0])
	w.mineUntil("alice pays", func() bool { return len(alice.channel(points[0]).PendingHtlcs) == 0 })
	p := alice.track(h.hash)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	require.Equal(t, h.preimage, unhex(t, p.PaymentPreimage))
	settled(alice)
	moved := heldSat*1000 + feeOf(heldSat*1000)
	require.Equal(t, start[0]-moved, alice.inChannels())
	require.Equal(t, start[1]+moved/1000, bob.share(points[0]))
	require.Len(t, bob.forwards(), 1)
	require.Equal(t, uint64(feeOf(heldSat*1000)), bob.forwards()[0].FeeMsat)
	alice.active(points[0])
	alice.pay(bob.invoice(5_000_000))
	require.Empty(t, alice.closed())
}

// share is what the node has in one channel, in satoshis.
func (n *node) share(point chanPoint) int64 {
	n.t.Helper()
	return n.channel(point).LocalBalance
}

// TestForwardExpires: carol goes away with a forwarded payment held. When it expires bob
// closes that channel himself, takes the payment back on the chain, and gives it back to
// alice in time: their channel stays open, and nobody has lost anything but what the
// chain cost.
func TestForwardExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	start := []int64{alice.inChannels(), bob.share(points[0])}
	h := carol.hold(heldSat * 1000)
	alice.begin(h.request)
	h.is(lnrpc.Invoice_ACCEPTED)
	expiry := bob.channel(points[1]).PendingHtlcs[0].ExpirationHeight
	carol.kill()
	w.mineUntil("bob closes", func() bool { return bob.channel(points[1]) == nil })
	require.GreaterOrEqual(t, bob.info().BlockHeight, expiry, "not before it has to be")
	w.mineUntil("the payment is back", func() bool { return len(alice.channel(points[0]).PendingHtlcs) == 0 })
	p := alice.track(h.hash)
	require.Equal(t, lnrpc.Payment_FAILED, p.Status)
	require.Equal(t, start, []int64{alice.inChannels(), bob.share(points[0])})
	require.Empty(t, bob.forwards())
	w.mineUntil("bob's share is home", func() bool {
		p := bob.pending()
		return len(p.PendingForceClosingChannels)+len(p.WaitingCloseChannels) == 0
	})
	require.Empty(t, alice.closed())
	alice.pay(bob.invoice(5_000_000))

	carol.start() // and finds that it is over
	eventually(t, "carol sees the close", func() bool { return carol.channel(points[1]) == nil })
	w.mineUntil("carol's share is home", func() bool { return carol.wallet().ConfirmedBalance > 490_000 })
	h.is(lnrpc.Invoice_CANCELED)
}
