package onion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// DecodePayload reads what Peel found. It fails with invalid_onion_payload, and
// in it the type and offset of the record at fault, when b is no TLV stream
// (B4.pay.2), holds an unknown even type below CustomTypes (B4.pay.3) or a record
// whose value is not exactly what its type demands (B4.pay.4, V-67). Unknown odd
// types are dropped. The payload keeps no reference to b.
func DecodePayload(b []byte) (Payload, *Failure) {
	if len(b) < minPayload {
		return Payload{}, invalidPayload(0, 0) // B4.peel.6
	}
	records, err := lnwire.ReadTLVs(b, isPayloadType)
	if err != nil {
		var at *lnwire.TLVError
		if errors.As(err, &at) {
			return Payload{}, invalidPayload(at.Type, at.Offset)
		}
		return Payload{}, invalidPayload(0, 0)
	}
	var p Payload
	offset := 0
	for _, r := range records {
		if !p.set(r) {
			return Payload{}, invalidPayload(r.Type, offset)
		}
		offset += lnwire.BigSizeLen(r.Type) + lnwire.BigSizeLen(uint64(len(r.Value))) + len(r.Value)
	}
	return p, nil
}

// isPayloadType tells the types that Payload has a field for.
func isPayloadType(typ uint64) bool {
	switch typ {
	case tlvAmtToForward, tlvOutgoingCLTV, tlvShortChannelID, tlvPaymentData,
		tlvRecipientData, tlvCurrentPathKey, tlvMetadata, tlvTotalAmount:
		return true
	}
	return typ >= CustomTypes
}

// set reads one record into its field; false when its value is not well formed.
func (p *Payload) set(r lnwire.TLV) bool {
	switch r.Type {
	case tlvAmtToForward:
		return readMilliSat(&p.AmtToForward, r.Value)
	case tlvOutgoingCLTV:
		v, err := lnwire.ReadTU32(r.Value)
		expiry := lnwire.Height(v)
		p.OutgoingCLTV = &expiry
		return err == nil
	case tlvShortChannelID:
		if len(r.Value) != 8 {
			return false
		}
		scid := lnwire.ShortChannelID(binary.BigEndian.Uint64(r.Value))
		p.ShortChannelID = &scid
		return true
	case tlvPaymentData:
		return p.setPaymentData(r.Value)
	case tlvRecipientData:
		p.EncryptedRecipientData = bytes.Clone(r.Value)
		return true
	case tlvCurrentPathKey:
		return p.setPathKey(r.Value)
	case tlvMetadata:
		p.PaymentMetadata = bytes.Clone(r.Value)
		return true
	case tlvTotalAmount:
		return readMilliSat(&p.TotalAmount, r.Value)
	}
	if r.Type < CustomTypes {
		p.Odd = true
		return true
	}
	p.Custom = append(p.Custom, lnwire.TLV{Type: r.Type, Value: bytes.Clone(r.Value)})
	return true
}

func (p *Payload) setPaymentData(b []byte) bool {
	var d PaymentData
	if len(b) < len(d.Secret) {
		return false
	}
	total, err := lnwire.ReadTUMilliSat(b[copy(d.Secret[:], b):])
	d.Total = total
	p.PaymentData = &d
	return err == nil
}

func (p *Payload) setPathKey(b []byte) bool {
	var k lnwire.PubKey
	if len(b) != len(k) {
		return false
	}
	copy(k[:], b)
	p.CurrentPathKey = &k
	_, err := k.Parse()
	return err == nil
}

func readMilliSat(field **lnwire.MilliSat, b []byte) bool {
	v, err := lnwire.ReadTUMilliSat(b)
	*field = &v
	return err == nil
}

// invalidPayload blames a record, or the payload as a whole with two zeros.
func invalidPayload(typ uint64, offset int) *Failure {
	return &Failure{Code: InvalidOnionPayload, Type: typ, Offset: uint16(min(offset, math.MaxUint16))}
}
