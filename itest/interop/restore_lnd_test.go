package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// lndWithWallet is lnd with a wallet that somebody makes.
var lndWithWallet = rig.Program{
	Binary: rig.Lnd.Binary, LastWord: rig.Lnd.LastWord,
	Args: func(n *rig.Node) []string {
		return slices.DeleteFunc(rig.Lnd.Args(n), func(a string) bool { return a == "--noseedbackup" })
	},
}

// burn opens a channel of each type from a node with a wallet of its own to one of ours
// and to an lnd, pays over both, and destroys the node. It gives what is left of it: the
// words, the file channel.backup, and what has to come home.
func burn(t *testing.T, w *rig.World, owner *rig.Node) (words []string, backup []byte, points []string) {
	words = owner.MakeWallet(&lnrpc.InitWalletRequest{})
	fulgur, peer := w.Node("fulgur", "--bitcoin.defaultchanconfs=3"), w.NewNodeOf(rig.Lnd, "lnd")
	peer.Start()
	owner.Fund(5_000_000)
	for i, to := range []*rig.Node{fulgur, peer} {
		owner.Connect(to)
		kind := []lnrpc.CommitmentType{lnrpc.CommitmentType_STATIC_REMOTE_KEY, lnrpc.CommitmentType_ANCHORS}[i]
		point := owner.Open(to, 1_000_000, func(r *lnrpc.OpenChannelRequest) { r.PushSat, r.CommitmentType = 300_000, kind })
		rig.Eventually(t, "a payment", func() bool {
			p, err := owner.Send(rig.Soon(t), rig.PayRequest(to.Invoice(50_000_000)))
			return err == nil && p.Status == lnrpc.Payment_SUCCEEDED
		})
		points = append(points, string(point))
	}
	path := filepath.Join(owner.ChainDir(), "channel.backup")
	rig.Eventually(t, "the file", func() bool {
		b, err := os.ReadFile(path)
		backup = b
		if err != nil {
			return false
		}
		v, err := owner.LN.VerifyChanBackup(rig.Soon(t), &lnrpc.ChanBackupSnapshot{MultiChanBackup: &lnrpc.MultiChanBackup{MultiChanBackup: b}})
		return err == nil && len(v.ChanPoints) == len(points)
	})
	owner.Lose()
	return words, backup, points
}

// rises restores a node that burned: its peers close the channels, and everything is in
// its wallet in the end.
func rises(t *testing.T, w *rig.World, heir *rig.Node, words []string, backup []byte, points []string) {
	heir.MakeWallet(&lnrpc.InitWalletRequest{
		CipherSeedMnemonic: words, RecoveryWindow: 50,
		ChannelBackups: &lnrpc.ChanBackupSnapshot{MultiChanBackup: &lnrpc.MultiChanBackup{MultiChanBackup: backup}},
	})
	rig.Eventually(t, "the channels are there", func() bool {
		p := heir.Pending()
		return len(p.WaitingCloseChannels)+len(p.PendingForceClosingChannels) == len(points)
	})
	for _, c := range heir.Pending().WaitingCloseChannels {
		require.Contains(t, points, c.Channel.ChannelPoint)
		require.Contains(t, c.Channel.ChanStatusFlags, "ChanStatusRestored")
	}
	w.Mempool(len(points))
	const home = 3_000_000 + 2*650_000 - 100_000 // less all fees
	w.MineUntil("everything is in the wallet of "+heir.Name, func() bool {
		p := heir.Pending()
		return heir.Wallet().ConfirmedBalance > home && len(p.WaitingCloseChannels)+len(p.PendingForceClosingChannels) == 0
	})
	t.Log(heir.Name, strings.Split(heir.Info().Version, " ")[0], "has", heir.Wallet().ConfirmedBalance, "sat of 5000000 - 2 x 350000")
}

// TestLndRestoresOurs: lnd, given our words and our channel.backup, gets the money of our
// channels with a node of ours and with an lnd.
func TestLndRestoresOurs(t *testing.T) {
	w := needLnd(t)
	words, backup, points := burn(t, w, w.NewNode("burned", "--bitcoin.defaultchanconfs=3"))
	rises(t, w, w.NewNodeOf(lndWithWallet, "heir"), words, backup, points)
}

// TestWeRestoreLnds: we, given lnd's words and its channel.backup, get the money of its
// channels with a node of ours and with another lnd.
func TestWeRestoreLnds(t *testing.T) {
	w := needLnd(t)
	words, backup, points := burn(t, w, w.NewNodeOf(lndWithWallet, "burned"))
	rises(t, w, w.NewNode("heir"), words, backup, points)
}

func needLnd(t *testing.T) *rig.World {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED, NOTHING WAS PROVEN AGAINST lnd: set LND_BIN to an lnd with all sub-servers")
	}
	w := rig.NewWorld(t)
	w.ServeFees(usualRate)
	return w
}
