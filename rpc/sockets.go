package rpc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc/status"
)

// maxMessage bounds what a WebSocket client may send in one message.
const maxMessage = 4 << 20

// A client that does not take a message for this long is gone. When the connection is about to end anyway, it gets less
// time.
const (
	writeTimeout = 35 * time.Second
	lastWrite    = 2 * time.Second
)

// pingText is what our pings carry; lnd's, since clients may look at it.
const pingText = "are you there?"

// sockets turns a WebSocket into a REST call: the path and ?method= say which, the first message is its body, every line
// of the answer becomes a message. All other requests pass through.
type sockets struct {
	next           http.Handler
	clientStreams  []string // paths whose calls take every message, not only the first
	ping, pongWait time.Duration
	log            *slog.Logger
	// enter counts a WebSocket of whoever asks for it; leave is called at its end.
	enter func(*http.Request) (leave func(), err error)

	life context.Context
	wg   sync.WaitGroup
}

func newSockets(cfg Config, life context.Context, enter func(*http.Request) (func(), error), next http.Handler) *sockets {
	return &sockets{next: next, ping: cfg.PingInterval, pongWait: cfg.PongWait, log: cfg.Log, life: life, enter: enter}
}

func isUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// wait returns when all WebSockets are closed; they are once life has ended.
func (s *sockets) wait() { s.wg.Wait() }

// ServeHTTP implements http.Handler.
func (s *sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isUpgrade(r) {
		s.next.ServeHTTP(w, r)
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	if s.life.Err() != nil {
		return
	}
	leave, err := s.enter(r)
	if err != nil {
		refuseFor(w, http.StatusTooManyRequests, status.Code(err), status.Convert(err).Message())
		return
	}
	defer leave()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // the guard has looked already
	conn, err := upgrader.Upgrade(w, r, answerProtocol(r))
	if err != nil {
		s.log.Debug("cannot open WebSocket", "err", err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(s.life)
	defer cancel()
	s.call(ctx, cancel, conn, r)
}

// call runs the REST call behind a WebSocket.
func (s *sockets) call(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn, r *http.Request) {
	all := slices.Contains(s.clientStreams, r.URL.Path)
	reader, writer := io.Pipe()
	request, err := restRequest(ctx, r, reader, all)
	if err != nil {
		s.log.Debug("cannot make a call of a WebSocket", "err", err)
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer conn.Close() // ends the reader
	defer cancel()     // ends the pings
	context.AfterFunc(ctx, func() {
		_ = conn.NetConn().SetWriteDeadline(time.Now().Add(lastWrite)) // ends a write that is stuck
		reader.CloseWithError(context.Canceled)                        // ends a read of the body, and a write to it
	})
	s.keepAlive(ctx, &wg, conn)
	wg.Go(func() {
		defer cancel()
		err := readMessages(conn, writer, all)
		writer.CloseWithError(err)
		s.log.Debug("WebSocket ended", "err", err)
	})
	answer := &lines{conn: conn, ctx: ctx, header: make(http.Header)}
	s.next.ServeHTTP(answer, request)
	answer.flushRest()
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(lastWrite)) // it may be gone already
}

// restRequest makes the REST request that a WebSocket stands for.
func restRequest(ctx context.Context, r *http.Request, body io.ReadCloser, all bool) (*http.Request, error) {
	method, target := r.Method, *r.URL
	query := target.Query()
	if m := query.Get("method"); m != "" {
		method = m
		query.Del("method")
		target.RawQuery = query.Encode()
	}
	if !all && method != http.MethodPost {
		body.Close()
		body = http.NoBody // no need to wait for a message that says nothing
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.RemoteAddr, request.Host = r.RemoteAddr, r.Host
	for _, macaroon := range macaroonsOf(r) {
		request.Header.Add(headerMacaroon, macaroon)
	}
	return request, nil
}

// readMessages passes the client's messages on: the first, or all. It goes on reading after that, since only so the end
// of the connection and the answers to pings are noticed.
func readMessages(conn *websocket.Conn, body *io.PipeWriter, all bool) error {
	conn.SetReadLimit(maxMessage)
	for first := true; ; first = false {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if first || all {
			_, _ = body.Write(append(message, '\n')) // fails if the call needs no body
		}
		if !all {
			body.Close()
		}
	}
}

// keepAlive pings the client, and lets the reader fail when nothing comes back in time.
func (s *sockets) keepAlive(ctx context.Context, wg *sync.WaitGroup, conn *websocket.Conn) {
	if s.ping <= 0 || s.pongWait <= 0 {
		return
	}
	extend := func(string) error { return conn.SetReadDeadline(time.Now().Add(s.ping + s.pongWait)) }
	_ = extend("")
	conn.SetPongHandler(extend)
	wg.Go(func() {
		ticker := time.NewTicker(s.ping)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := conn.WriteControl(websocket.PingMessage, []byte(pingText), time.Now().Add(s.pongWait)); err != nil {
				conn.Close()
				return
			}
		}
	})
}

// protocolPrefix begins the WebSocket "protocol" in which browsers, which cannot set headers here, send the macaroon.
const protocolPrefix = headerMacaroon + "+"

// protocolOf returns the protocol that holds a macaroon; empty if there is none.
func protocolOf(r *http.Request) string {
	for _, p := range websocket.Subprotocols(r) {
		if len(p) > len(protocolPrefix) && strings.EqualFold(p[:len(protocolPrefix)], protocolPrefix) {
			return p
		}
	}
	return ""
}

// macaroonsOf returns the macaroons of a request: from the header or else, for a WebSocket, from the protocol.
func macaroonsOf(r *http.Request) []string {
	values := r.Header.Values(headerMacaroon)
	if len(values) == 0 && isUpgrade(r) {
		if p := protocolOf(r); p != "" {
			return []string{p[len(protocolPrefix):]}
		}
	}
	return values
}

// answerProtocol accepts the protocol that holds a macaroon: browsers hang up on a server that accepts none.
func answerProtocol(r *http.Request) http.Header {
	if p := protocolOf(r); p != "" {
		return http.Header{"Sec-Websocket-Protocol": {p}}
	}
	return nil
}

// lines is a response whose lines are sent as messages.
type lines struct {
	conn   *websocket.Conn
	ctx    context.Context // of the call
	header http.Header
	rest   []byte // no newline yet
}

// Header implements http.ResponseWriter. Nobody sees it.
func (l *lines) Header() http.Header { return l.header }

// WriteHeader implements http.ResponseWriter. The status is not sent: errors say what they are.
func (l *lines) WriteHeader(int) {}

// Flush implements http.Flusher: every line has been sent already.
func (l *lines) Flush() {}

// Write implements http.ResponseWriter.
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = rest
		if err := l.send(line); err != nil {
			return 0, err
		}
	}
}

// flushRest sends what did not end with a newline: the answer of a call that is not a stream.
func (l *lines) flushRest() { _ = l.send(l.rest) } // the connection may be gone already

func (l *lines) send(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	timeout := writeTimeout
	if l.ctx.Err() != nil {
		timeout = lastWrite
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(timeout))
	if err := l.conn.WriteMessage(websocket.TextMessage, line); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}
