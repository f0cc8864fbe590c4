package macaroons

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// keyLen is the length of a root key.
const keyLen = 32

// Errors that callers tell apart.
var (
	// ErrLocked says that the store has not been unlocked.
	ErrLocked = errors.New("macaroon store is locked")
	// ErrPassword says that the password does not open the store.
	ErrPassword = errors.New("invalid password for the macaroon store")
	// ErrNoKey says that there is no root key of that number.
	ErrNoKey = errors.New("root key doesn't exist")
	// ErrDeletionForbidden says that the default root key cannot be deleted.
	ErrDeletionForbidden = errors.New("the specified ID cannot be deleted")

	errNoDataKey = errors.New("macaroon store was never unlocked")
)

// The file has two buckets: lock holds the data key, sealed under the password; keys holds the root keys by number (8
// bytes, big-endian), sealed under the data key. While the password changes, lock also holds what it will be, see
// password.go.
var (
	bucketLock = []byte("lock")
	bucketKeys = []byte("keys")
	rowDataKey = []byte("data-key")
)

// Options of a Store.
type Options struct {
	// ScryptLogN is the logarithm of scrypt's cost for a store that is made now; 0 is the default of 18, about a second.
	ScryptLogN uint8
}

// A Store keeps root keys in a file, encrypted under a password. While it is unlocked, all keys are in memory: checking
// a macaroon reads no disk. It may be used by several goroutines.
type Store struct {
	db   *bbolt.DB
	logN uint8

	mu      sync.RWMutex
	dataKey []byte // nil while locked
	keys    map[uint64][]byte
}

// Open opens the store in the file at path and makes it if it is missing, readable by the owner only. It fails when
// another process has it open. The store is locked.
func Open(path string, opt Options) (*Store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open macaroon store %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketLock)
		if err == nil {
			_, err = tx.CreateBucketIfNotExists(bucketKeys)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare macaroon store %s: %w", path, err), db.Close())
	}
	s := &Store{db: db, logN: opt.ScryptLogN}
	if s.logN == 0 {
		s.logN = defaultLogN
	}
	return s, nil
}

// Close locks the store, wipes the keys from memory and closes the file.
func (s *Store) Close() error {
	s.Lock()
	return s.db.Close()
}

// Lock wipes the keys from memory. The next Unlock brings them back.
func (s *Store) Lock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.dataKey)
	for _, key := range s.keys {
		clear(key)
	}
	s.dataKey, s.keys = nil, nil
}

// Unlock makes the keys usable. The first call sets the password; every later one must bring the same, or it is
// ErrPassword. An empty password is for nodes whose wallet has none either: their keys lie open in the file.
func (s *Store) Unlock(password []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dataKey != nil {
		return errors.New("macaroon store already unlocked")
	}
	dataKey, err := s.settle(password)
	if errors.Is(err, errNoDataKey) {
		dataKey = make([]byte, keyLen)
		rand.Read(dataKey)
		err = s.putDataKey(dataKey, password)
	}
	if err != nil {
		return err
	}
	keys, err := s.readKeys(dataKey)
	if err != nil {
		return err
	}
	s.dataKey, s.keys = dataKey, keys
	return nil
}

// Key returns a root key; ErrNoKey if there is none of that number.
func (s *Store) Key(id uint64) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.dataKey == nil {
		return nil, ErrLocked
	}
	if key, ok := s.keys[id]; ok {
		return slices.Clone(key), nil
	}
	return nil, ErrNoKey
}

// KeyOrNew returns a root key and makes it first if there is none of that number.
func (s *Store) KeyOrNew(id uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.keys[id]; ok {
		return slices.Clone(key), nil
	}
	key := make([]byte, keyLen)
	rand.Read(key)
	return key, s.put(id, key)
}

// SetKey sets a root key to a value of the caller's, such as the one that InitWallet may bring. Macaroons of an earlier
// key of that number are void.
func (s *Store) SetKey(id uint64, key []byte) error {
	if len(key) != keyLen {
		return fmt.Errorf("root key must be %d bytes, is %d", keyLen, len(key))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(id, key)
}

// IDs lists the numbers of the root keys in ascending order.
func (s *Store) IDs() ([]uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.dataKey == nil {
		return nil, ErrLocked
	}
	return slices.Sorted(maps.Keys(s.keys)), nil
}

// Delete removes a root key, which voids every macaroon that it signed, and tells whether it was there. The default key
// cannot be deleted: ErrDeletionForbidden.
func (s *Store) Delete(id uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dataKey == nil {
		return false, ErrLocked
	}
	if id == DefaultKey {
		return false, ErrDeletionForbidden
	}
	if _, ok := s.keys[id]; !ok {
		return false, nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketKeys).Delete(rowOf(id)) })
	if err != nil {
		return false, fmt.Errorf("delete root key %d: %w", id, err)
	}
	delete(s.keys, id)
	return true, nil
}

// put stores a root key, on disk first.
func (s *Store) put(id uint64, key []byte) error {
	if s.dataKey == nil {
		return ErrLocked
	}
	row := sealKey(s.dataKey, id, key)
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketKeys).Put(rowOf(id), row) }); err != nil {
		return fmt.Errorf("write root key %d: %w", id, err)
	}
	s.keys[id] = slices.Clone(key)
	return nil
}

// readKeys decrypts all root keys.
func (s *Store) readKeys(dataKey []byte) (map[uint64][]byte, error) {
	keys := make(map[uint64][]byte)
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketKeys).ForEach(func(k, v []byte) error {
			if len(k) != 8 {
				return fmt.Errorf("root key number of %d bytes", len(k))
			}
			id := binary.BigEndian.Uint64(k)
			key, err := openKey(dataKey, id, v)
			keys[id] = key
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read macaroon store: %w", err)
	}
	return keys, nil
}

// putDataKey stores the data key, sealed under the password.
func (s *Store) putDataKey(key, password []byte) error {
	row, err := sealDataKey(key, password, s.logN)
	if err != nil {
		return err
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketLock).Put(rowDataKey, row) }); err != nil {
		return fmt.Errorf("write macaroon store: %w", err)
	}
	return nil
}

// rowOf is the name of a root key's row.
func rowOf(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
