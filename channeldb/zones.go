package channeldb

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/routing"
)

// Payments and invoices are listed by number, and asked for by their date of creation and
// by what became of them. Dates nearly rise with the numbers, but a clock may be set back,
// so they are no index. Instead there is a row for each zone of numbers: which of them are
// taken, which are marked, and between which dates they lie. A page of whatever kind is
// found by passing over the zones that hold nothing for it, a thousand of them for a
// million rows.

// zoneSize is how many numbers are a zone.
const zoneSize = 1024

// A listing is a list that has zones. Its kind is stored.
type listing struct {
	kind  byte
	index bucket // finds the hash by the number
}

var (
	// paymentList marks those that succeeded.
	paymentList = listing{1, inPaymentIndex}
	// invoiceList marks those that are pending.
	invoiceList = listing{2, inInvoiceAdded}
)

// zone is the row.
type zone struct {
	first, last   int64 // unix seconds, of all that were ever in it
	taken, marked [zoneSize / 8]byte
}

func (l listing) zoneKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{l.kind}, n/zoneSize)
}

func (z *zone) encode() []byte {
	e := enc{b: append(make([]byte, 0, 320), 1)}
	e.int(0, z.first)
	e.int(2, z.last)
	e.raw(4, z.taken[:])
	e.raw(6, z.marked[:])
	return e.b
}

func decodeZone(row []byte) (z zone, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			z.first = d.int()
		case 2:
			z.last = d.int()
		case 4:
			d.fixed(z.taken[:])
		case 6:
			d.fixed(z.marked[:])
		default:
			d.unknown()
		}
	}
	return z, d.end("zone")
}

// count is how many numbers of the zone are taken.
func (z *zone) count() (n int) {
	for i := 0; i < len(z.taken); i += 8 {
		n += bits.OnesCount64(binary.BigEndian.Uint64(z.taken[i:]))
	}
	return n
}

func has(set *[zoneSize / 8]byte, n uint64) bool { return set[n%zoneSize/8]>>(n%8)&1 == 1 }

func assign(set *[zoneSize / 8]byte, n uint64, on bool) {
	if on {
		set[n%zoneSize/8] |= 1 << (n % 8)
	} else {
		set[n%zoneSize/8] &^= 1 << (n % 8)
	}
}

// enter says that a number is taken, since when, and whether it is marked.
func (z *zone) enter(n uint64, created int64, marked bool) {
	if *z == (zone{}) {
		z.first, z.last = created, created
	}
	z.first, z.last = min(z.first, created), max(z.last, created)
	assign(&z.taken, n, true)
	assign(&z.marked, n, marked)
}

// join takes in what another part of the same zone holds.
func (z *zone) join(o *zone) {
	if *z == (zone{}) {
		z.first, z.last = o.first, o.last
	}
	z.first, z.last = min(z.first, o.first), max(z.last, o.last)
	for i := range z.taken {
		z.taken[i] |= o.taken[i]
		z.marked[i] |= o.marked[i]
	}
}

// enter is the change of one number's zone.
func (w *write) enter(l listing, n uint64, created int64, marked bool) error {
	return w.changeZone(l, n, func(z *zone) { z.enter(n, created, marked) })
}

// leave says that a number is free.
func (w *write) leave(l listing, n uint64) error {
	return w.changeZone(l, n, func(z *zone) {
		assign(&z.taken, n, false)
		assign(&z.marked, n, false)
	})
}

func (w *write) changeZone(l listing, n uint64, change func(*zone)) error {
	key := l.zoneKey(n)
	row, err := w.get(inZones, key)
	if err != nil {
		return err
	}
	z := zone{}
	if row != nil {
		if z, err = decodeZone(row); err != nil {
			return err
		}
	}
	old := z
	change(&z)
	if z == old {
		return nil
	}
	return w.put(inZones, key, z.encode())
}

// second is a date as the zones have it.
func second(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// glance is what the zones need of a row.
type glance struct {
	number  uint64 // of an invoice
	created int64
	marked  bool
}

func glancePayment(row []byte) (g glance, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 4:
			g.marked = routing.Status(d.u8()) == routing.Succeeded
		case 6:
			g.created = second(d.time())
		}
	}
	return g, d.end("payment")
}

func glanceInvoice(row []byte) (g glance, err error) {
	g.marked = !invoice.State(0).Final()
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			g.marked = !invoice.State(d.u8()).Final()
		case 2:
			g.number = d.u64()
		case 34:
			g.created = second(d.time())
		}
	}
	return g, d.end("invoice")
}

// meets reports whether a date is one that the query asks for.
func (q *PageQuery) meets(created int64) bool {
	return (q.From == 0 || created >= q.From) && (q.To == 0 || created <= q.To)
}

// set is what of a zone the query may be after; nil: nothing.
func (q *PageQuery) set(z *zone) *[zoneSize / 8]byte {
	switch {
	case q.From != 0 && z.last < q.From, q.To != 0 && z.first > q.To:
		return nil
	case q.Marked:
		return &z.marked
	}
	return &z.taken
}

// walk gives the numbers and hashes of a list that may be what a query is after, until
// visit returns false: the dates are for visit to look at.
func (db *DB) walkList(l listing, q PageQuery, visit func(r *reader, n uint64, hash []byte) (bool, error)) error {
	at, more := q.After+1, q.After+1 != 0 && q.Limit > 0
	if q.Reverse {
		at, more = q.After-1, q.After != 1 && q.Limit > 0 // from 0 it is the highest of all
	}
	for more {
		err := db.view(func(r *reader) (err error) {
			at, more, err = r.walkList(l, &q, at, visit)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walkList does a part of it in one transaction, and says where to go on.
func (r *reader) walkList(l listing, q *PageQuery, at uint64, visit func(r *reader, n uint64, hash []byte) (bool, error)) (next uint64, more bool, err error) {
	start := time.Now()
	c := r.bucket(inZones).Cursor()
	step, k, v := c.Next, []byte(nil), []byte(nil)
	if k, v = c.Seek(l.zoneKey(at)); q.Reverse {
		step = c.Prev
		if k == nil {
			k, v = c.Last()
		} else if string(k) > string(l.zoneKey(at)) {
			k, v = c.Prev()
		}
	}
	index := r.bucket(l.index)
	for rows := 0; k != nil && k[0] == l.kind; k, v = step() {
		row, err := unseal(inZones, k, v)
		if err != nil {
			return 0, false, err
		}
		z, err := decodeZone(row)
		if err != nil {
			return 0, false, err
		}
		low, high := number(k[1:])*zoneSize, number(k[1:])*zoneSize+zoneSize-1
		if at < low || at > high { // nothing is in the zones between
			if at = low; q.Reverse {
				at = high
			}
		}
		for set := q.set(&z); set != nil && at >= low && at <= high; {
			if has(set, at) {
				if rows++; rows > maxReadRows || rows%64 == 0 && time.Since(start) > maxReadTime {
					return at, true, nil
				}
				key := binary.BigEndian.AppendUint64(nil, at)
				hash, err := unsealed(l.index, key, index.Get(key))
				if err != nil {
					return 0, false, err
				}
				if more, err := visit(r, at, hash); err != nil || !more {
					return 0, false, err
				}
			}
			if q.Reverse {
				at--
			} else {
				at++
			}
		}
	}
	return 0, false, nil
}

// unsealed refuses a row that must be there and is not.
func unsealed(b bucket, key, value []byte) ([]byte, error) {
	if value == nil {
		value = []byte{}
	}
	return unseal(b, key, value)
}

// countList is how many rows a list has.
func (db *DB) countList(l listing) (n uint64, err error) {
	err = db.scan(inZones, []byte{l.kind}, func(key, row []byte) (bool, error) {
		if key[0] != l.kind {
			return false, nil
		}
		z, err := decodeZone(row)
		n += uint64(z.count())
		return true, err
	})
	return n, err
}
