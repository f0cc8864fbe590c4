package channeldb

import (
	"encoding/json"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// SelfChanges are what the operator has changed of our announcement while the node ran. One
// row.
type SelfChanges struct {
	Alias, AliasOf *lnwire.Alias // what it is, in place of what; nil: as configured
	Color, ColorOf *lnwire.RGB
	Added, Removed []lnwire.Address
	Hidden         lnwire.Features
}

// Conduct is how steady a peer is with which there are, or were, channels.
type Conduct struct {
	Peer lnwire.PubKey
	// Flaps counts how often it came and went, less what was forgiven since.
	Flaps uint32
	Last  time.Time // when it last did
}

var selfKey = []byte("changes")

func (o *ops) self(s *SelfChanges) {
	o.start(inSelf, put)
	o.bytes(selfKey)
	o.row(1)
	if s.Alias != nil && s.AliasOf != nil {
		o.raw(0, append(append([]byte{}, s.Alias[:]...), s.AliasOf[:]...))
	}
	if s.Color != nil && s.ColorOf != nil {
		o.raw(2, append(append([]byte{}, s.Color[:]...), s.ColorOf[:]...))
	}
	encodeAddresses(&o.enc, 4, s.Added)
	encodeAddresses(&o.enc, 6, s.Removed)
	o.opt(8, s.Hidden)
	o.end()
}

func encodeAddresses(e *enc, t byte, list []lnwire.Address) {
	if len(list) == 0 {
		return
	}
	m := e.open(t)
	for _, a := range list {
		e.byte(byte(a.Type))
		e.uvarint(uint64(a.Port))
		e.uvarint(uint64(len(a.Host)))
		e.b = append(e.b, a.Host...)
	}
	e.shut(m)
}

func decodeAddresses(d *dec) (list []lnwire.Address) {
	for l := (lister{b: d.v}); l.more(d); {
		var kind [1]byte
		l.fixed(d, kind[:])
		port := l.uvarint(d)
		if port > 1<<16-1 {
			d.fail("port %d", port)
		}
		list = append(list, lnwire.Address{Type: lnwire.AddressType(kind[0]), Port: uint16(port), Host: string(l.bytes(d))})
	}
	return list
}

func decodeSelf(row []byte) (s SelfChanges, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			var both [2]lnwire.Alias
			if n := len(both[0]); len(d.v) == 2*n {
				both[0], both[1] = lnwire.Alias(d.v[:n]), lnwire.Alias(d.v[n:])
			} else {
				d.fail("aliases of %d bytes", len(d.v))
			}
			s.Alias, s.AliasOf = &both[0], &both[1]
		case 2:
			var both [2]lnwire.RGB
			if n := len(both[0]); len(d.v) == 2*n {
				both[0], both[1] = lnwire.RGB(d.v[:n]), lnwire.RGB(d.v[n:])
			} else {
				d.fail("colors of %d bytes", len(d.v))
			}
			s.Color, s.ColorOf = &both[0], &both[1]
		case 4:
			s.Added = decodeAddresses(&d)
		case 6:
			s.Removed = decodeAddresses(&d)
		case 8:
			s.Hidden = lnwire.Features(d.bytes())
		default:
			d.unknown()
		}
	}
	return s, d.end("changes of our announcement")
}

// SelfChanges reads what was changed of our announcement.
func (db *DB) SelfChanges() (s SelfChanges, err error) {
	err = db.view(func(r *reader) error {
		row, err := r.get(inSelf, selfKey)
		if err != nil || row == nil {
			return err
		}
		s, err = decodeSelf(row)
		return err
	})
	return s, err
}

func (o *ops) conducts(list []Conduct) {
	for i := range list {
		o.start(inConduct, put)
		o.bytes(list[i].Peer[:])
		o.row(1)
		o.num(0, uint64(list[i].Flaps))
		o.time(2, list[i].Last)
		o.end()
	}
}

func decodeConduct(key, row []byte) (c Conduct, err error) {
	if len(key) != len(c.Peer) {
		return c, badKey(inConduct, key)
	}
	c.Peer = lnwire.PubKey(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			c.Flaps = d.u32()
		case 2:
			c.Last = d.time()
		default:
			d.unknown()
		}
	}
	return c, d.end("conduct")
}

// Conducts reads how steady peers are.
func (db *DB) Conducts() ([]Conduct, error) { return list(db, inConduct, decodeConduct) }

// selfNote is where changes of our announcement were kept before they had a row.
var selfNote = []byte("self-announcement")

// keepSelf makes the note a row.
func keepSelf(w *write) error {
	if err := makeBuckets(w); err != nil {
		return err
	}
	row, err := w.get(inNotes, selfNote)
	if err != nil || row == nil {
		return err
	}
	text, err := decodeNote(row)
	if err != nil {
		return err
	}
	var s SelfChanges
	if json.Unmarshal(text, &s) == nil { // what cannot be read is not worth an upgrade that fails
		o := new(ops)
		o.self(&s)
		err = o.each(func(op op) error { return w.put(op.b, op.key, op.row) })
	}
	if err != nil {
		return err
	}
	return w.del(inNotes, selfNote)
}
