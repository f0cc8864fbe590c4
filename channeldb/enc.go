package channeldb

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// enc appends keys and rows. Fields are written by ascending type; what is zero is
// left out.
type enc struct{ b []byte }

// Write makes an enc the target of a transaction's Serialize.
func (e *enc) Write(p []byte) (int, error) {
	e.b = append(e.b, p...)
	return len(p), nil
}

func (e *enc) byte(v byte)      { e.b = append(e.b, v) }
func (e *enc) u32(v uint32)     { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *enc) u64(v uint64)     { e.b = binary.BigEndian.AppendUint64(e.b, v) }
func (e *enc) bytes(v []byte)   { e.b = append(e.b, v...) }
func (e *enc) uvarint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

// head writes type and length of a field.
func (e *enc) head(t byte, n int) {
	switch {
	case n < 0xfd:
		e.b = append(e.b, t, byte(n))
	case n <= 0xffff:
		e.b = append(e.b, t, 0xfd, byte(n>>8), byte(n))
	default:
		e.b = append(e.b, t, 0xfe)
		e.u32(uint32(n))
	}
}

// num is an unsigned number in as few bytes as it needs.
func (e *enc) num(t byte, v uint64) {
	if v == 0 {
		return
	}
	n := (bits.Len64(v) + 7) / 8
	e.b = append(e.b, t, byte(n))
	for i := n - 1; i >= 0; i-- {
		e.b = append(e.b, byte(v>>(8*i)))
	}
}

// int is a signed number, zigzag coded.
func (e *enc) int(t byte, v int64) { e.num(t, uint64(v)<<1^uint64(v>>63)) }

func (e *enc) flag(t byte, v bool) {
	if v {
		e.num(t, 1)
	}
}

// time is in unix nanoseconds of the wall clock.
func (e *enc) time(t byte, v time.Time) {
	if !v.IsZero() {
		e.int(t, v.UnixNano())
	}
}

// raw is left out when empty.
func (e *enc) raw(t byte, v []byte) {
	if len(v) > 0 {
		e.opt(t, v)
	}
}

// opt is left out when nil: empty is a value.
func (e *enc) opt(t byte, v []byte) {
	if v != nil {
		e.head(t, len(v))
		e.b = append(e.b, v...)
	}
}

func (e *enc) text(t byte, v string) {
	if v != "" {
		e.head(t, len(v))
		e.b = append(e.b, v...)
	}
}

// hash32 is any 32 bytes; left out when all are zero.
func (e *enc) hash32(t byte, v *[32]byte) {
	if *v != [32]byte{} {
		e.raw(t, v[:])
	}
}

func (e *enc) key33(t byte, v *lnwire.PubKey) {
	if !v.IsZero() {
		e.raw(t, v[:])
	}
}

func (e *enc) sig(t byte, v *lnwire.Sig) {
	if *v != (lnwire.Sig{}) {
		e.raw(t, v[:])
	}
}

// open begins a field whose length is known only later; shut ends it.
func (e *enc) open(t byte) int {
	e.b = append(e.b, t, 0xfe, 0, 0, 0, 0)
	return len(e.b)
}

func (e *enc) shut(mark int) {
	binary.BigEndian.PutUint32(e.b[mark-4:], uint32(len(e.b)-mark))
}

func (e *enc) tx(t byte, tx *wire.MsgTx) {
	if tx == nil {
		return
	}
	m := e.open(t)
	_ = tx.Serialize(e) // a writer to memory does not fail
	e.shut(m)
}

func (e *enc) outPoint(t byte, op wire.OutPoint) {
	if op != (wire.OutPoint{}) {
		e.head(t, outPointLen)
		e.outPointKey(op)
	}
}

const outPointLen = 36

func (e *enc) outPointKey(op wire.OutPoint) {
	e.b = append(e.b, op.Hash[:]...)
	e.u32(op.Index)
}

func (e *enc) block(t byte, at lnwire.BlockRef) {
	if at != (lnwire.BlockRef{}) {
		e.head(t, blockLen)
		e.blockRef(at)
	}
}

const blockLen = 36

func (e *enc) blockRef(at lnwire.BlockRef) {
	e.u32(uint32(at.Height))
	e.b = append(e.b, at.Hash[:]...)
}

const refLen = 17

func (e *enc) ref(r htlc.Ref) {
	e.u64(r.ChanNum)
	e.byte(byte(r.Dir))
	e.u64(r.ID)
}

func (e *enc) refField(t byte, r htlc.Ref) {
	if r != (htlc.Ref{}) {
		e.head(t, refLen)
		e.ref(r)
	}
}
