package lnwire

import "github.com/btcsuite/btcd/chainhash/v2"

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

// RGB is a colour for a human's eyes.
type RGB [3]byte

// Alias is a node's name, 32 bytes of UTF-8 padded with zeros. It is hostile
// text: show it by String only.
type Alias [32]byte

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

// QueryShortChannelIDs asks for the announcements of a list of channels.
type QueryShortChannelIDs struct {
	ChainHash chainhash.Hash
	SCIDs     []ShortChannelID // encoding 0 only; the zlib encoding is refused
	Flags     []uint64         // TLV 1: query_flags, one for each id, or nil
	Extra     ExtraTLVs
}

// ReplyShortChannelIDsEnd ends the answer to a QueryShortChannelIDs.
type ReplyShortChannelIDsEnd struct {
	ChainHash chainhash.Hash
	Full      bool // full_information
	Extra     ExtraTLVs
}

// QueryChannelRange asks for the ids of the channels in a range of blocks.
type QueryChannelRange struct {
	ChainHash  chainhash.Hash
	FirstBlock Height
	NumBlocks  uint32
	Option     *uint64 // TLV 1: query_option_flags
	Extra      ExtraTLVs
}

// ChannelTimestamps are the timestamps of both updates of a channel, 0 for none.
type ChannelTimestamps struct{ Node1, Node2 uint32 }

// ChannelChecksums are the CRC32C sums of both updates of a channel.
type ChannelChecksums struct{ Node1, Node2 uint32 }

// ReplyChannelRange answers a QueryChannelRange, in one message or several.
type ReplyChannelRange struct {
	ChainHash  chainhash.Hash
	FirstBlock Height
	NumBlocks  uint32
	Complete   bool // sync_complete
	SCIDs      []ShortChannelID
	Timestamps []ChannelTimestamps // TLV 1, or nil
	Checksums  []ChannelChecksums  // TLV 3, or nil
	Extra      ExtraTLVs
}

// GossipTimestampFilter asks for gossip as it comes, and for what there is
// within a range of timestamps.
type GossipTimestampFilter struct {
	ChainHash      chainhash.Hash
	FirstTimestamp uint32
	TimestampRange uint32
	Extra          ExtraTLVs
}

// AddressType is the kind of an Address.
type AddressType uint8

// The address types of BOLT 7; 3 (Tor v2) is read and dropped.
const (
	AddrIPv4 AddressType = 1
	AddrIPv6 AddressType = 2
	AddrTor3 AddressType = 4
	AddrDNS  AddressType = 5
)

// Address is a place at which a node may be reached.
type Address struct {
	Type AddressType
	Host string // an IP in text, a name in ASCII, or 56 letters and ".onion"
	Port uint16
}
