package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var regtest = chainhash.Hash{0x06, 0x22}

var usual = lnwire.NewFeatures(lnwire.DataLossProtectRequired, lnwire.VarOnionRequired,
	lnwire.StaticRemoteKeyRequired, lnwire.PaymentSecretRequired, lnwire.GossipQueriesOptional,
	lnwire.AnchorsOptional, lnwire.ChannelTypeRequired)

// key is a private key whose 32 bytes are all b.
func key(b byte) *btcec.PrivateKey {
	k, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{b}, 32))
	return k
}

func idOf(b byte) lnwire.PubKey { return lnwire.NewPubKey(key(b).PubKey()) }

// lesser and greater give two keys in the order of their public halves.
func lesserAndGreater(a, b byte) (lesser, greater byte) {
	x, y := idOf(a), idOf(b)
	if bytes.Compare(x[:], y[:]) > 0 {
		return b, a
	}
	return a, b
}

// event is something that a recorder was told.
type event struct {
	what string // "opened", "message", "closed"
	conn *Conn
	msg  lnwire.Message
	err  error
}

// recorder is a Sink that writes down what it hears.
type recorder struct {
	mu      sync.Mutex
	events  []event
	news    chan struct{} // one token when there is something new
	pauses  []int         // how many events there were at each
	onMsg   func(*Conn, lnwire.Message)
	onOpen  func(*Conn)
	perConn map[*Conn]string
	broken  error
}

func newRecorder() *recorder {
	return &recorder{news: make(chan struct{}, 1), perConn: make(map[*Conn]string)}
}

// note checks the order that Sink promises, for each connection and each peer.
func (r *recorder) note(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.perConn[e.conn]
	legal := map[string]string{"opened": "", "message": "opened", "closed": "opened"}
	if was != legal[e.what] {
		r.broken = errors.New(e.what + " after " + was)
	}
	switch e.what {
	case "opened":
		for c, state := range r.perConn {
			if c.id == e.conn.id && state == "opened" {
				r.broken = errors.New("two connections with one peer are open")
			}
		}
		r.perConn[e.conn] = "opened"
	case "closed":
		r.perConn[e.conn] = "closed"
		if e.err == nil {
			r.broken = errors.New("closed without a reason")
		}
	}
	r.events = append(r.events, e)
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *recorder) Opened(c *Conn) {
	r.note(event{what: "opened", conn: c})
	if r.onOpen != nil {
		r.onOpen(c)
	}
}

func (r *recorder) Message(c *Conn, m lnwire.Message) {
	r.note(event{what: "message", conn: c, msg: m})
	if r.onMsg != nil {
		r.onMsg(c, m)
	}
}

func (r *recorder) Paused(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.perConn[c] != "opened" {
		r.broken = errors.New("paused after " + r.perConn[c])
	}
	r.pauses = append(r.pauses, len(r.events))
}

func (r *recorder) Closed(c *Conn, err error) { r.note(event{what: "closed", conn: c, err: err}) }

// await waits until pick finds what it looks for.
func (r *recorder) await(t testing.TB, what string, pick func(event) bool) event {
	t.Helper()
	limit := time.After(5 * time.Minute)
	for {
		r.mu.Lock()
		for _, e := range r.events {
			if pick(e) {
				r.mu.Unlock()
				return e
			}
		}
		r.mu.Unlock()
		select {
		case <-r.news:
		case <-limit:
			t.Fatalf("nothing came: %s", what)
		}
	}
}

func (r *recorder) awaitWhat(t testing.TB, what string) event {
	t.Helper()
	return r.await(t, what, func(e event) bool { return e.what == what })
}

func (r *recorder) awaitClosed(t testing.TB, c *Conn) error {
	t.Helper()
	return r.await(t, "closed", func(e event) bool { return e.what == "closed" && e.conn == c }).err
}

// all gives the events so far.
func (r *recorder) all() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event(nil), r.events...)
}

func (r *recorder) messages() (list []lnwire.Message) {
	for _, e := range r.all() {
		if e.what == "message" {
			list = append(list, e.msg)
		}
	}
	return list
}

func (r *recorder) check(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NoError(t, r.broken)
}

// memNet is a network of pipes, so that a test has its clock to itself.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	dials     []string
}

type memListener struct {
	conns chan net.Conn
	once  sync.Once
	shut  chan struct{}
}

func newMemNet() *memNet { return &memNet{listeners: make(map[string]*memListener)} }

func (n *memNet) listen(addr string) *memListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &memListener{conns: make(chan net.Conn), shut: make(chan struct{})}
	n.listeners[addr] = l
	return l
}

func (n *memNet) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

func (n *memNet) dial(ctx context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.dials = append(n.dials, addr)
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("nobody listens there")
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.shut:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.shut:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { l.once.Do(func() { close(l.shut) }); return nil }
func (l *memListener) Addr() net.Addr { return &net.UnixAddr{Name: "mem"} }

// testHost is a host with its recorder.
type testHost struct {
	*Host
	rec *recorder
	id  lnwire.PubKey
}

// newHost makes a host with the key made of b; change may alter its configuration.
func newHost(t testing.TB, b byte, n *memNet, change func(*Config)) *testHost {
	t.Helper()
	rec := newRecorder()
	cfg := Config{
		Key: noise.NewKey(key(b)), Features: usual, Networks: []chainhash.Hash{regtest}, Sink: rec,
		Jitter: func() float64 { return 0.5 },
	}
	if n != nil {
		cfg.Dial = n.dial
	}
	if change != nil {
		change(&cfg)
	}
	h, err := NewHost(cfg)
	require.NoError(t, err)
	if n != nil {
		l := n.listen(address(b))
		h.spawn(func() { h.Serve(l) })
	}
	t.Cleanup(func() { h.Close(); rec.check(t) })
	return &testHost{Host: h, rec: rec, id: idOf(b)}
}

func address(b byte) string { return "host" + string('A'+rune(b)) + ":9735" }

// wire is a peer driven by hand, for what no host of ours would send.
type wire struct {
	t  testing.TB
	nc net.Conn
	s  *noise.Session
}

// shakeHands is the initiator's handshake on a raw connection.
func shakeHands(t testing.TB, nc net.Conn, own byte, remote lnwire.PubKey) *wire {
	t.Helper()
	pub, err := remote.Parse()
	require.NoError(t, err)
	s, err := initiate(nc, noise.NewKey(key(own)), pub, unasked)
	require.NoError(t, err)
	return &wire{t, nc, s}
}

// answerWire is the responder's handshake on a raw connection.
func answerWire(t testing.TB, nc net.Conn, own byte) *wire {
	s, err := respond(nc, noise.NewKey(key(own)), atOnce)
	if err != nil {
		t.Errorf("hand-driven responder: %v", err)
	}
	return &wire{t, nc, s}
}

// dialWire connects a hand-driven peer to a host, up to the end of the handshake.
func dialWire(t testing.TB, n *memNet, own, to byte) *wire {
	t.Helper()
	nc, err := n.dial(t.Context(), address(to))
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return shakeHands(t, nc, own, idOf(to))
}

func (w *wire) sendRaw(msg []byte) error {
	frame, err := w.s.Sealer.Append(nil, msg)
	require.NoError(w.t, err)
	_, err = w.nc.Write(frame)
	return err
}

func (w *wire) send(msgs ...lnwire.Message) {
	w.t.Helper()
	for _, m := range msgs {
		b, err := lnwire.Marshal(m)
		require.NoError(w.t, err)
		require.NoError(w.t, w.sendRaw(b))
	}
}

func (w *wire) read() (lnwire.Message, error) {
	header := make([]byte, noise.HeaderLen)
	if _, err := io.ReadFull(w.nc, header); err != nil {
		return nil, err
	}
	n, err := w.s.Opener.Length(header)
	if err != nil {
		return nil, err
	}
	body := make([]byte, n+noise.TagLen)
	if _, err := io.ReadFull(w.nc, body); err != nil {
		return nil, err
	}
	plain, err := w.s.Opener.Open(body)
	if err != nil {
		return nil, err
	}
	return lnwire.Unmarshal(plain)
}

func (w *wire) receive() lnwire.Message {
	w.t.Helper()
	m, err := w.read()
	require.NoError(w.t, err)
	return m
}

// receiveEnd reads until the host hangs up and gives what it said before.
func (w *wire) receiveEnd() (last []lnwire.Message) {
	w.t.Helper()
	for {
		m, err := w.read()
		if err != nil {
			require.ErrorIs(w.t, err, io.EOF)
			return last
		}
		last = append(last, m)
	}
}

var goodInit = &lnwire.Init{Features: usual, Networks: []chainhash.Hash{regtest}}

// meetWire is dialWire and a decent exchange of init, and of the first ping.
func meetWire(t testing.TB, n *memNet, own, to byte) *wire {
	t.Helper()
	w := dialWire(t, n, own, to)
	require.IsType(t, &lnwire.Init{}, w.receive())
	w.send(goodInit)
	first := w.receive().(*lnwire.Ping)
	w.send(&lnwire.Pong{Padding: make([]byte, first.NumPongBytes)})
	return w
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func ping(n uint16) *lnwire.Ping { return &lnwire.Ping{NumPongBytes: n} }

// custom is a message with a payload to recognise it by.
func custom(payload string) *lnwire.Unknown {
	return &lnwire.Unknown{MsgType: 40001, Payload: []byte(payload)}
}

// unasked proves who we are to anybody.
func unasked() error { return nil }

// atOnce computes without a lane.
func atOnce(f func()) error { f(); return nil }
