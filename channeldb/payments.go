package channeldb

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// payments adds all changes of a delta. A payment is numbered when it is written
// for the first time.
func (o *ops) payments(d *routing.Delta) {
	if p := d.Payment; p != nil {
		if d.New {
			o.start(inPayments, add)
		} else {
			o.start(inPayments, put)
		}
		o.bytes(p.Terms.Hash[:])
		o.row(1)
		encodePayment(&o.enc, p)
		o.end()
		if d.Open || p.Status == routing.InFlight {
			o.start(inOpenPayments, put)
		} else {
			o.start(inOpenPayments, del)
		}
		o.bytes(p.Terms.Hash[:])
		o.bare()
	}
	for i := range d.Attempts {
		o.attempt(&d.Attempts[i])
	}
	for _, id := range d.Took {
		o.took(id)
	}
	o.budgets(d.Reserved)
	o.budgets(d.Returned)
}

func (o *ops) paymentGone(hash lnwire.Hash) {
	o.start(inPayments, forget)
	o.bytes(hash[:])
	o.bare()
}

func encodePayment(e *enc, p *routing.Payment) {
	encodeTermsOf(e, 0, &p.Terms)
	encodeLimits(e, 2, &p.Limits)
	e.num(4, uint64(p.Status))
	e.time(6, p.CreatedAt)
	e.time(8, p.EndedAt)
	if p.Route != nil {
		encodeRoute(e, 10, p.Route)
	}
	e.hash32(12, (*[32]byte)(&p.Preimage))
	e.num(14, uint64(p.Paid))
	e.num(16, uint64(p.Fee))
	e.num(18, uint64(p.Reason))
	e.text(20, p.Text)
	encodeCharges(e, 21, p.Charges)
}

func decodePayment(hash, row []byte) (*routing.Payment, error) {
	if len(hash) != 32 {
		return nil, badKey(inPayments, hash)
	}
	p := new(routing.Payment)
	p.Terms.Hash = lnwire.Hash(hash)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			decodeTermsOf(&d, &p.Terms)
		case 2:
			decodeLimits(&d, &p.Limits)
		case 4:
			p.Status = routing.Status(d.u8())
		case 6:
			p.CreatedAt = d.time()
		case 8:
			p.EndedAt = d.time()
		case 10:
			r := decodeRoute(&d)
			p.Route = &r
		case 12:
			d.fixed(p.Preimage[:])
		case 14:
			p.Paid = lnwire.MilliSat(d.u64())
		case 16:
			p.Fee = lnwire.MilliSat(d.u64())
		case 18:
			p.Reason = routing.FailureReason(d.u8())
		case 20:
			p.Text = d.text()
		case 21:
			p.Charges = decodeCharges(&d)
		default:
			d.unknown()
		}
	}
	return p, d.end("payment")
}

// encodeTermsOf leaves out the hash: it is the key.
func encodeTermsOf(e *enc, t byte, terms *routing.Terms) {
	m := e.open(t)
	e.num(0, uint64(terms.Amount))
	e.key33(2, &terms.Payee)
	e.num(4, uint64(terms.FinalDelta))
	if terms.Secret != nil {
		e.raw(6, terms.Secret[:])
	}
	e.opt(8, terms.Metadata)
	e.raw(10, terms.Features)
	if len(terms.Hints) > 0 {
		h := e.open(12)
		for _, hint := range terms.Hints {
			e.uvarint(uint64(len(hint)))
			for i := range hint {
				e.hop(hint[i].Node, hint[i].SCID, hint[i].Base, hint[i].PPM, hint[i].Delta)
			}
		}
		e.shut(h)
	}
	e.records(14, terms.Custom)
	e.text(16, terms.Request)
	encodeBlinded(e, 17, terms.Blinded)
	e.shut(m)
}

func decodeTermsOf(outer *dec, terms *routing.Terms) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			terms.Amount = lnwire.MilliSat(d.u64())
		case 2:
			d.fixed(terms.Payee[:])
		case 4:
			terms.FinalDelta = d.u16()
		case 6:
			terms.Secret = new(lnwire.Secret)
			d.fixed(terms.Secret[:])
		case 8:
			terms.Metadata = d.bytes()
		case 10:
			terms.Features = d.bytes()
		case 12:
			terms.Hints = decodePaymentHints(&d)
		case 14:
			terms.Custom = d.records()
		case 16:
			terms.Request = d.text()
		case 17:
			terms.Blinded = decodeBlinded(&d)
		default:
			d.unknown()
		}
	}
	outer.err = d.err
}

func decodePaymentHints(d *dec) (hints [][]routing.HintHop) {
	for l := (lister{b: d.v}); l.more(d); {
		hint := []routing.HintHop{}
		for n := l.uvarint(d); n > 0 && d.err == nil; n-- {
			var h routing.HintHop
			l.hop(d, &h.Node, &h.SCID, &h.Base, &h.PPM, &h.Delta)
			hint = append(hint, h)
		}
		hints = append(hints, hint)
	}
	return hints
}

func encodeLimits(e *enc, t byte, lim *routing.Limits) {
	m := e.open(t)
	e.num(0, uint64(lim.Fee))
	e.num(2, uint64(lim.CLTV))
	e.num(4, uint64(lim.Parts))
	e.int(6, int64(lim.Timeout))
	if len(lim.Outgoing) > 0 {
		e.head(8, 8*len(lim.Outgoing))
		for _, scid := range lim.Outgoing {
			e.u64(uint64(scid))
		}
	}
	if lim.LastHop != nil {
		e.raw(10, lim.LastHop[:])
	}
	e.num(11, uint64(lim.MaxPart))
	e.num(13, math.Float64bits(lim.TimePref))
	e.records(15, lim.Custom)
	e.shut(m)
}

func decodeLimits(outer *dec, lim *routing.Limits) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			lim.Fee = lnwire.MilliSat(d.u64())
		case 2:
			lim.CLTV = d.u32()
		case 4:
			lim.Parts = d.u32()
		case 6:
			lim.Timeout = time.Duration(d.int())
		case 8:
			for i := range d.items(8) {
				lim.Outgoing = append(lim.Outgoing, lnwire.ShortChannelID(binary.BigEndian.Uint64(d.v[8*i:])))
			}
		case 10:
			lim.LastHop = new(lnwire.PubKey)
			d.fixed(lim.LastHop[:])
		case 11:
			lim.MaxPart = lnwire.MilliSat(d.u64())
		case 13:
			if v := math.Float64frombits(d.u64()); v >= -1 && v <= 1 {
				lim.TimePref = v
			} else {
				d.fail("time preference in field %d is out of range", d.t)
			}
		case 15:
			lim.Custom = d.records()
		default:
			d.unknown()
		}
	}
	outer.err = d.err
}

// addPayment begins a payment: one of the same hash that failed before gives way.
func (w *write) addPayment(hash, row []byte) error {
	if err := w.forgetPayment(hash); err != nil {
		return err
	}
	n, err := w.count(counterPayment)
	if err != nil {
		return err
	}
	index := binary.BigEndian.AppendUint64(make([]byte, 0, 8+sumLen), n)
	hashRow := append(make([]byte, 0, len(hash)+sumLen), hash...)
	if err := w.put(inPaymentIndex, index[:8:8], hashRow); err != nil {
		return err
	}
	if err := w.put(inPaymentNumber, hash, index); err != nil {
		return err
	}
	g, err := glancePayment(row)
	if err != nil {
		return err
	}
	if err := w.enter(paymentList, n, g.created, g.marked); err != nil {
		return err
	}
	return w.put(inPayments, hash, row)
}

// putPayment changes a payment.
func (w *write) putPayment(hash, row []byte) error {
	g, err := glancePayment(row)
	if err != nil {
		return err
	}
	if g.marked { // once it was entered, only this is news
		index, err := w.get(inPaymentNumber, hash)
		if err != nil {
			return err
		}
		if index != nil {
			if err := w.enter(paymentList, number(index), g.created, true); err != nil {
				return err
			}
		}
	}
	return w.put(inPayments, hash, row)
}

// forgetPayment deletes a payment with its attempts and what finds it.
func (w *write) forgetPayment(hash []byte) error {
	index, err := w.get(inPaymentNumber, hash)
	if err != nil || index == nil {
		return err
	}
	if err := w.leave(paymentList, number(index)); err != nil {
		return err
	}
	for _, gone := range []struct {
		b   bucket
		key []byte
	}{{inPaymentIndex, index}, {inPayments, hash}, {inOpenPayments, hash}, {inPaymentNumber, hash}} {
		if err := w.del(gone.b, gone.key); err != nil {
			return err
		}
	}
	_, _, err = w.delPrefix(inAttempts, hash, 1<<30)
	return err
}

// Payment is a payment with its number and its attempts, by ascending id.
type Payment struct {
	Index uint64 // counts from 1, never reused
	routing.Payment
	Attempts []routing.Attempt
}

// Payment reads a payment; nil when there is none.
func (db *DB) Payment(hash lnwire.Hash) (p *Payment, err error) {
	err = db.view(func(r *reader) error {
		p, err = r.payment(hash[:])
		return err
	})
	return p, err
}

func (r *reader) payment(hash []byte) (*Payment, error) {
	row, err := r.get(inPayments, hash)
	if err != nil || row == nil {
		return nil, err
	}
	pay, err := decodePayment(hash, row)
	if err != nil {
		return nil, err
	}
	index, err := r.get(inPaymentNumber, hash)
	if err != nil {
		return nil, err
	}
	p := &Payment{Index: number(index), Payment: *pay}
	err = r.prefix(inAttempts, hash, func(key, row []byte) error {
		a, err := DecodeAttempt(row)
		if err != nil {
			return fmt.Errorf("read attempt %x: %w", key, err)
		}
		p.Attempts = append(p.Attempts, a)
		return nil
	})
	return p, err
}

// Payments reads payments by index.
func (db *DB) Payments(q PageQuery) (found []*Payment, err error) {
	err = db.walkList(paymentList, q, func(r *reader, n uint64, hash []byte) (bool, error) {
		if q.From != 0 || q.To != 0 {
			row, err := r.get(inPayments, hash)
			if err != nil {
				return false, err
			}
			if g, err := glancePayment(row); err != nil || !q.meets(g.created) {
				return true, err
			}
		}
		p, err := r.payment(hash)
		if p != nil {
			found = append(found, p)
		}
		return len(found) < q.Limit, err
	})
	return found, err
}

// CountPayments is how many payments there are.
func (db *DB) CountPayments() (uint64, error) { return db.countList(paymentList) }

// OpenPayments reads the payments in flight: what a node starts with.
func (db *DB) OpenPayments() ([]*Payment, error) {
	hashes, err := list(db, inOpenPayments, func(key, _ []byte) ([]byte, error) { return append([]byte{}, key...), nil })
	if err != nil {
		return nil, err
	}
	return db.paymentsOf(hashes)
}

func (db *DB) paymentsOf(hashes [][]byte) (found []*Payment, err error) {
	err = db.each(len(hashes), func(r *reader, i int) error {
		p, err := r.payment(hashes[i])
		if p != nil {
			found = append(found, p)
		}
		return err
	})
	return found, err
}
