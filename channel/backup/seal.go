package backup

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Key encrypts backups.
type Key [32]byte

// Nonce is drawn anew for every backup.
type Nonce [chacha20poly1305.NonceSizeX]byte

// Overhead is how much longer a sealed backup is than its plaintext.
const Overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// ErrKey says that a backup is not from this seed, or was changed.
var ErrKey = errors.New("the backup does not belong to this seed, or is damaged")

// NewKey makes the key of the node key at family 7, index 0: whoever has the seed,
// and no more, can read its backups.
func NewKey(base lnwire.PubKey) Key { return sha256.Sum256(base[:]) }

// PlainSingle is the plaintext of one channel's backup.
func PlainSingle(s *Single) ([]byte, error) { return s.append(nil) }

// PlainMulti is the plaintext of the backup of all channels.
func PlainMulti(list []Single) (b []byte, err error) {
	b = binary.BigEndian.AppendUint32([]byte{0}, uint32(len(list)))
	for i := range list {
		if b, err = list[i].append(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Pad fills the plaintext of PlainMulti up to size, so that its length tells nothing.
// A longer one stays as it is.
func Pad(plain []byte, size int) []byte {
	return append(plain, bytes.Repeat([]byte{0}, max(0, size-len(plain)))...)
}

// Seal encrypts a plaintext: the nonce, then XChaCha20-Poly1305 with the nonce
// authenticated.
func Seal(key Key, nonce Nonce, plain []byte) []byte {
	return aead(key).Seal(bytes.Clone(nonce[:]), nonce[:], plain, nonce[:])
}

// Open decrypts what Seal made. The error is ErrKey.
func Open(key Key, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrKey
	}
	nonce := sealed[:chacha20poly1305.NonceSizeX]
	plain, err := aead(key).Open(nil, nonce, sealed[len(nonce):], nonce)
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

func aead(key Key) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic(err) // only for a key of another length
	}
	return a
}
