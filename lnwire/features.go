package lnwire

import (
	"bytes"
	"slices"
)

// Features is a feature vector as on the wire: big-endian, bit 0 is the lowest
// bit of the last byte (BOLT 9). Treat it as a value: the methods that change it
// return a new one, without leading zero bytes.
//
// B7.wire.22: a vector from a peer keeps the leading zeros that it came with, since
// they were signed. No method sees them.
type Features []byte

// Bit is the number of a feature bit. Even: required; odd: optional.
type Bit uint16

// maxFeatureBytes is the longest vector that is read from a peer: it has a Bit for
// every bit.
const maxFeatureBytes = 65536 / 8

// IsRequired reports an even bit: who sets it insists on the feature.
func (b Bit) IsRequired() bool { return b%2 == 0 }

// pair is the other bit of the same feature.
func (b Bit) pair() Bit { return b ^ 1 }

// NewFeatures sets the given bits.
//
// B9.vec.1: a vector of ours is no longer than its highest bit needs.
func NewFeatures(bits ...Bit) Features {
	if len(bits) == 0 {
		return nil
	}
	f := make(Features, slices.Max(bits)/8+1)
	for _, bit := range bits {
		f[f.at(bit)] |= 1 << (bit % 8)
	}
	return f
}

// at is the index of the byte that holds bit; negative when the vector ends before.
func (f Features) at(bit Bit) int { return len(f) - 1 - int(bit/8) }

func (f Features) trim() Features { return bytes.TrimLeft(f, "\x00") }

// Has reports whether exactly this bit is set.
func (f Features) Has(bit Bit) bool {
	i := f.at(bit)
	return i >= 0 && f[i]&(1<<(bit%8)) != 0
}

// HasEither reports whether the feature is offered: the bit or the other one of
// its pair is set.
func (f Features) HasEither(bit Bit) bool { return f.Has(bit) || f.Has(bit.pair()) }

// Requires reports whether the even bit of the feature is set.
//
// B9.vec.2: a feature with both bits set is required.
func (f Features) Requires(bit Bit) bool { return f.Has(bit &^ 1) }

// With gives the vector with these bits set, too.
func (f Features) With(bits ...Bit) Features { return f.Or(NewFeatures(bits...)) }

// Without gives the vector with these bits cleared; the other bits of their pairs
// stay.
func (f Features) Without(bits ...Bit) Features {
	g := slices.Clone(f)
	for _, bit := range bits {
		if i := g.at(bit); i >= 0 {
			g[i] &^= 1 << (bit % 8)
		}
	}
	return g.minimal()
}

// Or gives the bits that are set in one of the two or in both.
func (f Features) Or(g Features) Features {
	long, short := f, g
	if len(long) < len(short) {
		long, short = short, long
	}
	sum := slices.Clone(long)
	for i, b := range short {
		sum[len(long)-len(short)+i] |= b
	}
	return sum.minimal()
}

// minimal drops leading zeros; no bits at all is nil.
func (f Features) minimal() Features {
	if f = f.trim(); len(f) > 0 {
		return f
	}
	return nil
}

// Equal reports the same set of bits: with it a channel_type is compared.
func (f Features) Equal(g Features) bool { return bytes.Equal(f.trim(), g.trim()) }

// Exactly reports that these bits are set and no others, such as
// Exactly(StaticRemoteKeyRequired, AnchorsRequired) for a channel_type.
func (f Features) Exactly(bits ...Bit) bool { return f.Equal(NewFeatures(bits...)) }

// IsEmpty reports that no bit is set.
func (f Features) IsEmpty() bool { return len(f.trim()) == 0 }

// Bits lists the bits that are set, in ascending order. Bits above 65535, which no
// vector from a peer has, are left out.
func (f Features) Bits() []Bit {
	var bits []Bit
	for i := range min(len(f), maxFeatureBytes) {
		b := f[len(f)-1-i]
		for k := 0; b != 0; k, b = k+1, b>>1 {
			if b&1 != 0 {
				bits = append(bits, Bit(8*i+k))
			}
		}
	}
	return bits
}
