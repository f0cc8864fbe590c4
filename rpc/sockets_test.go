package rpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// socket opens a WebSocket; the header may be nil.
func (n *node) socket(path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: n.roots}}
	conn, answer, err := dialer.Dial("wss://"+n.RESTAddrs()[0].String()+path, header)
	if err == nil {
		n.t.Cleanup(func() { conn.Close() })
	}
	return conn, answer, err
}

func (n *node) withMacaroon() http.Header {
	return http.Header{"Grpc-Metadata-Macaroon": {hex.EncodeToString(n.admin())}}
}

// message reads one message as JSON.
func message(t *testing.T, conn *websocket.Conn) map[string]any {
	kind, text, err := conn.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, websocket.TextMessage, kind)
	return decode(t, string(text))
}

// twoInvoices sends two invoices whose memo is the subscription's index, then ends.
func twoInvoices(in *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
	for i := range uint64(2) {
		if err := out.Send(&lnrpc.Invoice{AddIndex: in.AddIndex + i}); err != nil {
			return err
		}
	}
	return nil
}

func TestSocketOfAStream(t *testing.T) {
	n := start(t, &lightning{subscribe: twoInvoices})
	conn, _, err := n.socket("/v1/invoices/subscribe?add_index=5", n.withMacaroon())
	require.NoError(t, err)
	for _, want := range []string{"5", "6"} {
		require.Equal(t, want, message(t, conn)["result"].(map[string]any)["add_index"])
	}
	_, _, err = conn.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
}

// TestSocketWithBody sends the request as the first message; further ones are ignored.
func TestSocketWithBody(t *testing.T) {
	n := start(t, &lightning{})
	conn, _, err := n.socket("/v2/router/send?method=POST", n.withMacaroon())
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"payment_request":"lnbcrt"}`)))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"ignored":true}`)))
	require.Equal(t, "lnbcrt", message(t, conn)["result"].(map[string]any)["payment_request"])
	require.Equal(t, "gone wrong", message(t, conn)["error"].(map[string]any)["message"])
}

func TestSocketOfASingleCall(t *testing.T) {
	n := start(t, &lightning{})
	conn, _, err := n.socket("/v1/invoices?method=POST", n.withMacaroon())
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, []byte(`{"memo":"hello"}`)))
	require.Equal(t, "hello", message(t, conn)["payment_request"])
}

// TestSocketMacaroon: in the header, or as a browser has to send it.
func TestSocketMacaroon(t *testing.T) {
	n := start(t, &lightning{subscribe: twoInvoices})
	self := "https://" + n.RESTAddrs()[0].String()
	text := hex.EncodeToString(n.admin())
	for _, tc := range []struct {
		name     string
		header   http.Header
		protocol string // that the server accepts
		ok       bool
	}{
		{"header", n.withMacaroon(), "", true},
		{"protocol", http.Header{"Sec-Websocket-Protocol": {"Grpc-Metadata-Macaroon+" + text}}, "Grpc-Metadata-Macaroon+" + text, true},
		{"protocol, lower case", http.Header{"Sec-Websocket-Protocol": {"grpc-metadata-macaroon+" + text}}, "grpc-metadata-macaroon+" + text, true},
		{"one protocol of several", http.Header{"Sec-Websocket-Protocol": {"x, Grpc-Metadata-Macaroon+" + text}}, "Grpc-Metadata-Macaroon+" + text, true},
		{"browser", http.Header{"Sec-Websocket-Protocol": {"Grpc-Metadata-Macaroon+" + text}, "Origin": {self}}, "Grpc-Metadata-Macaroon+" + text, true},
		{"none", nil, "", false},
		{"empty protocol", http.Header{"Sec-Websocket-Protocol": {"Grpc-Metadata-Macaroon+"}}, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn, answer, err := n.socket("/v1/invoices/subscribe", tc.header)
			require.NoError(t, err)
			require.Equal(t, tc.protocol, answer.Header.Get("Sec-Websocket-Protocol"))
			first := message(t, conn)
			if tc.ok {
				require.Contains(t, first, "result")
				return
			}
			require.Equal(t, "expected 1 macaroon, got 0", first["error"].(map[string]any)["message"])
		})
	}
}

// TestSocketOfAStranger is refused at once: its first message is not waited for.
func TestSocketOfAStranger(t *testing.T) {
	n := start(t, &lightning{})
	for _, header := range []http.Header{nil, {headerMacaroon: {""}}, {headerMacaroon: {"00"}}} {
		conn, _, err := n.socket("/v1/invoices?method=POST", header)
		require.NoError(t, err)
		require.Contains(t, message(t, conn)["message"], "macaroon")
		_, _, err = conn.ReadMessage()
		require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
	}
}

// TestSocketOfAForeignPage is refused, macaroon or not, before it is opened.
func TestSocketOfAForeignPage(t *testing.T) {
	n := start(t, &lightning{subscribe: twoInvoices}, func(c *Config) { c.CORS = []string{"https://good.example"} })
	for origin, ok := range map[string]bool{"https://evil.example": false, "https://good.example": true} {
		header := n.withMacaroon()
		header.Set("Origin", origin)
		conn, answer, err := n.socket("/v1/invoices/subscribe", header)
		if ok {
			require.NoError(t, err)
			require.Contains(t, message(t, conn), "result")
			continue
		}
		require.Error(t, err)
		require.Equal(t, 403, answer.StatusCode)
	}
	_, answer, err := n.socket("/v1/state/subscribe", http.Header{"Origin": {"https://rebound.example"}, "Host": {"rebound.example"}})
	require.Error(t, err)
	require.Equal(t, 403, answer.StatusCode)
}

// TestSocketMessageTooLong is cut off.
func TestSocketMessageTooLong(t *testing.T) {
	n := start(t, &lightning{})
	conn, _, err := n.socket("/v1/invoices?method=POST", n.withMacaroon())
	require.NoError(t, err)
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"memo":"`+strings.Repeat("x", maxMessage)+`"}`)) // may be cut off already
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	require.False(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)
}

// TestSocketEndsWithItsClient: when the client goes, the call behind it ends.
func TestSocketEndsWithItsClient(t *testing.T) {
	ended := make(chan struct{})
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		if err := out.Send(&lnrpc.Invoice{}); err != nil {
			return err
		}
		<-out.Context().Done()
		close(ended)
		return out.Context().Err()
	}})
	conn, _, err := n.socket("/v1/invoices/subscribe", n.withMacaroon())
	require.NoError(t, err)
	message(t, conn)
	require.NoError(t, conn.Close())
	<-ended
}

// TestSocketPings: a client that answers stays, one that does not is cut off.
func TestSocketPings(t *testing.T) {
	patient := func(wait time.Duration) *node {
		return start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
			<-out.Context().Done()
			return out.Context().Err()
		}}, func(c *Config) { c.PingInterval, c.PongWait = 5*time.Millisecond, wait })
	}
	n := patient(time.Minute) // it may take a while until a client has its turn

	good, _, err := n.socket("/v1/invoices/subscribe", n.withMacaroon())
	require.NoError(t, err)
	pings := make(chan string, 100)
	good.SetPingHandler(func(text string) error {
		select {
		case pings <- text:
		default:
		}
		return good.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Minute))
	})
	go func() { _, _, _ = good.ReadMessage() }()
	for range 10 {
		require.Equal(t, "are you there?", <-pings)
	}

	n = patient(50 * time.Millisecond)
	silent, _, err := n.socket("/v1/invoices/subscribe", n.withMacaroon())
	require.NoError(t, err)
	silent.SetPingHandler(func(string) error { return nil })
	for err == nil {
		_, _, err = silent.ReadMessage()
	}
	require.Error(t, err)
}

// TestSocketsCloseWithTheServer: Stop ends open WebSockets, also of a client that takes nothing.
func TestSocketsCloseWithTheServer(t *testing.T) {
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		for {
			if err := out.Send(&lnrpc.Invoice{Memo: strings.Repeat("x", 1<<20)}); err != nil {
				return err
			}
		}
	}})
	conn, _, err := n.socket("/v1/invoices/subscribe", n.withMacaroon())
	require.NoError(t, err)
	message(t, conn)
	n.stop()
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
}

func anybody(*http.Request) (leave func(), err error) { return func() {}, nil }

// TestSocketOfAClientStream passes every message on, for paths that say so.
func TestSocketOfAClientStream(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "%s %s\n", r.Method, lines.Text())
		}
	})
	s := newSockets(Config{Log: slog.New(slog.DiscardHandler)}, ctx, anybody, echo)
	s.clientStreams = []string{"/v1/channels/acceptor"}
	server := httptest.NewServer(s)
	defer server.Close()
	url := "ws" + strings.TrimPrefix(server.URL, "http") + "/v1/channels/acceptor?method=POST"
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	require.NoError(t, err)
	defer conn.Close()
	for _, text := range []string{"one", "two", "three"} {
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(text)))
		_, answer, err := conn.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, "POST "+text, string(answer))
	}
	cancel()
	s.wait()
}

// TestSocketWithoutHandshake is an ordinary failure.
func TestSocketWithoutHandshake(t *testing.T) {
	n := start(t, &lightning{})
	r := n.request("GET", "/v1/getinfo", "")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	status, _ := n.do(r)
	require.Equal(t, http.StatusBadRequest, status)
}
