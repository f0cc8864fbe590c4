package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// publisher hands transactions to the backend, in order and apart from whoever made
// them. What the backend could not take because it was away is offered again; what
// it refuses is told once. Whoever owns a transaction offers it again by itself
// with every block until it is mined. A child that came before its parent is offered
// again as soon as the parent is taken.
type publisher struct {
	backend chainntnfs.Backend
	log     *slog.Logger
	kick    chan struct{}

	mu      sync.Mutex
	waiting []*wire.MsgTx
	queued  map[chainhash.Hash]bool
	refused map[chainhash.Hash]string // why, so that it is told once
	late    bool                      // the first was forgotten while it was on its way
	orphans []*wire.MsgTx             // refused for the want of what they spend, oldest first
}

// verdicts are told what became of a transaction.
type verdicts struct {
	accepted func(chainhash.Hash)
	rejected func(chainhash.Hash, chainntnfs.RejectReason)
}

// maxRefused is how many refusals are remembered.
const maxRefused = 1000

// maxOrphans is how many transactions wait for their parents.
const maxOrphans = 100

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
	} else if p.waiting[0].TxHash() == txid {
		p.late = false // wanted again
	}
	p.mu.Unlock()
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run publishes until ctx ends.
func (p *publisher) run(ctx context.Context, v verdicts) {
	for ctx.Err() == nil {
		state, changed := p.backend.State()
		var again <-chan time.Time
		if state.Up && !p.all(ctx, v) {
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
func (p *publisher) all(ctx context.Context, v verdicts) bool {
	for tx := p.first(); tx != nil; tx = p.first() {
		err := p.backend.Publish(ctx, tx)
		if err != nil && (ctx.Err() != nil || errors.Is(err, chainntnfs.ErrUnavailable)) {
			return false
		}
		late := p.done(tx.TxHash(), err)
		var refused *chainntnfs.RejectError
		switch {
		case err == nil:
			v.accepted(tx.TxHash())
			p.adopt(tx)
		case errors.As(err, &refused):
			v.rejected(tx.TxHash(), refused.Reason)
			if refused.Reason == chainntnfs.RejectMissingInputs && !late {
				p.orphan(tx)
			}
		}
	}
	return true
}

// orphan keeps a transaction until one that it spends is taken.
func (p *publisher) orphan(tx *wire.MsgTx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	txid := tx.TxHash()
	if slices.ContainsFunc(p.orphans, func(o *wire.MsgTx) bool { return o.TxHash() == txid }) {
		return
	}
	if p.orphans = append(p.orphans, tx); len(p.orphans) > maxOrphans {
		p.orphans = p.orphans[1:]
	}
}

// adopt offers again what waited for a transaction that was taken now.
func (p *publisher) adopt(parent *wire.MsgTx) {
	txid := parent.TxHash()
	p.mu.Lock()
	var children []*wire.MsgTx
	p.orphans = slices.DeleteFunc(p.orphans, func(o *wire.MsgTx) bool {
		mine := slices.ContainsFunc(o.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == txid })
		if mine {
			children = append(children, o)
		}
		return mine || o.TxHash() == txid
	})
	p.mu.Unlock()
	for _, tx := range children {
		p.publish(tx)
	}
}

// forget takes back what has come to nothing: a child that was replaced, or given up, must
// not follow when its parent is taken after all, for its coins may be spent by now.
func (p *publisher) forget(txid chainhash.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	is := func(tx *wire.MsgTx) bool { return tx.TxHash() == txid }
	p.orphans = slices.DeleteFunc(p.orphans, is)
	switch {
	case !p.queued[txid]:
	case is(p.waiting[0]): // on its way
		p.late = true
	default:
		p.waiting = slices.DeleteFunc(p.waiting, is)
		delete(p.queued, txid)
	}
}

// refusal is why the backend last refused a transaction; empty: it did not.
func (p *publisher) refusal(txid chainhash.Hash) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused[txid]
}

// first is the first in the queue; nil when there is none. None is on its way now: one that
// was forgotten when the backend did not take it goes.
func (p *publisher) first() *wire.MsgTx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.late {
		delete(p.queued, p.waiting[0].TxHash())
		p.waiting, p.late = p.waiting[1:], false
	}
	if len(p.waiting) == 0 {
		return nil
	}
	return p.waiting[0]
}

// done takes the first off the queue, and tells whether it was forgotten meanwhile.
func (p *publisher) done(txid chainhash.Hash, err error) (late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = p.waiting[1:]
	late, p.late = p.late, false
	delete(p.queued, txid)
	switch {
	case err == nil:
		delete(p.refused, txid)
	case p.refused[txid] != err.Error():
		if len(p.refused) >= maxRefused {
			clear(p.refused)
		}
		p.refused[txid] = err.Error()
		log := p.log.Warn
		if refused := (*chainntnfs.RejectError)(nil); errors.As(err, &refused) && refused.Reason == chainntnfs.RejectMissingInputs {
			log = p.log.Info // its parent may be behind it, or something else was mined
		}
		log("transaction refused", "txid", txid, "err", err)
	}
	return late
}
