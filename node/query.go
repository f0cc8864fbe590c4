package node

import (
	"context"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// ID is the node's public key.
func (n *Node) ID() lnwire.PubKey { return n.id }

// Net is the network that the node is on.
func (n *Node) Net() *chaincfg.Params { return n.net }

// Features are those that the node offers in init.
func (n *Node) Features() lnwire.Features { return n.features }

// Self is what the node announces of itself.
func (n *Node) Self() (lnwire.Alias, lnwire.RGB, []lnwire.Address) {
	o := n.gossip.ourselves()
	return o.Alias, o.Color, o.Addresses
}

// Tip is the last block that the node has taken in.
func (n *Node) Tip() lnwire.BlockRef { return n.tip() }

// Chain is what is known of the chain backend.
func (n *Node) Chain() chainntnfs.State {
	s, _ := n.backend.State()
	return s
}

// Listeners are the addresses that peers can connect to.
func (n *Node) Listeners() []string {
	var out []string
	for _, l := range n.cfg.Listeners {
		out = append(out, l.Addr().String())
	}
	return out
}

// Counts are what the node has done since it was started, for those who measure.
type Counts struct {
	Store    StoreStats
	Signed   uint64 // signatures of commitments and their HTLCs that we made
	Verified uint64 // those of peers that we checked
}

// Counts counts up for ever.
func (n *Node) Counts() Counts {
	return Counts{Store: n.db.Stats(), Signed: n.did.made.Load(), Verified: n.did.verified.Load()}
}

// infoer is what a channel's machine tells of itself.
type infoer interface{ Info() channel.Info }

// look asks a channel's machine. The answer is durable.
func (n *Node) look(ctx context.Context, e *entry) (channel.Info, error) {
	c := make(chan channel.Info, 1)
	e.runner.Inbox.Put(turn.Item{Look: func(m turn.Machine) func() {
		info := m.(infoer).Info()
		return func() { c <- info }
	}})
	select {
	case info := <-c:
		return info, nil
	case <-ctx.Done():
		return channel.Info{}, ctx.Err()
	case <-n.ctx.Done():
		return channel.Info{}, errStopping
	}
}

// ListChannels are all channels that are not forgotten, in every phase from the first
// row on, in the order of their numbers.
func (n *Node) ListChannels(ctx context.Context) ([]channel.Info, error) {
	var out []channel.Info
	for _, e := range n.channels.all() {
		info, err := n.look(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("channel %d: %w", e.num, err)
		}
		if info.Core.Phase != channel.Opening && info.Core.Phase != channel.Closed {
			out = append(out, info)
		}
	}
	return out, nil
}

// Channel is the channel of a funding outpoint. It fails with ErrNoChannel.
func (n *Node) Channel(ctx context.Context, funding wire.OutPoint) (channel.Info, error) {
	e := n.channels.funding(funding)
	if e == nil {
		return channel.Info{}, fmt.Errorf("%w: %v", ErrNoChannel, funding)
	}
	return n.look(ctx, e)
}

// Links are the channels as their last turns told them: cheap, but not asked for now.
func (n *Node) Links() []channel.LinkState {
	var out []channel.LinkState
	for _, e := range n.channels.all() {
		if l := e.link.Load(); l != nil {
			out = append(out, *l)
		}
	}
	return out
}

// anchorChannels counts the channels whose close may need coins of the wallet.
func (n *Node) anchorChannels() int {
	count := 0
	for _, e := range n.channels.all() {
		if e.anchors.Load() {
			count++
		}
	}
	return count
}

// ClosedChannels are the summaries of channels that are over, from number from on.
func (n *Node) ClosedChannels(from uint64, limit int) ([]channel.ClosedRow, error) {
	return n.db.ClosedChannels(from, limit)
}

// Forwards is a page of the history of forwards.
func (n *Node) Forwards(q channeldb.ForwardQuery) ([]channeldb.Forward, error) {
	return n.db.Forwards(q)
}

// DeleteForwards deletes the history of forwards up to a time, and tells how many those were
// and what they had earned.
func (n *Node) DeleteForwards(ctx context.Context, upTo time.Time) (uint64, lnwire.MilliSat, error) {
	return n.db.DeleteForwards(ctx, upTo)
}

// ForwardFees is what the forwards since a time have earned.
func (n *Node) ForwardFees(since time.Time) (lnwire.MilliSat, error) { return n.db.ForwardFees(since) }

// SetPolicy changes what we ask for forwarding over a channel, or over all for a nil
// funding. change gets the present policy. It returns the channels that were changed.
func (n *Node) SetPolicy(ctx context.Context, funding *wire.OutPoint, change func(channel.LinkState) (channel.Policy, error)) ([]wire.OutPoint, error) {
	var changed []wire.OutPoint
	for _, e := range n.channels.all() {
		l := e.link.Load()
		if l == nil || l.Ended || funding != nil && l.Funding != *funding {
			continue
		}
		p, err := change(*l)
		if err != nil {
			return changed, fmt.Errorf("channel %v: %w", l.Funding, err)
		}
		e.runner.Inbox.Put(turn.Item{Event: channel.PolicySet{Policy: p}})
		if _, err := n.look(ctx, e); err != nil { // until it is durable
			return changed, err
		}
		changed = append(changed, l.Funding)
	}
	if funding != nil && len(changed) == 0 {
		return nil, fmt.Errorf("%w: %v", ErrNoChannel, *funding)
	}
	return changed, nil
}
