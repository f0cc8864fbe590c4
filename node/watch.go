package node

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// PaymentWatch follows one payment, or all.
type PaymentWatch struct {
	n    *Node
	hash *lnwire.Hash  // nil: all
	more chan struct{} // holds a token when there may be more

	mu     sync.Mutex
	told   []*routing.Progress
	lagged bool
}

// watchPayments follows the payment of a hash, or all for nil, from now on.
func (n *Node) watchPayments(hash *lnwire.Hash) *PaymentWatch {
	w := &PaymentWatch{n: n, hash: hash, more: make(chan struct{}, 1)}
	ps := n.payments
	ps.watchMu.Lock()
	defer ps.watchMu.Unlock()
	if hash == nil {
		ps.all[w] = struct{}{}
	} else {
		ps.watches[*hash] = append(ps.watches[*hash], w)
	}
	return w
}

// publish tells those who follow a payment how it stands. Nobody may change p.
func (ps *payments) publish(p *routing.Progress) {
	ps.watchMu.Lock()
	defer ps.watchMu.Unlock()
	for _, w := range ps.watches[p.Payment.Terms.Hash] {
		w.tell(p)
	}
	for w := range ps.all {
		w.tell(p)
	}
}

// tell queues p. A reader that lags too far behind is cut off.
func (w *PaymentWatch) tell(p *routing.Progress) {
	w.mu.Lock()
	if len(w.told) < feedDepth && !w.lagged {
		w.told = append(w.told, p)
	} else {
		w.told, w.lagged = nil, true
	}
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// first puts p before all that was told.
func (w *PaymentWatch) first(p *routing.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = slices.Insert(w.told, 0, p)
}

// take gives what was told first.
func (w *PaymentWatch) take() (p *routing.Progress, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lagged {
		return nil, errLagged
	}
	if len(w.told) > 0 {
		p, w.told = w.told[0], w.told[1:]
	}
	return p, nil
}

// Next waits for the next progress. io.EOF-like ends do not exist: stop when the
// payment has ended. The error says that the reader was too slow, or is ctx's.
func (w *PaymentWatch) Next(ctx context.Context) (routing.Progress, error) {
	for {
		p, err := w.take()
		if err != nil {
			return routing.Progress{}, err
		}
		if p != nil {
			return *p, nil
		}
		select {
		case <-w.more: // perhaps
		case <-ctx.Done():
			return routing.Progress{}, ctx.Err()
		case <-w.n.ctx.Done():
			return routing.Progress{}, errStopping
		}
	}
}

// Close ends the following. It may be called more than once.
func (w *PaymentWatch) Close() {
	ps := w.n.payments
	ps.watchMu.Lock()
	defer ps.watchMu.Unlock()
	delete(ps.all, w)
	if w.hash == nil {
		return
	}
	rest := slices.DeleteFunc(ps.watches[*w.hash], func(o *PaymentWatch) bool { return o == w })
	ps.watches[*w.hash] = rest
	if len(rest) == 0 {
		delete(ps.watches, *w.hash)
	}
}

var (
	errLagged   = errors.New("subscriber is too slow, events were lost")
	errStopping = errors.New("server is shutting down")
)

// TrackPayments follows all payments, from now on.
func (n *Node) TrackPayments() *PaymentWatch { return n.watchPayments(nil) }
