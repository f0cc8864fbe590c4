//go:build libsecp256k1

package curve

/*
#cgo pkg-config: libsecp256k1
#include <stdlib.h>
#include <unistd.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>

// made gives the one context, blinded: it is only read after that.
static secp256k1_context *made(void) {
	unsigned char seed[32];
	secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	if (getentropy(seed, sizeof seed) != 0 || !secp256k1_context_randomize(c, seed)) abort();
	return c;
}

static int verified(const secp256k1_context *c, const unsigned char *key, size_t len, const unsigned char *digest, const unsigned char *sig) {
	secp256k1_pubkey k;
	secp256k1_ecdsa_signature s;
	if (!secp256k1_ec_pubkey_parse(c, &k, key, len) || !secp256k1_ecdsa_signature_parse_compact(c, &s, sig)) return 0;
	secp256k1_ecdsa_signature_normalize(c, &s, &s);
	return secp256k1_ecdsa_verify(c, &s, digest, &k);
}

static int signature(const secp256k1_context *c, unsigned char *out, const unsigned char *key, const unsigned char *digest) {
	secp256k1_ecdsa_signature s;
	return secp256k1_ecdsa_sign(c, &s, digest, key, NULL, NULL) && secp256k1_ecdsa_signature_serialize_compact(c, out, &s);
}

static int whole(const secp256k1_context *c, unsigned char *out, const secp256k1_pubkey *k) {
	size_t len = 65;
	return secp256k1_ec_pubkey_serialize(c, out, &len, k, SECP256K1_EC_UNCOMPRESSED);
}

static int recovered(const secp256k1_context *c, unsigned char *out, const unsigned char *sig, int id, const unsigned char *digest) {
	secp256k1_ecdsa_recoverable_signature s;
	secp256k1_pubkey k;
	return secp256k1_ecdsa_recoverable_signature_parse_compact(c, &s, sig, id) && secp256k1_ecdsa_recover(c, &k, &s, digest) && whole(c, out, &k);
}

static int agreed(const secp256k1_context *c, unsigned char *out, const unsigned char *point, const unsigned char *key) {
	secp256k1_pubkey p;
	return secp256k1_ec_pubkey_parse(c, &p, point, 65) && secp256k1_ecdh(c, out, &p, key, NULL, NULL);
}

static int multiplied(const secp256k1_context *c, unsigned char *point, const unsigned char *k) {
	secp256k1_pubkey p;
	return secp256k1_ec_pubkey_parse(c, &p, point, 65) && secp256k1_ec_pubkey_tweak_mul(c, &p, k) && whole(c, point, &p);
}

static int tweaked(const secp256k1_context *c, unsigned char *point, const unsigned char *t) {
	secp256k1_pubkey p;
	return secp256k1_ec_pubkey_parse(c, &p, point, 65) && secp256k1_ec_pubkey_tweak_add(c, &p, t) && whole(c, point, &p);
}

static int blended(const secp256k1_context *c, unsigned char *a, const unsigned char *k, const unsigned char *b, const unsigned char *l) {
	secp256k1_pubkey p, q, sum;
	const secp256k1_pubkey *both[2] = {&p, &q};
	return secp256k1_ec_pubkey_parse(c, &p, a, 65) && secp256k1_ec_pubkey_tweak_mul(c, &p, k) &&
		secp256k1_ec_pubkey_parse(c, &q, b, 65) && secp256k1_ec_pubkey_tweak_mul(c, &q, l) &&
		secp256k1_ec_pubkey_combine(c, &sum, both, 2) && whole(c, a, &sum);
}
*/
import "C"

import (
	"github.com/btcsuite/btcd/btcec/v2"
)

// Library names the code that computes.
const Library = "libsecp256k1"

var context = C.made()

func in(b []byte) *C.uchar { return (*C.uchar)(&b[0]) }

// Verify is as in the build without C.
func Verify(key []byte, digest [32]byte, sig [64]byte) bool {
	return len(key) > 0 && C.verified(context, in(key), C.size_t(len(key)), in(digest[:]), in(sig[:])) == 1
}

// Sign is as in the build without C.
func Sign(key *btcec.ModNScalar, digest [32]byte) (sig [64]byte) {
	k := key.Bytes()
	if C.signature(context, in(sig[:]), in(k[:]), in(digest[:])) != 1 {
		return sign(key, digest)
	}
	return sig
}

// Recover is as in the build without C.
func Recover(sig [64]byte, id byte, digest [32]byte) (*btcec.PublicKey, error) {
	var key whole
	if C.recovered(context, in(key[:]), in(sig[:]), C.int(id&3), in(digest[:])) != 1 {
		return recovered(sig, id, digest) // which says why not
	}
	return key.public(), nil
}

// ECDH is as in the build without C, and takes the same time for every key.
func ECDH(key *btcec.ModNScalar, point *btcec.PublicKey) (secret [32]byte) {
	k, p := key.Bytes(), wholeOf(point)
	if C.agreed(context, in(secret[:]), in(p[:]), in(k[:])) != 1 {
		return ecdh(key, point)
	}
	return secret
}

// Multiply is as in the build without C.
func Multiply(point *btcec.PublicKey, k *btcec.ModNScalar) *btcec.PublicKey {
	p, b := wholeOf(point), k.Bytes()
	if C.multiplied(context, in(p[:]), in(b[:])) != 1 {
		return multiply(point, k)
	}
	return p.public()
}

// Tweak is as in the build without C.
func Tweak(base *btcec.JacobianPoint, t *btcec.ModNScalar, out *btcec.JacobianPoint) {
	p, b := wholeAt(base), t.Bytes()
	if C.tweaked(context, in(p[:]), in(b[:])) != 1 {
		tweak(base, t, out)
		return
	}
	p.at(out)
}

// Blend is as in the build without C.
func Blend(a *btcec.JacobianPoint, k *btcec.ModNScalar, b *btcec.JacobianPoint, l *btcec.ModNScalar, out *btcec.JacobianPoint) {
	p, q, kb, lb := wholeAt(a), wholeAt(b), k.Bytes(), l.Bytes()
	if C.blended(context, in(p[:]), in(kb[:]), in(q[:]), in(lb[:])) != 1 {
		blend(a, k, b, l, out)
		return
	}
	p.at(out)
}

// whole is a point as it goes to C and back: 4, x, y.
type whole [65]byte

func wholeOf(k *btcec.PublicKey) whole { return whole(k.SerializeUncompressed()) }

func wholeAt(p *btcec.JacobianPoint) (w whole) {
	w[0] = 4
	p.X.PutBytesUnchecked(w[1:33])
	p.Y.PutBytesUnchecked(w[33:])
	return w
}

func (w *whole) at(p *btcec.JacobianPoint) {
	p.X.SetByteSlice(w[1:33])
	p.Y.SetByteSlice(w[33:])
	p.Z.SetInt(1)
}

func (w *whole) public() *btcec.PublicKey {
	var p btcec.JacobianPoint
	w.at(&p)
	return btcec.NewPublicKey(&p.X, &p.Y)
}
