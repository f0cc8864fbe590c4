package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// fake is a node whose payments go as the test says.
type fake struct {
	Node
	begun    routing.Begin
	progress []routing.Progress
	err      error
	canceled []lnwire.Hash
	place    *place
	learned  []routing.PairHistory
	memory   routing.Memory
	params   *routing.Params
	graph    *routing.Graph
	built    routing.Build
	link     channel.LinkState
	forwards node.Feed[forward.Notice]
	invoices node.Feed[invoice.Notice]
}

func (f *fake) ID() lnwire.PubKey     { return lnwire.PubKey{2} }
func (f *fake) Net() *chaincfg.Params { return &chaincfg.RegressionNetParams }
func (f *fake) Pay(_ context.Context, b routing.Begin, _ ...budget.Limit) (Watch, error) {
	f.begun = b
	return f, f.err
}
func (f *fake) SendToRoute(_ context.Context, b routing.Begin, _ ...budget.Limit) (Watch, uint64, error) {
	f.begun = b
	return f, 8, f.err
}
func (f *fake) TrackPayment(lnwire.Hash) (Watch, error)           { return f, f.err }
func (f *fake) TrackPayments() Watch                              { return f }
func (f *fake) CancelPayment(h lnwire.Hash)                       { f.canceled = append(f.canceled, h) }
func (f *fake) HTLCEvents() *node.Subscription[forward.Notice]    { return f.forwards.Subscribe() }
func (f *fake) InvoiceEvents() *node.Subscription[invoice.Notice] { return f.invoices.Subscribe() }
func (f *fake) Close()                                            {}
func (f *fake) PaymentRow(lnwire.Hash) (*node.Payment, error) {
	return &node.Payment{Index: 5}, nil
}

func (f *fake) Next(ctx context.Context) (routing.Progress, error) {
	if len(f.progress) > 0 {
		p := f.progress[0]
		f.progress = f.progress[1:]
		return p, nil
	}
	<-ctx.Done()
	return routing.Progress{}, ctx.Err()
}

// stream collects what is sent.
type stream[T any] struct {
	grpc.ServerStream
	ctx  context.Context
	sent []*T
}

func (s *stream[T]) Context() context.Context { return s.ctx }
func (s *stream[T]) Send(m *T) error          { s.sent = append(s.sent, m); return nil }

var start = time.Unix(1_700_000_000, 0)

func service(f *fake) *Service {
	s := New(f)
	s.now = func() time.Time { return start.Add(time.Minute) }
	return s
}

// text is an invoice of somebody.
func text(t testing.TB, change ...func(*invoice.Request)) string {
	priv, _ := btcec.PrivKeyFromBytes([]byte("somebody who wants to be paid..."))
	words := "coffee"
	r := &invoice.Request{
		Network: invoice.Regtest, Amount: 1_000_000, Timestamp: start, Hash: lnwire.Hash{1}, Secret: lnwire.Secret{2},
		Description: &words, Expiry: time.Hour, FinalDelta: 40,
		Features: lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional),
	}
	for _, c := range change {
		c(r)
	}
	out, err := r.Encode(func(d [32]byte) (sig [65]byte) {
		copy(sig[:], ecdsa.SignCompact(priv, d[:], true))
		return sig
	})
	require.NoError(t, err)
	return out
}

func TestSendPaymentReadsTheInvoice(t *testing.T) {
	f := &fake{progress: []routing.Progress{
		{Payment: routing.Payment{Status: routing.InFlight}}, {Payment: routing.Payment{Status: routing.Succeeded}},
	}}
	out := &stream[lnrpc.Payment]{ctx: t.Context()}
	err := service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{
		PaymentRequest: "lightning:" + text(t), FeeLimitSat: 3, TimeoutSeconds: 9, OutgoingChanIds: []uint64{7}, CltvLimit: 500,
	}, out)
	require.NoError(t, err)
	b := f.begun
	require.Equal(t, lnwire.Hash{1}, b.Terms.Hash)
	require.Equal(t, lnwire.MilliSat(1_000_000), b.Terms.Amount)
	require.Equal(t, lnwire.Secret{2}, *b.Terms.Secret)
	require.EqualValues(t, 40, b.Terms.FinalDelta)
	require.Equal(t, text(t), b.Terms.Request)
	require.Equal(t, routing.Limits{
		Fee: 3000, CLTV: 500, Parts: defaultParts, Timeout: 9 * time.Second, Outgoing: []lnwire.ShortChannelID{7},
	}, b.Limits)
	require.Len(t, out.sent, 2)
	require.Equal(t, lnrpc.Payment_IN_FLIGHT, out.sent[0].Status)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, out.sent[1].Status)
	require.EqualValues(t, 5, out.sent[1].PaymentIndex)
}

func TestSendPaymentOnlyTheEnd(t *testing.T) {
	inFlight := routing.Attempt{Status: routing.InFlight}
	f := &fake{progress: []routing.Progress{
		{Payment: routing.Payment{Status: routing.InFlight}},
		{Payment: routing.Payment{Status: routing.Failed}, Attempts: []routing.Attempt{inFlight}},
		{Payment: routing.Payment{Status: routing.Failed, Reason: routing.ReasonNoRoute}},
	}}
	out := &stream[lnrpc.Payment]{ctx: t.Context()}
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t), NoInflightUpdates: true}, out))
	require.Len(t, out.sent, 1)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, out.sent[0].FailureReason)
}

// TestFailuresAreToldBeforeTheEnd: ln-service looks for failed attempts in payments that
// are under way.
func TestFailuresAreToldBeforeTheEnd(t *testing.T) {
	failed := routing.Attempt{Status: routing.Failed, Failure: &routing.AttemptFailure{}}
	end := routing.Progress{Payment: routing.Payment{Status: routing.Failed, Reason: routing.ReasonNoRoute}, Attempts: []routing.Attempt{failed}}
	f := &fake{progress: []routing.Progress{{Payment: routing.Payment{Status: routing.InFlight}}, end}}
	out := &stream[lnrpc.Payment]{ctx: t.Context()}
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t)}, out))
	require.Len(t, out.sent, 3)
	before, last := out.sent[1], out.sent[2]
	require.Equal(t, lnrpc.Payment_IN_FLIGHT, before.Status)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NONE, before.FailureReason)
	require.Equal(t, lnrpc.HTLCAttempt_FAILED, before.Htlcs[0].Status)
	require.Equal(t, lnrpc.Payment_FAILED, last.Status)

	// What was told already is not told again.
	underway := end
	underway.Payment.Status = routing.InFlight
	f.progress = []routing.Progress{underway, end}
	out.sent = nil
	require.NoError(t, service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t)}, out))
	require.Len(t, out.sent, 2)

	// Nor is anything before the end told of a payment that has ended already.
	f.progress = []routing.Progress{end}
	out.sent = nil
	require.NoError(t, service(f).TrackPaymentV2(&routerrpc.TrackPaymentRequest{PaymentHash: make([]byte, 32)}, out))
	require.Len(t, out.sent, 1)
}

func TestSendPaymentMistakes(t *testing.T) {
	any := func(r *invoice.Request) { r.Amount = 0 }
	id := lnwire.NewPubKey(func() *btcec.PublicKey { _, k := btcec.PrivKeyFromBytes([]byte{1}); return k }())
	for want, req := range map[string]*routerrpc.SendPaymentRequest{
		"dest: want 33 bytes":      {},
		"payment_hash: want 32":    {Dest: id[:]},
		"amount must be specified": {Dest: id[:], PaymentHash: make([]byte, 32)},
		"payment_request":          {PaymentRequest: "lnbcrt1"},
		"active network":           {PaymentRequest: text(t, func(r *invoice.Request) { r.Network = invoice.Mainnet })},
		"invoice expired":          {PaymentRequest: text(t, func(r *invoice.Request) { r.Expiry = time.Second })},
		"paying a zero amount":     {PaymentRequest: text(t, any)},
		"paying a non-zero amount": {PaymentRequest: text(t), AmtMsat: 5},
		"cannot appear together":   {PaymentRequest: text(t), Dest: id[:]},
		"amp":                      {PaymentRequest: text(t), Amp: true},
		"fee_limit":                {PaymentRequest: text(t), FeeLimitSat: 1, FeeLimitMsat: 1},
		"timeout_seconds":          {PaymentRequest: text(t), TimeoutSeconds: -1},
		"total time lock of 2017 exceeds max allowed 2016": {PaymentRequest: text(t), CltvLimit: 2017},
		"cltv limit 9 should be greater than":              {PaymentRequest: text(t), CltvLimit: 9},
		"last_hop_pubkey":                                  {PaymentRequest: text(t), LastHopPubkey: []byte{1}},
		"types below 65536":                                {PaymentRequest: text(t), DestCustomRecords: map[uint64][]byte{3: nil}},
		"time_pref":                                        {PaymentRequest: text(t), TimePref: 1.5},
		"type 70000 is even":                               {PaymentRequest: text(t), FirstHopCustomRecords: map[uint64][]byte{70000: nil}},
		"more than 4096 bytes":                             {PaymentRequest: text(t), FirstHopCustomRecords: map[uint64][]byte{70001: make([]byte, 4097)}},
		"want 32":                                          {Dest: id[:], PaymentHash: make([]byte, 32), Amt: 1, DestCustomRecords: map[uint64][]byte{invoice.KeysendType: {1}}},
		"not that of payment_hash":                         {Dest: id[:], PaymentHash: make([]byte, 32), Amt: 1, DestCustomRecords: map[uint64][]byte{invoice.KeysendType: make([]byte, 32)}},
	} {
		err := service(&fake{}).SendPaymentV2(req, &stream[lnrpc.Payment]{ctx: t.Context()})
		require.ErrorContains(t, err, want)
	}
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	for err, code := range map[error]codes.Code{
		routing.ErrAlreadyPaid: codes.AlreadyExists, routing.ErrPaymentInFlight: codes.AlreadyExists,
		node.ErrUnknownPayment: codes.NotFound, errors.New("other"): codes.Unknown,
	} {
		got := service(&fake{err: err}).TrackPaymentV2(&routerrpc.TrackPaymentRequest{PaymentHash: make([]byte, 32)}, &stream[lnrpc.Payment]{ctx: t.Context()})
		require.Equal(t, code, status.Code(got))
		require.ErrorContains(t, got, err.Error())
	}
}

// TestCancelable: a client that goes away stops a payment only if it said so.
func TestCancelable(t *testing.T) {
	for _, cancelable := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := &fake{}
		err := service(f).SendPaymentV2(&routerrpc.SendPaymentRequest{PaymentRequest: text(t), Cancelable: cancelable}, &stream[lnrpc.Payment]{ctx: ctx})
		require.Equal(t, codes.Canceled, status.Code(err))
		require.Equal(t, cancelable, len(f.canceled) == 1)
	}
}

func TestForwardEvents(t *testing.T) {
	n := &forward.Notice{Kind: forward.Forwarded, InSCID: 1, OutSCID: 2, AmountIn: 11, AmountOut: 10, ExpiryIn: 200, ExpiryOut: 120}
	ev := htlcEvent(n)
	require.Equal(t, routerrpc.HtlcEvent_FORWARD, ev.EventType)
	require.EqualValues(t, 120, ev.GetForwardEvent().Info.OutgoingTimelock)
	n.Kind = forward.Settled
	require.NotNil(t, htlcEvent(n).GetSettleEvent())
	n.Kind = forward.FailedBack
	require.NotNil(t, htlcEvent(n).GetForwardFailEvent())
	n.Kind, n.Text = forward.RefusedHere, "no room"
	require.Equal(t, "no room", htlcEvent(n).GetLinkFailEvent().FailureString)
	require.Equal(t, routerrpc.FailureDetail_NO_DETAIL, htlcEvent(n).GetLinkFailEvent().FailureDetail)
	n.Detail = htlc.ExceedsMax
	require.Equal(t, routerrpc.FailureDetail_HTLC_EXCEEDS_MAX, htlcEvent(n).GetLinkFailEvent().FailureDetail)
}

// Every reason to refuse has a name of its own.
func TestFailureDetails(t *testing.T) {
	names := map[routerrpc.FailureDetail]bool{}
	for d := htlc.NoDetail; d <= htlc.ModifierRefused; d++ {
		name := failureDetail(d)
		require.NotEqual(t, routerrpc.FailureDetail_UNKNOWN, name, "detail %d", d)
		require.False(t, names[name], name)
		names[name] = true
	}
}

func TestSendAndReceiveEvents(t *testing.T) {
	n := &forward.Notice{
		Kind: forward.Forwarded, AttemptID: 3, Out: htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 8}, OutSCID: 9, AmountOut: 5,
	}
	ev := htlcEvent(n)
	require.Equal(t, routerrpc.HtlcEvent_SEND, ev.EventType)
	require.Equal(t, []uint64{0, 3, 9, 8}, []uint64{ev.IncomingChannelId, ev.IncomingHtlcId, ev.OutgoingChannelId, ev.OutgoingHtlcId})
	require.EqualValues(t, 5, ev.GetForwardEvent().Info.OutgoingAmtMsat)
	n.Kind, n.Text, n.Code = forward.RefusedHere, "no balance", onion.TemporaryChannelFailure
	require.Equal(t, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE, htlcEvent(n).GetLinkFailEvent().WireFailure)
	in := htlc.Ref{ChanNum: 1, ID: 4}
	ev = htlcEvent(&forward.Notice{Kind: forward.RefusedHere, Received: true, In: in, InSCID: 6})
	require.Equal(t, routerrpc.HtlcEvent_RECEIVE, ev.EventType)
	ev = htlcEvent(&forward.Notice{Kind: forward.Finished, In: in, InSCID: 6, Settled: true})
	require.Equal(t, routerrpc.HtlcEvent_UNKNOWN, ev.EventType)
	require.True(t, ev.GetFinalHtlcEvent().Settled && ev.GetFinalHtlcEvent().Offchain)
	require.Equal(t, []uint64{6, 4}, []uint64{ev.IncomingChannelId, ev.IncomingHtlcId})
	require.False(t, htlcEvent(&forward.Notice{Kind: forward.Finished, OnChain: true}).GetFinalHtlcEvent().Offchain)
}

// FuzzSendPayment reads random requests.
func FuzzSendPayment(f *testing.F) {
	for _, req := range []*routerrpc.SendPaymentRequest{
		{PaymentRequest: text(f), FeeLimitMsat: 1 << 62}, {Dest: make([]byte, 33), PaymentHash: make([]byte, 32), Amt: 1},
	} {
		b, err := proto.Marshal(req)
		require.NoError(f, err)
		f.Add(b)
	}
	s := service(&fake{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var req routerrpc.SendPaymentRequest
		if proto.Unmarshal(b, &req) != nil {
			return
		}
		if begin, err := s.begin(&req); err == nil {
			require.NotZero(t, begin.Terms.Amount)
			require.False(t, begin.Terms.Payee.IsZero())
		}
	})
}
