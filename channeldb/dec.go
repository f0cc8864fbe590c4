package channeldb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var (
	// ErrDamaged says that a row is not what was written: its checksum or its form
	// is wrong. Nothing read from this file may be trusted with money.
	ErrDamaged = errors.New("the database is damaged: stop, keep a copy of the file, check the disk, " +
		"and restore the node from its seed and channel.backup; do not restore an older copy of the file")
	// ErrNewer says that a row holds what only a newer version understands.
	ErrNewer = errors.New("written by a newer version of fulgur: install that version again")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumLen = 4

// checksum covers bucket, key and row.
func checksum(b bucket, key, row []byte) uint32 {
	sum := crc32.Update(uint32(b), castagnoli, key)
	return crc32.Update(sum, castagnoli, row)
}

// seal appends the checksum, in place when there is room.
func seal(b bucket, key, row []byte) []byte {
	return binary.BigEndian.AppendUint32(row, checksum(b, key, row))
}

// unseal checks a stored value and gives the row.
func unseal(b bucket, key, value []byte) ([]byte, error) {
	n := len(value) - sumLen
	if n < 0 || binary.BigEndian.Uint32(value[n:]) != checksum(b, key, value[:n]) {
		return nil, fmt.Errorf("read %v row %x: checksum is wrong: %w", b, key, ErrDamaged)
	}
	return value[:n], nil
}

// dec walks the fields of a row. The first error sticks.
type dec struct {
	b    []byte
	err  error
	t    byte
	v    []byte
	last int
}

// read begins a row whose versions up to known can be read.
func read(row []byte, known byte) (d dec) {
	d.last = -1
	switch {
	case len(row) == 0:
		d.fail("no version")
	case row[0] == 0:
		d.fail("version is 0")
	case row[0] > known:
		d.err = fmt.Errorf("version %d: %w", row[0], ErrNewer)
	default:
		d.b = row[1:]
	}
	return d
}

// fields begins a field that consists of fields.
func (d *dec) fields() dec { return dec{b: d.v, err: d.err, last: -1} }

func (d *dec) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format+": %w", append(args, ErrDamaged)...)
	}
}

// next steps to the next field; false at the end and after an error.
func (d *dec) next() bool {
	if d.err != nil || len(d.b) == 0 {
		return false
	}
	if len(d.b) < 2 {
		d.fail("field %d is cut short", d.b[0])
		return false
	}
	d.t = d.b[0]
	n, skip := uint64(d.b[1]), 2
	switch d.b[1] {
	case 0xfd:
		skip = 4
	case 0xfe:
		skip = 6
	case 0xff:
		d.fail("length of field %d is too large", d.t)
		return false
	}
	if len(d.b) < skip {
		d.fail("length of field %d is cut short", d.t)
		return false
	}
	if skip > 2 {
		n = 0
		for _, c := range d.b[2:skip] {
			n = n<<8 | uint64(c)
		}
	}
	d.b = d.b[skip:]
	if int(d.t) <= d.last {
		d.fail("field %d comes after field %d", d.t, d.last)
		return false
	}
	if n > uint64(len(d.b)) {
		d.fail("field %d has %d bytes of %d", d.t, len(d.b), n)
		return false
	}
	d.last = int(d.t)
	d.v, d.b = d.b[:n], d.b[n:]
	return true
}

// unknown passes over an odd field and refuses an even one.
func (d *dec) unknown() {
	if d.t%2 == 0 && d.err == nil {
		d.err = fmt.Errorf("field %d is unknown: %w", d.t, ErrNewer)
	}
}

// end is the error of the walk, told of what.
func (d *dec) end(what string) error {
	if d.err == nil {
		return nil
	}
	return fmt.Errorf("decode %s: %w", what, d.err)
}

func (d *dec) num(width int) (v uint64) {
	if len(d.v) > width/8 {
		d.fail("number in field %d has %d bytes", d.t, len(d.v))
		return 0
	}
	for _, c := range d.v {
		v = v<<8 | uint64(c)
	}
	return v
}

func (d *dec) u64() uint64 { return d.num(64) }
func (d *dec) u32() uint32 { return uint32(d.num(32)) }
func (d *dec) u16() uint16 { return uint16(d.num(16)) }
func (d *dec) u8() uint8   { return uint8(d.num(8)) }

func (d *dec) int() int64 {
	v := d.num(64)
	return int64(v>>1) ^ -int64(v&1)
}

func (d *dec) int32() int32 {
	v := d.int()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("number in field %d is out of range", d.t)
	}
	return int32(v)
}

func (d *dec) flag() bool {
	v := d.num(8)
	if v > 1 {
		d.fail("flag in field %d is %d", d.t, v)
	}
	return v == 1
}

func (d *dec) time() time.Time { return time.Unix(0, d.int()).UTC() }

// bytes is a copy: rows must not outlive their transaction.
func (d *dec) bytes() []byte { return append([]byte{}, d.v...) }

func (d *dec) text() string { return string(d.v) }

func (d *dec) fixed(dst []byte) {
	if len(d.v) != len(dst) {
		d.fail("field %d has %d bytes, want %d", d.t, len(d.v), len(dst))
		return
	}
	copy(dst, d.v)
}

// items is the number of elements of a list with elements of one size.
func (d *dec) items(size int) int {
	if len(d.v)%size != 0 {
		d.fail("list in field %d has %d bytes", d.t, len(d.v))
		return 0
	}
	return len(d.v) / size
}

func (d *dec) outPoint() (op wire.OutPoint) {
	if len(d.v) != outPointLen {
		d.fail("outpoint in field %d has %d bytes", d.t, len(d.v))
		return op
	}
	return outPointOf(d.v)
}

func outPointOf(b []byte) (op wire.OutPoint) {
	copy(op.Hash[:], b)
	op.Index = binary.BigEndian.Uint32(b[32:])
	return op
}

func (d *dec) block() (at lnwire.BlockRef) {
	if len(d.v) != blockLen {
		d.fail("block in field %d has %d bytes", d.t, len(d.v))
		return at
	}
	at.Height = lnwire.Height(binary.BigEndian.Uint32(d.v))
	copy(at.Hash[:], d.v[4:])
	return at
}

func (d *dec) ref() (r htlc.Ref) {
	if len(d.v) != refLen {
		d.fail("reference in field %d has %d bytes", d.t, len(d.v))
		return r
	}
	return refOf(d.v)
}

func refOf(b []byte) htlc.Ref {
	return htlc.Ref{ChanNum: binary.BigEndian.Uint64(b), Dir: htlc.Direction(b[8]), ID: binary.BigEndian.Uint64(b[9:])}
}

func (d *dec) tx() *wire.MsgTx {
	if !boundedTx(d.v) {
		d.fail("transaction in field %d is malformed", d.t)
		return nil
	}
	tx := new(wire.MsgTx)
	r := bytes.NewReader(d.v)
	if err := tx.Deserialize(r); err != nil || r.Len() != 0 {
		d.fail("transaction in field %d cannot be read", d.t)
		return nil
	}
	return tx
}
