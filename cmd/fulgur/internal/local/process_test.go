//go:build unix

package local

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script writes a program that says it is there and then waits; stubborn ones do not
// hear the request to end.
func script(t *testing.T, text string) (bin string, out *os.File) {
	t.Helper()
	dir := t.TempDir()
	bin = filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(bin, []byte("#!/bin/sh\n"+text), 0o700))
	out, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	t.Cleanup(func() { out.Close() })
	return bin, out
}

func started(t *testing.T, out *os.File) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, Until(ctx, func() (bool, error) {
		info, err := os.Stat(out.Name())
		return err == nil && info.Size() > 0, err
	}))
}

func TestProcessEnds(t *testing.T) {
	bin, out := script(t, "trap 'exit 0' INT\necho here\nwhile :; do sleep 0.05; done\n")
	p, err := spawn(bin, nil, t.TempDir(), out)
	require.NoError(t, err)
	started(t, out)
	require.NoError(t, p.end(time.Minute))
	require.NoError(t, p.end(time.Minute), "twice is no harm")
}

func TestStubbornProcessIsKilledWithItsChildren(t *testing.T) {
	bin, out := script(t, "trap '' INT\necho here\nsleep 1000 &\nwait\n")
	p, err := spawn(bin, nil, t.TempDir(), out)
	require.NoError(t, err)
	started(t, out)
	require.ErrorContains(t, p.end(0), "killed")
	<-p.done
}

func TestSpawnFails(t *testing.T) {
	_, out := script(t, "")
	_, err := spawn("/no/such/program", nil, t.TempDir(), out)
	require.ErrorContains(t, err, "/no/such/program")
}
