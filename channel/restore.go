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
	c.fundAt(ev.Funding, nil)
	c.core.SCID, c.core.DataLost = ev.SCID, true
	c.core.Reason = "restored from a backup: only the peer can close it"
	c.core.ErrorText = "our state is lost: please close the channel"
	c.enter(Failed, NoticeRestored)
	c.watchFunding()
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
