package peer

import (
	"bytes"
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Host is the node's end of all its connections: it dials, accepts, and holds the
// table of who is connected, at most one connection for each peer [B1.peer.21].
type Host struct {
	cfg  Config
	self lnwire.PubKey

	ctx    context.Context // done when the host closes
	cancel context.CancelFunc
	wg     sync.WaitGroup
	kick   chan struct{} // wakes the keeper; holds one token
	lane   lane

	mu        sync.Mutex
	closed    bool
	conns     map[lnwire.PubKey]*Conn
	dialling  map[lnwire.PubKey]chan struct{} // closed when the attempt is over
	arriving  map[lnwire.PubKey]chan struct{} // inbound, authenticated; closed when init is over
	reaching  map[lnwire.PubKey]chan struct{} // outbound, act three is on its way; likewise
	listeners []net.Listener
	halfOpen  []halfOpen // in the order of their arrival
	kept      schedule
}

// NewHost starts a host; Close ends it. The error is about the configuration.
func NewHost(cfg Config) (*Host, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	h := &Host{
		cfg: cfg, self: lnwire.NewPubKey(cfg.Key.PubKey()), kick: make(chan struct{}, 1), lane: newLane(),
		conns: make(map[lnwire.PubKey]*Conn), dialling: make(map[lnwire.PubKey]chan struct{}),
		arriving: make(map[lnwire.PubKey]chan struct{}), reaching: make(map[lnwire.PubKey]chan struct{}),
		kept: newSchedule(cfg.Limits),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.spawn(h.keep)
	return h, nil
}

// spawn runs f unless the host is closed; Close waits for it.
func (h *Host) spawn(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.wg.Go(f)
	return true
}

// Conn is the living connection with a peer, or nil.
func (h *Host) Conn(id lnwire.PubKey) *Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.conns[id]; c != nil && !c.isEnding() {
		return c
	}
	return nil
}

// Conns lists the living connections, in the order of the peers' keys.
func (h *Host) Conns() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		if !c.isEnding() {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Conn) int { return bytes.Compare(a.id[:], b.id[:]) })
	return list
}

// Arriving lists the inbound peers whose key is proven and that are not in the table
// yet; the one that Admit is asked about is among them.
func (h *Host) Arriving() []lnwire.PubKey {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.arriving))
}

// Close ends everything: no connection, listener, attempt or goroutine is left
// when it returns. It waits for the Sink, and must not be called by it.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.cancel()
	for _, l := range h.listeners {
		l.Close()
	}
	for _, half := range h.halfOpen {
		half.nc.Close()
	}
	for _, c := range h.conns {
		c.Close(ErrHostClosed)
	}
	h.mu.Unlock()
	h.wg.Wait()
}

// place enters a connection whose init is read into the table, or refuses it with
// a *duplicate because the one that is there is kept.
func (h *Host) place(c *Conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrHostClosed
	}
	old := h.conns[c.id]
	if old != nil && !old.isEnding() {
		if h.keepsOld(old, c, time.Now()) {
			return &duplicate{old}
		}
		old.shut(ErrReplaced, 0)
	}
	c.prev = old
	h.conns[c.id] = c
	h.kept.opened(c.id, time.Now())
	return nil
}

// duplicate says that another connection with the peer is kept.
type duplicate struct{ kept *Conn }

func (*duplicate) Error() string { return ErrAlreadyConnected.Error() }

// keepsOld decides between two connections with the same peer. Both ends must come
// to the same verdict or both connections die. So, when both dialled at the same
// time, the connection is kept that the lesser key dialled, as everywhere in the
// network; otherwise the newer one, since a peer that dials again has lost the
// older, whatever we believe of it.
func (h *Host) keepsOld(old, c *Conn, now time.Time) bool {
	if old.inbound == c.inbound {
		return false
	}
	if !c.inbound {
		return h.lesserDialled(old) // theirs came while we dialled
	}
	atOnce := now.Sub(old.born) < h.cfg.Limits.Dial+h.cfg.Limits.Handshake
	return atOnce && h.lesserDialled(old)
}

// lesserDialled reports that of the two ends the one with the lesser key dialled.
func (h *Host) lesserDialled(c *Conn) bool {
	return c.inbound == (bytes.Compare(c.id[:], h.self[:]) < 0)
}

// run is the reading goroutine of a connection in the table, to its end.
func (h *Host) run(c *Conn) {
	if c.prev != nil {
		<-c.prev.done
		c.prev = nil
	}
	if c.isEnding() {
		c.windUp(errEnding)
	} else {
		c.log.Info("peer connected", "features", c.features.Bits())
		h.cfg.Sink.Opened(c)
		close(c.opened)
		c.windUp(c.readLoop())
		c.log.Info("peer disconnected", "reason", c.Err())
		h.cfg.Sink.Closed(c, c.Err())
	}
	h.remove(c)
	close(c.done)
}

func (h *Host) remove(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns[c.id] == c {
		delete(h.conns, c.id)
		h.kept.closed(c.id, time.Now(), h.cfg.Jitter())
		h.wake()
	}
}

// wake makes the keeper look at its schedule again.
func (h *Host) wake() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}
