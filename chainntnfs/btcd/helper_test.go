package btcd

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within bounds every test that waits for something.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// startNode runs a btcd for the test.
func startNode(t *testing.T, ctx context.Context, params *chaincfg.Params, args ...string) *btcdtest.Node {
	t.Helper()
	bin, err := btcdtest.Find(ctx, "")
	require.NoError(t, err)
	n, err := btcdtest.Start(ctx, btcdtest.Config{Binary: bin, Dir: t.TempDir(), Params: params, Args: args})
	require.NoError(t, err)
	t.Cleanup(n.Kill)
	return n
}

func configOf(t *testing.T, n *btcdtest.Node) Config {
	t.Helper()
	user, pass := n.Credentials()
	cert, err := ReadCert(n.CertPath(), "")
	require.NoError(t, err)
	return Config{
		Host: n.RPCAddr(), User: user, Pass: pass, Cert: cert, Params: n.Params(),
		MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
}

// startBackend connects and stops with the test.
func startBackend(t *testing.T, ctx context.Context, cfg Config) *Backend {
	t.Helper()
	b, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, b.Start(ctx))
	t.Cleanup(b.Stop)
	return b
}

// await waits until the backend's state is as asked for.
func await(t *testing.T, ctx context.Context, b *Backend, what string, ok func(chainntnfs.State) bool) {
	t.Helper()
	for {
		state, changed := b.State()
		if ok(state) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			require.Fail(t, "waited in vain for "+what, "%+v", state)
		}
	}
}

func isUp(s chainntnfs.State) bool   { return s.Up }
func isDown(s chainntnfs.State) bool { return !s.Up }

// follow advances until nothing is left to do.
func follow(t *testing.T, ctx context.Context, f *chainntnfs.Follower) (notices []chainntnfs.Notice) {
	t.Helper()
	for {
		some, more, err := f.Advance(ctx)
		require.NoError(t, err)
		notices = append(notices, some...)
		if !more {
			return notices
		}
	}
}

// script is a witness program that nobody can spend.
func script(n byte) []byte { return append([]byte{0, 32}, append(make([]byte, 31), n)...) }

// fake is a server that answers as a test wants, for what a real btcd never does.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]func(params []json.RawMessage) (any, *rpcError)
	conns   []*websocket.Conn
	mute    bool          // answers no pings
	pinged  chan struct{} // one for each ping, as far as they are read
	opened  chan struct{} // one for each connection
}

func newFake(t *testing.T) *fake {
	f := &fake{pinged: make(chan struct{}, 100), opened: make(chan struct{}, 100)}
	f.answers = map[string]func([]json.RawMessage) (any, *rpcError){
		"getblockhash":   constant(chaincfg.RegressionNetParams.GenesisHash.String()),
		"notifyblocks":   constant(nil),
		"loadtxfilter":   constant(nil),
		"getpeerinfo":    constant([]int{}),
		"getbestblock":   constant(map[string]any{"hash": chaincfg.RegressionNetParams.GenesisHash.String(), "height": 0}),
		"getblockheader": constant(hexOf(t, &chaincfg.RegressionNetParams.GenesisBlock.Header)),
	}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(func() {
		f.cut()
		f.Close()
	})
	return f
}

func constant(v any) func([]json.RawMessage) (any, *rpcError) {
	return func([]json.RawMessage) (any, *rpcError) { return v, nil }
}

func refusal(code int, text string) func([]json.RawMessage) (any, *rpcError) {
	return func([]json.RawMessage) (any, *rpcError) { return nil, &rpcError{code, text} }
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	f.mu.Lock()
	f.conns = append(f.conns, ws)
	pong := ws.PingHandler()
	if f.mute {
		pong = func(string) error { return nil }
	}
	f.mu.Unlock()
	ws.SetPingHandler(func(data string) error {
		select {
		case f.pinged <- struct{}{}:
		default:
		}
		return pong(data)
	})
	f.opened <- struct{}{}
	for {
		var req struct {
			ID     uint64            `json:"id"`
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		if ws.ReadJSON(&req) != nil {
			return
		}
		f.mu.Lock()
		answer := f.answers[req.Method]
		f.mu.Unlock()
		result, no := answer(req.Params)
		_ = ws.WriteJSON(map[string]any{"id": req.ID, "result": result, "error": no})
	}
}

// set changes an answer.
func (f *fake) set(method string, answer func([]json.RawMessage) (any, *rpcError)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[method] = answer
}

// send sends a message to everybody, out of turn.
func (f *fake) send(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ws := range f.conns {
		_ = ws.WriteMessage(websocket.TextMessage, []byte(text))
	}
}

// cut ends every connection.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ws := range f.conns {
		ws.Close()
	}
	f.conns = nil
}

func (f *fake) config() Config {
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	return Config{
		Host: strings.TrimPrefix(f.URL, "https://"), User: "u", Pass: "p", Cert: cert,
		Params:     &chaincfg.RegressionNetParams,
		MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond,
	}
}
