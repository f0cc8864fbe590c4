package peer

import (
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Keep makes a peer persistent: whenever it is not connected it is dialled at its
// addresses (host:port), at once the first time, then with growing waits. Called
// again it replaces the addresses; without any it does nothing.
func (h *Host) Keep(id lnwire.PubKey, addrs ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == h.self || len(addrs) == 0 {
		return
	}
	c := h.conns[id]
	h.kept.keep(id, addrs, c != nil, time.Now())
	h.wake()
}

// Forget ends what Keep began. A connection stays.
func (h *Host) Forget(id lnwire.PubKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept.forget(id)
}

// Kept reports that the peer is persistent.
func (h *Host) Kept(id lnwire.PubKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept.peers[id] != nil
}

// keep is the keeper's goroutine: it starts the attempts that are due.
func (h *Host) keep() {
	for {
		h.mu.Lock()
		dial, next := h.kept.due(time.Now(), h.cfg.Limits.Dials)
		h.mu.Unlock()
		for _, p := range dial {
			h.spawn(func() { h.attempt(p) })
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-due:
		case <-h.kick:
		case <-h.ctx.Done():
			return
		}
	}
}

// attempt dials a persistent peer once at each of its addresses.
func (h *Host) attempt(p keptPeer) {
	_, err := h.Connect(h.ctx, p.id, p.addrs...)
	if err != nil {
		h.cfg.Log.Debug("persistent peer not reached", "peer", p.id.String(), "err", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Where there is a connection after all, this changes nothing.
	h.kept.failed(p.id, time.Now(), h.cfg.Jitter())
	h.wake()
}
