package peer

import (
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// pulse keeps a connection alive and notices when it is dead: a ping at intervals,
// and the end if nothing at all comes back. Times are arguments.
type pulse struct {
	every, patience time.Duration

	mu          sync.Mutex
	last        time.Time // of the last ping, or of the beginning
	outstanding bool
	size        uint16 // of the pong that is due
	count       uint16
	rtt         time.Duration // from the last ping to its pong
}

// pongSizes is how many lengths of pong we ask for in turn, so that a late pong is
// not taken for that of a later ping.
const pongSizes = 61

// beat is called now and then, and at the times that it asks for. Heard is when
// the peer last sent a byte; it counts against the peer only while listening,
// that is, while it is not we who are not reading. Asked wants a ping at once.
func (p *pulse) beat(now, heard time.Time, listening, asked bool) (ping *lnwire.Ping, next time.Time, dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outstanding {
		silent := listening && heard.Before(p.last)
		switch over := now.Sub(p.last) >= p.patience; {
		case !over:
			return nil, p.last.Add(p.patience), false
		case silent:
			return nil, time.Time{}, true
		default: // alive, but the pong did not come
			p.outstanding = false
		}
	}
	if !asked && now.Sub(p.last) < p.every {
		return nil, p.last.Add(p.every), false
	}
	p.count++
	p.size = p.count % pongSizes
	p.last, p.outstanding = now, true
	return &lnwire.Ping{NumPongBytes: p.size}, now.Add(p.patience), false
}

// pong notes an answer. One that nobody asked for is no answer, and no offence.
//
// B1.peer.12: a pong belongs to the ping that asked for its length.
func (p *pulse) pong(now time.Time, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outstanding && size == int(p.size) {
		p.outstanding, p.rtt = false, now.Sub(p.last)
	}
}

func (p *pulse) roundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rtt
}

// allowance is a number of events that refills with time: bursts are fine, floods
// are not.
type allowance struct {
	burst  float64
	refill time.Duration // for one event
	used   float64
	at     time.Time
}

// spend takes what costs as much as so many events, and says whether it was there to be
// taken.
func (a *allowance) spend(now time.Time, cost float64) bool {
	if !a.at.IsZero() {
		a.used = max(0, a.used-float64(now.Sub(a.at))/float64(a.refill))
	}
	a.at = now
	if a.used+cost > a.burst {
		return false
	}
	a.used += cost
	return true
}
