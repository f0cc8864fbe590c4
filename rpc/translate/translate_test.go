package translate

import (
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

const generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

func key(t testing.TB) lnwire.PubKey {
	p, err := lnwire.ParsePubKey(generator)
	require.NoError(t, err)
	return p
}

func TestMistakesNameTheField(t *testing.T) {
	for field, err := range map[string]error{
		"hash":                          second(Hash("hash", make([]byte, 31))),
		"r_hash_str":                    second(HashHex("r_hash_str", "zz")),
		"peer":                          second(PubKey("peer", make([]byte, 33))),
		"pub_key":                       second(PubKeyHex("pub_key", "02")),
		"chan_point":                    second(OutPointText("chan_point", "00:1")),
		"channel_point":                 second(ChannelPoint("channel_point", nil)),
		"amt":                           second(Amount("amt", 1, 1)),
		"push_sat":                      second(Sats("push_sat", -1)),
		"value":                         second(Amount("value", math.MaxInt64, 0)),
		"min_confs":                     second(MinConfs(1, true)),
		"close_address":                 second(Script("close_address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", &chaincfg.RegressionNetParams)),
		"records":                       second(Records("records", map[uint64][]byte{65535: nil})),
		"dest_features":                 second(Bits("dest_features", []lnrpc.FeatureBit{-1})),
		"outpoints[0]":                  second(OutPoints("outpoints", []*lnrpc.OutPoint{{TxidStr: "00"}})),
		"sat_per_vbyte":                 third(FeeRate(1, 0, 1)),
		"target_conf":                   third(FeeRate(0, 0, -1)),
		"route":                         third(ReadRoute("route", nil)),
		"route.hops[0]":                 third(ReadRoute("route", &lnrpc.Route{Hops: []*lnrpc.Hop{nil}})),
		"hints[0].hop_hints[0].node_id": second(ReadHints("hints", []*lnrpc.RouteHint{{HopHints: []*lnrpc.HopHint{{NodeId: "03"}}}})),
	} {
		require.ErrorContains(t, err, field)
		require.Equal(t, codes.InvalidArgument, status.Code(err), field)
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

func TestDuplicateOutPoints(t *testing.T) {
	p := &lnrpc.OutPoint{TxidBytes: make([]byte, 32)}
	_, err := OutPoints("outpoints", []*lnrpc.OutPoint{p, p})
	require.ErrorContains(t, err, "selected outpoints contain duplicate")
}

func TestAmounts(t *testing.T) {
	m, err := Amount("amt", 3, 0)
	require.NoError(t, err)
	require.EqualValues(t, 3000, m)
	m, err = Limit("fee_limit", 0, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, lnwire.MaxMilliSat, m)
	rate, _, err := FeeRate(0, 12, 0)
	require.NoError(t, err)
	require.EqualValues(t, 3000, rate)
	rate, _, err = FeeRate(1, 0, 0)
	require.NoError(t, err)
	require.Equal(t, lnwire.FeeFloor, rate)
}

func TestPointsThereAndBack(t *testing.T) {
	op := wire.OutPoint{Index: 7}
	op.Hash[0] = 9
	got, err := ChannelPoint("p", Point(op))
	require.NoError(t, err)
	require.Equal(t, op, got)
	got, err = OutPointText("p", op.String())
	require.NoError(t, err)
	require.Equal(t, op, got)
	list, err := OutPoints("p", []*lnrpc.OutPoint{OutPoint(op)})
	require.NoError(t, err)
	require.Equal(t, []wire.OutPoint{op}, list)
}

func TestInvoice(t *testing.T) {
	pre := lnwire.Preimage{1}
	at := time.Unix(1_700_000_000, 5)
	i := &invoice.Invoice{
		Hash: pre.Hash(), State: invoice.Accepted, Preimage: &pre, Hold: true, Amount: 1_500, Paid: 2_500, CreatedAt: at,
		Expiry: time.Hour, FinalDelta: 80, AddIndex: 4,
		Parts: []invoice.Part{{Ref: htlc.Ref{ID: 3}, SCID: 9, Amount: 2_500, Total: 1_500, State: invoice.Held}},
	}
	m := Invoice(i)
	require.Empty(t, m.RPreimage, "hidden until it is settled")
	require.False(t, m.Settled)
	require.EqualValues(t, 1, m.Value)
	require.EqualValues(t, 1500, m.ValueMsat)
	require.EqualValues(t, 2, m.AmtPaidSat)
	require.EqualValues(t, 3600, m.Expiry)
	require.Zero(t, m.SettleDate)
	require.Equal(t, lnrpc.InvoiceHTLCState_ACCEPTED, m.Htlcs[0].State)
	require.EqualValues(t, 1500, m.Htlcs[0].MppTotalAmtMsat)
	i.State, i.SettledAt = invoice.Settled, at
	m = Invoice(i)
	require.True(t, m.Settled)
	require.Equal(t, pre[:], m.RPreimage)
	for state, want := range map[invoice.State]lnrpc.Invoice_InvoiceState{
		invoice.Open: lnrpc.Invoice_OPEN, invoice.Settled: lnrpc.Invoice_SETTLED,
		invoice.Canceled: lnrpc.Invoice_CANCELED, invoice.Accepted: lnrpc.Invoice_ACCEPTED,
	} {
		require.Equal(t, want, invoiceState(state))
	}
}

func capacity(lnwire.ShortChannelID) lnwire.Sat { return 1_000_000 }

func TestPayment(t *testing.T) {
	id, secret := key(t), lnwire.Secret{1}
	terms := routing.Terms{Hash: lnwire.Hash{2}, Amount: 10_000, Payee: id, Secret: &secret}
	route := routing.Route{Source: id, Amount: 10_700, Expiry: 140, Hops: []routing.Hop{
		{Node: id, SCID: 5, Forward: 10_000, Expiry: 100, Fee: 700}, {Node: id, SCID: 6, Forward: 10_000, Expiry: 100},
	}}
	failed := routing.Attempt{ID: 1, Route: route, Status: routing.Failed, Failure: &routing.AttemptFailure{
		Hop: 0, Code: onion.TemporaryChannelFailure,
	}}
	p := &routing.Payment{Terms: terms, Status: routing.InFlight, CreatedAt: time.Unix(1, 2)}
	m := Payment(p, []routing.Attempt{failed, {ID: 2, Route: route, Status: routing.InFlight}}, 8, capacity)
	require.EqualValues(t, 1_000_000, m.Htlcs[0].Route.Hops[0].ChanCapacity)
	require.Equal(t, lnrpc.Payment_IN_FLIGHT, m.Status)
	require.Zero(t, m.FeeMsat, "only of attempts that have succeeded")
	require.EqualValues(t, 8, m.PaymentIndex)
	require.Len(t, m.PaymentPreimage, 64)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NONE, m.FailureReason)
	require.EqualValues(t, 1, m.Htlcs[0].Failure.FailureSourceIndex)
	require.Equal(t, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE, m.Htlcs[0].Failure.Code)
	require.Nil(t, m.Htlcs[0].Route.Hops[0].MppRecord)
	require.EqualValues(t, 10_000, m.Htlcs[0].Route.Hops[1].MppRecord.TotalAmtMsat)
	p.Status, p.Reason = routing.Failed, routing.ReasonInsufficientBalance
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE, Payment(p, nil, 0, capacity).FailureReason)

	// The route comes back as it went.
	got, back, err := ReadRoute("route", m.Htlcs[0].Route)
	require.NoError(t, err)
	got.Source = id
	require.Equal(t, route, got)
	require.Equal(t, secret, *back.Secret)
	require.Equal(t, terms.Amount, back.Amount)
}

// TestFailures: our own failures are those of hop 0, and unreadable ones nobody's.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		f      routing.AttemptFailure
		code   lnrpc.Failure_FailureCode
		source uint32
	}{
		{routing.AttemptFailure{Local: true}, lnrpc.Failure_INTERNAL_FAILURE, 0},
		{routing.AttemptFailure{Local: true, Code: onion.TemporaryChannelFailure}, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE, 0},
		{routing.AttemptFailure{Hop: routing.UnknownHop}, lnrpc.Failure_UNREADABLE_FAILURE, 0},
		{routing.AttemptFailure{Hop: 2, Code: 0x7777}, lnrpc.Failure_UNKNOWN_FAILURE, 3},
	} {
		got := failure(&c.f)
		require.Equal(t, c.code, got.Code)
		require.Equal(t, c.source, got.FailureSourceIndex)
		require.Nil(t, got.ChannelUpdate)
	}
	u := &lnwire.ChannelUpdate{
		Sig: lnwire.Sig{1}, ChainHash: [32]byte{2}, SCID: 3, Timestamp: 4, MessageFlags: 1, ChannelFlags: 2, CLTVExpiryDelta: 5,
		HTLCMinimum: 6, FeeBase: 7, FeePPM: 8, HTLCMaximum: 9, Extra: []byte{10},
	}
	got := failure(&routing.AttemptFailure{Hop: 1, Code: onion.FeeInsufficient, Update: u}).ChannelUpdate
	require.True(t, proto.Equal(&lnrpc.ChannelUpdate{
		Signature: u.Sig[:], ChainHash: u.ChainHash[:], ChanId: 3, Timestamp: 4, MessageFlags: 1, ChannelFlags: 2, TimeLockDelta: 5,
		HtlcMinimumMsat: 6, BaseFee: 7, FeeRate: 8, HtlcMaximumMsat: 9, ExtraOpaqueData: []byte{10},
	}, got), "%v", got)
}

// FuzzRequests reads random requests: an error or a result, never a panic.
func FuzzRequests(f *testing.F) {
	seed, err := proto.Marshal(&lnrpc.Route{Hops: []*lnrpc.Hop{{PubKey: generator, AmtToForwardMsat: 1}}})
	require.NoError(f, err)
	f.Add(seed)
	seed, err = proto.Marshal(&lnrpc.Invoice{ValueMsat: -1, RouteHints: []*lnrpc.RouteHint{{HopHints: []*lnrpc.HopHint{{}}}}})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var route lnrpc.Route
		if proto.Unmarshal(b, &route) == nil {
			if r, terms, err := ReadRoute("route", &route); err == nil {
				_ = r.Check()
				_, _, err := ReadRoute("route", Route(&r, &terms, capacity))
				require.NoError(t, err, "what we say we can read")
			}
		}
		var inv lnrpc.Invoice
		if proto.Unmarshal(b, &inv) == nil {
			if terms, err := InvoiceTerms(&inv); err == nil {
				require.LessOrEqual(t, terms.Amount, lnwire.MaxMilliSat)
				require.LessOrEqual(t, len(terms.Hints), invoice.MaxHints)
			}
		}
		var point lnrpc.ChannelPoint
		if proto.Unmarshal(b, &point) == nil {
			if op, err := ChannelPoint("p", &point); err == nil {
				again, err := ChannelPoint("p", Point(op))
				require.NoError(t, err)
				require.Equal(t, op, again)
			}
		}
	})
}
