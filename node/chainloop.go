package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/chain"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// startChain begins to follow the chain: every channel from its own cursor, the
// wallet and the graph block by block.
func (n *Node) startChain() error {
	n.spawn(func() { n.publisher.run(n.ctx, n.purse.rejected) })
	n.spawn(func() { n.chain.Run(n.ctx, n.chainNotices, n.purse.seen) })
	n.spawn(func() { n.gossip.walkChain(n.ctx) })
	walker, err := n.walker()
	if err != nil {
		return err
	}
	n.spawn(func() { chain.Walk(n.ctx, n.backend, walker, n.log, n.blockStep, n.atTip) })
	return nil
}

// walker stands on the wallet's last block, or for a new wallet on the tip: no coin
// can be ours before the wallet was made. Restored ones have a tip row that says
// where to begin.
func (n *Node) walker() (*chainntnfs.Walker, error) {
	genesis := lnwire.BlockRef{Hash: *n.net.GenesisHash}
	var at lnwire.BlockRef
	var known []lnwire.BlockRef
	n.purse.mu.Lock()
	tip, ok := n.purse.wallet.Tip()
	if ok {
		at, known = tip, n.purse.wallet.Known()
	}
	n.purse.mu.Unlock()
	if !ok {
		at = genesis
		ctx, cancel := context.WithTimeout(n.ctx, feeTimeout)
		defer cancel()
		tip, err := n.backend.Tip(ctx)
		if err != nil && !errors.Is(err, chainntnfs.ErrUnavailable) {
			return nil, fmt.Errorf("find the tip: %w", err)
		}
		if err == nil && tip.Height > 0 {
			at = tip
		}
	}
	return chainntnfs.NewWalker(n.backend, at, append([]lnwire.BlockRef{genesis}, known...)...), nil
}

// chainNotices passes on what the follower tells.
func (n *Node) chainNotices(notices []chainntnfs.Notice) {
	for _, t := range notices {
		e := n.channels.num(uint64(t.Client))
		if e == nil {
			continue
		}
		if ev := chainEvent(t.Event); ev != nil {
			e.runner.Inbox.Put(turn.Item{Event: ev})
		}
	}
}

// chainEvent is a follower's event as a channel hears it; nil when it is none of a
// channel's business.
func chainEvent(ev chainntnfs.Event) channel.Event {
	switch ev := ev.(type) {
	case chainntnfs.Confirmed:
		return channel.Confirmed{Tx: ev.Tx, At: ev.At, TxIndex: ev.TxIndex}
	case chainntnfs.Spent:
		return channel.Spent{OutPoint: ev.Outpoint, Tx: ev.Tx, At: ev.At, TxIndex: ev.TxIndex}
	case chainntnfs.Unconfirmed:
		return channel.Unconfirmed{Txid: ev.Txid}
	case chainntnfs.Tip:
		return channel.Block{At: ev.At}
	case chainntnfs.Unmined, chainntnfs.Lost:
	}
	return nil
}

// blockStep takes in a block that joins or leaves the chain.
func (n *Node) blockStep(s chainntnfs.Step) {
	n.purse.block(s)
	at := s.Now
	n.seen.Store(&at)
	if !s.Connect {
		return
	}
	height := s.At.Height
	n.toSwitch(forward.Block{Height: height})
	n.invoices.step(invoice.Block{Height: height})
	n.Blocks.Publish(s.At)
}

// atTip: nothing is left to catch up with.
func (n *Node) atTip(at lnwire.BlockRef) {
	n.synced.Store(&at)
	if rate, err := n.feeRate(0, commitTarget); err == nil {
		for _, e := range n.channels.all() {
			e.runner.Inbox.Put(turn.Item{Event: channel.FeeRate{Rate: rate}})
			e.runner.Inbox.Put(turn.Item{Event: n.tick()})
		}
	}
}

// tip is the last block that the wallet has seen.
func (n *Node) tip() lnwire.BlockRef {
	if at := n.seen.Load(); at != nil {
		return *at
	}
	return lnwire.BlockRef{}
}

func (n *Node) height() lnwire.Height { return n.tip().Height }

// SyncedToChain reports that the node stands on the backend's tip.
func (n *Node) SyncedToChain() bool {
	state, _ := n.backend.State()
	at := n.synced.Load()
	return state.Up && state.Stale == "" && at != nil && at.Hash == state.Tip.Hash
}

// readyForMoney refuses new risk while the chain is out of sight, and says why.
func (n *Node) readyForMoney() error {
	state, _ := n.backend.State()
	switch {
	case !state.Up:
		return fmt.Errorf("chain backend is away: %v", state.Why)
	case state.Stale != "":
		return fmt.Errorf("the chain looks stale: %s", state.Stale)
	case !n.SyncedToChain():
		return errors.New("channels cannot be created before the wallet is fully synced")
	}
	return nil
}
