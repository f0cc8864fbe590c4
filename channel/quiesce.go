package channel

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// quietLimit is how long a channel may be quiescent, or on its way there: nothing is
// answered and nothing forwarded meanwhile.
const quietLimit = 60 * time.Second

// quiet is what was said of quiescence on this connection.
type quiet struct {
	wanted    bool // by us
	sent, got bool // stfu
	weAsk     bool // ours has initiator set
	theyAsk   bool // theirs has
	clock     patience
}

// quieting: no update of ours may leave (B2.quiesce.5).
func (c *Channel) quieting() bool { q := &c.conn.quiet; return q.wanted || q.sent || q.got }

// quiescent: both have sent stfu.
func (c *Channel) quiescent() bool { return c.conn.quiet.sent && c.conn.quiet.got }

// weLead: we are the initiator of the quiescence; the funder, when both asked for it
// (B2.quiesce.6).
func (c *Channel) weLead() bool {
	q := &c.conn.quiet
	if q.weAsk && q.theyAsk {
		return c.terms.Funder
	}
	return q.weAsk
}

// quiesceAsked is the wish for quiescence, of whoever is about to change something
// fundamental.
func (c *Channel) quiesceAsked() {
	q := &c.conn.quiet
	switch {
	case c.quiescent():
		c.tellQuiet()
		return
	case c.quieting():
		return // it is on its way
	case c.notUp() != "":
		c.tell(NoticeQuiesceRefused, c.notUp())
		return
	case !c.conn.features.HasEither(lnwire.QuiesceOptional): // B2.quiesce.1
		c.tell(NoticeQuiesceRefused, "the peer does not know quiescence")
		return
	}
	q.wanted = true
	c.hush()
}

// hush stops what we would add.
func (c *Channel) hush() {
	if q := &c.conn.quiet; !q.clock.on {
		c.begin(&q.clock)
	}
	for _, e := range c.out {
		if e.State == htlc.SentAdd { // the peer has not heard of it
			c.refuse(e.Origin, htlc.LinkDown, "the channel becomes quiescent")
		}
	}
	c.drop(func(e *entry) bool { return e.State == htlc.SentAdd })
	c.stale = true
}

// stfu sends ours, when it is wished for or owed, and nothing of ours is under way.
func (c *Channel) stfu() {
	q := &c.conn.quiet
	if !q.wanted && !q.got || q.sent || !c.updating() || c.updatesPending(true) { // B2.quiesce.2
		return
	}
	q.sent, q.weAsk = true, !q.got // B2.quiesce.4
	c.send(&lnwire.Stfu{ChannelID: c.core.ChannelID, Initiator: q.weAsk})
	if q.got {
		c.tellQuiet()
	}
}

// rcvStfu is the peer's.
func (c *Channel) rcvStfu(m *lnwire.Stfu) {
	q := &c.conn.quiet
	switch {
	case q.got: // B2.quiesce.3
		c.warn("stfu: a second one")
		return
	case !q.sent && !m.Initiator:
		c.warn("stfu: an answer to nothing")
		return
	case c.updatesPending(false): // B2.quiesce.2
		c.warn("stfu: updates of yours are pending")
		return
	}
	q.got, q.theyAsk = true, m.Initiator
	if q.sent {
		c.tellQuiet()
	}
	c.hush()
}

func (c *Channel) tellQuiet() {
	who := "the peer leads"
	if c.weLead() {
		who = "we lead"
	}
	c.tell(NoticeQuiescent, who)
}

// updatesPending: updates of one side are not irrevocably in, or out of, both
// commitments.
func (c *Channel) updatesPending(ours bool) bool {
	adds, removals := c.in, c.out
	if ours {
		adds, removals = c.out, c.in
	}
	for _, e := range adds {
		if !e.State.Irrevocable() {
			return true
		}
	}
	for _, e := range removals {
		if e.State.Removing() {
			return true
		}
	}
	return c.terms.Funder == ours && (c.fee != nil || len(c.core.Fees) > 0)
}

// quietTick ends a quiescence that lasts too long, by ending the connection
// (B2.quiesce.7).
func (c *Channel) quietTick() {
	if c.over(&c.conn.quiet.clock, quietLimit) && !c.conn.broken {
		c.warn("the channel was quiescent for too long")
	}
}

// holdAnswer keeps the answer to an HTLC that may not be said now. It is durable, and said
// on the next connection (B2.quiesce.8).
func (c *Channel) holdAnswer(e *entry, answer htlc.Resolution) {
	e.Removal, e.opened = &answer, nil
	c.dropOnion(e)
	c.touch(e)
}

// releaseAnswers says what was held.
func (c *Channel) releaseAnswers() {
	for _, e := range c.in {
		if e.State == htlc.RcvdAddAckRevocation && e.Removal != nil {
			e.State = htlc.SentRemove
			c.touch(e)
		}
	}
}
