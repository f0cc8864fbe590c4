package lnwire

// MsgType is the two-byte type in front of every message (BOLT 1). Even types
// must be understood, odd ones may be ignored.
type MsgType uint16

// The message types of BOLT 1, 2 and 7.
const (
	MsgWarning                 MsgType = 1
	MsgStfu                    MsgType = 2
	MsgPeerStorage             MsgType = 7
	MsgPeerStorageRetrieval    MsgType = 9
	MsgInit                    MsgType = 16
	MsgError                   MsgType = 17
	MsgPing                    MsgType = 18
	MsgPong                    MsgType = 19
	MsgOpenChannel             MsgType = 32
	MsgAcceptChannel           MsgType = 33
	MsgFundingCreated          MsgType = 34
	MsgFundingSigned           MsgType = 35
	MsgChannelReady            MsgType = 36
	MsgShutdown                MsgType = 38
	MsgClosingSigned           MsgType = 39
	MsgUpdateAddHTLC           MsgType = 128
	MsgUpdateFulfillHTLC       MsgType = 130
	MsgUpdateFailHTLC          MsgType = 131
	MsgCommitmentSigned        MsgType = 132
	MsgRevokeAndAck            MsgType = 133
	MsgUpdateFee               MsgType = 134
	MsgUpdateFailMalformedHTLC MsgType = 135
	MsgChannelReestablish      MsgType = 136
	MsgChannelAnnouncement     MsgType = 256
	MsgNodeAnnouncement        MsgType = 257
	MsgChannelUpdate           MsgType = 258
	MsgAnnouncementSignatures  MsgType = 259
	MsgQueryShortChannelIDs    MsgType = 261
	MsgReplyShortChannelIDsEnd MsgType = 262
	MsgQueryChannelRange       MsgType = 263
	MsgReplyChannelRange       MsgType = 264
	MsgGossipTimestampFilter   MsgType = 265
)

// MaxMessage is the largest message, type included, that BOLT 8 can carry.
const MaxMessage = 65535

// Message is one peer message. The set is closed: every implementation is in
// this package, Unknown stands for the types that are not.
type Message interface {
	// Type is the message's number on the wire.
	Type() MsgType
	// appendPayload writes the payload (without the type) behind b.
	appendPayload(b []byte) ([]byte, error)
	// readPayload sets the message from a whole payload. The message keeps no
	// reference to b.
	readPayload(b []byte) error
}

// ChannelMessage is a message that belongs to one channel: the connection hands
// it to the inbox of that channel.
type ChannelMessage interface {
	Message
	// Channel is the channel (or temporary channel) id that the message names.
	Channel() ChannelID
}
