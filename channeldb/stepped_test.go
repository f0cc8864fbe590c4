package channeldb

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
)

// TestStepped: whoever gives Options.Go decides when a batch is written and when that is
// told; Commit decides whether it is durable.
func TestStepped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	var tasks []func()
	crashed := false
	opts := testOptions(t)
	opts.Go = func(f func()) { tasks = append(tasks, f) }
	opts.Commit = func(tx *bolt.Tx) error {
		if crashed {
			return tx.Rollback()
		}
		return tx.Commit()
	}
	next := func() {
		f := tasks[0]
		tasks = tasks[1:]
		f()
	}
	note := func(name string) Batch { return Batch{Notes: []Note{{Name: name, Value: []byte("x")}}} }
	has := func(db *DB, name string) bool {
		v, err := db.Note(name)
		require.NoError(t, err)
		return v != nil
	}
	for len(tasks) > 0 {
		next()
	}
	db, err := Open(path, opts)
	require.NoError(t, err)
	var told []string
	db.Queue(note("a"), func(Receipt) { told = append(told, "a") })
	db.Queue(note("b"), func(Receipt) { told = append(told, "b") })
	require.Len(t, tasks, 1)
	require.False(t, has(db, "a"))
	next()
	require.True(t, has(db, "a") && has(db, "b"), "one write")
	require.Empty(t, told)
	require.Len(t, tasks, 2)
	next()
	db.Queue(note("c"), nil)
	require.Equal(t, []string{"a"}, told)
	next()
	require.Equal(t, []string{"a", "b"}, told)
	next()
	require.True(t, has(db, "c"))
	require.Empty(t, tasks)
	crashed = true
	db.Queue(note("d"), nil)
	require.NoError(t, db.Close())
	db, err = Open(path, testOptions(t))
	require.NoError(t, err)
	require.True(t, has(db, "c"))
	require.False(t, has(db, "d"))
	require.NoError(t, db.Close())
}
