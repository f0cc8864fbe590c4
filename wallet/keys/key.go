package keys

import (
	"errors"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// Key is one private key in use: the node's identity, or any other that does
// Diffie-Hellman or signs messages. It may be used from many goroutines.
type Key struct {
	priv *btcec.PrivateKey
	pub  *btcec.PublicKey
}

// Node is the node's identity, key 6/0: BOLT 8 handshakes, BOLT 4 onions, gossip
// and invoices.
func (r *Ring) Node() *Key { return r.node }

// Key derives the key at loc for use. The error names a place that has no key.
func (r *Ring) Key(loc KeyLoc) (*Key, error) {
	k, err := r.derive(loc)
	if err != nil {
		return nil, err
	}
	priv := btcec.PrivKeyFromScalar(&k)
	return &Key{priv: priv, pub: priv.PubKey()}, nil
}

// PubKey is the public half.
func (k *Key) PubKey() *btcec.PublicKey { return k.pub }

// ID is the public half as it travels.
func (k *Key) ID() lnwire.PubKey { return lnwire.NewPubKey(k.pub) }

// ECDH is the SHA256 of the compressed product of the private key and pub, as
// libsecp256k1 does it and BOLTs 4 and 8 ask.
func (k *Key) ECDH(pub *btcec.PublicKey) ([32]byte, error) {
	if pub == nil {
		return [32]byte{}, errors.New("ecdh: no public key")
	}
	return curve.ECDH(&k.priv.Key, pub), nil
}

// Sign signs a digest: deterministic (RFC 6979), low s.
func (k *Key) Sign(digest [32]byte) lnwire.Sig { return signECDSA(k.priv, digest) }

// SignCompact signs a digest so that the key can be recovered from the signature:
// one byte of recovery id, then r and s, as signmessage and BOLT 11 use.
func (k *Key) SignCompact(digest [32]byte) (sig [65]byte) {
	copy(sig[:], ecdsa.SignCompact(k.priv, digest[:], true))
	return sig
}

// signECDSA gives the compact form.
func signECDSA(priv *btcec.PrivateKey, digest [32]byte) lnwire.Sig {
	return curve.Sign(&priv.Key, digest)
}
