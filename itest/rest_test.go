package itest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// web is a client of a node's REST server, as a wallet on a phone is one.
type web struct {
	t        testing.TB
	base     string // host:port
	macaroon string // hex
	http     *http.Client
	tls      *tls.Config
}

func (n *node) web() *web {
	n.t.Helper()
	conf := &tls.Config{RootCAs: n.certificate()}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
	n.t.Cleanup(c.CloseIdleConnections)
	return &web{t: n.t, base: n.rest, macaroon: hex.EncodeToString(n.macaroon("admin")), http: c, tls: conf}
}

// do makes a call and gives the status and the open body.
func (w *web) do(method, path string, body any) *http.Response {
	w.t.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		require.NoError(w.t, err)
	}
	req, err := http.NewRequestWithContext(soon(w.t), method, "https://"+w.base+path, bytes.NewReader(text))
	require.NoError(w.t, err)
	if w.macaroon != "" {
		req.Header.Set("Grpc-Metadata-macaroon", w.macaroon)
	}
	resp, err := w.http.Do(req)
	require.NoError(w.t, err)
	return resp
}

// call makes a call that must succeed and reads its answer.
func (w *web) call(answer any, method, path string, body any) {
	w.t.Helper()
	resp := w.do(method, path, body)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, resp.StatusCode, "%s %s: %s", method, path, text)
	if answer != nil {
		require.NoError(w.t, json.Unmarshal(text, answer), string(text))
	}
}

// refused makes a call that must fail, and gives the words.
func (w *web) refused(method, path string, body any) string {
	w.t.Helper()
	resp := w.do(method, path, body)
	defer resp.Body.Close()
	var answer struct {
		Message string `json:"message"`
	}
	require.NotEqual(w.t, http.StatusOK, resp.StatusCode)
	require.NoError(w.t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Message
}

// lines makes a call whose answer is a stream of lines, and reads them all.
func (w *web) lines(method, path string, body any) (lines []string) {
	w.t.Helper()
	resp := w.do(method, path, body)
	defer resp.Body.Close()
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	for r := bufio.NewReader(resp.Body); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			require.Empty(w.t, line, "the stream must end with a newline")
			return lines
		}
		require.NoError(w.t, err)
		lines = append(lines, line)
	}
}

// streamed is one line of a stream.
type streamed[T any] struct {
	Result *T `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// socket opens a WebSocket and sends its first message.
func (w *web) socket(ctx context.Context, path string, first any) *websocket.Conn {
	w.t.Helper()
	d := websocket.Dialer{TLSClientConfig: w.tls}
	conn, resp, err := d.DialContext(ctx, "wss://"+w.base+path, http.Header{"Grpc-Metadata-Macaroon": {w.macaroon}})
	require.NoError(w.t, err)
	resp.Body.Close()
	w.t.Cleanup(func() { conn.Close() })
	require.NoError(w.t, conn.WriteJSON(first))
	return conn
}
