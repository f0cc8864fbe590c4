package atomicfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteReplacesContentAndPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("an older, longer content"), 0o644))

	require.NoError(t, Write(path, []byte("new"), 0o600))

	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(have))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Write(filepath.Join(dir, "a"), []byte("1"), 0o644))

	// A directory stands where the file should go: the rename fails, and the temporary file must not stay.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "b", "c"), 0o755))
	require.ErrorContains(t, Write(filepath.Join(dir, "b"), []byte("1"), 0o644), "put "+filepath.Join(dir, "b")+" in place")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

func TestWriteNeedsTheDirectory(t *testing.T) {
	err := Write(filepath.Join(t.TempDir(), "missing", "a"), nil, 0o600)
	require.ErrorIs(t, err, os.ErrNotExist)
}
