package peer

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// Conn is a connection with an authenticated peer. Its methods may be called from
// any goroutine and none of them blocks.
type Conn struct {
	host    *Host
	cfg     *Config
	log     *slog.Logger
	nc      net.Conn
	id      lnwire.PubKey
	addr    string
	inbound bool
	born    time.Time

	theirs   *lnwire.Init // written before the connection is given to anyone
	features lnwire.Features

	// Of the reading goroutine.
	opener *noise.Opener
	in     *bufio.Reader
	header [noise.HeaderLen]byte
	frame  []byte
	pings  allowance
	talk   allowance
	passed bool // a message was passed on, and no pause told
	guest  bool
	asked  int   // messages until it is looked up again whether it is a guest
	prev   *Conn // the connection that this one replaces

	// Of the writing goroutine.
	sealer  *noise.Sealer
	written chan struct{} // closed when it has ended

	out       *queue
	pulse     pulse
	met       atomic.Bool // init came, and was acceptable
	askPing   atomic.Bool
	listening atomic.Bool            // the reading goroutine waits for the network
	heard     atomic.Int64           // when it last got something, in nanoseconds after born
	resumed   atomic.Int64           // when the Sink last gave it back, likewise
	spoke     atomic.Int64           // when something was last written, likewise
	lastPing  atomic.Pointer[[]byte] // what the peer's last ping carried
	received  atomic.Uint64
	sent      atomic.Uint64

	opened chan struct{} // closed when the Sink has taken the connection
	done   chan struct{} // closed when all is over

	mu      sync.Mutex
	err     error         // why it ends
	ending  chan struct{} // closed when err is set
	closeBy time.Time
}

func newConn(h *Host, nc net.Conn, s *noise.Session, addr string, inbound bool) *Conn {
	id := lnwire.NewPubKey(s.Remote)
	now, cfg := time.Now(), &h.cfg
	c := &Conn{
		host: h, cfg: cfg, nc: nc, id: id, addr: addr, inbound: inbound, born: now,
		log:    cfg.Log.With("peer", id.String(), "addr", addr, "inbound", inbound),
		opener: s.Opener, sealer: s.Sealer,
		pings:   allowance{burst: pingBurst, refill: pingRefill},
		talk:    allowance{burst: talkBurst, refill: talkRefill},
		out:     newQueue(cfg.Limits),
		pulse:   pulse{every: cfg.Limits.Ping, patience: cfg.Limits.Pong, last: now},
		written: make(chan struct{}), opened: make(chan struct{}),
		done: make(chan struct{}), ending: make(chan struct{}),
	}
	c.in = bufio.NewReaderSize(meter{c}, readBuffer)
	return c
}

// PubKey is the peer's static key, proven.
func (c *Conn) PubKey() lnwire.PubKey { return c.id }

// Addr is where the peer is: the address that was dialled, or the one that an
// inbound connection came from.
func (c *Conn) Addr() string { return c.addr }

// Inbound reports that the peer dialled us.
func (c *Conn) Inbound() bool { return c.inbound }

// String is the peer as its users write it: key@host:port.
func (c *Conn) String() string { return c.id.String() + "@" + c.addr }

// Init is what the peer said first. It must not be changed.
func (c *Conn) Init() *lnwire.Init { return c.theirs }

// Features is what the peer offers, both fields of its init or-ed.
func (c *Conn) Features() lnwire.Features { return c.features }

// Negotiated reports a feature that may be used on this connection: both sides
// offer it, or we require it and the peer did not hang up over that.
func (c *Conn) Negotiated(bit lnwire.Bit) bool {
	ours := c.cfg.Features
	return ours.Requires(bit) || ours.HasEither(bit) && c.features.HasEither(bit)
}

// Send queues messages to be written next to each other, and says whether it did.
// It does not block, and keeps nothing of them.
//
// Gossip is refused while more of it waits than its budget: wait for Drained and
// try again. Channel messages are never refused on a living connection; when
// their budget is exceeded, or one of them cannot be encoded, the connection
// ends. On an ended connection everything is refused.
func (c *Conn) Send(p Priority, msgs ...lnwire.Message) bool {
	err := c.out.push(p, msgs)
	switch err {
	case nil:
		c.trace("sends", msgs...)
		return true
	case errBusy, errQueueOff:
	case ErrBacklog:
		c.shut(err, 0)
	default:
		c.log.Error("message cannot be sent", "err", err)
		c.Close(err)
	}
	return false
}

// levelTrace is that of each message by itself.
const levelTrace = slog.LevelDebug - 4

// trace logs which messages go by, but nothing of what is in them: that may be a secret.
func (c *Conn) trace(what string, msgs ...lnwire.Message) {
	if !c.log.Enabled(context.Background(), levelTrace) {
		return
	}
	for _, m := range msgs {
		c.log.Log(context.Background(), levelTrace, what, "type", m.Type())
	}
}

// Drained is closed when gossip may be sent again, or the connection has ended:
// look at Done, too.
func (c *Conn) Drained() <-chan struct{} { return c.out.drained() }

// Close ends the connection for the reason given, nil meaning ErrClosed. Channel
// messages already queued are still written, for a short time; nothing more is
// delivered to the Sink but Closed, except for a Message that is under way.
func (c *Conn) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	c.shut(reason, c.cfg.Limits.Linger)
}

// Done is closed when the connection has ended and the Sink knows.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection ends; nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stats are the counters of a connection.
type Stats struct {
	Since                time.Time     // when it began
	BytesSent, BytesRead uint64        // on the wire, handshake excluded
	LastSent, LastRead   time.Time     // when bytes last went and came; zero for never
	PingTime             time.Duration // of the last ping that was answered; 0 for none
	Queued               int           // bytes of channel messages that wait
	GossipQueued         int
	// PingPayload is what the peer's last ping carried, up to 4096 bytes of it; nil: it did
	// not ping. It must not be changed.
	PingPayload []byte
}

// Stats reads the counters.
func (c *Conn) Stats() Stats {
	channel, gossip := c.out.waiting()
	var ping []byte
	if p := c.lastPing.Load(); p != nil {
		ping = *p
	}
	return Stats{
		PingPayload: ping,
		Since:       c.born, BytesSent: c.sent.Load(), BytesRead: c.received.Load(),
		LastSent: c.at(&c.spoke), LastRead: c.at(&c.heard), PingTime: c.pulse.roundTrip(),
		Queued: channel, GossipQueued: gossip,
	}
}

func (c *Conn) at(mark *atomic.Int64) time.Time {
	if d := mark.Load(); d != 0 {
		return c.born.Add(time.Duration(d))
	}
	return time.Time{}
}

// mark notes that something happens now.
func (c *Conn) mark(mark *atomic.Int64) { mark.Store(int64(max(1, time.Since(c.born)))) }

// probe asks for a ping now.
func (c *Conn) probe() {
	c.askPing.Store(true)
	c.out.signal()
}

// shut begins the end, once: the first reason counts. What is queued may be
// written, and last words of the peer's are awaited, for as long as linger.
func (c *Conn) shut(reason error, linger time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = reason
	c.closeBy = time.Now().Add(linger)
	c.nc.SetDeadline(c.closeBy)
	c.out.close()
	close(c.ending)
}

// ready waits until the Sink has the connection.
func (c *Conn) ready(ctx context.Context) error {
	select {
	case <-c.opened:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle lets a connection that was placed live without the deadline of its
// beginning.
func (c *Conn) settle(place func(*Conn) error) error {
	if err := place(c); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.nc.SetReadDeadline(time.Time{})
	}
	return nil
}

func (c *Conn) isEnding() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}
