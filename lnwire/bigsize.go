package lnwire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/lightningnetwork/lnd/tlv"
)

// ErrTruncated says that a field is longer than the bytes that are left.
var ErrTruncated = errors.New("truncated")

// ErrNotMinimal says that a number is written in more bytes than it needs.
var ErrNotMinimal = errors.New("not minimally encoded")

// MaxMilliSat is all the money there can be, in millisatoshi.
const MaxMilliSat = MilliSat(MaxSat) * 1000

// AppendBigSize writes v behind b in one, three, five or nine bytes, the fewest
// that hold it (BOLT 1).
func AppendBigSize(b []byte, v uint64) []byte {
	switch {
	case v < 0xfd:
		return append(b, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 0xfd), uint16(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, 0xfe), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0xff), v)
	}
}

// BigSizeLen is the number of bytes that AppendBigSize writes.
func BigSizeLen(v uint64) int { return int(tlv.VarIntSize(v)) }

// ReadBigSize takes a big size off the front of b. The error is ErrTruncated, or
// ErrNotMinimal when fewer bytes would do.
func ReadBigSize(b []byte) (v uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrTruncated
	}
	var width int
	var least uint64
	switch b[0] {
	case 0xfd:
		width, least = 2, 0xfd
	case 0xfe:
		width, least = 4, 0x1_0000
	case 0xff:
		width, least = 8, 0x1_0000_0000
	default:
		return uint64(b[0]), b[1:], nil
	}
	if len(b) < 1+width {
		return 0, nil, ErrTruncated
	}
	v = bigEndian(b[1 : 1+width])
	if v < least {
		return 0, nil, ErrNotMinimal
	}
	return v, b[1+width:], nil
}

// bigEndian reads at most 8 bytes.
func bigEndian(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// AppendTU64 writes v without its leading zero bytes: a tu64, or a tu32 or tu16
// if v fits (BOLT 1). Zero is no byte at all.
//
// B1.tu.1: leading zeros are left out.
func AppendTU64(b []byte, v uint64) []byte {
	for shift := 8 * (int(tlv.SizeTUint64(v)) - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(v>>shift))
	}
	return b
}

// ReadTU64 reads a whole value as a truncated integer of at most 8 bytes. The
// error is ErrNotMinimal for a leading zero.
func ReadTU64(b []byte) (uint64, error) { return readTU(b, 8) }

// ReadTU32 reads a whole value as a truncated integer of at most 4 bytes.
func ReadTU32(b []byte) (uint32, error) {
	v, err := readTU(b, 4)
	return uint32(v), err
}

// ReadTU16 reads a whole value as a truncated integer of at most 2 bytes.
func ReadTU16(b []byte) (uint16, error) {
	v, err := readTU(b, 2)
	return uint16(v), err
}

// B1.tu.2: a truncated integer has its width at most, and no leading zero.
func readTU(b []byte, width int) (uint64, error) {
	if len(b) > width {
		return 0, fmt.Errorf("%d bytes, want at most %d", len(b), width)
	}
	if len(b) > 0 && b[0] == 0 {
		return 0, ErrNotMinimal
	}
	return bigEndian(b), nil
}

// ReadTUMilliSat reads a tu64 that is an amount: at most MaxMilliSat.
//
// B1.tu.3: a truncated amount is no more than all the money there is.
func ReadTUMilliSat(b []byte) (MilliSat, error) {
	v, err := ReadTU64(b)
	if err != nil {
		return 0, err
	}
	if MilliSat(v) > MaxMilliSat {
		return 0, fmt.Errorf("amount of %d msat is above 21 million BTC", v)
	}
	return MilliSat(v), nil
}
