package noise

import (
	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire/curve"
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
	return curve.ECDH(&k.priv.Key, point), nil
}
