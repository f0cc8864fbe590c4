package node

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet"
)

// errMaxWithAmount: the two contradict each other.
var errMaxWithAmount = mistake.Argument("local funding amount must not be set while fund max is active")

// fundMax sets the capacity of a channel that is to get all that the wallet can spend:
// what is left of the coins behind the fee, and behind the reserve for anchors, which
// the new channel makes larger. Coins and rate are fixed with it, so that the funding
// comes out the same. Where the wallet has more than a channel may hold, it is that.
func (n *Node) fundMax(req *OpenRequest, features lnwire.Features) error {
	if req.Capacity != 0 {
		return errMaxWithAmount
	}
	rate, err := n.feeRate(req.FeeRate, req.Target)
	if err != nil {
		return err
	}
	anchors := n.anchorChannels()
	if n.openFormat(req, features) == commitment.Anchors {
		anchors++
	}
	script := append([]byte{0, 32}, make([]byte, 32)...) // of the kind that will be paid
	var f *wallet.Funded
	n.purse.look(func(w *wallet.Wallet) {
		f, err = w.Plan(wallet.FundRequest{
			Outputs: []*wire.TxOut{wire.NewTxOut(0, script)}, All: true, FeeRate: rate, MinConfs: req.MinConfs, Coins: req.Coins,
			Reserve: wallet.RequiredReserve(anchors), Now: n.now(),
		})
	})
	if err != nil {
		return err
	}
	most := n.cfg.Policy.MaxCapacity
	if !features.HasEither(lnwire.SupportLargeChannelOptional) {
		most = min(most, MaxSmallChannel)
	}
	req.FeeRate, req.Capacity = rate, lnwire.Sat(f.Tx.TxOut[f.Outputs[0]].Value)
	if req.Capacity > most {
		req.Capacity = most
		return nil
	}
	req.Coins = nil
	for _, c := range f.Coins {
		req.Coins = append(req.Coins, c.OutPoint)
	}
	return nil
}

// openFormat is the format of a channel's commitments: what was asked for, or anchors
// where both sides know them.
func (n *Node) openFormat(req *OpenRequest, features lnwire.Features) commitment.Format {
	switch {
	case req.Format != 0:
		return req.Format
	case features.HasEither(lnwire.AnchorsOptional) && !n.cfg.Policy.StaticOnly:
		return commitment.Anchors
	}
	return commitment.StaticRemoteKey
}
