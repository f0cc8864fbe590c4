package curve

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
)

// What follows is the package in Go. It is compiled into every build: the C library has no
// answer for what is no point or no signature, and the tests compare the two.

func verify(key []byte, digest [32]byte, sig [64]byte) bool {
	k, err := btcec.ParsePubKey(key)
	if err != nil {
		return false
	}
	var r, s btcec.ModNScalar
	over := r.SetByteSlice(sig[:32])
	over = s.SetByteSlice(sig[32:]) || over
	return !over && ecdsa.NewSignature(&r, &s).Verify(digest[:], k)
}

func sign(key *btcec.ModNScalar, digest [32]byte) (sig [64]byte) {
	made := ecdsa.Sign(btcec.PrivKeyFromScalar(key), digest[:])
	r, s := made.R(), made.S()
	r.PutBytesUnchecked(sig[:32])
	s.PutBytesUnchecked(sig[32:])
	return sig
}

func recovered(sig [64]byte, id byte, digest [32]byte) (*btcec.PublicKey, error) {
	const compressed = 27 + 4
	key, _, err := ecdsa.RecoverCompact(append([]byte{compressed + id&3}, sig[:]...), digest[:])
	return key, err
}

func ecdh(key *btcec.ModNScalar, point *btcec.PublicKey) [32]byte {
	return sha256.Sum256(multiply(point, key).SerializeCompressed())
}

func multiply(point *btcec.PublicKey, k *btcec.ModNScalar) *btcec.PublicKey {
	var in, out btcec.JacobianPoint
	point.AsJacobian(&in)
	btcec.ScalarMultNonConst(k, &in, &out)
	out.ToAffine()
	return btcec.NewPublicKey(&out.X, &out.Y)
}

func tweak(base *btcec.JacobianPoint, t *btcec.ModNScalar, out *btcec.JacobianPoint) {
	var tg btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(t, &tg)
	btcec.AddNonConst(base, &tg, out)
}

func blend(a *btcec.JacobianPoint, k *btcec.ModNScalar, b *btcec.JacobianPoint, l *btcec.ModNScalar, out *btcec.JacobianPoint) {
	var ka, lb btcec.JacobianPoint
	btcec.ScalarMultNonConst(k, a, &ka)
	btcec.ScalarMultNonConst(l, b, &lb)
	btcec.AddNonConst(&ka, &lb, out)
}
