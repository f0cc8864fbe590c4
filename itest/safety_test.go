package itest

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"strings"
	"testing"
)

// lastRow is the last number of docs/safety.md that can be proven by a test.
const lastRow = 69

// TestSafetyRows reads docs/safety.md against the tree: every row has a test that exists and
// whose file names the row, or the reason why it is not ours.
func TestSafetyRows(t *testing.T) {
	text, err := os.ReadFile("../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]file{} // by folder.Name
	for _, f := range house(t) {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				tests[path.Dir(f.path)+"."+fn.Name.Name] = f
			}
		}
	}
	rows, proven := map[string]bool{}, 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| V-") {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			t.Errorf("%q: %d columns, want 3", line, len(cells)-2)
			continue
		}
		id, promise, proof := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.Fields(cells[3])
		if rows[id] {
			t.Errorf("%s: twice", id)
		}
		rows[id] = true
		notOurs := strings.HasPrefix(promise, "not ours")
		if notOurs == (len(proof) > 0) || len(promise) < 20 {
			t.Errorf("%s: want a promise with tests, or \"not ours\" with a reason", id)
		}
		for _, name := range proof {
			f, ok := tests[name]
			switch {
			case !ok:
				t.Errorf("%s: there is no test %s", id, name)
			case !strings.Contains(f.text, id):
				t.Errorf("%s: %s, where %s stands, does not name it", id, f.path, name)
			}
		}
		if !notOurs {
			proven++
		}
	}
	for n := 1; n <= lastRow; n++ {
		if id := fmt.Sprintf("V-%02d", n); !rows[id] {
			t.Errorf("%s has no row", id)
		}
	}
	t.Logf("%d rows, %d proven by tests", len(rows), proven)
}
