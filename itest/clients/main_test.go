package clients

import (
	"os"
	"testing"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
