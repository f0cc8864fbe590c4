package commitment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// MaxNumber is the last commitment number whose secret exists: secrets go down
// from index 2^48-1, and index 0 is the root itself.
const MaxNumber uint64 = 1<<48 - 2

// firstIndex is the index of the secret of commitment 0.
const firstIndex uint64 = 1<<48 - 1

// SecretFromRoot is the per-commitment secret of commitment n, counted up from 0;
// n is at most MaxNumber.
func SecretFromRoot(root [32]byte, n uint64) lnwire.Secret {
	return deriveSecret(root, 48, firstIndex-n)
}

// deriveSecret derives the secret of index from base, whose index agrees with it
// but for the lowest bits bits.
func deriveSecret(base [32]byte, bits int, index uint64) [32]byte {
	for b := bits - 1; b >= 0; b-- {
		if index>>b&1 == 1 {
			base[b/8] ^= 1 << (b % 8)
			base = sha256.Sum256(base[:])
		}
	}
	return base
}

// ShaChain holds all secrets that the peer has revealed, in at most 49 of them
// (BOLT 3, Efficient Per-commitment Secret Storage). The zero value is empty.
//
// Secrets come in order, so which index each bucket holds follows from how many
// there are: bucket b holds the lowest index received that has exactly b trailing
// zeros. Only the secrets need be stored.
type ShaChain struct {
	count   uint64
	buckets [49][32]byte
}

// Next is the number of the commitment whose secret is expected next.
func (s *ShaChain) Next() uint64 { return s.count }

// Insert adds the secret of commitment n. It refuses, and changes nothing, when n
// is not Next or when the secret contradicts an earlier one.
func (s *ShaChain) Insert(n uint64, secret lnwire.Secret) bool {
	if n != s.count || n > MaxNumber {
		return false
	}
	index := firstIndex - n
	bucket := bits.TrailingZeros64(index)
	for b := range bucket { // B3.store.1
		if deriveSecret(secret, bucket, s.index(b)) != s.buckets[b] {
			return false
		}
	}
	s.buckets[bucket] = secret // B3.store.2
	s.count++
	return true
}

// Lookup is the secret of commitment n; false when it was not revealed yet.
func (s *ShaChain) Lookup(n uint64) (lnwire.Secret, bool) {
	if n >= s.count {
		return lnwire.Secret{}, false
	}
	index := firstIndex - n
	for b := range s.used() { // B3.store.3
		if index>>b<<b == s.index(b) {
			return deriveSecret(s.buckets[b], b, index), true
		}
	}
	return lnwire.Secret{}, false
}

// used is how many buckets hold a secret: bucket b is filled by commitment 2^b-1.
func (s *ShaChain) used() int { return bits.Len64(s.count) }

// index is the index of the secret in bucket b: the lowest one received so far
// with exactly b trailing zeros.
func (s *ShaChain) index(b int) uint64 {
	lowest := firstIndex - (s.count - 1)
	i := (lowest + 1<<b - 1) >> b
	if i&1 == 0 {
		i++
	}
	return i << b
}

// Encode is the compact form: the count in 8 bytes, then the filled buckets.
func (s *ShaChain) Encode() []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+32*s.used()), s.count)
	for b := range s.used() {
		out = append(out, s.buckets[b][:]...)
	}
	return out
}

// DecodeShaChain reads what Encode wrote.
func DecodeShaChain(data []byte) (ShaChain, error) {
	if len(data) < 8 {
		return ShaChain{}, errors.New("decode secret store: count is cut short")
	}
	s := ShaChain{count: binary.BigEndian.Uint64(data)}
	if s.count > MaxNumber+1 {
		return ShaChain{}, fmt.Errorf("decode secret store: count %d is above the last secret", s.count)
	}
	data = data[8:]
	if len(data) != 32*s.used() {
		return ShaChain{}, fmt.Errorf("decode secret store: %d bytes for %d secrets", len(data), s.used())
	}
	for b := range s.used() {
		copy(s.buckets[b][:], data[32*b:])
	}
	return s, nil
}
