package channeldb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// migrationRows is how many rows of a list are entered in one transaction; tests take
// fewer.
var migrationRows = 10_000

// listsKey is where the migration of the lists notes how far it came.
var listsKey = []byte("lists")

// The order in which lists are entered, as it is stored.
const (
	dropIndexes = iota
	enterPayments
	enterInvoices
	enterForwards
	listsDone
)

// indexLists enters all payments, invoices and forwards into what pages through them.
func indexLists(w *write) (done bool, err error) {
	phase, next := uint64(dropIndexes), uint64(0)
	if w.bucket(inMeta) != nil {
		row, err := w.get(inMeta, listsKey)
		if err != nil {
			return false, err
		}
		if row != nil {
			if phase, next, err = decodeProgress(row); err != nil {
				return false, err
			}
		}
	}
	for more := false; !more; { // what is empty costs no transaction
		if phase >= listsDone {
			return true, w.del(inMeta, listsKey)
		}
		if next, more, err = w.enterPhase(phase, next); err != nil {
			return false, err
		}
		if !more {
			phase++
		}
	}
	e := enc{b: []byte{1}}
	e.num(0, phase)
	e.num(2, next)
	return false, w.put(inMeta, listsKey, e.b)
}

func (w *write) enterPhase(phase, next uint64) (after uint64, more bool, err error) {
	switch phase {
	case dropIndexes:
		return 0, false, w.dropIndexes()
	case enterPayments:
		return w.enterList(paymentList, next, inPayments, glancePayment)
	case enterInvoices:
		return w.enterList(invoiceList, next, inInvoices, glanceInvoice)
	}
	return w.enterForwards(next)
}

func decodeProgress(row []byte) (phase, next uint64, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			phase = d.u64()
		case 2:
			next = d.u64()
		default:
			d.unknown()
		}
	}
	return phase, next, d.end("progress of the migration")
}

// dropIndexes begins anew: programs of the schema before did not keep them.
func (w *write) dropIndexes() error {
	for _, b := range []bucket{inZones, inForwardCounts, inForwardChannels} {
		w.places[b] = nil
		if w.tx.Bucket([]byte(b.String())) != nil {
			if err := w.tx.DeleteBucket([]byte(b.String())); err != nil {
				return fmt.Errorf("drop %v: %w", b, err)
			}
		}
	}
	return makeBuckets(w)
}

// each goes through some rows of a bucket by their numbers, from next on.
func (w *write) each(b bucket, next uint64, f func(n uint64, row []byte) error) (after uint64, more bool, err error) {
	c, rows := w.bucket(b).Cursor(), 0
	for k, v := c.Seek(binary.BigEndian.AppendUint64(nil, next)); k != nil; k, v = c.Next() {
		if rows++; rows > migrationRows {
			return number(k), true, nil
		}
		row, err := unseal(b, k, v)
		if err != nil {
			return 0, false, err
		}
		if err := f(number(k), row); err != nil {
			return 0, false, err
		}
	}
	return 0, false, nil
}

// enterList makes the zones of some rows of a list.
func (w *write) enterList(l listing, next uint64, from bucket, look func(row []byte) (glance, error)) (uint64, bool, error) {
	type made struct {
		n uint64 // a number that is in it
		zone
	}
	var zones []made
	after, more, err := w.each(l.index, next, func(n uint64, hash []byte) error {
		row, err := w.get(from, hash)
		if err != nil || row == nil {
			return err
		}
		g, err := look(row)
		if err != nil {
			return err
		}
		if last := len(zones) - 1; last < 0 || zones[last].n/zoneSize != n/zoneSize {
			zones = append(zones, made{n: n})
		}
		zones[len(zones)-1].enter(n, g.created, g.marked)
		return nil
	})
	for i := range zones {
		if err == nil {
			err = w.changeZone(l, zones[i].n, func(z *zone) { z.join(&zones[i].zone) })
		}
	}
	return after, more, err
}

// enterForwards counts some forwards and enters them by their channels.
func (w *write) enterForwards(next uint64) (uint64, bool, error) {
	type count struct {
		at uint64
		slice
	}
	var keys [][]byte
	var counts []count
	after, more, err := w.each(inForwards, next, func(n uint64, row []byte) error {
		f, err := decodeForward(row)
		if err != nil {
			return err
		}
		at := ForwardCursor{At: timeKey(f.SettledAt), Index: n}
		pair := channelKeys(at, &f)
		keys = append(keys, pair[0], pair[1])
		if last := len(counts) - 1; last >= 0 && counts[last].at>>shortSlice == at.At>>shortSlice {
			counts[last].n++
			counts[last].fees += uint64(f.Fee())
		} else {
			counts = append(counts, count{at.At, slice{1, uint64(f.Fee())}})
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	slices.SortFunc(keys, bytes.Compare) // see indexSecrets
	for _, key := range keys {
		if err := w.put(inForwardChannels, key, make([]byte, 0, sumLen)); err != nil {
			return 0, false, err
		}
	}
	for _, c := range counts {
		if err := w.countForwards(c.at, c.slice); err != nil {
			return 0, false, err
		}
	}
	return after, more, nil
}
