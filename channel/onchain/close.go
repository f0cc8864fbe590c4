package onchain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Whose says which commitment spent the funding output.
type Whose uint8

const (
	// Ours is our newest commitment.
	Ours Whose = iota + 1
	// Theirs is a commitment of the peer that it has not revoked: its newest, or the
	// one before as long as it owes us the revocation.
	Theirs
	// Revoked is a commitment that the peer has revoked.
	Revoked
	// Unknown is a commitment that we have no record of, since our state is lost.
	Unknown
)

const (
	// reasonable is the depth at which an HTLC that timed out is given up upstream.
	reasonable = 6
	// UpstreamMargin is how many blocks before an HTLC expires upstream it is failed there
	// at the latest, once the chain holds what ends it without a preimage: the channel
	// upstream would be closed for it.
	UpstreamMargin lnwire.Height = 3
	// pettyWait is how long after its expiry a payment of our own, over an HTLC that nobody
	// brings home at a loss, is still waited for.
	pettyWait lnwire.Height = 144
	// irrevocable is the depth at which no reorg is expected any more.
	irrevocable = 100
)

// Close is what is known of a channel's end.
type Close struct {
	Whose Whose
	// Commitment is what Tx is, with all that follows from it. It is nil for Unknown,
	// and for Revoked until the state behind it is loaded.
	Commitment *commitment.Commitment
	// Params are those of the peer's commitments: enough to find our to_remote.
	Params *commitment.Params
	// Own are those of our own commitments and OwnPoint is our point of Tx's number: enough
	// to find our to_local, should Tx be one of ours. Unknown only.
	Own      *commitment.Params
	OwnPoint lnwire.PubKey
	Tx       *wire.MsgTx // that spent the funding output
	At       lnwire.Height
	Keys     commitment.KeyLocs
	// TheirSigs are the peer's signatures of our HTLC transactions, in the order of
	// the outputs. Ours only.
	TheirSigs []lnwire.Sig
	// Secret is the per-commitment secret of the commitment. Revoked only.
	Secret lnwire.Secret
	// Spends are the transactions in the chain that spend outputs of Tx, or outputs of
	// each other, in any order.
	Spends []Spend
	// HTLCs are those that are not settled between us and the peer.
	HTLCs []HTLC
	Tip   lnwire.Height
}

// Spend is a transaction in the chain.
type Spend struct {
	Tx *wire.MsgTx
	At lnwire.Height
}

// HTLC is an HTLC that the channel still knows, as far as it matters in the chain.
type HTLC struct {
	Ref    htlc.Ref
	Expiry lnwire.Height
	Hash   lnwire.Hash
	// Preimage of an incoming one that may be claimed; of an outgoing one, if it
	// became known.
	Preimage *lnwire.Preimage
	// Upstream is the expiry of the incoming HTLC that an outgoing one carries on; 0
	// for a payment of our own.
	Upstream lnwire.Height
	// Petty: bringing it home is worth nothing to us, or less than a close is upstream.
	Petty bool
}

// Claim is an output that we can bring home, now or once it is mature.
type Claim struct {
	commitment.Spend
	Value lnwire.Sat
	// At is the height of the block that holds the output.
	At lnwire.Height
	// MatureAt is the height of the first block that may hold the spend.
	MatureAt lnwire.Height
	// Deadline is the last height at which the spend is of full use, for somebody
	// else may spend the output then; 0: none.
	Deadline lnwire.Height
	// Ref is the HTLC behind the output; zero for a balance.
	Ref htlc.Ref
	// Anchor is what the commitment may have been lifted by for the sake of this HTLC and
	// others, which hold AtRisk together: what that took is not there for the claims any
	// more. Zero: not for this one.
	Anchor wire.OutPoint
	AtRisk lnwire.Sat
}

// Role says what an output is.
type Role uint8

const (
	// Main is a balance: to_local or to_remote.
	Main Role = iota + 1
	// FirstStage is an HTLC's output of the commitment.
	FirstStage
	// SecondStage is the output of an HTLC transaction.
	SecondStage
	// Anchor is ours: worth an input of somebody else's sweep, no more. Nothing waits for it.
	Anchor
)

// Output is an output that we follow.
type Output struct {
	Role     Role
	OutPoint wire.OutPoint
	Value    lnwire.Sat
	PkScript []byte
	At       lnwire.Height // of the block that holds it
	Ref      htlc.Ref      // FirstStage and SecondStage
	// Expiry and Hash are those of the HTLC; FirstStage.
	Expiry lnwire.Height
	Hash   lnwire.Hash
	// Claim is how we spend it; nil when there is no way, or none yet.
	Claim *Claim
	// By is the transaction in the chain whose input number Input spends it; nil:
	// none.
	By    *Spend
	Input int
	Taken Taken // by whom, when By is set
	// complete: it is spent by an HTLC transaction that needs no other input.
	complete *Complete
}

// Publishes: an HTLC transaction that pays its own fee takes the output to its second
// stage, once its time has come.
func (o *Output) Publishes() bool { return o.complete != nil }

// Taken says who spent an output.
type Taken uint8

const (
	// NotTaken: nobody has.
	NotTaken Taken = iota
	// ByUs: it came home.
	ByUs
	// ToSecondStage: our HTLC transaction did; its output is another Output.
	ToSecondStage
	// ByPeer: the peer has.
	ByPeer
)

// Complete asks for an HTLC transaction that pays its own fee: it is published as
// the commitment makes it.
type Complete struct {
	Index    int // in Commitment.HTLCs
	OutPoint wire.OutPoint
	Preimage *lnwire.Preimage // for HTLC-success
}

// Verdict is the irrevocable end of an outgoing HTLC.
type Verdict struct {
	Ref      htlc.Ref
	Preimage *lnwire.Preimage // nil: it timed out, or was never more than dust
	// Absent: the commitment that was mined has no output for it.
	Absent bool
	// GivenUp: its output is there, and the peer may still take it.
	GivenUp bool
}

// Result is what follows from a Close.
type Result struct {
	// Outputs are all outputs that are ours, or could become ours.
	Outputs []Output
	// Claims are those of them that we can spend and that are not spent.
	Claims []Claim
	// Publish are HTLC transactions that can be mined in the next block.
	Publish []Complete
	// Watch are outpoints beside Outputs of whose spending we must know.
	Watch    []Output
	Verdicts []Verdict
	// Done: every output is irrevocably resolved.
	Done bool
}

// depth is the number of confirmations of what is in the block at.
func (c *Close) depth(at lnwire.Height) lnwire.Height {
	if c.Tip < at {
		return 0
	}
	return c.Tip - at + 1
}
