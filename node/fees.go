package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet"
)

const (
	// defaultTarget is how many blocks a transaction may take when nobody said.
	defaultTarget = 6
	// commitTarget is the same for a commitment without anchors, whose fee cannot be
	// raised any more once it is published.
	commitTarget = 3
	feeTimeout   = 10 * time.Second
	// onePerVByte is the relay's minimum as people write it, 250 sat/kw, which FeeFloor
	// rounds up.
	onePerVByte lnwire.SatPerKW = 250
)

// feeRate is the rate that was asked for, or the estimate for the target.
func (n *Node) feeRate(rate lnwire.SatPerKW, target uint32) (lnwire.SatPerKW, error) {
	if rate != 0 {
		if rate < onePerVByte {
			return 0, mistake.Argument("fee rate of %d sat/kw is below the relay minimum of %d sat/kw", rate, lnwire.FeeFloor)
		}
		return max(rate, lnwire.FeeFloor), nil
	}
	if target == 0 {
		target = defaultTarget
	}
	ctx, cancel := context.WithTimeout(n.ctx, feeTimeout)
	defer cancel()
	rate, err := n.backend.FeeEstimate(ctx, target)
	if err != nil {
		return 0, fmt.Errorf("fee estimate: %w", err)
	}
	return rate, nil
}

// commitRate is the rate of a commitment that could have to be published now.
func (n *Node) commitRate(f commitment.Format) (lnwire.SatPerKW, error) {
	rate, err := n.feeRate(0, commitTarget)
	if err != nil {
		return 0, err
	}
	if f == commitment.Anchors {
		limit := n.cfg.Policy.MaxAnchor
		if limit == 0 {
			limit = channel.DefaultAnchorRate
		}
		rate = min(rate, limit)
	}
	return rate, nil
}

// EstimateFee is the rate to be confirmed within target blocks.
func (n *Node) EstimateFee(target uint32) (lnwire.SatPerKW, error) { return n.feeRate(0, target) }

// feeTable holds the last estimates that the sweeper chooses from.
type feeTable struct {
	known atomic.Pointer[wallet.Fees]
	busy  atomic.Bool
}

// lastFees are the estimates as last heard of, by target; none before the first answer.
// Whoever needs them has no time to ask: a fee source that hangs must not hold up a
// channel, nor the blocks.
func (n *Node) lastFees() wallet.Fees {
	if fees := n.fees.known.Load(); fees != nil {
		return *fees
	}
	return nil
}

// refreshFees asks for new estimates, and lets the sweeper decide by them.
func (n *Node) refreshFees() {
	if !n.fees.busy.CompareAndSwap(false, true) {
		return
	}
	n.spawn(func() {
		defer n.fees.busy.Store(false)
		if fees := n.askFees(); len(fees) > 0 {
			n.fees.known.Store(&fees)
			n.purse.decide(fees)
		}
	})
}

// askFees asks for all estimates.
func (n *Node) askFees() (fees wallet.Fees) {
	for _, target := range []uint32{1, 2, 3, 6, 12, 24, 72, 144} {
		rate, err := n.feeRate(0, target)
		if err != nil {
			return fees
		}
		fees = append(fees, wallet.FeePoint{Blocks: target, Rate: rate})
	}
	return fees
}
