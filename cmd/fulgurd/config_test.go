package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

func load(t *testing.T, args ...string) (*config, error) {
	t.Helper()
	return loadConfig(append([]string{"--fulgurdir=" + t.TempDir()}, args...), os.Stdout)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest")
	require.NoError(t, err)
	require.Equal(t, "regtest", c.network)
	require.Equal(t, []string{":9735"}, c.Listeners)
	require.Equal(t, []string{"localhost:10009"}, c.RPCListeners)
	require.Equal(t, filepath.Join(c.dir, "tls.cert"), c.TLSCert)
	require.Equal(t, filepath.Join(c.dir, "data", "chain", "bitcoin", "regtest", "admin.macaroon"), c.AdminMacaroon)
	require.Equal(t, uint16(80), c.Bitcoin.TimeLockDelta)
	require.Empty(t, c.warnings)
}

// TestRefusals: every refusal names the option and says what to do.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no network"},
		{[]string{"--bitcoin.regtest", "--bitcoin.simnet"}, "choose one network"},
		{[]string{"--bitcoin.regtest", "--bitcoin.node=bitcoind"}, "btcd is the only chain backend"},
		{[]string{"--bitcoin.regtest", "--bitcoin.node=abacus"}, "bitcoin.node"},
		{[]string{"--bitcoin.mainnet", "--noseedbackup"}, "--noseedbackup: refused on mainnet"},
		{[]string{"--bitcoin.regtest", "--alias=" + strings.Repeat("x", 33)}, "--alias: 33 bytes"},
		{[]string{"--bitcoin.regtest", "--color=red"}, "--color=red: want #rrggbb"},
		{[]string{"--bitcoin.regtest", "--bitcoin.timelockdelta=33"}, "timelockdelta"},
		// 65537 blocks would have become one, in which an old state cannot be punished
		{[]string{"--bitcoin.regtest", "--bitcoin.defaultremotedelay=65537"}, "--bitcoin.defaultremotedelay=65537: want 0 to 2016"},
		{[]string{"--bitcoin.regtest", "--bitcoin.defaultremotedelay=-1"}, "--bitcoin.defaultremotedelay=-1: want"},
		{[]string{"--bitcoin.regtest", "--bitcoin.defaultchanconfs=-1"}, "--bitcoin.defaultchanconfs=-1: want 0 to 2016"},
		{[]string{"--bitcoin.regtest", "--max-commit-fee-rate-anchors=17179870"}, "--max-commit-fee-rate-anchors=17179870: want 0 to"},
		{[]string{"--bitcoin.regtest", "--minbackoff=2h"}, "--minbackoff is above --maxbackoff"},
		{[]string{"--bitcoin.regtest", "--dev.channeldir=x"}, "tag dev"},
		{[]string{"--bitcoin.regtest", "--hodl.exit-settle"}, "--hodl.exit-settle: only in builds with the tag dev"},
		{[]string{"--bitcoin.regtest", "--tor.v3"}, "--tor.v3 needs --tor.active"},
		{[]string{"--bitcoin.regtest", "--tor.active", "--tor.v3", "--nolisten"}, "--nolisten forbids"},
		{[]string{"--bitcoin.regtest", "--autopilot.active"}, "--autopilot.active is not supported: there is no autopilot"},
		{[]string{"--bitcoin.regtest", "--accept-amp"}, "--accept-amp is not supported: AMP is not there yet"},
		{[]string{"--bitcoin.regtest", "--protocol.simple-taproot-chans"}, "taproot channels are not there yet"},
		{[]string{"--bitcoin.regtest", "--no-such-thing=1"}, "--no-such-thing is not an option of fulgurd: take it out"},
		{[]string{"--bitcoin.regtest", "--db.backend=postgres"}, "db.backend"},
		{[]string{"--bitcoin.regtest", "--debuglevel=loud"}, "--debuglevel=loud: the specified debug level [loud]"},
		{[]string{"--bitcoin.regtest", "--debuglevel=info,XYZW=debug"}, "supported subsystems are"},
		{[]string{"--bitcoin.regtest", "--logging.file.compressor=zstd"}, "gzip is the only one"},
		{[]string{"--bitcoin.regtest", "--logging.file.max-file-size=0"}, "at least 1 megabyte"},
		{[]string{"--bitcoin.regtest", "--maxlogfiles=-1"}, "want 0 or more"},
		{[]string{"--bitcoin.regtest", "--tlscertduration=59s"}, "at least 1m"},
		{[]string{"--bitcoin.regtest", "--upfront-shutdown-address=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}, "--upfront-shutdown-address"},
		{[]string{"--bitcoin.regtest", "--configfile=/nowhere/at.all"}, "/nowhere/at.all"},
	} {
		if devBuild && strings.Contains(tt.want, "tag dev") {
			continue
		}
		_, err := load(t, tt.args...)
		require.ErrorContains(t, err, tt.want, "%v", tt.args)
	}
}

// TestTorHidesTheListener: with Tor on, nobody comes in past it unless told to.
func TestTorHidesTheListener(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--tor.active")
	require.NoError(t, err)
	require.Equal(t, []string{"localhost:9735"}, c.Listeners)
	c, err = load(t, "--bitcoin.regtest", "--tor.active", "--listen=:9999")
	require.NoError(t, err)
	require.Equal(t, []string{":9999"}, c.Listeners)
}

// TestSeeds: the private networks have none, unless they are named.
func TestSeeds(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want bool
	}{
		{[]string{"--bitcoin.regtest"}, false},
		{[]string{"--bitcoin.regtest", "--bitcoin.dnsseed=seed.example"}, true},
		{[]string{"--bitcoin.signet"}, true},
		{[]string{"--bitcoin.signet", "--nobootstrap"}, false},
	} {
		c, err := load(t, tt.args...)
		require.NoError(t, err)
		require.Equal(t, tt.want, c.seeds() != nil, "%v", tt.args)
	}
}

func TestOptionsWithoutEffectAreNamed(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--channel-commit-interval=10ms")
	require.NoError(t, err)
	require.Equal(t, []string{"--channel-commit-interval has no effect here"}, c.warnings)
}

// TestConfigFile: lnd's file is read from lnd's directory; the command line counts
// more.
func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	text := "[Application Options]\nalias=from file\nlisten=127.0.0.1:1\n[Bitcoin]\nbitcoin.active=1\nbitcoin.simnet=1\nbitcoin.basefee=7\n[btcd]\nbtcd.rpcuser=me\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lnd.conf"), []byte(text), 0o600))
	c, err := loadConfig([]string{"--lnddir=" + dir, "--alias=from line"}, os.Stdout)
	require.NoError(t, err)
	require.Equal(t, "simnet", c.network)
	require.Equal(t, "from line", c.Alias)
	require.Equal(t, uint32(7), c.Bitcoin.BaseFee)
	require.Equal(t, "me", c.Btcd.User)
	require.Equal(t, []string{"127.0.0.1:1"}, c.Listeners)
}

// TestConfigFileSections: of an option in several sections, known ones or not, the later
// one counts; of a wrong one the line is told, and what to do about it.
func TestConfigFileSections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.conf")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	for range 10 {
		write("[Application Options]\nalias=one\n[tor]\n; nothing\n[Unheard of]\nalias=two\nlisten=127.0.0.1:1\n  [Bitcoin]  \nbitcoin.regtest=true\nalias=three\nlisten=127.0.0.1:2\n")
		c, err := load(t, "--configfile="+path)
		require.NoError(t, err)
		require.Equal(t, "three", c.Alias)
		require.Equal(t, []string{"127.0.0.1:1", "127.0.0.1:2"}, c.Listeners)
	}
	c, err := load(t, "--configfile="+path, "--listen=127.0.0.1:3")
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:3"}, c.Listeners, "the command line's list stands for the file's")
	write("[Bitcoin]\nbitcoin.regtest=1\n\n[wtclient]\nwtclient.active=1\n")
	_, err = load(t, "--configfile="+path)
	require.ErrorContains(t, err, "my.conf, line 5: --wtclient.active is not supported: watchtowers are not used yet")
	write("bitcoin.regtest=1\nmaxbackoff=long\n")
	_, err = load(t, "--configfile="+path)
	require.ErrorContains(t, err, "line 2")
}

// TestSettingsTellNoSecrets: GetDebugInfo shows every option, but not what is secret.
func TestSettingsTellNoSecrets(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--btcd.rpcpass=hush", "--tor.password=hush", "--fee.url=https://me:hush@fees.example/?key=hush", "--maxlogfiles=3")
	require.NoError(t, err)
	s := c.settings()
	require.Equal(t, "[redacted]", s["btcd.rpcpass"])
	require.Equal(t, "80", s["bitcoin.timelockdelta"])
	require.Equal(t, "3", s["maxlogfiles"])
	require.Equal(t, "regtest", s["network"])
	for name, value := range s {
		require.NotContains(t, value, "hush", name)
	}
}

// TestDirectories: data and logs can lie elsewhere.
func TestDirectories(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--datadir=/d", "--logdir=/l")
	require.NoError(t, err)
	require.Equal(t, "/d/chain/bitcoin/regtest/admin.macaroon", c.AdminMacaroon)
	require.Equal(t, "/d/graph/regtest", c.graphDir())
	require.Equal(t, "/l/bitcoin/regtest/fulgurd.log", c.logPath())
}

func TestForeignDatabasesAreRefused(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest")
	require.NoError(t, err)
	require.NoError(t, refuseForeign(c))
	for _, path := range foreign(c) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.ErrorContains(t, refuseForeign(c), path)
		require.NoError(t, os.Remove(path))
	}
}

// TestUpfrontScript: the address of --upfront-shutdown-address goes into new channels.
func TestUpfrontScript(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--upfront-shutdown-address=bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
	require.NoError(t, err)
	require.Len(t, c.policies().Upfront, 22)
}

// TestShowSubsystems: --debuglevel=show ends there.
func TestShowSubsystems(t *testing.T) {
	var out strings.Builder
	_, err := loadConfig([]string{"--debuglevel=show"}, &out)
	require.ErrorIs(t, err, errShown)
	require.Contains(t, out.String(), "PEER")
}

func TestSplitPeer(t *testing.T) {
	key := "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	id, addr, err := splitPeer(key + "@host:1")
	require.NoError(t, err)
	require.Equal(t, key, id.String())
	require.Equal(t, "host:1", addr)
	for _, bad := range []string{key, "@host", "00@host", strings.Repeat("0", 66) + "@host"} {
		_, _, err := splitPeer(bad)
		require.Error(t, err, bad)
	}
}

func vaultOf(t *testing.T, dir string) *vault {
	t.Helper()
	db, err := channeldb.Open(filepath.Join(dir, "fulgur.db"), channeldb.Options{Fatal: func(err error) { panic(err) }})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	store, err := macaroons.Open(filepath.Join(dir, "macaroons.db"), macaroons.Options{ScryptLogN: 4})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return newVault(db, store, macaroons.NewBakery(store), macaroons.Files(dir), keys.CoinTest)
}

func TestVault(t *testing.T) {
	dir := t.TempDir()
	v := vaultOf(t, dir)
	_, err := v.Unlock([]byte("password"), unlocker.Options{})
	require.ErrorIs(t, err, errNoWallet)
	_, _, err = v.GenSeed(nil, make([]byte, 15))
	require.ErrorContains(t, err, "incorrect entropy length")
	words, enciphered, err := v.GenSeed([]byte("phrase"), make([]byte, 16))
	require.NoError(t, err)
	require.Len(t, words, keys.NumWords)
	require.Len(t, enciphered, 33)
	_, err = v.Init([]byte("short"), words, []byte("phrase"), unlocker.Options{})
	require.ErrorIs(t, err, errShortPassword)
	_, err = v.Init([]byte("password"), words[1:], []byte("phrase"), unlocker.Options{})
	require.Error(t, err)
	_, err = v.Init([]byte("password"), words, []byte("wrong"), unlocker.Options{})
	require.ErrorIs(t, err, keys.ErrSeedPassphrase)
	for _, b := range []unlocker.Backups{{Multi: []byte("none of ours")}, {Singles: [][]byte{nil, {1}}}} {
		_, err = v.Init([]byte("password"), words, []byte("phrase"), unlocker.Options{Backups: b})
		require.ErrorIs(t, err, backup.ErrKey)
	}
	ring, err := keys.NewRing(make([]byte, 16), keys.CoinTest)
	require.NoError(t, err)
	base, err := ring.PubKey(keys.KeyLoc{Family: keys.FamilyBackup})
	require.NoError(t, err)
	good := unlocker.Backups{Multi: backup.Seal(backup.NewKey(base), backup.Nonce{}, nil)}
	admin, err := v.Init([]byte("password"), words, []byte("phrase"), unlocker.Options{Window: 5, Stateless: true, Backups: good})
	require.NoError(t, err)
	num, err := v.db.NextChanNum()
	require.NoError(t, err)
	require.Greater(t, num, uint64(1_000_000), "a seed from elsewhere may have had channels")
	require.NotEmpty(t, admin)
	require.NoFileExists(t, filepath.Join(dir, "admin.macaroon"), "stateless")
	u := <-v.opened
	require.Equal(t, [16]byte{}, u.seed.Entropy)
	require.Equal(t, uint32(5), u.window)
	require.Equal(t, good, u.backups)
	_, err = v.Init([]byte("password"), words, []byte("phrase"), unlocker.Options{})
	require.ErrorIs(t, err, errHasWallet)
	v.now = func() time.Time { return time.Now().AddDate(10, 0, 0) }
	_, err = v.Init([]byte("password"), words, []byte("phrase"), unlocker.Options{})
	require.ErrorIs(t, err, errHasWallet)
	next, err := v.db.NextChanNum()
	require.NoError(t, err)
	require.Equal(t, num+1, next)
	_, err = v.Unlock([]byte("password"), unlocker.Options{})
	require.ErrorIs(t, err, errOpened)

	require.NoError(t, v.store.Close())
	require.NoError(t, v.db.Close())
	v = vaultOf(t, dir)
	_, err = v.Unlock([]byte("passw0rd"), unlocker.Options{})
	require.ErrorIs(t, err, keys.ErrPassword)
	_, err = v.Unlock([]byte("password"), unlocker.Options{Backups: unlocker.Backups{Multi: []byte("none of ours")}})
	require.ErrorIs(t, err, backup.ErrKey, "and it can be unlocked without")
	_, err = v.Unlock([]byte("password"), unlocker.Options{})
	require.NoError(t, err)
	require.Equal(t, [16]byte{}, (<-v.opened).seed.Entropy)
	st, err := os.Stat(filepath.Join(dir, "admin.macaroon"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
}

func TestOwnSeedIsFresh(t *testing.T) {
	v := vaultOf(t, t.TempDir())
	words, _, err := v.GenSeed(nil, nil)
	require.NoError(t, err)
	_, err = v.Init([]byte("password"), words, nil, unlocker.Options{})
	require.NoError(t, err)
	num, err := v.db.NextChanNum()
	require.NoError(t, err)
	require.EqualValues(t, 1, num)
}

func TestBackupFile(t *testing.T) {
	f := backupFile{filepath.Join(t.TempDir(), "sub", "channel.backup")}
	b, err := f.Load()
	require.NoError(t, err)
	require.Nil(t, b)
	require.NoError(t, f.Save([]byte("one")))
	require.NoError(t, f.Save([]byte("two")))
	b, err = f.Load()
	require.NoError(t, err)
	require.Equal(t, "two", string(b))
	st, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	name, err := f.SetAside()
	require.NoError(t, err)
	require.FileExists(t, name)
	require.NoFileExists(t, f.path)
}

func TestNoSeedBackupOpensTheSameWalletAgain(t *testing.T) {
	dir := t.TempDir()
	v := vaultOf(t, dir)
	require.NoError(t, v.noSeedBackup())
	first := <-v.opened
	require.NoError(t, v.store.Close())
	require.NoError(t, v.db.Close())
	v = vaultOf(t, dir)
	require.NoError(t, v.noSeedBackup())
	require.Equal(t, first.seed, (<-v.opened).seed)
}
