package macaroons

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/scrypt"
)

// Rows of the store, version 1:
//
//	data key, open:    1 | 0 | key (32)
//	data key, sealed:  1 | 1 | log N (1) | r (1) | p (1) | salt (32) | nonce (24) | sealed key (48)
//	root key:          1 | nonce (24) | sealed key (48)
//
// Sealing is XChaCha20-Poly1305, under the scrypt of the password and under the data key. The authenticated data names
// the row, so that rows cannot be swapped.
const (
	rowVersion = 1

	lockOpen   = 0
	lockScrypt = 1

	defaultLogN = 18
	scryptR     = 8
	scryptP     = 1
	saltLen     = 32
	sealedLen   = chacha20poly1305.NonceSizeX + keyLen + chacha20poly1305.Overhead
)

// Bounds on what a row may ask of scrypt: a damaged row must not take the memory or the day.
const (
	maxLogN = 20
	maxR    = 16
	maxP    = 4
)

// sealDataKey makes the row of the data key.
func sealDataKey(key, password []byte, logN uint8) ([]byte, error) {
	if len(password) == 0 {
		return append([]byte{rowVersion, lockOpen}, key...), nil
	}
	row := []byte{rowVersion, lockScrypt, logN, scryptR, scryptP}
	salt := make([]byte, saltLen)
	rand.Read(salt)
	aead, err := passwordCipher(password, salt, row[2:5])
	if err != nil {
		return nil, err
	}
	return seal(aead, append(row, salt...), key, rowDataKey), nil
}

// openDataKey reads the row of the data key.
func openDataKey(row, password []byte) ([]byte, error) {
	if len(row) < 2 || row[0] != rowVersion {
		return nil, errors.New("read macaroon store: data key: unknown version")
	}
	rest := row[2:]
	switch row[1] {
	case lockOpen:
		if len(rest) != keyLen {
			return nil, errors.New("read macaroon store: data key: wrong length")
		}
		if len(password) != 0 {
			return nil, ErrPassword
		}
		return append([]byte(nil), rest...), nil
	case lockScrypt:
		if len(rest) != 3+saltLen+sealedLen {
			return nil, errors.New("read macaroon store: data key: wrong length")
		}
		aead, err := passwordCipher(password, rest[3:3+saltLen], rest[:3])
		if err != nil {
			return nil, err
		}
		key, err := open(aead, rest[3+saltLen:], rowDataKey)
		if err != nil {
			return nil, ErrPassword
		}
		return key, nil
	default:
		return nil, errors.New("read macaroon store: data key: unknown kind of lock")
	}
}

// sealKey makes the row of a root key.
func sealKey(dataKey []byte, id uint64, key []byte) []byte {
	return seal(keyCipher(dataKey), []byte{rowVersion}, key, rowOf(id))
}

// openKey reads the row of a root key.
func openKey(dataKey []byte, id uint64, row []byte) ([]byte, error) {
	if len(row) != 1+sealedLen || row[0] != rowVersion {
		return nil, fmt.Errorf("root key %d: unknown version or wrong length", id)
	}
	key, err := open(keyCipher(dataKey), row[1:], rowOf(id))
	if err != nil {
		return nil, fmt.Errorf("root key %d: damaged", id)
	}
	return key, nil
}

// passwordCipher derives a cipher from a password; params are log N, r and p.
func passwordCipher(password, salt, params []byte) (cipher.AEAD, error) {
	logN, r, p := params[0], int(params[1]), int(params[2])
	if logN < 1 || logN > maxLogN || r < 1 || r > maxR || p < 1 || p > maxP {
		return nil, fmt.Errorf("scrypt parameters %d, %d, %d out of bounds", logN, r, p)
	}
	key, err := scrypt.Key(password, salt, 1<<logN, r, p, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key from password: %w", err)
	}
	return keyCipher(key), nil
}

// keyCipher returns the cipher for a key of 32 bytes.
func keyCipher(key []byte) cipher.AEAD {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // only for a key of another length
	}
	return aead
}

// seal appends a fresh nonce and the sealed text to row.
func seal(aead cipher.AEAD, row, text, name []byte) []byte {
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return aead.Seal(append(row, nonce...), nonce, text, name)
}

// open reads what seal appended.
func open(aead cipher.AEAD, sealed, name []byte) ([]byte, error) {
	n := aead.NonceSize()
	return aead.Open(nil, sealed[:n], sealed[n:], name)
}
