package channel

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// An Event is anything that can happen to a channel. The set is closed: every
// implementation is in this file.
type Event interface{ isEvent() }

// OpenAsked makes a new machine the funder of a channel. Everything random or
// decided outside comes in here. The peer is connected.
type OpenAsked struct {
	TempID   lnwire.ChannelID // random
	Capacity lnwire.Sat
	Push     lnwire.MilliSat // given to the peer from the start
	FeeRate  lnwire.SatPerKW // of the first commitments
	// FundingFeeRate is handed on in AskFund: the wallet's rate for the funding
	// transaction.
	FundingFeeRate lnwire.SatPerKW
	Format         commitment.Format
	ScidAlias      bool // of the Kind
	ZeroConf       bool // of the Kind
	Private        bool
	Ours           Side // what we say in open_channel
	Keys           commitment.KeyLocs
	MinDepth       uint32                // confirmations before our channel_ready, at least 1
	Alias          lnwire.ShortChannelID // given to the peer in channel_ready; 0: none
	Features       lnwire.Features       // negotiated on this connection
	Memo           string                // the operator's note
	MaxDelay       uint16                // the peer may ask for no longer to_self_delay of ours; 0: what the protocol allows
	Thaw           uint32                // Terms.Thaw
	// Slow: a person answers AskFund, who may take as long as the peer waits.
	Slow bool
	At   lnwire.BlockRef // the tip
	Now  time.Time
}

// RestoreAsked makes a new machine the shell of a channel of which only a static backup
// is left. It has no state: it asks the peer to close and brings home what is ours in
// the peer's commitment.
type RestoreAsked struct {
	// Terms are as much as the backup tells: Funder, Format, ChannelType, Capacity, Keys,
	// the basepoints and delays of both sides.
	Terms   Terms
	Funding wire.OutPoint
	SCID    lnwire.ShortChannelID // 0: not known to be in the chain
	From    lnwire.Height         // the funding is in no block below it
	Now     time.Time
}

// Supplanted says that a static backup names the funding output as that of another
// channel, which was lost. Of the two at most one is real: this one stays only if it has
// been in the chain, if we have paid for it, or if it comes from a backup that is no worse.
type Supplanted struct {
	Mined bool // the backup saw the other in the chain
}

// Received is a message of this channel from its peer.
type Received struct {
	Msg lnwire.Message
	// Opened is the peeled onion of an update_add_htlc, nil for all others.
	Opened *htlc.Opened
	// Features (negotiated on this connection), At and Now are needed with
	// open_channel, the first event of a machine that did not ask. With revoke_and_ack Now
	// is needed, too: from then on the HTLCs are held that it locks in.
	Features lnwire.Features
	At       lnwire.BlockRef
	Now      time.Time
}

// Connected says that the peer is there, its init included.
type Connected struct {
	Features lnwire.Features // negotiated on this connection
}

// Disconnected says that the connection is gone: both sides forget what no
// signature covers.
type Disconnected struct{}

// AddHTLC asks for an outgoing HTLC. It ends in a Refusal, or in an Outcome.
type AddHTLC struct {
	Amount  lnwire.MilliSat
	Expiry  lnwire.Height
	Hash    lnwire.Hash
	Onion   *[lnwire.OnionLen]byte // for the peer; kept, never changed
	PathKey *lnwire.PubKey         // blinded_path for the peer, or nil
	// Accountable is the signal for the peer: that of the incoming HTLC.
	Accountable lnwire.Accountability
	// Custom are records of applications for the peer, ascending by type.
	Custom lnwire.ExtraTLVs
	Origin htlc.Origin
	// Attempt is the row of the payment attempt. It is put into the Delta that
	// first holds the HTLC's row: with the signature, or not at all.
	Attempt *AttemptRow
	// With are rows of others for that same batch.
	With []Rider
}

// Resolve is the answer to an incoming HTLC that was given out as LockedIn. It
// may be repeated: for a Ref that is gone or answered it only consumes the
// outbox row.
type Resolve struct {
	Ref        htlc.Ref
	Resolution htlc.Resolution
	// With are rows of others (forward record, invoice settlement) that must be
	// in the batch that records the answer. An answer that is none any more does not
	// write them.
	With []Rider
}

// Flush ends a turn: one signature for everything that is pending, when the
// channel is in a state to sign.
type Flush struct{}

// Tick brings the time. Wall time is for timestamps only; timeouts count Mono.
type Tick struct {
	Now  time.Time
	Mono time.Duration
}

// Block is a new tip.
type Block struct {
	At lnwire.BlockRef
}

// Confirmed says that a watched transaction is in the chain.
type Confirmed struct {
	Tx      *wire.MsgTx
	At      lnwire.BlockRef
	TxIndex uint32 // within the block
}

// Unconfirmed takes a Confirmed back, and a Spent by the same transaction: its
// block left the chain.
type Unconfirmed struct {
	Txid chainhash.Hash
}

// Spent says that a watched outpoint was spent by Tx, in the block At.
type Spent struct {
	OutPoint wire.OutPoint
	Tx       *wire.MsgTx
	At       lnwire.BlockRef
	TxIndex  uint32 // within the block
}

// ChainLost says that the backend has forgotten the blocks above Fork that were told of:
// what was mined in them counts no more until it is told again.
type ChainLost struct {
	Fork lnwire.BlockRef // zero: not one block is in common
}

// Unmined is an unconfirmed transaction that spends a watched output. It may never be
// mined, and may come more than once.
type Unmined struct {
	Tx *wire.MsgTx
}

// FeeRate is the fee rate at which a commitment should be published now.
type FeeRate struct {
	Rate lnwire.SatPerKW
}

// PolicySet changes what we ask for forwarding over this channel.
type PolicySet struct {
	Policy Policy
}

// CloseAsked asks for the end of the channel.
type CloseAsked struct {
	// Force publishes our commitment instead of asking the peer.
	Force bool
	// Script is where our money goes in a cooperative close; empty: the upfront
	// script, or else a fresh address of the wallet.
	Script []byte
	// FeeRate is what we aim at for the closing transaction; 0: the last FeeRate.
	FeeRate lnwire.SatPerKW
	// MaxFeeRate is the most we pay as funder; 0: three times FeeRate.
	MaxFeeRate lnwire.SatPerKW
}

// FundingFreed lets a funding go that has waited for the other channels of its batch
// (FundingTx.Batch): all of them are signed and durable.
type FundingFreed struct{}

// FundingDropped says that a funding which waited for its batch will never be published:
// the channel is forgotten. One that was freed, or that is none of a batch, stays as it
// is.
type FundingDropped struct {
	Text string // for the peer and the operator
}

// Abandoned forgets the channel at once, whatever is in it.
type Abandoned struct{}

// QuiesceAsked asks for quiescence: both sides stop sending updates until the connection
// ends. It ends in NoticeQuiescent or NoticeQuiesceRefused.
type QuiesceAsked struct{}

// Answered answers the Ask of the same ID. An answer that nobody waits for any
// more changes nothing.
type Answered struct {
	ID     uint64
	Answer Answer
}

// Loaded brings a revoked state that was asked for in Effects.Load.
type Loaded struct {
	Revoked Revoked
}

// Resumed comes once after Load: every effect that may have been lost with the
// process is derived again.
type Resumed struct{}

func (OpenAsked) isEvent()      {}
func (RestoreAsked) isEvent()   {}
func (Supplanted) isEvent()     {}
func (Received) isEvent()       {}
func (Connected) isEvent()      {}
func (Disconnected) isEvent()   {}
func (AddHTLC) isEvent()        {}
func (Resolve) isEvent()        {}
func (Flush) isEvent()          {}
func (Tick) isEvent()           {}
func (Block) isEvent()          {}
func (Confirmed) isEvent()      {}
func (Unconfirmed) isEvent()    {}
func (Spent) isEvent()          {}
func (Unmined) isEvent()        {}
func (ChainLost) isEvent()      {}
func (FeeRate) isEvent()        {}
func (PolicySet) isEvent()      {}
func (CloseAsked) isEvent()     {}
func (FundingFreed) isEvent()   {}
func (FundingDropped) isEvent() {}
func (Abandoned) isEvent()      {}
func (QuiesceAsked) isEvent()   {}
func (Answered) isEvent()       {}
func (Loaded) isEvent()         {}
func (Resumed) isEvent()        {}
