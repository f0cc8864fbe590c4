package channeldb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/gossip"
)

// GraphDB keeps what was learned by gossip, in a file of its own: all of it can be
// learned again, so rows are written many at a time, after a while, and the last
// ones may be lost in a crash. It is a gossip.Graph.
type GraphDB struct {
	path    string
	genesis chainhash.Hash

	file  sync.RWMutex // held for writing while bolt is exchanged
	bolt  *bolt.DB
	heavy int // bytes written since then

	mu      sync.Mutex
	room    sync.Cond // something was written, or failed
	pending []graphRow
	queued  uint64 // rows ever queued
	written uint64 // rows ever written
	err     error
	closing bool
	hurry   bool // write at once

	wake  chan struct{}
	ended chan struct{}
}

var _ gossip.Graph = (*GraphDB)(nil)

type graphRow struct{ key, value []byte }

const (
	// graphLinger is how long a row waits for others.
	graphLinger = time.Second
	// graphBatch is how many rows make the writer start at once, graphFull how many
	// make Put wait for it.
	graphBatch = 8192
	graphFull  = 65536
	// graphFill is how full pages are left: most rows come in the order of their keys.
	graphFill = 0.9
	// graphHeavy is how many bytes are written before the file's pages are given back.
	graphHeavy = 16 << 20
)

var (
	graphBucket = []byte("graph")
	graphOwner  = []byte("\x00genesis")
)

// OpenGraph opens the file or makes it. A damaged file, or one of another network,
// is put aside and a new one begun.
func OpenGraph(path string, genesis chainhash.Hash) (*GraphDB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open graph: %w", err)
	}
	b, err := openGraphFile(path, genesis)
	if errors.Is(err, ErrDamaged) || errors.Is(err, errOtherNetwork) {
		if rerr := os.Rename(path, path+".damaged"); rerr != nil {
			return nil, fmt.Errorf("open graph %s: %w", path, errors.Join(err, rerr))
		}
		b, err = openGraphFile(path, genesis)
	}
	if err != nil {
		return nil, fmt.Errorf("open graph %s: %w", path, err)
	}
	g := &GraphDB{path: path, genesis: genesis, bolt: b, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	g.room.L = &g.mu
	go g.run()
	return g, nil
}

var errOtherNetwork = errors.New("the graph is of another network")

func openGraphFile(path string, genesis chainhash.Hash) (b *bolt.DB, err error) {
	err = guard(func() error {
		if b, err = openFile(path, false); err != nil {
			return err
		}
		b.NoFreelistSync = false // the list is short, and to find it anew all pages would be read
		return b.Update(func(tx *bolt.Tx) error {
			place, err := tx.CreateBucketIfNotExists(graphBucket)
			if err != nil {
				return err
			}
			if was := place.Get(graphOwner); was != nil && !bytes.Equal(was, genesis[:]) {
				return errOtherNetwork
			}
			return place.Put(graphOwner, genesis[:])
		})
	})
	if err != nil && b != nil {
		_ = b.Close()
	}
	return b, err
}

func graphKey(kind gossip.Kind, key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), byte(kind)), key...)
}

// Put queues a row for writing. The error is of an earlier write.
func (g *GraphDB) Put(kind gossip.Kind, key, value []byte) error {
	k := graphKey(kind, key)
	v := append(make([]byte, 0, len(value)+sumLen), value...)
	return g.enqueue(graphRow{k, seal(0, k, v)})
}

// Delete queues the deletion of a row. The error is of an earlier write.
func (g *GraphDB) Delete(kind gossip.Kind, key []byte) error {
	return g.enqueue(graphRow{key: graphKey(kind, key)})
}

func (g *GraphDB) enqueue(r graphRow) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.pending) >= graphFull && g.err == nil && !g.closing {
		g.room.Wait()
	}
	if g.err != nil {
		return g.err
	}
	if g.closing {
		return ErrClosed
	}
	g.pending = append(g.pending, r)
	g.queued++
	if len(g.pending) == 1 || len(g.pending) == graphBatch {
		g.nudge()
	}
	return nil
}

func (g *GraphDB) nudge() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Flush waits until all that was queued is on the disk.
func (g *GraphDB) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for want := g.queued; g.written < want && g.err == nil; g.room.Wait() {
		g.flushing()
	}
	return g.err
}

// flushing makes the writer not wait for more. g.mu is held.
func (g *GraphDB) flushing() {
	g.hurry = true
	g.nudge()
}

// Close writes what is queued and lets go of the file.
func (g *GraphDB) Close() error {
	err := g.Flush()
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return nil
	}
	g.closing = true
	g.room.Broadcast()
	g.mu.Unlock()
	close(g.wake)
	<-g.ended
	if cerr := g.bolt.Close(); err == nil {
		err = cerr
	}
	return err
}

// run is the writer.
func (g *GraphDB) run() {
	defer close(g.ended)
	for range g.wake {
		g.linger()
		rows := g.take()
		err := g.write(rows)
		if err == nil && g.weigh(rows) {
			err = g.Unmap()
		}
		g.mu.Lock()
		g.written += uint64(len(rows))
		if err != nil {
			g.err = fmt.Errorf("write graph: %w", err)
		}
		g.room.Broadcast()
		g.mu.Unlock()
	}
}

// linger waits for more rows.
func (g *GraphDB) linger() {
	timer := time.NewTimer(graphLinger)
	defer timer.Stop()
	for {
		g.mu.Lock()
		enough := g.hurry || len(g.pending) >= graphBatch
		g.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-timer.C:
			return
		case _, ok := <-g.wake:
			if !ok {
				return
			}
		}
	}
}

// weigh counts what was written; true: it is time to give pages back.
func (g *GraphDB) weigh(rows []graphRow) bool {
	for _, r := range rows {
		g.heavy += len(r.key) + len(r.value)
	}
	if g.heavy < graphHeavy {
		return false
	}
	g.heavy = 0
	return true
}

// Unmap gives back the memory that the file's pages take: after all of it was read, or
// much was written, they would stay with us. When somebody reads, it does nothing.
func (g *GraphDB) Unmap() error {
	if !g.file.TryLock() {
		return nil
	}
	defer g.file.Unlock()
	if err := g.bolt.Close(); err != nil {
		return err
	}
	b, err := openGraphFile(g.path, g.genesis)
	if err == nil {
		g.bolt = b
	}
	return err
}

func (g *GraphDB) take() []graphRow {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows := g.pending
	g.pending, g.hurry = nil, false
	return rows
}

// write stores rows by ascending key, the last of each key.
func (g *GraphDB) write(rows []graphRow) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b graphRow) int { return bytes.Compare(a.key, b.key) })
	g.file.RLock()
	defer g.file.RUnlock()
	return g.bolt.Update(func(tx *bolt.Tx) error {
		place := tx.Bucket(graphBucket)
		place.FillPercent = graphFill
		for i, r := range rows {
			if i+1 < len(rows) && bytes.Equal(r.key, rows[i+1].key) {
				continue
			}
			var err error
			if r.value == nil {
				err = place.Delete(r.key)
			} else {
				err = place.Put(r.key, r.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ForEach calls f for every row of a kind, by ascending key, with what was queued
// before. f must keep nothing that it is given. Rows that are damaged are passed
// over: they will be learned again.
func (g *GraphDB) ForEach(kind gossip.Kind, f func(key, value []byte) error) error {
	return g.Scan(kind, nil, func(key, value []byte) (bool, error) { return true, f(key, value) })
}

// Scan is ForEach from a key on, until f returns false.
func (g *GraphDB) Scan(kind gossip.Kind, from []byte, f func(key, value []byte) (bool, error)) error {
	if err := g.Flush(); err != nil {
		return err
	}
	for next := graphKey(kind, from); next != nil; {
		var err error
		if next, err = g.page(kind, next, f); err != nil {
			return err
		}
	}
	return nil
}

// page reads some rows and gives the key that the next page begins at; nil at the
// end.
func (g *GraphDB) page(kind gossip.Kind, from []byte, f func(key, value []byte) (bool, error)) (next []byte, err error) {
	g.file.RLock()
	defer g.file.RUnlock()
	err = viewOf(g.bolt, func(r *reader) error {
		c := r.tx.Bucket(graphBucket).Cursor()
		rows, start := 0, time.Now()
		for k, v := c.Seek(from); k != nil && k[0] == byte(kind); k, v = c.Next() {
			if rows++; rows > maxReadRows || rows%64 == 0 && time.Since(start) > maxReadTime {
				next = append([]byte{}, k...)
				return nil
			}
			value, err := unseal(0, k, v)
			if err != nil {
				continue
			}
			if more, err := f(k[1:], value); err != nil || !more {
				return err
			}
		}
		return nil
	})
	return next, err
}

// Read reads rows by their keys, with what was queued before: nil for one that is
// not there, or damaged.
func (g *GraphDB) Read(keys []gossip.Key) ([][]byte, error) {
	if err := g.Flush(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	g.file.RLock()
	defer g.file.RUnlock()
	err := viewOf(g.bolt, func(r *reader) error {
		b := r.tx.Bucket(graphBucket)
		for i, key := range keys {
			k := graphKey(key.Kind, []byte(key.Key))
			if v := b.Get(k); v != nil {
				if value, err := unseal(0, k, v); err == nil {
					values[i] = append([]byte{}, value...)
				}
			}
		}
		return nil
	})
	return values, err
}
