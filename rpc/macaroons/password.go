package macaroons

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// The wallet's seed is sealed under the same password, in another file, and the two cannot be written at once. So the
// password changes in three steps: Prepare writes what the store will be beside what it is; then the seed is sealed
// anew, and that is the moment at which the password changes; then Commit puts the new in the place of the old. After a
// crash in between, the store opens under either password, and Unlock with the one that opens the seed settles which.
var (
	rowNextDataKey = []byte("data-key-next")
	rowNextRootKey = []byte("root-key-next") // of the default key, if that changes, too
)

// Prepare writes what the store will be under another password, and with another default root key if newRoot is set,
// beside what it is. It works on a locked store, too, and fails with ErrPassword if old does not open it. Nothing has
// changed until Commit.
func (s *Store) Prepare(old, password []byte, newRoot bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dataKey, err := s.settle(old)
	if errors.Is(err, errNoDataKey) { // the seed is older than the store
		dataKey = make([]byte, keyLen)
		rand.Read(dataKey)
		err = s.putDataKey(dataKey, old)
	}
	if err != nil {
		return err
	}
	lock, err := sealDataKey(dataKey, password, s.logN)
	if err != nil {
		return err
	}
	return s.update(func(b *bbolt.Bucket) error {
		if newRoot {
			root := make([]byte, keyLen)
			rand.Read(root)
			if err := b.Put(rowNextRootKey, sealKey(dataKey, DefaultKey, root)); err != nil {
				return err
			}
		}
		return b.Put(rowNextDataKey, lock)
	})
}

// Commit makes what Prepare has written what the store is. The store must be locked.
func (s *Store) Commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dataKey != nil {
		return errors.New("macaroon store is unlocked")
	}
	return s.promote()
}

// Reset forgets all keys and the password: for a store whose wallet is gone.
func (s *Store) Reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dataKey != nil {
		return errors.New("macaroon store is unlocked")
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketLock, bucketKeys} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reset macaroon store: %w", err)
	}
	return nil
}

// settle decrypts the data key and, after a change of the password that was cut short, finds out whether it has
// happened: errNoDataKey if the store has never been unlocked, ErrPassword if neither password is this one.
func (s *Store) settle(password []byte) ([]byte, error) {
	now, next, err := s.locks()
	switch {
	case err != nil:
		return nil, err
	case now == nil:
		return nil, errNoDataKey
	}
	key, err := openDataKey(now, password)
	if next == nil {
		return key, err
	}
	if err == nil {
		return key, s.update(forgetNext)
	}
	if !errors.Is(err, ErrPassword) {
		return nil, err
	}
	if key, err = openDataKey(next, password); err != nil {
		return nil, err
	}
	return key, s.promote()
}

// locks reads the sealed data key as it is, and as it may become; nil if there is none.
func (s *Store) locks() (now, next []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLock)
		now, next = bytes.Clone(b.Get(rowDataKey)), bytes.Clone(b.Get(rowNextDataKey))
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read macaroon store: %w", err)
	}
	return now, next, nil
}

// promote puts what is next in the place of what is, all at once.
func (s *Store) promote() error {
	return s.update(func(b *bbolt.Bucket) error {
		lock, root := bytes.Clone(b.Get(rowNextDataKey)), bytes.Clone(b.Get(rowNextRootKey))
		if lock == nil {
			return errors.New("no password was prepared")
		}
		if root != nil {
			if err := b.Tx().Bucket(bucketKeys).Put(rowOf(DefaultKey), root); err != nil {
				return err
			}
		}
		if err := b.Put(rowDataKey, lock); err != nil {
			return err
		}
		return forgetNext(b)
	})
}

func forgetNext(b *bbolt.Bucket) error {
	return errors.Join(b.Delete(rowNextDataKey), b.Delete(rowNextRootKey))
}

// update changes the locks in one transaction.
func (s *Store) update(f func(*bbolt.Bucket) error) error {
	if err := s.db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(bucketLock)) }); err != nil {
		return fmt.Errorf("write macaroon store: %w", err)
	}
	return nil
}
