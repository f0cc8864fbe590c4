package channeldb

import (
	"encoding/binary"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"
)

// write is one transaction of the writer. Every change of the file goes through
// its put and del.
type write struct {
	db      *DB
	tx      *bolt.Tx
	places  [numBuckets]*bolt.Bucket
	rows    int
	bytes   [numBuckets]int // of keys and values put
	last    map[rowName]int // of rows that are written more than once: which op of the transaction is the last
	ops     int             // applied so far
	receipt Receipt
}

func (w *write) bucket(b bucket) *bolt.Bucket {
	if w.places[b] == nil {
		w.places[b] = w.tx.Bucket([]byte(b.String()))
	}
	return w.places[b]
}

// put seals a row and stores it. key and row must stay as they are until the end of
// the transaction.
func (w *write) put(b bucket, key, row []byte) error {
	value := seal(b, key, row)
	w.rows++
	w.bytes[b] += len(key) + len(value)
	w.db.tail.note(b, key, value)
	if err := w.bucket(b).Put(key, value); err != nil {
		return fmt.Errorf("put %v row %x: %w", b, key, err)
	}
	return nil
}

func (w *write) del(b bucket, key []byte) error {
	w.rows++
	w.db.tail.note(b, key, nil)
	if err := w.bucket(b).Delete(key); err != nil {
		return fmt.Errorf("delete %v row %x: %w", b, key, err)
	}
	return nil
}

// get gives a row, or nil.
func (w *write) get(b bucket, key []byte) ([]byte, error) {
	value := w.bucket(b).Get(key)
	if value == nil {
		return nil, nil
	}
	return unseal(b, key, value)
}

// keys walks the keys with a prefix. Nothing may be changed meanwhile.
func (w *write) keys(b bucket, prefix []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := w.bucket(b).Cursor()
		for k, _ := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, _ = c.Next() {
			if !yield(k) {
				return
			}
		}
	}
}

func hasPrefix(k, prefix []byte) bool {
	return len(k) >= len(prefix) && string(k[:len(prefix)]) == string(prefix)
}

// delPrefix deletes at most limit rows with a prefix and reports whether all are
// gone.
func (w *write) delPrefix(b bucket, prefix []byte, limit int) (n int, all bool, err error) {
	var gone [][]byte
	all = true
	for key := range w.keys(b, prefix) {
		if len(gone) == limit {
			all = false
			break
		}
		gone = append(gone, append([]byte(nil), key...))
	}
	for _, key := range gone {
		if err := w.del(b, key); err != nil {
			return 0, false, err
		}
	}
	return len(gone), all, nil
}

// rowName is a row of the file.
type rowName struct {
	b   bucket
	key string
}

// plain tells the ops that do nothing but put or delete a row which no other op looks at:
// of those in one transaction only the last counts.
func (o *op) plain() bool {
	return (o.v == put || o.v == del) && (o.b == inChannels || o.b == inOnions || o.b == inOutbox)
}

// lastWords finds the rows that a transaction would write more than once: what is put for
// a moment only, as the end of an HTLC in the outbox, need not go to the disk.
func lastWords(group []waiting) map[rowName]int {
	seen := map[rowName]int{}
	more, count := false, 0
	for i := range group {
		if group[i].ops == nil {
			continue
		}
		_ = group[i].ops.each(func(o op) error {
			count++
			if o.plain() {
				name := rowName{o.b, string(o.key)}
				_, again := seen[name]
				more = more || again
				seen[name] = count
			}
			return nil
		})
	}
	if !more {
		return nil
	}
	return seen
}

// idle: a later op of the transaction has the last word on the row.
func (w *write) idle(o *op) bool {
	return w.last != nil && o.plain() && w.last[rowName{o.b, string(o.key)}] != w.ops
}

// apply does one op.
func (w *write) apply(o op) error {
	w.ops++
	if w.idle(&o) {
		return nil
	}
	switch {
	case o.b == inInvoices && o.v == put:
		return w.putInvoice(o.key, o.row)
	case o.b == inPayments && o.v == put:
		return w.putPayment(o.key, o.row)
	case o.v == put:
		return w.put(o.b, o.key, o.row)
	case o.v == del:
		return w.del(o.b, o.key)
	case o.b == inMeta && o.v == putNew:
		return w.putIdentity(o.row)
	case o.b == inTags && o.v == putNew:
		return w.putTag(o.key, o.row)
	case o.b == inTags && o.v == below:
		return w.forgetTags(o.key)
	case o.b == inForwards && o.v == add:
		return w.addForward(o.key, o.row)
	case o.b == inForwards && o.v == forget:
		return w.forgetForward(o.key)
	case o.b == inEvents && o.v == add:
		return w.addEvent(o.row)
	case o.b == inChannels && o.v == forget:
		return w.forgetChannel(o.key)
	case o.b == inInvoices && o.v == forget:
		return w.forgetInvoice(o.key)
	case o.b == inPayments && o.v == add:
		return w.addPayment(o.key, o.row)
	case o.b == inBudgets && o.v == charge:
		return w.charge(o.key, o.row)
	case o.b == inPayments && o.v == forget:
		return w.forgetPayment(o.key)
	case o.b == inScores && o.v == forget:
		_, _, err := w.delPrefix(inScores, nil, 1<<30)
		return err
	}
	return fmt.Errorf("write %v row: verb %d is unknown", o.b, o.v)
}

// Counters. Their numbers are stored.
const (
	counterEvent byte = iota + 1
	counterForward
	counterPayment
	counterChannel
	counterAttempt
)

// count gives the counter's next number, from 1.
func (w *write) count(counter byte) (uint64, error) {
	row, err := w.get(inCounters, []byte{counter})
	if err != nil {
		return 0, err
	}
	n := number(row) + 1
	return n, w.setCounter(counter, n)
}

func (w *write) setCounter(counter byte, n uint64) error {
	row := binary.BigEndian.AppendUint64(make([]byte, 0, 8+sumLen), n)
	return w.put(inCounters, []byte{counter}, row)
}

// forgetChannel deletes the rows of a channel. Its revoked commitments can be
// millions: they go a few at a time with the next writes.
func (w *write) forgetChannel(key []byte) error {
	for _, b := range []bucket{inChannels, inOnions} {
		if _, _, err := w.delPrefix(b, key, 1<<30); err != nil {
			return err
		}
	}
	w.db.purging = true
	return w.put(inPurge, key, make([]byte, 0, sumLen))
}

// maxPurge is how many revoked commitments of forgotten channels go in one write.
const maxPurge = 1000

// purge deletes some of what forgotten channels left.
func (w *write) purge() error {
	var key []byte
	for k := range w.keys(inPurge, nil) {
		key = append(key, k...)
		break
	}
	if key == nil {
		w.db.purging = false
		return nil
	}
	_, all, err := w.delPrefix(inRevoked, key, maxPurge)
	if err != nil || !all {
		return err
	}
	return w.del(inPurge, key)
}
