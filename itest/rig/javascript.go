package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NeedNode skips a test that drives a JavaScript program of somebody else where that
// cannot run: without Node.js, or without the package in the program's directory. Where
// FULGUR_REQUIRE_INTEROP demands it, the test fails.
func NeedNode(t testing.TB, dir, pkg string) {
	t.Helper()
	why := missing(dir, pkg)
	if why == "" {
		return
	}
	if os.Getenv("FULGUR_REQUIRE_INTEROP") != "" {
		t.Fatalf("FULGUR_REQUIRE_INTEROP is set, and %s cannot run: %s", pkg, why)
	}
	fmt.Fprintf(os.Stderr, "\n*** SKIPPED: %s: NOTHING WAS PROVEN WITH %s: %s\n\n", t.Name(), strings.ToUpper(pkg), why)
	t.Skipf("SKIPPED, NOTHING WAS PROVEN WITH %s: %s", strings.ToUpper(pkg), why)
}

// missing says why the program cannot run, nothing if it can.
func missing(dir, pkg string) string {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "node (20.19 or newer) is not installed"
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "v%d.%d", &major, &minor); err != nil || major < 20 || major == 20 && minor < 19 {
		return fmt.Sprintf("node is %s, too old: 20.19 is needed", strings.TrimSpace(string(out)))
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg)); err != nil {
		return "its packages are not installed (make test does that, or npm ci in the program's directory)"
	}
	return ""
}
