package commitment

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Keys are the public keys of one commitment (BOLT 3, Key Derivation).
type Keys struct {
	Point        lnwire.PubKey // per_commitment_point of the owner
	OwnerDelayed lnwire.PubKey // local_delayedpubkey
	OwnerHTLC    lnwire.PubKey // local_htlcpubkey
	OtherHTLC    lnwire.PubKey // remote_htlcpubkey
	OtherPayment lnwire.PubKey // remotepubkey
	Revocation   lnwire.PubKey // revocationpubkey
}

// errInfinity cannot happen without a break of SHA256; it keeps a key that is no
// key out of a script.
var errInfinity = errors.New("derived key is the point at infinity")

// DeriveKeys derives the keys of the commitment of owner whose per-commitment
// point is point. The error names the key that is no point of the curve.
func DeriveKeys(owner, other Basepoints, point lnwire.PubKey) (Keys, error) {
	k := Keys{Point: point, OtherPayment: other.Payment} // B3.key.3
	var err error
	// B3.key.1: delayed and HTLC keys are tweaked by the owner's point.
	if k.OwnerDelayed, err = DerivePubKey(owner.Delayed, point); err != nil {
		return Keys{}, fmt.Errorf("derive owner's delayed key: %w", err)
	}
	if k.OwnerHTLC, err = DerivePubKey(owner.HTLC, point); err != nil {
		return Keys{}, fmt.Errorf("derive owner's htlc key: %w", err)
	}
	if k.OtherHTLC, err = DerivePubKey(other.HTLC, point); err != nil {
		return Keys{}, fmt.Errorf("derive other's htlc key: %w", err)
	}
	if k.Revocation, err = RevocationPubKey(other.Revocation, point); err != nil {
		return Keys{}, fmt.Errorf("derive revocation key: %w", err)
	}
	return k, nil
}

// LocalTweak is what point adds to the private key of basepoint:
// SHA256(point || basepoint).
func LocalTweak(point, basepoint lnwire.PubKey) [32]byte {
	var b [66]byte
	copy(b[:33], point[:])
	copy(b[33:], basepoint[:])
	return sha256.Sum256(b[:])
}

// DerivePubKey is basepoint + SHA256(point || basepoint) * G.
func DerivePubKey(basepoint, point lnwire.PubKey) (lnwire.PubKey, error) {
	base, err := basepoint.Parse()
	if err != nil {
		return lnwire.PubKey{}, err
	}
	tweak := LocalTweak(point, basepoint)
	var t btcec.ModNScalar
	t.SetBytes(&tweak)
	var b, tg, sum btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&t, &tg)
	base.AsJacobian(&b)
	btcec.AddNonConst(&b, &tg, &sum)
	return pubKeyOf(&sum)
}

// RevocationPubKey is the key that punishes: it blends the other side's revocation
// basepoint with the owner's point, so that neither knows the private key alone.
func RevocationPubKey(basepoint, point lnwire.PubKey) (lnwire.PubKey, error) {
	base, err := basepoint.Parse()
	if err != nil {
		return lnwire.PubKey{}, err
	}
	per, err := point.Parse()
	if err != nil {
		return lnwire.PubKey{}, fmt.Errorf("per-commitment point: %w", err)
	}
	// B3.key.2
	hb, hp := revocationFactors(basepoint, point)
	var b, p, sum btcec.JacobianPoint
	base.AsJacobian(&b)
	per.AsJacobian(&p)
	btcec.ScalarMultNonConst(&hb, &b, &b)
	btcec.ScalarMultNonConst(&hp, &p, &p)
	btcec.AddNonConst(&b, &p, &sum)
	return pubKeyOf(&sum)
}

// revocationFactors are the factors of the basepoint and of the point.
func revocationFactors(basepoint, point lnwire.PubKey) (hb, hp btcec.ModNScalar) {
	h := LocalTweak(basepoint, point)
	hb.SetBytes(&h)
	h = LocalTweak(point, basepoint)
	hp.SetBytes(&h)
	return hb, hp
}

// pubKeyOf serialises a point; it normalises p.
func pubKeyOf(p *btcec.JacobianPoint) (lnwire.PubKey, error) {
	if (p.X.IsZero() && p.Y.IsZero()) || p.Z.IsZero() {
		return lnwire.PubKey{}, errInfinity
	}
	p.ToAffine()
	return lnwire.NewPubKey(btcec.NewPublicKey(&p.X, &p.Y)), nil
}

// TweakPriv is the private key of DerivePubKey: base + tweak, where tweak is
// LocalTweak of the point and the basepoint.
func TweakPriv(base *btcec.PrivateKey, tweak [32]byte) *btcec.PrivateKey {
	// B3.key.4
	var t btcec.ModNScalar
	t.SetBytes(&tweak)
	t.Add(&base.Key)
	return btcec.PrivKeyFromScalar(&t)
}

// RevocationPriv is the private key of RevocationPubKey, from the private key of
// the revocation basepoint and the secret that the owner gave away.
func RevocationPriv(base *btcec.PrivateKey, secret lnwire.Secret) *btcec.PrivateKey {
	// B3.key.5
	per, _ := btcec.PrivKeyFromBytes(secret[:])
	hb, hp := revocationFactors(lnwire.NewPubKey(base.PubKey()), lnwire.NewPubKey(per.PubKey()))
	sum := hb.Mul(&base.Key).Add(hp.Mul(&per.Key))
	return btcec.PrivKeyFromScalar(sum)
}

// PointOf is the per-commitment point of a secret; false when the secret is zero
// or not below the order of the curve, which no honest peer sends.
func PointOf(secret lnwire.Secret) (lnwire.PubKey, bool) {
	// B3.key.6
	var s btcec.ModNScalar
	if overflow := s.SetByteSlice(secret[:]); overflow || s.IsZero() {
		return lnwire.PubKey{}, false
	}
	return lnwire.NewPubKey(btcec.PrivKeyFromScalar(&s).PubKey()), true
}
