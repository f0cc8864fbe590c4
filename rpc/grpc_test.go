package rpc

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

func getInfo(conn *grpc.ClientConn) (*lnrpc.GetInfoResponse, error) {
	return lnrpc.NewLightningClient(conn).GetInfo(context.Background(), &lnrpc.GetInfoRequest{})
}

func TestCallWithMacaroonOverTLS(t *testing.T) {
	n := start(t, &lightning{})
	info, err := getInfo(n.dial(n.admin()))
	require.NoError(t, err)
	require.Equal(t, "alice", info.Alias)
}

// TestRefusedMacaroons compares the texts and the code with lnd's.
func TestRefusedMacaroons(t *testing.T) {
	n := start(t, &lightning{})
	past := macaroons.ExpiresAt(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC))
	for _, tc := range []struct {
		name     string
		macaroon []byte
		text     string
	}{
		{"missing", nil, "expected 1 macaroon, got 0"},
		{"empty", []byte{}, "empty macaroon data"},
		{"garbage", []byte("garbage"), "cannot determine data format of binary-encoded macaroon"},
		{"expired", n.bake(macaroons.Admin, past), `caveat "time-before 2020-01-02T03:04:05Z" not satisfied: macaroon has expired`},
		{"other address", n.bake(macaroons.Admin, macaroons.OnlyFrom(netip.MustParseAddr("1.1.1.1"))), `caveat "ipaddr 1.1.1.1" not satisfied: macaroon locked to different IP address`},
		{"no right", n.bake(macaroons.Invoice), "permission denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := getInfo(n.dial(tc.macaroon))
			requireStatus(t, err, uint32(codes.Unknown), tc.text)
		})
	}
	_, err := getInfo(n.dial(n.bake(macaroons.Admin, macaroons.OnlyFrom(netip.MustParseAddr("127.0.0.1")))))
	require.NoError(t, err)
	_, err = getInfo(n.dial(n.bake([]macaroons.Op{{Entity: "uri", Action: lnrpc.Lightning_GetInfo_FullMethodName}})))
	require.NoError(t, err)
}

func TestOddMetadata(t *testing.T) {
	n := start(t, &lightning{})
	client := lnrpc.NewLightningClient(n.dial(nil))
	for text, values := range map[string][]string{
		"expected 1 macaroon, got 2":                         {"macaroon", "00", "macaroon", "00"},
		"encoding/hex: invalid byte: U+007A 'z'":             {"macaroon", "zz"},
		"encoding/hex: odd length hex string":                {"macaroon", "0"},
		"expected 1 macaroon, got 0":                         {"authorization", "Bearer x"},
		"macaroon of 16385 bytes is too long: at most 16384": {"macaroon", strings.Repeat("00", 16385)},
	} {
		_, err := client.GetInfo(metadata.AppendToOutgoingContext(t.Context(), values...), &lnrpc.GetInfoRequest{})
		requireStatus(t, err, uint32(codes.Unknown), text)
	}
}

// TestClientCannotClaimAnAddress: only the REST gateway inside the process is believed.
func TestClientCannotClaimAnAddress(t *testing.T) {
	n := start(t, &lightning{})
	locked := n.bake(macaroons.Admin, macaroons.OnlyFrom(netip.MustParseAddr("1.1.1.1")))
	client := lnrpc.NewLightningClient(n.dial(locked))
	ctx := metadata.AppendToOutgoingContext(t.Context(), mdClient, "1.1.1.1:5", "x-forwarded-for", "1.1.1.1")
	_, err := client.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	requireStatus(t, err, uint32(codes.Unknown), `caveat "ipaddr 1.1.1.1" not satisfied: macaroon locked to different IP address`)

	r := n.request("GET", "/v1/getinfo", "")
	r.Header.Set("Grpc-Metadata-macaroon", hexOf(locked))
	r.Header.Set("Grpc-Metadata-Fulgur-Client", "1.1.1.1:5")
	r.Header.Set("X-Forwarded-For", "1.1.1.1")
	_, body := n.do(r)
	require.Contains(t, body, "macaroon locked to different IP address")
}

// TestUnknownMethodsAnswerAsGRPCDoes compares texts that client libraries look for.
func TestUnknownMethodsAnswerAsGRPCDoes(t *testing.T) {
	n := start(t, &lightning{})
	conn := n.dial(n.admin())
	for method, text := range map[string]string{
		"/lnrpc.Lightning/SendPaymentSync":               "unknown method SendPaymentSync for service lnrpc.Lightning",
		"/wtclientrpc.WatchtowerClient/ListTowers":       "unknown service wtclientrpc.WatchtowerClient",
		"/chainrpc.ChainNotifier/RegisterBlockEpochNtfn": "unknown service chainrpc.ChainNotifier", // not provided
	} {
		err := conn.Invoke(t.Context(), method, &lnrpc.GetInfoRequest{}, &lnrpc.GetInfoResponse{})
		requireStatus(t, err, uint32(codes.Unimplemented), text)
	}
}

// TestRefusedBeforeTheRequestIsRead sends more than is allowed: a stranger learns only that a macaroon is missing.
func TestRefusedBeforeTheRequestIsRead(t *testing.T) {
	n := start(t, &lightning{})
	big := &lnrpc.Invoice{Memo: strings.Repeat("x", maxRequest+1)}
	_, err := lnrpc.NewLightningClient(n.dial(nil)).AddInvoice(t.Context(), big)
	requireStatus(t, err, uint32(codes.Unknown), "expected 1 macaroon, got 0")
	_, err = lnrpc.NewLightningClient(n.dial(n.admin())).AddInvoice(t.Context(), big)
	require.Equal(t, codes.ResourceExhausted.String(), codeOf(err))

	big.Memo = strings.Repeat("x", maxRequest-100)
	answer, err := lnrpc.NewLightningClient(n.dial(n.admin(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))).AddInvoice(t.Context(), big)
	require.NoError(t, err)
	require.Len(t, answer.PaymentRequest, maxRequest-100)
}

func TestPanicIsOneFailedCall(t *testing.T) {
	var log bytes.Buffer
	panics := true
	l := &lightning{getInfo: func(context.Context) (*lnrpc.GetInfoResponse, error) {
		if panics {
			panic("a secret")
		}
		return &lnrpc.GetInfoResponse{}, nil
	}}
	n := start(t, l, logTo(&log))
	conn := n.dial(n.admin())
	_, err := getInfo(conn)
	requireStatus(t, err, uint32(codes.Internal), "internal error")
	panics = false
	_, err = getInfo(conn)
	require.NoError(t, err)
	n.stop()
	require.Contains(t, log.String(), "a secret")
}

func TestFailureOfAServiceIsUnknown(t *testing.T) {
	n := start(t, &lightning{})
	_, err := lnrpc.NewLightningClient(n.dial(n.admin())).LookupInvoice(t.Context(), &lnrpc.PaymentHash{})
	requireStatus(t, err, uint32(codes.Unknown), "unexpected EOF")
	_, err = lnrpc.NewLightningClient(n.dial(n.admin())).FeeReport(t.Context(), &lnrpc.FeeReportRequest{})
	requireStatus(t, err, uint32(codes.Unimplemented), "method FeeReport not implemented")
}

// TestRequestThatNeverComes half-closes a call without its one request.
func TestRequestThatNeverComes(t *testing.T) {
	n := start(t, &lightning{})
	stream, err := n.dial(n.admin()).NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, lnrpc.Lightning_GetInfo_FullMethodName)
	require.NoError(t, err)
	require.NoError(t, stream.CloseSend())
	requireStatus(t, stream.RecvMsg(&lnrpc.GetInfoResponse{}), uint32(codes.Internal), "cardinality violation: received no request message from non-client-streaming RPC")
}

func TestStream(t *testing.T) {
	n := start(t, &lightning{subscribe: func(in *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		for i := range in.AddIndex {
			if err := out.Send(&lnrpc.Invoice{AddIndex: i}); err != nil {
				return err
			}
		}
		return nil
	}})
	stream, err := lnrpc.NewLightningClient(n.dial(n.admin())).SubscribeInvoices(t.Context(), &lnrpc.InvoiceSubscription{AddIndex: 3})
	require.NoError(t, err)
	for i := range uint64(3) {
		invoice, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, i, invoice.AddIndex)
	}
	_, err = stream.Recv()
	require.EqualError(t, err, "EOF")
}

func TestProvide(t *testing.T) {
	n := starting(t)
	require.ErrorContains(t, n.Provide(&lnrpc.Lightning_ServiceDesc, unlocker{}), "provide lnrpc.Lightning: rpc.unlocker is not a lnrpc.LightningServer")
	require.ErrorContains(t, n.Provide(&lnrpc.Lightning_ServiceDesc, nil), "provide lnrpc.Lightning: <nil> is not a")
	require.NoError(t, n.Provide(&lnrpc.Lightning_ServiceDesc, &lightning{}))
	require.EqualError(t, n.Provide(&lnrpc.Lightning_ServiceDesc, &lightning{}), "provide lnrpc.Lightning: provided already")
	require.EqualError(t, n.Provide(&grpc.ServiceDesc{ServiceName: "x.Y"}, 1), "provide x.Y: not one of the services")
	require.Error(t, n.Provide(&lnrpc.State_ServiceDesc, &stateService{}), "State is the server's own")
}
