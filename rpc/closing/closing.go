// Package closing is the service Closing, which lnd does not have: closes under way in
// words, and what a close would cost.
//
// It owns the translation. It must never know why something waits; a Node says so.
//
//	err := server.Provide(&fulgurrpc.Closing_ServiceDesc, closing.New(node))
package closing

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	Rescue(ctx context.Context, only *wire.OutPoint) (node.Rescue, error)
	PlanClose(ctx context.Context, req node.CloseRequest) (node.ClosePlan, error)
}

var _ Node = (*node.Node)(nil)

// Service is the service. Use New.
type Service struct {
	fulgurrpc.UnimplementedClosingServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// Rescue explains closes under way.
func (s *Service) Rescue(ctx context.Context, req *fulgurrpc.RescueRequest) (*fulgurrpc.RescueResponse, error) {
	var only *wire.OutPoint
	if req.ChanPoint != nil {
		op, err := translate.ChannelPoint("chan_point", req.ChanPoint)
		if err != nil {
			return nil, err
		}
		only = &op
	}
	r, err := s.node.Rescue(ctx, only)
	if err != nil {
		return nil, err
	}
	out := &fulgurrpc.RescueResponse{BlockHeight: uint32(r.Height), Warnings: r.Warnings}
	for i := range r.Channels {
		out.Channels = append(out.Channels, channel(&r.Channels[i]))
	}
	return out, nil
}

func channel(c *node.Closing) *fulgurrpc.ClosingChannel {
	out := &fulgurrpc.ClosingChannel{
		ChannelPoint: c.Funding.String(), RemotePubkey: c.Peer.String(), Capacity: int64(c.Capacity), State: c.State, Reason: c.Reason,
		ClosingTxid: txid(c.Txid), ClosingHeight: uint32(c.Mined), LimboBalance: int64(c.Limbo), RecoveredBalance: int64(c.Home),
		HomeHeight: uint32(c.HomeAt),
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		step := &fulgurrpc.ClosingStep{
			What: s.What, Amount: int64(s.Amount), WaitsFor: s.WaitsFor, UntilHeight: uint32(s.Until), Txid: txid(s.Txid),
			SatPerVbyte: s.Rate.SatPerVByte(), Budget: uint64(s.Budget), DeadlineHeight: uint32(s.Deadline), Advice: s.Advice, Done: s.Done,
		}
		if s.OutPoint != (wire.OutPoint{}) {
			step.Outpoint = s.OutPoint.String()
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

func txid(h chainhash.Hash) string {
	if h == (chainhash.Hash{}) {
		return ""
	}
	return h.String()
}

// PlanClose tells what a close would be.
func (s *Service) PlanClose(ctx context.Context, req *fulgurrpc.PlanCloseRequest) (*fulgurrpc.PlanCloseResponse, error) {
	ask := node.CloseRequest{Force: req.Force, Target: req.TargetConf}
	var err error
	if ask.Funding, err = translate.ChannelPoint("chan_point", req.ChanPoint); err != nil {
		return nil, err
	}
	switch {
	case req.Force && (req.SatPerVbyte != 0 || req.TargetConf != 0):
		return nil, translate.Invalid("sat_per_vbyte", "a forced close has a fee that was agreed before")
	case req.TargetConf > 1008 || req.TargetConf != 0 && req.SatPerVbyte != 0:
		return nil, translate.Invalid("target_conf", "must be at most 1008, and not beside sat_per_vbyte")
	}
	if ask.FeeRate, _, err = translate.FeeRate(req.SatPerVbyte, 0, 0); err != nil {
		return nil, err
	}
	p, err := s.node.PlanClose(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &fulgurrpc.PlanCloseResponse{
		Summary: p.Summary, ClosingFee: int64(p.ClosingFee), LiftFee: int64(p.Lift), LiftBudget: int64(p.LiftBudget), SweepFee: int64(p.Sweep),
		Balance: int64(p.Balance), MinedHeight: uint32(p.MinedAt), HomeHeight: uint32(p.HomeAt), Obstacle: p.Obstacle,
	}
	for _, o := range p.Outputs {
		out.Outputs = append(out.Outputs, &fulgurrpc.PlannedOutput{
			What: o.What, Amount: int64(o.Amount), MatureHeight: uint32(o.Mature), DeadlineHeight: uint32(o.Deadline),
		})
	}
	return out, nil
}
