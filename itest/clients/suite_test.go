package clients

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"
)

var (
	suite = flag.String("clients.suite", "", "which of ln-service's own integration tests to run: a pattern of paths below its folder test, as integration/test_*.js; with \"all\" all of them")
	onLnd = flag.Bool("clients.lnd", false, "run them on the lnd that LND_BIN names instead: what fails there, too, says nothing of fulgur")
)

// TestSuite runs ln-service's own integration tests, written for lnd. Before it, once:
// npm ci in js/.
func TestSuite(t *testing.T) {
	if *suite == "" {
		t.Skip("-clients.suite says which to run; docs/clients.md has what they said last")
	}
	pattern := *suite
	if pattern == "all" {
		pattern = "*/test_*.js"
	}
	const tests = program + "/node_modules/ln-service/test"
	files, err := filepath.Glob(filepath.Join(tests, filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("no test is called %s (%v): is `npm ci` in itest/clients/js done?", pattern, err)
	}
	for _, file := range files {
		name := filepath.ToSlash(strings.TrimSuffix(strings.TrimPrefix(file, tests+"/"), ".js"))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if *onLnd {
				s.daemon = lndWithWallet
			}
			out, err := s.play(strings.TrimPrefix(filepath.ToSlash(file), program+"/"))
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			for _, n := range s.w.Nodes {
				n.ExpectEnd = n.ExpectEnd || !n.Up() && n.Proc.Err == nil // the test may have asked it to stop
			}
		})
	}
}
