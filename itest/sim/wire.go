package sim

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"net"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/peer"
)

// edge is a pair of nodes that want to be connected.
type edge struct {
	a, b    *home
	conn    *conn // a's end of the living connection
	barred  bool  // nobody connects
	dialled bool  // an attempt is due
	said    int   // messages that were sent over it
}

// host is a node's end of its connections: node.Host.
type host struct {
	l      *life
	cfg    peer.Config
	sink   node.Sink
	conns  map[lnwire.PubKey]*conn
	kept   map[lnwire.PubKey]bool
	closed bool
}

// conn is one end of a connection: node.Conn. What the other end sends comes in the
// lane that the two nodes have for each other: connections of a pair follow each other.
type conn struct {
	host    *host
	other   *conn
	lane    *lane // for what comes in
	inbound bool
	init    *lnwire.Init
	done    chan struct{}
	opened  bool
	err     error // why it ends, as the node knows
	cut     bool  // what is sent goes nowhere
	waits   int   // messages in the lane
	loses   int   // of those, how many at the end do not arrive
	edge    *edge
}

// maxWaiting is more than ever waits for a node that is slow.
const maxWaiting = 2000

var errCut = errors.New("connection reset by peer")

// connect makes a connection of an edge, if both nodes are there and have none.
func (w *World) connect(e *edge) {
	e.dialled = false
	a, b := e.a.life, e.b.life
	if e.barred || e.conn != nil || a == nil || b == nil || !a.open || !b.open || a.dead || b.dead {
		return
	}
	x, y := newConn(a.host, e.b, false), newConn(b.host, e.a, true)
	x.other, y.other, x.edge, y.edge = y, x, e, e
	e.conn = x
	for _, c := range []*conn{x, y} {
		init := &lnwire.Init{Features: c.other.host.cfg.Features, Networks: []chainhash.Hash{*params.GenesisHash}}
		c.init = carry(init).(*lnwire.Init)
		w.push(c.lane, c.open)
	}
}

// redial has an edge connected again after a while.
func (w *World) redial(e *edge) {
	if !e.dialled {
		e.dialled = true
		w.after(time.Duration(w.rng.IntN(50_000_000)), func() { w.connect(e) })
	}
}

func newConn(h *host, to *home, inbound bool) *conn {
	return &conn{host: h, lane: h.l.mail(to), inbound: inbound, done: make(chan struct{})}
}

// carry encodes a message and decodes it again.
func carry(m lnwire.Message) lnwire.Message {
	b, err := lnwire.Marshal(m)
	if err != nil {
		panic(err)
	}
	m, err = lnwire.Unmarshal(b)
	if err != nil {
		panic(err)
	}
	return m
}

func (c *conn) world() *World { return c.host.l.w }

func (c *conn) open() {
	if c.err != nil {
		return
	}
	if c.host.closed {
		c.Close(peer.ErrHostClosed)
		return
	}
	c.opened = true
	c.host.conns[c.PubKey()] = c
	c.host.sink.Opened(c)
}

// end tells the node that the connection is over.
func (c *conn) end() {
	select {
	case <-c.done:
		return
	default:
	}
	if c.err == nil {
		c.err = errCut
	}
	c.cut = true
	if c.host.conns[c.PubKey()] == c {
		delete(c.host.conns, c.PubKey())
	}
	if c.opened {
		c.host.sink.Closed(c, c.err)
	}
	close(c.done)
	w := c.world()
	for _, e := range w.edges {
		if e.conn == c || e.conn == c.other {
			e.conn = nil
			w.redial(e)
		}
	}
}

// sever cuts a connection: of what is under way, each end still gets the first so many
// messages.
func (w *World) sever(e *edge, first [2]int) {
	c := e.conn
	if c == nil {
		return
	}
	e.conn = nil
	for i, x := range []*conn{c, c.other} {
		x.cut = true
		x.loses = max(0, x.waits-first[i])
		w.push(x.lane, x.end)
	}
	w.redial(e)
}

// Send is node.Conn's.
func (c *conn) Send(_ peer.Priority, msgs ...lnwire.Message) bool {
	if c.err != nil {
		return false
	}
	for _, m := range msgs {
		b, err := lnwire.Marshal(m)
		if err != nil {
			c.Close(err)
			return false
		}
		if c.host.l.dead {
			continue
		}
		c.edge.said++
		c.world().note(c.host.l.home.name+" "+m.Type().String(), sum(b))
		c.world().shadow(c.host.l, m)
		o := c.other
		if c.cut || o.host.l.dead {
			continue
		}
		if o.waits++; o.waits > maxWaiting {
			c.world().fail("I10: %d messages wait for %s", o.waits, o.host.l.home.name)
		}
		c.world().push(o.lane, func() { o.deliver(b) })
	}
	return true
}

func sum(b []byte) uint64 { return uint64(crc32.ChecksumIEEE(b)) }

// deliver hands a message to the node, and sometimes those behind it as well.
func (c *conn) deliver(b []byte) {
	c.take(b)
	if c.err == nil {
		c.host.sink.Paused(c)
	}
}

func (c *conn) take(b []byte) {
	c.waits--
	if c.err != nil || c.waits < c.loses {
		return
	}
	m, err := lnwire.Unmarshal(b)
	if err != nil {
		c.world().fail("%s sent what cannot be read: %v", c.other.host.l.home.name, err)
		return
	}
	c.host.sink.Message(c, m)
}

// Close is node.Conn's.
func (c *conn) Close(reason error) {
	if c.err != nil {
		return
	}
	if reason == nil {
		reason = peer.ErrClosed
	}
	c.world().say("%s hangs up: %v", c.host.l.home.name, reason)
	c.err, c.cut = reason, true
	c.world().push(c.lane, c.end)
	if o := c.other; !o.host.l.dead {
		o.cut = true
		c.world().push(o.lane, o.end)
	}
}

// PubKey and the following are node.Conn's.
func (c *conn) PubKey() lnwire.PubKey     { return c.other.host.l.home.id }
func (c *conn) Addr() string              { return c.other.host.l.home.name + ":9735" }
func (c *conn) Inbound() bool             { return c.inbound }
func (c *conn) Init() *lnwire.Init        { return c.init }
func (c *conn) Features() lnwire.Features { return c.init.Features }
func (c *conn) Done() <-chan struct{}     { return c.done }
func (c *conn) Err() error                { return c.err }
func (c *conn) Stats() peer.Stats         { return peer.Stats{} }
func (c *conn) Drained() <-chan struct{}  { return always }

var always = closed()

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Negotiated is node.Conn's.
func (c *conn) Negotiated(bit lnwire.Bit) bool {
	ours := c.host.cfg.Features
	return ours.Requires(bit) || ours.HasEither(bit) && c.Features().HasEither(bit)
}

// wire is node.Wire: it makes the host of a life.
func (l *life) wire(cfg peer.Config, s node.Sink) (node.Host, error) {
	l.host = &host{l: l, cfg: cfg, sink: s, conns: map[lnwire.PubKey]*conn{}, kept: map[lnwire.PubKey]bool{}}
	return l.host, nil
}

// Conn is node.Host's.
func (h *host) Conn(id lnwire.PubKey) node.Conn {
	if c := h.conns[id]; c != nil && c.err == nil {
		return c
	}
	return nil
}

// Conns is node.Host's.
func (h *host) Conns() (list []node.Conn) {
	for _, c := range h.conns {
		if c.err == nil {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b node.Conn) int {
		x, y := a.PubKey(), b.PubKey()
		return bytes.Compare(x[:], y[:])
	})
	return list
}

// Connect is node.Host's: nodes of a simulated world are connected by its edges.
func (h *host) Connect(context.Context, lnwire.PubKey, ...string) (node.Conn, error) {
	return nil, errors.New("there is no way")
}

// Keep and the following are node.Host's.
func (h *host) Keep(id lnwire.PubKey, _ ...string) { h.kept[id] = true }
func (h *host) Forget(id lnwire.PubKey)            { delete(h.kept, id) }
func (h *host) Kept(id lnwire.PubKey) bool         { return h.kept[id] }
func (h *host) Arriving() []lnwire.PubKey          { return nil }
func (h *host) Serve(net.Listener) error           { return net.ErrClosed }

// Close is node.Host's.
func (h *host) Close() {
	if h.closed {
		return
	}
	h.closed = true
	for _, c := range h.Conns() {
		c := c.(*conn)
		c.cut = true
		if o := c.other; !o.host.l.dead {
			o.cut = true
			c.world().push(o.lane, o.end)
		}
		c.err = peer.ErrHostClosed
		c.end()
	}
}
