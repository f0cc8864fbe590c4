package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// silentEnd reads a connection to its end and gives how many bytes came.
func silentEnd(t *testing.T, nc net.Conn) int {
	t.Helper()
	b, err := io.ReadAll(nc)
	require.NoError(t, err)
	return len(b)
}

// actOneFor is a good first act of the node with key own.
func actOneFor(t *testing.T, own byte, to lnwire.PubKey) (*noise.Initiator, []byte) {
	t.Helper()
	pub, err := to.Parse()
	require.NoError(t, err)
	i := noise.NewInitiator(noise.NewKey(key(own)), pub, key(0x77))
	one, err := i.ActOne()
	require.NoError(t, err)
	return i, one
}

// B8.hs.1 B8.hs.6: what is no handshake ends in silence, and nobody hears of it.
func TestInboundGarbage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		_, wrong := actOneFor(t, 2, idOf(3))
		_, good := actOneFor(t, 2, h.id)
		version := bytes.Clone(good)
		version[0] = 1
		for name, first := range map[string][]byte{
			"zeros": make([]byte, noise.ActOneLen), "another node's key": wrong, "version": version,
			"http": []byte("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl\r\n\r\n")[:noise.ActOneLen],
		} {
			nc, err := n.dial(t.Context(), address(1))
			require.NoError(t, err)
			_, err = nc.Write(first)
			require.NoError(t, err)
			require.Zero(t, silentEnd(t, nc), name)
		}
		require.Empty(t, h.rec.all())
	})
}

// B8.hs.8 B8.hs.9: a third act that does not authenticate ends in silence.
func TestInboundBadActThree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		for _, spoil := range []int{1, 60} {
			nc, err := n.dial(t.Context(), address(1))
			require.NoError(t, err)
			i, one := actOneFor(t, 2, h.id)
			_, err = nc.Write(one)
			require.NoError(t, err)
			two := make([]byte, noise.ActTwoLen)
			_, err = io.ReadFull(nc, two)
			require.NoError(t, err)
			three, _, err := i.ActTwo(two)
			require.NoError(t, err)
			three[spoil] ^= 1
			_, err = nc.Write(three)
			require.NoError(t, err)
			require.Zero(t, silentEnd(t, nc))
		}
		require.Empty(t, h.rec.all())
	})
}

// V-49: whoever stalls, at whatever point before its init is complete, is gone
// after the limit, and never was a peer.
func TestStalledBeginnings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		_, one := actOneFor(t, 2, h.id)
		stall := func(name string, nc net.Conn) {
			t.Helper()
			began := time.Now()
			_, err := io.Copy(io.Discard, nc)
			require.NoError(t, err, name)
			require.LessOrEqual(t, time.Since(began), 15*time.Second, name)
		}
		for _, cut := range []int{0, 1, 49, 50} {
			nc, err := n.dial(t.Context(), address(1))
			require.NoError(t, err)
			_, err = nc.Write(one[:cut])
			require.NoError(t, err)
			stall("act one", nc)
		}
		for _, cut := range []int{0, 17, 18, 40} {
			w := dialWire(t, n, 2, 1)
			require.IsType(t, &lnwire.Init{}, w.receive())
			frame, err := w.s.Sealer.Append(nil, must(lnwire.Marshal(goodInit)))
			require.NoError(t, err)
			_, err = w.nc.Write(frame[:cut])
			require.NoError(t, err)
			require.Nil(t, h.Conn(idOf(2)))
			stall("init", w.nc)
		}
		require.Empty(t, h.rec.all())
		require.Empty(t, h.Conns())
	})
}

// acceptOnce is a listener's side that does what the test says.
func acceptOnce(t *testing.T, l *memListener, do func(net.Conn)) {
	go func() {
		nc, err := l.Accept()
		if err == nil {
			do(nc)
			nc.Close()
		}
	}()
}

// B8.hs.7: a second act that does not authenticate is not answered.
func TestOutboundBadActTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		got := make(chan int, 1)
		acceptOnce(t, n.listen("liar"), func(nc net.Conn) {
			io.ReadFull(nc, make([]byte, noise.ActOneLen))
			nc.Write(make([]byte, noise.ActTwoLen))
			b, _ := io.ReadAll(nc)
			got <- len(b)
		})
		_, err := h.Connect(t.Context(), idOf(2), "liar")
		require.ErrorIs(t, err, noise.ErrActKey)
		require.Zero(t, <-got)
		require.Empty(t, h.rec.all())
	})
}

// Somebody else answers at the peer's address.
func TestOutboundWrongKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		_, err := a.Connect(t.Context(), idOf(3), address(2))
		require.Error(t, err)
		synctest.Wait()
		require.Empty(t, a.rec.all())
		require.Empty(t, b.rec.all())
	})
}

func TestOutboundStalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		release := make(chan struct{})
		defer close(release)
		acceptOnce(t, n.listen("stalled"), func(nc net.Conn) { <-release })
		began := time.Now()
		_, err := h.Connect(t.Context(), idOf(2), "stalled")
		require.Error(t, err)
		require.Equal(t, 15*time.Second, time.Since(began))
	})
}

// tap notes what is written to a connection.
type tap struct {
	net.Conn
	wrote *bytes.Buffer
}

func (c tap) Write(b []byte) (int, error) {
	c.wrote.Write(b)
	return c.Conn.Write(b)
}

// B8.eph.1: no two connections share an ephemeral key, on either side.
func TestEphemeralKeysAreFresh(t *testing.T) {
	seen := make(map[string]bool)
	for range 8 {
		ours, theirs := net.Pipe()
		a, b := tap{ours, new(bytes.Buffer)}, tap{theirs, new(bytes.Buffer)}
		done := make(chan error, 1)
		go func() {
			_, err := respond(b, noise.NewKey(key(2)), atOnce)
			done <- err
		}()
		_, err := initiate(a, noise.NewKey(key(1)), key(2).PubKey(), unasked)
		require.NoError(t, err)
		require.NoError(t, <-done)
		for _, wrote := range [][]byte{a.wrote.Bytes(), b.wrote.Bytes()} {
			ephemeral := string(wrote[1:34])
			require.False(t, seen[ephemeral])
			seen[ephemeral] = true
		}
	}
}

// A peer that is not admitted gets no init of ours, in either direction.
func TestAdmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		full := errors.New("we have enough peers")
		var asked []bool
		h := newHost(t, 1, n, func(c *Config) {
			c.Admit = func(id lnwire.PubKey, addr net.Addr, inbound bool) error {
				require.Equal(t, idOf(2), id)
				require.NotNil(t, addr)
				asked = append(asked, inbound)
				return full
			}
		})
		b := newHost(t, 2, n, nil)
		w := dialWire(t, n, 2, 1)
		require.Empty(t, w.receiveEnd())
		_, err := h.Connect(t.Context(), b.id, address(2))
		require.ErrorIs(t, err, full)
		require.Equal(t, []bool{true, false}, asked)
		require.Empty(t, h.rec.all())
	})
}
