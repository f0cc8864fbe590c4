package routing

import (
	"time"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Begin is what a new payment is made of.
type Begin struct {
	Terms  Terms
	Limits Limits
	// Seed is fresh randomness, from which the onions' session keys are derived.
	Seed lnwire.Secret
	// Former is the row that stands under the hash; nil when there is none. New
	// refuses with ErrPaymentInFlight or ErrAlreadyPaid unless it is Failed.
	Former *Payment
	// Route, when set, is the first of those that the caller gives (SendToRoute): only
	// they are tried, each once, as they are. The fees are the caller's business.
	Route *Route
	// Reserve is what to take from spending budgets for it: Amount and Limits.Fee, or with
	// a Route its fee instead.
	Reserve []budget.Change
}

// Resumed is what the store holds of a payment in flight, at start.
type Resumed struct {
	Payment  Payment
	Attempts []Attempt
	// Live are the attempts whose HTLC stands in a channel or whose outcome stands in
	// the outbox: their Resolved is still to come. Any other attempt that has not
	// ended never left.
	Live []uint64
	// Seed is fresh randomness, never one that was used before.
	Seed lnwire.Secret
}

// Event is anything that can happen to a payment. The set is closed.
type Event interface{ isEvent() }

// Start is the first event, of a new payment and of a resumed one.
type Start struct{}

// Resolved: the HTLC of an attempt came to its end. Telling it again is harmless.
type Resolved struct {
	AttemptID  uint64
	Resolution htlc.Resolution
}

// Refused: no channel took the HTLC of an attempt; it never left.
type Refused struct {
	AttemptID uint64
	Refusal   htlc.Refusal
}

// Shard: the caller gives one more route for a payment that was begun with one. Its
// attempt is the step's only Launch; there is none when Effects.Refused says why.
type Shard struct {
	Terms Terms // must be those that the payment was begun with
	Route Route
	// Reserve is what to take from spending budgets for the route's fee; they must be those
	// that the payment was begun with.
	Reserve []budget.Change
}

// Cancel: no further attempts. What is under way cannot be called back.
type Cancel struct{}

// Tick: the time of Effects.Wake has come.
type Tick struct{}

func (Start) isEvent()    {}
func (Resolved) isEvent() {}
func (Refused) isEvent()  {}
func (Shard) isEvent()    {}
func (Cancel) isEvent()   {}
func (Tick) isEvent()     {}

// Local is a channel of ours as a first hop.
type Local struct {
	SCID     lnwire.ShortChannelID // the real one or our alias
	Peer     lnwire.PubKey
	Capacity lnwire.Sat
	// Sendable is about the largest HTLC that it would take now; 0 when it is down.
	Sendable lnwire.MilliSat
	Down     bool            // it cannot be used now, whatever is in it: its peer is away, say
	Min      lnwire.MilliSat // the smallest HTLC that the peer takes
	Inbound  Inbound         // what the peer asks for what comes to it over the channel
	Back     Back            // of payments to ourselves
}

// Back is a channel of ours as a last hop.
type Back struct {
	SCID   lnwire.ShortChannelID // by which the peer knows the channel; 0: nothing can come over it
	Policy Policy                // of the peer; Max is at most what the channel can bring
}

// Env is the world as a step of a payment sees it. The payment does not keep it.
type Env struct {
	Self   lnwire.PubKey
	Graph  *Snapshot
	Locals []Local
	Busy   []Load        // of all attempts under way, those of other payments too
	Height lnwire.Height // of our chain
	Scores *Scores       // nil: no experience
	Params *Params       // nil: DefaultParams
	Finder *Finder       // scratch memory, for this step alone; nil: a new one
	// Potentials gives those of PotentialLevel(amount), or nil when there are none yet; it
	// may itself be nil.
	Potentials func(amount lnwire.MilliSat) *Potentials
	Attempts   func() uint64 // gives the number of a new attempt, never one twice
}

// Launch is an attempt to hand to the switch.
type Launch struct {
	AttemptID uint64
	FirstHop  lnwire.ShortChannelID
	Amount    lnwire.MilliSat
	Expiry    lnwire.Height
	Hash      lnwire.Hash
	Onion     onion.Packet
	Custom    lnwire.ExtraTLVs // for the first node, outside the onion
	// Attempt is the row that is written with the HTLC.
	Attempt Attempt
}

// Observation is something learned of one node's sending to another.
type Observation struct {
	From, To lnwire.PubKey
	Amount   lnwire.MilliSat // that went through, or did not; of a failure, 0 means nothing does
	Success  bool
}

// Effects is what one step of a payment wants from the world: Delta is queued for
// writing first; Launch and Learn are inside the process and at once; Tell waits
// until Delta is durable.
type Effects struct {
	Delta  Delta
	Launch []Launch
	Learn  []Observation
	Wake   time.Time // when to send Tick; zero: not needed
	// Refused answers a Shard for which no attempt was made.
	Refused error
	// Tell has the rows that changed, for those who follow the payment.
	Tell *Progress
}

// Progress is the payment as it stands. It is a copy.
type Progress struct {
	Payment  Payment
	Attempts []Attempt // all of them, by Number
}
