package node

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/wallet"
)

// claims passes what a channel's end is worth on to the sweeper, and what may lift the
// commitment that begins it. Nothing of it is stored but what the user wished: after a
// restart the channel claims again.
func (n *Node) claims(e *entry, fx *channel.Effects) {
	claims, anchors, gone := fx.Claims, fx.Anchors, slices.Concat(fx.Unlift, fx.Unclaim)
	if len(gone) == 0 && len(claims) == 0 && len(anchors) == 0 && len(fx.Lifted) == 0 && len(fx.Taken) == 0 {
		return
	}
	for i := range claims {
		n.logs.closes.Info("claim", "channel", e.num, "output", claims[i].OutPoint, "value", claims[i].Value,
			"mature", claims[i].MatureAt, "deadline", claims[i].Deadline)
	}
	reqs := make([]wallet.SweepRequest, 0, len(claims)+len(anchors))
	for i := range claims {
		reqs = append(reqs, sweepRequest(&claims[i]))
	}
	for i := range anchors {
		a := &anchors[i]
		n.logs.closes.Info("commitment may be lifted", "channel", e.num, "commitment", a.OutPoint.Hash, "fee", a.Fee,
			"at risk", a.AtRisk, "deadline", a.Deadline)
		reqs = append(reqs, anchorRequest(e.num, a))
	}
	n.purse.sweep(gone, reqs, fx.Lifted, fx.Taken)
}

// sweep asks the sweeper for outputs, and takes back what it was asked for before.
func (p *purse) sweep(gone []wire.OutPoint, reqs []wallet.SweepRequest, lifted []channel.Lifted, taken []channel.Mined) {
	defer p.n.refreshFees()
	p.mu.Lock()
	defer p.mu.Unlock()
	var fx wallet.Effects
	fx.Append(p.unsweep(gone))
	fx.Append(p.sweeps.Request(reqs...))
	for _, l := range lifted {
		p.sweeps.ParentMined(l.Txid, l.At)
	}
	for _, m := range taken {
		p.sweeps.Taken(m.Tx, m.Place.At)
	}
	fx.Append(p.sweeps.Decide(p.n.lastFees(), p.n.now()))
	p.queue(fx, nil)
	p.remind()
}

// decide lets the sweeper look at what it has by new estimates.
func (p *purse) decide(fees wallet.Fees) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue(p.sweeps.Decide(fees, p.n.now()), nil)
}

// unsweep forgets requests for outputs that left the chain. What was published for
// them rests on nothing; others that were in it go again.
func (p *purse) unsweep(gone []wire.OutPoint) (fx wallet.Effects) {
	if len(gone) == 0 {
		return fx
	}
	for _, op := range gone {
		p.sweeps.Cancel(op)
		if txid, ok := p.wallet.Sweeping(op); ok {
			if more, err := p.wallet.Abandon(txid); err == nil {
				fx.Append(more)
			}
		}
	}
	return fx
}

// sweepRequest is a claim as the sweeper takes it. How much of it may go to the
// miners is the sweeper's own rule.
func sweepRequest(c *onchain.Claim) wallet.SweepRequest {
	req := wallet.SweepRequest{Spend: c.Spend, Confirmed: c.At, Deadline: c.Deadline}
	if c.AtRisk > 0 {
		req.Share = &wallet.Share{Anchor: c.Anchor, AtRisk: c.AtRisk}
	}
	return req
}

// anchorRequest asks for a commitment to be lifted. Half of what is at risk may go to
// the miners, for this and for the claims behind it together; what only comes home sooner by it is not worth more than the anchor,
// unless the operator says so.
func anchorRequest(num uint64, a *channel.Anchor) wallet.SweepRequest {
	return wallet.SweepRequest{
		Spend: a.Spend, Deadline: a.Deadline, Group: num + 1, Parent: &wallet.Parent{Weight: a.Weight, Fee: a.Fee},
		Budget: commitment.AnchorValue + wallet.LiftBudget(a.AtRisk),
	}
}

// accepted tells the sweeper that the network has taken a transaction.
func (p *purse) accepted(txid chainhash.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeps.Accepted(txid)
}

// rejected tells the sweeper and the wallet that the network refused a transaction.
func (p *purse) rejected(txid chainhash.Hash, why chainntnfs.RejectReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fx := p.sweeps.Rejected(txid, why, p.n.now())
	fx.Append(p.wallet.Refused(txid, why))
	p.queue(fx, nil)
}
