package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/tlscert"
)

func hexOf(raw []byte) string { return hex.EncodeToString(raw) }

func codeOf(err error) string { return status.Code(err).String() }

// syncBuffer is a buffer that several goroutines may log to.
type syncBuffer struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.w.Write(p)
}

// logTo collects the log; it may be read once the server has stopped.
func logTo(w *bytes.Buffer) func(*Config) {
	return func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&syncBuffer{w: w}, nil)) }
}

// TestStopCutsStreamsAndLetsCallsFinish stops a server in the middle of a stream, over gRPC and over REST, and of a call.
func TestStopCutsStreamsAndLetsCallsFinish(t *testing.T) {
	inCall, finish := make(chan struct{}), make(chan struct{})
	l := &lightning{
		getInfo: func(ctx context.Context) (*lnrpc.GetInfoResponse, error) {
			close(inCall)
			<-finish
			return &lnrpc.GetInfoResponse{Alias: "finished"}, ctx.Err()
		},
		subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
			if err := out.Send(&lnrpc.Invoice{}); err != nil {
				return err
			}
			<-out.Context().Done()
			close(finish)
			return out.Context().Err()
		},
	}
	n := start(t, l)
	conn := n.dial(n.admin())
	stream, err := lnrpc.NewLightningClient(conn).SubscribeInvoices(t.Context(), &lnrpc.InvoiceSubscription{})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	info := make(chan *lnrpc.GetInfoResponse, 1)
	go func() {
		answer, _ := getInfo(conn)
		info <- answer
	}()
	<-inCall

	n.stop()
	_, err = stream.Recv()
	requireStatus(t, err, uint32(codes.Unavailable), "server exiting")
	require.Equal(t, "finished", (<-info).GetAlias())
	_, err = net.Dial("tcp", n.RPCAddrs()[0].String())
	require.Error(t, err, "nobody listens any more")
}

// TestStopIsForcedWhenTimeIsUp: a call that does not end by itself is cut.
func TestStopIsForcedWhenTimeIsUp(t *testing.T) {
	inCall := make(chan struct{})
	n := start(t, &lightning{getInfo: func(ctx context.Context) (*lnrpc.GetInfoResponse, error) {
		close(inCall)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	conn := n.dial(n.admin())
	failed := make(chan error, 1)
	go func() {
		_, err := getInfo(conn)
		failed <- err
	}()
	<-inCall
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.Stop(ctx)
	require.Error(t, <-failed)
}

func TestStopWithoutStart(t *testing.T) {
	server, err := New(Config{Certificate: certificate(t), NoMacaroons: true})
	require.NoError(t, err)
	server.Stop(t.Context())
}

func certificate(t *testing.T) *tlscert.Keeper {
	dir := t.TempDir()
	cert, err := tlscert.Open(tlscert.Config{CertPath: dir + "/c", KeyPath: dir + "/k"})
	require.NoError(t, err)
	return cert
}

func TestUnusableConfig(t *testing.T) {
	_, err := New(Config{Certificate: certificate(t)})
	require.EqualError(t, err, "make RPC server: neither macaroons nor the wish to do without")
	_, err = New(Config{NoMacaroons: true})
	require.EqualError(t, err, "make RPC server: no certificate")
}

func TestStartRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	free := []string{"127.0.0.1:0"}
	for _, tc := range []struct {
		name      string
		rpc, rest []string
		text      string
	}{
		{"RPC port taken", []string{"127.0.0.1:0", busy.Addr().String()}, free, "start RPC server: listen tcp"},
		{"REST port taken", free, []string{busy.Addr().String()}, "start REST server: listen tcp"},
		{"open to the world", []string{"0.0.0.0:0"}, nil, "authentication disabled! Refusing to start with --no-macaroons specified"},
		{"REST open to the world", free, []string{"[::]:0"}, "detected RPC server listening on publicly reachable interface"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, err := New(Config{Certificate: certificate(t), NoMacaroons: true, RPCListen: tc.rpc, RESTListen: tc.rest})
			require.NoError(t, err)
			require.ErrorContains(t, server.Start(), tc.text)
			server.Stop(t.Context())
		})
	}
}

func TestWithoutMacaroons(t *testing.T) {
	n := start(t, &lightning{}, func(c *Config) { c.NoMacaroons, c.Macaroons = true, nil })
	_, err := getInfo(n.dial(nil))
	require.NoError(t, err)
	r := n.request("GET", "/v1/getinfo", "")
	r.Header.Del("Grpc-Metadata-macaroon")
	code, _ := n.do(r)
	require.Equal(t, 200, code)
	r.Host = "evil.example"
	code, _ = n.do(r)
	require.Equal(t, 403, code)
}

// TestWithoutREST serves gRPC alone.
func TestWithoutREST(t *testing.T) {
	n := start(t, &lightning{}, func(c *Config) { c.RESTListen = nil })
	_, err := getInfo(n.dial(n.admin()))
	require.NoError(t, err)
	require.Empty(t, n.RESTAddrs())
}

// TestLateDeadline: what a client asks for in time is kept to.
func TestLateDeadline(t *testing.T) {
	n := start(t, &lightning{getInfo: func(ctx context.Context) (*lnrpc.GetInfoResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := lnrpc.NewLightningClient(n.dial(n.admin())).GetInfo(ctx, &lnrpc.GetInfoRequest{})
	require.Equal(t, codes.DeadlineExceeded.String(), codeOf(err))
}
