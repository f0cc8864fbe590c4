package node

import (
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// ErrPaymentRunning says that a payment cannot be deleted before it has ended.
var ErrPaymentRunning = errors.New("payment is in flight, it cannot be deleted")

// PaymentRow is a payment as it is stored, with its index. It fails with
// ErrUnknownPayment.
func (n *Node) PaymentRow(hash lnwire.Hash) (*channeldb.Payment, error) {
	p, err := n.db.Payment(hash)
	if err != nil {
		return nil, fmt.Errorf("look up payment: %w", err)
	}
	if p == nil {
		return nil, ErrUnknownPayment
	}
	return p, nil
}

// DeletePayments forgets payments that have ended, with their attempts. It fails with
// ErrPaymentRunning, and then deletes none.
func (n *Node) DeletePayments(hashes ...lnwire.Hash) error {
	return n.clean(hashes, channeldb.Batch{PaymentsGone: hashes})
}

// DeleteFailedAttempts forgets the attempts that failed of a payment that has ended. It
// fails with ErrUnknownPayment and ErrPaymentRunning.
func (n *Node) DeleteFailedAttempts(hash lnwire.Hash) error {
	p, err := n.PaymentRow(hash)
	if err != nil {
		return err
	}
	var b channeldb.Batch
	for i := range p.Attempts {
		if a := &p.Attempts[i]; a.Status == routing.Failed {
			b.AttemptsGone = append(b.AttemptsGone, channeldb.AttemptKey{Hash: hash, ID: a.ID})
		}
	}
	return n.clean([]lnwire.Hash{hash}, b)
}

// clean writes what deletes rows of payments, unless one of them runs, and waits for it.
func (n *Node) clean(hashes []lnwire.Hash, b channeldb.Batch) error {
	done := make(chan struct{})
	ps := n.payments
	ps.mu.Lock()
	for _, h := range hashes {
		if ps.byHash[h] != nil {
			ps.mu.Unlock()
			return ErrPaymentRunning
		}
	}
	// Queued under the lock: a payment of the same hash that begins now comes behind it.
	n.write(b, func() { close(done) })
	ps.mu.Unlock()
	<-done
	return nil
}

// Probability is how likely a route carries its amount, by what was learned of the
// nodes on the way.
func (n *Node) Probability(r routing.Route) float64 {
	n.payments.mu.Lock()
	scores, params := n.payments.scores.Snapshot(), n.payments.params
	n.payments.mu.Unlock()
	graph, now := n.gossip.snapshot(), n.now()
	p, from := 1.0, r.Source
	for i, h := range r.Hops {
		if r.Tail != nil && i == len(r.Hops)-1 {
			break // nobody can learn what happens inside a blinded path
		}
		if from != n.id { // of our own channels we know what they carry
			c, _ := graph.Channel(h.SCID)
			p *= scores.Probability(now, params, from, h.Node, h.Forward+h.Fee, c.Capacity)
		}
		from = h.Node
	}
	return p
}
