package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

const (
	// readBuffer holds several common messages, so that a burst of them costs one
	// read.
	readBuffer = 8 << 10

	// A peer may ping often for a while, and for ever at a slower pace. A long pong counts
	// for several: it waits in our memory until the peer reads it.
	pingBurst  = 64
	pingRefill = time.Second / 4
	pongShare  = 4096 // bytes of a pong that count for a ping more

	// Of a peer's errors and warnings as many are logged as a human would read.
	talkBurst  = 16
	talkRefill = 10 * time.Second

	// maxPayload is how much is kept of what a ping carries. lnd's have a block's header.
	maxPayload = 4096

	// maxPong is the longest pong that may be asked for; from 65532 on a ping wants
	// no answer.
	maxPong = 65531
)

// errEnding stops the read loop of a connection that we end ourselves.
var errEnding = errors.New("connection is ending")

// meter reads from the socket, when all that was read before is used up, and notes
// that the peer is alive.
type meter struct{ c *Conn }

func (m meter) Read(b []byte) (int, error) {
	if m.c.passed {
		m.c.passed = false
		m.c.cfg.Sink.Paused(m.c)
	}
	n, err := m.c.nc.Read(b)
	if n > 0 {
		m.c.received.Add(uint64(n))
		m.c.mark(&m.c.heard)
	}
	return n, err
}

// readMessage reads one frame and decodes it.
func (c *Conn) readMessage() (lnwire.Message, error) {
	if _, err := io.ReadFull(c.in, c.header[:]); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	n, err := c.opener.Length(c.header[:])
	if err != nil {
		return nil, err
	}
	c.frame = slices.Grow(c.frame[:0], n+noise.TagLen)[:n+noise.TagLen]
	if _, err := io.ReadFull(c.in, c.frame); err != nil {
		return nil, fmt.Errorf("read: cut off: %w", err)
	}
	if !c.isGuest() {
		return c.decode()
	}
	var m lnwire.Message
	if off := c.host.inLane(func() { m, err = c.decode() }); off != nil {
		return nil, off
	}
	return m, err
}

// decode opens and decodes the frame that was read.
func (c *Conn) decode() (lnwire.Message, error) {
	plain, err := c.opener.Open(c.frame)
	if err != nil {
		return nil, err
	}
	m, err := lnwire.Unmarshal(plain)
	if err != nil {
		// B1.peer.14: a message too short for its contents, or with an extension that is
		// none, ends the connection.
		return nil, violation("%v", err)
	}
	return m, nil
}

// readLoop delivers messages until the connection ends.
func (c *Conn) readLoop() error {
	for {
		c.listening.Store(true)
		m, err := c.readMessage()
		if err != nil {
			return err
		}
		c.listening.Store(false)
		if c.isEnding() {
			return errEnding
		}
		c.trace("received", m)
		if err := c.take(m); err != nil {
			return err
		}
		// What the peer sent meanwhile is not read yet: its silence begins now.
		c.mark(&c.resumed)
	}
}

// take answers what belongs to the connection and passes on the rest.
func (c *Conn) take(m lnwire.Message) error {
	switch m := m.(type) {
	case *lnwire.Ping:
		return c.takePing(m)
	case *lnwire.Pong:
		c.pulse.pong(time.Now(), len(m.Padding))
		return nil
	case *lnwire.Init:
		return violation("second init")
	case *lnwire.Unknown:
		// B1.peer.15: an unknown even type ends the connection.
		// B1.peer.16: an unknown odd type does not; who asked for such may have it.
		if !m.MsgType.IsOdd() {
			return violation("unknown even message type %d", m.MsgType)
		}
	case *lnwire.Error, *lnwire.Warning:
		if c.talk.spend(time.Now(), 1) {
			c.log.Warn("peer complains", "type", m.Type(), "text", Text(m))
		}
	}
	c.cfg.Sink.Message(c, m)
	c.passed = true
	return nil
}

// takePing answers with as many zeros as are asked for [B1.peer.17]: nothing of
// ours can leak in them [B1.peer.13]. A ping that asks for more than a pong can
// hold wants no answer [B1.peer.18].
func (c *Conn) takePing(m *lnwire.Ping) error {
	wanted := m.NumPongBytes <= maxPong
	cost := 1.0
	if wanted {
		cost += float64(m.NumPongBytes) / pongShare
	}
	if !c.pings.spend(time.Now(), cost) {
		return violation("ping flood")
	}
	payload := bytes.Clone(m.Padding[:min(len(m.Padding), maxPayload)])
	c.lastPing.Store(&payload)
	if wanted {
		c.Send(Channel, &lnwire.Pong{Padding: make([]byte, m.NumPongBytes)})
	}
	return nil
}

// meet exchanges init. Ours goes first of all; nothing else is sent before theirs
// has come, since nobody has the connection until then [B1.peer.19]: no ping, and
// no warning either. It starts the writing goroutine; windUp must follow, sooner
// or later.
func (c *Conn) meet() error {
	if err := c.out.push(Channel, []lnwire.Message{ourInit(c.cfg, c.nc, c.inbound)}); err != nil {
		close(c.written)
		return err
	}
	go c.writeLoop()
	m, err := c.readMessage()
	if err != nil {
		return err
	}
	theirs, ok := m.(*lnwire.Init)
	if !ok {
		// B1.peer.20: what comes before init is not looked at.
		return violation("%s before init", m.Type())
	}
	c.theirs, c.features = theirs, theirs.AllFeatures()
	if err := checkInit(c.cfg, theirs); err != nil {
		return err
	}
	c.met.Store(true)
	c.probe() // how far away it is, from the start
	return nil
}

// windUp ends the connection for the reason err and returns when both directions
// are closed and the writing goroutine is gone.
func (c *Conn) windUp(err error) {
	var v *Violation
	if errors.As(err, &v) && c.theirs != nil {
		c.Send(Channel, v.warning())
		c.Close(err)
	} else {
		c.shut(err, 0)
	}
	io.Copy(io.Discard, c.nc) // until the peer has read us to the end, or closeBy
	<-c.written
	c.nc.Close()
}
