package keys

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcwallet/snacl"
	"github.com/btcsuite/btcwallet/waddrmgr"
	btcw "github.com/btcsuite/btcwallet/wallet"
	"github.com/btcsuite/btcwallet/walletdb"
	_ "github.com/btcsuite/btcwallet/walletdb/bdb" // its driver
	"github.com/stretchr/testify/require"
)

// btcwallet, which lnd's keys come from, derives the same for seeds of every sort:
// plain ones, and those whose path crosses a key with leading zeros. lnd opens the
// scope 1017' with NewScopedKeyManager and its families with NewRawAccount.
func TestAgreesWithBtcwallet(t *testing.T) {
	waddrmgr.SetSecretKeyGen(func(pass *[]byte, _ *waddrmgr.ScryptOptions) (*snacl.SecretKey, error) {
		return snacl.NewSecretKey(pass, 16, 8, 1)
	})
	seeds := [][]byte{[]byte("0123456789abcdef"), shortSeed(t, purpose, 1), shortSeed(t, 86, 0)}
	for _, seed := range seeds {
		ring, err := NewRing(seed, CoinTest)
		require.NoError(t, err)
		checkAgainstBtcwallet(t, seed, ring)
	}
}

// shortSeed finds a seed whose coin key or purpose key begins with a zero byte.
func shortSeed(t *testing.T, purpose, coin uint32) []byte {
	for n := uint32(0); ; n++ {
		seed := make([]byte, 16)
		binary.BigEndian.PutUint32(seed[8:], n)
		root, err := master(seed)
		require.NoError(t, err)
		p, err := root.hard(purpose)
		require.NoError(t, err)
		c, err := p.hardTrimmed(coin)
		require.NoError(t, err)
		if b := c.key.Bytes(); b[0] == 0 {
			return seed
		}
		if b := p.key.Bytes(); b[0] == 0 {
			return seed
		}
	}
}

func checkAgainstBtcwallet(t *testing.T, seed []byte, ring *Ring) {
	net := &chaincfg.RegressionNetParams
	pass := []byte("test")
	loader := btcw.NewLoader(net, t.TempDir(), true, time.Minute, 0)
	w, err := loader.CreateNewWallet(pass, pass, seed, time.Unix(1600000000, 0))
	require.NoError(t, err)
	defer func() { require.NoError(t, loader.UnloadWallet()) }()
	require.NoError(t, w.Unlock(pass, nil))

	p2wkh := waddrmgr.ScopeAddrSchema{ExternalAddrType: waddrmgr.WitnessPubKey, InternalAddrType: waddrmgr.WitnessPubKey}
	err = walletdb.Update(w.Database(), func(tx walletdb.ReadWriteTx) error {
		ns := tx.ReadWriteBucket([]byte("waddrmgr"))
		scope, err := w.Manager.NewScopedKeyManager(ns, waddrmgr.KeyScope{Purpose: purpose, Coin: 1}, p2wkh)
		require.NoError(t, err)
		for f := range uint32(numFamilies) {
			if f > 0 {
				require.NoError(t, scope.NewRawAccount(ns, f))
			}
			addr, err := scope.DeriveFromKeyPath(ns, waddrmgr.DerivationPath{InternalAccount: f, Index: 9})
			require.NoError(t, err)
			want := addr.(waddrmgr.ManagedPubKeyAddress).PubKey().SerializeCompressed()
			got, err := ring.PubKey(KeyLoc{Family: f, Index: 9})
			require.NoError(t, err)
			require.Equal(t, want, got[:], "family %d", f)
		}
		for kind, scope := range []waddrmgr.KeyScope{waddrmgr.KeyScopeBIP0049Plus, waddrmgr.KeyScopeBIP0084, waddrmgr.KeyScopeBIP0086} {
			m, err := w.Manager.FetchScopedKeyManager(scope)
			require.NoError(t, err)
			ext, err := m.NextExternalAddresses(ns, 0, 3)
			require.NoError(t, err)
			in, err := m.NextInternalAddresses(ns, 0, 3)
			require.NoError(t, err)
			account := ring.Account(AccountKind(kind))
			for b, addrs := range [][]waddrmgr.ManagedAddress{ext, in} {
				for i, a := range addrs {
					pub, err := account.PubKey(Branch(b), uint32(i))
					require.NoError(t, err)
					require.Equal(t, a.Address().String(), testAddress(t, AccountKind(kind), Branch(b), pub, net))
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
}
