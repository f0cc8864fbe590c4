package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// connected greets the peer: channel_reestablish comes before anything else
// (B2.reest.2).
func (c *Channel) connected(ev Connected) {
	if c.core.Phase == Opening || c.core.Phase == Funding {
		c.conn.up, c.conn.features = true, ev.Features
		return
	}
	c.undo("the connection was replaced")
	c.conn = connection{up: true, features: ev.Features}
	switch c.core.Phase {
	case AwaitReady, Open, ShuttingDown, MutualClose:
		c.send(c.reestablish())
	case Failed: // B2.reest.3; the numbers first, so that a peer with old data learns of it
		c.send(c.reestablish())
		if c.core.ErrorText != "" {
			c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(c.core.ErrorText)})
		}
		c.conn.broken = !c.terms.Restored // from whose peer there is one thing to learn
	case Opening, Funding, Closing, Closed:
	}
}

// reestablish is our channel_reestablish.
func (c *Channel) reestablish() *lnwire.ChannelReestablish {
	if c.terms.Restored {
		return c.lostReestablish()
	}
	m := &lnwire.ChannelReestablish{
		ChannelID:      c.core.ChannelID,
		NextCommitment: c.core.LocalN + 1,    // B2.reest.4
		NextRevocation: c.core.RemoteRevoked, // B2.reest.5
		CurrentPoint:   c.point(c.core.LocalN),
	}
	if n := c.core.RemoteRevoked; n > 0 { // B2.reest.6
		m.LastSecret, _ = c.secrets.Lookup(n - 1)
	}
	return m
}

// disconnected ends an opening; of a channel it forgets what is not signed.
func (c *Channel) disconnected() {
	if c.core.Phase == Opening || c.core.Phase == Funding { // B2.reest.7
		c.giveUp("the connection was lost before the channel was funded")
		return
	}
	c.undo("the connection was lost")
	c.conn = connection{}
}

// rcvReestablish compares what both sides have and sends again what was lost.
func (c *Channel) rcvReestablish(m *lnwire.ChannelReestablish) {
	if why := c.compare(m); why != "" {
		c.fail("channel_reestablish: " + why)
		return
	}
	if c.core.DataLost {
		return
	}
	sigs, ok := c.owedSigs(m)
	if !ok {
		c.conn.greeting = m // the signer is away: the next Flush tries again
		return
	}
	c.conn.greeting, c.conn.synced = nil, true
	c.stale = true
	if m.NextCommitment == 1 && c.core.LocalN == 0 && c.core.SentReady { // B2.reest.8
		c.sendReady()
	}
	c.retransmit(m, sigs)
	c.lookAhead()
	c.ready()
	c.announce()
}

// compare says why the channel cannot go on; "" when it can. When the peer proves
// that our state is old, nothing of ours may ever be published.
func (c *Channel) compare(m *lnwire.ChannelReestablish) string {
	if m.NextCommitment == 0 { // B2.reest.10
		return "next_commitment_number is 0"
	}
	if m.NextRevocation > commitment.MaxNumber || m.NextCommitment > commitment.MaxNumber {
		return "a number is above the last commitment"
	}
	ours := c.core.LocalN
	if n := m.NextRevocation; n > 0 && c.crypto.Secret(c.terms.Keys.Root, n-1) != m.LastSecret { // B2.reest.11
		return fmt.Sprintf("your_last_per_commitment_secret is not ours of number %d", n-1)
	}
	if m.NextRevocation > ours { // B2.reest.9
		c.lost(m)
		return ""
	}
	if m.NextRevocation+1 < ours { // B2.reest.12
		return fmt.Sprintf("next_revocation_number is %d, we are at %d: your state is old", m.NextRevocation, ours)
	}
	switch n := c.core.RemoteN; {
	case m.NextCommitment == n+1:
	case m.NextCommitment == n && c.awaiting(): // B2.reest.13
	default: // B2.reest.14
		return fmt.Sprintf("next_commitment_number is %d, our next is %d", m.NextCommitment, n+1)
	}
	return ""
}

// lost: the peer knows a secret that we have yet to give away, so this state is a
// copy from the past. Only the peer can close now; we ask it to.
func (c *Channel) lost(m *lnwire.ChannelReestablish) {
	text := "our state is older than yours: please close the channel"
	c.core.DataLost, c.core.LostPoint = true, m.CurrentPoint
	c.core.ErrorText, c.core.Reason = text, "the peer proved that our state is old"
	c.undo("our state is old")
	c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(text)})
	c.conn.broken = true
	c.enter(Failed)
	c.fx.Delta.Events = append(c.fx.Delta.Events, NoticeDataLost)
	c.tell(NoticeDataLost, "the peer proved that this node's record of the channel is old, as after a copy of the database was put back: "+
		"nothing of it is published. The peer was asked to close; our balance comes into the wallet when it has. "+
		"If the newer database still exists, stop this node now and start it with that one")
}

// owedSigs signs the peer's newest commitment again when the signature was lost;
// nil when nothing is owed, false while the signer is away.
func (c *Channel) owedSigs(m *lnwire.ChannelReestablish) ([]lnwire.Sig, bool) {
	if !c.owesCommit(m) {
		return nil, true
	}
	com, err := c.buildRemote(c.core.RemoteN, c.core.RemoteNext, c.remoteSpec())
	if err != nil {
		c.tell(NoticeBug, "a signed commitment cannot be built again: "+err.Error())
		return nil, false
	}
	return c.crypto.Sign(com.SignJobs(c.terms.Keys))
}

func (c *Channel) owesCommit(m *lnwire.ChannelReestablish) bool {
	return c.awaiting() && m.NextCommitment == c.core.RemoteN
}

// retransmit sends revocation and signature again, in the order in which they went
// out first (B2.reest.15), then the answers that were never signed.
func (c *Channel) retransmit(m *lnwire.ChannelReestablish, sigs []lnwire.Sig) {
	revoke := m.NextRevocation+1 == c.core.LocalN // B2.reest.16
	if revoke && c.core.CommitLast {
		c.revokeMessage()
	}
	if c.owesCommit(m) {
		c.resendUpdates()
		c.sendSigs(sigs)
	}
	if revoke && !c.core.CommitLast {
		c.revokeMessage()
	}
	c.releaseAnswers()
	for _, e := range c.in {
		if e.State == htlc.SentRemove { // B2.reest.17
			c.sendRemoval(e)
		}
	}
}

// resendUpdates sends the updates of the peer's newest commitment again: first what
// makes room, then what takes it, so that each is affordable when it comes.
func (c *Channel) resendUpdates() {
	for _, e := range c.in {
		if e.State == htlc.SentRemoveCommit {
			c.sendRemoval(e)
		}
	}
	var fee *lnwire.UpdateFee
	before := c.rate(remoteHeld)
	for _, f := range c.core.Fees {
		if f.State == htlc.SentAddCommit {
			fee = &lnwire.UpdateFee{ChannelID: c.core.ChannelID, FeeratePerKW: f.Rate}
		}
	}
	if fee != nil && fee.FeeratePerKW < before {
		c.send(fee)
	}
	for _, e := range c.out {
		if e.State == htlc.SentAddCommit {
			c.sendAdd(e)
		}
	}
	if fee != nil && fee.FeeratePerKW >= before {
		c.send(fee)
	}
}
