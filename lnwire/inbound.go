package lnwire

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// InboundFee is what a node asks for what comes to it over one of its channels and goes
// on over another (bLIP 18): mostly a discount, and then negative. It is counted on
// what goes on and the fee for that together.
type InboundFee struct {
	Base int32 // msat
	PPM  int32 // millionths
}

// IsZero reports that nothing is asked for.
func (i InboundFee) IsZero() bool { return i == InboundFee{} }

// Incoming is what has to come to a node over the channel so that it sends on out and
// keeps a fee for that: never less than out, however large the discount.
//
// B7.route.6: what a node keeps of a payment is never negative, whatever discount it gives.
func (i InboundFee) Incoming(out, fee MilliSat) MilliSat {
	sum := addMilliSat(out, fee)
	if i.IsZero() {
		return sum
	}
	more, less := i.of(sum)
	if sum = addMilliSat(sum, more); sum < less {
		return out
	}
	return max(out, sum-less)
}

// of is what is asked for on an amount, what is to be paid and what is granted apart.
// The share is rounded towards nothing.
func (i InboundFee) of(amount MilliSat) (more, less MilliSat) {
	add := func(v MilliSat, negative bool) {
		if negative {
			less = addMilliSat(less, v)
		} else {
			more = addMilliSat(more, v)
		}
	}
	add(MilliSat(magnitude(i.Base)), i.Base < 0)
	const million = 1_000_000
	hi, lo := bits.Mul64(uint64(amount), magnitude(i.PPM))
	part := uint64(math.MaxUint64)
	if hi < million {
		part, _ = bits.Div64(hi, lo, million)
	}
	add(MilliSat(part), i.PPM < 0)
	return more, less
}

// addMilliSat saturates instead of overflowing (V-51).
func addMilliSat(a, b MilliSat) MilliSat {
	sum, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return MilliSat(sum)
}

func magnitude(v int32) uint64 {
	if v < 0 {
		return uint64(-int64(v))
	}
	return uint64(v)
}

// tlvInboundFee is the record of a channel_update.
const tlvInboundFee = 55555

// InboundFee reads what the sender of the update asks for what comes to it over the
// channel; nothing when it does not say so in a form that can be read.
func (m *ChannelUpdate) InboundFee() (fee InboundFee) {
	_ = eachTLV(m.Extra, func(rec TLV, _ []byte) error {
		if rec.Type == tlvInboundFee && len(rec.Value) == 8 {
			fee.Base = int32(binary.BigEndian.Uint32(rec.Value))
			fee.PPM = int32(binary.BigEndian.Uint32(rec.Value[4:]))
		}
		return nil
	})
	return fee
}

// Custom are the records behind the fields of an update that we have no word for: all but
// the inbound fee. None of a stream that cannot be read.
func (m *ChannelUpdate) Custom() []TLV {
	return slices.DeleteFunc(CustomTLVs(m.Extra), func(rec TLV) bool { return rec.Type == tlvInboundFee })
}

// SetInboundFee puts it into an update of ours, which has no other records.
func (m *ChannelUpdate) SetInboundFee(fee InboundFee) {
	m.Extra = nil
	if !fee.IsZero() {
		b := binary.BigEndian.AppendUint32(nil, uint32(fee.Base))
		m.Extra = AppendTLV(nil, tlvInboundFee, binary.BigEndian.AppendUint32(b, uint32(fee.PPM)))
	}
}
