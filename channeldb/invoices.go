package channeldb

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// countersNote is the name of the row of the registry's counters.
const countersNote = "invoice-counters"

// invoices adds all changes of a delta. The registry gives the indexes out.
func (o *ops) invoices(d *invoice.Delta) {
	for i := range d.Invoices {
		o.invoice(&d.Invoices[i])
	}
	for _, hash := range d.Deleted {
		o.start(inInvoices, forget)
		o.bytes(hash[:])
		o.bare()
	}
	for i := range d.Outbox {
		o.answer(&d.Outbox[i])
	}
	if c := d.Counters; c != nil {
		value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.AddIndex), c.SettleIndex)
		o.notes(&Batch{Notes: []Note{{Name: countersNote, Value: value}}})
	}
}

func (o *ops) invoice(inv *invoice.Invoice) {
	o.start(inInvoices, put)
	o.bytes(inv.Hash[:])
	o.row(1)
	encodeInvoice(&o.enc, inv)
	o.end()
	o.index(inInvoiceAdded, inv.AddIndex, inv.Hash)
	if inv.SettleIndex > 0 {
		o.index(inInvoiceSettled, inv.SettleIndex, inv.Hash)
	}
	if inv.State == invoice.Open && len(inv.Parts) == 0 && !inv.Keysend { // it is new
		o.start(inInvoiceSecrets, put)
		o.bytes(inv.Secret[:])
		o.value(inv.Hash)
	}
	if inv.State.Final() {
		o.start(inOpenInvoices, del)
	} else {
		o.start(inOpenInvoices, put)
	}
	o.bytes(inv.Hash[:])
	o.bare()
}

// index puts a row that finds hash by its number.
func (o *ops) index(b bucket, n uint64, hash lnwire.Hash) {
	o.start(b, put)
	o.u64(n)
	o.value(hash)
}

// value ends a row that holds a hash and nothing else.
func (o *ops) value(hash lnwire.Hash) {
	s := &o.list[len(o.list)-1]
	s.row = len(o.b)
	o.bytes(hash[:])
	o.end()
}

func encodeInvoice(e *enc, inv *invoice.Invoice) {
	e.num(0, uint64(inv.State))
	e.num(2, inv.AddIndex)
	e.num(4, inv.SettleIndex)
	if inv.Preimage != nil {
		e.raw(6, inv.Preimage[:])
	}
	e.hash32(8, (*[32]byte)(&inv.Secret))
	e.flag(10, inv.Hold)
	e.flag(12, inv.Keysend)
	e.num(14, uint64(inv.Amount))
	e.num(16, uint64(inv.FinalDelta))
	e.opt(18, inv.Metadata)
	e.raw(20, inv.Features)
	e.text(22, inv.Memo)
	if inv.DescriptionHash != nil {
		e.raw(24, inv.DescriptionHash[:])
	}
	e.text(26, inv.Fallback)
	if len(inv.Hints) > 0 {
		m := e.open(28)
		for _, hint := range inv.Hints {
			e.uvarint(uint64(len(hint)))
			for i := range hint {
				e.hop(hint[i].Node, hint[i].SCID, hint[i].FeeBase, hint[i].FeePPM, hint[i].CLTVDelta)
			}
		}
		e.shut(m)
	}
	e.flag(30, inv.Private)
	e.text(32, inv.Request)
	e.time(34, inv.CreatedAt)
	e.int(36, int64(inv.Expiry))
	e.time(38, inv.SettledAt)
	e.num(40, uint64(inv.Paid))
	if len(inv.Parts) > 0 {
		m := e.open(42)
		for i := range inv.Parts {
			encodePart(e, &inv.Parts[i])
		}
		e.shut(m)
	}
	e.flag(43, inv.Blinded)
}

func decodeInvoice(hash, row []byte) (*invoice.Invoice, error) {
	if len(hash) != 32 {
		return nil, badKey(inInvoices, hash)
	}
	inv := &invoice.Invoice{Hash: lnwire.Hash(hash)}
	d := read(row, 1)
	for d.next() {
		if d.t <= 20 {
			decodeInvoiceTerms(&d, inv)
		} else {
			decodeInvoiceRest(&d, inv)
		}
	}
	return inv, d.end("invoice")
}

func decodeInvoiceTerms(d *dec, inv *invoice.Invoice) {
	switch d.t {
	case 0:
		inv.State = invoice.State(d.u8())
	case 2:
		inv.AddIndex = d.u64()
	case 4:
		inv.SettleIndex = d.u64()
	case 6:
		inv.Preimage = new(lnwire.Preimage)
		d.fixed(inv.Preimage[:])
	case 8:
		d.fixed(inv.Secret[:])
	case 10:
		inv.Hold = d.flag()
	case 12:
		inv.Keysend = d.flag()
	case 14:
		inv.Amount = lnwire.MilliSat(d.u64())
	case 16:
		inv.FinalDelta = d.u32()
	case 18:
		inv.Metadata = d.bytes()
	case 20:
		inv.Features = d.bytes()
	default:
		d.unknown()
	}
}

func decodeInvoiceRest(d *dec, inv *invoice.Invoice) {
	switch d.t {
	case 22:
		inv.Memo = d.text()
	case 24:
		inv.DescriptionHash = new([32]byte)
		d.fixed(inv.DescriptionHash[:])
	case 26:
		inv.Fallback = d.text()
	case 28:
		inv.Hints = decodeInvoiceHints(d)
	case 30:
		inv.Private = d.flag()
	case 32:
		inv.Request = d.text()
	case 34:
		inv.CreatedAt = d.time()
	case 36:
		inv.Expiry = time.Duration(d.int())
	case 38:
		inv.SettledAt = d.time()
	case 40:
		inv.Paid = lnwire.MilliSat(d.u64())
	case 42:
		for l := (lister{b: d.v}); l.more(d); {
			inv.Parts = append(inv.Parts, decodePart(d, &l))
		}
	case 43:
		inv.Blinded = d.flag()
	default:
		d.unknown()
	}
}

func decodeInvoiceHints(d *dec) (hints []invoice.RouteHint) {
	for l := (lister{b: d.v}); l.more(d); {
		hint := invoice.RouteHint{}
		for n := l.uvarint(d); n > 0 && d.err == nil; n-- {
			var h invoice.HopHint
			l.hop(d, &h.Node, &h.SCID, &h.FeeBase, &h.FeePPM, &h.CLTVDelta)
			hint = append(hint, h)
		}
		hints = append(hints, hint)
	}
	return hints
}

const hopLen = 33 + 8 + 4 + 4 + 2

// hop is one channel of a route hint.
func (e *enc) hop(node lnwire.PubKey, scid lnwire.ShortChannelID, base, ppm uint32, delta uint16) {
	e.bytes(node[:])
	e.u64(uint64(scid))
	e.u32(base)
	e.u32(ppm)
	e.b = binary.BigEndian.AppendUint16(e.b, delta)
}

func (l *lister) hop(d *dec, node *lnwire.PubKey, scid *lnwire.ShortChannelID, base, ppm *uint32, delta *uint16) {
	var b [hopLen]byte
	l.fixed(d, b[:])
	copy(node[:], b[:])
	*scid = lnwire.ShortChannelID(binary.BigEndian.Uint64(b[33:]))
	*base, *ppm = binary.BigEndian.Uint32(b[41:]), binary.BigEndian.Uint32(b[45:])
	*delta = binary.BigEndian.Uint16(b[49:])
}

// encodePart is fields of its own, with their length before them.
func encodePart(e *enc, p *invoice.Part) {
	f := enc{}
	f.refField(0, p.Ref)
	f.num(2, uint64(p.SCID))
	f.num(4, uint64(p.State))
	f.num(6, uint64(p.Amount))
	f.num(8, uint64(p.ToForward))
	f.num(10, uint64(p.Total))
	f.num(12, uint64(p.Expiry))
	f.num(14, uint64(p.Height))
	f.time(16, p.AcceptedAt)
	f.time(18, p.ResolvedAt)
	f.num(20, uint64(p.Code))
	f.records(22, p.Custom)
	f.num(23, uint64(p.Counted))
	e.uvarint(uint64(len(f.b)))
	e.bytes(f.b)
}

func decodePart(outer *dec, l *lister) (p invoice.Part) {
	b := l.bytes(outer)
	d := dec{b: b, err: outer.err, last: -1}
	for d.next() {
		switch d.t {
		case 0:
			p.Ref = d.ref()
		case 2:
			p.SCID = lnwire.ShortChannelID(d.u64())
		case 4:
			p.State = invoice.PartState(d.u8())
		case 6:
			p.Amount = lnwire.MilliSat(d.u64())
		case 8:
			p.ToForward = lnwire.MilliSat(d.u64())
		case 10:
			p.Total = lnwire.MilliSat(d.u64())
		case 12:
			p.Expiry = lnwire.Height(d.u32())
		case 14:
			p.Height = lnwire.Height(d.u32())
		case 16:
			p.AcceptedAt = d.time()
		case 18:
			p.ResolvedAt = d.time()
		case 20:
			p.Code = onion.Code(d.u16())
		case 22:
			p.Custom = d.records()
		case 23:
			p.Counted = lnwire.MilliSat(d.u64())
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return p
}

// putInvoice adds an invoice or changes it.
func (w *write) putInvoice(hash, row []byte) error {
	g, err := glanceInvoice(row)
	if err != nil {
		return err
	}
	if err := w.enter(invoiceList, g.number, g.created, g.marked); err != nil {
		return err
	}
	return w.put(inInvoices, hash, row)
}

// forgetInvoice deletes an invoice with what finds it.
func (w *write) forgetInvoice(hash []byte) error {
	row, err := w.get(inInvoices, hash)
	if err != nil || row == nil {
		return err
	}
	inv, err := decodeInvoice(hash, row)
	if err != nil {
		return err
	}
	if err := w.leave(invoiceList, inv.AddIndex); err != nil {
		return err
	}
	for _, gone := range []struct {
		b   bucket
		key []byte
	}{
		{inInvoices, hash}, {inOpenInvoices, hash},
		{inInvoiceAdded, binary.BigEndian.AppendUint64(nil, inv.AddIndex)},
		{inInvoiceSettled, binary.BigEndian.AppendUint64(nil, inv.SettleIndex)},
		{inInvoiceSecrets, inv.Secret[:]},
	} {
		if err := w.del(gone.b, gone.key); err != nil {
			return err
		}
	}
	return nil
}

// Invoice reads an invoice; nil when there is none.
func (db *DB) Invoice(hash lnwire.Hash) (inv *invoice.Invoice, err error) {
	err = db.view(func(r *reader) error {
		inv, err = r.invoice(hash[:])
		return err
	})
	return inv, err
}

// InvoiceBySecret reads the invoice with a payment_secret; nil when there is none.
func (db *DB) InvoiceBySecret(secret lnwire.Secret) (inv *invoice.Invoice, err error) {
	err = db.view(func(r *reader) error {
		hash, err := r.get(inInvoiceSecrets, secret[:])
		if err != nil || hash == nil {
			return err
		}
		inv, err = r.invoice(hash)
		return err
	})
	return inv, err
}

func (r *reader) invoice(hash []byte) (*invoice.Invoice, error) {
	row, err := r.get(inInvoices, hash)
	if err != nil || row == nil {
		return nil, err
	}
	return decodeInvoice(hash, row)
}

// OpenInvoices reads the invoices that are neither settled nor canceled, and the
// registry's counters: what it starts from.
func (db *DB) OpenInvoices() (open []*invoice.Invoice, c invoice.Counters, err error) {
	hashes, err := list(db, inOpenInvoices, func(key, _ []byte) ([]byte, error) { return append([]byte{}, key...), nil })
	if err != nil {
		return nil, c, err
	}
	if open, err = db.invoicesOf(hashes); err != nil {
		return nil, c, err
	}
	value, err := db.Note(countersNote)
	if err == nil && value != nil && len(value) != 16 {
		err = fmt.Errorf("read invoice counters: %d bytes: %w", len(value), ErrDamaged)
	}
	if len(value) == 16 {
		c = invoice.Counters{AddIndex: number(value), SettleIndex: number(value[8:])}
	}
	return open, c, err
}

func (db *DB) invoicesOf(hashes [][]byte) (found []*invoice.Invoice, err error) {
	err = db.each(len(hashes), func(r *reader, i int) error {
		inv, err := r.invoice(hashes[i])
		if inv != nil {
			found = append(found, inv)
		}
		return err
	})
	return found, err
}

// PageQuery asks for rows by their index.
type PageQuery struct {
	// After is the index after which the page begins, before which it begins when
	// Reverse; 0: at the first, or at the last.
	After   uint64
	Limit   int
	Reverse bool // descending
	// From and To bound the second of creation (unix), both inclusive; 0: no bound. Not
	// for settled invoices.
	From, To int64
	// Marked leaves only payments that succeeded, or invoices that are pending.
	Marked bool
}

// InvoicesAdded reads invoices by add index.
func (db *DB) InvoicesAdded(q PageQuery) (found []*invoice.Invoice, err error) {
	err = db.walkList(invoiceList, q, func(r *reader, _ uint64, hash []byte) (bool, error) {
		inv, err := r.invoice(hash)
		if inv != nil && q.meets(second(inv.CreatedAt)) {
			found = append(found, inv)
		}
		return len(found) < q.Limit, err
	})
	return found, err
}

// InvoicesSettled reads settled invoices by settle index.
func (db *DB) InvoicesSettled(q PageQuery) ([]*invoice.Invoice, error) {
	if q.Limit <= 0 || q.Reverse && q.After == 1 {
		return nil, nil
	}
	var hashes [][]byte
	visit := func(_, row []byte) (bool, error) {
		hashes = append(hashes, append([]byte{}, row...))
		return len(hashes) < q.Limit, nil
	}
	var err error
	switch {
	case !q.Reverse:
		err = db.scan(inInvoiceSettled, binary.BigEndian.AppendUint64(nil, q.After+1), visit)
	case q.After == 0:
		err = db.scanBack(inInvoiceSettled, nil, visit)
	default:
		err = db.scanBack(inInvoiceSettled, binary.BigEndian.AppendUint64(nil, q.After-1), visit)
	}
	if err != nil {
		return nil, err
	}
	return db.invoicesOf(hashes)
}

// AnswerOf reads the answer that waits for an incoming HTLC; false when none does.
func (db *DB) AnswerOf(ref htlc.Ref) (a invoice.Answer, ok bool, err error) {
	key := enc{b: []byte{answerTo}}
	key.ref(ref)
	err = db.view(func(r *reader) error {
		row, err := r.get(inOutbox, key.b)
		if err != nil || row == nil {
			return err
		}
		ok = true
		a, err = decodeAnswer(ref, row)
		return err
	})
	return a, ok, err
}
