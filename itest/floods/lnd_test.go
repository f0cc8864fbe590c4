package floods

import (
	"os"
	"testing"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// lnd is the daemon that LND_BIN names, as it comes but for what a private chain needs.
var lnd = rig.Program{
	Binary: func(testing.TB) string { return os.Getenv("LND_BIN") },
	Args: func(n *rig.Node) []string {
		user, pass := n.World.Chain.Credentials()
		return []string{
			"--lnddir=" + n.Dir, "--alias=" + n.Name, "--noseedbackup", "--bitcoin.active", "--bitcoin." + n.World.Network(),
			"--bitcoin.node=btcd", "--btcd.rpchost=" + n.World.Chain.RPCAddr(), "--btcd.rpcuser=" + user, "--btcd.rpcpass=" + pass,
			"--btcd.rpccert=" + n.World.Chain.CertPath(), "--fee.url=" + n.World.Fees,
			"--rpclisten=" + n.RPC, "--restlisten=" + n.REST, "--listen=" + n.P2P,
			"--nobootstrap", "--trickledelay=1000", "--gossip.sub-batch-delay=200ms", "--minbackoff=200ms", "--maxbackoff=1s",
			"--bitcoin.defaultchanconfs=3", "--debuglevel=info",
		}
	},
	LastWord: "Shutdown complete",
}
