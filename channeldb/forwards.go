package channeldb

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
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

// addForward numbers a record and enters it into what finds it.
func (w *write) addForward(key, row []byte) error {
	n, err := w.count(counterForward)
	if err != nil {
		return err
	}
	index := binary.BigEndian.AppendUint64(nil, n)
	if err := w.put(inForwards, index, row); err != nil {
		return err
	}
	at := ForwardCursor{At: number(key), Index: n}
	if err := w.put(inForwardTimes, at.key(), make([]byte, 0, sumLen)); err != nil {
		return err
	}
	rec, err := decodeForward(row)
	if err != nil {
		return err
	}
	for _, key := range channelKeys(at, &rec) {
		if err := w.put(inForwardChannels, key, make([]byte, 0, sumLen)); err != nil {
			return err
		}
	}
	return w.countForwards(at.At, slice{1, uint64(rec.Fee())})
}

// ForwardQuery asks for forwards in the order of their settling.
type ForwardQuery struct {
	From, To time.Time // inclusive; zero: no bound
	// After is the Cursor of the last row of the page before; zero for the first.
	After   ForwardCursor
	Skip    uint64 // rows to pass over first
	Limit   int
	Reverse bool // latest first; not together with In and Out
	// In and Out leave only what came in, and went out, over one of these channels; empty:
	// over any.
	In, Out []lnwire.ShortChannelID
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
func (db *DB) Forwards(q ForwardQuery) ([]Forward, error) {
	var before []ForwardCursor
	for {
		found, err := db.findForwards(q)
		if err != nil {
			return nil, err
		}
		list, err := db.forwardsAt(found)
		switch {
		case err != nil || len(list) == len(found):
			return list, err
		case slices.Equal(found, before):
			return nil, fmt.Errorf("read forwards: some have no row: %w", ErrDamaged)
		}
		before = found // some were deleted in between: a page that is not full would look like the last
	}
}

// findForwards finds where the rows of a page are.
func (db *DB) findForwards(q ForwardQuery) (found []ForwardCursor, err error) {
	low, high := ForwardCursor{At: timeKey(q.From)}, ForwardCursor{At: math.MaxUint64, Index: math.MaxUint64}
	if !q.To.IsZero() {
		high.At = timeKey(q.To)
	}
	if q.After != (ForwardCursor{}) {
		if q.Reverse {
			high = ForwardCursor{At: q.After.At, Index: q.After.Index - 1}
		} else {
			low = ForwardCursor{At: q.After.At, Index: q.After.Index + 1}
		}
	}
	visit := func(at ForwardCursor) bool {
		if q.Skip > 0 {
			q.Skip--
			return true
		}
		found = append(found, at)
		return len(found) < q.Limit
	}
	switch {
	case q.Limit <= 0:
	case len(q.In)+len(q.Out) > 0:
		page, skip := q.page(), q.Skip
		if at, ok := db.places.find(page, skip); ok {
			low, q.Skip = at, 0
		}
		if err = db.walkChannels(q.In, q.Out, low, high, visit); err == nil && len(found) > 0 {
			db.places.keep(page, skip+uint64(len(found)), found[len(found)-1].next())
		}
	case q.Reverse:
		err = db.walkTimes(low, high, true, visit)
	default:
		if low, q.Skip, err = db.leap(low, q.Skip); err == nil {
			err = db.walkTimes(low, high, false, visit)
		}
	}
	return found, err
}

// walkTimes gives forwards by time until visit returns false.
func (db *DB) walkTimes(low, high ForwardCursor, back bool, visit func(ForwardCursor) bool) error {
	each := func(key, _ []byte) (bool, error) {
		at, err := cursorOf(key)
		if err != nil || at.less(low) || high.less(at) {
			return false, err
		}
		return visit(at), nil
	}
	if back {
		return db.scanBack(inForwardTimes, high.key(), each)
	}
	return db.scan(inForwardTimes, low.key(), each)
}

func cursorOf(key []byte) (ForwardCursor, error) {
	if len(key) != 16 {
		return ForwardCursor{}, fmt.Errorf("read forwards: key is malformed: %w", ErrDamaged)
	}
	return ForwardCursor{number(key), number(key[8:])}, nil
}

func (c ForwardCursor) less(d ForwardCursor) bool {
	return c.At < d.At || c.At == d.At && c.Index < d.Index
}

// next is the place right behind; of the last of all there is none.
func (c ForwardCursor) next() ForwardCursor {
	if c.Index++; c.Index == 0 {
		c.At++
	}
	return c
}

func (c ForwardCursor) key() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), c.At), c.Index)
}

// forwardsAt reads rows, without those that are deleted by now.
func (db *DB) forwardsAt(found []ForwardCursor) (list []Forward, err error) {
	err = db.each(len(found), func(r *reader, i int) error {
		row, err := r.get(inForwards, found[i].key()[8:])
		if err != nil || row == nil {
			return err
		}
		rec, err := decodeForward(row)
		list = append(list, Forward{Cursor: found[i], Record: rec})
		return err
	})
	return list, err
}
