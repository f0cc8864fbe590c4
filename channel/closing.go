package channel

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// signedCommitment is our newest commitment with both signatures, ready to be
// published; false while the signer is away, and when there is none to publish.
func (c *Channel) signedCommitment() (*wire.MsgTx, bool) {
	if c.local == nil || c.core.DataLost {
		return nil, false
	}
	com, err := c.localCommitment()
	if err != nil {
		c.tell(NoticeBug, "our own commitment cannot be built again: "+err.Error())
		return nil, false
	}
	sigs, ok := c.crypto.Sign(com.OwnJobs(c.terms.Keys)[:1])
	if !ok || len(sigs) != 1 {
		return nil, false
	}
	return com.Finish(sigs[0], c.local.Sig), true
}

// localCommitment is our newest commitment, the only one of ours that is not
// revoked (B2.revoke.5).
func (c *Channel) localCommitment() (*commitment.Commitment, error) {
	return c.buildLocal(c.core.LocalN, c.localSpec())
}

// spent is the funding output spent in a block: from here the channel lives in the
// chain. What its outputs are worth, and to whom, is found by follow.
func (c *Channel) spent(ev Spent) {
	if !c.durable() || ev.Tx == nil || !spends(ev.Tx, ev.OutPoint) || c.core.Phase == Funding {
		return
	}
	if ev.OutPoint != c.core.Funding {
		c.resolving(ev)
		return
	}
	if s := c.core.Spend; s != nil && s.Tx.TxHash() == ev.Tx.TxHash() && s.Place.At == ev.At {
		return
	}
	if ev.At.Height > c.core.Tip.Height {
		c.core.Tip = ev.At
	}
	c.undo("the funding output was spent")
	c.want, c.opening = wish{}, nil
	c.abandonEnd()
	c.core.Spend = &Spend{Tx: ev.Tx, Place: Place{At: ev.At, TxIndex: ev.TxIndex}, Kind: c.spendKind(ev.Tx)}
	if c.core.Phase != Closing {
		c.enter(Closing)
	}
	c.save()
	c.sink()
	c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: NoticeSpent, Tx: ev.Tx})
	c.warnOfSpend()
	c.buried()
}

func spends(tx *wire.MsgTx, op wire.OutPoint) bool {
	for _, in := range tx.TxIn {
		if in.PreviousOutPoint == op {
			return true
		}
	}
	return false
}

// unspent: the spend's block left the chain. The channel goes back to what it
// waited for, and publishes again.
func (c *Channel) unspent(ev Unconfirmed) {
	if c.core.Phase != Closing || c.core.Spend == nil || c.core.Spend.Tx.TxHash() != ev.Txid {
		return
	}
	c.abandonEnd()
	c.core.Spend = nil
	c.save()
	if txs := c.closeTxs(); len(txs) > 0 {
		c.enter(MutualClose)
		c.fx.Publish = append(c.fx.Publish, txs...)
		return
	}
	if c.core.Reason == "" {
		c.core.Reason = "the transaction that spent the funding left the chain"
	}
	c.enter(Failed)
	c.publish()
}

// reportDepth is how deep a close must be before it is reported: three blocks, up to
// six for large channels, as lnd does.
func (c *Channel) reportDepth() uint32 {
	if c.cfg.ReportDepth > 0 {
		return c.cfg.ReportDepth
	}
	return 3 + uint32(min(3, 3*c.terms.Capacity/largeChannel))
}

// buried reports a close that is deep enough, and forgets a mutual one when no reorg
// can take it back (V-14). A commitment's outputs are followed for as long as they
// concern us. Until the funding is spent, what should spend it is offered again with
// every block.
func (c *Channel) buried() {
	s := c.core.Spend
	switch {
	case s == nil:
		c.republish()
	case s.Kind == SpentByMutual:
		row := c.mutualRow()
		c.report(row)
		if c.depthOf(&s.Place) >= lostDepth {
			c.each(func(e *entry) {
				if e.Ref.Dir == htlc.Outgoing { // the spend was none of ours, and took them along
					c.outcome(e, htlc.Resolution{Kind: htlc.TimedOut})
				}
			})
		}
		if c.depthOf(&s.Place) >= buriedDepth && !c.unanswered() {
			c.forget(row)
		}
	default:
		c.follow()
	}
}

// report tells once that the channel is closed.
func (c *Channel) report(row ClosedRow) {
	if s := c.core.Spend; c.depthOf(&s.Place) >= c.reportDepth() && !s.Reported {
		done := *s
		done.Reported = true
		c.core.Spend = &done
		c.closed, c.fx.Delta.Closed = &row, &row
		c.fx.Delta.Events = append(c.fx.Delta.Events, NoticeClosed)
		c.tell(NoticeClosed, "")
		c.save()
	}
}

// republish offers again what should spend the funding.
func (c *Channel) republish() {
	switch c.core.Phase {
	case MutualClose:
		c.fx.Publish = append(c.fx.Publish, c.likeliest()...)
	case Failed:
		if tx, ok := c.signedCommitment(); ok {
			c.fx.Publish = append(c.fx.Publish, tx)
		}
		c.raise()
	case Opening, Funding, AwaitReady, Open, ShuttingDown, Closing, Closed:
	}
}

// summary is the row that stays, as far as it is the same for every end.
func (c *Channel) summary(kind CloseKind) ClosedRow {
	t := c.terms
	return ClosedRow{
		ChanNum: c.num, Peer: c.peer, ChannelID: c.core.ChannelID, Funding: c.core.Funding, SCID: c.core.SCID,
		Capacity: t.Capacity, Kind: kind, Funder: t.Funder, WeClosed: c.core.WeClosed, Private: t.Private, Reason: c.core.Reason,
		Alias: t.Alias, ZeroConf: t.Kind().ZeroConf,
	}
}

// mutualRow is the summary of a cooperative close. What we got is what the
// transaction pays to our script.
func (c *Channel) mutualRow() ClosedRow {
	row, s := c.summary(ClosedMutual), c.core.Spend
	row.CloseTxid, row.At = s.Tx.TxHash(), s.Place.At
	for _, out := range s.Tx.TxOut {
		if c.pays(out.PkScript) {
			row.Settled += lnwire.Sat(out.Value)
		}
	}
	return row
}

// pays: the script is, or was, where our money goes.
func (c *Channel) pays(script []byte) bool {
	return bytes.Equal(script, c.core.OurShutdown) ||
		slices.ContainsFunc(c.core.OldScripts, func(old []byte) bool { return bytes.Equal(script, old) })
}
