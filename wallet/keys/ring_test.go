package keys

import (
	"bufio"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The same seed gives lnd's node id, basepoints, addresses and words, also for
// seeds with which lnd's wallet leaves BIP32.
func TestVectorsOfLnd(t *testing.T) {
	f, err := os.Open("testdata/lnd.txt")
	require.NoError(t, err)
	defer f.Close()
	var (
		ring    *Ring
		net     *chaincfg.Params
		entropy [16]byte
		counts  = map[string]int{}
	)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		w := strings.Fields(line)
		if len(w) == 0 || w[0] == "#" {
			continue
		}
		counts[w[0]]++
		switch w[0] {
		case "seed":
			entropy = [16]byte(fromHex(t, w[1]))
			coin := CoinMainnet
			net = &chaincfg.MainNetParams
			if w[2] != "mainnet" {
				coin, net = CoinTest, &chaincfg.RegressionNetParams
			}
			ring, err = NewRing(entropy[:], coin)
			require.NoError(t, err)
		case "words":
			pass := strings.TrimPrefix(w[1], "-")
			seed := Seed{Birthday: uint16(number(t, w[3])), Entropy: entropy}
			words, err := seed.Encode([]byte(pass), [5]byte([]byte(w[2])))
			require.NoError(t, err)
			require.Equal(t, w[5:], words[:])
			back, err := words.Decode([]byte(pass))
			require.NoError(t, err)
			require.Equal(t, seed, back)
		case "key":
			pub, err := ring.PubKey(KeyLoc{Family: number(t, w[1]), Index: number(t, w[2])})
			require.NoError(t, err)
			require.Equal(t, w[3], pub.String(), line)
		case "addr":
			kind := map[string]AccountKind{"49": NestedP2WKH, "84": P2WKH, "86": P2TR}[w[1]]
			branch := Branch(number(t, w[2]))
			account := ring.Account(kind)
			pub, err := account.PubKey(branch, number(t, w[3]))
			require.NoError(t, err)
			require.Equal(t, w[4], testAddress(t, kind, branch, pub, net), line)
		case "ecdh7":
			seven, _ := btcec.PrivKeyFromBytes([]byte{7})
			secret, err := ring.Node().ECDH(seven.PubKey())
			require.NoError(t, err)
			require.Equal(t, w[1], hex.EncodeToString(secret[:]))
		default:
			t.Fatal(line)
		}
	}
	require.Equal(t, map[string]int{"seed": 6, "words": 2, "key": 240, "addr": 72, "ecdh7": 6}, counts)
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	require.NoError(t, err)
	return uint32(n)
}

// Private keys from lnd's lnwallet/btcwallet/signer_test.go.
func TestPrivateKeysOfLnd(t *testing.T) {
	ring, err := NewRing(fromHex(t, "4a7611b6979ba7c4bc5c5cd2239b2973"), CoinTest)
	require.NoError(t, err)
	for at, wif := range map[CoinLoc]string{
		{Account: P2WKH, Branch: External, Index: 0}:           "cPp3XUewCBQVg3pgwVWbtpzDwhWTQpHhu8saN3SdGRTkiLpu1R6h",
		{Account: P2WKH, Branch: Internal, Index: 0}:           "cPUR1nFAeYAtSWSkKoWB6WbzRTbDSGdrGRmv1kVLRPyo7QXph2gt",
		{Account: P2WKH, Branch: External, Index: 12345}:       "cQCdGxqKeGZKiC2uRYMAGenJHkDvajiPieT4Yg7k1BKawjKkywvz",
		{Account: NestedP2WKH, Branch: External, Index: 0}:     "cMwVK2bcTzivPZfcCH585rBGghqsJAP9MdVy8inRti1wZvLn5DvY",
		{Account: NestedP2WKH, Branch: Internal, Index: 0}:     "cNPW9bMtdc2YGBzWzSCXFN4excjrT34nZzGYtfkzkazUrt3dXuv7",
		{Account: NestedP2WKH, Branch: Internal, Index: 12345}: "cNdJt2fSNUJYVSb8JFjhosPcQgNvJ92SjNeNpsf1gUwDVDv2KVRa",
	} {
		want, err := btcutil.DecodeWIF(wif)
		require.NoError(t, err)
		key, err := ring.coinKey(at)
		require.NoError(t, err)
		require.Equal(t, want.PrivKey.Key, key.Key, at.String())
	}
	for at, wif := range map[KeyLoc]string{
		{Family: 0}:             "cPsCmbWQENgptj3eTiyd85QSAD1xqYKPM9jUkfvm7vgN3SoVPWSP",
		{Family: 6}:             "cPeQdpcGJmLqpdmvokh3DK9ZtjYAXxiw4p4ELNUWkWt6bMRqArEV",
		{Family: 7, Index: 123}: "cPcWZMqY4YErkcwjtFJaYoXkzd7bKxrfxAVzhDgy3n5BGH8CU8sn",
	} {
		want, err := btcutil.DecodeWIF(wif)
		require.NoError(t, err)
		key, err := ring.Key(at)
		require.NoError(t, err)
		require.Equal(t, want.PrivKey.Key, key.priv.Key, "%+v", at)
	}
}

func testRing(t testing.TB) *Ring {
	t.Helper()
	ring, err := NewRing([]byte("sixteen bytes :)"), CoinTest)
	require.NoError(t, err)
	return ring
}

func TestChannelKeys(t *testing.T) {
	ring := testRing(t)
	locs := ChannelLocs(5)
	points, err := ring.Basepoints(locs)
	require.NoError(t, err)
	seen := map[lnwire.PubKey]bool{}
	for _, p := range []lnwire.PubKey{points.Funding, points.Revocation, points.Payment, points.Delayed, points.HTLC} {
		require.False(t, seen[p])
		seen[p] = true
	}
	pub, err := ring.PubKey(KeyLoc{Family: FamilyDelayBase, Index: 5})
	require.NoError(t, err)
	require.Equal(t, pub, points.Delayed)

	locs.HTLC.Index = hardened
	_, err = ring.Basepoints(locs)
	require.ErrorContains(t, err, "key 2/2147483648")
}

func TestFamiliesWithoutACache(t *testing.T) {
	ring := testRing(t)
	_, err := ring.PubKey(KeyLoc{Family: hardened})
	require.Error(t, err)
	_, err = ring.Key(KeyLoc{Index: hardened})
	require.Error(t, err)
	far, err := ring.Key(KeyLoc{Family: 200, Index: 3})
	require.NoError(t, err)
	pub, err := ring.PubKey(KeyLoc{Family: 200, Index: 3})
	require.NoError(t, err)
	require.Equal(t, pub, far.ID())
	secret, err := ring.BackupKey()
	require.NoError(t, err)
	require.NotZero(t, secret)
}

func BenchmarkDerive(b *testing.B) {
	ring := testRing(b)
	for i := 0; b.Loop(); i++ {
		_, _ = ring.derive(KeyLoc{Family: FamilyHTLCBase, Index: uint32(i)})
	}
}

func BenchmarkNewRing(b *testing.B) {
	for b.Loop() {
		_, _ = NewRing([]byte("sixteen bytes :)"), CoinTest)
	}
}
