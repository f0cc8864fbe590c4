package macaroons

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

func openStore(t testing.TB, path string) *Store {
	s, err := Open(path, Options{ScryptLogN: 4})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func unlocked(t testing.TB, path, password string) *Store {
	s := openStore(t, path)
	require.NoError(t, s.Unlock([]byte(password)))
	return s
}

func TestKeysSurviveAReopen(t *testing.T) {
	for _, password := range []string{"correct horse", ""} {
		path := filepath.Join(t.TempDir(), "m.db")
		s := unlocked(t, path, password)
		zero, err := s.KeyOrNew(DefaultKey)
		require.NoError(t, err)
		big, err := s.KeyOrNew(1<<64 - 1)
		require.NoError(t, err)
		require.NotEqual(t, zero, big)
		require.NoError(t, s.Close())

		s = unlocked(t, path, password)
		for id, want := range map[uint64][]byte{DefaultKey: zero, 1<<64 - 1: big} {
			have, err := s.Key(id)
			require.NoError(t, err)
			require.Equal(t, want, have)
		}
		ids, err := s.IDs()
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1<<64 - 1}, ids)
	}
}

func TestStoreIsPrivateAndEncrypted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := unlocked(t, path, "password")
	key, err := s.KeyOrNew(DefaultKey)
	require.NoError(t, err)
	dataKey := bytes.Clone(s.dataKey)
	require.NoError(t, s.Close())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.False(t, bytes.Contains(file, key), "the root key lies open")
	require.False(t, bytes.Contains(file, dataKey), "the data key lies open")
}

func TestWrongPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	require.NoError(t, unlocked(t, path, "right").Close())

	s := openStore(t, path)
	require.ErrorIs(t, s.Unlock([]byte("wrong")), ErrPassword)
	require.ErrorIs(t, s.Unlock(nil), ErrPassword)
	require.NoError(t, s.Unlock([]byte("right")))
	require.EqualError(t, s.Unlock([]byte("right")), "macaroon store already unlocked")
	require.NoError(t, s.Close())

	open := filepath.Join(t.TempDir(), "open.db")
	require.NoError(t, unlocked(t, open, "").Close())
	require.ErrorIs(t, openStore(t, open).Unlock([]byte("any")), ErrPassword)
}

func TestLockedStoreGivesNothing(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "m.db"))
	_, err := s.Key(DefaultKey)
	require.ErrorIs(t, err, ErrLocked)
	_, err = s.KeyOrNew(DefaultKey)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorIs(t, s.SetKey(DefaultKey, testKey), ErrLocked)
	_, err = s.IDs()
	require.ErrorIs(t, err, ErrLocked)
	_, err = s.Delete(1)
	require.ErrorIs(t, err, ErrLocked)

	_, err = NewBakery(s).Verify(bake(t, readInfo...), loopback)
	require.EqualError(t, err, "cannot retrieve macaroon: cannot get macaroon: macaroon store is locked")
}

// TestDeletedKeyVoidsItsMacaroons is how a macaroon is revoked.
func TestDeletedKeyVoidsItsMacaroons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	s := unlocked(t, path, "p")
	bakery := NewBakery(s)
	raw, err := bakery.Bake(7, readInfo)
	require.NoError(t, err)
	_, err = bakery.Verify(raw, loopback)
	require.NoError(t, err)

	deleted, err := s.Delete(7)
	require.NoError(t, err)
	require.True(t, deleted)
	deleted, err = s.Delete(7)
	require.NoError(t, err)
	require.False(t, deleted)
	_, err = s.Delete(DefaultKey)
	require.ErrorIs(t, err, ErrDeletionForbidden)

	_, err = bakery.Verify(raw, loopback)
	require.ErrorContains(t, err, "cannot get macaroon")
	require.NoError(t, s.Close())
	_, err = NewBakery(unlocked(t, path, "p")).Verify(raw, loopback)
	require.ErrorContains(t, err, "cannot get macaroon")
}

func TestSetKey(t *testing.T) {
	s := unlocked(t, filepath.Join(t.TempDir(), "m.db"), "p")
	require.EqualError(t, s.SetKey(DefaultKey, []byte{1}), "root key must be 32 bytes, is 1")
	require.NoError(t, s.SetKey(DefaultKey, testKey))
	_, err := NewBakery(s).Verify(bake(t, readInfo...), loopback)
	require.NoError(t, err)
}

func TestKeyIsMadeOnce(t *testing.T) {
	s := unlocked(t, filepath.Join(t.TempDir(), "m.db"), "p")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], _ = s.KeyOrNew(3) })
	}
	wg.Wait()
	for _, key := range keys {
		require.Equal(t, keys[0], key)
	}
}

func TestStoreInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.db")
	openStore(t, path)
	_, err := Open(path, Options{})
	require.ErrorContains(t, err, "open macaroon store "+path)
}

// TestDamagedRows checks that rows are tied to their places and that a damaged one is reported, never believed.
func TestDamagedRows(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(tx *bbolt.Tx) error
		text   string
	}{
		{"swapped", func(tx *bbolt.Tx) error {
			keys := tx.Bucket(bucketKeys)
			return keys.Put(rowOf(0), bytes.Clone(keys.Get(rowOf(1))))
		}, "root key 0: damaged"},
		{"flipped", func(tx *bbolt.Tx) error {
			row := bytes.Clone(tx.Bucket(bucketKeys).Get(rowOf(1)))
			row[len(row)-1] ^= 1
			return tx.Bucket(bucketKeys).Put(rowOf(1), row)
		}, "root key 1: damaged"},
		{"cut", func(tx *bbolt.Tx) error { return tx.Bucket(bucketKeys).Put(rowOf(1), []byte{1}) }, "root key 1: unknown version or wrong length"},
		{"bad name", func(tx *bbolt.Tx) error { return tx.Bucket(bucketKeys).Put([]byte("x"), nil) }, "root key number of 1 bytes"},
		{"data key of another version", func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLock).Put(rowDataKey, []byte{2, 0})
		}, "data key: unknown version"},
		{"data key of another kind", func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLock).Put(rowDataKey, []byte{1, 9})
		}, "data key: unknown kind of lock"},
		{"data key cut", func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLock).Put(rowDataKey, []byte{1, 1, 4})
		}, "data key: wrong length"},
		{"open data key cut", func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketLock).Put(rowDataKey, []byte{1, 0, 4})
		}, "data key: wrong length"},
		{"scrypt that takes all memory", func(tx *bbolt.Tx) error {
			row := bytes.Clone(tx.Bucket(bucketLock).Get(rowDataKey))
			row[2] = 40
			return tx.Bucket(bucketLock).Put(rowDataKey, row)
		}, "scrypt parameters 40, 8, 1 out of bounds"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := unlocked(t, filepath.Join(t.TempDir(), "m.db"), "p")
			for id := range uint64(2) {
				_, err := s.KeyOrNew(id)
				require.NoError(t, err)
			}
			require.NoError(t, s.db.Update(tc.damage))
			s.dataKey, s.keys = nil, nil
			require.ErrorContains(t, s.Unlock([]byte("p")), tc.text)
			_, err := s.Key(0)
			require.ErrorIs(t, err, ErrLocked)
		})
	}
}

func TestWriteMissing(t *testing.T) {
	dir := t.TempDir()
	s := unlocked(t, filepath.Join(dir, "m.db"), "p")
	bakery := NewBakery(s)
	files := Files(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "invoice.macaroon"), []byte("mine"), 0o640))
	require.NoError(t, bakery.WriteMissing(files))

	for _, f := range files {
		raw, err := os.ReadFile(f.Path)
		require.NoError(t, err)
		if filepath.Base(f.Path) == "invoice.macaroon" {
			require.Equal(t, "mine", string(raw))
			continue
		}
		info, err := os.Stat(f.Path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		token, err := bakery.Verify(raw, loopback)
		require.NoError(t, err)
		require.NoError(t, token.Allows("", f.Ops))
		require.Len(t, token.ops, len(f.Ops))
	}

	admin, err := os.ReadFile(filepath.Join(dir, "admin.macaroon"))
	require.NoError(t, err)
	require.NoError(t, bakery.WriteMissing(files))
	again, err := os.ReadFile(filepath.Join(dir, "admin.macaroon"))
	require.NoError(t, err)
	require.Equal(t, admin, again)

	require.ErrorIs(t, bakery.WriteMissing([]File{{filepath.Join(dir, "missing", "x"), Admin}}), os.ErrNotExist)
}

func FuzzOpenDataKey(f *testing.F) {
	for _, password := range []string{"", "p"} {
		row, err := sealDataKey(testKey, []byte(password), 1)
		require.NoError(f, err)
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		if len(row) > 4 && (row[2] > 6 || row[3] > 16 || row[4] > 4) {
			return // costly, or refused: TestDamagedRows
		}
		key, err := openDataKey(row, []byte("p"))
		if err == nil && len(key) != keyLen {
			t.Fatal("data key of wrong length")
		}
		_, _ = openKey(testKey, 0, row)
	})
}
