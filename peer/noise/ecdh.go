package noise

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
)

// ECDH is a static key that can make shared secrets, so that the node's key may
// stay in a signer.
type ECDH interface {
	// ECDH is the SHA256 of the compressed product of the private key and a point.
	// An error means that the signer could not answer.
	ECDH(*btcec.PublicKey) ([32]byte, error)
	// PubKey is the public half.
	PubKey() *btcec.PublicKey
}

// Key is an ECDH whose private key is at hand.
type Key struct {
	priv *btcec.PrivateKey
	pub  *btcec.PublicKey
}

// NewKey wraps a private key.
func NewKey(priv *btcec.PrivateKey) Key { return Key{priv, priv.PubKey()} }

// PubKey is the public half.
func (k Key) PubKey() *btcec.PublicKey { return k.pub }

// ECDH never fails: a point of the curve times a scalar below its order is a
// point again.
func (k Key) ECDH(point *btcec.PublicKey) ([32]byte, error) {
	var p, product btcec.JacobianPoint
	point.AsJacobian(&p)
	btcec.ScalarMultNonConst(&k.priv.Key, &p, &product)
	product.ToAffine()
	shared := btcec.NewPublicKey(&product.X, &product.Y)
	return sha256.Sum256(shared.SerializeCompressed()), nil
}
