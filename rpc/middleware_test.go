package rpc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/middleware"
)

// guarded is a server that lets middlewares in.
func guarded(t testing.TB, cfg middleware.Config, l *lightning) *node {
	cfg.Enable = true
	registry := middleware.New(cfg)
	l.middleware = registry.Serve
	return start(t, l, func(c *Config) {
		c.Middleware = registry
		c.Macaroons.(*macaroons.Bakery).AcceptCustom(registry.Handles)
	})
}

// A guard is a middleware of the tests.
type guard struct {
	t      testing.TB
	stream lnrpc.Lightning_RegisterRPCMiddlewareClient
	seen   []string // what it was shown, in words
	ids    map[uint64]bool
}

// register lets a middleware in, that answers with decide until it is told to stop.
func (n *node) register(ctx context.Context, reg *lnrpc.MiddlewareRegistration, decide func(*lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback) *guard {
	g := &guard{t: n.t, ids: map[uint64]bool{}}
	var err error
	g.stream, err = lnrpc.NewLightningClient(n.dial(n.admin())).RegisterRPCMiddleware(ctx)
	require.NoError(n.t, err)
	require.NoError(n.t, g.stream.Send(&lnrpc.RPCMiddlewareResponse{MiddlewareMessage: &lnrpc.RPCMiddlewareResponse_Register{Register: reg}}))
	first, err := g.stream.Recv()
	require.NoError(n.t, err)
	require.True(n.t, first.GetRegComplete())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := g.stream.Recv()
			if err != nil {
				return
			}
			g.ids[m.RequestId] = true
			g.seen = append(g.seen, inWords(m))
			if f := decide(m); f != nil {
				_ = g.stream.Send(&lnrpc.RPCMiddlewareResponse{RefMsgId: m.MsgId, MiddlewareMessage: &lnrpc.RPCMiddlewareResponse_Feedback{Feedback: f}})
			}
		}
	}()
	n.t.Cleanup(func() { <-done })
	return g
}

func inWords(m *lnrpc.RPCMiddlewareRequest) string {
	short := func(uri string) string { return uri[strings.LastIndex(uri, "/")+1:] }
	words := ""
	switch k := m.InterceptType.(type) {
	case *lnrpc.RPCMiddlewareRequest_StreamAuth:
		words = "stream " + short(k.StreamAuth.MethodFullUri)
	case *lnrpc.RPCMiddlewareRequest_Request:
		words = "request " + short(k.Request.MethodFullUri) + " " + k.Request.TypeName
	case *lnrpc.RPCMiddlewareRequest_Response:
		words = "response " + short(k.Response.MethodFullUri) + " " + k.Response.TypeName
	}
	return strings.TrimSpace(words + " " + m.CustomCaveatCondition)
}

func pass(*lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback { return &lnrpc.InterceptFeedback{} }

func instead(m proto.Message) *lnrpc.InterceptFeedback {
	raw, _ := proto.Marshal(m)
	return &lnrpc.InterceptFeedback{ReplaceResponse: true, ReplacementSerialized: raw}
}

var counting = &lnrpc.MiddlewareRegistration{MiddlewareName: "counter", CustomMacaroonCaveatName: "count"}

// TestMiddlewareSeesAndChanges: a call whose macaroon has the caveat passes the middleware on both ways; others do not.
func TestMiddlewareSeesAndChanges(t *testing.T) {
	l := &lightning{}
	n := guarded(t, middleware.Config{}, l)
	caveat := macaroons.Custom("count", "3")
	raw := n.bake(macaroons.Admin, caveat)
	client := lnrpc.NewLightningClient(n.dial(raw))
	const orphan = "cannot accept macaroon with custom caveat 'count', no middleware registered to handle it"
	_, err := client.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, orphan)

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	g := n.register(ctx, counting, func(m *lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback {
		require.Equal(t, raw, m.RawMacaroon)
		require.NotEmpty(t, m.MetadataPairs["macaroon"].Values)
		switch {
		case m.GetRequest().GetTypeName() == "lnrpc.PaymentHash":
			var req lnrpc.PaymentHash
			require.NoError(t, proto.Unmarshal(m.GetRequest().Serialized, &req))
			switch req.RHashStr {
			case "forbidden":
				return &lnrpc.InterceptFeedback{Error: "not this one"}
			case "other":
				return instead(&lnrpc.PaymentHash{RHashStr: "another"})
			case "broken":
				return &lnrpc.InterceptFeedback{ReplaceResponse: true, ReplacementSerialized: []byte{0xff}}
			}
		case m.GetResponse().GetIsError():
			return &lnrpc.InterceptFeedback{ReplaceResponse: true, ReplacementSerialized: []byte("told otherwise")}
		case m.GetResponse().GetTypeName() == "lnrpc.GetInfoResponse":
			return instead(&lnrpc.GetInfoResponse{Alias: "nobody"})
		}
		return &lnrpc.InterceptFeedback{}
	})
	info, err := client.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	require.True(t, proto.Equal(&lnrpc.GetInfoResponse{Alias: "nobody"}, info))
	inv, err := client.LookupInvoice(t.Context(), &lnrpc.PaymentHash{RHashStr: "other"})
	require.NoError(t, err)
	require.Equal(t, "another", inv.Memo)
	_, err = client.LookupInvoice(t.Context(), &lnrpc.PaymentHash{RHashStr: "forbidden"})
	require.ErrorContains(t, err, "not this one")
	_, err = client.LookupInvoice(t.Context(), &lnrpc.PaymentHash{RHashStr: "broken"})
	require.ErrorContains(t, err, "replacement of lnrpc.PaymentHash")
	_, err = client.LookupInvoice(t.Context(), &lnrpc.PaymentHash{})
	require.ErrorContains(t, err, "told otherwise")
	plain, err := lnrpc.NewLightningClient(n.dial(n.admin())).GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	require.Equal(t, "alice", plain.Alias, "a macaroon without the caveat is none of its business")
	require.Equal(t, []string{
		"request GetInfo lnrpc.GetInfoRequest 3", "response GetInfo lnrpc.GetInfoResponse 3",
		"request LookupInvoice lnrpc.PaymentHash 3", "response LookupInvoice lnrpc.Invoice 3",
		"request LookupInvoice lnrpc.PaymentHash 3", "request LookupInvoice lnrpc.PaymentHash 3",
		"request LookupInvoice lnrpc.PaymentHash 3", "response LookupInvoice error 3",
	}, g.seen)
	require.Len(t, g.ids, 5, "one number for each call")

	// Each caveat of its name must hold.
	twice := lnrpc.NewLightningClient(n.dial(n.bake(macaroons.Admin, caveat, macaroons.Custom("count", "4"))))
	raw = n.bake(macaroons.Admin, caveat)
	leave()
	require.Eventually(t, func() bool {
		_, err := client.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
		return err != nil && strings.Contains(err.Error(), orphan)
	}, time.Minute, time.Millisecond, "without it, its macaroons are good for nothing")
	_, err = twice.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, orphan)
}

// TestMiddlewareOfStreams: a stream is shown when it begins and message by message.
func TestMiddlewareOfStreams(t *testing.T) {
	l := &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		for _, memo := range []string{"one", "two"} {
			if err := out.Send(&lnrpc.Invoice{Memo: memo}); err != nil {
				return err
			}
		}
		return errors.New("over")
	}}
	n := guarded(t, middleware.Config{}, l)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	g := n.register(ctx, counting, func(m *lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback {
		if m.CustomCaveatCondition == "2" && m.GetStreamAuth() != nil {
			return &lnrpc.InterceptFeedback{Error: "no streams"}
		}
		return &lnrpc.InterceptFeedback{}
	})
	watch := func(caveats ...macaroons.Caveat) (memos []string, err error) {
		s, err := lnrpc.NewLightningClient(n.dial(n.bake(macaroons.Admin, caveats...))).SubscribeInvoices(t.Context(), &lnrpc.InvoiceSubscription{})
		require.NoError(t, err)
		for {
			inv, err := s.Recv()
			if err != nil {
				return memos, err
			}
			memos = append(memos, inv.Memo)
		}
	}
	memos, err := watch(macaroons.Custom("count", "1"))
	require.Equal(t, []string{"one", "two"}, memos)
	require.ErrorContains(t, err, "over")
	require.Equal(t, []string{
		"stream SubscribeInvoices 1", "request SubscribeInvoices lnrpc.InvoiceSubscription 1",
		"response SubscribeInvoices lnrpc.Invoice 1", "response SubscribeInvoices lnrpc.Invoice 1", "response SubscribeInvoices error 1",
	}, g.seen)
	memos, err = watch(macaroons.Custom("count", "1"), macaroons.Custom("count", "2"))
	require.Empty(t, memos)
	require.ErrorContains(t, err, "no streams", "each condition is asked about")
	leave()
}

// TestMiddlewareThatOnlyLooks sees everything, may refuse, and changes nothing.
func TestMiddlewareThatOnlyLooks(t *testing.T) {
	n := guarded(t, middleware.Config{Mandatory: []string{"watcher"}}, &lightning{})
	client := lnrpc.NewLightningClient(n.dial(n.admin()))
	_, err := client.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "mandatory middleware 'watcher' is currently not registered, not allowing any RPC calls")
	_, err = lnrpc.NewStateClient(n.dial(nil)).GetState(t.Context(), &lnrpc.GetStateRequest{})
	require.NoError(t, err)

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	g := n.register(ctx, &lnrpc.MiddlewareRegistration{MiddlewareName: "watcher", ReadOnlyMode: true}, func(m *lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback {
		if m.GetRequest().GetTypeName() == "lnrpc.StopRequest" {
			return &lnrpc.InterceptFeedback{Error: "stay"}
		}
		return instead(&lnrpc.GetInfoResponse{Alias: "nobody"})
	})
	info, err := client.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	require.Equal(t, "alice", info.Alias)
	_, err = client.StopDaemon(t.Context(), &lnrpc.StopRequest{})
	require.ErrorContains(t, err, "stay")
	require.Equal(t, []string{"request GetInfo lnrpc.GetInfoRequest", "response GetInfo lnrpc.GetInfoResponse", "request StopDaemon lnrpc.StopRequest"}, g.seen)
	leave()
}

// TestMiddlewareThatDoesNotAnswer: silence is a refusal, after a time and when it goes away.
func TestMiddlewareThatDoesNotAnswer(t *testing.T) {
	for _, c := range []struct {
		timeout time.Duration
		goes    bool
		text    string
	}{{20 * time.Millisecond, false, "intercept timeout reached"}, {time.Minute, true, "interceptor RPC client quit"}} {
		n := guarded(t, middleware.Config{Timeout: c.timeout}, &lightning{})
		ctx, leave := context.WithCancel(t.Context())
		n.register(ctx, counting, func(*lnrpc.RPCMiddlewareRequest) *lnrpc.InterceptFeedback {
			if c.goes {
				leave()
			}
			return nil
		})
		_, err := lnrpc.NewLightningClient(n.dial(n.bake(macaroons.Admin, macaroons.Custom("count", "")))).GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
		require.ErrorContains(t, err, c.text)
		leave()
	}
}

// TestMiddlewareRegistrations: who may become one.
func TestMiddlewareRegistrations(t *testing.T) {
	n := guarded(t, middleware.Config{}, &lightning{})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	n.register(ctx, counting, pass)
	n.register(ctx, &lnrpc.MiddlewareRegistration{MiddlewareName: "watcher", ReadOnlyMode: true}, pass)
	n.register(ctx, &lnrpc.MiddlewareRegistration{MiddlewareName: "watcher two", ReadOnlyMode: true}, pass)
	refused := func(n *node, m *lnrpc.RPCMiddlewareResponse) string {
		s, err := lnrpc.NewLightningClient(n.dial(n.admin())).RegisterRPCMiddleware(t.Context())
		require.NoError(t, err)
		_ = s.Send(m)
		_, err = s.Recv()
		require.Error(t, err)
		return err.Error()
	}
	as := func(name, caveat string, readOnly bool) *lnrpc.RPCMiddlewareResponse {
		return &lnrpc.RPCMiddlewareResponse{MiddlewareMessage: &lnrpc.RPCMiddlewareResponse_Register{Register: &lnrpc.MiddlewareRegistration{
			MiddlewareName: name, CustomMacaroonCaveatName: caveat, ReadOnlyMode: readOnly,
		}}}
	}
	for text, m := range map[string]*lnrpc.RPCMiddlewareResponse{
		"invalid initial middleware registration message":                                                              {},
		"invalid middleware name, use descriptive name of at least 5 characters":                                       as("x", "count", false),
		"cannot set read-only and custom caveat name at the same time":                                                 as("other", "count", true),
		"need to set either custom caveat name of at least 5 characters or read-only mode":                             as("other", "cnt", false),
		"error registering middleware: a middleware with the name 'counter' is already registered":                     as("counter", "others", false),
		"error registering middleware: a middleware is already registered for the custom caveat name 'count': counter": as("other", "count", false),
	} {
		require.Contains(t, refused(n, m), text)
	}
	off := middleware.New(middleware.Config{})
	closed := start(t, &lightning{middleware: off.Serve})
	require.Contains(t, refused(closed, as("other", "others", false)), "RPC middleware not enabled in config")
	leave()
}
