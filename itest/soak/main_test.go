package soak

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

var (
	kills = flag.Int("soak.kills", 6, "how many daemons are killed in all")
	away  = flag.Duration("soak.away", 0, "how long the chain is away once, in the middle")
	seed  = flag.Uint64("soak.seed", uint64(time.Now().UnixNano()), "chooses what happens; the daemons' own timing remains")
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
