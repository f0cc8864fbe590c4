package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// BumpRequest is what a user wants to be offered for an output; what is 0 stays as it
// was.
type BumpRequest struct {
	Rate   lnwire.SatPerKW // to begin with
	Target uint32          // or the blocks by whose estimate it begins
	Within uint32          // blocks from now on that it may take at most
	Budget lnwire.Sat
	Alone  bool // shares no transaction with what is not urgent
}

// The errors of a bump. Clients of lnd compare the texts.
var (
	ErrNoAnchors       = errors.New("not able to bump the fee of a non-anchor channel")
	ErrNoPendingAnchor = errors.New("unable to find pending anchor outputs")
)

// BumpFee raises what is offered for an output that is being swept, or makes an
// unconfirmed output of the wallet raise its transaction: known tells the one from the
// other. It is durable when this returns.
func (n *Node) BumpFee(op wire.OutPoint, req BumpRequest) (known bool, err error) {
	b := wallet.Bump{Rate: req.Rate, Budget: req.Budget, Alone: req.Alone}
	if req.Target != 0 {
		if b.Rate, err = n.feeRate(0, req.Target); err != nil {
			return false, fmt.Errorf("unable to estimate fee rate for target conf %d: %w", req.Target, err)
		}
	}
	if req.Within != 0 {
		b.Deadline = n.height() + lnwire.Height(req.Within)
	}
	err = n.purse.do(func(*wallet.Wallet) (fx wallet.Effects, err error) {
		fx, known, err = n.purse.sweeps.Bump(op, b, n.lastFees(), n.now())
		if err != nil && known {
			n.purse.queue(fx, nil) // the wish stands
		}
		return fx, err
	})
	return known, err
}

// BumpForceClose raises the fee of a channel's commitment that waits to be mined, by
// way of its anchor. The errors are ErrNoChannel, also for a channel that does not wait
// for its end, ErrNoAnchors, ErrNoPendingAnchor, and BumpFee's.
func (n *Node) BumpForceClose(ctx context.Context, funding wire.OutPoint, req BumpRequest) error {
	info, err := n.Channel(ctx, funding)
	if err != nil {
		return ErrNoChannel
	}
	waits := info.Core.Phase == channel.Failed || info.Core.Phase == channel.MutualClose || info.Anchor != nil
	switch {
	case !waits || info.Core.Spend != nil:
		return ErrNoChannel
	case info.Terms.Format != commitment.Anchors:
		return ErrNoAnchors
	case info.Anchor == nil:
		return ErrNoPendingAnchor
	}
	known, err := n.BumpFee(*info.Anchor, req)
	if err != nil && !known {
		return ErrNoPendingAnchor
	}
	return err
}
