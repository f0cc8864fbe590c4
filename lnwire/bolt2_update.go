package lnwire

import (
	"fmt"
	"slices"
)

// OnionLen is the length of the onion packet in update_add_htlc (BOLT 4).
const OnionLen = 1366

// AttributionLen is the length of attribution_data: 20 hold times of 4 bytes, and
// 210 message authentication codes cut to 4 bytes each.
const AttributionLen = 20*4 + 210*4

// Attribution is attribution_data (BOLT 4), as it stands in the messages that end an
// HTLC.
type Attribution [AttributionLen]byte

// UpdateAddHTLC offers an HTLC (BOLT 2).
type UpdateAddHTLC struct {
	ChannelID ChannelID
	ID        uint64
	Amount    MilliSat
	Hash      Hash
	Expiry    Height // cltv_expiry
	Onion     [OnionLen]byte
	PathKey   *PubKey // TLV 0: blinded_path
	Extra     ExtraTLVs
}

// UpdateFulfillHTLC removes an HTLC that its sender received, with the preimage.
type UpdateFulfillHTLC struct {
	ChannelID   ChannelID
	ID          uint64
	Preimage    Preimage
	Attribution *Attribution // TLV 1
	Extra       ExtraTLVs
}

// UpdateFailHTLC removes an HTLC that its sender received, with an error for the
// origin, encrypted as BOLT 4 says.
type UpdateFailHTLC struct {
	ChannelID   ChannelID
	ID          uint64
	Reason      []byte
	Attribution *Attribution // TLV 1
	Extra       ExtraTLVs
}

// UpdateFailMalformedHTLC removes an HTLC whose onion could not be read.
type UpdateFailMalformedHTLC struct {
	ChannelID   ChannelID
	ID          uint64
	OnionSHA256 [32]byte
	FailureCode uint16
	Extra       ExtraTLVs
}

// UpdateFee changes the fee rate of both commitments; only the funder sends it.
type UpdateFee struct {
	ChannelID    ChannelID
	FeeratePerKW SatPerKW
	Extra        ExtraTLVs
}

// CommitmentSigned signs the receiver's next commitment and each of its HTLC
// transactions, in the order of the outputs.
type CommitmentSigned struct {
	ChannelID ChannelID
	Sig       Sig
	HTLCSigs  []Sig // at most 966
	Extra     ExtraTLVs
}

// RevokeAndAck revokes the sender's previous commitment.
type RevokeAndAck struct {
	ChannelID ChannelID
	Secret    Secret // per_commitment_secret
	NextPoint PubKey // next_per_commitment_point
	Extra     ExtraTLVs
}

// ChannelReestablish tells after a reconnect what each side has (BOLT 2).
type ChannelReestablish struct {
	ChannelID      ChannelID
	NextCommitment uint64 // next_commitment_number
	NextRevocation uint64 // next_revocation_number
	LastSecret     Secret // your_last_per_commitment_secret
	CurrentPoint   PubKey // my_current_per_commitment_point
	Extra          ExtraTLVs
}

// addHTLCLen is the length of the payload of update_add_htlc without extension.
const addHTLCLen = 32 + 8 + 8 + 32 + 4 + OnionLen

// MaxHTLCSigs is the most HTLC signatures that a commitment can need: 483 each way.
const MaxHTLCSigs = 966

func (m *UpdateAddHTLC) appendPayload(b []byte) ([]byte, error) {
	b = append(slices.Grow(b, addHTLCLen), m.ChannelID[:]...)
	b = appendU64(b, m.ID)
	b = appendU64(b, uint64(m.Amount))
	b = append(b, m.Hash[:]...)
	b = appendU32(b, uint32(m.Expiry))
	b = append(b, m.Onion[:]...)
	var known []TLV
	if m.PathKey != nil {
		known = []TLV{{Type: 0, Value: m.PathKey[:]}}
	}
	return appendExtension(b, known, m.Extra)
}

// B2.wire.7: a path_key must be a point.
func (m *UpdateAddHTLC) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.ID = r.u64("id")
	m.Amount = r.msat("amount_msat")
	r.fixed(m.Hash[:], "payment_hash")
	m.Expiry = Height(r.u32("cltv_expiry"))
	r.fixed(m.Onion[:], "onion_routing_packet")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		if typ != 0 {
			return false
		}
		key := v.point("path_key")
		m.PathKey = &key
		return true
	})
}

func attributionRecord(a *Attribution) []TLV {
	if a == nil {
		return nil
	}
	return []TLV{{Type: 1, Value: a[:]}}
}

// readAttribution reads the one record of the messages that end an HTLC.
//
// B2.wire.13: attribution data is exactly 920 bytes.
func readAttribution(to **Attribution) func(uint64, *reader) bool {
	*to = nil
	return func(typ uint64, v *reader) bool {
		if typ != 1 {
			return false
		}
		a := new(Attribution)
		v.fixed(a[:], "attribution_data")
		*to = a
		return true
	}
}

func (m *UpdateFulfillHTLC) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, m.ID)
	b = append(b, m.Preimage[:]...)
	return appendExtension(b, attributionRecord(m.Attribution), m.Extra)
}

func (m *UpdateFulfillHTLC) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.ID = r.u64("id")
	r.fixed(m.Preimage[:], "payment_preimage")
	r.extension(&m.Extra, readAttribution(&m.Attribution))
}

func (m *UpdateFailHTLC) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, m.ID)
	b, err := appendBlob(b, m.Reason, "reason")
	if err != nil {
		return nil, err
	}
	return appendExtension(b, attributionRecord(m.Attribution), m.Extra)
}

func (m *UpdateFailHTLC) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.ID = r.u64("id")
	m.Reason = r.blob("reason")
	r.extension(&m.Extra, readAttribution(&m.Attribution))
}

func (m *UpdateFailMalformedHTLC) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, m.ID)
	b = append(b, m.OnionSHA256[:]...)
	b = appendU16(b, m.FailureCode)
	return appendExtension(b, nil, m.Extra)
}

func (m *UpdateFailMalformedHTLC) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.ID = r.u64("id")
	r.fixed(m.OnionSHA256[:], "sha256_of_onion")
	m.FailureCode = r.u16("failure_code")
	r.extension(&m.Extra, noRecords)
}

func (m *UpdateFee) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU32(b, uint32(m.FeeratePerKW))
	return appendExtension(b, nil, m.Extra)
}

func (m *UpdateFee) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.FeeratePerKW = SatPerKW(r.u32("feerate_per_kw"))
	r.extension(&m.Extra, noRecords)
}

// B2.wire.8: as many HTLC signatures as said, and no more than two full sides need.
func (m *CommitmentSigned) appendPayload(b []byte) ([]byte, error) {
	if len(m.HTLCSigs) > MaxHTLCSigs {
		return nil, fmt.Errorf("num_htlcs: %d, at most %d", len(m.HTLCSigs), MaxHTLCSigs)
	}
	b = slices.Grow(b, 32+64+2+64*len(m.HTLCSigs))
	b = append(b, m.ChannelID[:]...)
	b = append(b, m.Sig[:]...)
	b = appendU16(b, uint16(len(m.HTLCSigs)))
	for i := range m.HTLCSigs {
		b = append(b, m.HTLCSigs[i][:]...)
	}
	return appendExtension(b, nil, m.Extra)
}

func (m *CommitmentSigned) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Sig = r.sig("signature")
	n := int(r.u16("num_htlcs"))
	if n > MaxHTLCSigs {
		r.fail("num_htlcs", fmt.Errorf("%d, at most %d", n, MaxHTLCSigs))
	}
	sigs := r.take(n*len(Sig{}), "htlc_signature") // all are there before any is allocated
	if len(sigs) > 0 {
		m.HTLCSigs = make([]Sig, n)
	}
	for i := range m.HTLCSigs {
		sigs = sigs[copy(m.HTLCSigs[i][:], sigs):]
	}
	r.extension(&m.Extra, noRecords)
}

func (m *RevokeAndAck) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = append(b, m.Secret[:]...)
	b = append(b, m.NextPoint[:]...)
	return appendExtension(b, nil, m.Extra)
}

func (m *RevokeAndAck) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	r.fixed(m.Secret[:], "per_commitment_secret")
	m.NextPoint = r.pubKey("next_per_commitment_point")
	r.extension(&m.Extra, noRecords)
}

func (m *ChannelReestablish) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, m.NextCommitment)
	b = appendU64(b, m.NextRevocation)
	b = append(b, m.LastSecret[:]...)
	b = append(b, m.CurrentPoint[:]...)
	return appendExtension(b, nil, m.Extra)
}

func (m *ChannelReestablish) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.NextCommitment = r.u64("next_commitment_number")
	m.NextRevocation = r.u64("next_revocation_number")
	r.fixed(m.LastSecret[:], "your_last_per_commitment_secret")
	m.CurrentPoint = r.pubKey("my_current_per_commitment_point")
	r.extension(&m.Extra, noRecords)
}
