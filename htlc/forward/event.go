package forward

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Event is anything that can happen to the switch. The set is closed.
type Event interface{ isEvent() }

// LinkChanged sets what the switch knows of a channel.
type LinkChanged struct{ Link Link }

// LinkGone: the channel will never take an HTLC again. What is on its way through
// it stays on its way.
type LinkGone struct {
	ChanNum uint64
	OnChain bool // the channel lives in the chain only, if at all
}

// Aliased: an onion may name a channel by this id as well from now on, or by none with
// number 0. Who uses it knows it from elsewhere.
type Aliased struct {
	SCID    lnwire.ShortChannelID
	ChanNum uint64
}

// LockedIn: both sides are committed to an incoming HTLC. Telling it again is
// harmless.
type LockedIn struct {
	HTLC htlc.Locked
	// Again: it comes from the store, and may have been told in an earlier run.
	Again bool
}

// Tick: time has passed.
type Tick struct{}

// Ended: an outgoing HTLC came to its end.
type Ended struct{ Outcome htlc.Outcome }

// Signed: a channel has signed for an outgoing HTLC, which has its number from here on.
type Signed struct {
	Ref    htlc.Ref
	Origin htlc.Origin
}

// Refused: a channel did not take an HTLC, or gave it back before it was signed.
type Refused struct{ Refusal htlc.Refusal }

// Launch asks for the first HTLC of one of our own attempts.
type Launch struct {
	AttemptID uint64
	// FirstHop is the channel that the route begins with; another one to the same
	// peer serves as well.
	FirstHop lnwire.ShortChannelID
	Amount   lnwire.MilliSat
	Expiry   lnwire.Height
	Hash     lnwire.Hash
	Onion    onion.Packet
	PathKey  *lnwire.PubKey
	Custom   lnwire.ExtraTLVs // records of applications for the first node
	// Row is the attempt's row, opaque here: the channel writes it with the HTLC.
	Row []byte
}

// Block: the chain has a new tip.
type Block struct{ Height lnwire.Height }

// Chain tells whether the tip is the network's, as far as anybody can know: it is not
// while the node catches up, and while its backend is away. HTLCs that come in then
// are not decided before it is again (V-27): how much time they leave is unknown.
type Chain struct{ Current bool }

// Restarted tells once, before anything else, what the store held.
type Restarted struct {
	Height lnwire.Height
	// Live are the outgoing HTLCs that stand in a channel.
	Live []Live
	// Outbox are the outcomes that were not yet taken by whom they concern.
	Outbox []htlc.Outcome
	Tags   []Tag
}

// Live is an outgoing HTLC that a channel still holds.
type Live struct {
	Ref    htlc.Ref
	Origin htlc.Origin
	Amount lnwire.MilliSat
}

func (LinkChanged) isEvent() {}
func (LinkGone) isEvent()    {}
func (Aliased) isEvent()     {}
func (LockedIn) isEvent()    {}
func (Ended) isEvent()       {}
func (Signed) isEvent()      {}
func (Refused) isEvent()     {}
func (Launch) isEvent()      {}
func (Block) isEvent()       {}
func (Chain) isEvent()       {}
func (Restarted) isEvent()   {}
func (Tick) isEvent()        {}

// Effects is what one step wants from the world. Delta must be queued for writing
// before any of the others is acted on; the rest is inside the process and at once.
type Effects struct {
	Delta   Delta
	Add     []Add
	Resolve []Resolve
	Receive []htlc.Locked // we are the last hop: to the invoices
	Offer   []Intercepted // to the interceptor, once Delta is durable
	Refused error         // answers a Ruled that was not carried out
	Results []Result
	Tell    []Notice
	Wake    time.Time // when to send Tick; zero: not needed
}

// Add is an HTLC for a channel's inbox.
type Add struct {
	ChanNum uint64
	Amount  lnwire.MilliSat
	Expiry  lnwire.Height
	Hash    lnwire.Hash
	Onion   onion.Packet
	PathKey *lnwire.PubKey
	// Accountable is the signal as it came with the incoming HTLC.
	Accountable lnwire.Accountability
	// Custom are records of applications for the next node.
	Custom lnwire.ExtraTLVs
	Origin htlc.Origin
	Row    []byte // the attempt's row, of Origin FromAttempt
}

// Resolve answers an incoming HTLC, into its channel's inbox.
type Resolve struct {
	Ref        htlc.Ref
	Resolution htlc.Resolution
	// Record is the forward that earned a fee, to be written with the answer.
	Record *Record
	// Late, unless nil: the answer should wait for a short random time, and is what the
	// fault says then. An introduction node that fails at once tells how far behind it the
	// HTLC got (BOLT 2).
	Late *htlc.Fault
}

// Result is the end of an attempt of ours: exactly one of the fields is set.
type Result struct {
	AttemptID  uint64
	Resolution *htlc.Resolution
	Refusal    *htlc.Refusal // it never left
}

// Record is one forward that was paid for.
type Record struct {
	SettledAt time.Time
	In, Out   htlc.Ref
	InSCID    lnwire.ShortChannelID
	OutSCID   lnwire.ShortChannelID
	AmountIn  lnwire.MilliSat
	AmountOut lnwire.MilliSat
	Hash      lnwire.Hash
	LockedAt  time.Time // when we learned of the incoming HTLC; zero after a restart
}

// Fee is what the forward earned; 0 when an interceptor had more go out than came in.
func (r Record) Fee() lnwire.MilliSat { return r.AmountIn - min(r.AmountIn, r.AmountOut) }

// Tag remembers that an onion was used, so that it cannot be used again (BOLT 4).
type Tag struct {
	Tag    onion.Tag
	Expiry lnwire.Height // of the incoming HTLC; afterwards the onion is worthless
	Owner  htlc.Ref
}

// Delta is what the switch wants written: new tags, and the height up to which
// old ones may go.
type Delta struct {
	Tags       []Tag
	ForgetTags lnwire.Height // every tag with an Expiry below; 0 for none
}

// NoticeKind is what a Notice tells.
type NoticeKind uint8

// The kinds of notices of forwards and of attempts of our own, for subscribers to HTLC
// events.
const (
	Forwarded NoticeKind = iota + 1 // it went out
	Settled
	FailedBack // the next node or a later one failed it
	RefusedHere
	// Finished: an incoming HTLC is gone from its channel, settled or not. The switch
	// does not see that; whoever drives the channels tells it.
	Finished
)

// Notice tells subscribers of the steps of a forward or of an attempt.
type Notice struct {
	Kind      NoticeKind
	AttemptID uint64 // of an attempt of ours, which has no In; else 0
	In        htlc.Ref
	Out       htlc.Ref // zero when there was none
	InSCID    lnwire.ShortChannelID
	OutSCID   lnwire.ShortChannelID
	AmountIn  lnwire.MilliSat
	AmountOut lnwire.MilliSat
	ExpiryIn  lnwire.Height
	ExpiryOut lnwire.Height
	Code      onion.Code  // RefusedHere: what the sender is told
	Detail    htlc.Detail // RefusedHere: why
	Text      string      // the same for a human
	Preimage  lnwire.Preimage
	Received  bool // RefusedHere: we are its last hop
	Settled   bool // Finished
	OnChain   bool // Finished
}
