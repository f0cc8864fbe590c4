package router

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

func (f *fake) Intercept() (Interception, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.place, nil
}

// place is the interceptor's.
type place struct {
	offers   chan forward.Intercepted
	verdicts map[node.CircuitKey]forward.Verdict
	closed   bool
}

func (p *place) Next(ctx context.Context) (forward.Intercepted, error) {
	select {
	case o := <-p.offers:
		return o, nil
	case <-ctx.Done():
		return forward.Intercepted{}, ctx.Err()
	}
}

func (p *place) Decide(k node.CircuitKey, v forward.Verdict) error {
	if k.ID == 404 {
		return forward.ErrNotHeld
	}
	p.verdicts[k] = v
	return nil
}

func (p *place) Close() { p.closed = true }

// talk is a stream of both directions.
type talk[In, Out any] struct {
	grpc.ServerStream
	ctx  context.Context
	said chan *In
	sent chan *Out
}

func (s *talk[In, Out]) Context() context.Context { return s.ctx }
func (s *talk[In, Out]) Send(m *Out) error        { s.sent <- m; return nil }
func (s *talk[In, Out]) Recv() (*In, error) {
	select {
	case m, ok := <-s.said:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

func TestInterceptorStream(t *testing.T) {
	p := &place{offers: make(chan forward.Intercepted, 1), verdicts: map[node.CircuitKey]forward.Verdict{}}
	f := &fake{place: p}
	s := &talk[routerrpc.ForwardHtlcInterceptResponse, routerrpc.ForwardHtlcInterceptRequest]{
		ctx: t.Context(), said: make(chan *routerrpc.ForwardHtlcInterceptResponse), sent: make(chan *routerrpc.ForwardHtlcInterceptRequest),
	}
	over := make(chan error)
	go func() { over <- service(f).HtlcInterceptor(s) }()
	in := forward.Intercepted{InSCID: 7, AutoFail: 80, Out: onion.Forward{Amount: 9, Expiry: 60, SCID: 5}}
	in.In.HTLC = htlc.HTLC{Ref: htlc.Ref{ID: 3}, Amount: 10, Expiry: 100, Hash: lnwire.Hash{1}, Accountable: lnwire.AccountableTrial,
		Custom: lnwire.ExtraTLVs{{Type: 65537, Value: []byte{1}}}}
	in.In.Opened.Payload = &onion.Payload{Custom: []lnwire.TLV{{Type: 70000, Value: []byte{2}}}}
	p.offers <- in
	got := <-s.sent
	require.True(t, proto.Equal(&routerrpc.CircuitKey{ChanId: 7, HtlcId: 3}, got.IncomingCircuitKey))
	require.Equal(t, []uint64{10, 100, 9, 60, 5, 80}, []uint64{got.IncomingAmountMsat, uint64(got.IncomingExpiry),
		got.OutgoingAmountMsat, uint64(got.OutgoingExpiry), got.OutgoingRequestedChanId, uint64(got.AutoFailHeight)})
	require.Equal(t, map[uint64][]byte{70000: {2}}, got.CustomRecords)
	require.Equal(t, map[uint64][]byte{65537: {1}, 106823: {7}}, got.InWireCustomRecords)
	require.Len(t, got.OnionBlob, 1366)
	s.said <- &routerrpc.ForwardHtlcInterceptResponse{IncomingCircuitKey: got.IncomingCircuitKey,
		Action: routerrpc.ResolveHoldForwardAction_RESUME_MODIFIED, InAmountMsat: 12, OutAmountMsat: 11, OutWireCustomRecords: map[uint64][]byte{65539: {4}}}
	s.said <- &routerrpc.ForwardHtlcInterceptResponse{IncomingCircuitKey: &routerrpc.CircuitKey{HtlcId: 404}, Action: routerrpc.ResolveHoldForwardAction_RESUME}
	require.ErrorContains(t, <-over, "forward does not exist")
	require.True(t, p.closed)
	require.Equal(t, forward.Verdict{Kind: forward.Resume, In: 12, Out: 11, Custom: lnwire.ExtraTLVs{{Type: 65539, Value: []byte{4}}}},
		p.verdicts[node.CircuitKey{SCID: 7, ID: 3}])

	f.err = node.ErrInterceptorExists
	require.EqualError(t, service(f).HtlcInterceptor(s), "interceptor already exists")
	require.Equal(t, byNode, heldHTLC(&forward.Intercepted{Out: onion.Forward{Node: lnwire.PubKey{2}}}).OutgoingRequestedChanId)
}

func TestVerdictsAreRead(t *testing.T) {
	key := &routerrpc.CircuitKey{ChanId: 1, HtlcId: 2}
	for want, req := range map[string]*routerrpc.ForwardHtlcInterceptResponse{
		"CircuitKey missing":          {},
		"missing preimage":            {IncomingCircuitKey: key},
		"invalid preimage length":     {IncomingCircuitKey: key, Preimage: []byte{1}},
		"mutually exclusive":          {IncomingCircuitKey: key, Action: 1, FailureMessage: []byte{1}, FailureCode: lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE},
		"message length invalid":      {IncomingCircuitKey: key, Action: 1, FailureMessage: []byte{1}},
		"unsupported failure code":    {IncomingCircuitKey: key, Action: 1, FailureCode: lnrpc.Failure_EXPIRY_TOO_FAR},
		"types below 65536":           {IncomingCircuitKey: key, Action: 3, OutWireCustomRecords: map[uint64][]byte{1: nil}},
		"unrecognized resolve action": {IncomingCircuitKey: key, Action: 9},
	} {
		_, _, err := verdict(req)
		require.ErrorContains(t, err, want)
	}
	_, _, err := verdict(&routerrpc.ForwardHtlcInterceptResponse{IncomingCircuitKey: key, Action: 9})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	for code, want := range map[lnrpc.Failure_FailureCode]onion.Code{
		0: onion.TemporaryChannelFailure, lnrpc.Failure_INVALID_ONION_HMAC: onion.InvalidOnionHMAC,
		lnrpc.Failure_INVALID_ONION_KEY: onion.InvalidOnionKey, lnrpc.Failure_INVALID_ONION_VERSION: onion.InvalidOnionVersion,
	} {
		_, v, err := verdict(&routerrpc.ForwardHtlcInterceptResponse{IncomingCircuitKey: key, Action: routerrpc.ResolveHoldForwardAction_FAIL, FailureCode: code})
		require.NoError(t, err)
		require.Equal(t, forward.Verdict{Kind: forward.Fail, Code: want}, v)
	}
}
