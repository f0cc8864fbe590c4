package lnwire

import "github.com/btcsuite/btcd/chainhash/v2"

// ChannelFlags is the flag byte of open_channel; bit 0 is announce_channel.
type ChannelFlags uint8

// AnnounceChannel is set when the funder wishes to advertise the channel.
const AnnounceChannel ChannelFlags = 1

// OpenChannel asks for a channel that its sender funds (BOLT 2, v1).
type OpenChannel struct {
	ChainHash            chainhash.Hash
	TemporaryChannelID   ChannelID
	FundingSat           Sat
	PushMsat             MilliSat
	DustLimit            Sat
	MaxHTLCValueInFlight MilliSat
	ChannelReserve       Sat
	HTLCMinimum          MilliSat
	FeeratePerKW         SatPerKW
	ToSelfDelay          uint16
	MaxAcceptedHTLCs     uint16
	FundingPubKey        PubKey
	RevocationBasepoint  PubKey
	PaymentBasepoint     PubKey
	DelayedBasepoint     PubKey
	HTLCBasepoint        PubKey
	FirstPoint           PubKey // first_per_commitment_point
	Flags                ChannelFlags
	// UpfrontShutdown is TLV 0: nil when the record is absent, empty (non-nil)
	// when the sender opts out of fixing a script.
	UpfrontShutdown []byte
	ChannelType     *Features // TLV 1: nil when absent
	Extra           ExtraTLVs
}

// AcceptChannel agrees to an OpenChannel.
type AcceptChannel struct {
	TemporaryChannelID   ChannelID
	DustLimit            Sat
	MaxHTLCValueInFlight MilliSat
	ChannelReserve       Sat
	HTLCMinimum          MilliSat
	MinimumDepth         uint32
	ToSelfDelay          uint16
	MaxAcceptedHTLCs     uint16
	FundingPubKey        PubKey
	RevocationBasepoint  PubKey
	PaymentBasepoint     PubKey
	DelayedBasepoint     PubKey
	HTLCBasepoint        PubKey
	FirstPoint           PubKey
	UpfrontShutdown      []byte    // TLV 0, as in OpenChannel
	ChannelType          *Features // TLV 1
	Extra                ExtraTLVs
}

// FundingCreated names the funding output and signs the fundee's first commitment.
type FundingCreated struct {
	TemporaryChannelID ChannelID
	FundingTxid        chainhash.Hash
	FundingOutput      uint16
	Sig                Sig
	Extra              ExtraTLVs
}

// FundingSigned signs the funder's first commitment; from here the channel has
// its final id.
type FundingSigned struct {
	ChannelID ChannelID
	Sig       Sig
	Extra     ExtraTLVs
}

// ChannelReady says that the funding is deep enough for its sender.
type ChannelReady struct {
	ChannelID   ChannelID
	SecondPoint PubKey          // second_per_commitment_point
	Alias       *ShortChannelID // TLV 1: an alias by which the receiver may be paid
	Extra       ExtraTLVs
}

func (m *OpenChannel) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChainHash[:]...)
	b = append(b, m.TemporaryChannelID[:]...)
	b = appendU64(b, uint64(m.FundingSat))
	b = appendU64(b, uint64(m.PushMsat))
	b = appendU64(b, uint64(m.DustLimit))
	b = appendU64(b, uint64(m.MaxHTLCValueInFlight))
	b = appendU64(b, uint64(m.ChannelReserve))
	b = appendU64(b, uint64(m.HTLCMinimum))
	b = appendU32(b, uint32(m.FeeratePerKW))
	b = appendU16(b, m.ToSelfDelay)
	b = appendU16(b, m.MaxAcceptedHTLCs)
	b = append(b, m.FundingPubKey[:]...)
	b = append(b, m.RevocationBasepoint[:]...)
	b = append(b, m.PaymentBasepoint[:]...)
	b = append(b, m.DelayedBasepoint[:]...)
	b = append(b, m.HTLCBasepoint[:]...)
	b = append(b, m.FirstPoint[:]...)
	b = append(b, byte(m.Flags))
	return appendExtension(b, openingRecords(m.UpfrontShutdown, m.ChannelType), m.Extra)
}

func (m *OpenChannel) readPayload(r *reader) {
	m.ChainHash = r.hash("chain_hash")
	m.TemporaryChannelID = r.channelID("temporary_channel_id")
	m.FundingSat = r.sat("funding_satoshis")
	m.PushMsat = r.msat("push_msat")
	m.DustLimit = r.sat("dust_limit_satoshis")
	m.MaxHTLCValueInFlight = r.msat("max_htlc_value_in_flight_msat")
	m.ChannelReserve = r.sat("channel_reserve_satoshis")
	m.HTLCMinimum = r.msat("htlc_minimum_msat")
	m.FeeratePerKW = SatPerKW(r.u32("feerate_per_kw"))
	m.ToSelfDelay = r.u16("to_self_delay")
	m.MaxAcceptedHTLCs = r.u16("max_accepted_htlcs")
	m.FundingPubKey = r.pubKey("funding_pubkey")
	m.RevocationBasepoint = r.pubKey("revocation_basepoint")
	m.PaymentBasepoint = r.pubKey("payment_basepoint")
	m.DelayedBasepoint = r.pubKey("delayed_payment_basepoint")
	m.HTLCBasepoint = r.pubKey("htlc_basepoint")
	m.FirstPoint = r.pubKey("first_per_commitment_point")
	m.Flags = ChannelFlags(r.u8("channel_flags"))
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		return readOpening(typ, v, &m.UpfrontShutdown, &m.ChannelType)
	})
}

func (m *AcceptChannel) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.TemporaryChannelID[:]...)
	b = appendU64(b, uint64(m.DustLimit))
	b = appendU64(b, uint64(m.MaxHTLCValueInFlight))
	b = appendU64(b, uint64(m.ChannelReserve))
	b = appendU64(b, uint64(m.HTLCMinimum))
	b = appendU32(b, m.MinimumDepth)
	b = appendU16(b, m.ToSelfDelay)
	b = appendU16(b, m.MaxAcceptedHTLCs)
	b = append(b, m.FundingPubKey[:]...)
	b = append(b, m.RevocationBasepoint[:]...)
	b = append(b, m.PaymentBasepoint[:]...)
	b = append(b, m.DelayedBasepoint[:]...)
	b = append(b, m.HTLCBasepoint[:]...)
	b = append(b, m.FirstPoint[:]...)
	return appendExtension(b, openingRecords(m.UpfrontShutdown, m.ChannelType), m.Extra)
}

func (m *AcceptChannel) readPayload(r *reader) {
	m.TemporaryChannelID = r.channelID("temporary_channel_id")
	m.DustLimit = r.sat("dust_limit_satoshis")
	m.MaxHTLCValueInFlight = r.msat("max_htlc_value_in_flight_msat")
	m.ChannelReserve = r.sat("channel_reserve_satoshis")
	m.HTLCMinimum = r.msat("htlc_minimum_msat")
	m.MinimumDepth = r.u32("minimum_depth")
	m.ToSelfDelay = r.u16("to_self_delay")
	m.MaxAcceptedHTLCs = r.u16("max_accepted_htlcs")
	m.FundingPubKey = r.pubKey("funding_pubkey")
	m.RevocationBasepoint = r.pubKey("revocation_basepoint")
	m.PaymentBasepoint = r.pubKey("payment_basepoint")
	m.DelayedBasepoint = r.pubKey("delayed_payment_basepoint")
	m.HTLCBasepoint = r.pubKey("htlc_basepoint")
	m.FirstPoint = r.pubKey("first_per_commitment_point")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		return readOpening(typ, v, &m.UpfrontShutdown, &m.ChannelType)
	})
}

// openingRecords are the records that open_channel and accept_channel share.
//
// B2.wire.3: no upfront script and an empty one are two different things.
// B2.wire.4: the channel type is a feature vector that fills its record.
func openingRecords(shutdown []byte, channelType *Features) (known []TLV) {
	if shutdown != nil {
		known = append(known, TLV{Type: 0, Value: shutdown})
	}
	if channelType != nil {
		known = append(known, TLV{Type: 1, Value: *channelType})
	}
	return known
}

func readOpening(typ uint64, v *reader, shutdown *[]byte, channelType **Features) bool {
	switch typ {
	case 0:
		*shutdown = append([]byte{}, v.rest()...)
	case 1:
		f := v.featuresRest("channel_type")
		*channelType = &f
	default:
		return false
	}
	return true
}

func (m *FundingCreated) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.TemporaryChannelID[:]...)
	b = append(b, m.FundingTxid[:]...)
	b = appendU16(b, m.FundingOutput)
	b = append(b, m.Sig[:]...)
	return appendExtension(b, nil, m.Extra)
}

func (m *FundingCreated) readPayload(r *reader) {
	m.TemporaryChannelID = r.channelID("temporary_channel_id")
	m.FundingTxid = r.hash("funding_txid")
	m.FundingOutput = r.u16("funding_output_index")
	m.Sig = r.sig("signature")
	r.extension(&m.Extra, noRecords)
}

func (m *FundingSigned) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = append(b, m.Sig[:]...)
	return appendExtension(b, nil, m.Extra)
}

func (m *FundingSigned) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Sig = r.sig("signature")
	r.extension(&m.Extra, noRecords)
}

func (m *ChannelReady) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = append(b, m.SecondPoint[:]...)
	var known []TLV
	if m.Alias != nil {
		known = []TLV{{Type: 1, Value: appendU64(nil, uint64(*m.Alias))}}
	}
	return appendExtension(b, known, m.Extra)
}

// B2.wire.5: an alias is a short channel id of exactly 8 bytes.
func (m *ChannelReady) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.SecondPoint = r.pubKey("second_per_commitment_point")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		if typ != 1 {
			return false
		}
		alias := v.scid("short_channel_id")
		m.Alias = &alias
		return true
	})
}
