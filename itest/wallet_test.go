package itest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// locked starts a node whose wallet is not open, and waits for that state.
func startLocked(n *rig.Node, state lnrpc.WalletState) lnrpc.WalletUnlockerClient {
	n.T.Helper()
	n.Launch()
	n.Await(state)
	return lnrpc.NewWalletUnlockerClient(n.Dial(nil))
}

// opened waits until a wallet that was just opened works.
func opened(n *rig.Node) {
	n.T.Helper()
	n.Await(lnrpc.WalletState_SERVER_ACTIVE)
	n.ConnectAPI()
	n.Synced()
}

const password = "correct horse"

// TestWalletLife makes a wallet, locks it by a restart, opens it, and restores it from
// its words in another directory.
func TestWalletLife(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.NewNode("alice")
	u := startLocked(alice, lnrpc.WalletState_NON_EXISTING)
	_, err := lnrpc.NewLightningClient(alice.Dial(nil)).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "wallet not created")
	seed, err := u.GenSeed(rig.Soon(t), &lnrpc.GenSeedRequest{AezeedPassphrase: []byte("salt")})
	require.NoError(t, err)
	require.Len(t, seed.CipherSeedMnemonic, 24)
	for _, c := range []struct {
		req   *lnrpc.InitWalletRequest
		words string
	}{
		{&lnrpc.InitWalletRequest{WalletPassword: []byte("short"), CipherSeedMnemonic: seed.CipherSeedMnemonic, AezeedPassphrase: []byte("salt")}, "at least 8 characters"},
		{&lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: seed.CipherSeedMnemonic[:23]}, "24"},
		{&lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: seed.CipherSeedMnemonic}, "wrong passphrase"},
		{&lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: swapped(seed.CipherSeedMnemonic), AezeedPassphrase: []byte("salt")}, "checksum"},
	} {
		_, err := u.InitWallet(rig.Soon(t), c.req)
		require.ErrorContains(t, err, c.words)
	}
	init := &lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: seed.CipherSeedMnemonic, AezeedPassphrase: []byte("salt")}
	made, err := u.InitWallet(rig.Soon(t), init)
	require.NoError(t, err)
	opened(alice)
	_, err = lnrpc.NewLightningClient(alice.Dial(made.AdminMacaroon)).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	id := alice.ID
	alice.Fund(800_000)
	_, err = w.Chain.Miner().PayAddress(t.Context(), addressOf(alice, lnrpc.AddressType_TAPROOT_PUBKEY), 150_000)
	require.NoError(t, err)
	_, err = w.Chain.Miner().PayAddress(t.Context(), addressOf(alice, lnrpc.AddressType_NESTED_PUBKEY_HASH), 50_000)
	require.NoError(t, err)
	w.Mine(1)
	require.Equal(t, int64(1_000_000), alice.Wallet().ConfirmedBalance)

	unlocks(t, alice, id)
	for range 30 { // many that nobody pays
		alice.Address()
	}
	_, err = w.Chain.Miner().PayAddress(t.Context(), alice.Address(), 70_000)
	require.NoError(t, err)
	w.Mine(1)
	alice.Stop()
	restores(t, w, init, id)
}

// swapped are words of which two changed places.
func swapped(words []string) []string {
	out := append([]string(nil), words...)
	out[3], out[7] = out[7], out[3]
	if out[3] == out[7] {
		out[3], out[8] = out[8], out[3]
	}
	return out
}

func addressOf(n *rig.Node, kind lnrpc.AddressType) string {
	n.T.Helper()
	a, err := n.LN.NewAddress(rig.Soon(n.T), &lnrpc.NewAddressRequest{Type: kind})
	require.NoError(n.T, err)
	return a.Address
}

// unlocks opens the wallet of a restarted node: a wrong password does nothing, the
// right one gives the same node back.
func unlocks(t *testing.T, n *rig.Node, id string) {
	t.Helper()
	n.Stop()
	u := startLocked(n, lnrpc.WalletState_LOCKED)
	_, err := lnrpc.NewLightningClient(n.Dial(n.Macaroon("admin"))).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "wallet locked, unlock it to enable full RPC access")
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte("wrong horse")})
	require.ErrorContains(t, err, "invalid passphrase for master public key")
	_, err = u.InitWallet(rig.Soon(t), &lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: make([]string, 24)})
	require.Error(t, err)
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte(password)})
	require.NoError(t, err)
	opened(n)
	require.Equal(t, id, n.ID)
	require.Equal(t, int64(1_000_000), n.Wallet().ConfirmedBalance)
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte(password)})
	require.ErrorContains(t, err, "wallet already unlocked")

	n.Stop() // and once as scripts do it
	startLocked(n, lnrpc.WalletState_LOCKED)
	c := n.Fulgur(password+"\n", "unlock", "--stdin")
	require.Zero(t, c.Code, c.Err)
	opened(n)
	require.Equal(t, id, n.ID)
}

// restores makes the same wallet from the words in a new directory: with a window it
// finds the coins, those that lie beyond it with a longer one at a later start, and they
// can be spent.
func restores(t *testing.T, w *rig.World, init *lnrpc.InitWalletRequest, id string) {
	t.Helper()
	n := w.NewNode("restored")
	u := startLocked(n, lnrpc.WalletState_NON_EXISTING)
	init.RecoveryWindow = 5
	_, err := u.InitWallet(rig.Soon(t), init)
	require.NoError(t, err)
	opened(n)
	require.Equal(t, id, n.ID)
	require.Equal(t, int64(1_000_000), n.Wallet().ConfirmedBalance)
	n.Stop()
	u = startLocked(n, lnrpc.WalletState_LOCKED) // that was too near
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: init.WalletPassword, RecoveryWindow: 50})
	require.NoError(t, err)
	opened(n)
	rig.Eventually(t, "old blocks are searched again", func() bool {
		r, err := n.LN.GetRecoveryInfo(rig.Soon(t), &lnrpc.GetRecoveryInfoRequest{})
		require.NoError(t, err)
		return r.RecoveryMode && r.RecoveryFinished
	})
	require.Equal(t, int64(1_070_000), n.Wallet().ConfirmedBalance)
	sent, err := n.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: w.Chain.Miner().Address(), SendAll: true, SatPerVbyte: 2})
	require.NoError(t, err)
	w.InMempool(w.Txid(sent.Txid))
	w.Mine(1)
	require.Zero(t, n.Wallet().TotalBalance)
	require.Equal(t, int64(1_070_000), w.Tx(w.Txid(sent.Txid)).TxOut[0].Value+w.MinersFee(w.Txid(sent.Txid)))
}

// TestWalletByCommandLine makes a wallet in conversation, and by REST opens it.
func TestWalletByCommandLine(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	n := w.NewNode("alice")
	startLocked(n, lnrpc.WalletState_NON_EXISTING)
	c := n.Fulgur(strings.Join([]string{"tooshort", "different", ""}, "\n"), "create")
	require.Equal(t, 1, c.Code)
	require.Contains(t, c.Err, "different passwords")
	c = n.Fulgur(strings.Join([]string{password, password, "no", "", "yes", ""}, "\n"), "create")
	require.Zero(t, c.Code, c.Err)
	require.Len(t, regexp.MustCompile(`(?m)\d+\. [a-z]{3,}`).FindAllString(c.Err, -1), 24, c.Err)
	opened(n)
	id := n.ID
	c = n.Fulgur("", "create")
	require.Equal(t, 1, c.Code)
	n.Stop()

	startLocked(n, lnrpc.WalletState_LOCKED)
	var state struct{ State string }
	web := n.Web()
	web.Macaroon = ""
	web.Call(&state, http.MethodGet, "/v1/state", nil)
	require.Equal(t, "LOCKED", state.State)
	require.Contains(t, web.Refused(http.MethodPost, "/v1/unlockwallet", map[string]any{"wallet_password": []byte("wrong horse")}), "invalid passphrase")
	web.Call(nil, http.MethodPost, "/v1/unlockwallet", map[string]any{"wallet_password": []byte(password)})
	opened(n)
	require.Equal(t, id, n.ID)
}

// TestWalletSends: what the wallet refuses to send, and sending all.
func TestWalletSends(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	n := w.Node("alice")
	n.Fund(300_000)
	n.Fund(200_000)
	to := w.Chain.Miner().Address()
	for _, c := range []struct {
		req   *lnrpc.SendCoinsRequest
		words string
	}{
		{&lnrpc.SendCoinsRequest{Addr: to, Amount: 600_000, SatPerVbyte: 2}, "insufficient funds available to construct transaction"},
		{&lnrpc.SendCoinsRequest{Addr: to, Amount: 1000, SendAll: true}, "amount set while SendAll is active"},
		{&lnrpc.SendCoinsRequest{Addr: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Amount: 1000}, "addr"},
		{&lnrpc.SendCoinsRequest{Addr: to, Amount: 1}, "dust"},
		{&lnrpc.SendCoinsRequest{Addr: to}, "amount"},
		{&lnrpc.SendCoinsRequest{Addr: to, Amount: -5}, "amount"},
	} {
		_, err := n.LN.SendCoins(rig.Soon(t), c.req)
		require.ErrorContains(t, err, c.words, c.req)
	}
	require.Equal(t, int64(500_000), n.Wallet().ConfirmedBalance)
	sent, err := n.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: to, Amount: 123_456, SatPerVbyte: 5, Label: "rent"})
	require.NoError(t, err)
	w.InMempool(w.Txid(sent.Txid))
	fee := w.MinersFee(w.Txid(sent.Txid))
	require.Equal(t, int64(500_000)-123_456-fee, n.Wallet().TotalBalance)
	n.Kill() // what was sent is known, also to the next process
	n.Start()
	require.Equal(t, int64(500_000)-123_456-fee, n.Wallet().TotalBalance)
	w.Mine(1)
	require.Equal(t, int64(500_000)-123_456-fee, n.Wallet().ConfirmedBalance)
	require.Equal(t, "rent", transaction(n, sent.Txid).Label)
}
