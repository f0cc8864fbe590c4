package channel

import "time"

// patience is how long something may take. It counts from the first Tick behind its
// start, which is asked for at once: the time that the machine knows may be old.
type patience struct {
	on    bool
	until time.Duration // monotonic; 0: not known yet
}

// begin starts p, or starts it anew.
func (c *Channel) begin(p *patience) {
	*p = patience{on: true}
	c.wakeAt(c.mono + 1)
}

// over reports, at a Tick, that p has lasted longer than most; until then it asks for
// the Tick at which it will have.
func (c *Channel) over(p *patience, most time.Duration) bool {
	if !p.on {
		return false
	}
	if p.until == 0 {
		p.until = c.mono + most
	}
	if c.mono >= p.until {
		return true
	}
	c.wakeAt(p.until)
	return false
}

// wakeAt asks for a Tick no later than at.
func (c *Channel) wakeAt(at time.Duration) {
	if c.fx.Wake == 0 || at < c.fx.Wake {
		c.fx.Wake = at
	}
}
