package channel

import (
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// The commit dance. Each side's updates go into the other's commitment first:
// commitment_signed covers them there, revoke_and_ack makes that commitment the
// only one, and the answering commitment_signed brings them into the commitment of
// who sent them. htlc.State's table is the whole of it; what is here are the four
// messages that move it.

// awaiting reports that the peer owes us a revocation: we may not sign until it
// comes.
func (c *Channel) awaiting() bool { return c.core.RemoteN > c.core.RemoteRevoked }

// updating reports that updates and signatures may be exchanged.
func (c *Channel) updating() bool {
	return c.conn.synced && !c.conn.broken && (c.core.Phase == Open || c.core.Phase == ShuttingDown) && c.core.GotReady && c.core.SentReady
}

// flush ends a turn: what is owed is signed, once (B2.commit.1), then what waited
// for clean commitments may go out.
func (c *Channel) flush() {
	c.retrySigner()
	if c.updating() {
		c.adjustFee()
		if !c.awaiting() {
			c.review()
			if c.owes(htlc.SendCommit) {
				c.sendCommit()
			}
		}
	}
	c.stfu()
	c.shutdown()
	c.negotiate()
	c.refreshLink()
}

// retrySigner does what a signer that was away has left undone.
func (c *Channel) retrySigner() {
	if o := c.opening; o != nil {
		switch o.step {
		case owesCreated:
			c.signCreated()
		case owesSigned:
			c.signSigned()
		case openIdle, sentOpen, askedFund, sentCreated, askedAccept, sentAccept, askedUnique, askedBackup:
		}
	}
	if c.want.publish {
		c.publish()
	}
	if m := c.conn.greeting; m != nil {
		c.rcvReestablish(m)
		if c.conn.synced {
			c.takeHeld()
		}
	}
}

// takeHeld looks at the messages that had to wait.
func (c *Channel) takeHeld() {
	held := c.conn.held
	c.conn.held = nil
	for _, ev := range held {
		c.receive(ev)
	}
}

// sendCommit signs the peer's next commitment with everything that is pending.
func (c *Channel) sendCommit() {
	spec := c.spec(false, holds(htlc.RemoteNext))
	com, err := c.buildRemote(c.core.RemoteN+1, c.core.RemoteNext, spec)
	if err != nil {
		c.fail("the next commitment cannot be built: " + err.Error())
		return
	}
	sigs, ok := c.crypto.Sign(com.SignJobs(c.terms.Keys))
	if !ok {
		return // the signer is away; all this stays pending
	}
	for _, e := range c.advance(htlc.SendCommit) {
		if e.State == htlc.SentAddCommit {
			c.storeAdd(e)
			c.sendAdd(e)
		}
	}
	c.core.RemoteN++
	c.core.CommitLast = true
	c.sendSigs(sigs)
}

// storeAdd makes an outgoing HTLC durable with its first signature, and with it the
// rows that came along.
func (c *Channel) storeAdd(e *entry) {
	d := &c.fx.Delta
	c.core.NextOut = e.Ref.ID + 1
	if e.onion != nil {
		d.Onions = append(d.Onions, OnionRow{Ref: e.Ref, Onion: e.onion})
	}
	if e.attempt != nil {
		d.Attempts = append(d.Attempts, *e.attempt)
	}
	d.Riders = append(d.Riders, e.riders...)
	e.attempt, e.riders = nil, nil
}

func (c *Channel) sendSigs(sigs []lnwire.Sig) {
	c.send(&lnwire.CommitmentSigned{ChannelID: c.core.ChannelID, Sig: sigs[0], HTLCSigs: sigs[1:]}) // B2.commit.2
}

// rcvCommit is a new commitment of ours, signed by the peer. The one before it is
// revoked at once.
func (c *Channel) rcvCommit(m *lnwire.CommitmentSigned) {
	com, err := c.buildLocal(c.core.LocalN+1, c.spec(true, holds(htlc.LocalNext)))
	if err != nil {
		c.warn("commitment_signed: " + err.Error())
		return
	}
	checks, ok := com.Checks(m.Sig, m.HTLCSigs)
	if !ok { // B2.commit.3: number and form of the signatures, low S (V-02)
		c.warn(fmt.Sprintf("commitment_signed: %d htlc signatures for %d outputs, or one that would not relay", len(m.HTLCSigs), len(com.HTLCs)))
		return
	}
	if !c.crypto.Verify(checks) { // B2.commit.4
		c.warn("commitment_signed: a signature is wrong")
		return
	}
	for _, e := range c.advance(htlc.RecvCommit) {
		if e.State == htlc.RcvdAddCommit {
			c.core.NextIn = e.Ref.ID + 1
			c.fx.Delta.Onions = append(c.fx.Delta.Onions, OnionRow{Ref: e.Ref, Onion: e.onion})
		}
	}
	c.core.LocalN++
	c.local, c.dirty.local = &LocalCommit{N: c.core.LocalN, Sig: m.Sig, HTLCSigs: slices.Clone(m.HTLCSigs)}, true
	c.sendRevoke()
}

// sendRevoke gives up the commitment before the one that was just signed
// (B2.commit.5).
func (c *Channel) sendRevoke() {
	c.settle(c.advance(htlc.SendRevoke))
	c.core.CommitLast = false
	c.revokeMessage()
}

// revokeMessage sends revoke_and_ack, first or again.
func (c *Channel) revokeMessage() {
	n := c.core.LocalN
	next := c.point(n + 1)
	c.send(&lnwire.RevokeAndAck{
		ChannelID: c.core.ChannelID,
		Secret:    c.crypto.Secret(c.terms.Keys.Root, n-1), // B2.revoke.1
		NextPoint: next,                                    // B2.revoke.2
	})
	c.crypto.Soon(c.owner(true), next)
}

// rcvRevoke is the peer giving up a commitment. What we signed last is now all
// that it has.
func (c *Channel) rcvRevoke(m *lnwire.RevokeAndAck) {
	if !c.awaiting() {
		c.fail("revoke_and_ack: no revocation is owed")
		return
	}
	point, ok := commitment.PointOf(m.Secret)
	if !ok || point != c.core.RemotePoint { // B2.revoke.3
		c.fail("revoke_and_ack: the secret is not that of the commitment")
		return
	}
	if _, err := m.NextPoint.Parse(); err != nil {
		c.fail("revoke_and_ack: next_per_commitment_point is " + err.Error())
		return
	}
	c.crypto.Soon(c.owner(false), m.NextPoint)
	n := c.core.RemoteRevoked
	if !c.secrets.Insert(n, m.Secret) { // B2.revoke.4
		c.fail("revoke_and_ack: the secret does not fit those before it")
		return
	}
	c.dirty.secrets = true
	c.fx.Delta.Revoked = append(c.fx.Delta.Revoked, c.revokedRow(n))
	moved := c.advance(htlc.RecvRevoke)
	c.core.RemoteRevoked++
	c.core.RemotePoint, c.core.RemoteNext = c.core.RemoteNext, m.NextPoint
	for _, e := range moved {
		switch e.State {
		case htlc.RcvdAddRevocation:
			c.dropOnion(e)
		case htlc.RcvdAddAckRevocation:
			e.LockedAt = c.now.UTC()
			c.lockedIn(e)
		case htlc.RcvdRemoveRevocation:
			e.spoken()
		}
	}
	c.settle(moved)
}

// revokedRow is what the peer's commitment n held, which it has just revoked.
func (c *Channel) revokedRow(n uint64) Revoked {
	ours, theirs := c.balances(remoteHeld)
	r := Revoked{N: n, FeeRate: c.rate(remoteHeld), Ours: ours, Theirs: theirs}
	c.each(func(e *entry) {
		if remoteHeld(e.State) {
			r.HTLCs = append(r.HTLCs, RevokedHTLC{Ref: e.Ref, Amount: e.Amount, Expiry: e.Expiry, Hash: e.Hash})
		}
	})
	return r
}

// lockedIn gives an incoming HTLC to the switch, with what limits say of it.
func (c *Channel) lockedIn(e *entry) {
	l := htlc.Locked{HTLC: e.HTLC, Onion: e.onion, Unfit: c.unfit(e)}
	l.Attribute = c.cfg.Attribution && (!c.conn.up || c.attributes())
	if e.opened != nil {
		l.Opened, e.opened = *e.opened, nil
	}
	c.fx.LockedIn = append(c.fx.LockedIn, l)
}

// settle moves the money of HTLCs that are gone from every commitment and takes
// them out of the table.
func (c *Channel) settle(moved []*entry) {
	gone := false
	for _, e := range moved {
		if !e.State.Gone() {
			continue
		}
		gone = true
		c.pay(e)
		c.dropOnion(e)
		if e.Ref.Dir == htlc.Outgoing {
			c.outcome(e, *e.Removal)
		}
	}
	if gone {
		c.drop(func(e *entry) bool { return e.State.Gone() })
	}
}

// pay books a fulfilled HTLC.
func (c *Channel) pay(e *entry) {
	switch {
	case e.Removal.Kind != htlc.Fulfilled:
	case e.Ref.Dir == htlc.Outgoing:
		c.core.Ours -= e.Amount
		c.core.Theirs += e.Amount
		c.core.Sent += e.Amount
		if e.Late {
			c.core.Forfeit += e.Amount
		}
	default:
		c.core.Theirs -= e.Amount
		c.core.Ours += e.Amount
		c.core.Got += e.Amount
	}
}
