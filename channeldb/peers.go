package channeldb

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Peer is a node that we keep a connection to.
type Peer struct {
	Key       lnwire.PubKey
	Addresses []string // host:port, the last good one first
}

// Note is a small row of the node's own, such as the time of its last
// announcement: a name and what the node makes of it.
type Note struct {
	Name  string
	Value []byte // nil deletes
}

func (o *ops) peers(b *Batch) {
	for _, p := range b.Peers {
		o.start(inPeers, put)
		o.bytes(p.Key[:])
		o.row(1)
		if len(p.Addresses) > 0 {
			m := o.open(0)
			for _, a := range p.Addresses {
				o.uvarint(uint64(len(a)))
				o.b = append(o.b, a...)
			}
			o.shut(m)
		}
		o.end()
	}
	for _, key := range b.PeersGone {
		o.start(inPeers, del)
		o.bytes(key[:])
		o.bare()
	}
}

func decodePeer(key, row []byte) (p Peer, err error) {
	if len(key) != len(p.Key) {
		return p, badKey(inPeers, key)
	}
	p.Key = lnwire.PubKey(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			for l := (lister{b: d.v}); l.more(&d); {
				p.Addresses = append(p.Addresses, string(l.bytes(&d)))
			}
		default:
			d.unknown()
		}
	}
	return p, d.end("peer")
}

// Peers reads the nodes that we keep a connection to.
func (db *DB) Peers() ([]Peer, error) { return list(db, inPeers, decodePeer) }

func (o *ops) notes(b *Batch) {
	for _, n := range b.Notes {
		if n.Value == nil {
			o.start(inNotes, del)
			o.b = append(o.b, n.Name...)
			o.bare()
			continue
		}
		o.start(inNotes, put)
		o.b = append(o.b, n.Name...)
		o.row(1)
		o.raw(0, n.Value)
		o.end()
		if n.Name == "" {
			o.err = fmt.Errorf("write note: no name")
		}
	}
}

func decodeNote(row []byte) ([]byte, error) {
	v := []byte{}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			v = d.bytes()
		default:
			d.unknown()
		}
	}
	return v, d.end("note")
}

// Note reads the note of a name; nil when there is none.
func (db *DB) Note(name string) (value []byte, err error) {
	err = db.view(func(r *reader) error {
		row, err := r.get(inNotes, []byte(name))
		if err != nil || row == nil {
			return err
		}
		value, err = decodeNote(row)
		return err
	})
	return value, err
}
