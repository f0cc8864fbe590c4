package onion

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// ECDH is a private key of which only one operation is needed, so that it may
// live elsewhere: the SHA256 of the compressed point that the key and the other
// side's public key have in common (BOLT 4, Shared Secret). An error means that
// the key could not be used, never that the point was wrong.
type ECDH interface {
	ECDH(*btcec.PublicKey) ([32]byte, error)
}

// keyType names what a derived key is for; it is the HMAC key of deriveKey.
type keyType string

const (
	keyRho      keyType = "rho"             // obfuscates the payloads, and recipient data
	keyMu       keyType = "mu"              // authenticates the packet
	keyUm       keyType = "um"              // authenticates a return packet
	keyAmmag    keyType = "ammag"           // obfuscates a return packet
	keyAmmagExt keyType = "ammagext"        // obfuscates attribution data
	keyPad      keyType = "pad"             // fills a fresh packet
	keyBlinded  keyType = "blinded_node_id" // tweaks a node's key inside a blinded path
	keyReplay   keyType = "fulgur replay"   // ours alone: the tag of a packet
)

// deriveKey is the key generation of BOLT 4 (B4.key.1).
func deriveKey(kind keyType, secret [32]byte) (key [32]byte) {
	copy(key[:], mac([]byte(kind), secret[:]))
	return key
}

// mac is HMAC-SHA256 over the parts, one after the other.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// xorStream applies the ChaCha20 stream of the key, from its byte offset on, to
// data in place (B4.key.2). The nonce is zero: no key is used for two streams.
func xorStream(key [32]byte, offset int, data []byte) {
	const block = 64
	var nonce [chacha20.NonceSize]byte
	c, _ := chacha20.NewUnauthenticatedCipher(key[:], nonce[:]) // fails on other lengths only
	c.SetCounter(uint32(offset / block))
	var skipped [block]byte
	c.XORKeyStream(skipped[:offset%block], skipped[:offset%block])
	c.XORKeyStream(data, data)
}

// sharedSecret is the ECDH of BOLT 4 with a key in hand (B4.key.3).
func sharedSecret(point *btcec.PublicKey, k *btcec.ModNScalar) lnwire.Secret {
	return curve.ECDH(k, point)
}

// blindingFactor is what an ephemeral key is multiplied with on its way to the
// next hop (B4.key.4).
func blindingFactor(ephemeral []byte, secret lnwire.Secret) *btcec.ModNScalar {
	h := sha256.New()
	h.Write(ephemeral)
	h.Write(secret[:])
	return scalar(h.Sum(nil))
}

// scalar reads 32 bytes big-endian, modulo the order of the curve.
func scalar(b []byte) *btcec.ModNScalar {
	var k btcec.ModNScalar
	k.SetByteSlice(b)
	return &k
}
