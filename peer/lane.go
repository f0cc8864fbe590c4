package peer

import (
	"context"
	"time"
)

// laneSlice is how long the lane is used before it rests for as long.
const laneSlice = time.Millisecond

// lane is where guests take their turns: at a time one of them has its messages
// decrypted and decoded, or its handshake answered, and all of them together get half of
// one processor. Without it a crowd of them that never falls silent stands between every
// two steps of a payment, since the scheduler treats all goroutines alike (V-44, V-49).
// While a guest takes its time on the wire it is not in the lane.
type lane struct {
	turn chan time.Duration // holds how long it was used since its last rest, or it is taken
}

func newLane() lane {
	l := lane{turn: make(chan time.Duration, 1)}
	l.turn <- 0
	return l
}

// enter waits for the turn and gives what ends it; false when ctx is done before.
func (l lane) enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case used := <-l.turn:
		start := time.Now()
		return func() { l.leave(used + time.Since(start)) }, true
	case <-ctx.Done():
		return nil, false
	}
}

func (l lane) leave(used time.Duration) {
	if used < laneSlice {
		l.turn <- used
		return
	}
	time.AfterFunc(used, func() { l.turn <- 0 })
}

// inLane does something when it is its turn; the error says that the host closes.
func (h *Host) inLane(f func()) error {
	leave, ok := h.lane.enter(h.ctx)
	if !ok {
		return ErrHostClosed
	}
	defer leave()
	f()
	return nil
}

// askAgain is after how many messages it is looked up again whether a peer is a guest.
const askAgain = 64

// isGuest reports that the peer dialled us and has no claim to be read before others.
func (c *Conn) isGuest() bool {
	if !c.inbound {
		return false
	}
	if c.asked--; c.asked < 0 {
		c.guest, c.asked = c.cfg.Guest(c.id), askAgain
	}
	return c.guest
}
