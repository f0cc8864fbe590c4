package channel

import (
	"slices"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// One transaction may fund many channels. None of them may let it go before the peers of
// all have signed the first commitments: an output without a commitment to spend it is
// lost. So each keeps it back, and whoever sees all of them says when it may go, or that
// it never will.

// waits: the funding is kept back for the others of its batch.
func (c *Channel) waits() bool {
	return slices.ContainsFunc(c.fundings, func(f FundingTx) bool { return f.Batch > 0 })
}

// fundingFreed publishes what was kept back.
func (c *Channel) fundingFreed() {
	if !c.durable() || c.local == nil || !c.waits() {
		return
	}
	c.fundings = slices.Clone(c.fundings)
	for i := range c.fundings {
		c.fundings[i].Batch = 0
	}
	c.dirty.fundings = true
	c.publishFunding()
	c.ready()
	c.publish() // its commitment, if it has failed by now
}

// fundingDropped forgets a channel that will never be funded.
func (c *Channel) fundingDropped(text string) {
	switch c.core.Phase {
	case Opening, Funding:
		c.abort(text)
		return
	case Closed:
		return
	case AwaitReady, Open, ShuttingDown, MutualClose, Failed, Closing:
	}
	if !c.waits() {
		return
	}
	if c.conn.up {
		c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(text)})
	}
	c.undo("the channel was never funded")
	c.unfunded(text)
}

// abandoned forgets a channel with all that is in it.
func (c *Channel) abandoned() {
	const text = "the channel was abandoned"
	switch c.core.Phase {
	case Opening, Funding:
		c.abort(text)
		return
	case Closed:
		return
	case AwaitReady, Open, ShuttingDown, MutualClose, Failed, Closing:
	}
	c.undo(text)
	c.gone(ClosedAbandoned, text)
}

// gone forgets a channel from which nothing will come any more. What was carried onwards
// over it went nowhere.
func (c *Channel) gone(kind CloseKind, reason string) {
	for _, e := range c.out {
		c.outcome(e, htlc.Resolution{Kind: htlc.TimedOut})
	}
	row := c.summary(kind)
	row.At, row.Reason = c.core.Tip, reason
	c.fx.Delta.Events = append(c.fx.Delta.Events, NoticeClosed)
	c.tell(NoticeClosed, reason)
	c.forget(row)
}
