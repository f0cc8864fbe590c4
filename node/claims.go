package node

import (
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
	fees := p.n.feeRates() // may take a while: not under the lock
	p.mu.Lock()
	defer p.mu.Unlock()
	var fx wallet.Effects
	for _, op := range gone {
		p.sweeps.Cancel(op)
	}
	for _, c := range claims {
		fx.Append(p.sweeps.Request(sweepRequest(c)))
	}
	fx.Append(p.sweeps.Decide(fees, p.n.now()))
	p.queue(fx, nil)
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
