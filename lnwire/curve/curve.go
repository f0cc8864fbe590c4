//go:build !libsecp256k1

package curve

import "github.com/btcsuite/btcd/btcec/v2"

// Library names the code that computes.
const Library = "btcec"

// Verify reports whether the key, serialised in any of its forms, made the signature, r and
// then s, of a digest. A high s is as good as a low one; what is no key or no signature has
// not signed.
func Verify(key []byte, digest [32]byte, sig [64]byte) bool { return verify(key, digest, sig) }

// Sign gives r and s of a signature: deterministic by RFC 6979, low s. The key is not zero.
func Sign(key *btcec.ModNScalar, digest [32]byte) [64]byte { return sign(key, digest) }

// Recover finds the key that made r and s, of the up to four that may have: the lower two
// bits of the id say which.
func Recover(sig [64]byte, id byte, digest [32]byte) (*btcec.PublicKey, error) {
	return recovered(sig, id, digest)
}

// ECDH is the SHA256 of the compressed product of a private key and a point, as BOLTs 4
// and 8 ask. The key is not zero.
func ECDH(key *btcec.ModNScalar, point *btcec.PublicKey) [32]byte { return ecdh(key, point) }

// Multiply is k times the point. It is for what is no secret: how long it takes tells of k.
func Multiply(point *btcec.PublicKey, k *btcec.ModNScalar) *btcec.PublicKey {
	return multiply(point, k)
}

// Tweak is base + t*G. Base is affine; what comes out need not be, and may be infinity.
func Tweak(base *btcec.JacobianPoint, t *btcec.ModNScalar, out *btcec.JacobianPoint) {
	tweak(base, t, out)
}

// Blend is k*a + l*b. Both points are affine; what comes out need not be, and may be
// infinity.
func Blend(a *btcec.JacobianPoint, k *btcec.ModNScalar, b *btcec.JacobianPoint, l *btcec.ModNScalar, out *btcec.JacobianPoint) {
	blend(a, k, b, l, out)
}
