package channeldb

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// meta is the row that says what the file is.
type meta struct {
	schema    uint64 // the number of the last migration
	minReader uint64 // the lowest schema whose program can read it
	genesis   chainhash.Hash
	nodeID    lnwire.PubKey // zero before the wallet was first opened
	epoch     uint64        // grows with each Open: who writes must know it
}

var (
	metaKey = []byte("meta")
	sealKey = []byte("seed")
)

func (m *meta) encode() []byte {
	e := enc{b: []byte{1}}
	e.num(0, m.schema)
	e.num(2, m.minReader)
	e.hash32(4, (*[32]byte)(&m.genesis))
	e.key33(6, &m.nodeID)
	e.num(8, m.epoch)
	return e.b
}

func decodeMeta(row []byte) (m meta, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			m.schema = d.u64()
		case 2:
			m.minReader = d.u64()
		case 4:
			d.fixed(m.genesis[:])
		case 6:
			d.fixed(m.nodeID[:])
		case 8:
			m.epoch = d.u64()
		default:
			d.unknown()
		}
	}
	return m, d.end("meta")
}

func (w *write) meta() (m meta, err error) {
	row, err := w.get(inMeta, metaKey)
	if err != nil || row == nil {
		return m, err
	}
	return decodeMeta(row)
}

func (w *write) setMeta(m meta) error { return w.put(inMeta, metaKey, m.encode()) }

// checkEpoch is the fence: it refuses to write when the file was opened by another
// since.
func (w *write) checkEpoch() error {
	m, err := w.meta()
	if err != nil {
		return err
	}
	if m.epoch != w.db.epoch {
		return fmt.Errorf("check epoch: the database is at %d, opened by another process; ours is %d", m.epoch, w.db.epoch)
	}
	return nil
}

// begin takes over the file: from now on no one who opened it before may write.
func (db *DB) begin() error {
	return db.update(func(w *write) error {
		m, err := w.meta()
		if err != nil {
			return err
		}
		m.epoch++
		db.epoch = m.epoch
		for range w.keys(inPurge, nil) {
			db.purging = true
			break
		}
		if err := w.reserveNumbers(); err != nil {
			return err
		}
		return w.setMeta(m)
	})
}

// update is a transaction outside the queue, before the writer runs or after.
func (db *DB) update(f func(*write) error) error {
	tx, err := db.bolt.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // also when bbolt panics over the file, which could not be closed otherwise
	if err := f(&write{db: db, tx: tx}); err != nil {
		return err
	}
	return db.sync(tx)
}

// Identity is the node id of the file; false before SetIdentity.
func (db *DB) Identity() (id lnwire.PubKey, ok bool, err error) {
	err = db.view(func(r *reader) error {
		row, err := r.get(inMeta, metaKey)
		if err != nil {
			return err
		}
		m, err := decodeMeta(row)
		id, ok = m.nodeID, !m.nodeID.IsZero()
		return err
	})
	return id, ok, err
}

// SetIdentity binds the file to a node id, the first time; later it refuses any
// other.
func (db *DB) SetIdentity(id lnwire.PubKey) error {
	old, ok, err := db.Identity()
	if err != nil {
		return err
	}
	if ok && old != id {
		return fmt.Errorf("the database belongs to node %v, and this seed is of node %v: "+
			"use the seed that the database was made with, or another data directory", old, id)
	}
	if ok {
		return nil
	}
	_, err = db.Write(Batch{identity: &id})
	return err
}

func (o *ops) identity(id lnwire.PubKey) {
	o.start(inMeta, putNew)
	o.bytes(metaKey)
	o.row(1)
	o.bytes(id[:])
	o.end()
}

func (w *write) putIdentity(row []byte) error {
	m, err := w.meta()
	if err != nil {
		return err
	}
	id := lnwire.PubKey(row[1:])
	if !m.nodeID.IsZero() && m.nodeID != id {
		return fmt.Errorf("set node id: the database belongs to node %v", m.nodeID)
	}
	m.nodeID = id
	return w.setMeta(m)
}

func (o *ops) seal(sealed []byte) {
	o.start(inMeta, put)
	o.bytes(sealKey)
	o.row(1)
	o.raw(0, sealed)
	o.end()
}

// Seal is the sealed seed; nil when no wallet was made yet.
func (db *DB) Seal() (sealed []byte, err error) {
	err = db.view(func(r *reader) error {
		row, err := r.get(inMeta, sealKey)
		if err != nil || row == nil {
			return err
		}
		d := read(row, 1)
		for d.next() {
			switch d.t {
			case 0:
				sealed = d.bytes()
			default:
				d.unknown()
			}
		}
		return d.end("sealed seed")
	})
	return sealed, err
}

// reserve hands out numbers that are never given twice: those below ceil are
// durably taken.
type reserve struct{ next, ceil uint64 }

// The two kinds of numbers, and how many are taken at a time. After a crash the
// rest of those is skipped.
var reserves = [2]struct {
	counter byte
	block   uint64
}{{counterChannel, 16}, {counterAttempt, 1024}}

// reserveNumbers takes the first block of each.
func (w *write) reserveNumbers() error {
	for i, r := range reserves {
		row, err := w.get(inCounters, []byte{r.counter})
		if err != nil {
			return err
		}
		n := max(number(row), 1)
		w.db.numbers[i] = reserve{next: n, ceil: n + r.block}
		if err := w.setCounter(r.counter, n+r.block); err != nil {
			return err
		}
	}
	return nil
}

// giveBackNumbers ends a life without gaps.
func (db *DB) giveBackNumbers() error {
	if db.isDead() {
		return nil
	}
	db.numMu.Lock()
	defer db.numMu.Unlock()
	return db.update(func(w *write) error {
		if err := w.checkEpoch(); err != nil {
			return err
		}
		for i, r := range reserves {
			if err := w.setCounter(r.counter, db.numbers[i].next); err != nil {
				return err
			}
		}
		return nil
	})
}

// NextChanNum gives a channel number that no channel had before, from 1. Now and
// then it waits for a write.
func (db *DB) NextChanNum() (uint64, error) { return db.nextNumber(0) }

// SkipChanNums makes NextChanNum give numbers above n only: what is below was used by an
// earlier life of this node, whose rows are gone.
func (db *DB) SkipChanNums(n uint64) error {
	db.numMu.Lock()
	defer db.numMu.Unlock()
	r := &db.numbers[0]
	if n < r.next {
		return nil
	}
	ceil := n + 1 + reserves[0].block
	if err := db.raiseCounter(0, ceil); err != nil {
		return err
	}
	r.next, r.ceil = n+1, ceil
	return nil
}

// NextAttemptID gives the number of a payment's attempt, from 1, likewise.
func (db *DB) NextAttemptID() (uint64, error) { return db.nextNumber(1) }

func (db *DB) nextNumber(i int) (uint64, error) {
	db.numMu.Lock()
	defer db.numMu.Unlock()
	r := &db.numbers[i]
	if r.next >= r.ceil {
		if err := db.raiseCounter(i, r.ceil+reserves[i].block); err != nil {
			return 0, err
		}
		r.ceil += reserves[i].block
	}
	r.next++
	return r.next - 1, nil
}

// raiseCounter stores up to where the numbers are given out, durably.
func (db *DB) raiseCounter(i int, ceil uint64) error {
	o := new(ops)
	o.start(inCounters, put)
	o.byte(reserves[i].counter)
	o.list[0].row = len(o.b)
	o.b = binary.BigEndian.AppendUint64(o.b, ceil)
	o.end()
	return db.writeOps(o)
}
