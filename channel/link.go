package channel

import (
	"github.com/fulgur-ln/fulgur/htlc"
)

// notUp says why no HTLC can be added now; "" when one can.
func (c *Channel) notUp() string {
	switch {
	case c.core.Phase != Open:
		return "the channel is " + c.core.Phase.String()
	case !c.conn.up:
		return "the peer is not connected"
	case !c.conn.synced:
		return "the channel is not reestablished yet"
	case c.conn.broken:
		return "the connection is being dropped"
	case c.closingWished() || c.conn.shutGot:
		return "the channel is being closed"
	case c.missing:
		return "the chain backend does not know the block of the funding any more"
	case c.quieting():
		return "the channel is quiescent"
	}
	return ""
}

// refreshLink gives the link's state out when it has changed.
func (c *Channel) refreshLink() {
	if !c.stale || c.terms == nil || c.core.Phase < AwaitReady {
		return
	}
	c.stale = false
	now := c.linkState()
	if c.link != nil && *c.link == now || c.link == nil && now.Ended {
		return
	}
	if was := c.link != nil && c.link.Up; was != now.Up {
		kind := NoticeInactive
		if now.Up {
			kind = NoticeActive
		}
		c.tell(kind, now.Why)
	}
	c.link = &now
	out := now
	c.fx.Link = &out
}

func (c *Channel) linkState() LinkState {
	t, why := c.terms, c.notUp()
	l := LinkState{
		ChanNum: c.num, ChannelID: c.core.ChannelID, Peer: c.peer, Funding: c.core.Funding,
		SCID: c.core.SCID, Alias: t.Alias, PeerAlias: c.core.PeerAlias, Kind: t.Kind(), Capacity: t.Capacity, Private: t.Private, Funder: t.Funder,
		Up: why == "", Why: why, Ended: c.core.Phase > Open, OnChain: c.core.Phase > ShuttingDown, Policy: c.policy,
		Minimum: t.Theirs.HTLCMinimum, Maximum: min(t.Theirs.MaxInFlight, t.Capacity.MilliSat()),
	}
	l.Ours, l.Theirs = c.balances(holds(htlc.LocalCommit))
	if c.core.Phase == Open {
		l.Spendable, l.Receivable = c.spendable(), c.receivable()
	}
	return l
}

// Info is a plain view of the channel.
func (c *Channel) Info() Info {
	i := Info{Core: c.core, Policy: c.policy, Connected: c.conn.up, Closed: c.closed, Now: c.now}
	if c.terms == nil {
		return i
	}
	i.Terms = *c.terms
	i.Active = c.notUp() == ""
	i.Quiescent, i.Leads = c.quiescent(), c.quiescent() && c.weLead()
	i.Confirmations = c.depth()
	i.LocalOurs, i.LocalTheirs = c.balances(holds(htlc.LocalCommit))
	i.RemoteOurs, i.RemoteTheirs = c.balances(holds(htlc.RemoteCommit))
	c.each(func(e *entry) { i.HTLCs = append(i.HTLCs, e.HTLC) })
	for _, f := range c.fundings {
		i.FundingTx = f.Tx
		i.Extern = c.terms.Funder && !f.Ours && !c.terms.Restored
	}
	for j := range c.end.outputs {
		i.Ends = append(i.Ends, endOutput(&c.end.outputs[j]))
	}
	if c.lift.given != nil {
		i.Anchor = &c.lift.given.op
	}
	if c.lift.rival != nil {
		i.Rival = c.lift.rival.Txid
	}
	s := c.localSpec()
	i.Rate = s.FeeRate
	if c.core.Phase >= AwaitReady && c.core.Phase < Closed && !i.Terms.Restored {
		i.CommitFee = c.owner(true).Cost(s)
		i.Spendable, i.Receivable = c.spendable(), c.receivable()
		if com, err := c.buildLocal(c.core.LocalN, s); err == nil {
			i.CommitFee, i.CommitWeight, i.CommitTxid = com.Fee, com.ToldWeight(), com.Txid
		}
		if c.core.Phase > Open { // of those that live on nobody asks, and it takes time
			i.Theirs = c.theirs(c.core.RemoteRevoked)
			if c.awaiting() {
				i.TheirNext = c.theirs(c.core.RemoteN)
			}
		}
	}
	return i
}

func (c *Channel) theirs(n uint64) (t Theirs) {
	if com := c.theirCommitment(n); com != nil {
		t.Txid, t.Fee = com.Txid, com.Fee
	}
	return t
}
