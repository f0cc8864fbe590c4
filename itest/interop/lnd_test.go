package interop

import (
	"os"
	"strconv"
	"testing"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

func startLnd(w *rig.World, name string, s Setup) Peer {
	var options []string
	if s.Type == Static {
		options = append(options, "--protocol.no-anchors")
	}
	if s.Delay > 0 {
		options = append(options, "--bitcoin.defaultremotedelay="+strconv.Itoa(s.Delay))
	}
	n := w.NewNodeOf(rig.Lnd, name, options...)
	n.Start()
	return &spoken{n: n, usual: s.Type, version: "lnd " + n.Info().Version, lacks: map[Ability]bool{Offers12: true, Resumes: true, Whole: true, Follows: os.Getenv("LND_FOLLOWS") == ""}}
}

// TestLnd plays every scenario with the lnd that LND_BIN names.
func TestLnd(t *testing.T) {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED, NOTHING WAS PROVEN AGAINST lnd: set LND_BIN to an lnd with all sub-servers (make install tags=\"invoicesrpc routerrpc walletrpc signrpc chainrpc\")")
	}
	play(t, Implementation{Name: "lnd", Types: []ChannelType{Anchors, Static}, Start: startLnd})
}
