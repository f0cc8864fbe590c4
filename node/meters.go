package node

import (
	"context"
	"sync/atomic"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/metrics"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet"
)

// Meters are figures of what the node does, counted all the time since it was started.
type Meters struct {
	// Paid and Unpaid are our own payments by how they ended, and how long they took.
	Paid, Unpaid *metrics.Histogram
	// Forwarded is how long forwards took that were settled; the others are HTLCs that
	// went out, earned nothing because somebody behind us failed them, or were refused here.
	Forwarded                         *metrics.Histogram
	Offered, Settled, Failed, Refused atomic.Uint64
	Fees                              atomic.Uint64 // msat that the settled ones brought
	// Invoiced and Received count invoices that were made, and that were paid; Income is
	// the msat of the latter. Unwanted are HTLCs for us that were given back.
	Invoiced, Received, Income, Unwanted atomic.Uint64
}

func (m *Meters) init() {
	m.Paid, m.Unpaid = metrics.NewHistogram(metrics.Slow), metrics.NewHistogram(metrics.Slow)
	m.Forwarded = metrics.NewHistogram(metrics.Slow)
}

// Meters may be read at any time, and count on.
func (n *Node) Meters() *Meters { return &n.meters }

// SyncTimes is how long the store's transactions took to become durable.
func (n *Node) SyncTimes() *metrics.Histogram { return n.db.SyncTimes() }

// switched counts what the switch tells.
func (m *Meters) switched(fx *forward.Effects) {
	for i := range fx.Tell {
		switch t := &fx.Tell[i]; t.Kind {
		case forward.Forwarded:
			count(&m.Offered, t.AttemptID == 0)
		case forward.Settled:
			count(&m.Settled, t.AttemptID == 0)
		case forward.FailedBack:
			count(&m.Failed, t.AttemptID == 0)
		case forward.RefusedHere:
			count(&m.Refused, t.AttemptID == 0 && !t.Received)
			count(&m.Unwanted, t.AttemptID == 0 && t.Received)
		case forward.Finished:
		}
	}
	for _, r := range fx.Resolve {
		if r.Record == nil {
			continue
		}
		m.Fees.Add(uint64(r.Record.Fee()))
		if !r.Record.LockedAt.IsZero() { // else it began before a restart
			m.Forwarded.Observe(r.Record.SettledAt.Sub(r.Record.LockedAt))
		}
	}
}

func count(c *atomic.Uint64, yes bool) {
	if yes {
		c.Add(1)
	}
}

// paid counts a payment that is over.
func (m *Meters) paid(p *routing.Payment) {
	switch p.Status {
	case routing.Succeeded:
		m.Paid.Observe(p.EndedAt.Sub(p.CreatedAt))
	case routing.Failed:
		m.Unpaid.Observe(p.EndedAt.Sub(p.CreatedAt))
	case routing.InFlight:
	}
}

// invoiced counts what the invoices tell.
func (m *Meters) invoiced(t *invoice.Notice) {
	switch t.Kind {
	case invoice.WasAdded:
		m.Invoiced.Add(1)
	case invoice.WasSettled:
		m.Received.Add(1)
		m.Income.Add(uint64(t.Invoice.Paid))
	case invoice.WasAccepted, invoice.WasCanceled:
	}
}

// Queues are what waits inside the node now.
type Queues struct {
	Channels, Longest int // events in the inboxes of all channels, and in the fullest
	Publish           int // transactions that wait for the backend
	Payments          int // of our own, in flight
}

// Queues looks at what waits.
func (n *Node) Queues() (q Queues) {
	for _, e := range n.channels.all() {
		waiting := e.runner.Inbox.Len()
		q.Channels += waiting
		q.Longest = max(q.Longest, waiting)
	}
	n.publisher.mu.Lock()
	q.Publish = len(n.publisher.waiting)
	n.publisher.mu.Unlock()
	n.payments.mu.Lock()
	q.Payments = len(n.payments.byHash)
	n.payments.mu.Unlock()
	return q
}

// GossipCounts are the counters of the map's keeper, and the size of the map.
func (n *Node) GossipCounts(ctx context.Context) (c gossip.Counts, nodes, channels int, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) {
		c = m.Counts()
		channels, nodes = m.Size()
	})
	return c, nodes, channels, err
}

// FeeRates are the fee estimates as last heard of, by rising targets.
func (n *Node) FeeRates() wallet.Fees { return n.lastFees() }
