package onion

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The record types of a payload (BOLT 4).
const (
	tlvAmtToForward   = 2
	tlvOutgoingCLTV   = 4
	tlvShortChannelID = 6
	tlvPaymentData    = 8
	tlvRecipientData  = 10
	tlvCurrentPathKey = 12
	tlvMetadata       = 16
	tlvTotalAmount    = 18
)

// CustomTypes is the first of the record types that applications use among
// themselves; a payload carries them without knowing what they mean, even ones
// too.
const CustomTypes uint64 = 65536

// PaymentData is the record by which a recipient knows the payer to have its
// invoice, and that further parts are on their way.
type PaymentData struct {
	Secret lnwire.Secret   // payment_secret
	Total  lnwire.MilliSat // total_msat
}

// Payload is the TLV stream that a hop finds in its layer. A field is nil when
// its record is absent. What must be there depends on the hop's place: ask
// CheckForward or CheckFinal, which give the fields without pointers.
type Payload struct {
	AmtToForward           *lnwire.MilliSat
	OutgoingCLTV           *lnwire.Height // outgoing_cltv_value
	ShortChannelID         *lnwire.ShortChannelID
	PaymentData            *PaymentData
	EncryptedRecipientData []byte // empty, but not nil, when the record is
	CurrentPathKey         *lnwire.PubKey
	PaymentMetadata        []byte           // empty, but not nil, when the record is
	TotalAmount            *lnwire.MilliSat // total_amount_msat
	Custom                 []lnwire.TLV     // from CustomTypes on, ascending
	Odd                    bool             // there were odd records that we do not know; they are dropped
}

// Encode writes the stream, as Hop.Payload wants it (B4.pay.1). Custom may be in
// any order; an error means that it holds a type below CustomTypes, or one twice.
func (p Payload) Encode() ([]byte, error) {
	var b []byte
	if p.AmtToForward != nil {
		b = lnwire.AppendTLV(b, tlvAmtToForward, lnwire.AppendTU64(nil, uint64(*p.AmtToForward)))
	}
	if p.OutgoingCLTV != nil {
		b = lnwire.AppendTLV(b, tlvOutgoingCLTV, lnwire.AppendTU64(nil, uint64(*p.OutgoingCLTV)))
	}
	if p.ShortChannelID != nil {
		b = lnwire.AppendTLV(b, tlvShortChannelID, binary.BigEndian.AppendUint64(nil, uint64(*p.ShortChannelID)))
	}
	if d := p.PaymentData; d != nil {
		b = lnwire.AppendTLV(b, tlvPaymentData, lnwire.AppendTU64(d.Secret[:len(d.Secret):len(d.Secret)], uint64(d.Total)))
	}
	if p.EncryptedRecipientData != nil {
		b = lnwire.AppendTLV(b, tlvRecipientData, p.EncryptedRecipientData)
	}
	if p.CurrentPathKey != nil {
		b = lnwire.AppendTLV(b, tlvCurrentPathKey, p.CurrentPathKey[:])
	}
	if p.PaymentMetadata != nil {
		b = lnwire.AppendTLV(b, tlvMetadata, p.PaymentMetadata)
	}
	if p.TotalAmount != nil {
		b = lnwire.AppendTLV(b, tlvTotalAmount, lnwire.AppendTU64(nil, uint64(*p.TotalAmount)))
	}
	return p.appendCustom(b)
}

func (p Payload) appendCustom(b []byte) ([]byte, error) {
	custom := slices.Clone(p.Custom)
	slices.SortStableFunc(custom, func(x, y lnwire.TLV) int { return cmp.Compare(x.Type, y.Type) })
	for i, r := range custom {
		if r.Type < CustomTypes {
			return nil, fmt.Errorf("custom record %d: want a type of at least %d", r.Type, CustomTypes)
		}
		if i > 0 && r.Type == custom[i-1].Type {
			return nil, fmt.Errorf("custom record %d stands twice", r.Type)
		}
		b = lnwire.AppendTLV(b, r.Type, r.Value)
	}
	return b, nil
}
