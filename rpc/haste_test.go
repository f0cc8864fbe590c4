package rpc

import (
	"bufio"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// raw opens a TLS connection to the REST server.
func (n *node) raw() *tls.Conn {
	conn, err := tls.Dial("tcp", n.RESTAddrs()[0].String(), &tls.Config{RootCAs: n.roots})
	require.NoError(n.t, err)
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

// TestBodyThatDoesNotCome: the connection does not wait for it, whoever asks.
func TestBodyThatDoesNotCome(t *testing.T) {
	n := start(t, &lightning{}, func(c *Config) { c.bodyTime, c.strangerTime = 20*time.Millisecond, 20*time.Millisecond })
	admin := "Grpc-Metadata-macaroon: " + hex.EncodeToString(n.admin()) + "\r\n"
	for name, tc := range map[string]struct {
		header string
		status int
	}{
		"stranger":          {"Content-Length: 1000\r\n", 500},
		"stranger, chunked": {"Transfer-Encoding: chunked\r\n", 500},
		"known":             {admin + "Content-Length: 1000\r\n", 400},
		"known, chunked":    {admin + "Transfer-Encoding: chunked\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn := n.raw()
			_, err := fmt.Fprintf(conn, "POST /v1/invoices HTTP/1.1\r\nHost: localhost\r\n%s\r\n", tc.header)
			require.NoError(t, err)
			r := bufio.NewReader(conn)
			answer, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, tc.status, answer.StatusCode)
			_, err = io.Copy(io.Discard, answer.Body)
			require.NoError(t, err)
			_, err = r.ReadByte()
			require.Error(t, err, "the connection ends")
		})
	}
}

// TestHeaderThatDoesNotEnd: nor for the rest of a handshake or of a header.
func TestHeaderThatDoesNotEnd(t *testing.T) {
	n := start(t, &lightning{}, func(c *Config) { c.headerTime = 200 * time.Millisecond })
	for _, words := range []string{"", "POST /v1/invoices HTTP/1.1\r\nHost: localhost\r\nX: "} {
		plain, err := net.Dial("tcp", n.RESTAddrs()[0].String())
		require.NoError(t, err)
		defer plain.Close()
		if words == "" {
			_, _ = io.Copy(io.Discard, plain) // cut off, with or without a word
			continue
		}
		conn := tls.Client(plain, &tls.Config{RootCAs: n.roots, ServerName: "localhost"})
		_, _ = io.WriteString(conn, words) // on a slow machine already the handshake may be cut off
		_, _ = io.Copy(io.Discard, conn)
	}
}

// TestStreamOutlivesTheTimeOfItsBody: what is bounded is the body, not the answer.
func TestStreamOutlivesTheTimeOfItsBody(t *testing.T) {
	const times = 3
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		for range times {
			select {
			case <-out.Context().Done():
				return out.Context().Err()
			case <-time.After(400 * time.Millisecond): // together longer than for the body
			}
			if err := out.Send(&lnrpc.Invoice{}); err != nil {
				return err
			}
		}
		return nil
	}}, func(c *Config) { c.bodyTime = time.Second })
	code, body := n.do(n.request("GET", "/v1/invoices/subscribe", "ignored"))
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, times, strings.Count(body, "\n"))
}

// TestReaderThatTakesNothing: the call behind an answer that nobody takes ends.
func TestReaderThatTakesNothing(t *testing.T) {
	ended := make(chan struct{})
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		defer close(ended)
		for {
			if err := out.Send(&lnrpc.Invoice{Memo: strings.Repeat("x", 1<<20)}); err != nil {
				return err
			}
		}
	}}, func(c *Config) { c.answerTime = 50 * time.Millisecond })
	conn := n.raw()
	_, err := fmt.Fprintf(conn, "GET /v1/invoices/subscribe HTTP/1.1\r\nHost: localhost\r\nGrpc-Metadata-macaroon: %s\r\n\r\n", hex.EncodeToString(n.admin()))
	require.NoError(t, err)
	<-ended
}

// TestRoomForConnections: who shows no macaroon makes room, the oldest first; who did stays.
func TestRoomForConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	all := newConns(3)
	counted := all.listen(l)
	dial := func() (client, server net.Conn) {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { client.Close() })
		server, err = counted.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { server.Close() })
		return client, server
	}
	closed := func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
	}
	first, _ := dial()
	all.known(first.LocalAddr().String(), "one")
	second, _ := dial()
	third, _ := dial()
	fourth, _ := dial()
	closed(second)
	require.Equal(t, 3, all.count)
	for i, c := range []net.Conn{third, fourth} {
		all.known(c.LocalAddr().String(), strconv.Itoa(i))
	}
	accepted := make(chan net.Conn)
	go func() {
		c, err := counted.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	fifth, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer fifth.Close()
	closed(fifth)
	require.Equal(t, 3, all.count)
	l.Close()
	require.Nil(t, <-accepted)
	for _, list := range all.open {
		for _, c := range list {
			defer c.Close()
		}
	}
}

// TestRoomBesideOneCaller: who holds many connections with a macaroon keeps nobody out either.
func TestRoomBesideOneCaller(t *testing.T) {
	all := newConns(8)
	open := func(n int) *conn {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		in, out := all.add(from{near, strconv.Itoa(n)})
		if out != nil {
			require.NoError(t, out.Close())
		}
		require.NotNil(t, in)
		return in
	}
	var first []*conn
	for n := range 100 {
		first = append(first, open(n))
		all.known(strconv.Itoa(n), "many")
		all.known(strconv.Itoa(n), "many")
	}
	require.Equal(t, map[string]int{"many": 2}, all.callers)
	require.False(t, first[1].gone)
	other := open(100)
	all.known("100", "another")
	for n := range 100 {
		open(200 + n)
		all.known(strconv.Itoa(200+n), "many")
	}
	require.False(t, other.gone)
	require.Equal(t, 8, all.count)
	require.NoError(t, first[0].Close())
	require.NoError(t, other.Close())
	require.Equal(t, map[string]int{"many": 1}, all.callers)
	require.Equal(t, 6, all.count)
	require.Equal(t, 5, all.strangers.Len())
}

// from is a connection whose client has this address.
type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr { return f }
func (f from) Network() string      { return "test" }
func (f from) String() string       { return f.addr }

// TestClosedConnectionsAreForgotten: both servers count what is open, no more.
func TestClosedConnectionsAreForgotten(t *testing.T) {
	n := start(t, &lightning{})
	for range 10 {
		n.do(n.request("GET", "/v1/getinfo", ""))
		n.client.CloseIdleConnections()
		conn := n.dial(n.admin())
		_, err := lnrpc.NewLightningClient(conn).GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	n.stop()
	for _, all := range []*conns{n.grpcConns, n.restConns} { // whoever closes one first may be about to
		require.Eventually(t, func() bool {
			all.mu.Lock()
			defer all.mu.Unlock()
			return all.count == 0 && len(all.open) == 0 && all.strangers.Len() == 0 && len(all.callers) == 0
		}, time.Minute, time.Millisecond)
	}
}

// TestSocketsOfACaller are bounded from the moment they open, with or without a first message.
func TestSocketsOfACaller(t *testing.T) {
	n := start(t, &lightning{subscribe: twoInvoices})
	admin := n.admin()
	header := http.Header{headerMacaroon: {hex.EncodeToString(admin)}}
	token, err := n.bakery.Verify(admin, addrOf("127.0.0.1:1"))
	require.NoError(t, err)
	var leave func()
	for range maxCalls {
		leave, err = n.limits.enter("sockets of " + token.Name)
		require.NoError(t, err)
	}
	_, answer, err := n.socket("/v1/invoices/subscribe", header)
	require.Error(t, err)
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	leave()
	conn, _, err := n.socket("/v1/invoices/subscribe", header)
	require.NoError(t, err)
	require.Contains(t, message(t, conn), "result")
}
