package node

import (
	"context"
	"log/slog"
	"time"

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
	n.spawn(func() { tellBackend(n.ctx, n.backend, n.logs.chain) })
	n.spawn(func() { n.publisher.run(n.ctx, verdicts{n.purse.accepted, n.purse.rejected}) })
	n.spawn(func() { n.chain.Run(n.ctx, n.chainNotices, n.purse.seen) })
	n.spawn(func() { n.gossip.walkChain(n.ctx) })
	n.spawn(n.searchForImports)
	n.spawn(func() {
		if w := n.walker(); w != nil {
			chain.Walk(n.ctx, n.backend, w, n.logs.chain, n.blockStep, n.atTip, func() { n.sight(false) })
		}
	})
	return nil
}

// tellBackend logs when the backend goes and when it is back: without one nothing moves on,
// and whoever runs the node must not have to guess why.
func tellBackend(ctx context.Context, b interface {
	State() (chainntnfs.State, <-chan struct{})
}, log *slog.Logger,
) {
	for away := false; ; {
		state, changed := b.State()
		switch {
		case state.Up && away:
			away = false
			log.Info("the chain backend is back", "height", state.Tip.Height)
		case !state.Up && state.Why != nil:
			away = true
			log.Warn("the chain backend is away, nothing is seen and nothing is published until it is back", "err", state.Why)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// walker stands on the wallet's last block. A wallet that never saw one begins at its
// birthday, not at the tip: its addresses may have been paid before the backend came
// into sight. The first step is taken at once, so that where the wallet began is
// stored: what is mined while the node is away must not be missed. Nil when the node
// stops before the backend could tell.
func (n *Node) walker() *chainntnfs.Walker {
	genesis := lnwire.BlockRef{Hash: *n.net.GenesisHash}
	n.purse.mu.Lock()
	at, ok := n.purse.wallet.Tip()
	known := n.purse.wallet.Known()
	n.purse.mu.Unlock()
	for !ok {
		state, changed := n.backend.State()
		var again <-chan time.Time
		if state.Up {
			var err error
			if at, err = n.firstBlock(); err == nil {
				break
			}
			n.logs.chain.Warn("cannot find the block to begin at", "err", err)
			again = time.After(feeTimeout)
		}
		select {
		case <-changed:
		case <-again:
		case <-n.ctx.Done():
			return nil
		}
	}
	n.searched.Store(&at.Height)
	return chainntnfs.NewWalker(n.backend, at, append([]lnwire.BlockRef{genesis}, known...)...)
}

// firstBlock is where a wallet without a tip begins to look.
func (n *Node) firstBlock() (lnwire.BlockRef, error) {
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	tip, err := n.backend.Tip(ctx)
	if err != nil {
		return tip, err
	}
	at, err := blockBefore(ctx, n.backend, tip, n.cfg.Birthday.Add(-birthdayMargin))
	if err != nil || at != tip {
		return at, err
	}
	return parent(ctx, n.backend, tip) // for a first step
}

// birthdayMargin covers that seeds count whole days, clocks that go wrong by less than
// a day, and headers whose times are out of order.
const birthdayMargin = 48 * time.Hour

// parent is the block below at; the genesis block is its own.
func parent(ctx context.Context, b chainntnfs.Source, at lnwire.BlockRef) (lnwire.BlockRef, error) {
	if at.Height == 0 {
		return at, nil
	}
	header, err := b.Header(ctx, at.Hash)
	if err != nil {
		return at, err
	}
	return lnwire.BlockRef{Height: at.Height - 1, Hash: header.PrevBlock}, nil
}

// blockBefore finds the last block whose header is older than at, by halving: headers'
// times may be two hours out of order, which the caller's margin covers.
func blockBefore(ctx context.Context, b chainntnfs.Source, tip lnwire.BlockRef, at time.Time) (ref lnwire.BlockRef, err error) {
	low, high := lnwire.Height(0), tip.Height+1 // low is older, or the genesis block
	for high-low > 1 {
		middle := low + (high-low)/2
		hash, err := b.BlockHash(ctx, middle)
		if err != nil {
			return ref, err
		}
		header, err := b.Header(ctx, hash)
		if err != nil {
			return ref, err
		}
		if header.Timestamp.Before(at) {
			low = middle
		} else {
			high = middle
		}
	}
	hash, err := b.BlockHash(ctx, low)
	return lnwire.BlockRef{Height: low, Hash: hash}, err
}

// chainNotices passes on what the follower tells.
func (n *Node) chainNotices(notices []chainntnfs.Notice) {
	for _, t := range notices {
		if t.Client >= firstWatcher {
			n.toWatcher(t.Client, t.Event)
			continue
		}
		e := n.channels.num(uint64(t.Client))
		if e == nil {
			continue
		}
		if lost, ok := t.Event.(chainntnfs.Lost); ok {
			n.chainLost(lost)
		}
		if ev := chainEvent(t.Event); ev != nil {
			e.runner.Inbox.Put(turn.Item{Event: ev})
		}
	}
}

// chainLost: the backend does not know a block that the node has stood on, as after it
// was exchanged, reset, or led astray. The operator hears why nothing is risked: the walk
// says what is in sight, and every channel waits until it has seen what it believed.
// Once, for each channel loses the same block, and the ones below it.
func (n *Node) chainLost(lost chainntnfs.Lost) {
	if n.lost.Swap(true) {
		return
	}
	n.logs.chain.Error("the chain backend does not know a block that this node has seen: if it was not just exchanged for one that still catches up, "+
		"it may be on another chain. No payment is forwarded until it is followed to its tip, and no channel is used whose funding it does not know",
		"block", lost.Cursor.Height, "hash", lost.Cursor.Hash, "common", lost.Fork.Height)
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
	case chainntnfs.Unmined:
		return channel.Unmined{Tx: ev.Tx}
	case chainntnfs.Lost:
		return channel.ChainLost{Fork: ev.Fork}
	}
	return nil
}

// blockStep takes in a block that joins or leaves the chain.
func (n *Node) blockStep(s chainntnfs.Step) {
	n.purse.block(s)
	at := s.Now
	n.seen.Store(&at)
	n.top.Store(max(n.top.Load(), uint32(at.Height)))
	if n.behind(farBehind) {
		n.sight(false)
	}
	if !s.Connect {
		return
	}
	height := s.At.Height
	n.toSwitch(nil, forward.Block{Height: height})
	n.invoices.step(nil, invoice.Block{Height: height})
	n.Blocks.Publish(s.At)
}

// farBehind is how many blocks the node may have to catch up with and still know what
// time is left to an HTLC.
const farBehind = 2

// behind says whether more than so many blocks are missing that the backend has, or had: a
// chain that has become shorter is one that is being read again.
func (n *Node) behind(blocks lnwire.Height) bool {
	state, _ := n.backend.State()
	return max(state.Tip.Height, lnwire.Height(n.top.Load())) > n.height()+blocks
}

// sight tells the switch whether what is known of the chain can be decided upon (V-27). Only
// the walk calls it: two who look at the chain would contradict each other, and the last word
// would stay until the next block.
func (n *Node) sight(current bool) { n.toSwitch(nil, forward.Chain{Current: current}) }

// atTip: nothing is left to catch up with.
func (n *Node) atTip(at lnwire.BlockRef) {
	n.seen.Store(&at)
	n.synced.Store(&at)
	n.backups.lay(at.Height)
	state, _ := n.backend.State()
	n.sight(state.Up && state.Stale == "" && !n.behind(farBehind))
	n.lost.Store(false)
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

// SyncedToChain reports that the node stands on the backend's tip, and that this is no lower
// than where it has stood before.
func (n *Node) SyncedToChain() bool {
	state, _ := n.backend.State()
	at := n.synced.Load()
	return state.Up && state.Stale == "" && at != nil && at.Hash == state.Tip.Hash && !n.behind(farBehind)
}
