package invoice

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Event is anything that can happen to the registry. The set is closed.
type Event interface{ isEvent() }

// Restarted tells once, before anything else, what the store held.
type Restarted struct {
	Height   lnwire.Height
	Counters Counters
	// Live are all invoices that are Open or Accepted, in any order.
	Live []Invoice
}

// Add is a new invoice, as Draft made it. Answered by Reply.
type Add struct {
	ID      uint64
	Invoice Invoice
}

// Arrived: an HTLC is locked in and its onion says that we are the last hop.
// Telling it again is harmless, and after a restart it is necessary.
type Arrived struct {
	HTLC htlc.Locked
	SCID lnwire.ShortChannelID // of its channel, for the records
	// ruling is the modifier's, once it has answered.
	ruling *Ruling
}

// Settle gives the preimage for a hold invoice that is Accepted. Answered by Reply.
type Settle struct {
	ID       uint64
	Preimage lnwire.Preimage
}

// Cancel gives up an invoice that is Open or Accepted and returns what is held for
// it. Canceling twice is fine. Answered by Reply.
type Cancel struct {
	ID   uint64
	Hash lnwire.Hash
}

// Delete removes a canceled invoice for good. Answered by Reply.
type Delete struct {
	ID   uint64
	Hash lnwire.Hash
}

// Fetched answers Effects.Fetch. Invoice is nil when the store has no such row.
type Fetched struct {
	Hash    lnwire.Hash
	Invoice *Invoice
}

// Block: the chain has a new tip.
type Block struct{ Height lnwire.Height }

// Tick: time has passed. Due when Effects.Wake comes; more often does no harm.
type Tick struct{}

func (Restarted) isEvent() {}
func (Add) isEvent()       {}
func (Arrived) isEvent()   {}
func (Settle) isEvent()    {}
func (Cancel) isEvent()    {}
func (Delete) isEvent()    {}
func (Fetched) isEvent()   {}
func (Block) isEvent()     {}
func (Tick) isEvent()      {}

// Effects is what one step wants from the world.
type Effects struct {
	Delta Delta
	// Resolve are answers for the inboxes of the channels. Inside the process: at
	// once, after Delta was queued for writing.
	Resolve []Resolve
	// Fetch are hashes whose rows the registry does not hold in memory. To be read
	// from the store after every Delta given so far is durable (an empty batch's
	// turn in the writer's queue), and answered by Fetched, each once.
	Fetch []lnwire.Hash
	// Modify are questions to the modifier. They leave when all Deltas are durable.
	Modify []Modify
	// Wake is when the registry next wants a Tick; zero: never, as things stand.
	Wake time.Time
	// Reply answers those who asked. It leaves when Delta is durable.
	Reply []Reply
	// Tell is for subscribers. It leaves when Delta is durable.
	Tell []Notice
}

// Resolve answers an incoming HTLC.
type Resolve struct {
	Ref        htlc.Ref
	Resolution htlc.Resolution
	// Why is for our own log. The payer is not told: whoever probes must not learn
	// which of the conditions failed.
	Why    string
	Detail htlc.Detail // the same for programs, of a refusal
	Code   onion.Code  // our failure, 0 when it is none; at the end of a blinded path the payer hears less
}

// Reply answers the event of the same ID. Invoice is the row as it is now, also
// with some errors; nil when there is none.
type Reply struct {
	ID      uint64
	Invoice *Invoice
	Err     error
}

// NoticeKind is what a Notice tells.
type NoticeKind uint8

// The steps of an invoice's life that subscribers hear of. SubscribeInvoices
// wants WasAdded and WasSettled, SubscribeSingleInvoice all of them.
const (
	WasAdded NoticeKind = iota + 1
	WasAccepted
	WasSettled
	WasCanceled
)

// Notice tells subscribers that an invoice has changed its state.
type Notice struct {
	Kind    NoticeKind
	Invoice Invoice // as it is now; treat as read-only
}
