package lnwire

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// AnnouncementSignatures gives the peer our halves of a channel_announcement.
type AnnouncementSignatures struct {
	ChannelID  ChannelID
	SCID       ShortChannelID
	NodeSig    Sig
	BitcoinSig Sig
	Extra      ExtraTLVs
}

// ChannelAnnouncement proves a public channel to everybody (BOLT 7).
type ChannelAnnouncement struct {
	NodeSig1, NodeSig2       Sig
	BitcoinSig1, BitcoinSig2 Sig
	Features                 Features
	ChainHash                chainhash.Hash
	SCID                     ShortChannelID
	NodeID1, NodeID2         PubKey // NodeID1 is the lesser
	BitcoinKey1, BitcoinKey2 PubKey
	Extra                    []byte // unknown bytes behind the known fields, signed with them, kept verbatim
}

// NodeAnnouncement tells of a node that has at least one public channel.
type NodeAnnouncement struct {
	Sig       Sig
	Features  Features
	Timestamp uint32
	NodeID    PubKey
	RGB       RGB
	Alias     Alias
	Addresses []Address
	RawAddrs  []byte // the address field verbatim when it holds more than Addresses says; nil otherwise
	Extra     []byte // signed unknown bytes behind the known fields
}

// ChannelUpdateFlags of channel_update: message_flags and channel_flags.
const (
	// UpdateMustBeOne is message_flags bit 0, always set (was option_channel_htlc_max).
	UpdateMustBeOne uint8 = 1
	// UpdateDontForward is message_flags bit 1: for the peer only.
	UpdateDontForward uint8 = 2
	// UpdateDirection is channel_flags bit 0: set when NodeID2 speaks.
	UpdateDirection uint8 = 1
	// UpdateDisabled is channel_flags bit 1.
	UpdateDisabled uint8 = 2
)

// ChannelUpdate tells what one end of a channel asks for forwarding over it.
type ChannelUpdate struct {
	Sig             Sig
	ChainHash       chainhash.Hash
	SCID            ShortChannelID
	Timestamp       uint32
	MessageFlags    uint8
	ChannelFlags    uint8
	CLTVExpiryDelta uint16
	HTLCMinimum     MilliSat
	FeeBase         uint32 // msat
	FeePPM          uint32 // fee_proportional_millionths
	HTLCMaximum     MilliSat
	Extra           []byte // signed unknown bytes behind the known fields
}

func (m *AnnouncementSignatures) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, uint64(m.SCID))
	b = append(b, m.NodeSig[:]...)
	b = append(b, m.BitcoinSig[:]...)
	return appendExtension(b, nil, m.Extra)
}

func (m *AnnouncementSignatures) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.SCID = r.scid("short_channel_id")
	m.NodeSig = r.sig("node_signature")
	m.BitcoinSig = r.sig("bitcoin_signature")
	r.extension(&m.Extra, noRecords)
}

func (m *ChannelAnnouncement) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.NodeSig1[:]...)
	b = append(b, m.NodeSig2[:]...)
	b = append(b, m.BitcoinSig1[:]...)
	b = append(b, m.BitcoinSig2[:]...)
	b, err := appendBlob(b, m.Features, "features")
	if err != nil {
		return nil, err
	}
	b = append(b, m.ChainHash[:]...)
	b = appendU64(b, uint64(m.SCID))
	b = append(b, m.NodeID1[:]...)
	b = append(b, m.NodeID2[:]...)
	b = append(b, m.BitcoinKey1[:]...)
	b = append(b, m.BitcoinKey2[:]...)
	return append(b, m.Extra...), nil
}

// B7.wire.1: whatever stands behind the known fields of the three announcements is
// kept, since the signatures cover it.
func (m *ChannelAnnouncement) readPayload(r *reader) {
	m.NodeSig1 = r.sig("node_signature_1")
	m.NodeSig2 = r.sig("node_signature_2")
	m.BitcoinSig1 = r.sig("bitcoin_signature_1")
	m.BitcoinSig2 = r.sig("bitcoin_signature_2")
	m.Features = r.features("features")
	m.ChainHash = r.hash("chain_hash")
	m.SCID = r.scid("short_channel_id")
	m.NodeID1 = r.pubKey("node_id_1")
	m.NodeID2 = r.pubKey("node_id_2")
	m.BitcoinKey1 = r.pubKey("bitcoin_key_1")
	m.BitcoinKey2 = r.pubKey("bitcoin_key_2")
	m.Extra = r.rest()
}

func (m *NodeAnnouncement) appendPayload(b []byte) ([]byte, error) {
	b, err := appendBlob(append(b, m.Sig[:]...), m.Features, "features")
	if err != nil {
		return nil, err
	}
	b = appendU32(b, m.Timestamp)
	b = append(b, m.NodeID[:]...)
	b = append(b, m.RGB[:]...)
	b = append(b, m.Alias[:]...)
	raw := m.RawAddrs
	if raw == nil {
		if raw, err = appendAddresses(nil, m.Addresses); err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
	}
	if b, err = appendBlob(b, raw, "addresses"); err != nil {
		return nil, err
	}
	return append(b, m.Extra...), nil
}

func (m *NodeAnnouncement) readPayload(r *reader) {
	m.Sig = r.sig("signature")
	m.Features = r.features("features")
	m.Timestamp = r.u32("timestamp")
	m.NodeID = r.pubKey("node_id")
	r.fixed(m.RGB[:], "rgb_color")
	r.fixed(m.Alias[:], "alias")
	raw := r.take(int(r.u16("addrlen")), "addresses")
	addrs, err := readAddresses(raw)
	if err != nil {
		r.fail("addresses", err)
	}
	m.Addresses = addrs
	// B7.wire.18: what the list holds besides was signed with it, so the list is
	// kept as it came.
	if again, err := appendAddresses(nil, addrs); err != nil || !bytes.Equal(again, raw) {
		m.RawAddrs = bytes.Clone(raw)
	}
	m.Extra = r.rest()
}

func (m *ChannelUpdate) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.Sig[:]...)
	b = m.appendPlace(b)
	b = appendU32(b, m.Timestamp)
	return m.appendPolicy(b), nil
}

func (m *ChannelUpdate) appendPlace(b []byte) []byte {
	return appendU64(append(b, m.ChainHash[:]...), uint64(m.SCID))
}

func (m *ChannelUpdate) appendPolicy(b []byte) []byte {
	b = append(b, m.MessageFlags, m.ChannelFlags)
	b = appendU16(b, m.CLTVExpiryDelta)
	b = appendU64(b, uint64(m.HTLCMinimum))
	b = appendU32(b, m.FeeBase)
	b = appendU32(b, m.FeePPM)
	b = appendU64(b, uint64(m.HTLCMaximum))
	return append(b, m.Extra...)
}

// Checksum is the CRC32C of the update without its signature and timestamp, by
// which extended gossip queries tell whether two updates say the same.
//
// B7.wire.19: a newer update with the same content has the same checksum.
func (m *ChannelUpdate) Checksum() uint32 {
	return crc32.Checksum(m.appendPolicy(m.appendPlace(nil)), crc32.MakeTable(crc32.Castagnoli))
}

// A timestamp of zero is a value like another (V-48); the graph's rules judge it.
func (m *ChannelUpdate) readPayload(r *reader) {
	m.Sig = r.sig("signature")
	m.ChainHash = r.hash("chain_hash")
	m.SCID = r.scid("short_channel_id")
	m.Timestamp = r.u32("timestamp")
	m.MessageFlags = r.u8("message_flags")
	m.ChannelFlags = r.u8("channel_flags")
	m.CLTVExpiryDelta = r.u16("cltv_expiry_delta")
	m.HTLCMinimum = r.msat("htlc_minimum_msat")
	m.FeeBase = r.u32("fee_base_msat")
	m.FeePPM = r.u32("fee_proportional_millionths")
	m.HTLCMaximum = r.msat("htlc_maximum_msat")
	m.Extra = r.rest()
}
