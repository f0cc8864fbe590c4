package rig

import (
	"os"
	"testing"
)

// Lnd is the daemon that LND_BIN names.
var Lnd = Program{
	Binary: func(testing.TB) string { return os.Getenv("LND_BIN") },
	Args: func(n *Node) []string {
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
