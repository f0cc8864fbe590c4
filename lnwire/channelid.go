package lnwire

// B2.wire.2: until the funding transaction is known, a channel goes by its temporary
// id; from funding_signed on it has its own.

// Channel is the temporary id, the only one there is so far.
func (m *OpenChannel) Channel() ChannelID { return m.TemporaryChannelID }

// Channel is the temporary id, the only one there is so far.
func (m *AcceptChannel) Channel() ChannelID { return m.TemporaryChannelID }

// Channel is the temporary id, the only one there is so far.
func (m *FundingCreated) Channel() ChannelID { return m.TemporaryChannelID }

// Channel is the channel meant; zero means all of the peer's.
func (m *Warning) Channel() ChannelID { return m.ChannelID }

// Channel is the channel meant; zero means all of the peer's.
func (m *Error) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *Stfu) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *FundingSigned) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *ChannelReady) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *Shutdown) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *ClosingSigned) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *ClosingComplete) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *ClosingSig) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *UpdateAddHTLC) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *UpdateFulfillHTLC) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *UpdateFailHTLC) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *UpdateFailMalformedHTLC) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *UpdateFee) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *CommitmentSigned) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *RevokeAndAck) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *ChannelReestablish) Channel() ChannelID { return m.ChannelID }

// Channel is the channel's id.
func (m *AnnouncementSignatures) Channel() ChannelID { return m.ChannelID }
