package peer

import (
	"fmt"
	"time"
)

// writeChunk is how many sealed bytes are collected before they are written.
const writeChunk = 64 << 10

// writeLoop is the writing goroutine. It takes all that waits and writes it, and
// when nothing waits it sleeps until there is something, or a ping is due. It ends
// when the connection does and what may still be written is.
func (c *Conn) writeLoop() {
	defer close(c.written)
	timer := time.NewTimer(c.cfg.Limits.Ping)
	defer timer.Stop()
	var batch, sealed []byte
	for {
		var more bool
		var err error
		batch, more = c.out.take(batch)
		switch {
		case len(batch) > 0:
			if sealed, err = c.write(sealed[:0], batch); err != nil {
				c.shut(fmt.Errorf("write: %w", err), 0)
				return
			}
			select {
			case <-timer.C:
				c.beat(timer)
			default:
			}
		case !more:
			c.hangUp()
			return
		default:
			select {
			case <-c.out.wake:
				if c.askPing.Load() {
					c.beat(timer)
				}
			case <-timer.C:
				c.beat(timer)
			}
		}
	}
}

// write seals the messages of a batch and writes them, in one piece unless they
// are many. It gives its buffer back for reuse.
func (c *Conn) write(sealed, batch []byte) ([]byte, error) {
	for len(batch) > 0 {
		msg, _, rest := nextWaiting(batch)
		var err error
		if sealed, err = c.sealer.Append(sealed, msg); err != nil {
			return nil, err
		}
		if batch = rest; len(sealed) < writeChunk && len(batch) > 0 {
			continue
		}
		c.giveTime()
		n, err := c.nc.Write(sealed)
		c.sent.Add(uint64(n))
		if err != nil {
			return nil, err
		}
		c.mark(&c.spoke)
		sealed = sealed[:0]
	}
	return sealed, nil
}

// giveTime sets the time that the next write may take, unless the connection ends
// and its last moment is fixed.
func (c *Conn) giveTime() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.nc.SetWriteDeadline(time.Now().Add(c.cfg.Limits.Write))
	}
}

// hangUp tells the peer that nothing more will come. Where only our direction can
// be closed the other stays open for a moment: to close with bytes unread would
// make TCP take back our last words.
func (c *Conn) hangUp() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		if half.CloseWrite() == nil {
			return
		}
	}
	c.nc.Close()
}

// beat pings when it is time and ends the connection when nothing answers. A ping
// never carries anything but its lengths [B1.peer.13].
func (c *Conn) beat(timer *time.Timer) {
	if !c.met.Load() {
		timer.Reset(c.cfg.Limits.Ping)
		return
	}
	heard := c.at(&c.heard)
	if resumed := c.at(&c.resumed); resumed.After(heard) {
		heard = resumed
	}
	ping, next, dead := c.pulse.beat(time.Now(), heard, c.listening.Load(), c.askPing.Swap(false))
	if dead {
		c.shut(ErrSilent, 0)
		return
	}
	if ping != nil {
		c.Send(Channel, ping)
	}
	timer.Reset(time.Until(next))
}
