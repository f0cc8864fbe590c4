package channel

import (
	"bytes"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// confirmed is the funding transaction in a block. Only the output itself counts,
// not the name of the transaction (V-01, B2.ready.1).
func (c *Channel) confirmed(ev Confirmed) {
	if !c.durable() || ev.Tx == nil || ev.Tx.TxHash() != c.core.Funding.Hash || c.core.Phase == Funding {
		return
	}
	if !c.paysFunding(ev) {
		c.wrongFunding()
		return
	}
	place := Place{At: ev.At, TxIndex: ev.TxIndex}
	if c.core.Confirmed != nil && *c.core.Confirmed == place {
		return
	}
	c.core.Confirmed, c.missing = &place, false
	c.core.SCID = lnwire.NewShortChannelID(ev.At.Height, ev.TxIndex, uint16(c.core.Funding.Index))
	if ev.At.Height > c.core.Tip.Height {
		c.core.Tip = ev.At
	}
	c.stale = true
	c.save()
	c.deeper()
}

// paysFunding: the output has exactly the agreed amount and script.
func (c *Channel) paysFunding(ev Confirmed) bool {
	i := int(c.core.Funding.Index)
	if i >= len(ev.Tx.TxOut) {
		return false
	}
	_, script := commitment.FundingScript(c.terms.Ours.Funding, c.terms.Theirs.Funding)
	out := ev.Tx.TxOut[i]
	return out.Value == int64(c.terms.Capacity) && bytes.Equal(out.PkScript, script)
}

// wrongFunding: the peer named a transaction that does not fund the channel. We
// own nothing there.
func (c *Channel) wrongFunding() {
	if c.terms.Funder {
		c.tell(NoticeBug, "our funding transaction does not pay to the funding script")
		return
	}
	text := "the funding output has not the agreed amount and script"
	if c.conn.up {
		c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(text)})
	}
	c.undo("the channel was never funded")
	c.unfunded(text)
}

// unfunded forgets a channel whose funding never came to be.
func (c *Channel) unfunded(reason string) { c.gone(ClosedUnfunded, reason) }

// unconfirmed: a block with the funding, or with its spend, left the chain.
func (c *Channel) unconfirmed(ev Unconfirmed) {
	if !c.durable() {
		return
	}
	if c.core.Confirmed != nil && ev.Txid == c.core.Funding.Hash {
		c.core.Confirmed = nil
		c.stale = true
		c.save()
	}
	c.unspent(ev)
	c.unresolved(ev.Txid)
}

// chainLost takes back what was mined above the fork. A channel whose funding goes with
// it is not used until it is seen again.
func (c *Channel) chainLost(fork lnwire.BlockRef) {
	if !c.durable() {
		return
	}
	above := func(p *Place) bool { return p != nil && p.At.Height > fork.Height }
	if s := c.core.Spend; s != nil && above(&s.Place) {
		c.unspent(Unconfirmed{Txid: s.Tx.TxHash()})
	} else if s != nil {
		for _, m := range s.Resolving {
			if above(&m.Place) {
				c.unresolved(m.Tx.TxHash())
			}
		}
	}
	if above(c.core.Confirmed) {
		c.core.Confirmed = nil
		c.missing, c.stale = true, true
		c.save()
	}
}

// block is a new tip: depths grow and deadlines come nearer.
func (c *Channel) block(at lnwire.BlockRef) {
	if !c.durable() || at == c.core.Tip {
		return
	}
	c.core.Tip = at
	c.stale = true
	c.save()
	c.deeper()
	c.buried()
	c.deadlines()
}

// depth is the number of confirmations of the funding.
func (c *Channel) depth() uint32 { return c.depthOf(c.core.Confirmed) }

func (c *Channel) depthOf(p *Place) uint32 {
	if p == nil || c.core.Tip.Height < p.At.Height {
		return 0
	}
	return uint32(c.core.Tip.Height-p.At.Height) + 1
}

// deeper does what the depth of the funding allows or forbids.
func (c *Channel) deeper() {
	c.ready()
	c.announce()
	c.doubt()
	t := c.terms
	// B2.ready.5: a fundee need not wait for ever; it has nothing at risk.
	if (!t.Funder || t.Restored) && c.core.Confirmed == nil && c.core.SCID == 0 && c.core.Spend == nil && !c.atStake() &&
		c.core.Tip.Height >= t.OpenedTip.Height+Forgotten(t.Funder) {
		c.undo("the channel was never funded")
		c.unfunded("the funding transaction did not confirm in time")
	}
}

// readyDepth is how deep the funding must be for channel_ready: not at all when the
// funder is trusted (B2.zeroconf.3).
func (c *Channel) readyDepth() uint32 {
	if c.terms.Kind().ZeroConf {
		return 0
	}
	if c.core.Confirmed != nil && c.core.Confirmed.TxIndex == 0 {
		return max(c.terms.MinDepth, coinbaseDepth) // V-15
	}
	return max(1, c.terms.MinDepth)
}

// ready sends our channel_ready once the funding is deep enough (B2.ready.2).
func (c *Channel) ready() {
	if c.core.Phase != AwaitReady || c.core.SentReady || c.waits() || !c.conn.synced || c.conn.broken || c.depth() < c.readyDepth() {
		return
	}
	c.core.SentReady = true
	c.save()
	c.sendReady()
	c.open()
}

// sendReady sends channel_ready: first, or again after a reconnect.
func (c *Channel) sendReady() {
	m := &lnwire.ChannelReady{ChannelID: c.core.ChannelID, SecondPoint: c.point(1)} // B2.ready.3
	if alias := c.terms.Alias; alias != 0 {                                         // B2.ready.6, B2.alias.1
		m.Alias = &alias
	}
	c.send(m)
}

// channelReady is the peer's. A second one tells at most another alias (B2.ready.4).
func (c *Channel) channelReady(m *lnwire.ChannelReady) {
	if m.Alias != nil && c.core.PeerAlias != *m.Alias {
		c.core.PeerAlias = *m.Alias
		c.stale = true
		c.save()
	}
	if c.core.GotReady {
		return
	}
	if _, err := m.SecondPoint.Parse(); err != nil {
		c.fail("channel_ready: second_per_commitment_point is " + err.Error())
		return
	}
	c.core.GotReady, c.core.RemoteNext = true, m.SecondPoint
	c.save()
	c.open()
}

// open begins normal operation when both channel_ready are exchanged.
func (c *Channel) open() {
	if c.core.Phase == AwaitReady && c.core.SentReady && c.core.GotReady {
		c.lookAhead()
		c.enter(Open, NoticeOpen)
		c.announce()
	}
}
