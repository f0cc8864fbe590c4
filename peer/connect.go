package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// Connect dials a peer at its addresses (host:port), one after the other, and
// returns the connection when the Sink has it. If there is one already it is
// returned with ErrAlreadyConnected. Ctx bounds the attempt, not the connection.
func (h *Host) Connect(ctx context.Context, id lnwire.PubKey, addrs ...string) (*Conn, error) {
	remote, err := id.Parse()
	switch {
	case err != nil:
		return nil, fmt.Errorf("connect to %s: %w", id, err)
	case id == h.self:
		return nil, ErrSelf
	case len(addrs) == 0:
		return nil, fmt.Errorf("connect to %s: no address", id)
	}
	if !h.enter() {
		return nil, ErrHostClosed
	}
	defer h.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()

	c, finish, err := h.claim(ctx, id)
	if err != nil {
		return c, err
	}
	defer finish()
	var failures []error
	for _, addr := range addrs {
		c, err := h.dial(ctx, remote, addr)
		if err == nil {
			return c, nil
		}
		if c := h.arrived(ctx, id); c != nil {
			return c, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	if h.ctx.Err() != nil {
		return nil, ErrHostClosed
	}
	return nil, fmt.Errorf("connect to %s: %w", id, errors.Join(failures...))
}

// enter makes Close wait until wg.Done is called; false when the host is closed.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.wg.Add(1)
	}
	return !h.closed
}

// claim waits until nobody else dials the peer and gives the right to do so, until
// finish is called. Were one peer dialled twice at once, the two ends could keep
// different connections.
func (h *Host) claim(ctx context.Context, id lnwire.PubKey) (c *Conn, finish func(), err error) {
	for {
		c, wait, finish, err := h.tryClaim(id)
		if err != nil || finish != nil {
			return c, finish, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("connect to %s: %w", id, context.Cause(ctx))
		}
	}
}

func (h *Host) tryClaim(id lnwire.PubKey) (c *Conn, wait <-chan struct{}, finish func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, nil, ErrHostClosed
	}
	if c := h.conns[id]; c != nil {
		if c.isEnding() {
			return nil, c.done, nil, nil
		}
		return c, nil, nil, fmt.Errorf("%w: %s", ErrAlreadyConnected, c)
	}
	if wait := h.dialling[id]; wait != nil {
		return nil, wait, nil, nil
	}
	over := make(chan struct{})
	h.dialling[id] = over
	return nil, nil, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.dialling, id)
		close(over)
	}, nil
}

// arrived gives the connection that there is after all when an attempt of ours has
// failed: the peer hangs up on us when both dialled and its own dialling counts.
// Theirs is authenticated by then, and may be waiting for init.
func (h *Host) arrived(ctx context.Context, id lnwire.PubKey) *Conn {
	for {
		h.mu.Lock()
		c, wait := h.conns[id], h.arriving[id]
		h.mu.Unlock()
		switch {
		case c != nil && !c.isEnding():
			if c.ready(ctx) == nil {
				return c
			}
			return nil
		case wait == nil:
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil
		}
	}
}

// arrives notes an inbound connection whose key is proven; over is to be called
// when it is in the table, or failed.
func (h *Host) arrives(id lnwire.PubKey) (over func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	done := make(chan struct{})
	h.arriving[id] = done
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(done)
		if h.arriving[id] == done {
			delete(h.arriving, id)
		}
	}
}

// crossingWait is how long one of two attempts that cross waits for the other: some round
// trips over Tor. Half an attempt of the peer must not keep a whole one of ours away.
const crossingWait = 3 * time.Second

// reach notes that act three of our attempt is about to be written; reached ends that.
// The peer may have dialled at the same time, and be ahead: its connection is waited for
// while it arrives, and ours is given up for it, so that the two do not come one after
// the other and the channels lose the first.
func (h *Host) reach(ctx context.Context, id lnwire.PubKey) error {
	enough := time.After(crossingWait)
	for waits := true; ; {
		h.mu.Lock()
		c, other := h.conns[id], h.arriving[id]
		if c != nil && !c.isEnding() {
			h.mu.Unlock()
			return &duplicate{c}
		}
		if other == nil || !waits {
			h.reaching[id] = make(chan struct{}) // claim has seen to it that there is none
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-other:
		case <-enough:
			waits = false
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached ends what reach noted, if it did: the connection is in the table, or failed.
func (h *Host) reached(id lnwire.PubKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if over := h.reaching[id]; over != nil {
		close(over)
		delete(h.reaching, id)
	}
}

// giveWay lets a connection wait, before it is in the table, for the one the other way
// that is on its way and counts more. Where act three of both is written, each end knows
// of both: without this the one that is to go could be used for a moment.
func (h *Host) giveWay(ctx context.Context, c *Conn) {
	h.mu.Lock()
	other := h.reaching[c.id]
	if !c.inbound {
		other = h.arriving[c.id]
	}
	h.mu.Unlock()
	if other == nil || h.lesserDialled(c) {
		return
	}
	select {
	case <-other:
	case <-time.After(crossingWait):
	case <-ctx.Done():
	}
}

// dial makes one attempt at one address.
func (h *Host) dial(ctx context.Context, remote *btcec.PublicKey, addr string) (*Conn, error) {
	dialCtx, cancel := context.WithTimeout(ctx, h.cfg.Limits.Dial)
	defer cancel()
	nc, err := h.cfg.Dial(dialCtx, addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	nc.SetDeadline(time.Now().Add(h.cfg.Limits.Handshake))

	c, err := h.greet(ctx, nc, remote, addr)
	h.reached(lnwire.NewPubKey(remote))
	var dup *duplicate
	switch {
	case err == nil:
		h.wg.Go(func() { h.run(c) })
	case errors.As(err, &dup):
		c = dup.kept // theirs, which came meanwhile
	default:
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// greet takes a fresh socket, whose deadline is set, through handshake, admission
// and init, and into the table. Upon an error the socket is closed. Remote is nil
// for an inbound one.
func (h *Host) greet(ctx context.Context, nc net.Conn, remote *btcec.PublicKey, addr string) (*Conn, error) {
	c, err := h.authenticate(ctx, nc, remote, addr)
	if err != nil {
		nc.Close()
		return nil, err
	}
	if c.inbound {
		defer h.arrives(c.id)()
	}
	if err := h.cfg.Admit(c.id, nc.RemoteAddr(), c.inbound); err != nil {
		nc.Close()
		return nil, fmt.Errorf("not admitted: %w", err)
	}
	if err = c.meet(); err == nil {
		h.giveWay(ctx, c)
		err = c.settle(h.place)
	}
	if err != nil {
		c.windUp(err)
		return nil, err
	}
	return c, nil
}

// authenticate is the part before anything of ours but keys has been sent.
func (h *Host) authenticate(ctx context.Context, nc net.Conn, remote *btcec.PublicKey, addr string) (*Conn, error) {
	inbound := remote == nil
	var session *noise.Session
	var err error
	if inbound {
		session, err = respond(nc, h.cfg.Key, h.inLane)
	} else {
		session, err = initiate(nc, h.cfg.Key, remote, func() error { return h.reach(ctx, lnwire.NewPubKey(remote)) })
	}
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	c := newConn(h, nc, session, addr, inbound)
	if c.id == h.self {
		return nil, ErrSelf
	}
	return c, nil
}
