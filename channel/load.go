package channel

import (
	"slices"

	"github.com/fulgur-ln/fulgur/htlc"
)

// Load makes the machine from its rows, as it was before a disconnect. It gives nil
// when the rows hold no channel. The first event should be Resumed.
func Load(cfg *Config, crypto Crypto, rows Rows) *Channel {
	if rows.Terms == nil || rows.Core == nil {
		return nil
	}
	terms := *rows.Terms
	c := New(cfg, crypto, terms.ChanNum, terms.Peer)
	c.opening = nil
	c.terms, c.core = &terms, *rows.Core
	c.core.Fees = slices.Clone(rows.Core.Fees)
	c.fundings = slices.Clone(rows.Fundings)
	c.local, c.closed = rows.Local, rows.Closed
	c.missing = rows.Core.Confirmed == nil && !terms.Kind().ZeroConf
	if rows.Policy != nil {
		c.policy = *rows.Policy
	}
	if rows.Secrets != nil {
		c.secrets = *rows.Secrets
	}
	for _, h := range rows.HTLCs {
		e := &entry{HTLC: h, stored: true}
		if i, ok := slices.BinarySearchFunc(rows.Onions, h.Ref, func(o OnionRow, ref htlc.Ref) int { return compareRefs(o.Ref, ref) }); ok {
			e.onion = rows.Onions[i].Onion
		}
		if h.Ref.Dir == htlc.Outgoing {
			c.out = append(c.out, e)
		} else {
			c.in = append(c.in, e)
		}
	}
	c.stale = true
	return c
}

// Rows is what Load would need to make this machine: what should be stored now. The
// revoked states are not among it.
func (c *Channel) Rows() Rows {
	if !c.durable() {
		return Rows{Closed: c.closed}
	}
	core, terms := c.core, *c.terms
	core.Fees = slices.Clone(c.core.Fees)
	rows := Rows{Terms: &terms, Core: &core, Fundings: slices.Clone(c.fundings), Local: c.local, Closed: c.closed}
	if c.policy != (Policy{}) {
		policy := c.policy
		rows.Policy = &policy
	}
	if c.secrets.Next() > 0 {
		secrets := c.secrets
		rows.Secrets = &secrets
	}
	c.each(func(e *entry) {
		h, ok := e.row()
		if !ok {
			return
		}
		rows.HTLCs = append(rows.HTLCs, h)
		if e.onion != nil {
			rows.Onions = append(rows.Onions, OnionRow{Ref: h.Ref, Onion: e.onion})
		}
	})
	return rows
}

// resumed derives again what may have been lost with the process. Ends of outgoing
// HTLCs that nobody has acted on stand in the outbox, which is replayed by whoever
// owns it.
func (c *Channel) resumed() {
	c.stale = true
	switch c.core.Phase {
	case Funding: // B2.reest.7: the peer may have forgotten it as well
		c.giveUp("the process ended before the channel was funded")
		return
	case Opening, Closed:
		return
	case AwaitReady:
		c.publishFunding()
	case Open:
		c.publishFunding()
		c.publishAnn()
	case ShuttingDown:
		c.publishFunding()
	case MutualClose:
		c.publishFunding()
		c.fx.Publish = append(c.fx.Publish, c.closeTxs()...)
	case Failed:
		c.publishFunding()
		c.publish()
	case Closing:
		c.sink()
	}
	c.watchFunding()
	c.follow()
	for _, e := range c.in {
		if e.State == htlc.RcvdAddAckRevocation && e.Removal == nil {
			c.lockedIn(e)
		}
	}
}

// publishFunding publishes our funding transaction as long as it is not in the chain,
// unless it waits for others.
func (c *Channel) publishFunding() {
	if c.core.Confirmed != nil || c.local == nil {
		return
	}
	for _, f := range c.fundings {
		if f.Ours && f.Batch == 0 {
			c.fx.Publish = append(c.fx.Publish, f.Tx)
		}
	}
}
