package btcdtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// EnvBinary names the environment variable that points at a btcd to use.
const EnvBinary = "FULGUR_BTCD"

// btcdPackage is what go.mod pins as a tool.
const btcdPackage = "github.com/btcsuite/btcd"

var ourModule = regexp.MustCompile(`(?m)^module github\.com/fulgur-ln/fulgur\s*$`)

// Find gives the path of a btcd binary: the one asked for, else the one that
// FULGUR_BTCD names, else bin/btcd of the repository around the working
// directory (built there from the version that go.mod pins when it is missing),
// else the btcd of PATH.
func Find(ctx context.Context, path string) (string, error) {
	if path == "" {
		path = os.Getenv(EnvBinary)
	}
	if path != "" {
		return executable(path)
	}
	if root, ok := repository(); ok {
		bin := filepath.Join(root, "bin", "btcd")
		if found, err := executable(bin); err == nil {
			return found, nil
		}
		return bin, build(ctx, root, bin)
	}
	found, err := exec.LookPath("btcd")
	if err != nil {
		return "", fmt.Errorf("find btcd: none in %s, none in PATH, and no fulgur repository to build one in", EnvBinary)
	}
	return filepath.Abs(found)
}

func executable(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find btcd: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("find btcd: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("find btcd: %s is not executable", path)
	}
	return path, nil
}

// repository walks up from the working directory to our go.mod.
func repository() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && ourModule.Match(mod) {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// build compiles btcd beside its final name and moves it there, so that several
// test processes that build at once never run half a file.
func build(ctx context.Context, root, bin string) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return fmt.Errorf("build btcd: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(bin), ".btcd-")
	if err != nil {
		return fmt.Errorf("build btcd: %w", err)
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "btcd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, btcdPackage)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("build btcd: %w", err), errors.New(string(text)))
	}
	if err := os.Rename(out, bin); err != nil {
		return fmt.Errorf("build btcd: %w", err)
	}
	return nil
}
