// Command plain prepares a build of the simulator in which points are plain numbers: the
// package of the curve is copied out of the module cache, with another group in the place
// of the curve's (testdata/group.go), and a go.mod beside it says to use the copy.
//
//	go run ./itest/sim/plain /tmp/plain
//	go test -modfile /tmp/plain/go.mod -c ./itest/sim
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// curve is the module that has the group.
const curve = "github.com/decred/dcrd/dcrec/secp256k1/v4"

//go:embed testdata/group.go
var group string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plain directory")
		os.Exit(2)
	}
	if err := prepare(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

// prepare writes the copy of the curve's module and a go.mod into a directory.
func prepare(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	from, err := ask("list", "-m", "-f", "{{.Dir}}", curve)
	if err != nil {
		return err
	}
	mod, err := ask("env", "GOMOD")
	if err != nil {
		return err
	}
	to := filepath.Join(dir, "secp256k1")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	if err := bare(to); err != nil {
		return err
	}
	if err := exchange(to); err != nil {
		return err
	}
	return point(mod, dir, to)
}

// ask is what the go command answers.
func ask(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("go %s: %s", strings.Join(args, " "), exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// bare takes the tests away: they are those of the curve.
func bare(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			return os.Remove(path)
		}
		return err
	})
}

// exchange puts the plain group in the place of the curve's.
func exchange(dir string) error {
	file := filepath.Join(dir, "curve.go")
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if src, err = without(src, ours()); err != nil {
		return err
	}
	if err := rewrite(file, src); err != nil {
		return err
	}
	return rewrite(filepath.Join(dir, "group.go"), []byte(group))
}

// ours are the functions that the plain group brings which the curve has, too.
func ours() map[string]bool {
	names := map[string]bool{}
	tree, err := parser.ParseFile(token.NewFileSet(), "group.go", group, 0)
	if err != nil {
		panic(err)
	}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name != "log" && f.Name.Name != "set" {
			names[f.Name.Name] = true
		}
	}
	return names
}

// without takes functions out of a source. It fails when one is not there.
func without(src []byte, names map[string]bool) ([]byte, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "curve.go", src, 0)
	if err != nil {
		return nil, err
	}
	var out []byte
	last, found := 0, 0
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && names[f.Name.Name] {
			out = append(out, src[last:set.Position(f.Pos()).Offset]...)
			last = set.Position(f.End()).Offset
			found++
		}
	}
	if found != len(names) {
		return nil, fmt.Errorf("the curve has %d of the %d functions that were to be exchanged", found, len(names))
	}
	return append(out, src[last:]...), nil
}

// rewrite writes a file anew: those of the module cache cannot be written to.
func rewrite(file string, data []byte) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// point writes a go.mod that is like mod, but for the curve.
func point(mod, dir, to string) error {
	text, err := os.ReadFile(mod)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(strings.TrimSuffix(mod, "mod") + "sum")
	if err != nil {
		return err
	}
	text = fmt.Appendf(text, "\nreplace %s => %s\n", curve, to)
	if err := rewrite(filepath.Join(dir, "go.mod"), text); err != nil {
		return err
	}
	return rewrite(filepath.Join(dir, "go.sum"), sums)
}
