package sim

import (
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// known is what was read of a life's file. It holds until the next write, so that whoever
// looks after every step need not read every time.
type known struct {
	writes   int // of the life, when it was read
	rows     []channel.Rows
	payments map[lnwire.Hash]routing.Status
	invoices map[lnwire.Hash]invoice.State
}

// fresh is what is known, and nothing of before the last write.
func (l *life) fresh() *known {
	if l.known.payments == nil || l.known.writes != l.writes {
		l.known = known{writes: l.writes, payments: map[lnwire.Hash]routing.Status{}, invoices: map[lnwire.Hash]invoice.State{}}
	}
	return &l.known
}

// channels are the rows of all channels as they are on the disk, to be read only.
func (l *life) channels() []channel.Rows {
	k := l.fresh()
	if k.rows == nil {
		k.rows = make([]channel.Rows, 0, 4)
		err := l.db.Channels(func(_ uint64, rows channel.Rows) error {
			k.rows = append(k.rows, rows)
			return nil
		})
		if err != nil {
			l.w.fail("%s: %v", l.home.name, err)
		}
	}
	return k.rows
}

// payment is how a payment stands on the disk; 0 when it is not there.
func (l *life) payment(h lnwire.Hash) routing.Status {
	k := l.fresh()
	s, ok := k.payments[h]
	if !ok {
		p, err := l.db.Payment(h)
		if err != nil {
			l.w.fail("%s: %v", l.home.name, err)
		}
		if p != nil {
			s = p.Payment.Status
		}
		k.payments[h] = s
	}
	return s
}

// invoice is likewise how an invoice stands; Open, too, when it is not there.
func (l *life) invoice(h lnwire.Hash) invoice.State {
	k := l.fresh()
	s, ok := k.invoices[h]
	if !ok {
		i, err := l.db.Invoice(h)
		if err != nil {
			l.w.fail("%s: %v", l.home.name, err)
		}
		if i != nil {
			s = i.State
		}
		k.invoices[h] = s
	}
	return s
}
