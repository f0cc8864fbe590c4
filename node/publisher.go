package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// publisher hands transactions to the backend, in order and apart from whoever made
// them. What the backend could not take because it was away is offered again; what
// it refuses is told once. Whoever owns a transaction offers it again by itself
// with every block until it is mined.
type publisher struct {
	backend chainntnfs.Backend
	log     *slog.Logger
	kick    chan struct{}

	mu      sync.Mutex
	waiting []*wire.MsgTx
	queued  map[chainhash.Hash]bool
	refused map[chainhash.Hash]string // why, so that it is told once
}

// maxRefused is how many refusals are remembered.
const maxRefused = 1000

func newPublisher(b chainntnfs.Backend, log *slog.Logger) *publisher {
	return &publisher{
		backend: b, log: log, kick: make(chan struct{}, 1),
		queued: map[chainhash.Hash]bool{}, refused: map[chainhash.Hash]string{},
	}
}

// publish queues a transaction.
func (p *publisher) publish(tx *wire.MsgTx) {
	txid := tx.TxHash()
	p.mu.Lock()
	if !p.queued[txid] {
		p.queued[txid] = true
		p.waiting = append(p.waiting, tx)
	}
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends. rejected is told of every refusal.
func (p *publisher) run(ctx context.Context, rejected func(chainhash.Hash, chainntnfs.RejectReason)) {
	for ctx.Err() == nil {
		state, changed := p.backend.State()
		var again <-chan time.Time
		if state.Up && !p.all(ctx, rejected) {
			again = time.After(publishAgain) // it may say that it is up, and not answer
		}
		select {
		case <-ctx.Done():
		case <-p.kick:
		case <-changed:
		case <-again:
		}
	}
}

// publishAgain is how long a backend is left alone that did not answer.
const publishAgain = time.Second

// all publishes what is queued; false when the backend did not take the next.
func (p *publisher) all(ctx context.Context, rejected func(chainhash.Hash, chainntnfs.RejectReason)) bool {
	for tx := p.first(); tx != nil; tx = p.first() {
		err := p.backend.Publish(ctx, tx)
		if err != nil && (ctx.Err() != nil || errors.Is(err, chainntnfs.ErrUnavailable)) {
			return false
		}
		p.done(tx.TxHash(), err)
		var refused *chainntnfs.RejectError
		if errors.As(err, &refused) {
			rejected(tx.TxHash(), refused.Reason)
		}
	}
	return true
}

// first is the first in the queue; nil when there is none.
func (p *publisher) first() *wire.MsgTx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return nil
	}
	return p.waiting[0]
}

// done takes the first off the queue.
func (p *publisher) done(txid chainhash.Hash, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = p.waiting[1:]
	delete(p.queued, txid)
	switch {
	case err == nil:
		delete(p.refused, txid)
	case p.refused[txid] != err.Error():
		if len(p.refused) >= maxRefused {
			clear(p.refused)
		}
		p.refused[txid] = err.Error()
		p.log.Warn("transaction refused", "txid", txid, "err", err)
	}
}
