package keys

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// BOLT 3, appendix D, generation tests.
//
// B3.secret.3
func TestGenerateFromSeedVectors(t *testing.T) {
	repeat := func(b byte) lnwire.Secret { return lnwire.Secret(bytes.Repeat([]byte{b}, 32)) }
	for _, v := range []struct {
		seed  lnwire.Secret
		index uint64
		want  string
	}{
		{repeat(0), 281474976710655, "02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148"},
		{repeat(0xff), 281474976710655, "7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc"},
		{repeat(0xff), 0xaaaaaaaaaaa, "56f4008fb007ca9acf0e15b054d5c9fd12ee06cea347914ddbaed70d1c13a528"},
		{repeat(0xff), 0x555555555555, "9015daaeb06dba4ccc05b91b2f73bd54405f2be9f217fbacd3c5ac2e62327d31"},
		{repeat(0x01), 1, "915c75942a26bb3a433a8ce2cb0427c29ec6c1775cfc78328b57f6ba7bfeaa9c"},
	} {
		got := GenerateFromSeed(v.seed, v.index)
		require.Equal(t, fromHex(t, v.want), got[:])
	}
}

// The root of each channel is 256 bits of its own: from the private key at its
// place, so that neither another place, nor another seed, gives the same.
//
// B3.secret.1
func TestSecretRootsDiffer(t *testing.T) {
	other, err := NewRing([]byte("another 16 bytes"), CoinTest)
	require.NoError(t, err)
	seen := map[lnwire.Secret]bool{}
	for _, ring := range []*Ring{testRing(t), other} {
		for index := range uint32(100) {
			root, err := ring.secretRoot(KeyLoc{Family: FamilyRevocationRoot, Index: index})
			require.NoError(t, err)
			require.False(t, seen[root])
			seen[root] = true
		}
	}
}

// Commitment 0 uses index 2^48-1, and from there the index goes down.
//
// B3.secret.2
func TestSecretsCountDown(t *testing.T) {
	ring := testRing(t)
	at := KeyLoc{Family: FamilyRevocationRoot, Index: 3}
	root, err := ring.secretRoot(at)
	require.NoError(t, err)
	for n := range uint64(5) {
		require.Equal(t, GenerateFromSeed(root, 281474976710655-n), ring.Secret(at, n))
	}
}

// The root itself is never given out: neither as the secret of index 0, nor by any
// other number; nor is there a secret beyond the last index.
//
// B3.secret.4 B3.secret.5
func TestSecretsEnd(t *testing.T) {
	ring := testRing(t)
	at := KeyLoc{Family: FamilyRevocationRoot, Index: 3}
	root, err := ring.secretRoot(at)
	require.NoError(t, err)
	require.Equal(t, root, GenerateFromSeed(root, 0))
	require.NotEqual(t, root, ring.Secret(at, FirstSecretIndex-1))
	require.Panics(t, func() { ring.Secret(at, FirstSecretIndex) })
	require.Panics(t, func() { ring.Point(at, FirstSecretIndex+1) })
	require.Panics(t, func() { ring.Secret(KeyLoc{Index: hardened}, 0) })
}

// A later secret reveals the earlier ones below it in the tree, so that the peer
// can keep 49 of them for all.
//
// B3.secret.3
func TestSecretsAreATree(t *testing.T) {
	ring := testRing(t)
	at := KeyLoc{Family: FamilyRevocationRoot}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, FirstSecretIndex-1).Draw(t, "n")
		index := FirstSecretIndex - n
		zeros := 0
		for index>>zeros&1 == 0 {
			zeros++
		}
		below := index
		if zeros > 0 {
			below |= rapid.Uint64Range(0, 1<<zeros-1).Draw(t, "below")
		}
		base := ring.Secret(at, n)
		// Only the low bits are left to apply, below the shared prefix.
		require.Equal(t, ring.Secret(at, FirstSecretIndex-below), GenerateFromSeed(base, below^index))
	})
}

func TestPointIsOfTheSecret(t *testing.T) {
	ring := testRing(t)
	at := KeyLoc{Family: FamilyRevocationRoot, Index: 1}
	secret := ring.Secret(at, 77)
	_, pub := btcec.PrivKeyFromBytes(secret[:])
	require.Equal(t, lnwire.NewPubKey(pub), ring.Point(at, 77))
}

// The derivation of the root is ours and must never change: stored channels name
// only its place.
func TestSecretRootIsFixed(t *testing.T) {
	ring, err := NewRing(fromHex(t, "81b637d86359e6960de795e41e0b4cfd"), CoinMainnet)
	require.NoError(t, err)
	secret := ring.Secret(KeyLoc{Family: FamilyRevocationRoot, Index: 7}, 0)
	require.Equal(t, fromHex(t, fixedSecret), secret[:])
}

const fixedSecret = "b0dfa38d6847f37ae917f17c8f90e4922d78ba8433740129ba785608c2e88fc6"

func BenchmarkPoint(b *testing.B) {
	ring := testRing(b)
	for n := uint64(0); b.Loop(); n++ {
		ring.Point(KeyLoc{Family: FamilyRevocationRoot}, n)
	}
}
