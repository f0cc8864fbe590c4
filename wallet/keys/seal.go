package keys

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed seed is
//
//	version(1) || argon2id passes(4) || memory in KiB(4) || lanes(1) || salt(16) || nonce(24) || ciphertext
//
// where everything before the ciphertext is authenticated with it.
const (
	SealSaltSize  = 16
	SealNonceSize = chacha20poly1305.NonceSizeX

	sealVersion    = 1
	sealHeaderSize = 1 + 4 + 4 + 1
	sealedSeedSize = sealHeaderSize + SealSaltSize + SealNonceSize + plainSize + chacha20poly1305.Overhead
)

// Cost is what one try of a password costs: argon2id's parameters.
type Cost struct {
	Passes uint32
	Memory uint32 // KiB
	Lanes  uint8
}

// DefaultCost is RFC 9106's second choice: 64 MiB, three passes, four lanes; about
// a quarter of a second.
var DefaultCost = Cost{Passes: 3, Memory: 64 * 1024, Lanes: 4}

// maxCost bounds what a damaged file can make us spend.
var maxCost = Cost{Passes: 64, Memory: 1024 * 1024, Lanes: 64}

var (
	// ErrPassword says that the password does not open the seed. Clients of lnd
	// compare the text.
	ErrPassword = errors.New("invalid passphrase for master public key")
	// ErrSealed says that the bytes are no sealed seed of a known version.
	ErrSealed = errors.New("not a sealed seed")
)

// Seal encrypts a seed for the disk under a password. Salt and nonce are the
// caller's randomness, fresh for every call.
func Seal(cost Cost, password []byte, seed Seed, salt [SealSaltSize]byte, nonce [SealNonceSize]byte) ([]byte, error) {
	if !cost.sane() {
		return nil, fmt.Errorf("seal seed: cost %+v is out of bounds", cost)
	}
	out := make([]byte, 0, sealedSeedSize)
	out = append(out, sealVersion)
	out = binary.BigEndian.AppendUint32(out, cost.Passes)
	out = binary.BigEndian.AppendUint32(out, cost.Memory)
	out = append(out, cost.Lanes)
	out = append(out, salt[:]...)
	out = append(out, nonce[:]...)

	var plain [plainSize]byte
	plain[0] = seed.Version
	binary.BigEndian.PutUint16(plain[1:], seed.Birthday)
	copy(plain[3:], seed.Entropy[:])

	aead, err := chacha20poly1305.NewX(cost.key(password, salt[:]))
	if err != nil {
		return nil, fmt.Errorf("seal seed: %w", err)
	}
	return aead.Seal(out, nonce[:], plain[:], out), nil
}

// Open decrypts what Seal wrote: ErrPassword, or ErrSealed when the bytes
// themselves are wrong.
func Open(password, sealed []byte) (s Seed, err error) {
	if len(sealed) != sealedSeedSize || sealed[0] != sealVersion {
		return s, ErrSealed
	}
	cost := Cost{
		Passes: binary.BigEndian.Uint32(sealed[1:]),
		Memory: binary.BigEndian.Uint32(sealed[5:]),
		Lanes:  sealed[9],
	}
	if !cost.sane() {
		return s, ErrSealed
	}
	head, text := sealed[:sealHeaderSize+SealSaltSize+SealNonceSize], sealed[sealHeaderSize+SealSaltSize+SealNonceSize:]
	salt, nonce := head[sealHeaderSize:][:SealSaltSize], head[sealHeaderSize+SealSaltSize:]

	aead, err := chacha20poly1305.NewX(cost.key(password, salt))
	if err != nil {
		return s, fmt.Errorf("open seed: %w", err)
	}
	plain, err := aead.Open(nil, nonce, text, head)
	if err != nil {
		return s, ErrPassword
	}
	s.Version = plain[0]
	s.Birthday = binary.BigEndian.Uint16(plain[1:])
	copy(s.Entropy[:], plain[3:])
	return s, nil
}

// ChangePassword seals the same seed under another password.
func ChangePassword(cost Cost, old, next, sealed []byte, salt [SealSaltSize]byte, nonce [SealNonceSize]byte) ([]byte, error) {
	seed, err := Open(old, sealed)
	if err != nil {
		return nil, err
	}
	return Seal(cost, next, seed, salt, nonce)
}

func (c Cost) sane() bool {
	return c.Passes >= 1 && c.Passes <= maxCost.Passes &&
		c.Memory >= 8*uint32(c.Lanes) && c.Memory <= maxCost.Memory &&
		c.Lanes >= 1 && c.Lanes <= maxCost.Lanes
}

func (c Cost) key(password, salt []byte) []byte {
	return argon2.IDKey(password, salt, c.Passes, c.Memory, c.Lanes, chacha20poly1305.KeySize)
}
