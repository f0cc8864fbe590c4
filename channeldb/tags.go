package channeldb

import (
	"encoding/binary"
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// maxForget bounds how many old tags go in one write; the rest goes with the next
// ForgetTags.
const maxForget = 10_000

func (o *ops) tags(d *forward.Delta) {
	for i := range d.Tags {
		t := &d.Tags[i]
		o.start(inTags, putNew)
		o.bytes(t.Tag[:])
		o.row(1)
		o.num(0, uint64(t.Expiry))
		o.refField(2, t.Owner)
		o.end()
	}
	if d.ForgetTags > 0 {
		o.start(inTags, below)
		o.u32(uint32(d.ForgetTags))
		o.bare()
	}
}

func decodeTag(key, row []byte) (t forward.Tag, err error) {
	if len(key) != len(t.Tag) {
		return t, fmt.Errorf("read tag %x: key is malformed: %w", key, ErrDamaged)
	}
	t.Tag = onion.Tag(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			t.Expiry = lnwire.Height(d.u32())
		case 2:
			t.Owner = d.ref()
		default:
			d.unknown()
		}
	}
	return t, d.end("tag")
}

// putTag lets the first owner keep a tag: the row that was there stays, and the
// receipt tells of the other.
func (w *write) putTag(key, row []byte) error {
	t, err := decodeTag(key, row)
	if err != nil {
		return err
	}
	old, err := w.get(inTags, key)
	if err != nil {
		return err
	}
	if old != nil {
		was, err := decodeTag(key, old)
		if err != nil {
			return err
		}
		if was.Owner != t.Owner {
			w.receipt.Taken = append(w.receipt.Taken, t)
		}
		return nil
	}
	if err := w.put(inTags, key, row); err != nil {
		return err
	}
	index := append(binary.BigEndian.AppendUint32(nil, uint32(t.Expiry)), key...)
	return w.put(inTagExpiry, index, make([]byte, 0, sumLen))
}

// forgetTags deletes the tags that expire below the height.
func (w *write) forgetTags(height []byte) error {
	if len(height) != 4 {
		return fmt.Errorf("forget tags: height has %d bytes", len(height))
	}
	var old [][]byte
	for key := range w.keys(inTagExpiry, nil) {
		if string(key[:4]) >= string(height) || len(old) == maxForget {
			break
		}
		old = append(old, append([]byte(nil), key...))
	}
	for _, key := range old {
		if err := w.del(inTagExpiry, key); err != nil {
			return err
		}
		if err := w.del(inTags, key[4:]); err != nil {
			return err
		}
	}
	return nil
}

// Tags reads all tags.
func (db *DB) Tags() (list []forward.Tag, err error) {
	err = db.scan(inTags, nil, func(key, row []byte) (bool, error) {
		t, err := decodeTag(key, row)
		list = append(list, t)
		return true, err
	})
	return list, err
}
