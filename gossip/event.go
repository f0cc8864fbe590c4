package gossip

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Event is anything that can happen to gossip. The set is closed.
type Event interface{ isEvent() }

// Opened: both init messages of a connection are exchanged.
type Opened struct {
	Peer     lnwire.PubKey
	Features lnwire.Features  // of the peer's init
	Networks []chainhash.Hash // of the peer's init; empty: not said
}

// Closed: the connection has ended.
type Closed struct{ Peer lnwire.PubKey }

// Received: a message of BOLT 7 other than announcement_signatures came. Others are
// ignored.
type Received struct {
	Peer lnwire.PubKey
	Msg  lnwire.Message
}

// Drained: the last Send with Gossip set has been taken by the connection, which
// has room for more.
type Drained struct{ Peer lnwire.PubKey }

// Verified answers a Verify.
type Verified struct {
	ID uint64
	OK bool // every check
}

// Funding is what the chain says of a funding output.
type Funding uint8

const (
	// FundingGood: the output is unspent and has the script that was asked for.
	FundingGood Funding = iota + 1
	// FundingSpent: there is no such unspent output at that place of the chain.
	FundingSpent
	// FundingForeign: the output is unspent, but its script is another.
	FundingForeign
	// FundingAway: the chain could not be asked.
	FundingAway
)

// Found answers a LookUp.
type Found struct {
	ID       uint64
	Funding  Funding
	OutPoint wire.OutPoint // when FundingGood
	Capacity lnwire.Sat    // when FundingGood
}

// Values answers a Read: a value for each key in its order, nil for a row that is
// not there.
type Values struct {
	ID     uint64
	Values [][]byte
}

// Block: the chain has a new block on top of the last. Blocks that were mined while
// the node was down come one by one, from the one above Tip on; without a Tip the
// present one is enough to begin with. Before a block is known no channel is proved.
type Block struct {
	Block lnwire.BlockRef
	// Spent are all outputs that the block spends.
	Spent []wire.OutPoint
	// Txids are its transactions, in their order.
	Txids []chainhash.Hash
}

// AtTip: no block of the chain is unknown for now. Before it is so for the first time
// nothing is asked of peers: half of the chain asks for half of the map.
type AtTip struct{}

// Unblock: the blocks above this one left the chain. What they funded is judged when others
// come in their place.
type Unblock struct{ Tip lnwire.BlockRef }

// Tick: time has passed. Due when Effects.Wake comes; more often does no harm.
type Tick struct{}

// OwnChannel is the announcement of a channel of ours, with all four signatures. It
// may come before or after the channel's OwnLink, and again.
type OwnChannel struct{ Announcement *lnwire.ChannelAnnouncement }

// OwnLink is the state of a channel of ours, told whenever any of it changes.
type OwnLink struct {
	ChanNum   uint64
	Peer      lnwire.PubKey
	SCID      lnwire.ShortChannelID // 0 before the funding confirmed
	Alias     lnwire.ShortChannelID // ours for the peer: the peer's updates may name it; 0: none
	PeerAlias lnwire.ShortChannelID // the peer's for us: our updates to the peer name it; 0: none
	Funding   wire.OutPoint
	Capacity  lnwire.Sat
	Private   bool
	// Up: HTLCs can be added now. Before it was true for the first time channel_ready
	// may be missing, and no channel_update is made.
	Up bool
	// Ended: no HTLC will ever be added again.
	Ended  bool
	Policy OwnPolicy
}

// OwnPolicy is what we ask for forwarding over a channel of ours.
type OwnPolicy struct {
	FeeBase   uint32 // msat
	FeePPM    uint32
	CLTVDelta uint16
	Minimum   lnwire.MilliSat // no less than what the peer takes
	// Maximum of one HTLC: no more than the peer's max_htlc_value_in_flight_msat; 0:
	// the capacity.
	Maximum  lnwire.MilliSat
	Disabled bool // by the operator
	Inbound  lnwire.InboundFee
}

// OwnNode is what we tell of ourselves. It is announced as soon as a channel of
// ours is.
type OwnNode struct {
	Alias     lnwire.Alias
	Color     lnwire.RGB
	Features  lnwire.Features
	Addresses []lnwire.Address
}

// Signed answers a Sign. OK is false when the signer is away: what is to be signed
// is asked for again at a later Tick.
type Signed struct {
	ID  uint64
	Sig lnwire.Sig
	OK  bool
}

func (Opened) isEvent()     {}
func (Closed) isEvent()     {}
func (Received) isEvent()   {}
func (Drained) isEvent()    {}
func (Verified) isEvent()   {}
func (Found) isEvent()      {}
func (Values) isEvent()     {}
func (Block) isEvent()      {}
func (AtTip) isEvent()      {}
func (Unblock) isEvent()    {}
func (Tick) isEvent()       {}
func (OwnChannel) isEvent() {}
func (OwnLink) isEvent()    {}
func (OwnNode) isEvent()    {}
func (Signed) isEvent()     {}
