package channel

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Phase is where a channel stands in its life. The numbers are stored.
type Phase uint8

const (
	// Opening: nothing that binds was signed. Never stored; a disconnect ends it.
	Opening Phase = iota
	// Funding: the funder has signed funding_created and waits for
	// funding_signed. The funding transaction was not published; a disconnect
	// ends the channel.
	Funding
	// AwaitReady: both first commitments are signed; the funding has to confirm
	// and both channel_ready have to be exchanged.
	AwaitReady
	// Open: normal operation.
	Open
	// ShuttingDown: a shutdown was sent or received; HTLCs drain, then the fee of
	// the closing transaction is negotiated.
	ShuttingDown
	// MutualClose: a closing transaction was agreed and published.
	MutualClose
	// Failed: the channel is broken; our commitment was published, unless our
	// state is lost (Core.DataLost).
	Failed
	// Closing: the funding output is spent in the chain (Core.Spend).
	Closing
	// Closed: all is over; only the summary row remains.
	Closed
)

// String is the phase's name in the log and in scripts.
func (p Phase) String() string {
	names := [...]string{"opening", "funding", "await-ready", "open", "shutting-down", "mutual-close", "failed", "closing", "closed"}
	if int(p) >= len(names) {
		return "invalid"
	}
	return names[p]
}

// Side is what one side says of itself in open_channel or accept_channel. Apart
// from the dust limit and the script it binds the other side.
type Side struct {
	commitment.Basepoints
	DustLimit   lnwire.Sat      // of this side's commitments
	Reserve     lnwire.Sat      // channel_reserve_satoshis: what the other must keep
	MaxInFlight lnwire.MilliSat // max_htlc_value_in_flight_msat: sum the other may offer
	HTLCMinimum lnwire.MilliSat // htlc_minimum_msat: smallest HTLC the other may offer
	MaxAccepted uint16          // max_accepted_htlcs: number the other may offer
	ToSelfDelay uint16          // to_self_delay: blocks the other waits for its own money
	// Upfront is upfront_shutdown_script; nil when not said, empty when opted out.
	Upfront []byte
}

// Terms are what was agreed at the opening. Written once.
type Terms struct {
	ChanNum     uint64
	Peer        lnwire.PubKey
	TempID      lnwire.ChannelID
	Funder      bool // we opened it and pay the fees
	Private     bool // announce_channel was not set
	Format      commitment.Format
	ChannelType lnwire.Features
	Capacity    lnwire.Sat
	Push        lnwire.MilliSat
	FirstFee    lnwire.SatPerKW // feerate_per_kw of the first commitments
	MinDepth    uint32          // confirmations before our channel_ready
	Ours        Side
	Theirs      Side
	Keys        commitment.KeyLocs
	Alias       lnwire.ShortChannelID // ours for the peer; 0: none
	Features    lnwire.Features       // negotiated at the opening
	Memo        string
	OpenedAt    time.Time       // wall clock
	OpenedTip   lnwire.BlockRef // the tip then: the funding cannot be below it
	// Thaw is the height before which the funder may not ask for a cooperative close, or, below
	// absoluteThaw, how many blocks that is after the confirmation; 0: it may at any time.
	Thaw uint32
	// Restored: made from a static backup. There is no state, and never a commitment of
	// ours to publish.
	Restored bool
}

// FeeUpdate is a fee rate on its way into both commitments. It lives as an HTLC's
// add does; the rate that came last of those in a commitment is its rate.
type FeeUpdate struct {
	Rate  lnwire.SatPerKW
	State htlc.State
}

// Place is where a transaction lies in the chain.
type Place struct {
	At      lnwire.BlockRef
	TxIndex uint32
}

// AnnSigs are the peer's halves of our channel_announcement.
type AnnSigs struct {
	SCID       lnwire.ShortChannelID
	NodeSig    lnwire.Sig
	BitcoinSig lnwire.Sig
}

// Core is the small record that changes with every step of the dance. It is
// overwritten whole.
type Core struct {
	Phase     Phase
	ChannelID lnwire.ChannelID
	Funding   wire.OutPoint
	// Confirmed is where the funding lies; nil while it is not in the chain, and
	// again after a reorg.
	Confirmed *Place
	SCID      lnwire.ShortChannelID // of the last confirmation; 0 before the first
	PeerAlias lnwire.ShortChannelID // by which the peer may be paid; 0: none given
	SentReady bool                  // channel_ready
	GotReady  bool
	PeerAnn   *AnnSigs        // their announcement_signatures
	Tip       lnwire.BlockRef // the last block this channel has seen

	// Ours and Theirs are the settled balances: as if no HTLC of the table
	// existed. What the table's HTLCs take and give follows from their states.
	Ours, Theirs lnwire.MilliSat
	// Sent and Got are the sums of all fulfilled HTLCs, for the statistics.
	Sent, Got lnwire.MilliSat
	// Forfeit is how much of Sent the peer took when it had been failed upstream.
	Forfeit lnwire.MilliSat

	LocalN        uint64        // the number of our commitment; below it all are revoked
	RemoteN       uint64        // the number of the peer's newest commitment, signed by us
	RemoteRevoked uint64        // how many the peer has revoked; equals RemoteN unless we wait for revoke_and_ack
	RemotePoint   lnwire.PubKey // the peer's per-commitment point number RemoteRevoked
	RemoteNext    lnwire.PubKey // its point number RemoteRevoked+1; zero before channel_ready
	CommitLast    bool          // commitment_signed left after the last revoke_and_ack: their order when resent
	NextOut       uint64        // id of our next HTLC, after those that are signed
	NextIn        uint64        // id of the peer's next HTLC, after those that it signed

	FeeRate lnwire.SatPerKW // in force in both commitments before Fees
	Fees    []FeeUpdate     // signed, not yet in force everywhere, oldest first

	OurShutdown   []byte      // the script in our shutdown, once sent
	TheirShutdown []byte      // the script in theirs, once received
	CloseTx       *wire.MsgTx // the closing transaction that was agreed, complete; in a simple close the last of ours
	CloseFee      lnwire.Sat  // its fee
	// Of a simple close: the last transaction of the peer that we have signed, complete;
	// the rate at which the operator wants to close, 0 when nobody has asked for it here;
	// and the scripts that OurShutdown was before.
	PeerCloseTx *wire.MsgTx
	CloseRate   lnwire.SatPerKW
	OldScripts  [][]byte
	WeClosed    bool   // we asked for the close, or failed the channel
	Reason      string // why the channel failed, for people
	ErrorText   string // the error that we owe the peer on each reconnect
	DataLost    bool   // the peer proved that our state is old: publish nothing
	// LostPoint is the peer's current per-commitment point when DataLost: enough
	// to find our to_remote output on formats that tweak it.
	LostPoint lnwire.PubKey

	Spend *Spend // the transaction that spends the funding
}

// Spend is a confirmed transaction that spends the funding output.
type Spend struct {
	Tx       *wire.MsgTx
	Place    Place
	Kind     SpendKind
	Reported bool // deep enough to have been reported as closed
	// Resolving are the transactions in the chain that spend outputs which we follow:
	// of Tx, or of each other.
	Resolving []Mined
}

// Mined is a transaction in the chain.
type Mined struct {
	Tx    *wire.MsgTx
	Place Place
}

// SpendKind is what spent the funding output, as far as its form tells. The
// numbers are stored.
type SpendKind uint8

const (
	// SpentByMutual is a closing transaction.
	SpentByMutual SpendKind = iota + 1
	// SpentByUs is our own newest commitment.
	SpentByUs
	// SpentByThem is a commitment of the peer that it has not revoked.
	SpentByThem
	// SpentByRevoked is a commitment that the peer has revoked.
	SpentByRevoked
	// SpentByUnknown is a commitment that we have no record of.
	SpentByUnknown
)

// FundingTx is the funding transaction. Tx is nil when the peer made it and it
// was not seen yet.
type FundingTx struct {
	OutPoint wire.OutPoint
	Tx       *wire.MsgTx
	Ours     bool // ours to publish, again and again until it confirms
	// Batch is how many channels the transaction funds, while it waits until all of them
	// are signed: it is not to be published before FundingFreed. 0: nothing is waited for.
	Batch uint32
}

// LocalCommit are the peer's signatures for our commitment Core.LocalN. What it
// holds follows from the HTLCs.
type LocalCommit struct {
	N        uint64
	Sig      lnwire.Sig
	HTLCSigs []lnwire.Sig // in the order of the outputs
}

// OnionRow is the onion of an HTLC: of an incoming one until it is answered, of
// an outgoing one until the peer has revoked the commitment before it.
type OnionRow struct {
	Ref   htlc.Ref
	Onion *[lnwire.OnionLen]byte
}

// RevokedHTLC is an HTLC of a revoked commitment.
type RevokedHTLC struct {
	Ref    htlc.Ref
	Amount lnwire.MilliSat
	Expiry lnwire.Height
	Hash   lnwire.Hash
}

// Revoked is a commitment of the peer that it has revoked: enough to build the
// transaction again, and to punish it.
type Revoked struct {
	N       uint64
	FeeRate lnwire.SatPerKW
	Ours    lnwire.MilliSat // before the funder pays fee and anchors
	Theirs  lnwire.MilliSat
	HTLCs   []RevokedHTLC
}

// AttemptRow is a row of a payment attempt, encoded by its owner.
type AttemptRow struct {
	ID  uint64
	Row []byte
}

// Rider is a row of another package that must be in the same batch. It is
// passed through.
type Rider struct {
	Kind uint16 // given by channeldb
	Key  []byte
	Row  []byte
}

// Policy is what we ask for forwarding over the channel (BOLT 7).
type Policy struct {
	FeeBase     uint32 // msat
	FeePPM      uint32 // fee_proportional_millionths
	CLTVDelta   uint16 // cltv_expiry_delta
	HTLCMinimum lnwire.MilliSat
	HTLCMaximum lnwire.MilliSat // 0: as much as the channel can carry
	Disabled    bool            // by the operator
	InboundBase int32           // msat; a discount when negative
	InboundPPM  int32
}

// CloseKind says how a channel ended. The numbers are stored.
type CloseKind uint8

const (
	// ClosedMutual: by a closing transaction.
	ClosedMutual CloseKind = iota + 1
	// ClosedByUs: by our commitment.
	ClosedByUs
	// ClosedByThem: by a commitment of the peer.
	ClosedByThem
	// ClosedBreach: by a revoked commitment of the peer.
	ClosedBreach
	// ClosedUnfunded: the funding never confirmed, or was never published.
	ClosedUnfunded
	// ClosedAbandoned: the operator gave up whatever was in it.
	ClosedAbandoned
)

// ClosedRow is the summary that stays for ever.
type ClosedRow struct {
	ChanNum   uint64
	Peer      lnwire.PubKey
	ChannelID lnwire.ChannelID
	Funding   wire.OutPoint
	SCID      lnwire.ShortChannelID
	Capacity  lnwire.Sat
	Kind      CloseKind
	Funder    bool // we opened it
	WeClosed  bool // we asked for the close
	Private   bool
	CloseTxid chainhash.Hash // zero when unfunded
	At        lnwire.BlockRef
	Settled   lnwire.Sat // to us at once: mutual close output, or balance
	TimeLock  lnwire.Sat // to us later
	Reason    string
	// Resolutions are the outputs of a commitment that concerned us.
	Resolutions []Resolution
	Alias       lnwire.ShortChannelID // Terms.Alias
	ZeroConf    bool                  // of the Kind
}

// ResolutionKind is what an output of a closed channel was. The numbers are stored.
type ResolutionKind uint8

const (
	// ResolvedBalance is our own balance, or in a breach also the peer's.
	ResolvedBalance ResolutionKind = iota + 1
	// ResolvedIncoming and ResolvedOutgoing are HTLCs.
	ResolvedIncoming
	ResolvedOutgoing
	// ResolvedAnchor is our anchor.
	ResolvedAnchor
)

// ResolutionEnd is what became of an output of a closed channel. The numbers are
// stored.
type ResolutionEnd uint8

const (
	// EndOpen: nothing has spent it.
	EndOpen ResolutionEnd = iota + 1
	// EndClaimed: we took it.
	EndClaimed
	// EndFirstStage: an HTLC transaction of ours has taken it to the second stage.
	EndFirstStage
	// EndLost: the peer took it, as it may.
	EndLost
)

// Resolution tells of one output of a closed channel.
type Resolution struct {
	Kind     ResolutionKind
	End      ResolutionEnd
	OutPoint wire.OutPoint
	Value    lnwire.Sat
	Txid     chainhash.Hash // that spent it; zero: nothing has
}
