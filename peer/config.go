package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// Sink takes what connections bring. For each connection Opened comes first, then
// Messages, then Closed once and last, all from that connection's goroutine; for
// one peer the Closed of a connection precedes the Opened of the next. None of
// them may wait for a connection or the host to end.
type Sink interface {
	// Opened announces a connection on which both init messages are exchanged.
	Opened(c *Conn)
	// Message delivers a message; while it does not return nothing more is read.
	// Pings, pongs and init are not delivered, errors and warnings are. An unknown
	// odd type comes as *lnwire.Unknown and may be ignored.
	Message(c *Conn, m lnwire.Message)
	// Paused follows a Message, or several that came together, when the next one has
	// to be waited for. When the connection ends it may be left out.
	Paused(c *Conn)
	// Closed says why the connection ended; err is never nil.
	Closed(c *Conn, err error)
}

// Dialer reaches host:port. The default is TCP; one that goes through a proxy
// takes its place for Tor.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Config is what a Host needs. Key, Features, Networks and Sink are required.
type Config struct {
	Key      noise.ECDH       // the node's static key
	Features lnwire.Features  // what we offer in init
	Networks []chainhash.Hash // the chains that we are on, by their genesis
	Sink     Sink

	// Admit may refuse a peer whose key is proven, before init: it is the place for
	// limits by address and on peers without a channel. Nil admits everybody.
	Admit func(id lnwire.PubKey, addr net.Addr, inbound bool) error
	// Guest reports that an inbound peer has no claim to be read before others: guests
	// take turns. Nil: nobody is one.
	Guest func(id lnwire.PubKey) bool
	// Dial reaches a peer; nil is plain TCP.
	Dial Dialer
	// Jitter draws from [0, 1) to spread reconnections; nil is math/rand.
	Jitter func() float64
	Log    *slog.Logger // nil is silent
	Limits Limits       // zero fields take the default
}

// Limits are the times and sizes that bound a connection.
type Limits struct {
	Dial      time.Duration // to reach an address (30 s)
	Handshake time.Duration // from the first byte to the peer's init (15 s)
	Ping      time.Duration // between two pings (1 min)
	Pong      time.Duration // of silence after a ping, until we hang up (30 s)
	Write     time.Duration // for one write to be taken by the network (30 s)
	Linger    time.Duration // for last words when we close (2 s)

	Backlog       int // bytes of unsent channel messages that end the connection (8 MiB)
	GossipBacklog int // bytes of unsent gossip above which Send says no (256 KiB)
	HalfOpen      int // inbound connections before their init; more push out the oldest, or are refused (128)
	HalfOpenPerIP int // of these from one IPv4 address or IPv6 /64; more are refused (8)

	Dials      int           // persistent peers that are dialled at the same time (16)
	MinBackoff time.Duration // until the first reconnection (1 s)
	MaxBackoff time.Duration // between reconnections (1 h)
	Stable     time.Duration // after which a connection that ends starts over at MinBackoff (10 min)
}

// or gives the value, or the default when it is not set.
func or[T int | time.Duration](v *T, fallback T) {
	if *v == 0 {
		*v = fallback
	}
}

func (l Limits) withDefaults() Limits {
	or(&l.Dial, 30*time.Second)
	or(&l.Handshake, 15*time.Second)
	or(&l.Ping, time.Minute)
	or(&l.Pong, 30*time.Second)
	or(&l.Write, 30*time.Second)
	or(&l.Linger, 2*time.Second)
	or(&l.Backlog, 8<<20)
	or(&l.GossipBacklog, 256<<10)
	or(&l.HalfOpen, 128)
	or(&l.HalfOpenPerIP, 8)
	or(&l.Dials, 16)
	or(&l.MinBackoff, time.Second)
	or(&l.MaxBackoff, time.Hour)
	or(&l.Stable, 10*time.Minute)
	return l
}

// complete checks the configuration and fills in the defaults.
func (c Config) complete() (Config, error) {
	switch {
	case c.Key == nil:
		return c, errors.New("peer config: no key")
	case c.Sink == nil:
		return c, errors.New("peer config: no sink")
	case len(c.Networks) == 0:
		return c, errors.New("peer config: no network")
	}
	// B1.peer.1: the bits of our init are those of BOLT 9 and no others.
	if err := c.Features.CheckOurs(lnwire.InInit); err != nil {
		return c, fmt.Errorf("peer config: %w", err)
	}
	c.Features = bytes.Clone(c.Features)
	c.Networks = slices.Clone(c.Networks)
	c.Limits = c.Limits.withDefaults()
	if c.Admit == nil {
		c.Admit = func(lnwire.PubKey, net.Addr, bool) error { return nil }
	}
	if c.Guest == nil {
		c.Guest = func(lnwire.PubKey) bool { return false }
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
