package itest

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

const module = "github.com/fulgur-ln/fulgur/"

// file is one parsed source file of the house.
type file struct {
	path, pkg string // relative to the root; pkg is the folder
	test      bool
	generated bool
	lines     int
	ast       *ast.File
	fset      *token.FileSet
	text      string
}

// exceptions are places that break a rule of the house on purpose. Each says why.
var exceptions = map[string]string{}

func house(t *testing.T) []file {
	t.Helper()
	var files []file
	fset := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "bin", "node_modules", "testdata", "tools":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		files = append(files, file{
			path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(path, "_test.go"),
			generated: ast.IsGenerated(f), lines: strings.Count(string(src), "\n"), ast: f, fset: fset, text: string(src),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// block is the text of the fenced block of docs/architecture.md with that tag.
func block(t *testing.T, tag string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```"+tag+"\n")
	body, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("docs/architecture.md has no block %q", tag)
	}
	return body
}

// owner is the entry of the table that a package falls under: itself, or the
// nearest folder above it that is named.
func owner(dag map[string][]string, pkg string) string {
	for p := pkg; p != "."; p = filepath.ToSlash(filepath.Dir(p)) {
		if _, ok := dag[p]; ok {
			return p
		}
	}
	return ""
}

func TestArrowsPointDown(t *testing.T) {
	dag := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(block(t, "dag")), "\n") {
		name, may, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("no colon in %q", line)
		}
		dag[strings.TrimSpace(name)] = strings.Fields(may)
	}
	for _, f := range house(t) {
		if f.test {
			continue
		}
		from := owner(dag, f.pkg)
		if from == "" {
			t.Errorf("%s: package %s is not in docs/architecture.md", f.path, f.pkg)
			continue
		}
		for _, imp := range f.ast.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			if !strings.HasPrefix(path, module) {
				continue
			}
			to := strings.TrimPrefix(path, module)
			if !allowed(dag, from, owner(dag, to)) {
				t.Errorf("%s: %s may not import %s", f.path, from, to)
			}
		}
	}
}

func allowed(dag map[string][]string, from, to string) bool {
	if from == to {
		return true
	}
	for _, may := range dag[from] {
		if may == "*" || may == to {
			return true
		}
	}
	return false
}

// impure are the names that a pure package may not use; "" means all of a package.
var impure = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"math/rand":    {""},
	"math/rand/v2": {""},
	"crypto/rand":  {""},
	"sync":         {""},
	"sync/atomic":  {""},
	"net":          {""},
	"net/http":     {""},
	"os":           {""},
	"log":          {""},
	"log/slog":     {""},
	"context":      {""},
}

func TestPurePackages(t *testing.T) {
	pure := map[string]bool{}
	for _, p := range strings.Fields(block(t, "pure")) {
		pure[p] = true
	}
	for _, f := range house(t) {
		if f.test || !pure[f.pkg] {
			continue
		}
		names := map[string][]string{}
		for _, imp := range f.ast.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			bad, ok := impure[path]
			if !ok {
				continue
			}
			if bad[0] == "" && exceptions[f.path+" "+path] == "" {
				t.Errorf("%s: a pure package may not import %s", f.path, path)
			}
			names[filepath.Base(path)] = bad
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a pure package starts no goroutine", f.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				if !ok {
					return true
				}
				for _, bad := range names[pkg.Name] {
					if n.Sel.Name == bad {
						t.Errorf("%s: a pure package may not use %s.%s", f.fset.Position(n.Pos()), pkg.Name, bad)
					}
				}
			}
			return true
		})
	}
}

func TestPackageComments(t *testing.T) {
	has, seen := map[string]bool{}, map[string]bool{}
	for _, f := range house(t) {
		if f.test || f.generated {
			continue
		}
		seen[f.pkg] = true
		if f.ast.Doc != nil && len(strings.Fields(f.ast.Doc.Text())) >= 8 {
			has[f.pkg] = true
		}
	}
	for pkg := range seen {
		if !has[pkg] {
			t.Errorf("%s: no package comment that says what it owns and must never know", pkg)
		}
	}
}

func TestEveryExceptionHasAReason(t *testing.T) {
	for place, why := range exceptions {
		if strings.TrimSpace(why) == "" {
			t.Errorf("exception %q has no reason", place)
		}
	}
}

var requirement = regexp.MustCompile(`\bB(?:[1-9]|1[0-2])\.[a-z0-9_]+\.[0-9]+\b`)

// TestBoltRegister holds docs/bolts against code and tests, both ways: each
// requirement is named where it is met and where it is proven, and no place names
// one that the register does not know.
func TestBoltRegister(t *testing.T) {
	register := map[string]string{}
	paths, err := filepath.Glob("../docs/bolts/*.md")
	if err != nil {
		t.Fatal(err)
	}
	perBolt := map[string]int{}
	for _, path := range paths {
		fd, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(fd); s.Scan(); {
			line, ok := strings.CutPrefix(s.Text(), "- ")
			id := requirement.FindString(line)
			if !ok || !strings.HasPrefix(line, id) || id == "" {
				continue
			}
			if old, twice := register[id]; twice {
				t.Errorf("%s: %s is also in %s", path, id, old)
			}
			register[id] = path
			perBolt[strings.SplitN(id, ".", 2)[0]]++
		}
		fd.Close()
	}
	code, tests := map[string]bool{}, map[string]bool{}
	for _, f := range house(t) {
		if f.path == "itest/house_test.go" {
			continue
		}
		for _, id := range requirement.FindAllString(f.text, -1) {
			if register[id] == "" {
				t.Errorf("%s names %s, which docs/bolts does not know", f.path, id)
			}
			if f.test {
				tests[id] = true
			} else {
				code[id] = true
			}
		}
	}
	for id, path := range register {
		if !code[id] {
			t.Errorf("%s: no code names %s", path, id)
		}
		if !tests[id] {
			t.Errorf("%s: no test names %s", path, id)
		}
	}
	t.Logf("%d requirements in the register: %v", len(register), perBolt)
}

// TestPrintLongest prints the longest files and functions, so that somebody looks
// at them. It holds nobody to a limit.
func TestPrintLongest(t *testing.T) {
	type entry struct {
		n    int
		name string
	}
	var files, funcs []entry
	for _, f := range house(t) {
		if f.test || f.generated {
			continue
		}
		files = append(files, entry{f.lines, f.path})
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				from, to := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
				funcs = append(funcs, entry{to - from + 1, f.path + " " + fn.Name.Name})
			}
		}
	}
	show := func(what string, list []entry) {
		sort.Slice(list, func(i, j int) bool { return list[i].n > list[j].n })
		var b strings.Builder
		for _, e := range list[:min(10, len(list))] {
			fmt.Fprintf(&b, "\n%6d %s", e.n, e.name)
		}
		t.Logf("longest %s:%s", what, b.String())
	}
	show("files", files)
	show("functions", funcs)
}
