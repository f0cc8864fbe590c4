package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// deal is a payment in a world.
type deal struct {
	Deal
	w        *World
	n        int
	busy     bool // somebody is asked something
	tries    int
	asked    *life // that has taken the payment
	invoice  *invoice.Invoice
	preimage lnwire.Preimage
	released bool // what was held was let go
}

func (w *World) agree() {
	for i, d := range w.plan.Deals {
		x := &deal{Deal: d, w: w, n: i}
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], w.plan.Seed)
		binary.BigEndian.PutUint64(b[8:], uint64(i))
		x.preimage = sha256.Sum256(b[:])
		w.deals = append(w.deals, x)
	}
}

// of is the deal whose invoice this one pays.
func (d *deal) of() *deal {
	if d.Of == 0 || d.Of > len(d.w.deals) {
		return d
	}
	return d.w.deals[d.Of-1]
}

// go on: whatever the deal can do next is put in a lane.
func (d *deal) proceed() {
	w := d.w
	from, to := w.homes[d.From].up(), w.homes[d.To].up()
	switch {
	case d.busy:
	case d.of() == d && d.invoice == nil:
		if to != nil {
			d.ask("invoice", to, d.makeInvoice)
		}
	case d.of().invoice == nil:
	case d.tries == 0:
		if from != nil {
			d.tries++
			d.ask("pay", from, d.pay)
		}
	default:
		d.finish(from, to)
	}
}

// finish lets go of what is held, and tries again what failed.
func (d *deal) finish(from, to *life) {
	if d.Hold > 0 && d.of() == d && !d.released && to != nil {
		if to.invoice(d.invoice.Hash) == invoice.Accepted {
			d.ask("let go", to, d.letGo)
			return
		}
	}
	if from != nil && d.tries <= d.Again && d.state() != routing.InFlight && d.state() != routing.Succeeded {
		d.tries++
		d.ask("pay again", from, d.pay)
	}
}

func (d *deal) ask(what string, l *life, f func(*life)) {
	d.busy = true
	d.w.push(&lane{name: what}, func() {
		defer func() { d.busy = false }()
		if l.open && !l.dead {
			f(l)
		}
	})
}

func (d *deal) makeInvoice(l *life) {
	t := invoice.Terms{Amount: d.Amount, Preimage: &d.preimage}
	if d.Hold > 0 {
		t.Hash, t.Preimage = d.preimage.Hash(), nil
	}
	inv, err := l.node.AddInvoice(context.Background(), t)
	switch {
	case l.dead: // what a ghost says counts for nothing
		return
	case err == nil:
		d.invoice = &inv
		return
	}
	if inv, err = l.node.Invoice(d.preimage.Hash()); err == nil {
		d.invoice = &inv // it was made, and nobody had been told
	}
}

// terms are what the payer reads in the invoice.
func (d *deal) terms() routing.Terms {
	inv := d.of().invoice
	return routing.Terms{
		Hash: inv.Hash, Amount: inv.Amount, Payee: d.w.homes[d.To].id, FinalDelta: uint16(inv.FinalDelta), Secret: &inv.Secret,
		Features: inv.Features, Request: inv.Request,
	}
}

func (d *deal) pay(l *life) {
	w, err := l.node.Pay(context.Background(), routing.Begin{
		Terms: d.terms(), Limits: routing.Limits{Fee: d.Amount/5 + 20_000, Parts: uint32(d.Parts)},
	})
	if err == nil {
		d.asked = l
		w.Close()
	} else {
		d.w.say("%s cannot pay: %v", l.home.name, err)
	}
}

func (d *deal) letGo(l *life) {
	var err error
	if d.Hold == 1 {
		_, err = l.node.SettleInvoice(context.Background(), d.preimage)
	} else {
		_, err = l.node.CancelInvoice(context.Background(), d.invoice.Hash)
	}
	d.released = err == nil && !l.dead
}

// state is how the payment stands: 0 when the payer does not know it.
func (d *deal) state() routing.Status {
	l := d.w.homes[d.From].up()
	if l == nil {
		return routing.InFlight
	}
	inv := d.of().invoice
	if inv == nil {
		return 0
	}
	status := l.payment(inv.Hash)
	if status == 0 && d.asked == l {
		return routing.InFlight // it is about to begin
	}
	return status
}

// over: nothing more comes of it by itself.
func (d *deal) over() bool {
	if d.busy || d.state() == routing.InFlight || d.tries == 0 && d.of().invoice != nil {
		return false
	}
	if d.of() != d && d.of().invoice == nil {
		return d.of().over()
	}
	return d.of().invoice != nil
}
