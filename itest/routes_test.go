package itest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestPolicies changes what bob asks for. The payer learns it by gossip, pays exactly
// that, and never more than its own limit.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	answer, err := bob.ln.UpdateChannelPolicy(soon(t), &lnrpc.PolicyUpdateRequest{
		Scope:       &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: points[1].proto()},
		BaseFeeMsat: 5000, FeeRatePpm: 2000, TimeLockDelta: 60,
	})
	require.NoError(t, err)
	require.Empty(t, answer.FailedUpdates)
	var edge *lnrpc.ChannelEdge
	eventually(t, "alice learns bob's new policy", func() bool {
		edge = alice.knows(points[1])
		return policyOf(edge, bob).FeeBaseMsat == 5000
	})
	require.Equal(t, int64(2000), policyOf(edge, bob).FeeRateMilliMsat)
	require.Equal(t, uint32(60), policyOf(edge, bob).TimeLockDelta)
	require.Equal(t, int64(1000), policyOf(edge, carol).FeeBaseMsat, "carol asks for what she did")

	const amount, fee = 40_000_000, 5000 + 40_000_000*2000/1_000_000
	request := carol.invoice(amount)
	limited := payRequest(request)
	limited.FeeLimitMsat = fee - 1
	p, err := alice.send(soon(t), limited)
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, p.FailureReason)
	limited.FeeLimitMsat = fee
	p, err = alice.send(soon(t), limited)
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	require.Equal(t, int64(fee), p.FeeMsat)
	bob.restart() // it is not forgotten
	require.Equal(t, int64(5000), policyOf(bob.knows(points[1]), bob).FeeBaseMsat)

	for words, req := range map[string]*lnrpc.PolicyUpdateRequest{
		"time_lock_delta": {Scope: &lnrpc.PolicyUpdateRequest_Global{Global: true}, BaseFeeMsat: 1, TimeLockDelta: 3},
		"base_fee_msat":   {Scope: &lnrpc.PolicyUpdateRequest_Global{Global: true}, BaseFeeMsat: -1, TimeLockDelta: 80},
	} {
		_, err := bob.ln.UpdateChannelPolicy(soon(t), req)
		require.Error(t, err, words)
	}
}

// policyOf is what a node asks for in a channel.
func policyOf(e *lnrpc.ChannelEdge, n *node) *lnrpc.RoutingPolicy {
	if e.Node1Pub == n.id {
		return e.Node1Policy
	}
	return e.Node2Policy
}

// TestRoutes looks for a route, pays along it, and is told why other ways fail.
func TestRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, points := w.line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	const amount = 30_000_000
	found, err := alice.ln.QueryRoutes(soon(t), &lnrpc.QueryRoutesRequest{PubKey: carol.id, AmtMsat: amount})
	require.NoError(t, err)
	require.Len(t, found.Routes, 1)
	r := found.Routes[0]
	require.Equal(t, []string{bob.id, carol.id}, []string{r.Hops[0].PubKey, r.Hops[1].PubKey})
	require.Equal(t, feeOf(amount), r.TotalFeesMsat)
	require.Equal(t, amount+feeOf(amount), r.TotalAmtMsat)
	require.Greater(t, found.SuccessProb, 0.0)

	for words, req := range map[string]*lnrpc.QueryRoutesRequest{
		"insufficient local balance":           {PubKey: carol.id, Amt: 2_000_000},
		"unable to find a path to destination": {PubKey: w.node("stranger").id, Amt: 1000},
		"pub_key":                              {PubKey: "02", Amt: 1},
		"amt":                                  {PubKey: carol.id},
	} {
		_, err := alice.ln.QueryRoutes(soon(t), req)
		require.ErrorContains(t, err, words)
	}
	_, err = alice.ln.QueryRoutes(soon(t), &lnrpc.QueryRoutesRequest{
		PubKey: carol.id, AmtMsat: amount, FeeLimit: &lnrpc.FeeLimit{Limit: &lnrpc.FeeLimit_FixedMsat{FixedMsat: feeOf(amount) - 1}},
	})
	require.ErrorContains(t, err, "unable to find a path to destination")

	says := carol.decode(carol.invoice(amount))
	r.Hops[1].MppRecord = &lnrpc.MPPRecord{PaymentAddr: make([]byte, 32), TotalAmtMsat: amount} // not the invoice's
	attempt, err := alice.router.SendToRouteV2(soon(t), &routerrpc.SendToRouteRequest{PaymentHash: unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.HTLCAttempt_FAILED, attempt.Status)
	require.Equal(t, lnrpc.Failure_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, attempt.Failure.Code)
	require.Equal(t, uint32(2), attempt.Failure.FailureSourceIndex)
	require.Equal(t, uint64(amount), attempt.Failure.HtlcMsat)

	r.Hops[1].MppRecord.PaymentAddr = says.PaymentAddr
	r.Hops[0].FeeMsat--
	r.TotalFeesMsat, r.TotalAmtMsat = r.TotalFeesMsat-1, r.TotalAmtMsat-1
	attempt, err = alice.router.SendToRouteV2(soon(t), &routerrpc.SendToRouteRequest{PaymentHash: unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.Failure_FEE_INSUFFICIENT, attempt.Failure.GetCode())
	require.Equal(t, uint32(1), attempt.Failure.FailureSourceIndex)

	r.Hops[0].FeeMsat++
	r.TotalFeesMsat, r.TotalAmtMsat = r.TotalFeesMsat+1, r.TotalAmtMsat+1
	attempt, err = alice.router.SendToRouteV2(soon(t), &routerrpc.SendToRouteRequest{PaymentHash: unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.HTLCAttempt_SUCCEEDED, attempt.Status, attempt.Failure)
	require.Len(t, bob.forwards(), 1)

	carol.kill() // the way ends at bob now
	eventually(t, "bob misses carol", func() bool { return !bob.channel(points[1]).Active })
	other := unhex(t, says.PaymentHash)
	other[0] ^= 1
	attempt, err = alice.router.SendToRouteV2(soon(t), &routerrpc.SendToRouteRequest{PaymentHash: other, Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE, attempt.Failure.GetCode(), attempt)
	require.Equal(t, uint32(1), attempt.Failure.FailureSourceIndex)
}

// TestPrivateChannel: who is paid over a channel that nobody announces says in the
// invoice how it is reached, and others never hear of the channel.
func TestPrivateChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes, _ := w.line(1_000_000, "alice", "bob")
	alice, bob := nodes[0], nodes[1]
	dave := w.node("dave")
	bob.fund(2_000_000)
	bob.connect(dave)
	point := bob.open(dave, 600_000, func(r *lnrpc.OpenChannelRequest) { r.Private = true })
	require.True(t, dave.channel(point).Private)
	_, err := dave.ln.GetChanInfo(soon(t), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
	require.NoError(t, err, "the ends see it")

	bare := dave.invoice(20_000_000)
	p, err := alice.send(soon(t), payRequest(bare))
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, p.FailureReason)
	var request string
	eventually(t, "dave knows what bob asks for", func() bool {
		a, err := dave.ln.AddInvoice(soon(t), &lnrpc.Invoice{ValueMsat: 20_000_000, Private: true})
		require.NoError(t, err)
		request = a.PaymentRequest
		return len(alice.decode(request).RouteHints) == 1
	})
	hint := alice.decode(request).RouteHints[0].HopHints[0]
	require.Equal(t, bob.id, hint.NodeId)
	require.Equal(t, feeOf(20_000_000), alice.pay(request).FeeMsat)
	_, err = alice.ln.GetChanInfo(soon(t), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
	require.Error(t, err)
	graph, err := bob.ln.DescribeGraph(soon(t), &lnrpc.ChannelGraphRequest{IncludeUnannounced: true})
	require.NoError(t, err)
	require.Len(t, graph.Edges, 2)
	graph, err = bob.ln.DescribeGraph(soon(t), &lnrpc.ChannelGraphRequest{})
	require.NoError(t, err)
	require.Len(t, graph.Edges, 1)
}
