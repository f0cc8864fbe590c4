package invoice

import (
	"cmp"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Config holds the registry's own limits.
type Config struct {
	// RejectDelta is how many blocks before its expiry an HTLC is no longer
	// accepted, whatever its invoice says.
	RejectDelta lnwire.Height
	// HoldDelta is how many blocks before its expiry an HTLC that is held is given
	// back, with its whole set. It must be more than the channel needs before it
	// goes on chain, and below RejectDelta.
	HoldDelta lnwire.Height
	// SetTimeout is how long the first part of a set waits for the last.
	SetTimeout time.Duration
	// AcceptKeysend takes spontaneous payments.
	AcceptKeysend bool
}

// DefaultConfig holds to the channel's margin of 18 blocks: two blocks to settle what was
// held to the last without going on chain, one to be held at all.
var DefaultConfig = Config{RejectDelta: 21, HoldDelta: 20, SetTimeout: 120 * time.Second}

const (
	// maxParts is how many HTLCs are ever accepted for one invoice: its row is
	// rewritten with each.
	maxParts = 1000
	// maxSweep is how many invoices one Tick looks at.
	maxSweep = 256
)

// Registry is the machine that decides about invoices and the HTLCs that pay
// them. It holds the invoices that are Open or Accepted; the others are in the
// store. It is driven by one caller at a time.
type Registry struct {
	cfg      Config
	now      time.Time
	height   lnwire.Height
	counters Counters
	live     map[lnwire.Hash]*live
	// waiting are events whose hash is being fetched.
	waiting map[lnwire.Hash][]Event
	// closed counts the rows that left memory: what was fetched before is old then.
	closed   uint64
	refused  refusals
	byTime   alarms
	byHeight alarms
	// pending are HTLCs about which the modifier was asked; modifying says whether there is
	// one.
	pending   map[htlc.Ref]pending
	modifying bool
	order     uint64 // of the questions
}

// live is an invoice that can still change.
type live struct {
	Invoice
	// faults say how to answer the parts. After a restart a part's is unknown until its
	// HTLC is told again.
	faults map[htlc.Ref]htlc.Fault
	// started is when the first part of the current set came; zero without one. It
	// keeps the monotonic clock, which the row does not.
	started time.Time
}

// New makes an empty registry. Step Restarted into it first.
func New(cfg Config) *Registry {
	return &Registry{cfg: cfg, live: map[lnwire.Hash]*live{}, waiting: map[lnwire.Hash][]Event{}, refused: newRefusals(), pending: map[htlc.Ref]pending{}}
}

// Step applies one event that happened at now. It is a function of the registry,
// the time and the event alone.
func (r *Registry) Step(now time.Time, ev Event) Effects {
	r.now = now
	var fx Effects
	switch ev := ev.(type) {
	case Restarted:
		r.restart(ev, &fx)
	case Add:
		r.locate(ev.Invoice.Hash, ev, &fx)
	case Arrived:
		r.locate(ev.HTLC.HTLC.Hash, ev, &fx)
	case Settle:
		r.locate(ev.Preimage.Hash(), ev, &fx)
	case Cancel:
		r.locate(ev.Hash, ev, &fx)
	case Delete:
		r.locate(ev.Hash, ev, &fx)
	case Fetched:
		r.fetched(ev, &fx)
	case Block:
		r.height = ev.Height
		r.sweepHeights(&fx)
		r.sweepPending(&fx)
	case Modifying:
		r.setModifier(ev.Present, &fx)
	case Modified:
		r.modified(ev, &fx)
	case Tick:
		r.sweepTimes(&fx)
	}
	fx.Wake = r.wake()
	return fx
}

// Rows are the invoices in memory, in the order in which they were added.
func (r *Registry) Rows() []Invoice {
	rows := make([]Invoice, 0, len(r.live))
	for _, l := range r.live { // sorted below
		rows = append(rows, l.clone())
	}
	slices.SortFunc(rows, func(a, b Invoice) int { return cmp.Compare(a.AddIndex, b.AddIndex) })
	return rows
}

// restart takes up what the store held.
func (r *Registry) restart(ev Restarted, fx *Effects) {
	r.height, r.counters = ev.Height, ev.Counters
	for _, row := range ev.Live {
		l := &live{Invoice: row.clone(), faults: map[htlc.Ref]htlc.Fault{}}
		r.live[l.Hash] = l
		for _, p := range l.Parts {
			if p.State == Held {
				r.watch(p.Expiry, l)
				if l.started.IsZero() {
					l.started = p.AcceptedAt
				}
			}
		}
		r.schedule(l)
	}
	r.sweepHeights(fx)
}

// locate acts on an event about the invoice with that hash, at once if it is in
// memory, otherwise when the store has said what it knows.
func (r *Registry) locate(hash lnwire.Hash, ev Event, fx *Effects) {
	if l := r.live[hash]; l != nil {
		r.act(ev, l, nil, fx)
		return
	}
	if len(r.waiting[hash]) == 0 {
		fx.Fetch = append(fx.Fetch, hash)
	}
	r.waiting[hash] = append(r.waiting[hash], ev)
}

// fetched takes up the events that waited for a row. When one of them makes the
// row old, those behind it ask again.
func (r *Registry) fetched(ev Fetched, fx *Effects) {
	events := r.waiting[ev.Hash]
	delete(r.waiting, ev.Hash)
	closed := r.closed
	for _, e := range events {
		if l := r.live[ev.Hash]; l != nil || r.closed != closed {
			r.locate(ev.Hash, e, fx)
			continue
		}
		r.act(e, nil, ev.Invoice, fx)
	}
}

// act applies an event to an invoice that is in memory, or to the row that the
// store has, or to none.
func (r *Registry) act(ev Event, l *live, stored *Invoice, fx *Effects) {
	row := stored
	if l != nil {
		row = &l.Invoice
	}
	switch ev := ev.(type) {
	case Add:
		r.add(ev, row, fx)
	case Arrived:
		r.arrived(ev, l, row, fx)
	case Settle:
		r.settleAsked(ev, l, row, fx)
	case Cancel:
		r.cancelAsked(ev, l, row, fx)
	case Delete:
		r.deleteAsked(ev, row, fx)
	case Restarted, Fetched, Block, Tick, Modifying, Modified: // about no single invoice
	}
}

// add takes up a new invoice.
func (r *Registry) add(ev Add, known *Invoice, fx *Effects) {
	inv := ev.Invoice
	switch {
	case known != nil:
		fx.reply(ev.ID, known, ErrDuplicate)
		return
	case inv.Preimage != nil && inv.Preimage.Hash() != inv.Hash:
		fx.reply(ev.ID, nil, ErrPreimageMismatch)
		return
	}
	l := &live{Invoice: inv.clone(), faults: map[htlc.Ref]htlc.Fault{}}
	l.State, l.SettleIndex, l.Parts, l.Paid = Open, 0, nil, 0
	l.Hold = l.Preimage == nil
	r.enter(l, fx)
	r.schedule(l)
	r.put(l, fx)
	fx.tell(WasAdded, l)
	fx.reply(ev.ID, &l.Invoice, nil)
}

// enter gives an invoice its index and a place in memory.
func (r *Registry) enter(l *live, fx *Effects) {
	r.counters.AddIndex++
	l.AddIndex = r.counters.AddIndex
	r.count(fx)
	r.live[l.Hash] = l
}

// put has the invoice written as it is now; of one invoice the last state counts.
func (r *Registry) put(l *live, fx *Effects) {
	row := l.clone()
	rows := fx.Delta.Invoices
	if i := slices.IndexFunc(rows, func(v Invoice) bool { return v.Hash == row.Hash }); i >= 0 {
		rows[i] = row
		return
	}
	fx.Delta.Invoices = append(rows, row)
}

func (r *Registry) count(fx *Effects) {
	c := r.counters
	fx.Delta.Counters = &c
}

// close forgets an invoice that has reached a final state.
func (r *Registry) close(l *live) {
	delete(r.live, l.Hash)
	r.closed++
}

func (fx *Effects) tell(kind NoticeKind, l *live) {
	fx.Tell = append(fx.Tell, Notice{Kind: kind, Invoice: l.clone()})
}

// reply answers who asked, with the row if there is one.
func (fx *Effects) reply(id uint64, row *Invoice, err error) {
	reply := Reply{ID: id, Err: err}
	if row != nil {
		c := row.clone()
		reply.Invoice = &c
	}
	fx.Reply = append(fx.Reply, reply)
}
