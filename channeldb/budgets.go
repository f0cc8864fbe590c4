package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// budgets adds changes of budgets. What a row becomes is worked out when it is written: changes of payments that go on
// at the same time come in any order.
func (o *ops) budgets(changes []budget.Change) {
	for i := range changes {
		c := &changes[i]
		o.start(inBudgets, charge)
		o.bytes(c.Limit.ID[:])
		o.row(1)
		encodeLimit(&o.enc, &c.Limit)
		o.num(6, uint64(c.Day))
		o.num(8, uint64(c.Add))
		o.num(10, uint64(c.Sub))
		o.end()
	}
}

// encodeLimit leaves out the ID: it is the key. A limit that is none is 0, others are one more than they are.
func encodeLimit(e *enc, l *budget.Limit) {
	e.text(0, l.Name)
	e.num(2, uint64(l.Total+1))
	e.num(4, uint64(l.Day+1))
}

// limitField reads a field of a limit; false if it is none of one.
func limitField(d *dec, l *budget.Limit) bool {
	switch d.t {
	case 0:
		l.Name = d.text()
	case 2:
		l.Total = lnwire.MilliSat(d.u64() - 1)
	case 4:
		l.Day = lnwire.MilliSat(d.u64() - 1)
	default:
		return false
	}
	return true
}

// unlimited is a limit of which nothing was read yet.
func unlimited(key []byte) budget.Limit {
	return budget.Limit{ID: budget.ID(key), Total: budget.Unlimited, Day: budget.Unlimited}
}

func decodeChange(key, row []byte) (c budget.Change, err error) {
	if len(key) != len(c.Limit.ID) {
		return c, badKey(inBudgets, key)
	}
	c.Limit = unlimited(key)
	d := read(row, 1)
	for d.next() {
		if limitField(&d, &c.Limit) {
			continue
		}
		switch d.t {
		case 6:
			c.Day = budget.Day(d.u32())
		case 8:
			c.Add = lnwire.MilliSat(d.u64())
		case 10:
			c.Sub = lnwire.MilliSat(d.u64())
		default:
			d.unknown()
		}
	}
	return c, d.end("change of a budget")
}

func encodeSpent(e *enc, s *budget.Spent) {
	encodeLimit(e, &s.Limit)
	e.num(6, uint64(s.Sum))
	e.num(8, uint64(s.Last))
	e.num(10, uint64(s.Today))
}

func decodeSpent(key, row []byte) (s budget.Spent, err error) {
	if len(key) != len(s.ID) {
		return s, badKey(inBudgets, key)
	}
	s.Limit = unlimited(key)
	d := read(row, 1)
	for d.next() {
		if limitField(&d, &s.Limit) {
			continue
		}
		switch d.t {
		case 6:
			s.Sum = lnwire.MilliSat(d.u64())
		case 8:
			s.Last = budget.Day(d.u32())
		case 10:
			s.Today = lnwire.MilliSat(d.u64())
		default:
			d.unknown()
		}
	}
	return s, d.end("budget")
}

// charge adds a change to the row of a budget.
func (w *write) charge(key, change []byte) error {
	c, err := decodeChange(key, change)
	if err != nil {
		return err
	}
	row, err := w.get(inBudgets, key)
	if err != nil {
		return err
	}
	var s budget.Spent
	if row != nil {
		if s, err = decodeSpent(key, row); err != nil {
			return err
		}
	}
	s = s.After(c)
	e := enc{b: []byte{1}}
	encodeSpent(&e, &s)
	return w.put(inBudgets, key, append(e.b, 0, 0, 0, 0)[:len(e.b)])
}

// Budgets reads the rows of all budgets of which anything was ever spent.
func (db *DB) Budgets() ([]budget.Spent, error) { return list(db, inBudgets, decodeSpent) }

// encodeCharges lists what a payment has taken, in pieces of one length.
func encodeCharges(e *enc, t byte, charges []budget.Charge) {
	if len(charges) == 0 {
		return
	}
	e.head(t, chargeLen*len(charges))
	for i := range charges {
		e.bytes(charges[i].ID[:])
		e.u32(uint32(charges[i].Day))
		e.u64(uint64(charges[i].Amount))
	}
}

const chargeLen = 32 + 4 + 8

func decodeCharges(d *dec) (charges []budget.Charge) {
	for i := range d.items(chargeLen) {
		v := d.v[chargeLen*i:][:chargeLen]
		charges = append(charges, budget.Charge{
			ID: budget.ID(v[:32]), Day: budget.Day(binary.BigEndian.Uint32(v[32:])), Amount: lnwire.MilliSat(binary.BigEndian.Uint64(v[36:])),
		})
	}
	return charges
}
