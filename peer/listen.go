package peer

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// halfOpen is an inbound connection that has not come to its init.
type halfOpen struct {
	nc    net.Conn
	from  netip.Prefix // zero when it is not limited by its address
	since time.Time
}

// halfOpenGrace is how long nobody is pushed out by others: an honest one needs about
// that. Else a crowd that comes quickly would leave nobody the time to shake hands.
const halfOpenGrace = time.Second

// acceptPause is how long the host waits when the system cannot accept, for
// instance for want of file descriptors.
const acceptPause = 100 * time.Millisecond

// Serve accepts connections until the listener or the host is closed, which is no
// error.
func (h *Host) Serve(l net.Listener) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		l.Close()
		return nil
	}
	h.listeners = append(h.listeners, l)
	h.mu.Unlock()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			if !h.spawn(func() { h.answer(nc) }) {
				nc.Close()
			}
		case h.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default:
			h.cfg.Log.Warn("cannot accept connections", "err", err)
			select {
			case <-time.After(acceptPause):
			case <-h.ctx.Done():
			}
		}
	}
}

// answer is the reading goroutine of an inbound connection.
func (h *Host) answer(nc net.Conn) {
	addr := nc.RemoteAddr().String()
	if err := h.enterHalfOpen(nc); err != nil {
		h.cfg.Log.Debug("inbound connection refused", "addr", addr, "err", err)
		nc.Close()
		return
	}
	nc.SetDeadline(time.Now().Add(h.cfg.Limits.Handshake))
	c, err := h.greet(h.ctx, nc, nil, addr)
	h.leaveHalfOpen(nc)
	if err != nil {
		h.cfg.Log.Debug("inbound connection failed", "addr", addr, "err", err)
		var dup *duplicate
		if errors.As(err, &dup) {
			// A peer that dials although it is connected may have lost the connection that we
			// keep: let that one show that it lives.
			dup.kept.probe()
		}
		return
	}
	h.run(c)
}

// enterHalfOpen counts a new connection. One address may have a few. When there
// are many in all, the oldest goes, if it has had its time: a stalled one wants to stay.
// Otherwise the new one is refused.
func (h *Host) enterHalfOpen(nc net.Conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrHostClosed
	}
	from, same := origin(nc.RemoteAddr()), 0
	for _, half := range h.halfOpen {
		if from.IsValid() && half.from == from {
			same++
		}
	}
	if same >= h.cfg.Limits.HalfOpenPerIP {
		return ErrHalfOpen
	}
	if len(h.halfOpen) >= h.cfg.Limits.HalfOpen {
		if time.Since(h.halfOpen[0].since) < halfOpenGrace {
			return ErrHalfOpen
		}
		h.halfOpen[0].nc.Close()
		h.halfOpen = slices.Delete(h.halfOpen, 0, 1)
	}
	h.halfOpen = append(h.halfOpen, halfOpen{nc, from, time.Now()})
	return nil
}

func (h *Host) leaveHalfOpen(nc net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.halfOpen = slices.DeleteFunc(h.halfOpen, func(half halfOpen) bool { return half.nc == nc })
}

// origin is what an address is limited by: an IPv4 address, or the /64 that one
// customer has of IPv6. Loopback is where the Tor daemon delivers everybody.
func origin(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if !ip.IsValid() || ip.IsLoopback() {
		return netip.Prefix{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
