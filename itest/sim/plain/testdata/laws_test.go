package ecdsa_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

func key(n byte) *secp256k1.PrivateKey {
	h := sha256.Sum256([]byte{n})
	return secp256k1.PrivKeyFromBytes(h[:])
}

func TestSignatures(t *testing.T) {
	for n := byte(0); n < 50; n++ {
		k, hash := key(n), sha256.Sum256([]byte{n, n})
		sig := ecdsa.Sign(k, hash[:])
		pub, err := secp256k1.ParsePubKey(k.PubKey().SerializeCompressed())
		if err != nil || !pub.IsEqual(k.PubKey()) || !pub.IsOnCurve() {
			t.Fatal("the key is not what was written", err)
		}
		again, err := ecdsa.ParseDERSignature(sig.Serialize())
		if err != nil || !again.Verify(hash[:], pub) {
			t.Fatal("the signature is not genuine", err)
		}
		if sig.Verify(hash[:], key(n+1).PubKey()) {
			t.Fatal("the signature is of another key, too")
		}
		if hash[0] ^= 1; sig.Verify(hash[:], pub) {
			t.Fatal("the signature is of another digest, too")
		}
		got, _, err := ecdsa.RecoverCompact(ecdsa.SignCompact(k, hash[:], true), hash[:])
		if err != nil || !got.IsEqual(pub) {
			t.Fatal("the key was not recovered", err)
		}
	}
}

func TestGroup(t *testing.T) {
	for n := byte(0); n < 50; n++ {
		a, b := key(n), key(n+1)
		if !bytes.Equal(secp256k1.GenerateSharedSecret(a, b.PubKey()), secp256k1.GenerateSharedSecret(b, a.PubKey())) {
			t.Fatal("the shared secrets differ")
		}
		var p, q, sum, other secp256k1.JacobianPoint
		a.PubKey().AsJacobian(&p)
		b.PubKey().AsJacobian(&q)
		secp256k1.AddNonConst(&p, &q, &sum)
		k := a.Key
		secp256k1.ScalarBaseMultNonConst(k.Add(&b.Key), &other)
		if !sum.EquivalentNonConst(&other) || sum.EquivalentNonConst(&p) {
			t.Fatal("aG + bG is not (a+b)G")
		}
		q = p
		q.Y.Negate(1).Normalize()
		if secp256k1.AddNonConst(&p, &q, &sum); !sum.X.IsZero() || !sum.Y.IsZero() {
			t.Fatal("P - P is not nothing")
		}
		secp256k1.DoubleNonConst(&p, &sum)
		k.SetInt(2)
		secp256k1.ScalarMultNonConst(&k, &p, &other)
		if !sum.EquivalentNonConst(&other) {
			t.Fatal("P + P is not 2P")
		}
	}
}
