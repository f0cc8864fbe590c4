package rig

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

// Web is a client of a node's REST server, as a wallet on a phone is one.
type Web struct {
	T        testing.TB
	Base     string // host:port
	Macaroon string // hex
	HTTP     *http.Client
	TLS      *tls.Config
}

// Web is a client with the admin macaroon.
func (n *Node) Web() *Web {
	n.T.Helper()
	conf := &tls.Config{RootCAs: n.Certificate()}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
	n.T.Cleanup(c.CloseIdleConnections)
	return &Web{T: n.T, Base: n.REST, Macaroon: hex.EncodeToString(n.Macaroon("admin")), HTTP: c, TLS: conf}
}

// Do makes a call and gives the status and the open body.
func (w *Web) Do(method, path string, body any) *http.Response {
	w.T.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		require.NoError(w.T, err)
	}
	req, err := http.NewRequestWithContext(Soon(w.T), method, "https://"+w.Base+path, bytes.NewReader(text))
	require.NoError(w.T, err)
	if w.Macaroon != "" {
		req.Header.Set("Grpc-Metadata-macaroon", w.Macaroon)
	}
	resp, err := w.HTTP.Do(req)
	require.NoError(w.T, err)
	return resp
}

// Call makes a call that must succeed and reads its answer.
func (w *Web) Call(answer any, method, path string, body any) {
	w.T.Helper()
	resp := w.Do(method, path, body)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(w.T, err)
	require.Equal(w.T, http.StatusOK, resp.StatusCode, "%s %s: %s", method, path, text)
	if answer != nil {
		require.NoError(w.T, json.Unmarshal(text, answer), string(text))
	}
}

// Refused makes a call that must fail, and gives the words.
func (w *Web) Refused(method, path string, body any) string {
	w.T.Helper()
	resp := w.Do(method, path, body)
	defer resp.Body.Close()
	var answer struct {
		Message string `json:"message"`
	}
	require.NotEqual(w.T, http.StatusOK, resp.StatusCode)
	require.NoError(w.T, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Message
}

// Lines makes a call whose answer is a stream of lines, and reads them all.
func (w *Web) Lines(method, path string, body any) (lines []string) {
	w.T.Helper()
	resp := w.Do(method, path, body)
	defer resp.Body.Close()
	require.Equal(w.T, http.StatusOK, resp.StatusCode)
	for r := bufio.NewReader(resp.Body); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			require.Empty(w.T, line, "the stream must end with a newline")
			return lines
		}
		require.NoError(w.T, err)
		lines = append(lines, line)
	}
}

// Streamed is one line of a stream.
type Streamed[T any] struct {
	Result *T `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Socket opens a WebSocket and sends its first message.
func (w *Web) Socket(ctx context.Context, path string, first any) *websocket.Conn {
	w.T.Helper()
	d := websocket.Dialer{TLSClientConfig: w.TLS}
	conn, resp, err := d.DialContext(ctx, "wss://"+w.Base+path, http.Header{"Grpc-Metadata-Macaroon": {w.Macaroon}})
	require.NoError(w.T, err)
	resp.Body.Close()
	w.T.Cleanup(func() { conn.Close() })
	require.NoError(w.T, conn.WriteJSON(first))
	return conn
}
