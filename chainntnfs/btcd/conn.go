package btcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxMessage bounds one message of btcd's: a full block in hex is 8 MB, the
	// ids of a large mempool are about as much.
	maxMessage = 32 << 20
	// writeWithin bounds the sending of one request.
	writeWithin = 10 * time.Second
)

// errAuth says that btcd does not take our user and password.
var errAuth = errors.New("btcd.rpcuser or btcd.rpcpass is wrong")

// rpcError is an answer that says no.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("btcd: %d: %s", e.Code, e.Message) }

// conn is one websocket connection. It ends once, with a reason.
type conn struct {
	ws     *websocket.Conn
	cfg    *Config
	notify func(method string, params []json.RawMessage)

	writing sync.Mutex
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan message

	done chan struct{} // closed when the connection has ended
	err  error         // why, valid after done
	wg   sync.WaitGroup
}

// message is anything that btcd sends: an answer has an id, a notification has a
// method.
type message struct {
	ID     *uint64           `json:"id"`
	Result json.RawMessage   `json:"result"`
	Error  *rpcError         `json:"error"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// dial connects. notify is called for every notification, one at a time, and
// must not block.
func dial(ctx context.Context, cfg *Config, roots *x509.CertPool, notify func(string, []json.RawMessage)) (*conn, error) {
	dialer := websocket.Dialer{
		TLSClientConfig:  &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		HandshakeTimeout: cfg.CallTimeout,
	}
	login := base64.StdEncoding.EncodeToString([]byte(cfg.User + ":" + cfg.Pass))
	header := http.Header{"Authorization": {"Basic " + login}}
	ws, resp, err := dialer.DialContext(ctx, "wss://"+cfg.Host+"/ws", header)
	if err != nil {
		if resp != nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden) {
			return nil, errAuth
		}
		return nil, fmt.Errorf("connect to btcd at %s: %w", cfg.Host, err)
	}
	c := &conn{ws: ws, cfg: cfg, notify: notify, waiting: make(map[uint64]chan message), done: make(chan struct{})}
	ws.SetReadLimit(maxMessage)
	ws.SetPongHandler(func(string) error { return c.alive() })
	c.wg.Add(2)
	go c.read()
	go c.ping()
	return c, nil
}

// alive gives btcd time until it must be heard of again.
func (c *conn) alive() error { return c.ws.SetReadDeadline(time.Now().Add(c.cfg.deadAfter)) }

// close ends the connection and waits until its goroutines have.
func (c *conn) close() {
	c.end(errors.New("connection closed by us"))
	c.wg.Wait()
}

func (c *conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return
	}
	c.err, c.waiting = err, nil
	close(c.done)
	c.ws.Close()
}

func (c *conn) read() {
	defer c.wg.Done()
	for {
		if err := c.alive(); err != nil {
			c.end(fmt.Errorf("read from btcd: %w", err))
			return
		}
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			c.end(fmt.Errorf("read from btcd: %w", err))
			return
		}
		var m message
		if err := json.Unmarshal(raw, &m); err != nil {
			c.end(fmt.Errorf("read from btcd: %w", err))
			return
		}
		switch {
		case m.ID != nil:
			c.answer(m)
		case m.Method != "":
			c.notify(m.Method, m.Params)
		}
	}
}

func (c *conn) answer(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch, ok := c.waiting[*m.ID]; ok {
		delete(c.waiting, *m.ID)
		ch <- m
	}
}

func (c *conn) ping() {
	defer c.wg.Done()
	ticker := time.NewTicker(c.cfg.pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
			err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin))
			if err != nil {
				c.end(fmt.Errorf("ping btcd: %w", err))
				return
			}
		}
	}
}

// call makes one request and waits for its answer. The error is btcd's refusal
// (*rpcError), the context's, or the end of the connection.
func (c *conn) call(ctx context.Context, result any, method string, params ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if params == nil {
		params = []any{}
	}
	ch := make(chan message, 1)
	id, err := c.expect(ch)
	if err != nil {
		return err
	}
	defer c.forget(id)
	raw, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": id, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	if err := c.send(raw); err != nil {
		c.end(fmt.Errorf("write to btcd: %w", err))
		return c.err
	}
	select {
	case m := <-ch:
		if m.Error != nil {
			return m.Error
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("read answer to %s: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.err
	}
}

func (c *conn) expect(ch chan message) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return 0, c.err
	}
	c.last++
	c.waiting[c.last] = ch
	return c.last, nil
}

func (c *conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func (c *conn) send(raw []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, raw)
}
