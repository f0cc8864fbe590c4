package channeldb

import (
	"errors"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/metrics"
)

// ErrClosed says that the database is closed, or that a write failed before: the
// process is about to end.
var ErrClosed = errors.New("the database is closed")

// waiting is a batch on its way to the disk.
type waiting struct {
	ops  *ops // nil when there is nothing to write
	done func(Receipt)
}

// maxLazy is how many lazy batches may wait for company.
const maxLazy = 256

// Queue takes a batch for writing and calls done, from a goroutine of the
// database, when it is durable and after the done functions of everything queued
// before. It does not block and keeps nothing of b. done must be quick and must not
// wait for another write; it may be nil. An empty batch is a place in the order.
// After Close or a failed write, done is never called.
func (db *DB) Queue(b Batch, done func(Receipt)) {
	if db.Gather(b, done) {
		db.Wake()
	}
}

// Gather is Queue for one who queues more at once: the batch waits for company. When
// it says that the batch is due, the caller must follow up with Wake.
func (db *DB) Gather(b Batch, done func(Receipt)) (due bool) {
	w := waiting{ops: b.encode(db.now().UnixNano()), done: done}
	if len(w.ops.list) == 0 && w.ops.err == nil {
		w.ops = nil
	}
	lazy := w.ops != nil && b.lazy()
	db.enqueue(w, lazy)
	return !lazy
}

// Wake has all that is queued written.
func (db *DB) Wake() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.want()
}

// want has the writer begin. The caller holds mu.
func (db *DB) want() {
	db.wanted = true
	db.wake.Signal()
	db.summon()
}

func (db *DB) enqueue(w waiting, lazy bool) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing || db.dead {
		return false
	}
	db.queue = append(db.queue, w)
	if lazy {
		db.lazies++
	}
	if db.lazies > maxLazy {
		db.want()
	}
	return true
}

// Write queues a batch and waits until it is durable. It must not be called from a
// done function.
func (db *DB) Write(b Batch) (Receipt, error) {
	o := b.encode(db.now().UnixNano())
	if len(o.list) == 0 && o.err == nil {
		o = nil
	}
	return db.wait(o)
}

func (db *DB) wait(o *ops) (Receipt, error) {
	durable := make(chan Receipt, 1)
	if !db.enqueue(waiting{ops: o, done: func(r Receipt) { durable <- r }}, false) {
		return Receipt{}, ErrClosed
	}
	db.Wake()
	select {
	case r := <-durable:
		return r, nil
	case <-db.died:
		return Receipt{}, ErrClosed
	}
}

func (db *DB) writeOps(o *ops) error {
	_, err := db.wait(o)
	return err
}

// Barrier waits until all that was queued before is durable.
func (db *DB) Barrier() error {
	_, err := db.Write(Batch{})
	return err
}

// Stats count what the writer did.
type Stats struct {
	Commits uint64 // transactions, each synced
	Batches uint64 // written by them
	Rows    uint64 // put and deleted
	Bytes   uint64 // of keys and values put
	Queued  int    // batches that wait to be written now
	kinds   [numBuckets]uint64
}

// Kinds are Bytes by the kind of row.
func (s *Stats) Kinds() map[string]uint64 {
	kinds := map[string]uint64{}
	for b, n := range s.kinds {
		if n > 0 {
			kinds[bucket(b).String()] = n
		}
	}
	return kinds
}

// Stats are the writer's counts since the database was opened.
func (db *DB) Stats() Stats {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.stats
	s.Queued = len(db.queue)
	return s
}

// SyncTimes is how long it took to make each transaction durable.
func (db *DB) SyncTimes() *metrics.Histogram { return db.syncs }

// run is the writer: it takes all that has gathered, writes it in one transaction,
// and hands its done functions to the releaser while it goes on.
func (db *DB) run() {
	defer close(db.written)
	defer close(db.releases)
	for {
		group, more := db.take()
		if len(group) > 0 || db.purging {
			if err := db.commit(group); err != nil {
				db.die(err)
				return
			}
		}
		if len(group) > 0 {
			select {
			case db.releases <- group:
			case <-db.released:
			}
		}
		if !more {
			return
		}
	}
}

// take waits for something to do; more is false at the end.
func (db *DB) take() (group []waiting, more bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for !db.wanted && !db.closing && !db.purging {
		db.wake.Wait()
	}
	group = db.queue
	db.queue, db.wanted, db.lazies = nil, false, 0
	return group, !db.closing
}

// release calls the done functions, in order.
func (db *DB) release() {
	defer close(db.released)
	for group := range db.releases {
		for _, w := range group {
			if db.isDead() {
				return
			}
			if w.done != nil {
				w.done(w.receipt())
			}
		}
	}
}

func (db *DB) isDead() bool {
	select {
	case <-db.died:
		return true
	default:
		return false
	}
}

// Dead is closed when a write has failed, and after the last one of Close: who waits for one
// that was queued then will not hear of it.
func (db *DB) Dead() <-chan struct{} { return db.died }

// die ends everything: nothing more is written or told.
func (db *DB) die(err error) {
	db.mu.Lock()
	db.dead, db.queue = true, nil
	db.mu.Unlock()
	close(db.died)
	db.opts.Fatal(fmt.Errorf("write to %s: %w", db.path, err))
}

// commit writes a group in one transaction.
func (db *DB) commit(group []waiting) error {
	writes := 0
	for _, w := range group {
		if w.ops != nil {
			writes++
		}
	}
	if writes == 0 && !db.purging {
		return nil
	}
	tx, err := db.bolt.Begin(true)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	w := &write{db: db, tx: tx}
	if err := w.group(group); err != nil {
		_ = tx.Rollback()
		return err
	}
	began := time.Now()
	if err := db.sync(tx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	db.syncs.Observe(time.Since(began))
	db.account(w, writes)
	return nil
}

func (db *DB) account(w *write, batches int) {
	db.checkDisk()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.stats.Commits++
	db.stats.Batches += uint64(batches)
	db.stats.Rows += uint64(w.rows)
	for b, n := range w.bytes {
		db.stats.Bytes += uint64(n)
		db.stats.kinds[b] += uint64(n)
	}
}

// group applies the ops of all batches, and notes in each what was decided.
func (w *write) group(group []waiting) error {
	if err := w.checkEpoch(); err != nil {
		return err
	}
	seq, err := w.get(inCounters, []byte{counterEvent})
	if err != nil {
		return err
	}
	w.receipt.Seq = number(seq)
	w.last = lastWords(group)
	for i := range group {
		o := group[i].ops
		if o == nil {
			continue
		}
		if o.err != nil {
			return o.err
		}
		if o.hook != nil {
			o.hook()
		}
		w.receipt.Taken = nil
		if err := o.each(w.apply); err != nil {
			return err
		}
		o.receipt = w.receipt
	}
	if w.db.purging {
		return w.purge()
	}
	return nil
}

func (w *waiting) receipt() Receipt {
	if w.ops == nil {
		return Receipt{}
	}
	return w.ops.receipt
}

// now is the wall clock.
func (db *DB) now() time.Time { return db.opts.Now() }
