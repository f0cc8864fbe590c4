package keys

import (
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"github.com/tyler-smith/go-bip39"
	"pgregory.net/rapid"
)

// The test vectors of BIP32: seed, path, private key at its end. Vector 3 has keys
// with leading zeros.
func TestBIP32Vectors(t *testing.T) {
	const (
		seed1 = "000102030405060708090a0b0c0d0e0f"
		seed2 = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542"
		seed3 = "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be"
	)
	for _, v := range []struct {
		seed string
		path []uint32
		xprv string
	}{
		{seed1, nil, "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"},
		{seed1, []uint32{hardened}, "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7"},
		{seed1, []uint32{hardened, 1, hardened + 2, 2}, "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334"},
		{seed2, []uint32{0}, "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81dwSM1fwqWpWkeS3v86pgKt"},
		{seed3, nil, "xprv9s21ZrQH143K25QhxbucbDDuQ4naNntJRi4KUfWT7xo4EKsHt2QJDu7KXp1A3u7Bi1j8ph3EGsZ9Xvz9dGuVrtHHs7pXeTzjuxBrCmmhgC6"},
		{seed3, []uint32{hardened}, "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6vcBcBUdJCVVFceUvJFjaPdGZ2y9WACViL4L"},
	} {
		k, err := master(fromHex(t, v.seed))
		require.NoError(t, err)
		for _, i := range v.path {
			if i >= hardened {
				k, err = k.hard(i)
			} else {
				parent := k.withPub()
				k, err = parent.child(i)
			}
			require.NoError(t, err)
		}
		want, err := hdkeychain.NewKeyFromString(v.xprv)
		require.NoError(t, err)
		priv, err := want.ECPrivKey()
		require.NoError(t, err)
		require.Equal(t, priv.Key, k.key, "%s %v", v.seed, v.path)
		require.Equal(t, want.ChainCode(), k.chain[:])
	}
	_, err := master(make([]byte, 15))
	require.ErrorContains(t, err, "seed of 15 bytes")
	_, err = master(make([]byte, 65))
	require.Error(t, err)
}

// Every step agrees with hdkeychain, the trimmed one with the way that lnd's wallet
// uses; and deriving by public keys agrees with deriving by private ones.
func TestDerivationAgreesWithHdkeychain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "seed")
		k, err := master(seed)
		require.NoError(t, err)
		o, err := hdkeychain.NewMaster(seed, &chaincfg.MainNetParams)
		require.NoError(t, err)
		for n := range rapid.IntRange(1, 6).Draw(t, "depth") {
			i := rapid.Uint32Range(0, hardened-1).Draw(t, "index")
			parent := k.withPub()
			kind := rapid.IntRange(0, 2).Draw(t, "kind")
			if n == 0 && kind == 1 {
				kind = 0 // nobody trims a master key
			}
			switch kind {
			case 0:
				k, err = k.hard(i)
				require.NoError(t, err)
				o, err = o.Derive(i | hardened)
			case 1:
				k, err = k.hardTrimmed(i)
				require.NoError(t, err)
				//lint:ignore SA1019 it is what lnd's wallet does
				o, err = o.DeriveNonStandard(i | hardened)
			case 2:
				public := parent.public()
				pub, perr := public.child(i)
				require.NoError(t, perr)
				k, err = parent.child(i)
				require.NoError(t, err)
				require.Equal(t, k.withPub().pub, pub.ser)
				require.Equal(t, k.chain, pub.chain)
				o, err = o.Derive(i)
			}
			require.NoError(t, err, n)
			priv, err := o.ECPrivKey()
			require.NoError(t, err)
			require.Equal(t, priv.Key, k.key)
		}
	})
}

const abandon = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

// The test vectors of BIP84 and BIP86, whose accounts are ours.
func TestBIP84And86Vectors(t *testing.T) {
	ring, err := NewRing(bip39.NewSeed(abandon, ""), CoinMainnet)
	require.NoError(t, err)
	for _, v := range []struct {
		at   CoinLoc
		want string
	}{
		{CoinLoc{Account: P2WKH, Branch: External, Index: 0}, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"},
		{CoinLoc{Account: P2WKH, Branch: External, Index: 1}, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"},
		{CoinLoc{Account: P2WKH, Branch: Internal, Index: 0}, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"},
		{CoinLoc{Account: P2TR, Branch: External, Index: 0}, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"},
		{CoinLoc{Account: P2TR, Branch: External, Index: 1}, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
		{CoinLoc{Account: P2TR, Branch: Internal, Index: 0}, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	} {
		account := ring.Account(v.at.Account)
		pub, err := account.PubKey(v.at.Branch, v.at.Index)
		require.NoError(t, err)
		require.Equal(t, v.want, testAddress(t, v.at.Account, v.at.Branch, pub, &chaincfg.MainNetParams), v.at.String())
	}
}

// The test vector of BIP49, which is for coin 1.
func TestBIP49Vector(t *testing.T) {
	root, err := master(bip39.NewSeed(abandon, ""))
	require.NoError(t, err)
	coin, err := coinKey(root, 49, 1)
	require.NoError(t, err)
	account, err := accountKey(coin, 0)
	require.NoError(t, err)
	parent := account.withPub()
	ext, err := parent.child(0)
	require.NoError(t, err)
	parent = ext.withPub()
	k, err := parent.child(0)
	require.NoError(t, err)
	b := k.key.Bytes()
	require.Equal(t, "c9bdb49cfbaedca21c4b1f3a7803c34636b1d7dc55a717132443fc3f4c5867e8", hex.EncodeToString(b[:]))
	require.Equal(t, "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2",
		testAddress(t, NestedP2WKH, External, k.withPub().pub, &chaincfg.TestNet3Params))
}
