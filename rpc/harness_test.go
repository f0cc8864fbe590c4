package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/tlscert"
)

// TestMain also checks that no test leaves a goroutine behind: everything ends with Stop.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is a running server with its certificate and macaroons.
type node struct {
	*Server
	t      testing.TB
	bakery *macaroons.Bakery
	roots  *x509.CertPool
	client *http.Client
}

// lightning answers some methods of the main service.
type lightning struct {
	lnrpc.UnimplementedLightningServer
	getInfo      func(context.Context) (*lnrpc.GetInfoResponse, error)
	listChannels func(*lnrpc.ListChannelsRequest) (*lnrpc.ListChannelsResponse, error)
	middleware   func(lnrpc.Lightning_RegisterRPCMiddlewareServer) error
	subscribe    func(*lnrpc.InvoiceSubscription, grpc.ServerStreamingServer[lnrpc.Invoice]) error
}

func (l *lightning) GetInfo(ctx context.Context, _ *lnrpc.GetInfoRequest) (*lnrpc.GetInfoResponse, error) {
	if l.getInfo != nil {
		return l.getInfo(ctx)
	}
	return &lnrpc.GetInfoResponse{Alias: "alice", BestHeaderTimestamp: 1700000000, BlockHeight: 7}, nil
}

func (l *lightning) RegisterRPCMiddleware(stream lnrpc.Lightning_RegisterRPCMiddlewareServer) error {
	return l.middleware(stream)
}

func (l *lightning) AddInvoice(_ context.Context, in *lnrpc.Invoice) (*lnrpc.AddInvoiceResponse, error) {
	return &lnrpc.AddInvoiceResponse{RHash: in.RPreimage, PaymentRequest: in.Memo, AddIndex: uint64(in.Value)}, nil
}

func (l *lightning) LookupInvoice(_ context.Context, in *lnrpc.PaymentHash) (*lnrpc.Invoice, error) {
	if in.RHashStr == "" {
		return nil, io.ErrUnexpectedEOF
	}
	return &lnrpc.Invoice{Memo: in.RHashStr}, nil
}

func (l *lightning) ListChannels(_ context.Context, in *lnrpc.ListChannelsRequest) (*lnrpc.ListChannelsResponse, error) {
	return l.listChannels(in)
}

func (l *lightning) StopDaemon(context.Context, *lnrpc.StopRequest) (*lnrpc.StopResponse, error) {
	return &lnrpc.StopResponse{Status: "stopping"}, nil
}

func (l *lightning) SubscribeInvoices(in *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
	return l.subscribe(in, out)
}

// unlocker answers GenSeed with the length of the passphrase.
type unlocker struct {
	lnrpc.UnimplementedWalletUnlockerServer
}

func (unlocker) GenSeed(_ context.Context, in *lnrpc.GenSeedRequest) (*lnrpc.GenSeedResponse, error) {
	return &lnrpc.GenSeedResponse{CipherSeedMnemonic: []string{string(in.AezeedPassphrase)}}, nil
}

func (unlocker) UnlockWallet(ctx context.Context, in *lnrpc.UnlockWalletRequest) (*lnrpc.UnlockWalletResponse, error) {
	if string(in.WalletPassword) == "where from?" {
		return nil, errors.New(macaroons.ClientFrom(ctx).String())
	}
	return &lnrpc.UnlockWalletResponse{}, nil
}

// invoices echoes the hash of the subscription.
type invoices struct {
	invoicesrpc.UnimplementedInvoicesServer
}

func (invoices) SubscribeSingleInvoice(in *invoicesrpc.SubscribeSingleInvoiceRequest, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
	return out.Send(&lnrpc.Invoice{RHash: in.RHash})
}

// router sends one update and then the error that the payment request names.
type router struct {
	routerrpc.UnimplementedRouterServer
}

func (router) SendPaymentV2(in *routerrpc.SendPaymentRequest, out grpc.ServerStreamingServer[lnrpc.Payment]) error {
	if err := out.Send(&lnrpc.Payment{Status: lnrpc.Payment_IN_FLIGHT, PaymentRequest: in.PaymentRequest}); err != nil {
		return err
	}
	return status.Error(5, "gone wrong")
}

func (router) TrackPaymentV2(*routerrpc.TrackPaymentRequest, grpc.ServerStreamingServer[lnrpc.Payment]) error {
	return status.Error(5, "payment isn't initiated")
}

// start runs a server on free ports of the loopback, with every service provided and active.
func start(t testing.TB, l *lightning, change ...func(*Config)) *node {
	n := starting(t, change...)
	n.provide(l)
	require.NoError(t, n.SetState(lnrpc.WalletState_SERVER_ACTIVE))
	return n
}

func (n *node) provide(l *lightning) {
	require.NoError(n.t, n.Provide(&lnrpc.Lightning_ServiceDesc, l))
	require.NoError(n.t, n.Provide(&lnrpc.WalletUnlocker_ServiceDesc, unlocker{}))
	require.NoError(n.t, n.Provide(&invoicesrpc.Invoices_ServiceDesc, invoices{}))
	require.NoError(n.t, n.Provide(&routerrpc.Router_ServiceDesc, router{}))
}

// starting runs a server whose services are not provided yet.
func starting(t testing.TB, change ...func(*Config)) *node {
	dir := t.TempDir()
	cert, err := tlscert.Open(tlscert.Config{
		CertPath: filepath.Join(dir, "tls.cert"), KeyPath: filepath.Join(dir, "tls.key"), Names: []string{"node.example"},
	})
	require.NoError(t, err)
	store, err := macaroons.Open(filepath.Join(dir, "m.db"), macaroons.Options{ScryptLogN: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, store.Unlock([]byte("password")))
	bakery := macaroons.NewBakery(store)
	pem, err := os.ReadFile(filepath.Join(dir, "tls.cert"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))

	cfg := Config{RPCListen: []string{"127.0.0.1:0"}, RESTListen: []string{"127.0.0.1:0"}, Certificate: cert, Macaroons: bakery}
	for _, c := range change {
		c(&cfg)
	}
	server, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, server.Start())
	n := &node{Server: server, t: t, bakery: bakery, roots: roots}
	n.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(func() {
		n.client.CloseIdleConnections()
		n.stop()
	})
	return n
}

// stop stops the server; a second call does nothing.
func (n *node) stop() {
	if n.life.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n.Stop(ctx)
	require.NoError(n.t, ctx.Err(), "Stop had to be forced")
}

// bake makes a macaroon with the given rights and caveats.
func (n *node) bake(ops []macaroons.Op, caveats ...macaroons.Caveat) []byte {
	raw, err := n.bakery.Bake(macaroons.DefaultKey, ops)
	require.NoError(n.t, err)
	raw, err = macaroons.Restrict(raw, caveats...)
	require.NoError(n.t, err)
	return raw
}

func (n *node) admin() []byte { return n.bake(macaroons.Admin) }

// dial connects a gRPC client over TLS; nil sends no macaroon.
func (n *node) dial(macaroon []byte, opts ...grpc.DialOption) *grpc.ClientConn {
	opts = append(opts, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(n.roots, "localhost")))
	if macaroon != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(macaroons.Credential(macaroon)))
	}
	conn, err := grpc.NewClient(n.RPCAddrs()[0].String(), opts...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

// request makes a REST request with the admin macaroon.
func (n *node) request(method, path, body string) *http.Request {
	r, err := http.NewRequestWithContext(n.t.Context(), method, "https://"+n.RESTAddrs()[0].String()+path, strings.NewReader(body))
	require.NoError(n.t, err)
	r.Header.Set("Grpc-Metadata-macaroon", hex.EncodeToString(n.admin()))
	return r
}

// do sends a REST request and returns the status and the body.
func (n *node) do(r *http.Request) (int, string) {
	answer, err := n.client.Do(r)
	require.NoError(n.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(n.t, err)
	return answer.StatusCode, string(body)
}

// requireStatus checks the code and the text of a gRPC error.
func requireStatus(t testing.TB, err error, code uint32, text string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, text, status.Convert(err).Message())
	require.Equal(t, code, uint32(status.Code(err)))
}
