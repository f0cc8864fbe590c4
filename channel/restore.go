package channel

import "github.com/fulgur-ln/fulgur/lnwire"

// restore makes the machine the shell of a channel whose state is lost. It stands where
// a channel stands whose peer has proved that our state is old (B2.reest.9), and never
// had one that could be published.
func (c *Channel) restore(ev RestoreAsked) {
	if c.core.Phase != Opening || c.opening == nil || c.opening.step != openIdle {
		c.tell(NoticeBug, "a channel that exists cannot be restored")
		return
	}
	t := ev.Terms
	t.ChanNum, t.Peer, t.Restored, t.OpenedAt = c.num, c.peer, true, ev.Now
	t.OpenedTip = lnwire.BlockRef{Height: ev.From}
	c.terms, c.dirty.terms, c.opening, c.now = &t, true, nil, ev.Now
	c.fundAt(FundingTx{OutPoint: ev.Funding})
	c.core.SCID, c.core.DataLost = ev.SCID, true
	c.core.Reason = "restored from a backup: only the peer can close it"
	c.core.ErrorText = "our state is lost: please close the channel"
	c.enter(Failed, NoticeRestored)
	c.watchFunding()
}

// Forgotten is after how many blocks without its funding in the chain a channel of which
// there is only a backup is taken for one that never was. Ours may wait longer in mempools
// than we remember.
func Forgotten(funder bool) lnwire.Height {
	if funder {
		return 4 * forgetAfter
	}
	return forgetAfter
}

// lostReestablish is the channel_reestablish of one who knows nothing. What it says of
// our commitments cannot be, not even of a channel that was never used: whoever gets it
// has to close (B2.reest.18).
func (c *Channel) lostReestablish() *lnwire.ChannelReestablish {
	return &lnwire.ChannelReestablish{ChannelID: c.core.ChannelID, CurrentPoint: c.point(0)}
}

// learn keeps the point of the peer's commitment, by which old formats pay to us.
func (c *Channel) learn(m *lnwire.ChannelReestablish) {
	c.conn.broken = true
	if _, err := m.CurrentPoint.Parse(); err == nil && c.core.LostPoint != m.CurrentPoint {
		c.core.LostPoint = m.CurrentPoint
		c.save()
	}
}

// supplanted gives the funding output to the channel of a backup: whoever names the
// funding of a channel that we have lost must not keep it from being restored.
func (c *Channel) supplanted(ev Supplanted) {
	const why = "the funding output is that of another channel"
	switch {
	case c.core.Phase == Closed || c.terms != nil && c.terms.Funder && !c.terms.Restored:
	case !c.durable():
		c.abort(why)
	case c.core.Confirmed != nil || c.core.SCID != 0 || c.core.Spend != nil || c.terms.Restored && !ev.Mined:
	default:
		if c.conn.up {
			c.send(&lnwire.Error{ChannelID: c.id(), Data: []byte(why)})
		}
		c.undo(why)
		c.unfunded(why)
	}
}
