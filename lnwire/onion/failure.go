package onion

import (
	"encoding/binary"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Failure is a failure message of BOLT 4: its code, and of the other fields those
// that go with the code.
type Failure struct {
	Code Code

	// OnionSHA256 goes with every BADONION code: the hash of the packet that its
	// sender could not read. All zero is allowed with invalid_onion_blinding.
	OnionSHA256 [32]byte
	// HTLCMsat goes with amount_below_minimum (the outgoing HTLC), with
	// fee_insufficient and incorrect_or_unknown_payment_details (the incoming
	// HTLC) and with final_incorrect_htlc_amount.
	HTLCMsat lnwire.MilliSat
	// CLTVExpiry goes with incorrect_cltv_expiry (the outgoing HTLC) and with
	// final_incorrect_cltv_expiry.
	CLTVExpiry lnwire.Height
	// Height of the chain at the final node, with incorrect_or_unknown_payment_details.
	Height lnwire.Height
	// DisabledFlags goes with channel_disabled; none are defined.
	DisabledFlags uint16
	// Type and Offset of the TLV record that was wrong or missing, with
	// invalid_onion_payload; both 0 when it was none in particular.
	Type   uint64
	Offset uint16
	// Update goes with every UPDATE code: the policy of the channel. Nil when it
	// was left out or could not be read. It is for this payment's next try alone:
	// who puts it into the graph or passes it on tells the world who paid (V-72).
	Update *lnwire.ChannelUpdate
}

// Encode is the failuremsg of a return packet (B4.code.3): what ReadFailure reads.
func (f Failure) Encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(f.Code))
	switch f.Code {
	case TemporaryNodeFailure, PermanentNodeFailure, RequiredNodeFeatureMissing,
		PermanentChannelFailure, RequiredChannelFeatureMissing, UnknownNextPeer,
		ExpiryTooFar, MPPTimeout, InvalidRealm, IncorrectPaymentAmount,
		FinalExpiryTooSoon, Unreadable:
		return b
	case InvalidOnionVersion, InvalidOnionHMAC, InvalidOnionKey, InvalidOnionBlinding:
		return append(b, f.OnionSHA256[:]...)
	case TemporaryChannelFailure, ExpiryTooSoon:
		return f.appendUpdate(b)
	case AmountBelowMinimum, FeeInsufficient:
		return f.appendUpdate(binary.BigEndian.AppendUint64(b, uint64(f.HTLCMsat)))
	case IncorrectCLTVExpiry:
		return f.appendUpdate(binary.BigEndian.AppendUint32(b, uint32(f.CLTVExpiry)))
	case IncorrectOrUnknownPaymentDetails:
		b = binary.BigEndian.AppendUint64(b, uint64(f.HTLCMsat))
		return binary.BigEndian.AppendUint32(b, uint32(f.Height))
	case FinalIncorrectCLTVExpiry:
		return binary.BigEndian.AppendUint32(b, uint32(f.CLTVExpiry))
	case FinalIncorrectHTLCAmount:
		return binary.BigEndian.AppendUint64(b, uint64(f.HTLCMsat))
	case ChannelDisabled:
		return f.appendUpdate(binary.BigEndian.AppendUint16(b, f.DisabledFlags))
	case InvalidOnionPayload:
		return binary.BigEndian.AppendUint16(lnwire.AppendBigSize(b, f.Type), f.Offset)
	}
	if f.Code.Has(FlagBadOnion) {
		// BOLT 2 has us pass on what update_fail_malformed_htlc said, known or not.
		return append(b, f.OnionSHA256[:]...)
	}
	return b
}

// appendUpdate writes the length and the update with its message type in front,
// as all nodes do. An update that cannot be written is left out: the field is
// optional.
func (f Failure) appendUpdate(b []byte) []byte {
	var update []byte
	if f.Update != nil {
		update, _ = lnwire.Marshal(f.Update)
	}
	if len(b)+2+len(update) > math.MaxUint16 {
		update = nil
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(update)))
	return append(b, update...)
}

// ReadFailure reads a failuremsg. It is total: the code is authentic and worth
// having whatever follows it, so a field that is missing stays zero, bytes behind
// the fields are ignored (B4.recv.1), and of a code that we do not know only the
// code is kept. Less than a code is Unreadable.
func ReadFailure(msg []byte) (f Failure) {
	r := fields{msg}
	f.Code = Code(r.u16())
	switch f.Code {
	case TemporaryNodeFailure, PermanentNodeFailure, RequiredNodeFeatureMissing,
		PermanentChannelFailure, RequiredChannelFeatureMissing, UnknownNextPeer,
		ExpiryTooFar, MPPTimeout, InvalidRealm, IncorrectPaymentAmount,
		FinalExpiryTooSoon, Unreadable:
		return f
	case InvalidOnionVersion, InvalidOnionHMAC, InvalidOnionKey, InvalidOnionBlinding:
		copy(f.OnionSHA256[:], r.next(32))
		return f
	case TemporaryChannelFailure, ExpiryTooSoon:
		f.Update = r.update()
		return f
	case AmountBelowMinimum, FeeInsufficient:
		f.HTLCMsat = lnwire.MilliSat(r.u64())
		f.Update = r.update()
		return f
	case IncorrectCLTVExpiry:
		f.CLTVExpiry = lnwire.Height(r.u32())
		f.Update = r.update()
		return f
	case IncorrectOrUnknownPaymentDetails:
		f.HTLCMsat = lnwire.MilliSat(r.u64())
		f.Height = lnwire.Height(r.u32())
		return f
	case FinalIncorrectCLTVExpiry:
		f.CLTVExpiry = lnwire.Height(r.u32())
		return f
	case FinalIncorrectHTLCAmount:
		f.HTLCMsat = lnwire.MilliSat(r.u64())
		return f
	case ChannelDisabled:
		f.DisabledFlags = r.u16()
		f.Update = r.update()
		return f
	case InvalidOnionPayload:
		f.Type = r.bigSize()
		f.Offset = r.u16()
		return f
	}
	if f.Code.Has(FlagBadOnion) {
		copy(f.OnionSHA256[:], r.next(32))
	}
	return f
}

// fields reads the data of a failure. Where bytes are missing it takes what is
// left, and numbers are 0.
type fields struct{ b []byte }

func (r *fields) next(n int) []byte {
	n = min(n, len(r.b))
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *fields) number(width int) uint64 {
	var v [8]byte
	if b := r.next(width); len(b) == width {
		copy(v[8-width:], b)
	}
	return binary.BigEndian.Uint64(v[:])
}

func (r *fields) u16() uint16 { return uint16(r.number(2)) }
func (r *fields) u32() uint32 { return uint32(r.number(4)) }
func (r *fields) u64() uint64 { return r.number(8) }

func (r *fields) bigSize() uint64 {
	v, rest, err := lnwire.ReadBigSize(r.b)
	if err != nil {
		r.b = nil
		return 0
	}
	r.b = rest
	return v
}

// update reads a channel_update with its length in front. Old nodes leave out the
// message type, so we try it with and without.
func (r *fields) update() *lnwire.ChannelUpdate {
	n := int(r.u16())
	if n == 0 || n > len(r.b) {
		return nil
	}
	b := r.next(n)
	typed := binary.BigEndian.AppendUint16(nil, uint16(lnwire.MsgChannelUpdate))
	for _, candidate := range [][]byte{b, append(typed, b...)} {
		if len(candidate) < 2 || lnwire.MsgType(binary.BigEndian.Uint16(candidate)) != lnwire.MsgChannelUpdate {
			continue
		}
		if m, err := lnwire.Unmarshal(candidate); err == nil {
			if u, ok := m.(*lnwire.ChannelUpdate); ok {
				return u
			}
		}
	}
	return nil
}
