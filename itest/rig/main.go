package rig

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// Main runs the tests of a package that starts processes, and gives the exit status. It
// gives every child of this run a mark by which it can be found, and fails when one of
// them outlives the tests.
//
// FULGUR_BIN_DIR names a directory with fulgurd and fulgur to use instead of building
// them (built with -race, for example), FULGUR_BTCD another btcd, FULGUR_ITEST_LOGS a
// directory in which the whole logs of failed tests are kept.
func Main(m *testing.M) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == "2" {
		_ = f.Value.Set("4") // the scenarios wait more than they compute
	}
	mark := rand.Text()
	os.Setenv(runMark, mark)
	code := m.Run()
	for end := time.Now().Add(Patience); len(Leftovers(runMark, mark)) > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // the last may just be ending
	}
	for _, p := range Leftovers(runMark, mark) {
		fmt.Fprintln(os.Stderr, "left running:", p)
		code = 1
	}
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	return code
}
