package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrepare: the copy can be built, and signs, verifies, recovers and derives over the
// plain group (testdata/laws_test.go).
func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	laws, err := os.ReadFile("testdata/laws_test.go")
	require.NoError(t, err)
	copied := filepath.Join(dir, "secp256k1")
	require.NoError(t, os.WriteFile(filepath.Join(copied, "ecdsa", "laws_test.go"), laws, 0o600))
	cmd := exec.Command("go", "test", "-mod=mod", "./ecdsa")
	cmd.Dir = copied
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestMissing: a curve that has other functions than it had is not exchanged by halves.
func TestMissing(t *testing.T) {
	_, err := without([]byte("package p\n\nfunc f() {}\n"), map[string]bool{"f": true, "g": true})
	require.ErrorContains(t, err, "1 of the 2")
	src, err := without([]byte("package p\n\nfunc f() {}\n\nvar x int\n"), map[string]bool{"f": true})
	require.NoError(t, err)
	require.NotContains(t, string(src), "func f")
	require.Contains(t, string(src), "var x int")
}
