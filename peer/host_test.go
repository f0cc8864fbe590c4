package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestConnectRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		_, err := a.Connect(t.Context(), a.id, address(1))
		require.ErrorIs(t, err, ErrSelf)
		_, err = a.Connect(t.Context(), b.id)
		require.ErrorContains(t, err, "no address")
		_, err = a.Connect(t.Context(), lnwire.PubKey{9}, address(2))
		require.ErrorIs(t, err, lnwire.ErrBadPubKey)
		_, err = a.Connect(t.Context(), b.id, "nowhere", "no man's land")
		require.ErrorContains(t, err, "nowhere: dial")
		require.ErrorContains(t, err, "no man's land: dial")

		c, err := a.Connect(t.Context(), b.id, "nowhere", address(2))
		require.NoError(t, err, "the second address answers")
		again, err := a.Connect(t.Context(), b.id, address(2))
		require.ErrorIs(t, err, ErrAlreadyConnected)
		require.ErrorContains(t, err, "already connected to peer: "+b.id.String()+"@"+address(2))
		require.Same(t, c, again)

		// Right after a close one can connect anew.
		c.Close(nil)
		anew, err := a.Connect(t.Context(), b.id, address(2))
		require.NoError(t, err)
		require.NotSame(t, c, anew)

		a.Close()
		_, err = a.Connect(t.Context(), b.id, address(2))
		require.ErrorIs(t, err, ErrHostClosed)
		require.ErrorIs(t, anew.Err(), ErrHostClosed)
	})
}

func TestConnectIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		release := make(chan struct{})
		defer close(release)
		acceptOnce(t, n.listen("stalled"), func(net.Conn) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := h.Connect(ctx, idOf(2), "stalled", "never tried")
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 1, n.dialled())

		// Who waits for another's attempt can give up, too.
		acceptOnce(t, n.listen("stalled"), func(net.Conn) { <-release })
		first := make(chan error, 1)
		go func() {
			_, err := h.Connect(t.Context(), idOf(2), "stalled")
			first <- err
		}()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = h.Connect(ctx, idOf(2), "stalled")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Error(t, <-first)
	})
}

// Many ask for the same peer at once: it is dialled once.
func TestConnectIsSingleFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				c, err := a.Connect(t.Context(), b.id, address(2))
				if err != nil {
					require.ErrorIs(t, err, ErrAlreadyConnected)
				}
				require.NotNil(t, c)
			})
		}
		wg.Wait()
		synctest.Wait() // the other side may be a little later
		require.Equal(t, 1, n.dialled())
		require.Len(t, b.Conns(), 1)
	})
}

// settled waits until both hosts agree on one living connection and gives it from
// both sides.
func settled(t *testing.T, a, b *testHost) (*Conn, *Conn) {
	t.Helper()
	synctest.Wait()
	ca, cb := a.Conn(b.id), b.Conn(a.id)
	require.NotNil(t, ca)
	require.NotNil(t, cb)
	require.NotEqual(t, ca.Inbound(), cb.Inbound())
	name := fmt.Sprint(time.Now().UnixNano())
	require.True(t, ca.Send(Channel, custom(name)))
	b.rec.await(t, "message over the kept connection", func(e event) bool {
		m, ok := e.msg.(*lnwire.Unknown)
		return ok && string(m.Payload) == name && e.conn == cb
	})
	return ca, cb
}

// held is a dialled connection on which one write waits until it is let go.
type held struct {
	net.Conn
	writes int // until the one that waits
	let    <-chan struct{}
}

func (c *held) Write(b []byte) (int, error) {
	if c.writes--; c.writes == 0 {
		<-c.let
	}
	return c.Conn.Write(b)
}

// What a dialler writes, in this order.
const (
	actOne = 1 + iota
	actThree
	initMsg
)

// holding is a Dialer whose connections are held at that write.
func holding(n *memNet, write int, let <-chan struct{}) func(*Config) {
	return func(c *Config) {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			nc, err := n.dial(ctx, addr)
			return &held{nc, write, let}, err
		}
	}
}

// TestSimultaneousDial (B1.peer.21): when both dial at the same time, however the two
// attempts lie to each other, they agree on one, and the one with the lesser key at
// least has never had the other.
func TestSimultaneousDial(t *testing.T) {
	for low := actOne; low <= initMsg; low++ {
		for high := actOne; high <= initMsg; high++ {
			for order := range 4 {
				begins, goesOn := order&1 == 0, order&2 == 0
				t.Run(fmt.Sprintf("held at %d and %d, lesser begins %t, goes on first %t", low, high, begins, goesOn), func(t *testing.T) {
					bubble(t, func(t *testing.T) { crossing(t, low, high, begins, goesOn) })
				})
			}
		}
	}
}

// crossing lets both dial, up to the write at which the one with the lesser key and the
// other are held, and then go on. It is said who begins, and who goes on first: the lesser?
func crossing(t *testing.T, low, high int, begins, goesOn bool) {
	lesser, greater := lesserAndGreater(1, 2)
	n := newMemNet()
	lowLet, highLet := make(chan struct{}), make(chan struct{})
	a, b := newHost(t, lesser, n, holding(n, low, lowLet)), newHost(t, greater, n, holding(n, high, highLet))
	var wg sync.WaitGroup
	connect := func(from, to *testHost, addr string) {
		wg.Go(func() {
			if c, err := from.Connect(t.Context(), to.id, addr); c == nil || err != nil {
				t.Errorf("%v %v", c, err)
			}
		})
	}
	if begins {
		connect(a, b, address(greater))
		synctest.Wait() // it is held
	}
	connect(b, a, address(lesser))
	synctest.Wait()
	if !begins {
		connect(a, b, address(greater))
		synctest.Wait()
	}
	if !goesOn {
		lowLet, highLet = highLet, lowLet
	}
	close(lowLet)
	synctest.Wait()
	close(highLet)
	wg.Wait()
	ca, _ := settled(t, a, b)
	count := map[string]int{}
	for _, e := range a.rec.all() {
		count[e.what]++
	}
	require.Equal(t, 1, count["opened"])
	require.Zero(t, count["closed"])
	// The lesser key's counts once act three of it is on its way. It is not written when the
	// other is known to be there or on its way.
	theirs := low == actOne && (high == initMsg || !goesOn) || !begins && high == initMsg
	require.Equal(t, theirs, ca.Inbound())
	for _, e := range b.rec.all() {
		// The one with the greater key cannot know of an act three that is still on its way.
		unknown := low == actThree && (high == initMsg || !goesOn)
		require.True(t, e.what != "closed" || unknown, "%v", e.err)
	}
}

// TestHalfAnAttempt: a peer that begins an attempt and leaves it does not keep ours away.
func TestHalfAnAttempt(t *testing.T) {
	lesser, greater := lesserAndGreater(1, 2)
	for _, own := range []byte{lesser, greater} {
		bubble(t, func(t *testing.T) {
			n := newMemNet()
			a, b := newHost(t, own, n, nil), newHost(t, lesser+greater-own, n, nil)
			w := dialWire(t, n, lesser+greater-own, own)
			require.IsType(t, &lnwire.Init{}, w.receive()) // it says no more
			c, err := a.Connect(t.Context(), b.id, address(lesser+greater-own))
			require.NoError(t, err)
			require.False(t, c.Inbound())
			settled(t, a, b)
		})
	}
}

// The same race again and again, on real sockets.
func TestSimultaneousDialOverTCP(t *testing.T) {
	a, b := newHost(t, 1, nil, nil), newHost(t, 2, nil, nil)
	addrs := map[*testHost]string{}
	for _, h := range []*testHost{a, b} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addrs[h] = l.Addr().String()
		h.spawn(func() { h.Serve(l) })
	}
	for round := range 20 {
		var wg sync.WaitGroup
		wg.Go(func() { a.Connect(t.Context(), b.id, addrs[b]) })
		wg.Go(func() { b.Connect(t.Context(), a.id, addrs[a]) })
		wg.Wait()
		name := fmt.Sprint("round ", round)
		limit := time.After(time.Minute)
		for arrived := false; !arrived; { // until the two agree
			c := a.Conn(b.id)
			if c == nil || !c.Send(Channel, custom(name)) {
				select {
				case <-a.rec.news:
				case <-limit:
					t.Fatal("the two do not settle")
				}
				continue
			}
			select {
			case <-c.Done():
			case <-b.rec.news:
				for _, m := range b.rec.messages() {
					arrived = arrived || string(m.(*lnwire.Unknown).Payload) == name
				}
			case <-limit:
				t.Fatal("the two do not settle")
			}
		}
		for _, c := range a.Conns() {
			c.Close(nil)
			<-c.Done()
		}
		for _, c := range b.Conns() {
			<-c.Done()
		}
	}
}

// A peer that dials again has lost the connection that we believe in: the new one
// takes its place, and the node sees one after the other.
func TestPeerComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		first := meetWire(t, n, 2, 1)
		old := h.rec.awaitWhat(t, "opened").conn
		meetWire(t, n, 2, 1)
		require.ErrorIs(t, h.rec.awaitClosed(t, old), ErrReplaced)
		synctest.Wait()
		require.NotSame(t, old, h.Conn(idOf(2)))
		require.NotNil(t, h.Conn(idOf(2)))
		require.Empty(t, first.receiveEnd())
		require.Len(t, h.Conns(), 1)
	})
}

// Our own dialled connection stands against a second one from the peer as long as
// the two may have dialled at once, and has to show that it lives; later the
// peer's counts.
func TestOldOutboundGivesWay(t *testing.T) {
	lesser, greater := lesserAndGreater(1, 2)
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, lesser, n, nil)
		l := n.listen("frozen peer")
		frozen := make(chan net.Conn, 1)
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			w := answerWire(t, nc, greater)
			w.send(goodInit)
			w.receive()
			frozen <- nc // from now on it neither reads nor writes
		}()
		old, err := h.Connect(t.Context(), idOf(greater), "frozen peer")
		require.NoError(t, err)
		nc := <-frozen

		w := dialWire(t, n, greater, lesser)
		require.IsType(t, &lnwire.Init{}, w.receive())
		w.send(goodInit)
		require.Empty(t, w.receiveEnd(), "refused: perhaps we dialled at the same time")
		began := time.Now()
		require.ErrorContains(t, h.rec.awaitClosed(t, old), "write", "the probe is not taken")
		require.Equal(t, 30*time.Second, time.Since(began))
		nc.Close()

		// The same again, but later.
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			w := answerWire(t, nc, greater)
			w.send(goodInit)
			w.receive()
			for {
				m, err := w.read()
				if err != nil {
					return
				}
				if p, ok := m.(*lnwire.Ping); ok {
					w.send(&lnwire.Pong{Padding: make([]byte, p.NumPongBytes)})
				}
			}
		}()
		old, err = h.Connect(t.Context(), idOf(greater), "frozen peer")
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		meetWire(t, n, greater, lesser)
		require.ErrorIs(t, h.rec.awaitClosed(t, old), ErrReplaced)
		synctest.Wait()
		require.True(t, h.Conn(idOf(greater)).Inbound())
	})
}

// TestManyHalfOpen: who has had its time is pushed out by new ones, and a crowd that
// comes quickly pushes out nobody (V-49).
func TestManyHalfOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, func(c *Config) { c.Limits.HalfOpen = 3 })
		var stalled []net.Conn
		for range 3 {
			nc, err := n.dial(t.Context(), address(1))
			require.NoError(t, err)
			stalled = append(stalled, nc)
			synctest.Wait()
		}
		crowd, err := n.dial(t.Context(), address(1)) // none of them has had its time
		require.NoError(t, err)
		require.Zero(t, silentEnd(t, crowd))
		time.Sleep(halfOpenGrace)
		meetWire(t, n, 2, 1) // pushes out the oldest
		h.rec.awaitWhat(t, "opened")
		require.Zero(t, silentEnd(t, stalled[0]))
		nc, err := n.dial(t.Context(), address(1)) // there is a place again: who has met does not count
		require.NoError(t, err)
		synctest.Wait()
		_, err = stalled[1].Write([]byte{0})
		require.NoError(t, err)
		for _, c := range append(stalled, nc) {
			c.Close()
		}
	})
}

func TestHalfOpenPerAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHost(t, 1, nil, func(c *Config) { c.Limits.HalfOpenPerIP = 2 })
		from := func(ip string, port int) addressed {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { ours.Close(); theirs.Close() })
			return addressed{ours, &net.TCPAddr{IP: net.ParseIP(ip), Port: port}}
		}
		enter := func(ip string) error { return h.enterHalfOpen(from(ip, 1)) }
		for _, ip := range []string{"203.0.113.7", "203.0.113.8", "2001:db8::1"} {
			require.NoError(t, enter(ip))
			require.NoError(t, enter(ip))
			require.ErrorIs(t, enter(ip), ErrHalfOpen)
		}
		require.ErrorIs(t, enter("2001:db8::2"), ErrHalfOpen, "one customer has a /64")
		require.ErrorIs(t, enter("::ffff:203.0.113.7"), ErrHalfOpen)
		require.NoError(t, enter("2001:db8:0:1::1"))
		for range 10 {
			require.NoError(t, enter("127.0.0.1"), "all of Tor comes from here")
		}
		again := from("198.51.100.1", 9)
		require.NoError(t, h.enterHalfOpen(again))
		h.leaveHalfOpen(again)
		require.NoError(t, enter("198.51.100.1"))
		require.NoError(t, enter("198.51.100.1"))
	})
}

// flakyListener fails a few times, as a system without file descriptors does.
type flakyListener struct {
	*memListener
	mu    sync.Mutex
	fails int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.fails--
	failing := l.fails >= 0
	l.mu.Unlock()
	if failing {
		return nil, errors.New("accept: too many open files")
	}
	return l.memListener.Accept()
}

func TestServeSurvivesAcceptErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		l := &flakyListener{memListener: n.listen(address(1)), fails: 3}
		served := make(chan error, 1)
		go func() { served <- h.Serve(l) }()
		meetWire(t, n, 2, 1)
		h.rec.awaitWhat(t, "opened")
		h.Close()
		require.NoError(t, <-served)
		require.NoError(t, h.Serve(n.listen("late")), "a closed host serves nobody")
	})
}

// Whatever is going on, Close ends it, and soon.
func TestCloseEndsEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		meetWire(t, n, 2, 1)                        // connected, never read
		dialWire(t, n, 3, 1)                        // before init
		raw, err := n.dial(t.Context(), address(1)) // before act one
		require.NoError(t, err)
		release := make(chan struct{})
		defer close(release)
		acceptOnce(t, n.listen("stalled"), func(net.Conn) { <-release })
		waits := make(chan error, 1)
		go func() {
			_, err := h.Connect(context.Background(), idOf(4), "stalled")
			waits <- err
		}()
		h.Keep(idOf(5), "nowhere")
		h.rec.awaitWhat(t, "opened").conn.Send(Channel, custom("stuck in the pipe"))
		synctest.Wait()
		began := time.Now()
		h.Close()
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
		require.ErrorIs(t, <-waits, ErrHostClosed)
		require.Empty(t, h.Conns())
		require.Zero(t, silentEnd(t, raw))
		h.Close() // twice is fine
	})
}

func TestKeepReconnects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		a.Keep(a.id, address(1)) // ourselves: nothing happens
		a.Keep(b.id, "nowhere", address(2))
		synctest.Wait()
		c := a.Conn(b.id)
		require.NotNil(t, c)
		require.Equal(t, 2, n.dialled())

		b.Conn(a.id).Close(nil)
		<-c.Done()
		synctest.Wait()
		require.Nil(t, a.Conn(b.id))
		time.Sleep(time.Second)
		synctest.Wait()
		require.NotNil(t, a.Conn(b.id), "a second later it is back")

		// While the peer is gone the waits grow; when it returns it is found.
		b.Close()
		synctest.Wait()
		before := n.dialled()
		time.Sleep(time.Hour)
		tries := (n.dialled() - before) / 2
		require.Greater(t, tries, 9)
		require.Less(t, tries, 14)
		b = newHost(t, 2, n, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.NotNil(t, a.Conn(b.id))

		// Forgotten, it stays away once it goes.
		a.Forget(b.id)
		require.NotNil(t, a.Conn(b.id))
		a.Conn(b.id).Close(nil)
		time.Sleep(3 * time.Hour)
		require.Nil(t, a.Conn(b.id))
	})
}

// Two nodes that keep each other find together again and again, and with one
// connection.
func TestBothKeep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := newHost(t, 1, n, nil), newHost(t, 2, n, nil)
		a.Keep(b.id, address(2))
		b.Keep(a.id, address(1))
		for range 10 {
			time.Sleep(time.Minute)
			ca, _ := settled(t, a, b)
			ca.Close(nil)
		}
	})
}

// An inbound connection is as good as one that we dialled.
func TestKeepIsContentWithInbound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := newHost(t, 1, n, nil)
		meetWire(t, n, 2, 1)
		a.rec.awaitWhat(t, "opened")
		a.Keep(idOf(2), "nowhere")
		before := n.dialled()
		time.Sleep(20 * time.Second)
		require.Equal(t, before, n.dialled())
	})
}

// The peer hangs up on our attempt because its own counts: ours succeeds when
// theirs has come to its end, and fails when that fails.
func TestConnectWaitsForWhoArrives(t *testing.T) {
	for _, inTime := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			n := newMemNet()
			h := newHost(t, 1, n, nil)
			acceptOnce(t, n.listen("refuser"), func(nc net.Conn) {
				answerWire(t, nc, 2)
				w := dialWire(t, n, 2, 1)
				require.IsType(t, &lnwire.Init{}, w.receive()) // theirs is authenticated, without init
				time.AfterFunc(time.Second, func() {
					if inTime {
						w.send(goodInit)
					} else {
						w.nc.Close()
					}
				})
			})
			c, err := h.Connect(t.Context(), idOf(2), "refuser", "nowhere")
			if !inTime {
				require.ErrorContains(t, err, "refuser")
				return
			}
			require.NoError(t, err)
			require.True(t, c.Inbound())
			require.Same(t, c, h.Conn(idOf(2)))
			require.Equal(t, 2, n.dialled(), "there is no need to go on to the next address")
		})
	}
}
