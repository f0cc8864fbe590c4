package channel

import (
	"bytes"
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// closeAsked is the operator's wish to end the channel.
func (c *Channel) closeAsked(ev CloseAsked) {
	switch c.core.Phase {
	case Opening, Funding:
		c.abort("the opening was cancelled")
		return
	case Closing, Closed:
		c.refuseClose("the funding output is already spent")
		return
	case Failed:
		if ev.Force {
			c.publish()
		}
		if !ev.Force || c.core.DataLost {
			c.refuseClose("the channel has already failed: " + c.core.Reason)
		}
		return
	case MutualClose:
		if ev.Force { // it does not get into a block: whichever is first will do
			c.core.CloseTx, c.core.PeerCloseTx = nil, nil
			c.unilaterally("the operator closes the channel unilaterally", "")
			return
		}
		c.fx.Publish = append(c.fx.Publish, c.closeTxs()...)
		if c.simply() && c.negotiating() {
			c.bump(ev)
			return
		}
		c.refuseClose("a closing transaction is already agreed: it is published again")
		return
	case AwaitReady, Open, ShuttingDown:
	}
	if ev.Force {
		c.fail("the operator closes the channel unilaterally")
		return
	}
	c.closeTogether(ev)
}

// absoluteThaw is the least of Terms.Thaw that is a height; as lnd has it.
const absoluteThaw = 500_000

// frozenUntil is the height before which the funder may not ask for a cooperative close. The
// other side may, and then the funder agrees.
func (c *Channel) frozenUntil() lnwire.Height {
	switch t := c.terms.Thaw; {
	case t == 0 || t >= absoluteThaw:
		return lnwire.Height(t)
	case c.core.Confirmed == nil:
		return ^lnwire.Height(0)
	default:
		return c.core.Confirmed.At.Height + lnwire.Height(t)
	}
}

func (c *Channel) refuseClose(text string) { c.tell(NoticeCloseRefused, text) }

// closeTogether prepares our shutdown; it goes out with the next flush at which no
// update of ours is unsigned.
func (c *Channel) closeTogether(ev CloseAsked) {
	why := c.checkScript(ev.Script)
	if until := c.frozenUntil(); c.terms.Funder && c.core.Tip.Height < until {
		why = fmt.Sprintf("cannot co-op close frozen channel as initiator until height=%d, (current_height=%d)", until, c.core.Tip.Height)
	}
	if !c.conn.synced || c.conn.broken {
		why = "the peer is not there: wait for it, or close unilaterally"
	}
	if why != "" {
		c.refuseClose(why)
		return
	}
	if c.want.closing = true; len(ev.Script) > 0 {
		c.want.script = ev.Script
	}
	c.want.rate, c.want.max = ev.FeeRate, ev.MaxFeeRate
	if c.simply() {
		c.core.CloseRate = ev.FeeRate
		c.save()
	}
	c.stale = true
}

// checkScript says why our money cannot go to a script; "" when it can, or when there is
// no wish.
func (c *Channel) checkScript(script []byte) string {
	upfront := c.terms.Ours.Upfront
	switch {
	case len(script) == 0:
		return ""
	case !c.closeScript(script):
		return "the script has no form that a cooperative close allows"
	case len(upfront) > 0 && !bytes.Equal(script, upfront): // B2.shutdown.4
		return "the script is not the one that was fixed at the opening"
	case c.core.OurShutdown != nil && !c.simply() && !bytes.Equal(script, c.core.OurShutdown):
		return "shutdown was already sent with another script"
	case isReturn(script) && c.core.Ours.Sat() >= uneconomical:
		return fmt.Sprintf("OP_RETURN would burn our %v", c.core.Ours)
	}
	return ""
}

// uneconomical is a balance of which OP_RETURN may make a fee.
const uneconomical lnwire.Sat = 1000

// shutdown sends ours when it is wished for, when it answers the peer's, or again
// after a reconnect (B2.shutdown.1). No update of ours may be unsigned then
// (B2.shutdown.2).
func (c *Channel) shutdown() {
	again := c.core.OurShutdown != nil
	if c.conn.shutSent || !c.conn.synced || c.conn.broken || !again && !c.want.closing && !c.conn.shutGot && c.core.Phase != ShuttingDown {
		return
	}
	switch c.core.Phase {
	case AwaitReady, Open, ShuttingDown, MutualClose:
	case Opening, Funding, Failed, Closing, Closed:
		return
	}
	if c.unsigned() || c.quieting() {
		return
	}
	script := c.ourScript()
	if script == nil {
		c.askShutdown()
		return
	}
	if !again {
		c.core.OurShutdown = script
		c.core.WeClosed = c.core.WeClosed || c.core.TheirShutdown == nil
		c.closingPhase()
	}
	c.conn.shutSent = true
	c.offersFrom()
	c.send(&lnwire.Shutdown{ChannelID: c.core.ChannelID, Script: script})
}

// askShutdown asks the wallet for our script, once on a connection.
func (c *Channel) askShutdown() {
	if c.conn.asked {
		return
	}
	c.conn.asked = true
	any := c.conn.features.HasEither(lnwire.ShutdownAnySegwitOptional)
	c.fx.Ask = append(c.fx.Ask, Ask{ID: askScript, Question: AskShutdownScript{AnySegwit: any}})
}

// unsigned: updates of ours wait for a signature.
func (c *Channel) unsigned() bool {
	waits := func(list []*entry, s htlc.State) bool {
		for _, e := range list {
			if e.State == s {
				return true
			}
		}
		return false
	}
	return waits(c.out, htlc.SentAdd) || waits(c.in, htlc.SentRemove) || c.fee != nil && c.fee.State == htlc.SentAdd
}

// ourScript is where our money goes: said before, fixed at the opening
// (B2.shutdown.4), or wished; nil when the wallet has to be asked.
func (c *Channel) ourScript() []byte {
	switch {
	case c.core.OurShutdown != nil:
		return c.core.OurShutdown
	case len(c.terms.Ours.Upfront) > 0:
		return c.terms.Ours.Upfront
	case len(c.want.script) > 0:
		return c.want.script
	}
	return nil
}

// gotScript is the wallet's address for the close, unless the operator has wished for
// another in the meantime.
func (c *Channel) gotScript(script []byte) {
	if c.core.OurShutdown == nil && len(c.want.script) == 0 && c.closeScript(script) {
		c.want.script = script
	}
}

// closingPhase leaves normal operation.
func (c *Channel) closingPhase() {
	if c.core.Phase != MutualClose && c.core.Phase != ShuttingDown {
		c.enter(ShuttingDown)
	}
	c.stale = true
	c.save()
}

// rcvShutdown is the peer's wish to close, or its answer to ours (B2.shutdown.3).
func (c *Channel) rcvShutdown(m *lnwire.Shutdown) {
	if !c.closeScript(m.Script) { // B2.shutdown.5
		c.warn("shutdown: scriptpubkey has no allowed form")
		return
	}
	if up := c.terms.Theirs.Upfront; len(up) > 0 && !bytes.Equal(up, m.Script) { // B2.shutdown.6
		c.warn("shutdown: scriptpubkey is not your upfront_shutdown_script")
		return
	}
	if until := c.frozenUntil(); !c.terms.Funder && !c.closingWished() && c.core.Tip.Height < until {
		c.warn(fmt.Sprintf("shutdown: you may not close this channel before block %d", until))
		return
	}
	if c.conn.shutGot && !bytes.Equal(c.core.TheirShutdown, m.Script) {
		c.warn("shutdown: a second one with another scriptpubkey")
		return
	}
	c.conn.shutGot = true
	c.core.TheirShutdown = m.Script
	c.closingPhase()
	c.offersFrom()
}

// closingWished: we want to close ourselves.
func (c *Channel) closingWished() bool { return c.want.closing || c.core.OurShutdown != nil }

// drained: no HTLC or fee is under way and no revocation is owed: both commitments
// hold the balances alone.
func (c *Channel) drained() bool {
	return len(c.in)+len(c.out)+len(c.core.Fees) == 0 && c.fee == nil && !c.awaiting()
}

// negotiating: both shutdowns are exchanged on this connection and the commitments
// are empty: no update may follow, the fee is next.
func (c *Channel) negotiating() bool {
	return c.conn.synced && !c.conn.broken && c.conn.shutSent && c.conn.shutGot && c.drained() &&
		(c.core.Phase == ShuttingDown || c.core.Phase == MutualClose)
}
