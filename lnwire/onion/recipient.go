package onion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The record types of encrypted_data_tlv (BOLT 4).
const (
	dataPadding         = 1
	dataShortChannelID  = 2
	dataNextNode        = 4
	dataPathID          = 6
	dataPathKeyOverride = 8
	dataRelay           = 10
	dataConstraints     = 12
	dataFeatures        = 14
)

// PaymentRelay is what a node inside a blinded path keeps of a payment: the payer does
// not know it, so it stands here and not in the payload.
type PaymentRelay struct {
	CLTVDelta uint16 // cltv_expiry_delta
	FeePPM    uint32 // fee_proportional_millionths
	FeeBase   uint32 // fee_base_msat
}

// PaymentConstraints are the bounds within which a blinded path may be used.
type PaymentConstraints struct {
	MaxExpiry   lnwire.Height   // max_cltv_expiry, of the incoming HTLC
	HTLCMinimum lnwire.MilliSat // htlc_minimum_msat, of the incoming HTLC
}

// RecipientData is encrypted_data_tlv: what the maker of a blinded path tells one of
// its nodes. A field is nil when its record is absent.
type RecipientData struct {
	Padding         []byte // empty, but not nil, when the record is
	ShortChannelID  *lnwire.ShortChannelID
	NextNode        *lnwire.PubKey // next_node_id
	PathID          []byte         // empty, but not nil, when the record is
	PathKeyOverride *lnwire.PubKey // next_path_key_override
	Relay           *PaymentRelay
	Constraints     *PaymentConstraints
	Features        *lnwire.Features // allowed_features
	Extra           lnwire.ExtraTLVs // odd records that we do not know
}

// Encode writes the stream. It fails when Extra holds a record that is not odd, or is
// out of order.
//
// B4.data.1: the records ascend, with numbers as short as they go.
func (d RecipientData) Encode() ([]byte, error) {
	var recs []lnwire.TLV
	add := func(typ uint64, value []byte) { recs = append(recs, lnwire.TLV{Type: typ, Value: value}) }
	if d.Padding != nil {
		add(dataPadding, d.Padding)
	}
	if d.ShortChannelID != nil {
		add(dataShortChannelID, binary.BigEndian.AppendUint64(nil, uint64(*d.ShortChannelID)))
	}
	if d.NextNode != nil {
		add(dataNextNode, d.NextNode[:])
	}
	if d.PathID != nil {
		add(dataPathID, d.PathID)
	}
	if d.PathKeyOverride != nil {
		add(dataPathKeyOverride, d.PathKeyOverride[:])
	}
	if r := d.Relay; r != nil {
		v := binary.BigEndian.AppendUint16(nil, r.CLTVDelta)
		add(dataRelay, lnwire.AppendTU64(binary.BigEndian.AppendUint32(v, r.FeePPM), uint64(r.FeeBase)))
	}
	if c := d.Constraints; c != nil {
		v := binary.BigEndian.AppendUint32(nil, uint32(c.MaxExpiry))
		add(dataConstraints, lnwire.AppendTU64(v, uint64(c.HTLCMinimum)))
	}
	if d.Features != nil {
		add(dataFeatures, *d.Features)
	}
	for _, r := range d.Extra {
		if r.Type%2 == 0 {
			return nil, fmt.Errorf("recipient data: record %d is even", r.Type)
		}
		if isDataType(r.Type) {
			return nil, fmt.Errorf("recipient data: record %d has a field", r.Type)
		}
	}
	return lnwire.AppendTLVs(nil, append(recs, d.Extra...))
}

// isDataType tells the record types that RecipientData has a field for.
func isDataType(typ uint64) bool {
	return typ == dataPadding || typ%2 == 0 && typ >= dataShortChannelID && typ <= dataFeatures
}

// ErrBadData says that recipient data holds something that its maker cannot have meant.
var ErrBadData = errors.New("encrypted_recipient_data: not a valid stream")

// DecodeRecipientData reads the stream. It keeps no reference to b.
//
// B4.data.2: an unknown even record, and a record whose value is not exactly what its
// type demands, are refused (V-67).
func DecodeRecipientData(b []byte) (RecipientData, error) {
	var d RecipientData
	records, err := lnwire.ReadTLVs(b, isDataType)
	if err != nil {
		return d, fmt.Errorf("%w: %w", ErrBadData, err)
	}
	for _, r := range records {
		if !d.set(r) {
			return RecipientData{}, fmt.Errorf("%w: record %d", ErrBadData, r.Type)
		}
	}
	return d, nil
}

// set reads one record into its field; false when its value is not well formed.
func (d *RecipientData) set(r lnwire.TLV) bool {
	v := r.Value
	switch r.Type {
	case dataPadding:
		d.Padding = append([]byte{}, v...)
	case dataShortChannelID:
		if len(v) != 8 {
			return false
		}
		id := lnwire.ShortChannelID(binary.BigEndian.Uint64(v))
		d.ShortChannelID = &id
	case dataNextNode:
		return readPoint(&d.NextNode, v)
	case dataPathID:
		d.PathID = append([]byte{}, v...)
	case dataPathKeyOverride:
		return readPoint(&d.PathKeyOverride, v)
	case dataRelay:
		return d.setRelay(v)
	case dataConstraints:
		return d.setConstraints(v)
	case dataFeatures:
		f := lnwire.Features(append([]byte{}, v...))
		d.Features = &f
	default:
		d.Extra = append(d.Extra, lnwire.TLV{Type: r.Type, Value: bytes.Clone(v)})
	}
	return true
}

func readPoint(to **lnwire.PubKey, b []byte) bool {
	var k lnwire.PubKey
	if len(b) != len(k) {
		return false
	}
	copy(k[:], b)
	*to = &k
	_, err := k.Parse()
	return err == nil
}

func (d *RecipientData) setRelay(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	base, err := lnwire.ReadTU32(b[6:])
	d.Relay = &PaymentRelay{
		CLTVDelta: binary.BigEndian.Uint16(b), FeePPM: binary.BigEndian.Uint32(b[2:]), FeeBase: base,
	}
	return err == nil
}

func (d *RecipientData) setConstraints(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	minimum, err := lnwire.ReadTUMilliSat(b[4:])
	d.Constraints = &PaymentConstraints{MaxExpiry: lnwire.Height(binary.BigEndian.Uint32(b)), HTLCMinimum: minimum}
	return err == nil
}

// Next is the path key for the node behind ours: the one of the data, if it has one,
// or else the one that follows from ours.
//
// B4.data.3: an override takes the place of the computed key.
func (d RecipientData) Next(b Blinding) lnwire.PubKey {
	if d.PathKeyOverride != nil {
		return *d.PathKeyOverride
	}
	return b.Next
}

// pad gives each of the streams the same length, by a padding record in each
// (B4.path.3). It overwrites Padding.
func pad(all []RecipientData) ([][]byte, error) {
	bare := make([]int, len(all))
	target := 0
	for i := range all {
		all[i].Padding = nil
		b, err := all[i].Encode()
		if err != nil {
			return nil, err
		}
		bare[i] = len(b)
		target = max(target, len(b)+2)
	}
	for ; ; target++ { // a few lengths cannot be had: the record's own length grows with it
		out := make([][]byte, 0, len(all))
		for i := range all {
			n := target - bare[i] - 2
			if n >= 0xfd {
				n -= 2
			}
			all[i].Padding = make([]byte, n)
			b, err := all[i].Encode()
			if err != nil {
				return nil, err
			}
			if len(b) == target {
				out = append(out, b)
			}
		}
		if len(out) == len(all) {
			return out, nil
		}
	}
}
