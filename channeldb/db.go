package channeldb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/fulgur-ln/fulgur/metrics"
)

// Options of Open.
type Options struct {
	// Genesis is the hash of the chain's first block: a file is for one network.
	Genesis chainhash.Hash
	// Fatal is called when a write fails. It must end the process; nothing is
	// written or told after it.
	Fatal func(error)
	// FreeFloor is how many bytes the disk should have free: below, Low reports true.
	// 0: no floor.
	FreeFloor uint64
	// Free gives the bytes that the disk of a folder has left; nil asks the system.
	Free func(dir string) (uint64, error)
	// OnLow is called from the writer, quickly, when Low changes; may be nil.
	OnLow func(low bool)
	// Now is the wall clock that stamps events; nil for the system's.
	Now func() time.Time
	// Go, when it is set, runs the writer and every done function, each a task of its own,
	// one after the other, in the order in which it is given them: somebody else decides
	// when what is queued becomes durable, and when that is told.
	Go func(task func())
	// Commit makes a transaction durable, or ends it otherwise; nil for its own Commit.
	Commit func(*bolt.Tx) error
}

// DB is the node's database. Its methods may be called from any goroutine.
type DB struct {
	path string
	opts Options
	bolt *bolt.DB
	// sync makes a transaction durable; tests make it fail.
	sync func(*bolt.Tx) error

	epoch   uint64
	purging bool  // forgotten channels left rows; the writer's own
	tail    *tail // a backup follows; the writer's own
	low     atomic.Bool

	places   places
	deleting sync.Mutex // held by who deletes forwards

	numMu   sync.Mutex
	numbers [2]reserve

	mu      sync.Mutex
	wake    sync.Cond
	queue   []waiting
	lazies  int
	wanted  bool // there is more than lazy batches
	closing bool
	dead    bool
	stepped bool // a task of the writer waits for Options.Go
	stats   Stats
	syncs   *metrics.Histogram

	releases chan []waiting
	written  chan struct{} // the writer ended
	released chan struct{} // the releaser ended
	died     chan struct{} // a write failed, or the end is over
}

// growBy is by how much the file grows at a time.
const growBy = 4 << 20

// lockTime is how long Open waits for another process to let go of the file.
const lockTime = time.Second

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("the database is in use by another process: stop that one first")

// Open opens the file, or makes it. It refuses a file of another network or of a
// newer version, runs the migrations, and makes the file small again when more than
// half of it is free.
func Open(path string, opts Options) (*DB, error) { return openAt(path, opts, steps) }

func openAt(path string, opts Options, steps []step) (*DB, error) {
	if opts.Fatal == nil {
		return nil, errors.New("open database: Fatal is not set")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Commit == nil {
		opts.Commit = (*bolt.Tx).Commit
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{
		path: path, opts: opts, sync: opts.Commit, syncs: metrics.NewHistogram(metrics.Quick), releases: make(chan []waiting, 64),
		written: make(chan struct{}), released: make(chan struct{}), died: make(chan struct{}),
	}
	db.wake.L = &db.mu
	if err := guard(func() error { return db.prepare(steps) }); err != nil {
		if db.bolt != nil {
			_ = db.bolt.Close()
		}
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.checkDisk()
	if opts.Go == nil {
		go db.run()
		go db.release()
	}
	return db, nil
}

// prepare does everything up to the first write of a caller.
func (db *DB) prepare(steps []step) (err error) {
	if db.bolt, err = openFile(db.path, false); err != nil {
		return err
	}
	fresh, err := db.checkMeta(steps)
	if err != nil {
		return err
	}
	if !fresh {
		if err := db.compact(); err != nil {
			return err
		}
	}
	if err := db.migrate(steps); err != nil {
		return err
	}
	return db.begin()
}

// openFile opens a bbolt file and makes sure that it is still the one that path
// names: a compaction may have replaced it while we waited for the lock.
func openFile(path string, noSync bool) (*bolt.DB, error) {
	var file *os.File
	b, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: lockTime, InitialMmapSize: mapSize, FreelistType: bolt.FreelistMapType, NoFreelistSync: true,
		NoSync: noSync,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			if err != nil {
				return nil, err
			}
			file = f
			return f, checkWhole(f)
		},
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, hint(err))
	}
	b.AllocSize = growBy
	ours, err1 := file.Stat()
	named, err2 := os.Stat(path)
	if err := errors.Join(err1, err2); err != nil {
		_ = b.Close()
		return nil, err
	}
	if !os.SameFile(ours, named) {
		_ = b.Close()
		return nil, ErrInUse
	}
	return b, nil
}

// hint says what to do about a file that bbolt does not take.
func hint(err error) error {
	if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch) {
		return ErrDamaged
	}
	return errors.New("the file cannot be opened")
}

// Close writes what is queued, lazy batches too, calls their done functions, and
// lets go of the file.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closing {
		db.mu.Unlock()
		return nil
	}
	db.closing = true
	db.wake.Signal()
	db.mu.Unlock()
	if db.opts.Go != nil {
		db.last()
	}
	<-db.written
	<-db.released
	err := db.giveBackNumbers()
	if !db.isDead() {
		close(db.died) // what is queued from now on is never written
	}
	if cerr := db.bolt.Close(); cerr != nil && err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}
