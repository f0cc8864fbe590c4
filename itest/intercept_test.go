package itest

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestInterceptors: a program decides what bob carries on, and goes on deciding after he was
// killed; another one says what carol was paid. On the way: what the router tells of ways.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]

	fee, err := alice.Router.EstimateRouteFee(rig.Soon(t), &routerrpc.RouteFeeRequest{PaymentRequest: carol.Invoice(40_000_000)})
	require.NoError(t, err)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NONE, fee.FailureReason)
	hops := [][]byte{unhex(t, bob.ID), unhex(t, carol.ID)}
	built, err := alice.Router.BuildRoute(rig.Soon(t), &routerrpc.BuildRouteRequest{AmtMsat: 40_000_000, HopPubkeys: hops})
	require.NoError(t, err)
	require.Equal(t, fee.RoutingFeeMsat, built.Route.TotalFeesMsat)
	learned, err := alice.Router.QueryMissionControl(rig.Soon(t), &routerrpc.QueryMissionControlRequest{})
	require.NoError(t, err)
	require.NotEmpty(t, learned.Pairs, "the probe went through")
	alice.Restart()
	again, err := alice.Router.QueryMissionControl(rig.Soon(t), &routerrpc.QueryMissionControlRequest{})
	require.NoError(t, err)
	require.Len(t, again.Pairs, len(learned.Pairs), "it is not forgotten")

	_, err = bob.Router.UpdateChanStatus(rig.Soon(t), &routerrpc.UpdateChanStatusRequest{ChanPoint: points[1].Proto(), Action: routerrpc.ChanStatusAction_DISABLE})
	require.NoError(t, err)
	rig.Eventually(t, "alice learns that the channel is disabled", func() bool { return policyOf(alice.Knows(points[1]), bob).Disabled })
	_, err = bob.Router.UpdateChanStatus(rig.Soon(t), &routerrpc.UpdateChanStatusRequest{ChanPoint: points[1].Proto(), Action: routerrpc.ChanStatusAction_ENABLE})
	require.NoError(t, err)
	rig.Eventually(t, "alice learns that it is not", func() bool { return !policyOf(alice.Knows(points[1]), bob).Disabled })

	bob.Options = append(bob.Options, "--requireinterceptor")
	bob.Restart()
	bob.Synced()
	rig.Eventually(t, "bob's channels are back", func() bool { return bob.Info().NumActiveChannels == 2 && alice.Info().NumActiveChannels == 1 })
	stream, err := bob.Router.HtlcInterceptor(t.Context())
	require.NoError(t, err)
	_, err = stream.Header() // it stands
	require.NoError(t, err)
	hold := carol.Invoice(5_000_000)
	paid := alice.Begin(hold)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, uint64(5_000_000), first.OutgoingAmountMsat)
	bob.Kill()
	bob.Start()
	stream, err = bob.Router.HtlcInterceptor(t.Context())
	require.NoError(t, err)
	second, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, first.IncomingCircuitKey.String(), second.IncomingCircuitKey.String(), "offered again after he was killed")
	require.Equal(t, first.OnionBlob, second.OnionBlob)

	modifier, err := carol.Invoices.HtlcModifier(t.Context())
	require.NoError(t, err)
	_, err = modifier.Header()
	require.NoError(t, err)
	bob.Active(points[1])
	require.NoError(t, stream.Send(&routerrpc.ForwardHtlcInterceptResponse{
		IncomingCircuitKey: second.IncomingCircuitKey, Action: routerrpc.ResolveHoldForwardAction_RESUME_MODIFIED,
		InAmountMsat: 5_010_000, OutAmountMsat: 5_000_500, OutWireCustomRecords: map[uint64][]byte{70001: {7}},
	}))
	q, err := modifier.Recv()
	require.NoError(t, err)
	require.Equal(t, uint64(5_000_500), q.ExitHtlcAmt, "more than its onion says, out of bob's pocket")
	require.Equal(t, map[uint64][]byte{70001: {7}}, q.ExitHtlcWireCustomRecords)
	counts := uint64(6_000_000)
	require.NoError(t, modifier.Send(&invoicesrpc.HtlcModifyResponse{CircuitKey: q.ExitHtlcCircuitKey, AmtPaid: &counts}))
	var end *lnrpc.Payment
	for end == nil || end.Status == lnrpc.Payment_IN_FLIGHT || end.Status == lnrpc.Payment_INITIATED {
		end, err = paid.Recv()
		require.NoError(t, err)
	}
	require.Equal(t, lnrpc.Payment_SUCCEEDED, end.Status)
	inv, err := carol.LN.LookupInvoice(rig.Soon(t), &lnrpc.PaymentHash{RHash: rig.Unhex(t, end.PaymentHash)})
	require.NoError(t, err)
	require.Equal(t, int64(6_000_000), inv.AmtPaidMsat)
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}
