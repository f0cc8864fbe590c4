package interop

import (
	"os"
	"strconv"
	"testing"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// lnd is the daemon that LND_BIN names.
var lnd = rig.Program{
	Binary: func(testing.TB) string { return os.Getenv("LND_BIN") },
	Args: func(n *rig.Node) []string {
		user, pass := n.World.Chain.Credentials()
		return []string{
			"--lnddir=" + n.Dir, "--alias=" + n.Name, "--noseedbackup", "--bitcoin.active", "--bitcoin." + n.World.Network(),
			"--bitcoin.node=btcd", "--btcd.rpchost=" + n.World.Chain.RPCAddr(), "--btcd.rpcuser=" + user, "--btcd.rpcpass=" + pass,
			"--btcd.rpccert=" + n.World.Chain.CertPath(), "--fee.url=" + n.World.Fees,
			"--rpclisten=" + n.RPC, "--restlisten=" + n.REST, "--listen=" + n.P2P,
			"--nobootstrap", "--trickledelay=50", "--gossip.sub-batch-delay=50ms", "--minbackoff=200ms", "--maxbackoff=1s",
			"--maxpendingchannels=10", "--bitcoin.defaultchanconfs=3", "--accept-keysend", "--keep-failed-payment-attempts",
			"--chan-enable-timeout=1s", "--chan-disable-timeout=2s", "--chan-status-sample-interval=500ms",
			"--fee.min-update-timeout=1s", "--fee.max-update-timeout=2s",
			"--debuglevel=debug,BTCN=info,RPCS=info,LNWL=info",
		}
	},
	LastWord: "Shutdown complete",
}

func startLnd(w *rig.World, name string, s Setup) Peer {
	var options []string
	if s.Type == Static {
		options = append(options, "--protocol.no-anchors")
	}
	if s.Delay > 0 {
		options = append(options, "--bitcoin.defaultremotedelay="+strconv.Itoa(s.Delay))
	}
	n := w.NewNodeOf(lnd, name, options...)
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
