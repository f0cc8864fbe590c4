package channeldb

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// forward adds a record. It is numbered when it is written; its key is the time
// by which it is found.
func (o *ops) forward(r *forward.Record) {
	o.start(inForwards, add)
	o.u64(timeKey(r.SettledAt))
	o.row(1)
	o.time(0, r.SettledAt)
	o.refField(2, r.In)
	o.refField(4, r.Out)
	o.num(6, uint64(r.InSCID))
	o.num(8, uint64(r.OutSCID))
	o.num(10, uint64(r.AmountIn))
	o.num(12, uint64(r.AmountOut))
	o.hash32(14, (*[32]byte)(&r.Hash))
	o.time(16, r.LockedAt)
	o.end()
}

// timeKey sorts as the times do, from 1970 on.
func timeKey(t time.Time) uint64 {
	if t.IsZero() || t.UnixNano() < 0 {
		return 0
	}
	return uint64(t.UnixNano())
}

func decodeForward(row []byte) (r forward.Record, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			r.SettledAt = d.time()
		case 2:
			r.In = d.ref()
		case 4:
			r.Out = d.ref()
		case 6:
			r.InSCID = lnwire.ShortChannelID(d.u64())
		case 8:
			r.OutSCID = lnwire.ShortChannelID(d.u64())
		case 10:
			r.AmountIn = lnwire.MilliSat(d.u64())
		case 12:
			r.AmountOut = lnwire.MilliSat(d.u64())
		case 14:
			d.fixed(r.Hash[:])
		case 16:
			r.LockedAt = d.time()
		default:
			d.unknown()
		}
	}
	return r, d.end("forward")
}

// addForward numbers a record.
func (w *write) addForward(key, row []byte) error {
	n, err := w.count(counterForward)
	if err != nil {
		return err
	}
	index := binary.BigEndian.AppendUint64(nil, n)
	if err := w.put(inForwards, index, row); err != nil {
		return err
	}
	return w.put(inForwardTimes, append(key[:len(key):len(key)], index...), make([]byte, 0, sumLen))
}

// ForwardQuery asks for forwards in the order of their settling.
type ForwardQuery struct {
	From, To time.Time // inclusive; zero: no bound
	// After is the Cursor of the last row of the page before; zero for the first.
	After   ForwardCursor
	Skip    uint64 // rows to pass over first
	Limit   int
	Reverse bool // latest first
}

// ForwardCursor is the place of a forward in the order of time.
type ForwardCursor struct {
	At    uint64
	Index uint64
}

// Forward is a record with its number, which is never reused.
type Forward struct {
	Cursor ForwardCursor
	forward.Record
}

// Forwards reads a page of the forwards that were paid for.
func (db *DB) Forwards(q ForwardQuery) (list []Forward, err error) {
	from, to := timeKey(q.From), uint64(math.MaxUint64)
	if !q.To.IsZero() {
		to = timeKey(q.To)
	}
	low, high := ForwardCursor{At: from}.key(), ForwardCursor{At: to, Index: math.MaxUint64}.key()
	if q.After != (ForwardCursor{}) {
		if q.Reverse {
			high = ForwardCursor{At: q.After.At, Index: q.After.Index - 1}.key()
		} else {
			low = ForwardCursor{At: q.After.At, Index: q.After.Index + 1}.key()
		}
	}
	var found []ForwardCursor
	visit := func(key, _ []byte) (bool, error) {
		if len(key) != 16 {
			return false, fmt.Errorf("read forwards: key is malformed: %w", ErrDamaged)
		}
		if string(key) < string(low) || string(key) > string(high) || len(found) >= q.Limit {
			return false, nil
		}
		if q.Skip > 0 {
			q.Skip--
			return true, nil
		}
		found = append(found, ForwardCursor{number(key), number(key[8:])})
		return true, nil
	}
	if q.Reverse {
		err = db.scanBack(inForwardTimes, high, visit)
	} else {
		err = db.scan(inForwardTimes, low, visit)
	}
	if err != nil {
		return nil, err
	}
	return db.forwardsAt(found)
}

func (c ForwardCursor) key() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.At), c.Index)
}

func (db *DB) forwardsAt(found []ForwardCursor) (list []Forward, err error) {
	err = db.each(len(found), func(r *reader, i int) error {
		row, err := r.get(inForwards, found[i].key()[8:])
		if err != nil {
			return err
		}
		rec, err := decodeForward(row)
		list = append(list, Forward{Cursor: found[i], Record: rec})
		return err
	})
	return list, err
}
