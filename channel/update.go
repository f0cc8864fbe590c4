package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// addHTLC takes up an HTLC for the peer, or gives it back with the reason. The peer
// hears of it with the signature that covers it: before that it could do nothing with
// it, and many go out in one piece.
func (c *Channel) addHTLC(ev AddHTLC) {
	if why := c.notUp(); why != "" {
		c.refuse(ev.Origin, htlc.LinkDown, why)
		return
	}
	h := htlc.HTLC{
		Ref:    htlc.Ref{ChanNum: c.num, Dir: htlc.Outgoing, ID: c.nextOut()}, // B2.add.5
		Amount: ev.Amount, Expiry: ev.Expiry, Hash: ev.Hash, State: htlc.SentAdd, Origin: ev.Origin, PathKey: ev.PathKey,
		Accountable: ev.Accountable, Custom: ev.Custom,
	}
	if reason, why := c.checkOutgoing(&h); why != "" {
		c.refuse(ev.Origin, reason, why)
		return
	}
	e := &entry{HTLC: h, onion: ev.Onion, attempt: ev.Attempt, riders: ev.With}
	c.out = append(c.out, e)
	c.stale = true
}

// nextOut is the id of our next HTLC.
func (c *Channel) nextOut() uint64 {
	if n := len(c.out); n > 0 {
		return max(c.core.NextOut, c.out[n-1].Ref.ID+1)
	}
	return c.core.NextOut
}

// nextIn is the id of the peer's next HTLC.
func (c *Channel) nextIn() uint64 {
	if n := len(c.in); n > 0 {
		return max(c.core.NextIn, c.in[n-1].Ref.ID+1)
	}
	return c.core.NextIn
}

// sendAdd sends update_add_htlc, first or again.
func (c *Channel) sendAdd(e *entry) {
	m := &lnwire.UpdateAddHTLC{ChannelID: c.core.ChannelID, ID: e.Ref.ID, Amount: e.Amount, Hash: e.Hash, Expiry: e.Expiry, PathKey: e.PathKey}
	if e.onion != nil {
		m.Onion = *e.onion
	}
	if !c.cfg.NoAccountable {
		m.Extra = e.Accountable.Records()
	}
	m.Extra = m.Extra.With(e.Custom)
	c.send(m)
}

// resolve answers an incoming HTLC. The answer is durable at once, whether or not
// the peer is there: what is left over is sent on the next connection.
func (c *Channel) resolve(ev Resolve) {
	c.fx.Delta.OutboxDone = append(c.fx.Delta.OutboxDone, ev.Ref)
	e, ok := c.byRef(ev.Ref)
	// B2.remove.1: nothing is removed before both sides are committed to it.
	if !ok || e.Ref.Dir != htlc.Incoming || e.State != htlc.RcvdAddAckRevocation {
		return
	}
	if live := c.core.Phase < Failed; live && e.Removal != nil {
		return // answered: it is held
	}
	answer := ev.Resolution
	switch answer.Kind {
	case htlc.Fulfilled:
		if answer.Preimage.Hash() != e.Hash {
			c.tell(NoticeBug, fmt.Sprintf("the preimage for htlc %v does not open its hash", e.Ref))
			return
		}
	case htlc.Failed, htlc.Malformed:
	case htlc.TimedOut:
		return // never an answer to a peer
	default:
		return
	}
	if c.core.Phase == Closing || c.core.Phase == Failed {
		c.resolveOnChain(e, answer, ev.With)
		return
	}
	c.fx.Delta.Riders = append(c.fx.Delta.Riders, ev.With...)
	if c.conn.up && !c.attributes() {
		answer.Attribution = nil
	}
	if c.quieting() {
		c.holdAnswer(e, answer)
		c.deadlines()
		return
	}
	e.State, e.Removal = htlc.SentRemove, &answer
	e.opened = nil
	c.dropOnion(e)
	c.touch(e)
	c.stale = true
	if c.conn.synced {
		c.sendRemoval(e)
	}
	c.deadlines()
}

// resolveOnChain keeps the answer to an HTLC of a channel that lives in the chain
// only: a preimage claims it there; a failure needs nothing from us.
func (c *Channel) resolveOnChain(e *entry, answer htlc.Resolution, with []Rider) {
	if e.Removal == nil || e.Removal.Kind != htlc.Fulfilled {
		answer.Attribution = nil // nobody will hear it
		e.Removal = &answer
		c.fx.Delta.Riders = append(c.fx.Delta.Riders, with...)
		c.touch(e)
		c.follow()
	}
}

// dropOnion forgets an onion that is not needed any more.
func (c *Channel) dropOnion(e *entry) {
	if e.onion != nil {
		e.onion = nil
		if e.stored {
			c.fx.Delta.GoneOnions = append(c.fx.Delta.GoneOnions, e.Ref)
		}
	}
}

// sendRemoval sends the answer to an incoming HTLC, first or again.
func (c *Channel) sendRemoval(e *entry) {
	id := c.core.ChannelID
	switch r := e.Removal; r.Kind {
	case htlc.Fulfilled:
		c.send(&lnwire.UpdateFulfillHTLC{ChannelID: id, ID: e.Ref.ID, Preimage: r.Preimage, Attribution: c.toldOf(r)})
	case htlc.Failed:
		c.send(&lnwire.UpdateFailHTLC{ChannelID: id, ID: e.Ref.ID, Reason: r.Reason, Attribution: c.toldOf(r)})
	case htlc.Malformed:
		c.send(&lnwire.UpdateFailMalformedHTLC{ChannelID: id, ID: e.Ref.ID, OnionSHA256: r.OnionSHA256, FailureCode: r.Code})
	case htlc.TimedOut:
	}
}

// outcome tells the end of an outgoing HTLC, once (V-05).
func (c *Channel) outcome(e *entry, r htlc.Resolution) {
	if e.Told {
		return
	}
	e.Told = true
	c.touch(e)
	o := htlc.Outcome{Ref: e.Ref, Origin: e.Origin, Amount: e.Amount, Resolution: r}
	c.fx.Outcomes = append(c.fx.Outcomes, o)
	c.fx.Delta.OutboxPut = append(c.fx.Delta.OutboxPut, o)
}
