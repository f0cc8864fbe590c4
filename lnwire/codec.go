package lnwire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// reader takes the fields of a message off the front of its payload. The first
// failure sticks: later reads give zero values, so a message reads all its fields
// and asks once. No read allocates before the bytes have been seen to be there.
type reader struct {
	b     []byte
	field string // the one that failed
	err   error
}

func (r *reader) fail(field string, err error) {
	if r.err == nil {
		r.field, r.err = field, err
	}
	r.b = nil
}

// take gives the next n bytes, not copied; nil after a failure.
//
// B1.msg.3: a known message that is too short for its fields is an error.
func (r *reader) take(n int, field string) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.b) {
		r.fail(field, fmt.Errorf("want %d bytes, have %d: %w", n, len(r.b), ErrTruncated))
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// fixed fills dst with the next bytes.
func (r *reader) fixed(dst []byte, field string) { copy(dst, r.take(len(dst), field)) }

// rest gives all the bytes that are left, copied; empty is nil.
func (r *reader) rest() []byte {
	v := append([]byte(nil), r.b...)
	r.b = nil
	return v
}

// blob reads a u16 length and that many bytes, copied; empty is nil.
func (r *reader) blob(field string) []byte {
	return append([]byte(nil), r.take(int(r.u16(field)), field)...)
}

func (r *reader) u8(field string) uint8 {
	if v := r.take(1, field); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16(field string) uint16 { return uint16(bigEndian(r.take(2, field))) }

func (r *reader) u32(field string) uint32 {
	if v := r.take(4, field); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) u64(field string) uint64 {
	if v := r.take(8, field); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (r *reader) channelID(field string) (v ChannelID)   { r.fixed(v[:], field); return v }
func (r *reader) hash(field string) (v chainhash.Hash)   { r.fixed(v[:], field); return v }
func (r *reader) pubKey(field string) (v PubKey)         { r.fixed(v[:], field); return v }
func (r *reader) sig(field string) (v Sig)               { r.fixed(v[:], field); return v }
func (r *reader) scid(field string) ShortChannelID       { return ShortChannelID(r.u64(field)) }
func (r *reader) sat(field string) Sat                   { return Sat(r.u64(field)) }
func (r *reader) msat(field string) MilliSat             { return MilliSat(r.u64(field)) }
func (r *reader) features(field string) (f Features)     { return r.vector(r.blob(field), field) }
func (r *reader) featuresRest(field string) (f Features) { return r.vector(r.rest(), field) }

// vector checks a feature vector's bound, so that every bit in it has a number.
func (r *reader) vector(b []byte, field string) Features {
	if n := len(Features(b).trim()); n > maxFeatureBytes {
		r.fail(field, fmt.Errorf("%d bytes of features, at most %d are taken", n, maxFeatureBytes))
		return nil
	}
	return b
}

// extension reads the TLV stream that ends a message. Record is called for each
// record with a reader over its value and says whether it knew the type; what it
// leaves unread makes the record too long (V-67). Unknown odd records go to extra.
func (r *reader) extension(extra *ExtraTLVs, record func(typ uint64, v *reader) bool) {
	*extra = nil
	if r.err != nil || len(r.b) == 0 {
		return
	}
	var v reader // of one value after the other
	err := eachTLV(r.b, func(rec TLV, rest []byte) error {
		v = reader{b: rec.Value}
		if record(rec.Type, &v) {
			if v.err == nil && len(v.b) > 0 {
				v.fail("", ErrTrailing) // B1.tlv.5: a known record is exactly as long as its content
			}
			return v.err
		}
		if rec.Type%2 == 0 {
			return ErrUnknownEven // B1.tlv.6, B1.msg.4: it makes the whole message invalid
		}
		// B1.tlv.7: an unknown odd record is no error. B2.wire.9: it goes back as it
		// came, such as attribution data or a record of an application.
		if *extra == nil {
			*extra = make(ExtraTLVs, 0, 1+countTLVs(rest))
		}
		*extra = append(*extra, TLV{Type: rec.Type, Value: append([]byte{}, rec.Value...)})
		return nil
	})
	if err != nil {
		r.fail(v.field, err)
	}
	r.b = nil
}

// point reads a public key and checks that it is one.
func (r *reader) point(field string) PubKey {
	k := r.pubKey(field)
	if r.err == nil {
		if _, err := k.Parse(); err != nil {
			r.fail(field, err)
		}
	}
	return k
}

// noRecords is the extension of a message for which BOLT 2 and 7 define no record.
func noRecords(uint64, *reader) bool { return false }

func appendU16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func appendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendU64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// appendBlob writes a u16 length and the bytes.
func appendBlob(b, v []byte, field string) ([]byte, error) {
	if len(v) > math.MaxUint16 {
		return nil, fmt.Errorf("%s: %d bytes do not fit a 2-byte length", field, len(v))
	}
	return append(appendU16(b, uint16(len(v))), v...), nil
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
