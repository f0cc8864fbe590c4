package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/Yawning/aez"
	"github.com/tyler-smith/go-bip39/wordlists"
	"golang.org/x/crypto/scrypt"
)

// The sizes of an aezeed of version 0, in bytes. On paper it is
// version(1) || ciphertext(23) || salt(5) || crc32(4): 264 bits, 24 words of 11.
const (
	SeedEntropySize = 16 // the BIP32 seed
	SeedSaltSize    = 5  // salt of the passphrase's key derivation
	NumWords        = 24

	plainSize  = 1 + 2 + SeedEntropySize // internal version, birthday, entropy
	macSize    = 4                       // what aez adds as redundancy
	cipherSize = plainSize + macSize
	saltOffset = 1 + cipherSize
	crcOffset  = saltOffset + SeedSaltSize
	sealedSize = crcOffset + 4

	bitsPerWord = 11
)

// aezeedVersion is the one outer version there is. It fixes scrypt's cost.
const (
	aezeedVersion = 0
	aezeedScryptN = 32768
	aezeedScryptR = 8
	aezeedScryptP = 1
)

// genesis is where birthdays are counted from: the time of Bitcoin's first block.
const genesis = 1231006505

// defaultPassphrase stands in for an empty one, as in lnd.
const defaultPassphrase = "aezeed"

var (
	// ErrSeedVersion says that the words were written by a version of aezeed, or
	// for a derivation of keys, that is not known here.
	ErrSeedVersion = errors.New("aezeed: unknown version")
	// ErrSeedChecksum says that the words are not those of a seed: one is wrong,
	// or two are swapped.
	ErrSeedChecksum = errors.New("aezeed: checksum does not match, a word is wrong or out of place")
	// ErrSeedPassphrase says that the words are right but the passphrase is not.
	ErrSeedPassphrase = errors.New("aezeed: wrong passphrase")
	// ErrSeedBirthday says that a time is before the first block or after 2188.
	ErrSeedBirthday = errors.New("aezeed: birthday is outside 2009..2188")
)

// castagnoli is the polynomial of the words' checksum.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wordIndex maps each word of BIP39's English list to its number.
var wordIndex = func() map[string]uint16 {
	m := make(map[string]uint16, len(wordlists.English))
	for i, w := range wordlists.English {
		m[w] = uint16(i)
	}
	return m
}()

// Seed is a seed in the clear: what the words and the passphrase together hold.
type Seed struct {
	Version  uint8  // how keys derive from it; lnd writes 0 or 1 (with BIP86), alike here
	Birthday uint16 // days since Bitcoin's first block; scanning starts there
	Entropy  [SeedEntropySize]byte
}

// SeedVersion is the internal version that new seeds carry: accounts of BIP49, 84
// and 86.
const SeedVersion = 1

// NewSeed makes a seed from 16 bytes of the caller's randomness, born at now.
func NewSeed(entropy [SeedEntropySize]byte, now time.Time) (Seed, error) {
	days := (now.Unix() - genesis) / (24 * 60 * 60)
	if now.Unix() < genesis || days > 0xffff {
		return Seed{}, ErrSeedBirthday
	}
	return Seed{Version: SeedVersion, Birthday: uint16(days), Entropy: entropy}, nil
}

// Born is the birthday as a time, at most a day before the seed was made.
func (s Seed) Born() time.Time {
	return time.Unix(genesis+int64(s.Birthday)*24*60*60, 0).UTC()
}

// String hides the secret from logs.
func (Seed) String() string { return "[seed]" }

// GoString hides the secret from %#v.
func (Seed) GoString() string { return "[seed]" }

// Words is a seed as its owner writes it down. Without the passphrase it is of no
// use; with it (or none was set) it is the money.
type Words [NumWords]string

// ParseWords reads 24 words separated by any white space, in any case.
func ParseWords(text string) (w Words, err error) {
	fields := strings.Fields(strings.ToLower(text))
	if len(fields) != NumWords {
		return w, fmt.Errorf("aezeed: want %d words, got %d", NumWords, len(fields))
	}
	copy(w[:], fields)
	return w, nil
}

// String hides the words from logs; join them to show them to their owner.
func (Words) String() string { return "[seed words]" }

// GoString hides the words from %#v.
func (Words) GoString() string { return "[seed words]" }

// Encode enciphers the seed with the passphrase and writes it as words. The salt
// is 5 bytes of the caller's randomness. An empty passphrase means "aezeed". It
// takes about a tenth of a second, by design.
func (s Seed) Encode(passphrase []byte, salt [SeedSaltSize]byte) (Words, error) {
	return s.encode(passphrase, salt, aezeedScryptN)
}

func (s Seed) encode(passphrase []byte, salt [SeedSaltSize]byte, cost int) (w Words, err error) {
	key, err := aezeedKey(passphrase, salt, cost)
	if err != nil {
		return w, err
	}
	var plain [plainSize]byte
	plain[0] = s.Version
	binary.BigEndian.PutUint16(plain[1:], s.Birthday)
	copy(plain[3:], s.Entropy[:])

	var sealed [sealedSize]byte
	sealed[0] = aezeedVersion
	copy(sealed[1:], aez.Encrypt(key, nil, aezeedAD(salt), macSize, plain[:], nil))
	copy(sealed[saltOffset:], salt[:])
	binary.BigEndian.PutUint32(sealed[crcOffset:], crc32.Checksum(sealed[:crcOffset], castagnoli))
	return packWords(sealed), nil
}

// Decode gives the seed back. The errors tell the owner what to look at: an
// unknown word, the checksum, the version, the passphrase.
func (w Words) Decode(passphrase []byte) (Seed, error) {
	s, _, err := w.decode(passphrase, aezeedScryptN)
	return s, err
}

func (w Words) decode(passphrase []byte, cost int) (s Seed, salt [SeedSaltSize]byte, err error) {
	sealed, err := unpackWords(w)
	if err != nil {
		return s, salt, err
	}
	// The checksum first: a slip of the pen is likelier than another version.
	if crc32.Checksum(sealed[:crcOffset], castagnoli) != binary.BigEndian.Uint32(sealed[crcOffset:]) {
		return s, salt, ErrSeedChecksum
	}
	if sealed[0] != aezeedVersion {
		return s, salt, ErrSeedVersion
	}
	copy(salt[:], sealed[saltOffset:])
	key, err := aezeedKey(passphrase, salt, cost)
	if err != nil {
		return s, salt, err
	}
	plain, ok := aez.Decrypt(key, nil, aezeedAD(salt), macSize, sealed[1:saltOffset], nil)
	if !ok || len(plain) != plainSize {
		return s, salt, ErrSeedPassphrase
	}
	s.Version = plain[0]
	s.Birthday = binary.BigEndian.Uint16(plain[1:])
	copy(s.Entropy[:], plain[3:])
	if s.Version > SeedVersion {
		return Seed{}, salt, ErrSeedVersion
	}
	return s, salt, nil
}

// Enciphered is the 33 bytes that the words stand for. The error names a word that is
// not in the list.
func (w Words) Enciphered() ([33]byte, error) { return unpackWords(w) }

// ChangePassphrase writes the same seed under another passphrase; the old words
// with the old passphrase stay good. The salt is fresh randomness.
func (w Words) ChangePassphrase(old, next []byte, salt [SeedSaltSize]byte) (Words, error) {
	s, err := w.Decode(old)
	if err != nil {
		return Words{}, err
	}
	return s.Encode(next, salt)
}

func aezeedKey(passphrase []byte, salt [SeedSaltSize]byte, cost int) ([]byte, error) {
	if len(passphrase) == 0 {
		passphrase = []byte(defaultPassphrase)
	}
	key, err := scrypt.Key(passphrase, salt[:], cost, aezeedScryptR, aezeedScryptP, 32)
	if err != nil {
		return nil, fmt.Errorf("aezeed: derive key: %w", err)
	}
	return key, nil
}

// aezeedAD is what the cipher authenticates besides the seed.
func aezeedAD(salt [SeedSaltSize]byte) [][]byte {
	return [][]byte{append([]byte{aezeedVersion}, salt[:]...)}
}

// packWords cuts 264 bits into 24 numbers of 11 bits, the most significant first.
func packWords(sealed [sealedSize]byte) (w Words) {
	for i := range w {
		n := 0
		for bit := i * bitsPerWord; bit < (i+1)*bitsPerWord; bit++ {
			n = n<<1 | int(sealed[bit/8]>>(7-bit%8))&1
		}
		w[i] = wordlists.English[n]
	}
	return w
}

func unpackWords(w Words) (sealed [sealedSize]byte, err error) {
	for i, word := range w {
		n, ok := wordIndex[word]
		if !ok {
			return sealed, fmt.Errorf("aezeed: word %d, %q, is not in the list", i+1, word)
		}
		for b := range bitsPerWord {
			bit := i*bitsPerWord + b
			sealed[bit/8] |= byte(n>>(bitsPerWord-1-b)&1) << (7 - bit%8)
		}
	}
	return sealed, nil
}

// Bytes are the 33 bytes that the words spell: the encrypted seed with its salt and
// checksum. It fails on a word that is not in the list.
func (w Words) Bytes() ([]byte, error) {
	sealed, err := unpackWords(w)
	return sealed[:], err
}
