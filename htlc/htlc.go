package htlc

import (
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Direction says who offered an HTLC.
type Direction uint8

const (
	// Incoming HTLCs are offered by the peer.
	Incoming Direction = iota
	// Outgoing HTLCs are offered by us.
	Outgoing
)

// String is "incoming" or "outgoing".
func (d Direction) String() string {
	if d == Outgoing {
		return "outgoing"
	}
	return "incoming"
}

// Ref names an HTLC for ever. ChanNum is this node's own number for a channel,
// never reused; each direction of a channel counts its ids from 0. The id of an
// outgoing HTLC that no signature covers yet is not an identity: after a
// reconnect it may be given to another (BOLT 2).
type Ref struct {
	ChanNum uint64
	Dir     Direction
	ID      uint64
}

// String reads "12/incoming/3".
func (r Ref) String() string { return fmt.Sprintf("%d/%s/%d", r.ChanNum, r.Dir, r.ID) }

// OriginKind says what an outgoing HTLC was made for.
type OriginKind uint8

const (
	// NoOrigin marks an incoming HTLC.
	NoOrigin OriginKind = iota
	// FromAttempt is an attempt of one of our own payments.
	FromAttempt
	// FromForward carries an incoming HTLC onwards.
	FromForward
)

// Origin of an outgoing HTLC. It is stored in the HTLC's row, which makes a
// circuit map unnecessary, and it is comparable: the switch keys pending adds by it.
type Origin struct {
	Kind      OriginKind
	AttemptID uint64          // FromAttempt: the node-wide number of the attempt
	Ref       Ref             // FromForward: the incoming HTLC
	AmountIn  lnwire.MilliSat // FromForward: its amount
	ExpiryIn  lnwire.Height   // FromForward: its expiry
}

// Attempt is the origin of our own attempt number id.
func Attempt(id uint64) Origin { return Origin{Kind: FromAttempt, AttemptID: id} }

// Forward is the origin of an HTLC that carries in onwards.
func Forward(in HTLC) Origin {
	return Origin{Kind: FromForward, Ref: in.Ref, AmountIn: in.Amount, ExpiryIn: in.Expiry}
}

// HTLC is one hash time-locked contract of a channel.
type HTLC struct {
	Ref    Ref
	Amount lnwire.MilliSat
	Expiry lnwire.Height // cltv_expiry, absolute
	Hash   lnwire.Hash
	State  State
	Origin Origin // outgoing only
	// Removal is how it is being removed, once that was sent or received.
	Removal *Resolution
	PathKey *lnwire.PubKey // blinded_path of update_add_htlc, if it had one
	// Accountable is the accountability signal of update_add_htlc.
	Accountable lnwire.Accountability
	// Custom are the records of applications in update_add_htlc, ascending by type.
	Custom lnwire.ExtraTLVs
	// LockedAt is when both sides were committed to it, of an incoming one: wall clock in
	// its row, and in memory with the monotonic clock. Zero: not yet, or nobody knows.
	LockedAt time.Time
	// Told: the Outcome of this outgoing HTLC was given out and stands in the
	// outbox. It is never told twice, nor taken back (V-05).
	Told bool
	// Late: it was failed upstream in the end, when it was not worth a close, or lay in the
	// chain and was not worth waiting for. What the peer takes of those is counted against it.
	Late bool
}

// Opened is what peeling the onion of an incoming HTLC gave. Exactly one of
// Payload, Bad and Invalid is set.
type Opened struct {
	Payload *onion.Payload
	Final   bool            // no next hop: we are the recipient
	Next    onion.Packet    // for the next hop, unless Final
	Secret  lnwire.Secret   // shared with the sender: encrypts what we answer
	Bad     *onion.BadOnion // not readable: answered with update_fail_malformed_htlc
	Invalid *onion.Failure  // readable but wrong: answered with this failure
	// Blinded is set with Payload inside a blinded path; Introduces, when we are the
	// first node of it and not the last.
	Blinded    *onion.Blinded
	Introduces bool
}

// Locked is an incoming HTLC that both sides are irrevocably committed to, with
// what its onion said. Only now may it be forwarded or claimed (BOLT 2).
type Locked struct {
	HTLC HTLC
	// Opened is zero when the HTLC comes from the store: peel Onion again.
	Opened Opened
	Onion  *[lnwire.OnionLen]byte // as received; never changed
	// Unfit, unless it is Fit, says that the HTLC must be failed by us whatever
	// its onion says.
	Unfit Unfit
	// Attribute: attribution data may go with the answer, as far as is known of the peer.
	Attribute bool
}

// Unfit says why a locked-in HTLC must neither be forwarded nor claimed.
type Unfit uint8

const (
	// Fit: nothing speaks against it.
	Fit Unfit = iota
	// UnfitDust: it takes the dust in a commitment above our limit (V-20); answer
	// temporary_channel_failure.
	UnfitDust
	// UnfitFar: it expires too far in the future (V-37); answer expiry_too_far.
	UnfitFar
	// UnfitClosed: its channel lives in the chain only, where it may be worth nothing;
	// answer permanent_channel_failure, which nobody will hear.
	UnfitClosed
	// UnfitUnfunded: a reorg took its channel's funding out of the chain, and nobody knows
	// whether it comes back; answer temporary_channel_failure.
	UnfitUnfunded
)

// ResolutionKind is how an HTLC ends.
type ResolutionKind uint8

const (
	// Fulfilled: the preimage is known. Never turns into another kind (V-05).
	Fulfilled ResolutionKind = iota + 1
	// Failed: removed with an error for the origin.
	Failed
	// Malformed: removed because the onion could not be read.
	Malformed
	// TimedOut: ended on chain without a preimage (timeout, or trimmed to dust),
	// irrevocably. It never travels on the wire.
	TimedOut
)

// Resolution is how an HTLC ends.
type Resolution struct {
	Kind     ResolutionKind
	Preimage lnwire.Preimage // Fulfilled
	// Reason is the error packet of update_fail_htlc, encrypted (BOLT 4), of Failed.
	Reason []byte
	// OnionSHA256 and Code are those of update_fail_malformed_htlc, of Malformed.
	OnionSHA256 [32]byte
	Code        uint16
	// Attribution goes with Fulfilled and Failed (BOLT 4): what came from downstream, in
	// an Outcome, and what goes upstream, in the answer to an incoming HTLC. Nil: none.
	Attribution *lnwire.Attribution
}

// Outcome is the irrevocable end of an outgoing HTLC, told to the switch.
// A fulfil is told as soon as the preimage is known.
type Outcome struct {
	Ref        Ref
	Origin     Origin
	Amount     lnwire.MilliSat // of the outgoing HTLC
	Resolution Resolution
}

// RefusalReason says why a channel did not take an HTLC.
type RefusalReason uint8

const (
	// LinkDown: not connected, closing, or dropped before the add was signed.
	LinkDown RefusalReason = iota + 1
	// BelowMinimum: under the peer's htlc_minimum_msat.
	BelowMinimum
	// NoBalance: not enough to spend after reserve and fees.
	NoBalance
	// TooMany: no slot left, or more in flight than the peer allows.
	TooMany
	// TooMuchDust: would exceed the limit on dust exposure.
	TooMuchDust
	// UnknownChannel: no such channel any more.
	UnknownChannel
	// BadExpiry: expired, or too far in the future.
	BadExpiry
)

// Refusal is an outgoing HTLC that a channel could not take, or had to give back
// before it was signed: as if it had never been asked for.
type Refusal struct {
	ChanNum uint64
	Origin  Origin
	Reason  RefusalReason
	Text    string // for a human: which limit, which figures
}
