package invoice

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// State is where an invoice stands. The numbers are stored, and are those of
// lnrpc.
type State uint8

const (
	// Open: it can be paid.
	Open State = 0
	// Settled: it was paid and the preimage given out. Final.
	Settled State = 1
	// Canceled: it cannot be paid any more. Final.
	Canceled State = 2
	// Accepted: the whole amount of a hold invoice has arrived and is kept until
	// somebody settles or cancels it.
	Accepted State = 3
)

// String is the state's name as lnrpc has it, in lower case.
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Settled:
		return "settled"
	case Canceled:
		return "canceled"
	case Accepted:
		return "accepted"
	}
	return "invalid"
}

// Final reports a state that never changes again.
func (s State) Final() bool { return s == Settled || s == Canceled }

// Invoice is a row: one request for payment and what has come in for it. Its key
// in the store is Hash; AddIndex and SettleIndex are indexes to it.
type Invoice struct {
	Hash  lnwire.Hash
	State State
	// AddIndex counts the invoices in the order in which they were added, from 1.
	AddIndex uint64
	// SettleIndex counts in the order of settling, from 1; 0 until then.
	SettleIndex uint64
	// Preimage is nil while it is unknown to us: of a hold invoice until it is
	// settled.
	Preimage *lnwire.Preimage
	Secret   lnwire.Secret // payment_secret; of a keysend it is zero and means nothing
	Hold     bool          // kept in Accepted when paid, instead of being settled at once
	Keysend  bool          // made up when a spontaneous payment came in
	// Blinded: it can be paid by the blinded paths in Request only, whose path_id is
	// Secret, which is not in Request.
	Blinded bool

	Amount     lnwire.MilliSat // asked for; 0: any
	FinalDelta uint32          // min_final_cltv_expiry_delta, in blocks
	Metadata   []byte          // payment_metadata that the payer has to send along; nil: none
	Features   lnwire.Features // of the 9 field

	Memo            string
	DescriptionHash *[32]byte   // of a description given elsewhere; then Memo is not in Request
	Fallback        string      // the on-chain address, if there is one
	Hints           []RouteHint // as written into Request
	Private         bool        // hints for private channels were asked for
	Request         string      // the BOLT 11 text; empty of a keysend

	CreatedAt time.Time     // wall clock; whole seconds are in Request
	Expiry    time.Duration // after CreatedAt it is no longer paid
	SettledAt time.Time     // wall clock; zero until settled
	// Paid is what has come in, in HTLCs that are settled, or held in Accepted.
	Paid lnwire.MilliSat
	// Parts are all HTLCs that were ever accepted for it, in order of arrival.
	Parts []Part
}

// PartState is what became of an HTLC of an invoice. The numbers are stored, and
// are those of lnrpc's InvoiceHTLCState.
type PartState uint8

const (
	// Held: kept until the rest arrives, or until a hold invoice is decided.
	Held PartState = 0
	// Claimed: fulfilled with the preimage. Final.
	Claimed PartState = 1
	// Returned: failed back. Final.
	Returned PartState = 2
)

// String is the state's name in the log.
func (s PartState) String() string {
	switch s {
	case Held:
		return "held"
	case Claimed:
		return "claimed"
	case Returned:
		return "returned"
	}
	return "invalid"
}

// Part is an HTLC that was accepted for an invoice.
type Part struct {
	Ref    htlc.Ref
	SCID   lnwire.ShortChannelID // of the channel that it came in by, at that time
	State  PartState
	Amount lnwire.MilliSat // of the HTLC: what it brings us
	// ToForward is amt_to_forward of its onion: what it counts for in its set. It
	// is at most Amount.
	ToForward lnwire.MilliSat
	// Counted is what it counts for by the word of a modifier; 0: ToForward, and Amount in
	// what was paid.
	Counted lnwire.MilliSat
	Total   lnwire.MilliSat // total_msat: what its whole set promises
	Expiry  lnwire.Height   // cltv_expiry of the HTLC, absolute
	Height  lnwire.Height   // of the chain when it was accepted
	// AcceptedAt and ResolvedAt are wall clock; ResolvedAt is zero while it is Held.
	AcceptedAt time.Time
	ResolvedAt time.Time
	// Code is what the payer was told, of a part that was Returned.
	Code   onion.Code
	Custom []lnwire.TLV // custom records of its onion, ascending by type
}

// Answer is a row of the outbox: the answer to an incoming HTLC, kept until the
// batch of its channel that records the answer deletes it.
type Answer struct {
	Ref        htlc.Ref
	Resolution htlc.Resolution
}

// Counters are the highest indexes given out so far. They never go down, not even
// when an invoice is deleted. One row.
type Counters struct {
	AddIndex    uint64
	SettleIndex uint64
}

// Delta is what one step writes, all or nothing: an invoice becomes Settled in
// the same write that puts the answer to every one of its parts into the outbox.
type Delta struct {
	Invoices []Invoice     // put by Hash, whole
	Deleted  []lnwire.Hash // canceled invoices that go, with their index entries
	Outbox   []Answer      // put by Ref
	Counters *Counters     // overwrites
}

// Empty reports that there is nothing to write.
func (d *Delta) Empty() bool {
	return len(d.Invoices) == 0 && len(d.Deleted) == 0 && len(d.Outbox) == 0 && d.Counters == nil
}

// ExpiresAt is when the invoice ceases to be payable.
func (i *Invoice) ExpiresAt() time.Time { return i.CreatedAt.Add(i.Expiry) }

// part finds the HTLC among those that were accepted.
func (i *Invoice) part(ref htlc.Ref) *Part {
	if n := slices.IndexFunc(i.Parts, func(p Part) bool { return p.Ref == ref }); n >= 0 {
		return &i.Parts[n]
	}
	return nil
}

// held sums up the parts that are kept: what they count for, and what they bring.
func (i *Invoice) held() (parts int, toForward, amount lnwire.MilliSat) {
	for k := range i.Parts {
		if p := &i.Parts[k]; p.State == Held {
			f, a := p.ToForward, p.Paid()
			if p.Counted != 0 {
				f = p.Counted
			}
			parts, toForward, amount = parts+1, toForward+min(f, ^toForward), amount+min(a, ^amount)
		}
	}
	return parts, toForward, amount
}

// Paid is what the part adds to what was paid.
func (p *Part) Paid() lnwire.MilliSat {
	if p.Counted != 0 {
		return p.Counted
	}
	return p.Amount
}

// clone is a copy that shares nothing that the registry changes.
func (i *Invoice) clone() Invoice {
	c := *i
	c.Parts = slices.Clone(i.Parts)
	return c
}
