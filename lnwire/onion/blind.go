package onion

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// Blinding is what a node inside a blinded path derives from its path key
// (BOLT 4, Route Blinding).
type Blinding struct {
	tweak *btcec.ModNScalar
	rho   [32]byte
	// Next is the path key for the node after us, unless the recipient data
	// overrides it.
	Next lnwire.PubKey
}

// Unblind computes the Blinding of a path key, which came with update_add_htlc
// or, at the first node of a blinded path, as current_path_key in the payload. It
// fails when the path key is no point, or as the ECDH does.
func Unblind(key ECDH, pathKey lnwire.PubKey) (Blinding, error) {
	point, err := pathKey.Parse()
	if err != nil {
		return Blinding{}, fmt.Errorf("path key: %w", err)
	}
	secret, err := key.ECDH(point)
	if err != nil {
		return Blinding{}, fmt.Errorf("unblind path key: %w", err)
	}
	tweak := deriveKey(keyBlinded, secret)
	return Blinding{
		tweak: scalar(tweak[:]),
		rho:   deriveKey(keyRho, secret),
		Next:  lnwire.NewPubKey(curve.Multiply(point, blindingFactor(pathKey[:], secret))), // B4.blind.4
	}, nil
}

// Open decrypts encrypted_recipient_data; ok is false when it was not encrypted
// for this path key (B4.blind.3).
func (b Blinding) Open(encrypted []byte) (data []byte, ok bool) {
	aead, err := chacha20poly1305.New(b.rho[:])
	if err != nil {
		return nil, false
	}
	data, err = aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), encrypted, nil)
	return data, err == nil
}

// PeelBlinded is Peel for an HTLC that came with a path key: its layer is
// encrypted for our blinded id. Whatever is wrong is told as
// invalid_onion_blinding, so that nobody learns which node of the path spoke
// (B4.blind.2).
func PeelBlinded(key ECDH, b Blinding, packet *Packet, assoc []byte) (Peeled, *BadOnion) {
	p, code, err := peelPacket(key, b.tweak, packet, assoc)
	if code != 0 {
		return Peeled{}, &BadOnion{Code: InvalidOnionBlinding, SHA256: sha256.Sum256(packet[:]), Err: err}
	}
	return p, nil
}
