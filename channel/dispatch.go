package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// receive hands a message to its verb, if it may come now. The machine is total: in
// every state every message has an outcome, and none is a panic (V-58).
func (c *Channel) receive(ev Received) {
	if c.conn.broken {
		if m, ok := ev.Msg.(*lnwire.Error); ok {
			c.peerError(m)
		}
		return
	}
	if c.conn.greeting != nil && !c.conn.synced || c.backingUp(ev.Msg) {
		c.hold(ev)
		return
	}
	if c.core.Phase == Closed && c.terms == nil {
		return // it was on its way to us when the opening ended
	}
	if !c.named(ev.Msg) {
		c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: NoticeBug, Text: fmt.Sprintf("message type %d of another channel", ev.Msg.Type())})
		return
	}
	switch m := ev.Msg.(type) {
	case *lnwire.Error:
		c.peerError(m)
	case *lnwire.Warning:
		c.tell(NoticeWarning, printable(m.Data))
	default:
		if !c.receiveOpening(&ev) && !c.receiveUpdate(&ev) && !c.receiveOther(m) {
			c.unexpected(m)
		}
	}
}

// maxHeld bounds the messages that wait for the signer.
const maxHeld = 1000

// hold keeps a message until what we owe the peer can be signed: our answer to its
// channel_reestablish must come before all else.
func (c *Channel) hold(ev Received) {
	if len(c.conn.held) >= maxHeld {
		c.warn("too many messages: we are not ready")
		return
	}
	c.conn.held = append(c.conn.held, ev)
}

// named: the message names this channel.
func (c *Channel) named(msg lnwire.Message) bool {
	m, ok := msg.(lnwire.ChannelMessage)
	if !ok {
		return true
	}
	id := m.Channel()
	if _, opens := msg.(*lnwire.OpenChannel); opens && c.core.Phase == Opening && c.opening.step == openIdle {
		return true
	}
	switch msg.(type) {
	case *lnwire.Error, *lnwire.Warning:
		if id.IsZero() {
			return true
		}
	}
	return id == c.id() || c.core.Phase != Opening && id == c.core.ChannelID || c.terms != nil && id == c.terms.TempID
}

// receiveOpening takes the messages of the opening at their step; false when they
// may not come now.
func (c *Channel) receiveOpening(ev *Received) bool {
	o := c.opening
	if o == nil || c.core.Phase > Funding {
		return false
	}
	switch m := ev.Msg.(type) {
	case *lnwire.OpenChannel:
		if o.step == openIdle {
			c.openChannel(m, ev)
			return true
		}
	case *lnwire.AcceptChannel:
		if o.step == sentOpen {
			c.acceptChannel(m)
			return true
		}
	case *lnwire.FundingCreated:
		if o.step == sentAccept {
			c.fundingCreated(m)
			return true
		}
	case *lnwire.FundingSigned:
		if o.step == sentCreated {
			c.fundingSigned(m)
			return true
		}
	}
	return false
}

// receiveUpdate takes the messages of normal operation while it lasts.
func (c *Channel) receiveUpdate(ev *Received) bool {
	if !c.updating() || c.negotiating() || !c.mayUpdate(ev.Msg) {
		return false
	}
	switch m := ev.Msg.(type) {
	case *lnwire.UpdateAddHTLC:
		c.rcvAdd(m, ev.Opened)
	case *lnwire.UpdateFulfillHTLC:
		c.rcvFulfill(m)
	case *lnwire.UpdateFailHTLC:
		c.rcvFail(m)
	case *lnwire.UpdateFailMalformedHTLC:
		c.rcvMalformed(m)
	case *lnwire.UpdateFee:
		c.rcvFee(m)
	case *lnwire.CommitmentSigned:
		c.rcvCommit(m)
	case *lnwire.RevokeAndAck:
		if ev.Now.After(c.now) {
			c.now = ev.Now
		}
		c.rcvRevoke(m)
	default:
		return false
	}
	return true
}

// mayUpdate: the peer has not fallen silent. After its stfu it may sign and revoke for
// the sake of our updates, and nothing when both are silent (B2.quiesce.5).
func (c *Channel) mayUpdate(msg lnwire.Message) bool {
	switch msg.(type) {
	case *lnwire.CommitmentSigned, *lnwire.RevokeAndAck:
		return !c.quiescent()
	}
	return !c.conn.quiet.got
}

// receiveOther takes the messages at the seams of normal operation.
func (c *Channel) receiveOther(msg lnwire.Message) bool {
	live := c.core.Phase >= AwaitReady && c.core.Phase <= MutualClose
	switch m := msg.(type) {
	case *lnwire.ChannelReestablish:
		if live && c.conn.up && !c.conn.synced && c.conn.greeting == nil {
			c.rcvReestablish(m)
			return true
		}
		if c.core.Phase == Failed && c.terms.Restored {
			c.learn(m)
			return true
		}
	case *lnwire.ChannelReady: // some peers send it ahead of channel_reestablish
		if live && c.conn.up {
			c.channelReady(m)
			return true
		}
	case *lnwire.AnnouncementSignatures:
		if live && c.conn.up {
			c.gotAnn(m)
			return true
		}
	case *lnwire.Shutdown:
		if live && c.conn.synced && !c.conn.quiet.got {
			c.rcvShutdown(m)
			return true
		}
	case *lnwire.Stfu:
		if c.core.Phase == Open && c.updating() && c.conn.features.HasEither(lnwire.QuiesceOptional) {
			c.rcvStfu(m)
			return true
		}
	case *lnwire.ClosingSigned:
		if c.negotiating() && !c.simply() {
			c.rcvClosing(m)
			return true
		}
	case *lnwire.ClosingComplete:
		if c.negotiating() && c.simply() {
			c.rcvComplete(m)
			return true
		}
	case *lnwire.ClosingSig:
		if c.negotiating() && c.simply() {
			c.rcvSig(m)
			return true
		}
	}
	return false
}

// unexpected is a message that may not come now.
func (c *Channel) unexpected(m lnwire.Message) {
	text := fmt.Sprintf("message type %d is not allowed now: the channel is %s", m.Type(), c.core.Phase)
	switch c.core.Phase {
	case Opening, Funding:
		c.abort(text)
	case AwaitReady, Open, ShuttingDown, MutualClose:
		c.warn(text)
	case Failed:
		if c.core.ErrorText != "" { // B2.reest.3
			c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(c.core.ErrorText)})
		}
		c.conn.broken = true
	case Closing, Closed:
		c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte("the channel is closed")})
		c.conn.broken = true
	}
}
