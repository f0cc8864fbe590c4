package itest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestRestore: a machine burns down. From the words and the file channel.backup, then
// from the words and what the peer has kept, everything is in the wallet in the end.
func TestRestore(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.NewNode("alice"), w.Node("bob")
	words := alice.MakeWallet(&lnrpc.InitWalletRequest{})
	id := alice.ID
	alice.Fund(3_000_000)
	bob.Connect(alice) // so that it is bob who dials

	updates, err := alice.LN.SubscribeChannelBackups(t.Context(), &lnrpc.ChannelBackupSubscription{})
	require.NoError(t, err)
	_, err = updates.Header()
	require.NoError(t, err)
	point := alice.Open(bob, 1_000_000, func(r *lnrpc.OpenChannelRequest) { r.PushSat = 300_000 })
	alice.Pay(bob.Invoice(50_000_000))
	rig.Settled(alice, bob)
	var last *lnrpc.ChanBackupSnapshot
	for len(last.GetMultiChanBackup().GetChanPoints()) == 0 {
		last, err = updates.Recv()
		require.NoError(t, err)
	}
	require.Len(t, last.SingleChanBackups.ChanBackups, 1)

	// The file is there, is nobody's business, and is what the commands say.
	file := filepath.Join(alice.ChainDir(), "channel.backup")
	st, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	var verified struct {
		Points []string `json:"chan_points"`
	}
	alice.Ask(&verified, "verifychanbackup", "--multi_file="+file)
	require.Equal(t, []string{string(point)}, verified.Points)
	kept := filepath.Join(w.Dir, "kept")
	alice.Ask(nil, "exportchanbackup", "--all", "--output_file="+kept)
	var one struct {
		Point  string `json:"chan_point"`
		Backup string `json:"chan_backup"`
	}
	alice.Ask(&one, "exportchanbackup", string(point))
	alice.Ask(&verified, "verifychanbackup", "--single_backup="+one.Backup)
	require.Equal(t, []string{string(point)}, verified.Points)
	c := bob.Fulgur("", "verifychanbackup", "--multi_file="+file)
	require.NotZero(t, c.Code)
	require.Contains(t, c.Err, "does not belong to this seed")
	var rest struct {
		Multi struct {
			Points []any `json:"chan_points"`
		} `json:"multi_chan_backup"`
	}
	alice.Web().Call(&rest, "GET", "/v1/channels/backup", nil)
	require.Len(t, rest.Multi.Points, 1)

	bob.Stop()
	alice.Lose()
	alice.Launch()
	alice.Await(lnrpc.WalletState_NON_EXISTING)
	answers := []string{rig.Password, rig.Password, strings.Join(words, " "), "", "20", ""}
	c = alice.Fulgur(strings.Join(answers, "\n"), "create", "--multi_file="+kept)
	require.Zero(t, c.Code, c.Err)
	alice.Settle()
	require.Equal(t, id, alice.ID)
	waiting := alice.Pending().WaitingCloseChannels
	require.Len(t, waiting, 1)
	require.Equal(t, string(point), waiting[0].Channel.ChannelPoint)
	require.Contains(t, waiting[0].Channel.ChanStatusFlags, "ChanStatusRestored")
	require.EqualValues(t, 1_000_000, waiting[0].Channel.Capacity)
	again, err := alice.LN.RestoreChannelBackups(rig.Soon(t), &lnrpc.RestoreChanBackupRequest{
		Backup: &lnrpc.RestoreChanBackupRequest_MultiChanBackup{MultiChanBackup: last.MultiChanBackup.MultiChanBackup},
	})
	require.NoError(t, err)
	require.Zero(t, again.NumRestored, "it is there already")
	bob.Start()
	home := func(least int64) func() bool {
		return func() bool {
			p := alice.Pending()
			return alice.Wallet().ConfirmedBalance > least && len(p.WaitingCloseChannels)+len(p.PendingForceClosingChannels) == 0
		}
	}
	w.Mempool(1)
	w.MineUntil("all is in alice's wallet", home(2_600_000))

	// Now with nothing but the words.
	point = alice.Open(bob, 1_000_000)
	alice.Pay(bob.Invoice(100_000_000))
	rig.Settled(alice, bob)
	before := alice.Wallet().ConfirmedBalance
	alice.Lose()
	alice.MakeWallet(&lnrpc.InitWalletRequest{CipherSeedMnemonic: words, RecoveryWindow: 20})
	rig.Eventually(t, "bob brings the backup", func() bool {
		p := alice.Pending()
		return len(p.WaitingCloseChannels)+len(p.PendingForceClosingChannels) > 0
	})
	w.Mempool(1)
	w.MineUntil("all is in alice's wallet again", home(before+850_000))
	require.Contains(t, alice.Log(), string(point))
}
