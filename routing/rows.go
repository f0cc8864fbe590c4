package routing

import (
	"time"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Status is where a payment or an attempt stands. The numbers are stored.
type Status uint8

const (
	// InFlight: attempts are under way, or more will be made.
	InFlight Status = iota + 1
	// Succeeded: the preimage is known. It never turns into another status.
	Succeeded
	// Failed: over, nothing was paid and nothing is under way.
	Failed
)

// String is the status's name, as lnrpc has it.
func (s Status) String() string {
	switch s {
	case InFlight:
		return "IN_FLIGHT"
	case Succeeded:
		return "SUCCEEDED"
	case Failed:
		return "FAILED"
	}
	return "UNKNOWN"
}

// FailureReason says why a payment failed. The numbers are lnrpc's
// PaymentFailureReason and are stored.
type FailureReason uint8

const (
	// ReasonNone: the payment did not fail.
	ReasonNone FailureReason = iota
	// ReasonTimeout: the time that the caller gave was over.
	ReasonTimeout
	// ReasonNoRoute: no path within the limits, or all of them were tried.
	ReasonNoRoute
	// ReasonError: something that trying again does not mend.
	ReasonError
	// ReasonIncorrectDetails: the recipient does not know the hash, the amount or
	// the secret, or the invoice is no longer payable.
	ReasonIncorrectDetails
	// ReasonInsufficientBalance: our own channels cannot carry it.
	ReasonInsufficientBalance
	// ReasonCanceled: the caller said so.
	ReasonCanceled
)

// String is the reason's name, as lnrpc has it.
func (r FailureReason) String() string {
	switch r {
	case ReasonNone:
		return "FAILURE_REASON_NONE"
	case ReasonTimeout:
		return "FAILURE_REASON_TIMEOUT"
	case ReasonNoRoute:
		return "FAILURE_REASON_NO_ROUTE"
	case ReasonError:
		return "FAILURE_REASON_ERROR"
	case ReasonIncorrectDetails:
		return "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"
	case ReasonInsufficientBalance:
		return "FAILURE_REASON_INSUFFICIENT_BALANCE"
	case ReasonCanceled:
		return "FAILURE_REASON_CANCELED"
	}
	return "UNKNOWN"
}

// HintHop is one channel of a route hint of BOLT 11: Node forwards over SCID to the
// Node of the next HintHop, the last one to the recipient.
type HintHop struct {
	Node  lnwire.PubKey
	SCID  lnwire.ShortChannelID
	Base  uint32 // fee_base_msat
	PPM   uint32 // fee_proportional_millionths
	Delta uint16 // cltv_expiry_delta
}

// Terms say what is to be paid, and to whom. They do not change.
type Terms struct {
	Hash   lnwire.Hash
	Amount lnwire.MilliSat // what the recipient gets, over all parts
	Payee  lnwire.PubKey
	// FinalDelta is min_final_cltv_expiry_delta: blocks that the recipient wants.
	FinalDelta uint16
	Secret     *lnwire.Secret  // payment_secret; nil when the invoice has none
	Metadata   []byte          // payment_metadata; nil when the invoice has none
	Features   lnwire.Features // the recipient's, by its invoice or its announcement
	Hints      [][]HintHop
	// Blinded are the ways to a recipient that hides itself: Payee is zero then,
	// FinalDelta is in the paths, and what would be the Secret as well.
	Blinded []BlindedPath
	Custom  []lnwire.TLV // records for the recipient, among them keysend's preimage
	Request string       // the invoice as it was given; empty without one
}

// Limits bound how a payment may be made. They do not change.
type Limits struct {
	// Fee is the most that all parts together may cost beyond the amount.
	Fee lnwire.MilliSat
	// CLTV is the most blocks that an HTLC of ours may be locked, FinalDelta
	// included; 0 stands for MaxCLTV.
	CLTV uint32
	// Parts is the most HTLCs at a time; 0 stands for 1. More than one are made only
	// for a recipient that takes parts.
	Parts uint32
	// MaxPart is the most that one HTLC brings; 0: any.
	MaxPart lnwire.MilliSat
	// Timeout is how long new attempts are made; 0 stands for DefaultTimeout.
	Timeout time.Duration
	// Outgoing are the channels that may be used; empty: all of them.
	Outgoing []lnwire.ShortChannelID
	// LastHop is the node before the recipient; nil: any.
	LastHop *lnwire.PubKey
	// TimePref shifts the weights: towards -1 low fees count for more, towards 1
	// a likely way does.
	TimePref float64
	// Custom are records of applications for our peer, with the first HTLC of each part.
	Custom lnwire.ExtraTLVs
}

// Payment is the row of a payment, by Terms.Hash. It is written when the payment
// begins, when it succeeds, and when nothing more will come of it; in between only
// attempts are written.
type Payment struct {
	Terms     Terms
	Limits    Limits
	Status    Status
	CreatedAt time.Time // wall clock, when it was begun
	EndedAt   time.Time // zero while in flight
	// Route is the first of the routes that the caller gives (SendToRoute), which are
	// the only ones to be tried; else nil.
	Route    *Route
	Preimage lnwire.Preimage // Succeeded
	Paid     lnwire.MilliSat // Succeeded: all that left us, fees included
	Fee      lnwire.MilliSat // Succeeded: the part of Paid that the recipient did not get
	Reason   FailureReason   // Failed
	Text     string          // Failed: why, in words
	// Charges are what was taken from the spending budgets of who pays: the most that it
	// can cost while something may come of it, then what it has cost.
	Charges []budget.Charge
}

// Hop is one channel of a route and the node at its far end.
type Hop struct {
	Node lnwire.PubKey         // the node that the channel leads to
	SCID lnwire.ShortChannelID // the channel
	// Forward is amt_to_forward of the node's payload: what it passes on, or, of the
	// last node, what it gets.
	Forward lnwire.MilliSat
	// Expiry is outgoing_cltv_value of the node's payload, absolute.
	Expiry lnwire.Height
	// Fee is what the node keeps; 0 for the last.
	Fee lnwire.MilliSat
}

// Route is a path with the figures of an HTLC along it.
type Route struct {
	Source lnwire.PubKey
	Amount lnwire.MilliSat // of the first HTLC: all fees included
	Expiry lnwire.Height   // of the first HTLC, absolute
	Hops   []Hop           // the first is our peer, the last the recipient
	// Tail is set when the recipient has blinded the end of the way: the last but one
	// of Hops is then the introduction node, which keeps the fee of the whole path, and
	// the last one is the recipient by its blinded id, without a channel.
	Tail *Tail
	// Custom are records of applications for our peer, with the HTLC and outside its onion.
	Custom lnwire.ExtraTLVs
}

// Attempt is the row of one HTLC of a payment, by ID. It is first written in the
// batch that holds the outgoing HTLC, and again when that ended.
type Attempt struct {
	ID     uint64 // node-wide, never reused
	Hash   lnwire.Hash
	Number uint32 // counts the payment's attempts from 0
	Route  Route
	// SessionKey is the onion's; with the route's keys it gives the shared secrets
	// by which a failure is read after a restart.
	SessionKey lnwire.Secret
	StartedAt  time.Time // wall clock
	EndedAt    time.Time // zero while in flight
	Status     Status
	Preimage   lnwire.Preimage // Succeeded
	Failure    *AttemptFailure // Failed
	// Holds are for how long the hops, from the first on, say that they held the HTLC, in
	// steps of 100 ms; shorter than the route when one of them did not say.
	Holds []time.Duration
}

// UnknownHop is the FailedHop of a failure of which nobody can say who made it.
const UnknownHop = -1

// AttemptFailure says what became of an attempt that failed.
type AttemptFailure struct {
	// Hop is the node that failed the HTLC, as an index to the route's hops, or
	// UnknownHop. Local is set when it never left us, or was ended by the chain.
	Hop   int32
	Local bool
	// Code is the failure's; onion.Unreadable when there is none.
	Code onion.Code
	// Amount, Expiry, Height and Flags are the code's own fields, zero when absent.
	Amount lnwire.MilliSat
	Expiry lnwire.Height
	Height lnwire.Height
	Flags  uint16
	// Update is the channel_update that came with the code; nil: none, or one that is
	// longer than any honest one.
	Update *lnwire.ChannelUpdate
	// OnionSHA256 is the hash of the onion that could not be read; zero with other codes.
	OnionSHA256 lnwire.Hash
	// Text explains it in words.
	Text string
}

// Delta is what a step of a payment wants written, in one batch.
type Delta struct {
	// New: Payment begins. A failed payment of the same hash gives way to it, and
	// so do that payment's attempts.
	New     bool
	Payment *Payment
	// Open, with Payment: something may still come of it, so that the next start has
	// to take it up.
	Open bool
	// Attempts are upserts by ID of attempts that have ended (or never began: those
	// that a channel refused). The row of one that begins travels with its HTLC.
	Attempts []Attempt
	// Took are the attempts whose outcome is now in the rows: their rows leave the
	// outbox.
	Took []uint64
	// Reserved is taken from spending budgets, Returned settles what was.
	Reserved, Returned []budget.Change
	// Lazy: nothing waits for this delta. It may ride in the next write, as long as
	// the order is kept: the attempt that follows must not be durable without it.
	Lazy bool
}

// IsEmpty reports that there is nothing to write.
func (d *Delta) IsEmpty() bool {
	return d.Payment == nil && len(d.Attempts) == 0 && len(d.Took) == 0
}

// PairHistory is the row of what is known of one node's sending to another, by the
// two keys: amounts that went through and amounts that did not. A zero time means
// that there is none.
type PairHistory struct {
	From, To  lnwire.PubKey
	SuccessAt time.Time
	Success   lnwire.MilliSat // the largest that went through lately
	FailAt    time.Time
	Fail      lnwire.MilliSat // the smallest that did not; 0: nothing goes through
}
