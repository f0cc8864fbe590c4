package noise

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	protocolName = "Noise_XK_secp256k1_ChaChaPoly_SHA256"
	prologue     = "lightning"
)

// TagLen is the length of the authenticator behind every ciphertext.
const TagLen = chacha20poly1305.Overhead

// symmetric is the part of the handshake state that both sides compute alike:
// chaining key, digest and the current intermediate key.
type symmetric struct {
	ck, h, k [32]byte
}

// newSymmetric starts the digest with what both sides know beforehand: the
// protocol and the responder's static key.
func newSymmetric(responder *btcec.PublicKey) symmetric {
	var s symmetric
	s.h = sha256.Sum256([]byte(protocolName))
	s.ck = s.h
	s.mixHash([]byte(prologue))
	s.mixHash(responder.SerializeCompressed())
	return s
}

// mixHash accumulates handshake data in the digest.
func (s *symmetric) mixHash(data []byte) {
	d := sha256.New()
	d.Write(s.h[:])
	d.Write(data)
	d.Sum(s.h[:0])
}

// mixKey accumulates a shared secret in the chaining key and derives the next
// intermediate key.
func (s *symmetric) mixKey(secret [32]byte) {
	s.ck, s.k = hkdf2(s.ck, secret[:])
}

// seal appends the ciphertext of plain under the intermediate key to dst, with
// the digest as associated data, and accumulates it.
func (s *symmetric) seal(dst []byte, n uint64, plain []byte) []byte {
	nonce := nonceOf(n)
	out := newAEAD(s.k).Seal(dst, nonce[:], plain, s.h[:])
	s.mixHash(out[len(dst):])
	return out
}

// open is the inverse of seal; upon ErrActTag the state is of no use any more.
func (s *symmetric) open(n uint64, sealed []byte) ([]byte, error) {
	nonce := nonceOf(n)
	plain, err := newAEAD(s.k).Open(nil, nonce[:], sealed, s.h[:])
	if err != nil {
		return nil, ErrActTag
	}
	s.mixHash(sealed)
	return plain, nil
}

// split derives the two transport keys: first the initiator's sending key.
func (s *symmetric) split() (first, second [32]byte) {
	return hkdf2(s.ck, nil)
}

// newAEAD is the cipher of RFC 8439 [B8.hs.2].
func newAEAD(key [32]byte) cipher.AEAD {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("noise: 32 bytes refused as a key: " + err.Error()) // cannot be: the length is fixed
	}
	return aead
}

// nonceOf encodes a counter as 32 zero bits and 64 little-endian bits, as Noise
// does and nothing else in Lightning.
func nonceOf(n uint64) (nonce [chacha20poly1305.NonceSize]byte) {
	binary.LittleEndian.PutUint64(nonce[4:], n)
	return nonce
}

// hkdf2 is RFC 5869 with SHA256 and an empty info, expanded to two keys.
func hkdf2(salt [32]byte, ikm []byte) (first, second [32]byte) {
	extract := hmac.New(sha256.New, salt[:])
	extract.Write(ikm)
	var prk [32]byte
	extract.Sum(prk[:0])

	expand := hmac.New(sha256.New, prk[:])
	expand.Write([]byte{1})
	expand.Sum(first[:0])
	expand.Reset()
	expand.Write(first[:])
	expand.Write([]byte{2})
	expand.Sum(second[:0])
	return first, second
}
