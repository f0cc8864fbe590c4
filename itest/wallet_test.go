package itest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// locked starts a node whose wallet is not open, and waits for that state.
func (n *node) locked(state lnrpc.WalletState) lnrpc.WalletUnlockerClient {
	n.t.Helper()
	n.launch()
	n.await(state)
	return lnrpc.NewWalletUnlockerClient(n.dial(nil))
}

// opened waits until a wallet that was just opened works.
func (n *node) opened() {
	n.t.Helper()
	n.await(lnrpc.WalletState_SERVER_ACTIVE)
	n.connectAPI()
	n.synced()
}

const password = "correct horse"

// TestWalletLife makes a wallet, locks it by a restart, opens it, and restores it from
// its words in another directory.
func TestWalletLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.newNode("alice")
	u := alice.locked(lnrpc.WalletState_NON_EXISTING)
	_, err := lnrpc.NewLightningClient(alice.dial(nil)).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "wallet not created")
	seed, err := u.GenSeed(soon(t), &lnrpc.GenSeedRequest{AezeedPassphrase: []byte("salt")})
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
		_, err := u.InitWallet(soon(t), c.req)
		require.ErrorContains(t, err, c.words)
	}
	init := &lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: seed.CipherSeedMnemonic, AezeedPassphrase: []byte("salt")}
	made, err := u.InitWallet(soon(t), init)
	require.NoError(t, err)
	alice.opened()
	_, err = lnrpc.NewLightningClient(alice.dial(made.AdminMacaroon)).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	id := alice.id
	alice.fund(800_000)
	_, err = w.chain.Miner().PayAddress(t.Context(), alice.addressOf(lnrpc.AddressType_TAPROOT_PUBKEY), 150_000)
	require.NoError(t, err)
	_, err = w.chain.Miner().PayAddress(t.Context(), alice.addressOf(lnrpc.AddressType_NESTED_PUBKEY_HASH), 50_000)
	require.NoError(t, err)
	w.mine(1)
	require.Equal(t, int64(1_000_000), alice.wallet().ConfirmedBalance)

	unlocks(t, alice, id)
	alice.stop()
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

func (n *node) addressOf(kind lnrpc.AddressType) string {
	n.t.Helper()
	a, err := n.ln.NewAddress(soon(n.t), &lnrpc.NewAddressRequest{Type: kind})
	require.NoError(n.t, err)
	return a.Address
}

// unlocks opens the wallet of a restarted node: a wrong password does nothing, the
// right one gives the same node back.
func unlocks(t *testing.T, n *node, id string) {
	t.Helper()
	n.stop()
	u := n.locked(lnrpc.WalletState_LOCKED)
	_, err := lnrpc.NewLightningClient(n.dial(n.macaroon("admin"))).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "wallet locked, unlock it to enable full RPC access")
	_, err = u.UnlockWallet(soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte("wrong horse")})
	require.ErrorContains(t, err, "invalid passphrase for master public key")
	_, err = u.InitWallet(soon(t), &lnrpc.InitWalletRequest{WalletPassword: []byte(password), CipherSeedMnemonic: make([]string, 24)})
	require.Error(t, err)
	_, err = u.UnlockWallet(soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte(password)})
	require.NoError(t, err)
	n.opened()
	require.Equal(t, id, n.id)
	require.Equal(t, int64(1_000_000), n.wallet().ConfirmedBalance)
	_, err = u.UnlockWallet(soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte(password)})
	require.ErrorContains(t, err, "wallet already unlocked")

	n.stop() // and once as scripts do it
	n.locked(lnrpc.WalletState_LOCKED)
	c := n.fulgur(password+"\n", "unlock", "--stdin")
	require.Zero(t, c.code, c.err)
	n.opened()
	require.Equal(t, id, n.id)
}

// restores makes the same wallet from the words in a new directory: with a window it
// finds the coins, and they can be spent.
func restores(t *testing.T, w *world, init *lnrpc.InitWalletRequest, id string) {
	t.Helper()
	n := w.newNode("restored")
	u := n.locked(lnrpc.WalletState_NON_EXISTING)
	init.RecoveryWindow = 100
	_, err := u.InitWallet(soon(t), init)
	require.NoError(t, err)
	n.opened()
	require.Equal(t, id, n.id)
	require.Equal(t, int64(1_000_000), n.wallet().ConfirmedBalance)
	sent, err := n.ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: w.chain.Miner().Address(), SendAll: true, SatPerVbyte: 2})
	require.NoError(t, err)
	w.inMempool(w.txid(sent.Txid))
	w.mine(1)
	require.Zero(t, n.wallet().TotalBalance)
	require.Equal(t, int64(1_000_000), w.tx(w.txid(sent.Txid)).TxOut[0].Value+w.minersFee(w.txid(sent.Txid)))
}

// TestWalletByCommandLine makes a wallet in conversation, and by REST opens it.
func TestWalletByCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.newNode("alice")
	n.locked(lnrpc.WalletState_NON_EXISTING)
	c := n.fulgur(strings.Join([]string{"tooshort", "different", ""}, "\n"), "create")
	require.Equal(t, 1, c.code)
	require.Contains(t, c.err, "different passwords")
	c = n.fulgur(strings.Join([]string{password, password, "no", "", "yes", ""}, "\n"), "create")
	require.Zero(t, c.code, c.err)
	require.Len(t, regexp.MustCompile(`(?m)\d+\. [a-z]{3,}`).FindAllString(c.err, -1), 24, c.err)
	n.opened()
	id := n.id
	c = n.fulgur("", "create")
	require.Equal(t, 1, c.code)
	n.stop()

	n.locked(lnrpc.WalletState_LOCKED)
	var state struct{ State string }
	web := n.web()
	web.macaroon = ""
	web.call(&state, http.MethodGet, "/v1/state", nil)
	require.Equal(t, "LOCKED", state.State)
	require.Contains(t, web.refused(http.MethodPost, "/v1/unlockwallet", map[string]any{"wallet_password": []byte("wrong horse")}), "invalid passphrase")
	web.call(nil, http.MethodPost, "/v1/unlockwallet", map[string]any{"wallet_password": []byte(password)})
	n.opened()
	require.Equal(t, id, n.id)
}

// TestWalletSends: what the wallet refuses to send, and sending all.
func TestWalletSends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("alice")
	n.fund(300_000)
	n.fund(200_000)
	to := w.chain.Miner().Address()
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
		_, err := n.ln.SendCoins(soon(t), c.req)
		require.ErrorContains(t, err, c.words, c.req)
	}
	require.Equal(t, int64(500_000), n.wallet().ConfirmedBalance)
	sent, err := n.ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: to, Amount: 123_456, SatPerVbyte: 5, Label: "rent"})
	require.NoError(t, err)
	fee := w.minersFee(w.txid(sent.Txid))
	require.Equal(t, int64(500_000)-123_456-fee, n.wallet().TotalBalance)
	n.kill() // what was sent is known, also to the next process
	n.start()
	require.Equal(t, int64(500_000)-123_456-fee, n.wallet().TotalBalance)
	w.mine(1)
	require.Equal(t, int64(500_000)-123_456-fee, n.wallet().ConfirmedBalance)
	require.Equal(t, "rent", transaction(n, sent.Txid).Label)
}
