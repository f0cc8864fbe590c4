package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreeAddrsDiffer(t *testing.T) {
	addrs, err := freeAddrs(5)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, a := range addrs {
		require.False(t, seen[a])
		seen[a] = true
	}
}

func TestFindFulgurd(t *testing.T) {
	_, err := findFulgurd(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "--fulgurd=PATH")
	path := filepath.Join(t.TempDir(), "fulgurd")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600))
	_, err = findFulgurd(path)
	require.Error(t, err, "not executable")
	require.NoError(t, os.Chmod(path, 0o700))
	got, err := findFulgurd(path)
	require.NoError(t, err)
	require.Equal(t, path, got)
}

func TestUntil(t *testing.T) {
	n := 0
	require.NoError(t, Until(context.Background(), func() (bool, error) { n++; return n == 3, nil }))
	boom := errors.New("boom")
	require.ErrorIs(t, Until(context.Background(), func() (bool, error) { return false, boom }), boom)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Until(ctx, func() (bool, error) { return false, nil }), context.Canceled)
}
