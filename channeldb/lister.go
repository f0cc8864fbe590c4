package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// lister walks a field that is a list of elements of different lengths. What is
// wrong with it fails the row.
type lister struct{ b []byte }

func (l *lister) more(d *dec) bool { return d.err == nil && len(l.b) > 0 }

func (l *lister) uvarint(d *dec) uint64 {
	v, n := binary.Uvarint(l.b)
	if n <= 0 {
		d.fail("number in list %d is malformed", d.t)
		l.b = nil
		return 0
	}
	l.b = l.b[n:]
	return v
}

// take gives n bytes that must be copied.
func (l *lister) take(d *dec, n uint64) []byte {
	if n > uint64(len(l.b)) {
		d.fail("list %d is cut short", d.t)
		l.b = nil
		return nil
	}
	v := l.b[:n]
	l.b = l.b[n:]
	return v
}

// bytes gives an element with its length before it.
func (l *lister) bytes(d *dec) []byte { return l.take(d, l.uvarint(d)) }

func (l *lister) fixed(d *dec, dst []byte) { copy(dst, l.take(d, uint64(len(dst)))) }

// records is a list of TLV records, as custom records are.
func (e *enc) records(t byte, list []lnwire.TLV) {
	if len(list) == 0 {
		return
	}
	m := e.open(t)
	for _, r := range list {
		e.uvarint(uint64(r.Type))
		e.uvarint(uint64(len(r.Value)))
		e.bytes(r.Value)
	}
	e.shut(m)
}

func (d *dec) records() (list []lnwire.TLV) {
	for l := (lister{b: d.v}); l.more(d); {
		typ := l.uvarint(d)
		list = append(list, lnwire.TLV{Type: typ, Value: append([]byte{}, l.bytes(d)...)})
	}
	return list
}
