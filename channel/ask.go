package channel

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Ask is a question to the world outside the machine. It is answered by
// Answered{ID}. IDs follow from the state, so that Resumed asks the same again;
// answering twice does no harm.
type Ask struct {
	ID       uint64
	Question Question
}

// Question is what an Ask wants to know. The set is closed.
type Question interface{ isQuestion() }

// Answer is the answer to a Question. The set is closed.
type Answer interface{ isAnswer() }

// The IDs of the questions: each is asked at most once at a time.
const (
	askFund     uint64 = 1
	askAccept   uint64 = 2
	askOutPoint uint64 = 3
	askScript   uint64 = 4
	askBackup   uint64 = 5
)

// AskFund asks the wallet for a transaction that pays Amount to Script, signed
// but not published, its coins leased. Answer: Funded or Declined.
type AskFund struct {
	Script  []byte
	Amount  lnwire.Sat
	FeeRate lnwire.SatPerKW
}

// AskAccept asks whether the peer may open this channel, and on which terms.
// Answer: Accepted or Declined.
type AskAccept struct {
	Peer     lnwire.PubKey
	Open     *lnwire.OpenChannel
	Kind     Kind
	Features lnwire.Features // negotiated
}

// AskOutPoint asks whether another channel of this node already uses the
// outpoint as its funding (V-31). Answer: Free or Declined.
type AskOutPoint struct {
	OutPoint wire.OutPoint
}

// AskShutdownScript asks the wallet for a fresh address. Answer: ShutdownScript
// or Declined.
type AskShutdownScript struct {
	// AnySegwit: a taproot address is allowed; otherwise only version 0.
	AnySegwit bool
}

// AskBackup asks that the static backup of the channel be made and kept: from the answer
// on money can be in it. Answer: BackedUp or Declined.
type AskBackup struct {
	Terms   *Terms // not to be changed
	Funding wire.OutPoint
}

func (AskFund) isQuestion()           {}
func (AskAccept) isQuestion()         {}
func (AskOutPoint) isQuestion()       {}
func (AskShutdownScript) isQuestion() {}
func (AskBackup) isQuestion()         {}

// Funded is the funding transaction, complete with its witnesses. With are the
// wallet's rows (the lease) that must commit with the channel's first rows.
type Funded struct {
	Tx *wire.MsgTx
	// At, in place of Tx, is all that is known of a funding that was agreed upon elsewhere.
	At     *wire.OutPoint
	Output uint32 // the index of the funding output
	With   []Rider
	// Extern: somebody else publishes it. It may be without witnesses; its txid is final.
	Extern bool
	// Batch is how many channels it funds, if it is to wait for all of them
	// (FundingTx.Batch). Its coins are not ours to free.
	Batch uint32
}

// Accepted are our terms as fundee.
type Accepted struct {
	Ours     Side // what we say in accept_channel
	Keys     commitment.KeyLocs
	MinDepth uint32                // minimum_depth, at least 1
	Alias    lnwire.ShortChannelID // given to the peer in channel_ready; 0: none
	// ZeroConf: the peer is trusted to fund the channel, should its kind ask for that:
	// it is used before the funding confirms.
	ZeroConf bool
	Thaw     uint32 // Terms.Thaw
}

// Free says that no other channel has the outpoint.
type Free struct{}

// ShutdownScript is where our money goes in a cooperative close.
type ShutdownScript struct {
	Script []byte
}

// BackedUp says that the channel's static backup is on the disk.
type BackedUp struct{}

// Declined is a no. Text is said to the peer, or to the operator.
type Declined struct {
	Text string
}

func (Funded) isAnswer()         {}
func (Accepted) isAnswer()       {}
func (Free) isAnswer()           {}
func (ShutdownScript) isAnswer() {}
func (BackedUp) isAnswer()       {}
func (Declined) isAnswer()       {}
