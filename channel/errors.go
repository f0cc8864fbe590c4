package channel

import (
	"slices"
	"strings"
	"unicode"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// id is the name that the peer knows the channel by.
func (c *Channel) id() lnwire.ChannelID {
	switch {
	case c.core.Phase > Funding:
		return c.core.ChannelID
	case c.terms != nil:
		return c.terms.TempID
	case c.opening != nil && c.opening.open != nil:
		return c.opening.open.TemporaryChannelID
	case c.opening != nil:
		return c.opening.asked.TempID
	}
	return c.core.ChannelID
}

// warn answers wrongdoing that needs not end the channel: a warning, and a new
// start on a new connection.
func (c *Channel) warn(text string) {
	c.send(&lnwire.Warning{ChannelID: c.id(), Data: []byte(text)})
	c.fx.Disconnect = true
	c.conn.broken = true
}

// abort ends an opening with an error to the peer.
func (c *Channel) abort(text string) {
	// B2.error.2: an error with an id of zeros would end all channels with the peer.
	if id := c.id(); !id.IsZero() {
		c.send(&lnwire.Error{ChannelID: id, Data: []byte(text)})
	} else {
		c.fx.Disconnect = true
	}
	c.giveUp(text)
}

// giveUp ends an opening. Nothing of ours was published: the coins are free.
func (c *Channel) giveUp(text string) {
	if c.core.Phase == Funding {
		c.fx.Delta.Forget = true
	}
	for _, f := range c.fundings {
		if f.Ours && f.Batch == 0 {
			c.fx.Unfund = f.Tx
		}
	}
	c.core.Phase, c.opening = Closed, nil
	c.fx.Over = true
	c.tell(NoticeOpenFailed, text)
	c.tell(NoticeForgotten, "")
}

// forget drops a channel that never came to be, or that is over.
func (c *Channel) forget(row ClosedRow) {
	c.closed = &row
	c.fx.Delta.Closed = &row
	c.fx.Delta.Forget = true
	c.fx.Over = true
	c.core.Phase = Closed
	c.stale = true
	c.tell(NoticeForgotten, "")
}

// fail ends the channel: an error to the peer, our commitment to the chain.
func (c *Channel) fail(text string) {
	switch c.core.Phase {
	case Opening, Funding:
		c.abort(text)
		return
	case Closed, Closing, Failed:
		return
	case MutualClose: // the closing transaction is complete: nothing is better
		c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(text)})
		c.conn.broken = true
		return
	case AwaitReady, Open, ShuttingDown:
	}
	c.unilaterally(text, "")
}

// unilaterally goes to the chain with our commitment, and says why: more is for the
// operator only.
func (c *Channel) unilaterally(text, more string) {
	c.core.ErrorText = text
	if c.conn.up {
		c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(text)})
		c.conn.broken = true
	}
	c.core.WeClosed = true
	c.tell(NoticeFailing, text+more)
	c.broke(text + more)
}

// broke takes a channel out of use and goes to the chain.
func (c *Channel) broke(reason string) {
	c.core.Reason = reason
	c.undo("the channel failed")
	c.want = wish{}
	c.enter(Failed)
	c.publish()
}

// publish sends our commitment to the chain, unless our state is known to be old
// (B2.reest.9) or the funding is spent already.
func (c *Channel) publish() {
	c.want.publish = false
	if c.core.Phase != Failed || c.core.DataLost || c.core.Spend != nil {
		return
	}
	tx, ok := c.signedCommitment()
	if !ok {
		c.want.publish = true // the signer is away: the next Flush tries again
		return
	}
	c.fx.Publish = append(c.fx.Publish, tx)
	c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: NoticeClosePublished, Tx: tx})
	c.raise()
}

// passing are beginnings of the errors with which lnd does not mean what BOLT 1 says an error
// means. It sends the first when it stops while an update is under way, or trips over
// itself, the second (until 0.18) instead of waiting until a channel that is to be
// closed has no HTLCs; and it keeps the channel. A forced close would cost both sides
// money that neither wants to spend, so the channel starts over on a new connection. The
// last two it sends when its simple close stumbles, as over a channel that is not in its
// graph yet, and then waits for another shutdown.
var passing = []string{"internal error", "link failed to shutdown", "unable to disable channel", "unexpected protocol message"}

// peerError is an error message: the peer has given the channel up, unless it is a
// passing one.
func (c *Channel) peerError(m *lnwire.Error) {
	text := printable(m.Data)
	switch c.core.Phase {
	case Opening, Funding:
		c.giveUp("the peer says: " + text)
	case AwaitReady, Open, ShuttingDown: // B2.error.1
		c.conn.broken = true
		if slices.ContainsFunc(passing, func(known string) bool { return strings.HasPrefix(text, known) }) {
			c.tell(NoticeWarning, "error from the peer, which keeps the channel: "+text)
			c.fx.Disconnect = true
			return
		}
		c.tell(NoticeError, text)
		c.broke("the peer says: " + text)
	case MutualClose, Failed, Closing, Closed: // the peer may have forgotten it
		c.tell(NoticeError, text)
		c.conn.broken = true
	}
}

// printable is hostile text cut and cleaned for logs (V-65).
func printable(b []byte) string {
	const most = 500
	if len(b) > most {
		b = b[:most]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(string(b), "\uFFFD"))
}

// undo forgets what no signature covers, as both sides do when a connection ends
// (B2.reest.1): adds are given back to the switch, the peer's updates are reversed.
// What a preimage told us stays told.
func (c *Channel) undo(why string) {
	for _, e := range c.out {
		switch e.State {
		case htlc.SentAdd:
			c.refuse(e.Origin, htlc.LinkDown, why+" before the HTLC was signed")
		case htlc.RcvdRemove:
			e.State, e.Removal = htlc.SentAddAckRevocation, nil
		}
	}
	c.drop(func(e *entry) bool { return e.State == htlc.SentAdd || e.State == htlc.RcvdAdd })
	c.fee = nil
	c.stale = true
}

// refuse gives an outgoing HTLC back to the switch.
func (c *Channel) refuse(origin htlc.Origin, reason htlc.RefusalReason, text string) {
	c.fx.Refused = append(c.fx.Refused, htlc.Refusal{ChanNum: c.num, Origin: origin, Reason: reason, Text: text})
}
