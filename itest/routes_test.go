package itest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestPolicies changes what bob asks for. The payer learns it by gossip, pays exactly
// that, and never more than its own limit.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	answer, err := bob.LN.UpdateChannelPolicy(rig.Soon(t), &lnrpc.PolicyUpdateRequest{
		Scope:       &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: points[1].Proto()},
		BaseFeeMsat: 5000, FeeRatePpm: 2000, TimeLockDelta: 60,
	})
	require.NoError(t, err)
	require.Empty(t, answer.FailedUpdates)
	var edge *lnrpc.ChannelEdge
	rig.Eventually(t, "alice learns bob's new policy", func() bool {
		edge = alice.Knows(points[1])
		return policyOf(edge, bob).FeeBaseMsat == 5000
	})
	require.Equal(t, int64(2000), policyOf(edge, bob).FeeRateMilliMsat)
	require.Equal(t, uint32(60), policyOf(edge, bob).TimeLockDelta)
	require.Equal(t, int64(1000), policyOf(edge, carol).FeeBaseMsat, "carol asks for what she did")

	const amount, fee = 40_000_000, 5000 + 40_000_000*2000/1_000_000
	request := carol.Invoice(amount)
	limited := rig.PayRequest(request)
	limited.FeeLimitMsat = fee - 1
	p, err := alice.Send(rig.Soon(t), limited)
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, p.FailureReason)
	limited.FeeLimitMsat = fee
	p, err = alice.Send(rig.Soon(t), limited)
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
	require.Equal(t, int64(fee), p.FeeMsat)
	_, err = peersrpc.NewPeersClient(bob.Conn).UpdateNodeAnnouncement(rig.Soon(t), &peersrpc.NodeAnnouncementUpdateRequest{
		Alias: "bob by another name", Color: "#123456",
		AddressUpdates: []*peersrpc.UpdateAddressAction{{Action: peersrpc.UpdateAction_ADD, Address: "203.0.113.7:9999"}},
	})
	require.NoError(t, err)
	bob.Restart() // neither is forgotten
	require.Equal(t, int64(5000), policyOf(bob.Knows(points[1]), bob).FeeBaseMsat)
	info, err := bob.LN.GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"bob by another name", "#123456"}, []string{info.Alias, info.Color})
	require.Contains(t, info.Uris, bob.ID+"@203.0.113.7:9999")
	rig.Eventually(t, "alice learns who bob is now", func() bool {
		node, err := alice.LN.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: bob.ID})
		return err == nil && node.Node.Alias == "bob by another name" && node.Node.Color == "#123456"
	})

	for words, req := range map[string]*lnrpc.PolicyUpdateRequest{
		"time_lock_delta": {Scope: &lnrpc.PolicyUpdateRequest_Global{Global: true}, BaseFeeMsat: 1, TimeLockDelta: 3},
		"base_fee_msat":   {Scope: &lnrpc.PolicyUpdateRequest_Global{Global: true}, BaseFeeMsat: -1, TimeLockDelta: 80},
	} {
		_, err := bob.LN.UpdateChannelPolicy(rig.Soon(t), req)
		require.Error(t, err, words)
	}
}

// policyOf is what a node asks for in a channel.
func policyOf(e *lnrpc.ChannelEdge, n *rig.Node) *lnrpc.RoutingPolicy {
	if e.Node1Pub == n.ID {
		return e.Node1Policy
	}
	return e.Node2Policy
}

// TestRoutes looks for a route, pays along it, and is told why other ways fail.
func TestRoutes(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	const amount = 30_000_000
	found, err := alice.LN.QueryRoutes(rig.Soon(t), &lnrpc.QueryRoutesRequest{PubKey: carol.ID, AmtMsat: amount})
	require.NoError(t, err)
	require.Len(t, found.Routes, 1)
	r := found.Routes[0]
	require.Equal(t, []string{bob.ID, carol.ID}, []string{r.Hops[0].PubKey, r.Hops[1].PubKey})
	require.Equal(t, feeOf(amount), r.TotalFeesMsat)
	require.Equal(t, amount+feeOf(amount), r.TotalAmtMsat)
	require.Greater(t, found.SuccessProb, 0.0)

	for words, req := range map[string]*lnrpc.QueryRoutesRequest{
		"insufficient local balance":           {PubKey: carol.ID, Amt: 2_000_000},
		"unable to find a path to destination": {PubKey: w.Node("stranger").ID, Amt: 1000},
	} {
		_, err := alice.LN.QueryRoutes(rig.Soon(t), req)
		require.Equal(t, words, status.Convert(err).Message(), "clients compare all of it")
	}
	_, err = alice.LN.QueryRoutes(rig.Soon(t), &lnrpc.QueryRoutesRequest{PubKey: carol.ID})
	require.Equal(t, "unable to find a path to destination", status.Convert(err).Message(), "as for lnd, there is no way for nothing")
	_, err = alice.LN.QueryRoutes(rig.Soon(t), &lnrpc.QueryRoutesRequest{PubKey: "02", Amt: 1})
	require.ErrorContains(t, err, "pub_key")
	_, err = alice.LN.QueryRoutes(rig.Soon(t), &lnrpc.QueryRoutesRequest{
		PubKey: carol.ID, AmtMsat: amount, FeeLimit: &lnrpc.FeeLimit{Limit: &lnrpc.FeeLimit_FixedMsat{FixedMsat: feeOf(amount) - 1}},
	})
	require.ErrorContains(t, err, "unable to find a path to destination")

	says := carol.Decode(carol.Invoice(amount))
	r.Hops[1].MppRecord = &lnrpc.MPPRecord{PaymentAddr: make([]byte, 32), TotalAmtMsat: amount} // not the invoice's
	attempt, err := alice.Router.SendToRouteV2(rig.Soon(t), &routerrpc.SendToRouteRequest{PaymentHash: rig.Unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.HTLCAttempt_FAILED, attempt.Status)
	require.Equal(t, lnrpc.Failure_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, attempt.Failure.Code)
	require.Equal(t, uint32(2), attempt.Failure.FailureSourceIndex)
	require.Equal(t, uint64(amount), attempt.Failure.HtlcMsat)

	r.Hops[1].MppRecord.PaymentAddr = says.PaymentAddr
	r.Hops[0].FeeMsat--
	r.TotalFeesMsat, r.TotalAmtMsat = r.TotalFeesMsat-1, r.TotalAmtMsat-1
	attempt, err = alice.Router.SendToRouteV2(rig.Soon(t), &routerrpc.SendToRouteRequest{PaymentHash: rig.Unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.Failure_FEE_INSUFFICIENT, attempt.Failure.GetCode())
	require.Equal(t, uint32(1), attempt.Failure.FailureSourceIndex)

	r.Hops[0].FeeMsat++
	r.TotalFeesMsat, r.TotalAmtMsat = r.TotalFeesMsat+1, r.TotalAmtMsat+1
	attempt, err = alice.Router.SendToRouteV2(rig.Soon(t), &routerrpc.SendToRouteRequest{PaymentHash: rig.Unhex(t, says.PaymentHash), Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.HTLCAttempt_SUCCEEDED, attempt.Status, attempt.Failure)
	require.Len(t, bob.Forwards(), 1)
	byAlias(t, alice, bob, carol, r)

	carol.Kill() // the way ends at bob now
	rig.Eventually(t, "bob misses carol", func() bool { return !bob.Channel(points[1]).Active })
	other := rig.Unhex(t, says.PaymentHash)
	other[0] ^= 1
	attempt, err = alice.Router.SendToRouteV2(rig.Soon(t), &routerrpc.SendToRouteRequest{PaymentHash: other, Route: r})
	require.NoError(t, err)
	require.Equal(t, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE, attempt.Failure.GetCode(), attempt)
	require.Equal(t, uint32(1), attempt.Failure.FailureSourceIndex)
}

// byAlias pays over an id that only alice and bob know of, for as long as bob has it.
func byAlias(t *testing.T, alice, bob, carol *rig.Node, r *lnrpc.Route) {
	real := r.Hops[1].ChanId
	defer func() { r.Hops[1].ChanId = real }()
	maps := []*lnrpc.AliasMap{{BaseScid: real, Aliases: []uint64{16_000_001<<40 | 7, 16_249_999<<40 | 1}}}
	r.Hops[1].ChanId = maps[0].Aliases[1]
	pay := func() *lnrpc.HTLCAttempt {
		says := carol.Decode(carol.Invoice(r.Hops[1].AmtToForwardMsat))
		r.Hops[1].MppRecord.PaymentAddr = says.PaymentAddr
		attempt, err := alice.Router.SendToRouteV2(rig.Soon(t), &routerrpc.SendToRouteRequest{PaymentHash: rig.Unhex(t, says.PaymentHash), Route: r})
		require.NoError(t, err)
		return attempt
	}
	require.Equal(t, lnrpc.Failure_UNKNOWN_NEXT_PEER, pay().Failure.GetCode())
	for words, bad := range map[string]*lnrpc.AliasMap{
		"base scid 0x0x3 not found": {BaseScid: 3, Aliases: maps[0].Aliases},
		"not a valid alias":         {BaseScid: real, Aliases: []uint64{maps[0].Aliases[0], 15_999_999 << 40}},
		"alias already exists":      {BaseScid: real, Aliases: []uint64{maps[0].Aliases[0], maps[0].Aliases[0]}},
	} {
		_, err := bob.Router.XAddLocalChanAliases(rig.Soon(t), &routerrpc.AddAliasesRequest{AliasMaps: []*lnrpc.AliasMap{bad}})
		require.ErrorContains(t, err, words)
	}
	_, err := bob.Router.XFindBaseLocalChanAlias(rig.Soon(t), &routerrpc.FindBaseAliasRequest{Alias: maps[0].Aliases[0]})
	require.ErrorContains(t, err, "no base found", "all or nothing")
	added, err := bob.Router.XAddLocalChanAliases(rig.Soon(t), &routerrpc.AddAliasesRequest{AliasMaps: maps})
	require.NoError(t, err)
	listed, err := bob.LN.ListAliases(rig.Soon(t), &lnrpc.ListAliasesRequest{})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(listed.AliasMaps), fmt.Sprint(added.AliasMaps))
	require.Contains(t, fmt.Sprint(listed.AliasMaps), fmt.Sprint(maps[0].Aliases[1]))
	base, err := bob.Router.XFindBaseLocalChanAlias(rig.Soon(t), &routerrpc.FindBaseAliasRequest{Alias: maps[0].Aliases[0]})
	require.NoError(t, err)
	require.Equal(t, real, base.Base)
	attempt := pay()
	require.Equal(t, lnrpc.HTLCAttempt_SUCCEEDED, attempt.Status, attempt.Failure)

	_, err = bob.Router.XDeleteLocalChanAliases(rig.Soon(t), &routerrpc.DeleteAliasesRequest{AliasMaps: maps})
	require.NoError(t, err)
	_, err = bob.Router.XDeleteLocalChanAliases(rig.Soon(t), &routerrpc.DeleteAliasesRequest{AliasMaps: maps})
	require.ErrorContains(t, err, "alias not found")
	require.Equal(t, lnrpc.Failure_UNKNOWN_NEXT_PEER, pay().Failure.GetCode())
}

// TestPrivateChannel: who is paid over a channel that nobody announces says in the
// invoice how it is reached, and others never hear of the channel.
func TestPrivateChannel(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, _ := w.Line(1_000_000, "alice", "bob")
	alice, bob := nodes[0], nodes[1]
	dave := w.Node("dave")
	bob.Fund(2_000_000)
	bob.Connect(dave)
	point := bob.Open(dave, 600_000, func(r *lnrpc.OpenChannelRequest) { r.Private = true })
	require.True(t, dave.Channel(point).Private)
	_, err := dave.LN.GetChanInfo(rig.Soon(t), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
	require.NoError(t, err, "the ends see it")

	bare := dave.Invoice(20_000_000)
	p, err := alice.Send(rig.Soon(t), rig.PayRequest(bare))
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, p.FailureReason)
	var request string
	rig.Eventually(t, "dave knows what bob asks for", func() bool {
		a, err := dave.LN.AddInvoice(rig.Soon(t), &lnrpc.Invoice{ValueMsat: 20_000_000, Private: true})
		require.NoError(t, err)
		request = a.PaymentRequest
		return len(alice.Decode(request).RouteHints) == 1
	})
	hint := alice.Decode(request).RouteHints[0].HopHints[0]
	require.Equal(t, bob.ID, hint.NodeId)
	require.Equal(t, feeOf(20_000_000), alice.Pay(request).FeeMsat)
	_, err = alice.LN.GetChanInfo(rig.Soon(t), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
	require.Error(t, err)
	graph, err := bob.LN.DescribeGraph(rig.Soon(t), &lnrpc.ChannelGraphRequest{IncludeUnannounced: true})
	require.NoError(t, err)
	require.Len(t, graph.Edges, 2)
	graph, err = bob.LN.DescribeGraph(rig.Soon(t), &lnrpc.ChannelGraphRequest{})
	require.NoError(t, err)
	require.Len(t, graph.Edges, 1)
}
