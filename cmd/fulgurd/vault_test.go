package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// openVault opens the vault in a directory, as a start does, and gives back what ends it.
func openVault(t *testing.T, dir string) (*vault, func()) {
	db, err := channeldb.Open(filepath.Join(dir, "fulgur.db"), channeldb.Options{
		Genesis: *chaincfg.RegressionNetParams.GenesisHash, Fatal: func(err error) { panic(err) },
	})
	require.NoError(t, err)
	store, err := macaroons.Open(filepath.Join(dir, "fulgur-macaroons.db"), macaroons.Options{ScryptLogN: 4})
	require.NoError(t, err)
	v := newVault(db, store, macaroons.NewBakery(store), macaroons.Files(dir), keys.CoinTest)
	v.cost = cheapest
	closed := false
	end := func() {
		if !closed {
			closed = true
			require.NoError(t, store.Close())
			require.NoError(t, db.Close())
		}
	}
	t.Cleanup(end)
	return v, end
}

// makeWallet makes a wallet in a new directory, and ends.
func makeWallet(t *testing.T, password string, o unlocker.Options) (dir string, admin []byte) {
	dir = t.TempDir()
	v, end := openVault(t, dir)
	defer end()
	words, _, err := v.GenSeed(nil, nil)
	require.NoError(t, err)
	admin, err = v.Init([]byte(password), words, nil, o)
	require.NoError(t, err)
	return dir, admin
}

func adminFile(t *testing.T, dir string) []byte {
	raw, err := os.ReadFile(filepath.Join(dir, "admin.macaroon"))
	require.NoError(t, err)
	return raw
}

func good(v *vault, raw []byte) bool {
	_, err := v.bakery.Verify(raw, netip.Addr{})
	return err == nil
}

func TestPasswordOfTheVaultChanges(t *testing.T) {
	dir, before := makeWallet(t, "first password", unlocker.Options{})
	v, end := openVault(t, dir)
	_, err := v.ChangePassword([]byte("first password"), []byte("short"), unlocker.Change{})
	require.ErrorIs(t, err, errShortPassword)
	_, err = v.ChangePassword([]byte("guessed"), []byte("second password"), unlocker.Change{})
	require.ErrorIs(t, err, keys.ErrPassword)
	_, err = v.ChangePassword([]byte("first password"), []byte("second password"), unlocker.Change{})
	require.NoError(t, err)
	require.True(t, good(v, before))
	require.Len(t, v.opened, 1, "the wallet is open")
	_, err = v.ChangePassword([]byte("second password"), []byte("third password"), unlocker.Change{})
	require.ErrorIs(t, err, errOpened)
	end()

	v, end = openVault(t, dir)
	_, err = v.Unlock([]byte("first password"), unlocker.Options{})
	require.ErrorIs(t, err, keys.ErrPassword)
	admin, err := v.ChangePassword([]byte("second password"), []byte("third password"), unlocker.Change{NewRoot: true})
	require.NoError(t, err)
	require.False(t, good(v, before), "the macaroons of before are void")
	require.True(t, good(v, admin))
	require.True(t, good(v, adminFile(t, dir)), "the files are made anew")
	end()

	v, end = openVault(t, dir)
	_, err = v.ChangePassword([]byte("third password"), []byte("fourth password"), unlocker.Change{Stateless: true})
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, "admin.macaroon"))
	end()

	v, end = openVault(t, dir)
	_, err = v.ChangePassword([]byte("fourth password"), []byte("fifth password"), unlocker.Change{NewRoot: true})
	require.ErrorContains(t, err, "please add the --stateless_init flag")
	_, err = v.Unlock([]byte("fourth password"), unlocker.Options{Stateless: true})
	require.NoError(t, err, "nothing has changed")
	end()

	v, _ = openVault(t, t.TempDir())
	_, err = v.ChangePassword(nil, []byte("some password"), unlocker.Change{})
	require.ErrorIs(t, err, errNoWallet)
}

// TestChangeOfPasswordIsCutShort ends the process after each write of a change: the wallet and the macaroons always open
// under one and the same password.
func TestChangeOfPasswordIsCutShort(t *testing.T) {
	for _, c := range []struct {
		name   string
		sealed bool // the seed is under the new password already
		opens  string
		other  string
	}{
		{"before the seed is sealed", false, "first password", "second password"},
		{"after it", true, "second password", "first password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, before := makeWallet(t, "first password", unlocker.Options{})
			v, end := openVault(t, dir)
			sealed, err := v.db.Seal()
			require.NoError(t, err)
			seed, err := keys.Open([]byte("first password"), sealed)
			require.NoError(t, err)
			require.NoError(t, v.store.Prepare([]byte("first password"), []byte("second password"), true))
			if c.sealed {
				sealed, err = sealSeed(cheapest, []byte("second password"), seed)
				require.NoError(t, err)
				_, err = v.db.Write(channeldb.Batch{Seal: sealed})
				require.NoError(t, err)
			}
			end()
			v, _ = openVault(t, dir)
			_, err = v.Unlock([]byte(c.other), unlocker.Options{})
			require.ErrorIs(t, err, keys.ErrPassword)
			_, err = v.Unlock([]byte(c.opens), unlocker.Options{})
			require.NoError(t, err)
			require.Equal(t, !c.sealed, good(v, before))
		})
	}
}

// TestPasswordForAWalletWithoutOne: what was made with --noseedbackup gets a password, and then needs it.
func TestPasswordForAWalletWithoutOne(t *testing.T) {
	dir := t.TempDir()
	v, end := openVault(t, dir)
	require.NoError(t, v.noSeedBackup())
	end()
	v, end = openVault(t, dir)
	_, err := v.ChangePassword(nil, []byte("real password"), unlocker.Change{NewRoot: true})
	require.NoError(t, err)
	end()
	v, _ = openVault(t, dir)
	require.ErrorIs(t, v.noSeedBackup(), keys.ErrPassword)
	_, err = v.Unlock([]byte("real password"), unlocker.Options{})
	require.NoError(t, err)
}

// TestRootKeyThatTheCallerBrings: who knows the root key can make macaroons without asking.
func TestRootKeyThatTheCallerBrings(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	dir, _ := makeWallet(t, "first password", unlocker.Options{RootKey: key, Stateless: true})
	require.NoFileExists(t, filepath.Join(dir, "admin.macaroon"))
	v, _ := openVault(t, dir)
	_, err := v.Unlock([]byte("first password"), unlocker.Options{Stateless: true})
	require.NoError(t, err)
	raw, err := macaroons.BakeFrom(key, macaroons.DefaultKey, macaroons.Admin)
	require.NoError(t, err)
	require.True(t, good(v, raw))
}

// TestMacaroonsOfAWalletThatIsGone: a wallet can be made beside a store of macaroons that was left over.
func TestMacaroonsOfAWalletThatIsGone(t *testing.T) {
	dir, before := makeWallet(t, "first password", unlocker.Options{})
	require.NoError(t, os.Remove(filepath.Join(dir, "fulgur.db")))
	v, _ := openVault(t, dir)
	words, _, err := v.GenSeed(nil, nil)
	require.NoError(t, err)
	_, err = v.Init([]byte("second password"), words, nil, unlocker.Options{})
	require.NoError(t, err)
	require.False(t, good(v, before))
	require.True(t, good(v, adminFile(t, dir)))
}
