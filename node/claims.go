package node

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/wallet"
)

// claims passes what a channel's end is worth on to the sweeper. Nothing of it is
// stored: after a restart the channel claims again.
func (n *Node) claims(e *entry, gone []wire.OutPoint, claims []onchain.Claim) {
	if len(gone) == 0 && len(claims) == 0 {
		return
	}
	for i := range claims {
		n.log.Info("claim", "channel", e.num, "output", claims[i].OutPoint, "value", claims[i].Value,
			"mature", claims[i].MatureAt, "deadline", claims[i].Deadline)
	}
	n.purse.sweep(gone, claims)
}

// sweep asks the sweeper for outputs, and takes back what it was asked for before.
func (p *purse) sweep(gone []wire.OutPoint, claims []onchain.Claim) {
	defer p.n.refreshFees()
	p.mu.Lock()
	defer p.mu.Unlock()
	var fx wallet.Effects
	fx.Append(p.unsweep(gone))
	for _, c := range claims {
		fx.Append(p.sweeps.Request(sweepRequest(c)))
	}
	fx.Append(p.sweeps.Decide(p.n.lastFees(), p.n.now()))
	p.queue(fx, nil)
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
	pending := p.sweeps.Pending()
	for _, op := range gone {
		p.sweeps.Cancel(op)
	}
	for _, s := range pending {
		if !slices.Contains(gone, s.OutPoint) {
			continue
		}
		if more, err := p.wallet.Abandon(s.Txid); err == nil {
			fx.Append(more)
		}
	}
	return fx
}

// sweepRequest is a claim as the sweeper takes it. How much of it may go to the
// miners is the sweeper's own rule.
func sweepRequest(c onchain.Claim) wallet.SweepRequest {
	return wallet.SweepRequest{Spend: c.Spend, Confirmed: c.At, Deadline: c.Deadline}
}

// rejected tells the sweeper that the network refused a transaction.
func (p *purse) rejected(txid chainhash.Hash, why chainntnfs.RejectReason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue(p.sweeps.Rejected(txid, why, p.n.now()), nil)
}
