package invoice

import (
	"errors"
	"fmt"
	"strings"
)

// MaxLen is the longest text that is read: what fits into the largest QR code
// (V-66).
const MaxLen = 7089

const (
	charset     = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	checksumLen = 6
)

// values gives a character's value of 5 bits, 255 if it has none.
var values = func() (v [256]byte) {
	for i := range v {
		v[i] = 255
	}
	for i := range charset {
		v[charset[i]] = byte(i)
	}
	return v
}()

// polymod takes one group of 5 bits into the checksum (BIP 173).
func polymod(sum uint32, group byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(group)
	for i, gen := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 != 0 {
			sum ^= gen
		}
	}
	return sum
}

func checksum(hrp string, groups []byte) uint32 {
	sum := uint32(1)
	for i := range len(hrp) {
		sum = polymod(sum, hrp[i]>>5)
	}
	sum = polymod(sum, 0)
	for i := range len(hrp) {
		sum = polymod(sum, hrp[i]&31)
	}
	for _, g := range groups {
		sum = polymod(sum, g)
	}
	return sum
}

// readBech32 splits the text into its two parts (B11.bech32.1). The limit of 90
// characters does not hold here (B11.bech32.2), another one does.
func readBech32(text string) (hrp string, groups []byte, err error) {
	if len(text) > MaxLen {
		return "", nil, fmt.Errorf("bech32: %d characters, want at most %d", len(text), MaxLen)
	}
	for i := range len(text) {
		if text[i] < 33 || text[i] > 126 {
			return "", nil, fmt.Errorf("bech32: character %d is not printable ASCII", i+1)
		}
	}
	lower := strings.ToLower(text)
	if text != lower && text != strings.ToUpper(text) {
		return "", nil, errors.New("bech32: upper and lower case are mixed")
	}
	one := strings.LastIndexByte(lower, '1')
	switch {
	case one < 0:
		return "", nil, errors.New("bech32: no separator 1")
	case one == 0:
		return "", nil, errors.New("bech32: nothing before the separator 1")
	case len(lower)-one-1 < checksumLen:
		return "", nil, errors.New("bech32: too short for a checksum")
	}
	groups = make([]byte, len(lower)-one-1)
	for i := range groups {
		groups[i] = values[lower[one+1+i]]
		if groups[i] == 255 {
			return "", nil, fmt.Errorf("bech32: character %d, %q, does not belong to it", one+2+i, lower[one+1+i])
		}
	}
	if checksum(lower[:one], groups) != 1 {
		return "", nil, errors.New("bech32: the checksum is wrong: a character was mistyped or lost") // B11.bech32.3
	}
	return lower[:one], groups[:len(groups)-checksumLen], nil
}

// writeBech32 is the inverse of readBech32, in lower case.
func writeBech32(hrp string, groups []byte) string {
	sum := checksum(hrp, append(groups[:len(groups):len(groups)], make([]byte, checksumLen)...)) ^ 1
	var b strings.Builder
	b.Grow(len(hrp) + 1 + len(groups) + checksumLen)
	b.WriteString(hrp)
	b.WriteByte('1')
	for _, g := range groups {
		b.WriteByte(charset[g])
	}
	for i := range checksumLen {
		b.WriteByte(charset[sum>>(5*(checksumLen-1-i))&31])
	}
	return b.String()
}

// toGroups cuts bytes into groups of 5 bits, padded with zeros (B11.field.14).
func toGroups(b []byte) []byte { return regroup(b, 8, 5, true) }

// toBytes puts groups of 5 bits together to bytes. What is left over must be
// padding: less than a group, and zero.
func toBytes(groups []byte) (b []byte, ok bool) {
	left := len(groups) * 5 % 8
	if left >= 5 || left > 0 && groups[len(groups)-1]&(1<<left-1) != 0 {
		return nil, false
	}
	return regroup(groups, 5, 8, false), true
}

// regroup turns groups of from bits into groups of to bits. Bits that are left
// over become a last group when pad is set, and are dropped otherwise.
func regroup(in []byte, from, to uint, pad bool) []byte {
	out := make([]byte, 0, (uint(len(in))*from+to-1)/to)
	var acc, bits uint
	for _, v := range in {
		acc = acc<<from | uint(v)
		bits += from
		for bits >= to {
			bits -= to
			out = append(out, byte(acc>>bits&(1<<to-1)))
		}
		acc &= 1<<bits - 1
	}
	if pad && bits > 0 {
		out = append(out, byte(acc<<(to-bits)&(1<<to-1)))
	}
	return out
}

// number reads groups as one big-endian number; ok is false if it has more than 64
// bits.
func number(groups []byte) (n uint64, ok bool) {
	for _, g := range groups {
		if n>>59 != 0 {
			return 0, false
		}
		n = n<<5 | uint64(g)
	}
	return n, true
}

// minimal writes a number in as few groups as it needs; 0 needs none.
func minimal(n uint64) []byte {
	var groups []byte
	for shift := 60; shift >= 0; shift -= 5 {
		if g := byte(n >> shift & 31); g != 0 || groups != nil {
			groups = append(groups, g)
		}
	}
	return groups
}
