package node

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// invoices drives the registry of invoices, one step at a time.
type invoices struct {
	n     *Node
	alarm *alarm
	Feed  Feed[invoice.Notice]
	// modifier is asked about what pays an invoice; nil: nobody is.
	modifier atomic.Pointer[Modification]

	mu      sync.Mutex
	reg     *invoice.Registry
	asked   uint64
	replies map[uint64]chan invoice.Reply
}

func (n *Node) startInvoices() error {
	cfg := invoice.DefaultConfig
	cfg.AcceptKeysend = n.cfg.AcceptKeysend
	v := &invoices{n: n, reg: invoice.New(cfg), replies: map[uint64]chan invoice.Reply{}}
	v.alarm = n.newAlarm(func() { v.step(nil, invoice.Tick{}) })
	n.invoices = v
	rows, counters, err := n.db.OpenInvoices()
	if err != nil {
		return err
	}
	live := make([]invoice.Invoice, len(rows))
	for i, row := range rows {
		live[i] = *row
	}
	v.step(nil, invoice.Restarted{Height: n.purse.height(), Counters: counters, Live: live})
	return nil
}

// step takes one step, writing with p: the delta is queued first, then what stays inside is passed
// on, and what leaves waits until the delta is durable.
func (v *invoices) step(p *pen, ev invoice.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fx := v.reg.Step(v.n.now(), ev)
	batch := channeldb.Batch{}
	if !fx.Delta.Empty() {
		batch.Invoices = []*invoice.Delta{&fx.Delta}
	}
	if !fx.Delta.Empty() || len(fx.Tell) > 0 || len(fx.Reply) > 0 || len(fx.Fetch) > 0 || len(fx.Modify) > 0 {
		v.n.writeWith(p, batch, func() { v.release(fx) })
	}
	v.n.notReceived(ev, fx.Resolve)
	for _, r := range fx.Resolve {
		v.n.answerTo(p, channel.Resolve{Ref: r.Ref, Resolution: r.Resolution})
	}
	v.alarm.set(fx.Wake)
}

// release lets go of what waited for the write.
func (v *invoices) release(fx invoice.Effects) {
	for _, t := range fx.Tell {
		v.n.meters.invoiced(&t)
		v.Feed.Publish(t)
	}
	for _, r := range fx.Reply {
		v.mu.Lock()
		c := v.replies[r.ID]
		delete(v.replies, r.ID)
		v.mu.Unlock()
		if c != nil {
			c <- r
		}
	}
	if m := v.modifier.Load(); m != nil {
		m.put(fx.Modify...)
	}
	if len(fx.Fetch) > 0 {
		v.n.spawn(func() { v.fetch(fx.Fetch) })
	}
}

func (v *invoices) fetch(hashes []lnwire.Hash) {
	for _, h := range hashes {
		inv, err := v.n.db.Invoice(h)
		if err != nil {
			// Not "there is none": an invoice that was settled must not be refused, nor made anew.
			v.n.logs.invoices.Error("cannot read an invoice: whatever concerns it has to wait", "hash", h, "err", err)
			continue
		}
		v.step(nil, invoice.Fetched{Hash: h, Invoice: inv})
	}
}

// arrived takes an HTLC of which we are the last hop.
func (v *invoices) arrived(p *pen, l htlc.Locked) {
	ev := invoice.Arrived{HTLC: l}
	if e := v.n.channels.num(l.HTLC.Ref.ChanNum); e != nil {
		if link := e.link.Load(); link != nil {
			ev.SCID = link.Name()
		}
	}
	v.step(p, ev)
}

// ask steps an event that is answered by a reply, and waits for the answer, which
// comes when it is durable.
func (v *invoices) ask(ctx context.Context, event func(id uint64) invoice.Event) (invoice.Reply, error) {
	c := make(chan invoice.Reply, 1)
	v.mu.Lock()
	v.asked++
	id := v.asked
	v.replies[id] = c
	v.mu.Unlock()
	v.step(nil, event(id))
	select {
	case r := <-c:
		return r, nil
	case <-ctx.Done():
		return invoice.Reply{}, ctx.Err()
	case <-v.n.ctx.Done():
		return invoice.Reply{}, errStopping
	}
}
