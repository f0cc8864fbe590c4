package channeldb

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFree: somebody else may say what room there is; an error changes nothing.
func TestFree(t *testing.T) {
	free, fails := uint64(9), error(nil)
	opts := Options{
		FreeFloor: 10, Fatal: func(err error) { t.Error(err) },
		Free: func(string) (uint64, error) { return free, fails },
	}
	db, err := Open(filepath.Join(t.TempDir(), "fulgur.db"), opts)
	require.NoError(t, err)
	defer db.Close()
	require.True(t, db.Low())
	fails = errors.New("not now")
	free = 10
	require.True(t, db.CheckDisk())
	fails = nil
	require.False(t, db.CheckDisk())
}
