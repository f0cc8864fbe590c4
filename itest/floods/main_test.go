package floods

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

var (
	full    = flag.Bool("floods", false, "measure, instead of a moment of each flood")
	last    = flag.Duration("floods.for", 8*time.Second, "how long each flood lasts")
	pace    = flag.Int("floods.pace", 20, "payments begun in a second")
	share   = flag.Float64("floods.share", 0.5, "how much of one processor the floods may take")
	only    = flag.String("floods.only", "", "flood only this node: fulgur or lnd")
	which   = flag.String("floods.which", "", "only the floods whose names match this expression")
	options = flag.String("floods.options", "", "further options of the flooded fulgurd, for instance --profile=localhost:6060")
	out     = flag.String("floods.out", "", "a file for the table, too")
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(payerEnv); ok {
		if err := pay(text); err != nil {
			fmt.Fprintln(os.Stderr, "payer:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(rig.Main(m))
}
