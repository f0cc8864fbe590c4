package keys

import (
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// BOLT 3, appendix E: the private keys of a tweak and of a revocation.
func TestKeyDerivationVectors(t *testing.T) {
	base, _ := btcec.PrivKeyFromBytes(fromHex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	secret := lnwire.Secret(fromHex(t, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"))
	point := fromHex(t, "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486")
	basepoint := fromHex(t, "036d6caac248af96f6afa7f904f550253a0f3ef3f5aa2fe6838a95b216691468e2")
	tweak := sha256.Sum256(append(point, basepoint...))

	key, ok := changedKey(base, &SignJob{Tweak: &tweak})
	require.True(t, ok)
	require.Equal(t, fromHex(t, "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f"), key.Serialize())

	key, ok = changedKey(base, &SignJob{Revocation: &secret})
	require.True(t, ok)
	require.Equal(t, fromHex(t, "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110"), key.Serialize())

	_, ok = changedKey(base, &SignJob{Tweak: &tweak, Revocation: &secret})
	require.False(t, ok)
}

// Whatever Sign signs, Verify accepts under the key that BOLT 3 derives in public;
// it is low s, repeatable, and any changed bit spoils it (V-02).
func TestSignVerify(t *testing.T) {
	ring := testRing(t)
	rapid.Check(t, func(t *rapid.T) {
		var jobs []SignJob
		var checks []Check
		for range rapid.IntRange(1, 4).Draw(t, "jobs") {
			job := SignJob{
				Key:    KeyLoc{Family: rapid.Uint32Range(0, 12).Draw(t, "family"), Index: rapid.Uint32Range(0, 3).Draw(t, "index")},
				Digest: sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "digest")),
			}
			k, err := ring.derive(job.Key)
			require.NoError(t, err)
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 1:
				tweak := sha256.Sum256([]byte{rapid.Byte().Draw(t, "tweak")})
				job.Tweak = &tweak
			case 2:
				secret := lnwire.Secret(sha256.Sum256([]byte{rapid.Byte().Draw(t, "secret")}))
				job.Revocation = &secret
			}
			priv, ok := changedKey(btcec.PrivKeyFromScalar(&k), &job)
			require.True(t, ok)
			jobs = append(jobs, job)
			checks = append(checks, Check{Key: lnwire.NewPubKey(priv.PubKey()), Digest: job.Digest})
		}
		sigs, ok := ring.Sign(jobs)
		require.True(t, ok)
		again, _ := ring.Sign(jobs)
		require.Equal(t, sigs, again)
		for i := range checks {
			checks[i].Sig = sigs[i]
		}
		require.True(t, ring.Verify(checks))

		bad := rapid.IntRange(0, len(checks)-1).Draw(t, "bad")
		bit := rapid.IntRange(0, 511).Draw(t, "bit")
		checks[bad].Sig[bit/8] ^= 1 << (bit % 8)
		require.False(t, Verify(checks))
	})
}

func TestVerifyRefuses(t *testing.T) {
	ring := testRing(t)
	job := SignJob{Key: KeyLoc{Family: FamilyHTLCBase}, Digest: [32]byte{1}}
	sigs, ok := ring.Sign([]SignJob{job})
	require.True(t, ok)
	pub, err := ring.PubKey(job.Key)
	require.NoError(t, err)
	good := Check{Key: pub, Digest: job.Digest, Sig: sigs[0]}
	require.True(t, Verify([]Check{good}))
	require.True(t, Verify(nil))

	high := good
	var s btcec.ModNScalar
	s.SetByteSlice(good.Sig[32:])
	s.Negate().PutBytesUnchecked(high.Sig[32:])
	var r btcec.ModNScalar
	r.SetByteSlice(high.Sig[:32])
	parsed, err := pub.Parse()
	require.NoError(t, err)
	require.True(t, ecdsa.NewSignature(&r, &s).Verify(job.Digest[:], parsed), "valid, were s low")
	require.False(t, Verify([]Check{high}))

	for name, spoil := range map[string]func(*Check){
		"zero r":     func(c *Check) { copy(c.Sig[:32], make([]byte, 32)) },
		"zero s":     func(c *Check) { copy(c.Sig[32:], make([]byte, 32)) },
		"r too big":  func(c *Check) { copy(c.Sig[:32], btcec.S256().N.Bytes()) },
		"other key":  func(c *Check) { c.Key, _ = ring.PubKey(KeyLoc{Family: FamilyHTLCBase, Index: 1}) },
		"no point":   func(c *Check) { c.Key = lnwire.PubKey{2, 0xff, 0xff} },
		"other text": func(c *Check) { c.Digest[0]++ },
	} {
		bad := good
		spoil(&bad)
		require.False(t, Verify([]Check{good, bad}), name)
	}
}

func TestSignRefusesWhole(t *testing.T) {
	ring := testRing(t)
	tweak, secret := [32]byte{1}, lnwire.Secret{2}
	k, err := ring.derive(KeyLoc{})
	require.NoError(t, err)
	opposite := k.Negate().Bytes() // the sum is no key
	good := SignJob{Key: KeyLoc{Family: 2}}
	for _, bad := range []SignJob{
		{Key: KeyLoc{Family: hardened}},
		{Tweak: &tweak, Revocation: &secret},
		{Tweak: &opposite},
	} {
		sigs, ok := ring.Sign([]SignJob{good, bad})
		require.False(t, ok)
		require.Nil(t, sigs)
	}
	sigs, ok := ring.Sign(nil)
	require.True(t, ok)
	require.Empty(t, sigs)
}

func TestSignCoins(t *testing.T) {
	ring := testRing(t)
	digest := sha256.Sum256([]byte("x"))
	for _, kind := range Accounts {
		at := CoinLoc{Account: kind, Branch: Internal, Index: 4}
		sigs, ok := ring.SignCoins([]CoinJob{{Key: at, Digest: digest}})
		require.True(t, ok)
		account := ring.Account(kind)
		pub, err := account.PubKey(Internal, 4)
		require.NoError(t, err)
		if kind != P2TR {
			require.True(t, Verify([]Check{{Key: pub, Digest: digest, Sig: sigs[0]}}))
			continue
		}
		key, err := pub.Parse()
		require.NoError(t, err)
		sig, err := schnorr.ParseSignature(sigs[0][:])
		require.NoError(t, err)
		require.True(t, sig.Verify(digest[:], txscript.ComputeTaprootKeyNoScript(key)))
	}
	for _, bad := range []CoinLoc{{Account: 3}, {Branch: 2}, {Index: hardened}} {
		_, ok := ring.SignCoins([]CoinJob{{Key: bad}})
		require.False(t, ok)
	}
	account := ring.Account(P2WKH)
	_, err := account.PubKey(External, hardened)
	require.ErrorContains(t, err, "m/84'/0'/0'")
}

func TestKey(t *testing.T) {
	ring := testRing(t)
	node := ring.Node()
	digest := sha256.Sum256([]byte("message"))
	require.True(t, Verify([]Check{{Key: node.ID(), Digest: digest, Sig: node.Sign(digest)}}))

	compact := node.SignCompact(digest)
	pub, compressed, err := ecdsa.RecoverCompact(compact[:], digest[:])
	require.NoError(t, err)
	require.True(t, compressed)
	require.True(t, pub.IsEqual(node.PubKey()))

	other, err := ring.Key(KeyLoc{Family: FamilyTowerID})
	require.NoError(t, err)
	a, err := node.ECDH(other.PubKey())
	require.NoError(t, err)
	b, err := other.ECDH(node.PubKey())
	require.NoError(t, err)
	require.Equal(t, a, b)
	_, err = node.ECDH(nil)
	require.Error(t, err)
}

// One ring serves many goroutines.
func TestRingIsShared(t *testing.T) {
	ring := testRing(t)
	other, _ := btcec.PrivKeyFromBytes([]byte{9})
	want, _ := ring.Sign([]SignJob{{Key: KeyLoc{Family: 1}}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uint32(20) {
				got, _ := ring.Sign([]SignJob{{Key: KeyLoc{Family: 1}}})
				if got[0] != want[0] {
					t.Error("another signature")
				}
				ring.SignCoins([]CoinJob{{Key: CoinLoc{Account: P2TR, Index: i}}})
				ring.Point(KeyLoc{Family: FamilyRevocationRoot, Index: i}, uint64(i))
				_, _ = ring.Node().ECDH(other.PubKey())
				_, _ = ring.PubKey(KeyLoc{Family: 77, Index: i})
			}
		})
	}
	wg.Wait()
}

func BenchmarkSign(b *testing.B) {
	ring := testRing(b)
	jobs := make([]SignJob, 484)
	tweak := [32]byte{1}
	for i := range jobs {
		jobs[i] = SignJob{Key: KeyLoc{Family: FamilyHTLCBase, Index: 1}, Tweak: &tweak, Digest: [32]byte{byte(i), byte(i >> 8)}}
	}
	for b.Loop() {
		ring.Sign(jobs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(jobs)), "ns/sig")
}
