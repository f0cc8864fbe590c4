package channeldb

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/channel"
)

// TestCutFile: of a file that was copied in part, no length is taken for a database,
// and none ends the process; with all its used pages it is one.
func TestCutFile(t *testing.T) {
	db := open(t)
	for i := range uint64(50) {
		_, err := db.Write(Batch{Channels: []*channel.Delta{{ChanNum: i, Core: &channel.Core{LocalN: i}}}})
		require.NoError(t, err)
	}
	var used int64
	require.NoError(t, db.bolt.View(func(tx *bolt.Tx) error { used = tx.Size(); return nil }))
	require.NoError(t, db.Close())
	require.NoError(t, db.bolt.Close())
	whole, err := os.ReadFile(db.path)
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "fulgur.db")
	for length := int64(1); length < used; length += 4095 {
		require.NoError(t, os.WriteFile(path, whole[:length], 0o600))
		_, err := Open(path, testOptions(t))
		require.ErrorIs(t, err, ErrDamaged, "%d bytes", length)
	}
	require.NoError(t, os.WriteFile(path, whole[:used], 0o600))
	require.NoError(t, openPath(t, path).Barrier())
}
