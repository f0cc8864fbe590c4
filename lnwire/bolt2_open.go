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
