package itest

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestKeysToTheHouse is the life of an operator's macaroons: one with a spending budget is made and narrowed, spends no
// more than that, also over a crash; the password changes and voids what the root key signed; and nothing of all this
// stands in the log.
func TestKeysToTheHouse(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.NewNode("alice", "--debuglevel=trace")
	u := startLocked(alice, lnrpc.WalletState_NON_EXISTING)
	seed, err := u.GenSeed(rig.Soon(t), &lnrpc.GenSeedRequest{})
	require.NoError(t, err)
	made, err := u.InitWallet(rig.Soon(t), &lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: seed.CipherSeedMnemonic})
	require.NoError(t, err)
	opened(alice)
	alice.Fund(300_000)

	kiosk, sunday := filepath.Join(t.TempDir(), "kiosk"), filepath.Join(t.TempDir(), "sunday")
	for _, args := range [][]string{
		{"bakemacaroon", "--root_key_id=5", "--budget_total=100000", "--budget_name=kiosk", "--save_to=" + kiosk, "onchain:read", "onchain:write", "macaroon:generate"},
		{"constrainmacaroon", "--budget_day=30000", "--budget_name=sunday", kiosk, sunday},
	} {
		c := alice.Fulgur("", args...)
		require.Zero(t, c.Code, c.Err)
	}
	raw, err := os.ReadFile(sunday)
	require.NoError(t, err)
	spend := func(sat int64) error {
		_, err := lnrpc.NewLightningClient(alice.Dial(raw)).SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{
			Addr: addressOf(alice, lnrpc.AddressType_WITNESS_PUBKEY_HASH), Amount: sat, SatPerVbyte: 1,
		})
		return err
	}
	left := func() uint64 {
		b, err := fulgurrpc.NewBudgetsClient(alice.Dial(raw)).GetBudget(rig.Soon(t), &fulgurrpc.GetBudgetRequest{})
		require.NoError(t, err)
		require.Len(t, b.Budgets, 2)
		require.Equal(t, b.Budgets[0].SpentMsat, b.Budgets[1].SpentMsat, "both are charged")
		return *b.LeftMsat / 1000
	}
	require.EqualValues(t, 30_000, left())
	err = spend(30_000)
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.ErrorContains(t, err, `spending budget "sunday" exceeded: 30000 sat are left of 30000 sat for today (UTC)`)
	require.NoError(t, spend(20_000))
	after := left()
	require.Less(t, after, uint64(10_000), "the fee counts")
	_, err = lnrpc.NewLightningClient(alice.Dial(raw)).BakeMacaroon(rig.Soon(t), &lnrpc.BakeMacaroonRequest{})
	require.ErrorContains(t, err, "cannot be called with a macaroon that has a spending budget")

	// A crash, and another password. Root key 5 is not the one that is replaced.
	alice.Kill()
	u = startLocked(alice, lnrpc.WalletState_LOCKED)
	const second = "battery staple"
	_, err = u.ChangePassword(rig.Soon(t), &lnrpc.ChangePasswordRequest{CurrentPassword: []byte("wrong horse"), NewPassword: []byte(second)})
	require.ErrorContains(t, err, "invalid passphrase for master public key")
	changed, err := u.ChangePassword(rig.Soon(t), &lnrpc.ChangePasswordRequest{
		CurrentPassword: []byte(password), NewPassword: []byte(second), NewMacaroonRootKey: true,
	})
	require.NoError(t, err)
	opened(alice)
	require.Equal(t, after, left())
	require.Error(t, spend(10_000))
	_, err = lnrpc.NewLightningClient(alice.Dial(made.AdminMacaroon)).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "verification failed")
	var ids struct {
		RootKeyIDs []string `json:"root_key_ids"`
	}
	alice.Ask(&ids, "listmacaroonids")
	require.Equal(t, []string{"0", "5"}, ids.RootKeyIDs)
	gone := alice.Fulgur("", "deletemacaroonid", "5")
	require.Zero(t, gone.Code, gone.Err)
	require.ErrorContains(t, spend(1_000), "cannot get macaroon: root key with id 5 doesn't exist")
	info, err := alice.LN.GetRecoveryInfo(rig.Soon(t), &lnrpc.GetRecoveryInfoRequest{})
	require.NoError(t, err)
	require.False(t, info.RecoveryMode)

	log := alice.Log()
	for _, secret := range []string{
		password, second, strings.Join(seed.CipherSeedMnemonic[:3], " "), hex.EncodeToString(made.AdminMacaroon),
		hex.EncodeToString(changed.AdminMacaroon), hex.EncodeToString(raw), hex.EncodeToString(seed.EncipheredSeed),
	} {
		require.NotContains(t, log, secret)
	}
	for _, f := range []string{"admin", "readonly", "invoice", "invoices", "router", "signer", "walletkit", "chainnotifier"} {
		s, err := os.Stat(filepath.Join(alice.ChainDir(), f+".macaroon"))
		require.NoError(t, err)
		require.EqualValues(t, 0o600, s.Mode().Perm(), f)
	}
}
