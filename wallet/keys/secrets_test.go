package keys

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// firstIndex is the index of the first secret.
const firstIndex uint64 = 281474976710655

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
		got := commitment.SecretFromRoot(v.seed, firstIndex-v.index)
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
			for _, family := range []uint32{FamilyRevocationRoot, FamilyRevocationRoot | SharedRoot} {
				root, err := ring.secretRoot(KeyLoc{Family: family, Index: index})
				require.NoError(t, err)
				require.False(t, seen[root])
				seen[root] = true
			}
		}
	}
}

// A shared root can be had from either of its two keys, by who has its private part.
//
// B3.secret.1
func TestSharedRoot(t *testing.T) {
	ring := testRing(t)
	root, err := ring.secretRoot(ChannelLocs(7).Root)
	require.NoError(t, err)
	funding, err := ring.derive(ChannelLocs(7).Funding)
	require.NoError(t, err)
	other, err := ring.PubKey(KeyLoc{Family: FamilyRevocationRoot, Index: 7})
	require.NoError(t, err)
	pub, err := other.Parse()
	require.NoError(t, err)
	require.EqualValues(t, sha256.Sum256(compressedDH(&funding, pub)), root)
}

func compressedDH(k *btcec.ModNScalar, pub *btcec.PublicKey) []byte {
	secret := btcec.GenerateSharedSecret(btcec.PrivKeyFromScalar(k), pub) // x alone
	for _, sign := range []byte{2, 3} {
		p, _ := btcec.ParsePubKey(append([]byte{sign}, secret...))
		var point, want btcec.JacobianPoint
		pub.AsJacobian(&point)
		btcec.ScalarMultNonConst(k, &point, &want)
		want.ToAffine()
		if p.Y().Cmp(btcec.NewPublicKey(&want.X, &want.Y).Y()) == 0 {
			return p.SerializeCompressed()
		}
	}
	return nil
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
		index := firstIndex - n
		want := root
		for b := 47; b >= 0; b-- {
			if index>>b&1 == 1 {
				want[b/8] ^= 1 << (b % 8)
				want = sha256.Sum256(want[:])
			}
		}
		require.Equal(t, want, ring.Secret(at, n))
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
	require.NotEqual(t, root, ring.Secret(at, firstIndex-1))
	require.Panics(t, func() { ring.Secret(at, firstIndex) }, "index 0 is the root")
	require.Panics(t, func() { ring.Point(at, firstIndex+1) })
	require.Panics(t, func() { ring.Secret(KeyLoc{Index: hardened}, 0) })
	require.Panics(t, func() { ring.Secret(KeyLoc{Family: SharedRoot | FamilyRevocationRoot, Index: hardened}, 0) })
}

// The peer's store accepts all our secrets in order and finds them again: they are a
// tree.
//
// B3.secret.3
func TestSecretsAreATree(t *testing.T) {
	ring := testRing(t)
	at := KeyLoc{Family: FamilyRevocationRoot}
	var peer commitment.ShaChain
	for n := range uint64(200) {
		require.True(t, peer.Insert(n, ring.Secret(at, n)))
	}
	for n := range uint64(200) {
		secret, ok := peer.Lookup(n)
		require.True(t, ok)
		require.Equal(t, ring.Secret(at, n), secret)
	}
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
