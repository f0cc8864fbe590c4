package channeldb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// tail collects what the writer changes while a backup copies: the last value of
// each row, nil when it was deleted.
type tail struct{ rows map[string][]byte }

func (t *tail) note(b bucket, key, value []byte) {
	if t != nil {
		t.rows[string(rune(b))+string(key)] = append([]byte(nil), value...)
	}
}

// Backup copies the database to a new file while it is in use, by cursor and then
// what has changed meanwhile: the copy is the database as it was at one moment near
// the end. Such a copy grows old with the next payment: a node that runs on an old
// one loses its channels. It is for inspection, and for a move to another disk with
// the node stopped.
func (db *DB) Backup(path string) error {
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		return fmt.Errorf("backup to %s: %w", path, errors.Join(err, os.ErrExist))
	}
	if err := db.backup(path); err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	return nil
}

func (db *DB) backup(path string) (err error) {
	to, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := to.Close(); err == nil {
			err = cerr
		}
	}()
	if err := db.follow(&tail{rows: map[string][]byte{}}); err != nil {
		return err
	}
	copyErr := db.copyAll(to)
	last, err := db.unfollow()
	if err = errors.Join(copyErr, err); err != nil {
		return err
	}
	if err := last.apply(to); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// follow sets the writer's tail, in the order of the queue.
func (db *DB) follow(t *tail) error {
	busy := false
	err := db.writeOps(&ops{hook: func() {
		if busy = db.tail != nil; !busy {
			db.tail = t
		}
	}})
	if busy {
		return errors.New("another backup is being made")
	}
	return err
}

func (db *DB) unfollow() (last *tail, err error) {
	err = db.writeOps(&ops{hook: func() { last, db.tail = db.tail, nil }})
	return last, err
}

// copyAll copies all buckets, some rows at a time.
func (db *DB) copyAll(to *bolt.DB) error {
	for b := inMeta; b < numBuckets; b++ {
		if err := db.copyBucket(to, b); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) copyBucket(to *bolt.DB, b bucket) error {
	err := to.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(b.String()))
		return err
	})
	for from := []byte(nil); err == nil; {
		var page [][2][]byte
		last, perr := db.page(b, from, false, from != nil, func(key, row []byte) (bool, error) {
			page = append(page, [2][]byte{append([]byte(nil), key...), append([]byte(nil), row...)})
			return true, nil
		})
		if perr != nil {
			return perr
		}
		err = to.Update(func(tx *bolt.Tx) error {
			place := tx.Bucket([]byte(b.String()))
			place.FillPercent = 0.9
			for _, kv := range page {
				if err := place.Put(kv[0], seal(b, kv[0], kv[1])); err != nil {
					return err
				}
			}
			return nil
		})
		if from = last; last == nil {
			break
		}
	}
	return err
}

func (t *tail) apply(to *bolt.DB) error {
	return to.Update(func(tx *bolt.Tx) error {
		for id, value := range t.rows {
			place := tx.Bucket([]byte(bucket(id[0]).String()))
			if value == nil {
				if err := place.Delete([]byte(id[1:])); err != nil {
					return err
				}
			} else if err := place.Put([]byte(id[1:]), value); err != nil {
				return err
			}
		}
		return nil
	})
}
