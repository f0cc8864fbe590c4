package commitment

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
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
	d, err := NewDeriver(owner, other)
	if err != nil {
		return Keys{}, err
	}
	return d.Keys(point)
}

// Deriver is DeriveKeys for one side's commitments of a channel: it has read the
// basepoints, which costs as much as a derived key, once. It never changes.
type Deriver struct {
	owner, other                            Basepoints
	delayed, ownHTLC, otherHTLC, revocation btcec.JacobianPoint
}

// NewDeriver reads the basepoints. The error names the one that is no point.
func NewDeriver(owner, other Basepoints) (*Deriver, error) {
	d := &Deriver{owner: owner, other: other}
	for _, p := range []struct {
		key  lnwire.PubKey
		to   *btcec.JacobianPoint
		what string
	}{
		{owner.Delayed, &d.delayed, "owner's delayed key"},
		{owner.HTLC, &d.ownHTLC, "owner's htlc key"},
		{other.HTLC, &d.otherHTLC, "other's htlc key"},
		{other.Revocation, &d.revocation, "revocation key"},
	} {
		k, err := p.key.Parse()
		if err != nil {
			return nil, fmt.Errorf("derive %s: %w", p.what, err)
		}
		k.AsJacobian(p.to)
	}
	return d, nil
}

// Of reports that these are the basepoints.
func (d *Deriver) Of(owner, other *Basepoints) bool { return d.owner == *owner && d.other == *other }

// Keys are the keys of the commitment with the given point. The error is a point that is
// none.
func (d *Deriver) Keys(point lnwire.PubKey) (Keys, error) {
	w, err := d.Begin(point)
	if err != nil {
		return Keys{}, err
	}
	w.Tweak()
	w.Blend()
	return w.Keys()
}

// Derivation is a derivation under way. Tweak and Blend, about half of the work each, may
// run at once; Keys comes after both.
type Derivation struct {
	d     *Deriver
	point lnwire.PubKey
	per   *btcec.PublicKey
	p     [4]btcec.JacobianPoint
}

// Begin begins what Keys does.
func (d *Deriver) Begin(point lnwire.PubKey) (*Derivation, error) {
	per, err := point.Parse()
	if err != nil {
		return nil, fmt.Errorf("derive keys: per-commitment point: %w", err)
	}
	return &Derivation{d: d, point: point, per: per}, nil
}

// Tweak derives the delayed and the HTLC keys, which are tweaked by the owner's point.
//
// B3.key.1
func (w *Derivation) Tweak() {
	d := w.d
	tweaked(d.owner.Delayed, d.delayed, w.point, &w.p[0])
	tweaked(d.owner.HTLC, d.ownHTLC, w.point, &w.p[1])
	tweaked(d.other.HTLC, d.otherHTLC, w.point, &w.p[2])
}

// Blend derives the revocation key.
func (w *Derivation) Blend() {
	blended(w.d.other.Revocation, w.d.revocation, w.point, w.per, &w.p[3])
}

// Keys ends the derivation.
func (w *Derivation) Keys() (Keys, error) {
	var keys [4]lnwire.PubKey
	if err := serialise(w.p[:], keys[:]); err != nil {
		return Keys{}, err
	}
	return Keys{
		Point:        w.point,
		OwnerDelayed: keys[0], OwnerHTLC: keys[1], OtherHTLC: keys[2], Revocation: keys[3],
		OtherPayment: w.d.other.Payment, // B3.key.3
	}, nil
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
	return one(derive, basepoint, point)
}

// RevocationPubKey is the key that punishes: it blends the other side's revocation
// basepoint with the owner's point, so that neither knows the private key alone.
func RevocationPubKey(basepoint, point lnwire.PubKey) (lnwire.PubKey, error) {
	return one(blend, basepoint, point)
}

// one derives a single key.
func one(how func(basepoint, point lnwire.PubKey, out *btcec.JacobianPoint) error, basepoint, point lnwire.PubKey) (lnwire.PubKey, error) {
	var p [1]btcec.JacobianPoint
	var key [1]lnwire.PubKey
	if err := how(basepoint, point, &p[0]); err != nil {
		return key[0], err
	}
	err := serialise(p[:], key[:])
	return key[0], err
}

// derive is DerivePubKey, not yet affine.
func derive(basepoint, point lnwire.PubKey, out *btcec.JacobianPoint) error {
	base, err := basepoint.Parse()
	if err != nil {
		return err
	}
	var b btcec.JacobianPoint
	base.AsJacobian(&b)
	tweaked(basepoint, b, point, out)
	return nil
}

// tweaked is derive with the basepoint read.
func tweaked(basepoint lnwire.PubKey, b btcec.JacobianPoint, point lnwire.PubKey, out *btcec.JacobianPoint) {
	tweak := LocalTweak(point, basepoint)
	var t btcec.ModNScalar
	t.SetBytes(&tweak)
	curve.Tweak(&b, &t, out)
}

// blend is RevocationPubKey, not yet affine.
func blend(basepoint, point lnwire.PubKey, out *btcec.JacobianPoint) error {
	base, err := basepoint.Parse()
	if err != nil {
		return err
	}
	per, err := point.Parse()
	if err != nil {
		return fmt.Errorf("per-commitment point: %w", err)
	}
	var b btcec.JacobianPoint
	base.AsJacobian(&b)
	blended(basepoint, b, point, per, out)
	return nil
}

// blended is blend with both points read.
func blended(basepoint lnwire.PubKey, b btcec.JacobianPoint, point lnwire.PubKey, per *btcec.PublicKey, out *btcec.JacobianPoint) {
	// B3.key.2
	hb, hp := revocationFactors(basepoint, point)
	var p btcec.JacobianPoint
	per.AsJacobian(&p)
	curve.Blend(&b, &hb, &p, &hp, out)
}

// revocationFactors are the factors of the basepoint and of the point.
func revocationFactors(basepoint, point lnwire.PubKey) (hb, hp btcec.ModNScalar) {
	h := LocalTweak(basepoint, point)
	hb.SetBytes(&h)
	h = LocalTweak(point, basepoint)
	hp.SetBytes(&h)
	return hb, hp
}

// serialise makes the points affine with one inversion for all (Montgomery's
// trick) and writes them to keys. There are at most four.
func serialise(points []btcec.JacobianPoint, keys []lnwire.PubKey) error {
	var products [4]btcec.FieldVal // of all Z up to each point
	for i := range points {
		p := &points[i]
		if p.Z.Normalize().IsZero() {
			return errInfinity
		}
		products[i].Set(&p.Z)
		if i > 0 {
			products[i].Mul(&products[i-1])
		}
	}
	inverse := products[len(points)-1]
	inverse.Inverse()
	for i := len(points) - 1; i >= 0; i-- {
		p, z := &points[i], inverse
		if i > 0 {
			z.Mul(&products[i-1])
			inverse.Mul(&p.Z)
		}
		var zz btcec.FieldVal
		zz.SquareVal(&z)
		p.X.Mul(&zz).Normalize()
		p.Y.Mul(zz.Mul(&z)).Normalize()
		keys[i] = lnwire.NewPubKey(btcec.NewPublicKey(&p.X, &p.Y))
	}
	return nil
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
