package node

import (
	"context"
	"errors"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// watchers are callers of the API that watch the chain. Their numbers as clients begin
// where those of channels never come to.
type watchers struct {
	mu   sync.Mutex
	last chainntnfs.Client
	list map[chainntnfs.Client]*watcher
}

// firstWatcher is the number of the first of them.
const firstWatcher chainntnfs.Client = 1 << 63

// Limits of watchers.
const (
	maxWatchers = 10_000
	maxUnheard  = 1000 // events that one has not taken yet
)

// ErrManyWatchers says that too many watch the chain already.
var ErrManyWatchers = mistake.TooMuch("too many callers watch the chain")

// errSlowWatcher ends a watch whose events nobody takes.
var errSlowWatcher = errors.New("the events are not taken fast enough")

// watcher holds what one has not taken yet.
type watcher struct {
	mu     sync.Mutex
	events []chainntnfs.Event
	slow   bool
	kick   chan struct{} // holds one token
}

func (w *watcher) put(ev chainntnfs.Event) {
	w.mu.Lock()
	_, tip := ev.(chainntnfs.Tip)
	n := len(w.events)
	switch {
	case n > 0 && tip && isTip(w.events[n-1]):
		w.events[n-1] = ev // the last one counts
	case n >= maxUnheard:
		w.slow = true
	default:
		w.events = append(w.events, ev)
	}
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func isTip(ev chainntnfs.Event) bool {
	_, ok := ev.(chainntnfs.Tip)
	return ok
}

func (w *watcher) take() ([]chainntnfs.Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.events
	w.events = nil
	return list, w.slow
}

// WatchChain tells each what happens in the chain to what is watched, from the watch's
// height on, until ctx ends or each fails.
func (n *Node) WatchChain(ctx context.Context, watch chainntnfs.Watch, each func(chainntnfs.Event) error) error {
	w := &watcher{kick: make(chan struct{}, 1)}
	n.watchers.mu.Lock()
	if len(n.watchers.list) >= maxWatchers {
		n.watchers.mu.Unlock()
		return ErrManyWatchers
	}
	id := max(n.watchers.last+1, firstWatcher)
	n.watchers.last = id
	n.watchers.list[id] = w
	n.watchers.mu.Unlock()
	defer func() {
		n.chain.Quit(id)
		n.watchers.mu.Lock()
		defer n.watchers.mu.Unlock()
		delete(n.watchers.list, id)
	}()
	n.chain.Attend(id, watch)
	for {
		select {
		case <-w.kick:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.ctx.Done():
			return errStopping
		}
		list, slow := w.take()
		for _, ev := range list {
			if err := each(ev); err != nil {
				return err
			}
		}
		if slow {
			return errSlowWatcher
		}
	}
}

// toWatcher passes an event on to the watcher that it is for.
func (n *Node) toWatcher(id chainntnfs.Client, ev chainntnfs.Event) {
	n.watchers.mu.Lock()
	w := n.watchers.list[id]
	n.watchers.mu.Unlock()
	if w != nil {
		w.put(ev)
	}
}

// Block reads a block; chainntnfs.ErrNoBlock if the backend has none of that hash.
func (n *Node) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	return n.backend.Block(ctx, hash)
}

// BlockHeader reads the header of a block; chainntnfs.ErrNoBlock if the backend has none
// of that hash.
func (n *Node) BlockHeader(ctx context.Context, hash chainhash.Hash) (*wire.BlockHeader, error) {
	return n.backend.Header(ctx, hash)
}

// BlockHash is the block of the best chain at a height; chainntnfs.ErrNoBlock above it.
func (n *Node) BlockHash(ctx context.Context, h lnwire.Height) (chainhash.Hash, error) {
	return n.backend.BlockHash(ctx, h)
}

// BestBlock is the tip of the best chain, as the backend sees it now.
func (n *Node) BestBlock(ctx context.Context) (lnwire.BlockRef, error) { return n.backend.Tip(ctx) }
