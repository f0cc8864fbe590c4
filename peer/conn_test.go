package peer

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// B1.peer.3 B1.peer.4: init comes first and names our features and chains; then
// both ends know each other and talk.
func TestTwoPeersTalk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		c, err := a.Connect(t.Context(), b.id, address(2))
		require.NoError(t, err)
		require.Equal(t, b.id, c.PubKey())
		require.False(t, c.Inbound())
		require.Equal(t, address(2), c.Addr())
		require.Equal(t, []chainhash.Hash{regtest}, c.Init().Networks)
		require.True(t, c.Features().Equal(usual))
		require.True(t, c.Negotiated(lnwire.AnchorsOptional))
		require.False(t, c.Negotiated(lnwire.DualFundOptional))

		back := b.rec.awaitWhat(t, "opened").conn
		require.Equal(t, a.id, back.PubKey())
		require.True(t, back.Inbound())
		require.Same(t, c, a.Conn(b.id))
		require.Same(t, back, b.Conn(a.id))
		require.Equal(t, []*Conn{c}, a.Conns())

		require.True(t, c.Send(Channel, custom("over"), custom("there")))
		require.True(t, back.Send(Gossip, custom("and back")))
		synctest.Wait()
		require.Equal(t, []lnwire.Message{custom("over"), custom("there")}, b.rec.messages())
		require.Equal(t, []lnwire.Message{custom("and back")}, a.rec.messages())

		stats := c.Stats()
		require.Positive(t, stats.BytesSent)
		require.Positive(t, stats.BytesRead)
		require.Zero(t, stats.Queued)
		require.Equal(t, stats.BytesSent, back.Stats().BytesRead)

		c.Close(nil)
		require.ErrorIs(t, a.rec.awaitClosed(t, c), ErrClosed)
		require.ErrorIs(t, b.rec.awaitClosed(t, back), io.EOF)
		<-c.Done()
		<-back.Done()
		require.Nil(t, a.Conn(b.id))
		require.Empty(t, b.Conns())
		require.False(t, c.Send(Channel, custom("too late")))
	})
}

func TestTwoPeersOverTCP(t *testing.T) {
	a, b := newHost(t, 1, nil, nil), newHost(t, 2, nil, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b.spawn(func() { b.Serve(l) })
	c, err := a.Connect(t.Context(), b.id, l.Addr().String())
	require.NoError(t, err)
	back := b.rec.awaitWhat(t, "opened").conn
	require.Nil(t, back.Init().RemoteAddr, "the dialler does not tell")
	require.Nil(t, c.Init().RemoteAddr, "loopback is nobody's public address")

	want := make([]lnwire.Message, 0, 2000)
	for i := range cap(want) { // crosses rotations of the key
		m := custom(strings.Repeat("x", i%700) + fmt.Sprint(i))
		want = append(want, m)
		require.True(t, c.Send(Channel, m))
	}
	// What was queued before Close is read to the end, although the other side is
	// still talking: nothing is lost to a reset.
	require.True(t, back.Send(Gossip, custom(strings.Repeat("y", 60000))))
	c.Close(nil)
	require.ErrorIs(t, b.rec.awaitClosed(t, back), io.EOF)
	require.Equal(t, want, b.rec.messages())
	require.ErrorIs(t, a.rec.awaitClosed(t, c), ErrClosed)
}

// B1.peer.5 B1.peer.6: an inbound peer is told its public address, never a private
// one.
func TestPublicAddress(t *testing.T) {
	for _, c := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 9735}, "01cb0071072607"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}, "0220010db80000000000000000000000010001"},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9735}, ""},
		{&net.TCPAddr{IP: net.IPv4(192, 168, 3, 1), Port: 9735}, ""},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9735}, ""},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 9735, Zone: "eth0"}, ""},
		{&net.TCPAddr{IP: net.ParseIP("fd00::1"), Port: 9735}, ""},
		{&net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 0}, ""},
		{&net.TCPAddr{}, ""},
		{&net.UnixAddr{Name: "socket"}, ""},
	} {
		require.Equal(t, c.want, fmt.Sprintf("%x", publicAddress(c.addr)), "%v", c.addr)
	}
}

func TestInitTellsRemoteAddress(t *testing.T) {
	cfg := &Config{Features: usual, Networks: []chainhash.Hash{regtest}}
	nc := addressed{addr: &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 9735}}
	require.NotNil(t, ourInit(cfg, nc, true).RemoteAddr)
	require.Nil(t, ourInit(cfg, nc, false).RemoteAddr)
}

// addressed is a connection that claims to come from somewhere.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.addr }

func TestConfigIsChecked(t *testing.T) {
	good := Config{
		Key: noise.NewKey(key(1)), Features: usual, Networks: []chainhash.Hash{regtest}, Sink: newRecorder(),
	}
	for name, spoil := range map[string]func(*Config){
		"no key":     func(c *Config) { c.Key = nil },
		"no sink":    func(c *Config) { c.Sink = nil },
		"no network": func(c *Config) { c.Networks = nil },
		// B1.peer.1: bits outside BOLT 9 never leave.
		"unknown feature": func(c *Config) { c.Features = c.Features.With(2001) },
		"no dependency":   func(c *Config) { c.Features = c.Features.With(lnwire.ZeroConfOptional) },
	} {
		cfg := good
		spoil(&cfg)
		_, err := NewHost(cfg)
		require.Error(t, err, name)
	}
}

// Send never blocks and close never waits, even if the peer reads nothing at all.
func TestPeerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, func(c *Config) { c.Limits.Backlog = 100_000; c.Limits.GossipBacklog = 10_000 })
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn

		// V-44: gossip is refused over its budget.
		gossip, sent := custom(strings.Repeat("g", 900)), 0
		for c.Send(Gossip, gossip) {
			sent++
			require.Less(t, sent, 60)
		}
		require.Greater(t, sent, 8)
		synctest.Wait()
		for c.Send(Gossip, gossip) {
			sent++ // what the writer had taken already
		}
		select {
		case <-c.Drained():
			t.Fatal("drained while nobody reads")
		default:
		}
		// Reading makes room again.
		for range sent {
			w.receive()
		}
		<-c.Drained()
		require.True(t, c.Send(Gossip, gossip))
		w.receive()

		// Channel messages are taken until their budget ends the connection.
		sent = 0
		for c.Send(Channel, custom(strings.Repeat("c", 2000))) {
			sent++
			require.Less(t, sent, 60)
		}
		require.Greater(t, sent, 40)
		require.ErrorIs(t, h.rec.awaitClosed(t, c), ErrBacklog)
		<-c.Drained()
	})
}

// A write that is not taken ends the connection after its limit, whatever else
// happens on it.
func TestWriteLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		began := time.Now()
		require.True(t, c.Send(Channel, custom("nobody reads this")))
		require.ErrorContains(t, h.rec.awaitClosed(t, c), "write:")
		require.Equal(t, 30*time.Second, time.Since(began))
	})
}

// Close lets the last words out, and gives up when nobody listens.
func TestCloseSaysLastWords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		require.True(t, c.Send(Gossip, custom("gossip")))
		synctest.Wait() // the writer holds it now, unread
		require.True(t, c.Send(Gossip, custom("gossip that can be dropped")))
		require.True(t, c.Send(Channel, &lnwire.Error{Data: []byte("good bye")}))
		c.Close(io.ErrNoProgress)
		c.Close(nil) // the first reason counts
		require.Equal(t, []lnwire.Message{custom("gossip"), &lnwire.Error{Data: []byte("good bye")}}, w.receiveEnd())
		require.ErrorIs(t, h.rec.awaitClosed(t, c), io.ErrNoProgress)
		require.ErrorIs(t, c.Err(), io.ErrNoProgress)

		w = meetWire(t, n, 3, 1)
		c = h.rec.await(t, "the second", func(e event) bool { return e.what == "opened" && e.conn.id == idOf(3) }).conn
		require.True(t, c.Send(Channel, custom("unheard")))
		synctest.Wait()
		began := time.Now()
		c.Close(nil)
		require.ErrorIs(t, h.rec.awaitClosed(t, c), ErrClosed)
		require.Equal(t, 2*time.Second, time.Since(began))
		_ = w
	})
}

// After Close nothing is delivered any more.
func TestNothingIsDeliveredAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		h.rec.onMsg = func(c *Conn, _ lnwire.Message) { c.Close(nil) }
		two, err := w.s.Sealer.Append(nil, must(lnwire.Marshal(custom("one"))))
		require.NoError(t, err)
		two, err = w.s.Sealer.Append(two, must(lnwire.Marshal(custom("two"))))
		require.NoError(t, err)
		w.nc.Write(two)
		require.ErrorIs(t, h.rec.awaitClosed(t, c), ErrClosed)
		require.Equal(t, []lnwire.Message{custom("one")}, h.rec.messages())
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// A message that cannot be encoded is the caller's mistake: it is not lost in
// silence.
func TestUnencodableMessageEndsConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		require.False(t, c.Send(Channel, custom("fine"), &lnwire.Unknown{MsgType: 40001, Payload: make([]byte, 70000)}))
		require.Empty(t, w.receiveEnd(), "a group goes whole or not at all")
		require.ErrorContains(t, h.rec.awaitClosed(t, c), "encode")
	})
}

// While the Sink does not return nothing is read, and that is not held against the
// peer.
func TestBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		hold := make(chan struct{})
		h.rec.onMsg = func(*Conn, lnwire.Message) { <-hold }
		w.send(custom("first"))
		read := make(chan lnwire.Message, 100)
		go func() { // the peer reads our pings, and writes until it is stopped
			defer close(read)
			for {
				m, err := w.read()
				if err != nil {
					return
				}
				read <- m
			}
		}()
		wrote := make(chan int)
		go func() {
			sent := 0
			for range 10 {
				if w.sendRaw(must(lnwire.Marshal(custom(strings.Repeat("z", 5000))))) == nil {
					sent++
				}
			}
			wrote <- sent
		}()
		time.Sleep(10 * time.Minute) // of the bubble's clock: many pings go unanswered
		require.Nil(t, c.Err())
		require.Len(t, h.rec.messages(), 1)
		select {
		case <-wrote:
			t.Fatal("the peer was not slowed down")
		default:
		}
		close(hold)
		require.Equal(t, 10, <-wrote)
		synctest.Wait()
		require.Len(t, h.rec.messages(), 11)
		c.Close(nil)
		h.rec.awaitClosed(t, c)
		for range read {
		}
	})
}

// What comes in one piece is delivered together, before the pause.
func TestPauseComesWhenAllThatCameIsDelivered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		synctest.Wait()
		require.Empty(t, h.rec.pauses, "nothing was delivered yet")
		var frames []byte
		for _, text := range []string{"one", "two", "three"} {
			var err error
			frames, err = w.s.Sealer.Append(frames, must(lnwire.Marshal(custom(text))))
			require.NoError(t, err)
		}
		_, err := w.nc.Write(frames[:len(frames)-1])
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []int{3}, h.rec.pauses, "the third is not whole")
		_, err = w.nc.Write(frames[len(frames)-1:])
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []int{3, 4}, h.rec.pauses)
		c.Close(nil)
		h.rec.awaitClosed(t, c)
	})
}

func TestText(t *testing.T) {
	// B1.peer.2: what a peer writes is shown in printable ASCII, and not at length.
	require.Equal(t, "funding too small", Text(&lnwire.Warning{Data: []byte("funding too small")}))
	for _, data := range [][]byte{
		[]byte("\x1b[31mred"), []byte("line\nline"), []byte("\u202eright to left"), {0, 255},
		bytes.Repeat([]byte{'a'}, 65000), bytes.Repeat([]byte{'\u00e9' & 0xff}, 65000),
	} {
		text := Text(&lnwire.Error{Data: data})
		require.LessOrEqual(t, len(text), maxText+3)
		for _, c := range []byte(text) {
			require.True(t, c >= 32 && c <= 126)
		}
	}
	require.Empty(t, Text(ping(1)))
}
