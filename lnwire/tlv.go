package lnwire

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/lightningnetwork/lnd/tlv"
)

// TLV is one record of a stream: its type and its value.
type TLV struct {
	Type  uint64
	Value []byte
}

// ExtraTLVs are the odd records of a message that we have no field for, in
// ascending order. They are written back, so that decoding loses nothing.
type ExtraTLVs []TLV

// Reasons in a TLVError besides ErrTruncated and ErrNotMinimal.
var (
	// ErrUnknownEven says that a record must be understood and is not.
	ErrUnknownEven = errors.New("unknown even type")
	// ErrNotAscending says that a type is not above the one before it.
	ErrNotAscending = errors.New("types not strictly ascending")
	// ErrTrailing says that a record is longer than its content.
	ErrTrailing = errors.New("more bytes than the content needs")
)

// TLVError tells where a TLV stream is wrong. BOLT 4 sends both numbers back to
// the origin of a payment.
type TLVError struct {
	Type   uint64 // of the record at fault, 0 when its type could not be read
	Offset int    // of the record within the stream
	Err    error
}

func (e *TLVError) Error() string { return fmt.Sprintf("tlv type %d: %v", e.Type, e.Err) }

// Unwrap is the reason.
func (e *TLVError) Unwrap() error { return e.Err }

// ReadTLVs reads a whole stream and gives its records in order. Known tells the
// types that the caller will interpret (nil: none); any other even type is an
// error, any other odd type is given all the same. The values are parts of b,
// not copies; that each is right for its type is the caller's to check, with the
// exact length. The error is a *TLVError.
func ReadTLVs(b []byte, known func(typ uint64) bool) ([]TLV, error) {
	var records []TLV
	err := eachTLV(b, func(rec TLV, rest []byte) error {
		if rec.Type%2 == 0 && (known == nil || !known(rec.Type)) {
			return ErrUnknownEven
		}
		if records == nil {
			records = make([]TLV, 0, 1+countTLVs(rest))
		}
		records = append(records, rec)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// CustomTLVs are the records behind the fields of a message of gossip, even ones, too:
// nothing depends on them. None of a stream that cannot be read.
func CustomTLVs(extra []byte) []TLV {
	if len(extra) == 0 {
		return nil
	}
	list, err := ReadTLVs(extra, func(uint64) bool { return true })
	if err != nil {
		return nil
	}
	return list
}

// eachTLV walks a stream and stops at the first thing that is wrong with it or
// that take refuses. Take is given what follows the record, too.
func eachTLV(b []byte, take func(rec TLV, rest []byte) error) error {
	total, first, last := len(b), true, uint64(0)
	for len(b) > 0 { // B1.tlv.1: no bytes left before a type is the end
		offset := total - len(b)
		rec, rest, err := readRecord(b)
		switch {
		case err != nil:
		case !first && rec.Type <= last: // B1.tlv.4: types rise strictly
			err = ErrNotAscending
		default:
			err = take(rec, rest)
		}
		if err != nil {
			return &TLVError{Type: rec.Type, Offset: offset, Err: err}
		}
		b, first, last = rest, false, rec.Type
	}
	return nil
}

// readRecord takes one record off the front of b, without a copy.
//
// B1.tlv.2: type and length must be minimal. B1.tlv.3: a value must be there in
// full, which is seen before anything is allocated for it (V-43).
func readRecord(b []byte) (rec TLV, rest []byte, err error) {
	rec.Type, b, err = ReadBigSize(b)
	if err != nil {
		return rec, nil, fmt.Errorf("type: %w", err)
	}
	length, b, err := ReadBigSize(b)
	if err != nil {
		return rec, nil, fmt.Errorf("length: %w", err)
	}
	if length > uint64(len(b)) {
		return rec, nil, fmt.Errorf("value of %d bytes, %d left: %w", length, len(b), ErrTruncated)
	}
	rec.Value = b[:length:length]
	return rec, b[length:], nil
}

// countTLVs counts the records up to the end or the first broken one, so that a
// list for many small records need not grow step by step.
func countTLVs(b []byte) (n int) {
	for len(b) > 0 {
		_, rest, err := readRecord(b)
		if err != nil {
			break
		}
		b, n = rest, n+1
	}
	return n
}

// AppendTLV writes one record behind b. The caller writes the records of a stream
// in ascending order of type; AppendTLVs checks that.
//
// B1.tlv.9: type and length are written minimally.
func AppendTLV(b []byte, typ uint64, value []byte) []byte {
	b = AppendBigSize(b, typ)
	b = AppendBigSize(b, uint64(len(value)))
	return append(b, value...)
}

// AppendTLVs writes a stream behind b. The records must be in strictly ascending
// order of type.
//
// B1.tlv.8: no stream leaves with its records out of order or twice.
func AppendTLVs(b []byte, records []TLV) ([]byte, error) {
	if len(records) == 0 {
		return b, nil
	}
	recs := make([]tlv.Record, len(records))
	for i := range records {
		recs[i] = tlv.MakePrimitiveRecord(tlv.Type(records[i].Type), &records[i].Value)
	}
	stream, err := tlv.NewStream(recs...)
	if err != nil {
		return nil, ErrNotAscending
	}
	buf := bytes.NewBuffer(b)
	if err := stream.Encode(buf); err != nil {
		return nil, fmt.Errorf("encode tlv stream: %w", err)
	}
	return buf.Bytes(), nil
}

// appendExtension writes the stream at the end of a message: the records that the
// message has fields for, merged with those kept from decoding.
//
// B1.tlv.10: a kept record is odd; an even one would need to be negotiated, and
// then it has a field.
func appendExtension(b []byte, known []TLV, extra ExtraTLVs) ([]byte, error) {
	if len(known)+len(extra) == 0 {
		return b, nil
	}
	for i, rec := range extra {
		if rec.Type%2 == 0 {
			return nil, fmt.Errorf("extra tlv type %d: %w", rec.Type, ErrUnknownEven)
		}
		if i > 0 && rec.Type <= extra[i-1].Type {
			return nil, fmt.Errorf("extra tlv type %d: %w", rec.Type, ErrNotAscending)
		}
	}
	all := append(slices.Clone(known), extra...)
	slices.SortStableFunc(all, func(x, y TLV) int { return cmp.Compare(x.Type, y.Type) })
	return AppendTLVs(b, all)
}
