package channeldb

import (
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// minCompact is the size below which a file is not worth compacting.
const minCompact = 16 << 20

// copyBatch is how many bytes a compaction copies in one transaction.
const copyBatch = 1 << 20

// compact copies the file into a small one and puts that in its place, when more
// than half is free.
func (db *DB) compact() error {
	part := db.path + ".compact"
	if err := os.Remove(part); err != nil && !os.IsNotExist(err) {
		return err
	}
	size, free, err := usage(db.bolt)
	if err != nil || !canReplace || size < minCompact || free*2 <= size {
		return err
	}
	if room, err := statfs(filepath.Dir(db.path)); err != nil || room < uint64(size-free)*2 {
		return nil // not now: the copy needs room
	}
	fresh, err := openFile(part, true)
	if err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	err = bolt.Compact(fresh, db.bolt, copyBatch)
	if err == nil {
		err = fresh.Sync()
	}
	if err == nil {
		err = os.Rename(part, db.path)
	}
	if err != nil {
		_ = fresh.Close()
		_ = os.Remove(part)
		return fmt.Errorf("compact: %w", err)
	}
	// Both are locked until here: nobody can have opened the one or the other.
	old := db.bolt
	fresh.NoSync = false
	db.bolt = fresh
	_ = old.Close()
	return syncDir(filepath.Dir(db.path))
}

// usage measures how many bytes the file has, and how many of them are free.
func usage(b *bolt.DB) (size, free int64, err error) {
	err = b.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil })
	s := b.Stats()
	return size, int64(s.FreePageN+s.PendingPageN) * int64(b.Info().PageSize), err
}
