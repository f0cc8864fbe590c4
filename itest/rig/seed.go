package rig

import (
	"os"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// Password is that of every wallet that MakeWallet makes.
const Password = "open sesame"

// MakeWallet starts a node that has no wallet, makes one, from a new seed when req has no
// words, and gives the words. The node must not run with --noseedbackup.
func (n *Node) MakeWallet(req *lnrpc.InitWalletRequest) (words []string) {
	n.T.Helper()
	n.Launch()
	n.Await(lnrpc.WalletState_NON_EXISTING)
	u := lnrpc.NewWalletUnlockerClient(n.Dial(nil))
	if len(req.CipherSeedMnemonic) == 0 {
		seed, err := u.GenSeed(Soon(n.T), &lnrpc.GenSeedRequest{})
		require.NoError(n.T, err)
		req.CipherSeedMnemonic = seed.CipherSeedMnemonic
	}
	req.WalletPassword = []byte(Password)
	_, err := u.InitWallet(Soon(n.T), req)
	require.NoError(n.T, err)
	n.Settle()
	return req.CipherSeedMnemonic
}

// Settle waits until a node whose wallet was just opened answers and follows the chain.
func (n *Node) Settle() {
	n.T.Helper()
	n.Await(lnrpc.WalletState_SERVER_ACTIVE)
	n.ConnectAPI()
	n.Synced()
}

// Lose ends the node as a fire in the house would: all it had on its disk is gone.
func (n *Node) Lose() {
	n.T.Helper()
	n.Kill()
	require.NoError(n.T, os.RemoveAll(n.Dir))
	require.NoError(n.T, os.MkdirAll(n.Dir, 0o700))
}
