package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
)

// ClosePlan is what a close would cost now, and when it would be final.
type ClosePlan struct {
	Summary    string
	ClosingFee lnwire.Sat // of the closing transaction, for us
	Lift       lnwire.Sat // that a child would pay now so that it is mined; at most LiftBudget
	LiftBudget lnwire.Sat
	Sweep      lnwire.Sat // that bringing its outputs home would pay
	Balance    lnwire.Sat // ours before all of that
	MinedAt    lnwire.Height
	HomeAt     lnwire.Height
	Outputs    []PlannedOutput
	Obstacle   string // why it cannot be done now; empty: it can
}

// PlannedOutput is one that would have to be brought home.
type PlannedOutput struct {
	What     string
	Amount   lnwire.Sat
	Mature   lnwire.Height // 0: it is not ours without a preimage
	Deadline lnwire.Height // from then on somebody else may take it; 0: nobody
}

// ErrClosing says that the channel is being closed already.
var ErrClosing = errors.New("the channel is being closed already: see fulgur rescue")

// forcedTarget is in how many blocks a commitment is expected to be mined.
const forcedTarget = 6

// PlanClose works out a close without doing anything.
func (n *Node) PlanClose(ctx context.Context, req CloseRequest) (p ClosePlan, err error) {
	e := n.channels.funding(req.Funding)
	if e == nil {
		return p, fmt.Errorf("%w: %v", ErrNoChannel, req.Funding)
	}
	info, f, ok, err := n.foresee(ctx, e)
	switch {
	case err != nil:
		return p, err
	case info.Core.Phase > channel.ShuttingDown:
		return p, ErrClosing
	}
	p.Balance = info.LocalOurs.Sat()
	if req.Force {
		if !ok {
			p.Obstacle = "there is no commitment that could be published"
			return p, nil
		}
		n.planForced(&p, &info, &f)
		return p, nil
	}
	return p, n.planAgreed(&p, &info, req)
}

// planAgreed is a close by agreement: one transaction, whose fee the funder pays.
func (n *Node) planAgreed(p *ClosePlan, info *channel.Info, req CloseRequest) error {
	rate, err := n.feeRate(req.FeeRate, req.Target)
	if err != nil {
		return err
	}
	target := req.Target
	if target == 0 {
		target = defaultTarget
	}
	const weight = 672 // of a closing transaction with two outputs of the usual forms
	if info.Terms.Funder {
		p.ClosingFee = rate.Fee(weight)
	}
	p.MinedAt = n.height() + lnwire.Height(target)
	p.HomeAt = p.MinedAt
	open := 0
	for i := range info.HTLCs {
		if !info.HTLCs[i].State.Gone() {
			open++
		}
	}
	switch {
	case !info.Connected:
		p.Obstacle = "the peer is not connected"
	case open > 0:
		p.Obstacle = fmt.Sprintf("%d payments under way have to be settled first", open)
	}
	p.Summary = fmt.Sprintf("closed by agreement at %d sat/vbyte: %v come home by block %d", rate.SatPerVByte(), p.Balance-min(p.Balance, p.ClosingFee), p.HomeAt)
	return nil
}

// planForced is a close by our commitment.
func (n *Node) planForced(p *ClosePlan, info *channel.Info, f *channel.Foresight) {
	if info.Terms.Funder {
		p.ClosingFee = info.CommitFee
	}
	p.MinedAt = n.height() + forcedTarget
	p.HomeAt = p.MinedAt
	late := p.MinedAt - n.height() - 1 // what is foreseen is for the next block
	for i := range f.Outputs {
		o := &f.Outputs[i]
		if o.Kind == channel.ResolvedAnchor {
			continue // it goes along with something else, or not at all
		}
		out := PlannedOutput{What: outputName(o), Amount: o.Value}
		if o.Mature != 0 {
			out.Mature = o.Mature + late
			if o.Expiry != 0 && o.Mature == o.Expiry+1 {
				out.Mature = max(o.Mature, p.MinedAt) // it waits for its expiry, wherever the commitment is
			}
			p.HomeAt = max(p.HomeAt, out.Mature)
		}
		if o.Kind == channel.ResolvedIncoming {
			out.Deadline = o.Expiry
		}
		if o.Kind != channel.ResolvedBalance && out.Mature != 0 { // its output is locked once more behind its own transaction
			p.HomeAt = max(p.HomeAt, out.Mature+lnwire.Height(info.Terms.Theirs.ToSelfDelay))
		}
		p.Outputs = append(p.Outputs, out)
	}
	var reqs []wallet.SweepRequest
	for i := range f.Claims {
		if f.Claims[i].Kind != commitment.SpendOwnerAnchor {
			reqs = append(reqs, sweepRequest(&f.Claims[i]))
		}
	}
	fees, left := n.lastFees(), 0
	n.purse.mu.Lock()
	p.Sweep, left = n.purse.sweeps.Cost(reqs, fees)
	if f.Anchor != nil {
		req := anchorRequest(0, f.Anchor)
		p.LiftBudget, p.Lift = req.Budget, n.purse.sweeps.Lift(req, fees)
	}
	n.purse.mu.Unlock()
	p.Summary = fmt.Sprintf("closed by force: our commitment is mined by block %d, %v and what payments bring are home by block %d", p.MinedAt, p.Balance, p.HomeAt)
	if left > 0 {
		p.Summary += fmt.Sprintf("; %d outputs are not worth their fee at present", left)
	}
	if f.Anchor == nil && info.Terms.Format != commitment.Anchors {
		p.Summary += "; its fee is fixed and cannot be raised later"
	}
}

// outputName is an output in words.
func outputName(o *channel.EndOutput) string {
	name := "our balance"
	switch o.Kind {
	case channel.ResolvedIncoming:
		name = "an incoming payment"
	case channel.ResolvedOutgoing:
		name = "an outgoing payment"
	case channel.ResolvedAnchor:
		name = "our anchor"
	case channel.ResolvedBalance:
	}
	if o.Second {
		name += ", second stage"
	}
	return name
}

// foreseer is what a channel's machine can tell of a forced close.
type foreseer interface {
	infoer
	Foresee() (channel.Foresight, bool)
}

// foresee asks a channel's machine what a forced close would bring.
func (n *Node) foresee(ctx context.Context, e *entry) (info channel.Info, f channel.Foresight, ok bool, err error) {
	type answer struct {
		info channel.Info
		f    channel.Foresight
		ok   bool
	}
	told := make(chan answer, 1)
	e.runner.Inbox.Put(turn.Item{Look: func(m turn.Machine) func() {
		a := answer{info: m.(foreseer).Info()}
		a.f, a.ok = m.(foreseer).Foresee()
		return func() { told <- a }
	}})
	select {
	case a := <-told:
		return a.info, a.f, a.ok, nil
	case <-ctx.Done():
		return channel.Info{}, f, false, ctx.Err()
	case <-n.ctx.Done():
		return channel.Info{}, f, false, errStopping
	}
}

var _ foreseer = (*channel.Channel)(nil)
