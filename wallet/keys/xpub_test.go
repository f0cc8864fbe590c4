package keys

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tyler-smith/go-bip39"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The account of BIP 84's vectors, as it is written there, and BIP 86's.
func TestXPubVectors(t *testing.T) {
	ring, err := NewRing(bip39.NewSeed(abandon, ""), CoinMainnet)
	require.NoError(t, err)
	for kind, want := range map[AccountKind]string{
		P2WKH: "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs",
		P2TR:  "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ",
	} {
		x, version, err := ParseXPub(want)
		require.NoError(t, err)
		a := ring.Account(kind)
		require.Equal(t, a.ID, x)
		require.Equal(t, want, x.Text(version))
		again, err := NewAccount(kind, x)
		require.NoError(t, err)
		for b := External; b <= Internal; b++ {
			mine, err := a.PubKey(b, 7)
			require.NoError(t, err)
			theirs, err := again.PubKey(b, 7)
			require.NoError(t, err)
			require.Equal(t, mine, theirs)
		}
	}
	for text, why := range map[string]string{
		"":     "length is invalid",
		"zpub": "length is invalid",
		"zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYt": "checksum",
		"xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi": "private keys cannot be imported",
	} {
		_, _, err := ParseXPub(text)
		require.ErrorContains(t, err, why)
	}
}

// A path leads to the key that the wallet and the node name otherwise; every other path
// and every other key leads nowhere.
func TestSignPaths(t *testing.T) {
	ring, err := NewRing(fromHex(t, "4a7611b6979ba7c4bc5c5cd2239b2973"), CoinTest)
	require.NoError(t, err)
	coin, err := ring.CoinKey(CoinLoc{Account: P2WKH, Number: 3, Branch: Internal, Index: 5})
	require.NoError(t, err)
	node, err := ring.Key(KeyLoc{Family: 300, Index: 9})
	require.NoError(t, err)
	id := func(k *Key) []byte { p := k.ID(); return p[:] }
	h := uint32(hardened)
	jobs := []PathJob{
		{Path: []uint32{84 + h, h, 3 + h, 1, 5}, Key: id(coin), Digest: [32]byte{1}},
		{Path: []uint32{1017 + h, 1 + h, 300 + h, 0, 9}, Key: id(node)[1:], Digest: [32]byte{2}},
		{Path: []uint32{1017 + h, 1 + h, 300 + h, 0, 9}, Key: id(node), Schnorr: true},
		{Path: []uint32{84 + h, h, 3 + h, 1, 5}, Key: id(node)},     // another key
		{Path: []uint32{1017 + h, h, 300 + h, 0, 9}, Key: id(node)}, // another coin
		{Path: []uint32{84 + h, 1 + h, 3 + h, 1, 5}, Key: id(coin)}, // another coin
		{Path: []uint32{84 + h, h, 3 + h, 2, 5}, Key: id(coin)},     // no such branch
		{Path: []uint32{84, h, 3 + h, 1, 5}, Key: id(coin)},         // not hardened
		{Path: []uint32{84 + h, h, 3 + h, 1, 5 + h}, Key: id(coin)}, // hardened
		{Path: []uint32{44 + h, h, 3 + h, 1, 5}, Key: id(coin)},     // no such purpose
		{Path: []uint32{84 + h, h, 3 + h, 1}, Key: id(coin)},        // too short
		{Key: id(coin)},
	}
	sigs := ring.SignPaths(jobs)
	require.True(t, lnwire.VerifySig([32]byte{1}, coin.ID(), *sigs[0]))
	require.True(t, lnwire.VerifySig([32]byte{2}, node.ID(), *sigs[1]))
	require.NotNil(t, sigs[2])
	for i := 3; i < len(jobs); i++ {
		require.Nil(t, sigs[i], i)
	}
	_, err = ring.CoinKey(CoinLoc{Account: P2WKH, Number: Foreign})
	require.ErrorContains(t, err, "not of this wallet")
	require.NotEqual(t, lnwire.PubKey{}, coin.ID())
}
