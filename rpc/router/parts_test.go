package router

import (
	"math"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

func point(n byte) lnwire.PubKey {
	_, k := btcec.PrivKeyFromBytes([]byte{n})
	return lnwire.NewPubKey(k)
}

// TestEveryFieldIsRead: what shapes the payment goes into its limits and terms.
func TestEveryFieldIsRead(t *testing.T) {
	id, preimage := point(1), lnwire.Preimage{5}
	hash := preimage.Hash()
	f := &fake{progress: []routing.Progress{{Payment: routing.Payment{Status: routing.Succeeded}}}}
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{
		Dest: id[:], PaymentHash: hash[:], AmtMsat: 9, FeeLimitMsat: 7, MaxParts: 3, MaxShardSizeMsat: 20_000_000, TimePref: -0.5,
		LastHopPubkey: id[:], OutgoingChanIds: []uint64{5}, FinalCltvDelta: 22, DestFeatures: []lnrpc.FeatureBit{lnrpc.FeatureBit_MPP_OPT},
		DestCustomRecords: map[uint64][]byte{invoice.KeysendType: preimage[:], 65536: {1}}, PaymentAddr: make([]byte, 32),
		RouteHints: []*lnrpc.RouteHint{{HopHints: []*lnrpc.HopHint{{NodeId: id.String(), ChanId: 9, CltvExpiryDelta: 4}}}},
	}, &stream[lnrpc.Payment]{ctx: t.Context()}))
	require.Equal(t, routing.Limits{Fee: 7, Parts: 3, MaxPart: 20_000_000, TimePref: -0.5, LastHop: &id,
		Outgoing: []lnwire.ShortChannelID{5}}, f.begun.Limits)
	terms := f.begun.Terms
	require.Equal(t, []lnwire.TLV{{Type: 65536, Value: []byte{1}}, {Type: invoice.KeysendType, Value: preimage[:]}}, terms.Custom)
	require.True(t, terms.Features.HasEither(lnwire.BasicMPPOptional))
	require.EqualValues(t, 22, terms.FinalDelta)
	require.Len(t, terms.Hints, 1)
	require.NotNil(t, terms.Secret)
}

// TestBlindedInvoice: who is paid, for how long and with what secret is in the paths.
func TestBlindedInvoice(t *testing.T) {
	blind := func(r *invoice.Request) {
		r.Secret, r.FinalDelta = lnwire.Secret{}, 0
		r.Features = lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional,
			lnwire.RouteBlindingOptional, lnwire.Bolt11BlindedPathsRequired)
		r.Blinded = []onion.PaymentPath{{
			BlindedPath: onion.BlindedPath{FirstNode: point(1), PathKey: point(2), Hops: []onion.BlindedHop{{NodeID: point(3), Data: []byte{7}}}},
			PayInfo:     onion.PayInfo{FeeBase: 1, FeePPM: 2, CLTVDelta: 3, HTLCMinimum: 4},
		}}
	}
	f := &fake{progress: []routing.Progress{{Payment: routing.Payment{Status: routing.Succeeded}}}}
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t, blind)}, &stream[lnrpc.Payment]{ctx: t.Context()}))
	terms := f.begun.Terms
	require.True(t, terms.Payee.IsZero() && terms.Secret == nil && terms.FinalDelta == 0)
	require.Len(t, terms.Blinded, 1)
	require.True(t, terms.Blinded[0].Features.IsEmpty())
	terms.Blinded[0].Features = nil
	require.Equal(t, routing.BlindedPath{
		Intro: point(1), Tail: routing.Tail{PathKey: point(2), Hops: []routing.BlindedHop{{ID: point(1), Data: []byte{7}}}}, // bLIP 39 names the first node in the clear
		Base: 1, PPM: 2, Delta: 3, Min: 4, Max: math.MaxUint64,
	}, terms.Blinded[0])
	last := point(9)
	for want, req := range map[string]*routerrpc.SendPaymentRequest{
		"last_hop_pubkey": {LastHopPubkey: last[:]},
		"route_hints":     {RouteHints: []*lnrpc.RouteHint{{HopHints: []*lnrpc.HopHint{{NodeId: last.String()}}}}},
	} {
		req.PaymentRequest = text(t, blind)
		require.ErrorContains(t, service(&fake{}).SendPaymentV2(req, &stream[lnrpc.Payment]{ctx: t.Context()}), want)
	}
}

// TestASetEndsWithItsLastPart: the preimage of one part ends nothing for those who follow.
func TestASetEndsWithItsLastPart(t *testing.T) {
	under := []routing.Attempt{{ID: 1, Status: routing.Succeeded}, {ID: 2, Status: routing.InFlight, Route: routing.Route{Amount: 12, Hops: []routing.Hop{{Forward: 10}}}}}
	done := []routing.Attempt{under[0], {ID: 2, Status: routing.Succeeded}}
	f := &fake{progress: []routing.Progress{
		{Payment: routing.Payment{Status: routing.Succeeded, Fee: 3}, Attempts: under},
		{Payment: routing.Payment{Status: routing.Succeeded, Fee: 5}, Attempts: done},
	}}
	out := &stream[lnrpc.Payment]{ctx: t.Context()}
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t)}, out))
	require.Len(t, out.sent, 2)
	require.Equal(t, lnrpc.Payment_IN_FLIGHT, out.sent[0].Status)
	require.EqualValues(t, 3, out.sent[0].FeeMsat, "without that of what is under way")
	require.Equal(t, lnrpc.Payment_SUCCEEDED, out.sent[1].Status)
	require.EqualValues(t, 5, out.sent[1].FeeMsat)
}

// TestSendToRouteAnswersWithItsOwnAttempt: others of the same hash are somebody else's.
func TestSendToRouteAnswersWithItsOwnAttempt(t *testing.T) {
	flight := func(status routing.Status) []routing.Attempt {
		return []routing.Attempt{{ID: 7, Status: routing.Failed}, {ID: 8, Status: status, Preimage: lnwire.Preimage{4}}}
	}
	f := &fake{progress: []routing.Progress{
		{Payment: routing.Payment{Status: routing.InFlight}, Attempts: flight(routing.InFlight)},
		{Payment: routing.Payment{Status: routing.InFlight}, Attempts: flight(routing.Succeeded)},
	}}
	a, err := service(f).SendToRouteV2(t.Context(), &routerrpc.SendToRouteRequest{PaymentHash: make([]byte, 32), Route: &lnrpc.Route{
		TotalAmtMsat: 5, TotalTimeLock: 100, Hops: []*lnrpc.Hop{{PubKey: point(1).String(), ChanId: 3, AmtToForwardMsat: 5, Expiry: 100,
			MppRecord: &lnrpc.MPPRecord{PaymentAddr: make([]byte, 32), TotalAmtMsat: 10}}},
	}})
	require.NoError(t, err)
	require.EqualValues(t, 8, a.AttemptId)
	require.Equal(t, lnrpc.HTLCAttempt_SUCCEEDED, a.Status)
	require.EqualValues(t, 10, f.begun.Terms.Amount)
	require.EqualValues(t, 5, f.begun.Route.Received())
}
