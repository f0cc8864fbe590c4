package curve

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func scalars(least int) *rapid.Generator[*btcec.ModNScalar] {
	return rapid.Custom(func(t *rapid.T) *btcec.ModNScalar {
		var k btcec.ModNScalar
		if small := rapid.IntRange(-1, 3).Draw(t, "small"); small >= least {
			return k.SetInt(uint32(small))
		}
		k.SetByteSlice(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "scalar"))
		if k.IsZero() && least > 0 {
			k.SetInt(1)
		}
		if rapid.Bool().Draw(t, "negative") {
			k.Negate()
		}
		return &k
	})
}

func point(k *btcec.ModNScalar) (*btcec.PublicKey, btcec.JacobianPoint) {
	var p btcec.JacobianPoint
	key := btcec.PrivKeyFromScalar(k).PubKey()
	key.AsJacobian(&p)
	return key, p
}

// Whatever the library, the answers are btcec's.
func TestSameAsBtcec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := scalars(1).Draw(t, "a"), scalars(1).Draw(t, "b")
		k, l := scalars(0).Draw(t, "k"), scalars(0).Draw(t, "l")
		pub, p := point(a)
		_, q := point(b)
		digest := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))

		require.Equal(t, ecdh(b, pub), ECDH(b, pub))
		require.True(t, multiply(pub, k).IsEqual(Multiply(pub, k)))
		same := func(x, y btcec.JacobianPoint) {
			x.ToAffine()
			y.ToAffine()
			require.True(t, x.X.Equals(&y.X) && x.Y.Equals(&y.Y) && x.Z.Equals(&y.Z))
		}
		var x, y btcec.JacobianPoint
		tweak(&p, k, &x)
		Tweak(&p, k, &y)
		same(x, y)
		blend(&p, k, &q, l, &x)
		Blend(&p, k, &q, l, &y)
		same(x, y)

		sig := Sign(a, digest)
		require.Equal(t, sign(a, digest), sig)
		spoiled := digest
		spoiled[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		for _, key := range [][]byte{pub.SerializeCompressed(), pub.SerializeUncompressed()} {
			require.True(t, Verify(key, digest, sig))
			require.Equal(t, verify(key, spoiled, sig), Verify(key, spoiled, sig))
		}
		high := sig
		var s btcec.ModNScalar
		s.SetByteSlice(sig[32:])
		s.Negate()
		s.PutBytesUnchecked(high[32:])
		require.True(t, Verify(pub.SerializeCompressed(), digest, high), "a high s is a signature")

		compact := [65]byte(ecdsa.SignCompact(btcec.PrivKeyFromScalar(a), digest[:], true))
		sig = [64]byte(compact[1:])
		got, err := Recover(sig, compact[0]-31, digest)
		require.NoError(t, err)
		require.True(t, got.IsEqual(pub))
		id := rapid.Byte().Draw(t, "id")
		want, wantErr := recovered(sig, id, digest)
		got, err = Recover(sig, id, digest)
		require.Equal(t, wantErr, err)
		require.True(t, err != nil || got.IsEqual(want))
	})
}

// Sums that are no point, and inputs that are no key or no signature.
func TestWhatIsNoPoint(t *testing.T) {
	one, zero := new(btcec.ModNScalar).SetInt(1), new(btcec.ModNScalar)
	minus := new(btcec.ModNScalar).NegateVal(one)
	pub, p := point(one)
	var out btcec.JacobianPoint
	Tweak(&p, minus, &out)
	require.True(t, out.Z.Normalize().IsZero())
	Blend(&p, one, &p, minus, &out)
	require.True(t, out.Z.Normalize().IsZero())
	Blend(&p, one, &p, zero, &out)
	out.ToAffine()
	require.True(t, out.X.Equals(&p.X) && out.Y.Equals(&p.Y))

	digest := [32]byte{1}
	good := Sign(one, digest)
	for _, key := range [][]byte{nil, {}, {2}, make([]byte, 33), make([]byte, 65), append([]byte{2}, make([]byte, 64)...)} {
		require.Equal(t, verify(key, digest, good), Verify(key, digest, good), "%x", key)
		require.False(t, Verify(key, digest, good), "%x", key)
	}
	hybrid := pub.SerializeUncompressed()
	hybrid[0] = 6 | hybrid[64]&1
	require.Equal(t, verify(hybrid, digest, good), Verify(hybrid, digest, good))
	for _, half := range [][]byte{make([]byte, 32), full()} {
		for _, at := range []int{0, 32} {
			sig := good
			copy(sig[at:], half)
			require.False(t, Verify(pub.SerializeCompressed(), digest, sig))
		}
	}
}

func full() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func BenchmarkVerify(b *testing.B) {
	key := new(btcec.ModNScalar).SetInt(12345)
	pub, _ := point(key)
	sig, ser := Sign(key, [32]byte{1}), pub.SerializeCompressed()
	for b.Loop() {
		Verify(ser, [32]byte{1}, sig)
	}
}

func BenchmarkSign(b *testing.B) {
	key := new(btcec.ModNScalar).SetInt(12345)
	for b.Loop() {
		Sign(key, [32]byte{1})
	}
}

func BenchmarkECDH(b *testing.B) {
	key := new(btcec.ModNScalar).SetInt(12345)
	key.InverseNonConst()
	pub, _ := point(key)
	for b.Loop() {
		ECDH(key, pub)
	}
}

func BenchmarkBlend(b *testing.B) {
	key := new(btcec.ModNScalar).SetInt(12345)
	key.InverseNonConst()
	_, p := point(key)
	var out btcec.JacobianPoint
	for b.Loop() {
		Blend(&p, key, &p, key, &out)
	}
}
