package channeldb

import (
	"context"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// goneAtOnce is how many forwards are deleted in one write: others wait for it.
const goneAtOnce = 500

// DeleteForwards deletes the records of forwards that were settled up to a time, a part at a
// time: what was deleted when ctx ends stays so. It returns how many that were, and what they
// had earned.
func (db *DB) DeleteForwards(ctx context.Context, upTo time.Time) (n uint64, fees lnwire.MilliSat, err error) {
	db.deleting.Lock() // two at a time would count the same records
	defer db.deleting.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return n, fees, err
		}
		list, err := db.Forwards(ForwardQuery{To: upTo, Limit: goneAtOnce})
		if err != nil || len(list) == 0 {
			return n, fees, err
		}
		b := Batch{forwardsGone: make([]ForwardCursor, len(list))}
		sum := lnwire.MilliSat(0)
		for i := range list {
			b.forwardsGone[i] = list[i].Cursor
			sum += list[i].Fee()
		}
		if _, err := db.Write(b); err != nil {
			return n, fees, err
		}
		db.places.clear()
		n, fees = n+uint64(len(list)), fees+sum
	}
}

func (o *ops) forwardsGone(list []ForwardCursor) {
	for _, at := range list {
		o.start(inForwards, forget)
		o.bytes(at.key())
		o.bare()
	}
}

// forgetForward deletes a record, and takes it out of what finds it.
func (w *write) forgetForward(key []byte) error {
	at, err := cursorOf(key)
	if err != nil {
		return err
	}
	index := at.key()[8:]
	row, err := w.get(inForwards, index)
	if err != nil || row == nil {
		return err
	}
	rec, err := decodeForward(row)
	if err != nil {
		return err
	}
	if err := w.del(inForwards, index); err != nil {
		return err
	}
	if err := w.del(inForwardTimes, at.key()); err != nil {
		return err
	}
	for _, key := range channelKeys(at, &rec) {
		if err := w.del(inForwardChannels, key); err != nil {
			return err
		}
	}
	return w.countForwards(at.At, slice{^uint64(0), -uint64(rec.Fee())}) // less, by going round
}
