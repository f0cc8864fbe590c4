package lnwire

import "fmt"

// IsOdd says that whoever does not know the type may ignore the message.
//
// B1.msg.5: the lowest bit decides what becomes of an unknown type.
func (t MsgType) IsOdd() bool { return t%2 == 1 }

// String is the spec's name of the message, or its number.
func (t MsgType) String() string {
	switch t {
	case MsgWarning:
		return "warning"
	case MsgStfu:
		return "stfu"
	case MsgPeerStorage:
		return "peer_storage"
	case MsgPeerStorageRetrieval:
		return "peer_storage_retrieval"
	case MsgInit:
		return "init"
	case MsgError:
		return "error"
	case MsgPing:
		return "ping"
	case MsgPong:
		return "pong"
	case MsgOpenChannel:
		return "open_channel"
	case MsgAcceptChannel:
		return "accept_channel"
	case MsgFundingCreated:
		return "funding_created"
	case MsgFundingSigned:
		return "funding_signed"
	case MsgChannelReady:
		return "channel_ready"
	case MsgShutdown:
		return "shutdown"
	case MsgClosingSigned:
		return "closing_signed"
	case MsgClosingComplete:
		return "closing_complete"
	case MsgClosingSig:
		return "closing_sig"
	case MsgUpdateAddHTLC:
		return "update_add_htlc"
	case MsgUpdateFulfillHTLC:
		return "update_fulfill_htlc"
	case MsgUpdateFailHTLC:
		return "update_fail_htlc"
	case MsgCommitmentSigned:
		return "commitment_signed"
	case MsgRevokeAndAck:
		return "revoke_and_ack"
	case MsgUpdateFee:
		return "update_fee"
	case MsgUpdateFailMalformedHTLC:
		return "update_fail_malformed_htlc"
	case MsgChannelReestablish:
		return "channel_reestablish"
	case MsgChannelAnnouncement:
		return "channel_announcement"
	case MsgNodeAnnouncement:
		return "node_announcement"
	case MsgChannelUpdate:
		return "channel_update"
	case MsgAnnouncementSignatures:
		return "announcement_signatures"
	case MsgQueryShortChannelIDs:
		return "query_short_channel_ids"
	case MsgReplyShortChannelIDsEnd:
		return "reply_short_channel_ids_end"
	case MsgQueryChannelRange:
		return "query_channel_range"
	case MsgReplyChannelRange:
		return "reply_channel_range"
	case MsgGossipTimestampFilter:
		return "gossip_timestamp_filter"
	case MsgOnionMessage:
		return "onion_message"
	}
	return fmt.Sprintf("message type %d", uint16(t))
}

// newMessage gives an empty message of the type; Unknown for those not listed.
func newMessage(t MsgType) Message {
	switch t {
	case MsgWarning:
		return new(Warning)
	case MsgStfu:
		return new(Stfu)
	case MsgPeerStorage:
		return new(PeerStorage)
	case MsgPeerStorageRetrieval:
		return new(PeerStorageRetrieval)
	case MsgInit:
		return new(Init)
	case MsgError:
		return new(Error)
	case MsgPing:
		return new(Ping)
	case MsgPong:
		return new(Pong)
	case MsgOpenChannel:
		return new(OpenChannel)
	case MsgAcceptChannel:
		return new(AcceptChannel)
	case MsgFundingCreated:
		return new(FundingCreated)
	case MsgFundingSigned:
		return new(FundingSigned)
	case MsgChannelReady:
		return new(ChannelReady)
	case MsgShutdown:
		return new(Shutdown)
	case MsgClosingSigned:
		return new(ClosingSigned)
	case MsgClosingComplete:
		return new(ClosingComplete)
	case MsgClosingSig:
		return new(ClosingSig)
	case MsgUpdateAddHTLC:
		return new(UpdateAddHTLC)
	case MsgUpdateFulfillHTLC:
		return new(UpdateFulfillHTLC)
	case MsgUpdateFailHTLC:
		return new(UpdateFailHTLC)
	case MsgCommitmentSigned:
		return new(CommitmentSigned)
	case MsgRevokeAndAck:
		return new(RevokeAndAck)
	case MsgUpdateFee:
		return new(UpdateFee)
	case MsgUpdateFailMalformedHTLC:
		return new(UpdateFailMalformedHTLC)
	case MsgChannelReestablish:
		return new(ChannelReestablish)
	case MsgChannelAnnouncement:
		return new(ChannelAnnouncement)
	case MsgNodeAnnouncement:
		return new(NodeAnnouncement)
	case MsgChannelUpdate:
		return new(ChannelUpdate)
	case MsgAnnouncementSignatures:
		return new(AnnouncementSignatures)
	case MsgQueryShortChannelIDs:
		return new(QueryShortChannelIDs)
	case MsgReplyShortChannelIDsEnd:
		return new(ReplyShortChannelIDsEnd)
	case MsgQueryChannelRange:
		return new(QueryChannelRange)
	case MsgReplyChannelRange:
		return new(ReplyChannelRange)
	case MsgGossipTimestampFilter:
		return new(GossipTimestampFilter)
	case MsgOnionMessage:
		return new(OnionMessage)
	}
	return &Unknown{MsgType: t}
}

// Type is MsgWarning.
func (*Warning) Type() MsgType { return MsgWarning }

// Type is MsgStfu.
func (*Stfu) Type() MsgType { return MsgStfu }

// Type is MsgPeerStorage.
func (*PeerStorage) Type() MsgType { return MsgPeerStorage }

// Type is MsgPeerStorageRetrieval.
func (*PeerStorageRetrieval) Type() MsgType { return MsgPeerStorageRetrieval }

// Type is MsgInit.
func (*Init) Type() MsgType { return MsgInit }

// Type is MsgError.
func (*Error) Type() MsgType { return MsgError }

// Type is MsgPing.
func (*Ping) Type() MsgType { return MsgPing }

// Type is MsgPong.
func (*Pong) Type() MsgType { return MsgPong }

// Type is MsgOpenChannel.
func (*OpenChannel) Type() MsgType { return MsgOpenChannel }

// Type is MsgAcceptChannel.
func (*AcceptChannel) Type() MsgType { return MsgAcceptChannel }

// Type is MsgFundingCreated.
func (*FundingCreated) Type() MsgType { return MsgFundingCreated }

// Type is MsgFundingSigned.
func (*FundingSigned) Type() MsgType { return MsgFundingSigned }

// Type is MsgChannelReady.
func (*ChannelReady) Type() MsgType { return MsgChannelReady }

// Type is MsgShutdown.
func (*Shutdown) Type() MsgType { return MsgShutdown }

// Type is MsgClosingSigned.
func (*ClosingSigned) Type() MsgType { return MsgClosingSigned }

// Type is MsgClosingComplete.
func (*ClosingComplete) Type() MsgType { return MsgClosingComplete }

// Type is MsgClosingSig.
func (*ClosingSig) Type() MsgType { return MsgClosingSig }

// Type is MsgUpdateAddHTLC.
func (*UpdateAddHTLC) Type() MsgType { return MsgUpdateAddHTLC }

// Type is MsgUpdateFulfillHTLC.
func (*UpdateFulfillHTLC) Type() MsgType { return MsgUpdateFulfillHTLC }

// Type is MsgUpdateFailHTLC.
func (*UpdateFailHTLC) Type() MsgType { return MsgUpdateFailHTLC }

// Type is MsgCommitmentSigned.
func (*CommitmentSigned) Type() MsgType { return MsgCommitmentSigned }

// Type is MsgRevokeAndAck.
func (*RevokeAndAck) Type() MsgType { return MsgRevokeAndAck }

// Type is MsgUpdateFee.
func (*UpdateFee) Type() MsgType { return MsgUpdateFee }

// Type is MsgUpdateFailMalformedHTLC.
func (*UpdateFailMalformedHTLC) Type() MsgType { return MsgUpdateFailMalformedHTLC }

// Type is MsgChannelReestablish.
func (*ChannelReestablish) Type() MsgType { return MsgChannelReestablish }

// Type is MsgChannelAnnouncement.
func (*ChannelAnnouncement) Type() MsgType { return MsgChannelAnnouncement }

// Type is MsgNodeAnnouncement.
func (*NodeAnnouncement) Type() MsgType { return MsgNodeAnnouncement }

// Type is MsgChannelUpdate.
func (*ChannelUpdate) Type() MsgType { return MsgChannelUpdate }

// Type is MsgAnnouncementSignatures.
func (*AnnouncementSignatures) Type() MsgType { return MsgAnnouncementSignatures }

// Type is MsgQueryShortChannelIDs.
func (*QueryShortChannelIDs) Type() MsgType { return MsgQueryShortChannelIDs }

// Type is MsgReplyShortChannelIDsEnd.
func (*ReplyShortChannelIDsEnd) Type() MsgType { return MsgReplyShortChannelIDsEnd }

// Type is MsgQueryChannelRange.
func (*QueryChannelRange) Type() MsgType { return MsgQueryChannelRange }

// Type is MsgReplyChannelRange.
func (*ReplyChannelRange) Type() MsgType { return MsgReplyChannelRange }

// Type is MsgGossipTimestampFilter.
func (*GossipTimestampFilter) Type() MsgType { return MsgGossipTimestampFilter }

// Type is MsgOnionMessage.
func (*OnionMessage) Type() MsgType { return MsgOnionMessage }

// Type is the number that came or will go with the payload.
func (m *Unknown) Type() MsgType { return m.MsgType }
