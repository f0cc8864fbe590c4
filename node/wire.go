package node

import (
	"context"
	"net"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// Host is what the node needs of whoever keeps its connections: a peer.Host, or the wire
// of a simulated world.
type Host interface {
	// Conn is the living connection with a peer, or nil. Conns are all of them, in the
	// order of the peers' keys, Arriving the peers whose connections are about to be.
	Conn(lnwire.PubKey) Conn
	Conns() []Conn
	Arriving() []lnwire.PubKey
	// Connect dials a peer; the error may be peer.ErrAlreadyConnected.
	Connect(ctx context.Context, id lnwire.PubKey, addrs ...string) (Conn, error)
	// Keep dials a peer whenever it is away, until Forget. Kept says that it does.
	Keep(id lnwire.PubKey, addrs ...string)
	Forget(lnwire.PubKey)
	Kept(lnwire.PubKey) bool
	// Serve accepts peers until the listener or the host closes.
	Serve(net.Listener) error
	Close()
}

// Conn is what the node needs of a connection, as peer.Conn has it.
type Conn interface {
	PubKey() lnwire.PubKey
	Addr() string
	Inbound() bool
	Init() *lnwire.Init
	Features() lnwire.Features
	Negotiated(lnwire.Bit) bool
	Send(peer.Priority, ...lnwire.Message) bool
	Drained() <-chan struct{}
	Close(reason error)
	Done() <-chan struct{}
	Err() error
	Stats() peer.Stats
}

// Sink is peer.Sink for any kind of connection: it takes what connections bring.
type Sink interface {
	Opened(Conn)
	Message(Conn, lnwire.Message)
	Paused(Conn)
	Closed(Conn, error)
}

// Wire makes the Host of a node. The Sink of the Config is not set: it is the second
// argument.
type Wire func(peer.Config, Sink) (Host, error)

// realWire connects by TCP, or whatever the Config dials with.
func realWire(cfg peer.Config, s Sink) (Host, error) {
	cfg.Sink = peerSink{s}
	h, err := peer.NewHost(cfg)
	if err != nil {
		return nil, err
	}
	return peerHost{h}, nil
}

// peerSink is a Sink as a peer.Host knows it.
type peerSink struct{ s Sink }

func (p peerSink) Opened(c *peer.Conn)                    { p.s.Opened(c) }
func (p peerSink) Message(c *peer.Conn, m lnwire.Message) { p.s.Message(c, m) }
func (p peerSink) Paused(c *peer.Conn)                    { p.s.Paused(c) }
func (p peerSink) Closed(c *peer.Conn, err error)         { p.s.Closed(c, err) }

// peerHost is a peer.Host as a Host.
type peerHost struct{ *peer.Host }

func (h peerHost) Conn(id lnwire.PubKey) Conn {
	if c := h.Host.Conn(id); c != nil {
		return c
	}
	return nil
}

func (h peerHost) Conns() []Conn {
	list := h.Host.Conns()
	out := make([]Conn, len(list))
	for i, c := range list {
		out[i] = c
	}
	return out
}

func (h peerHost) Connect(ctx context.Context, id lnwire.PubKey, addrs ...string) (Conn, error) {
	c, err := h.Host.Connect(ctx, id, addrs...)
	if err != nil {
		return nil, err
	}
	return c, nil
}
