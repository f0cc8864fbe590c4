package scale

import (
	"flag"
	"os"
	"testing"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

var full = flag.Bool("scale", false, "take the main network's graph instead of a few hundred channels")

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
