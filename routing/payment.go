package routing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
)

// DefaultTimeout is how long attempts are made unless the caller says otherwise.
const DefaultTimeout = time.Minute

// Errors of a payment that must not be begun. Clients compare the texts.
var (
	ErrPaymentInFlight = errors.New("payment is in transition")
	ErrAlreadyPaid     = errors.New("invoice is already paid")
)

// Admit says whether a payment of a hash may be begun over the row that stands under
// it (nil: none): only over one that has failed.
func Admit(former *Payment) error {
	if former == nil {
		return nil
	}
	switch former.Status {
	case InFlight:
		return ErrPaymentInFlight
	case Succeeded:
		return ErrAlreadyPaid
	case Failed:
		return nil
	}
	return fmt.Errorf("payment %s: unknown status %d", former.Terms.Hash, former.Status)
}

// Payer is the machine of one payment. It is driven by one caller at a time.
type Payer struct {
	row      Payment
	seed     lnwire.Secret
	resumed  bool
	started  bool
	deadline time.Time
	attempts []Attempt
	number   uint32 // of the next attempt
	flights  []flight
	local    learned
	giveUp   FailureReason // no further attempts, and why
	why      string
	stuck    string // why what is under way cannot be completed now
	reserve  []budget.Change
	settled  bool // the budgets know what it has cost
}

// flight is an attempt that may still succeed.
type flight struct {
	place   int             // of its row in Payer.attempts
	secrets []lnwire.Secret // by which its failure is read; nil until they are needed
}

// New makes the machine of a new payment: step Start into it. It fails with
// ErrPaymentInFlight, ErrAlreadyPaid, or with what is wrong with the terms.
func New(b Begin) (*Payer, error) {
	if err := Admit(b.Former); err != nil {
		return nil, err
	}
	t := &b.Terms
	switch {
	case t.Amount == 0 || t.Amount > maxAmount:
		return nil, mistake.Argument("amount: %s, want more than nothing and at most %s", t.Amount, maxAmount)
	case t.Payee.IsZero() == (len(t.Blinded) == 0):
		return nil, mistake.Argument("payee: want either a node or blinded paths")
	}
	if bits := t.Features.UnknownRequired(lnwire.InInvoice); len(bits) > 0 {
		return nil, mistake.Argument("features: the recipient requires %v, which this node does not know", bits)
	}
	if b.Route != nil {
		if err := checkGiven(b.Route, t); err != nil {
			return nil, err
		}
	}
	return &Payer{seed: b.Seed, reserve: b.Reserve, row: Payment{
		Terms: b.Terms, Limits: b.Limits, Status: InFlight, Route: b.Route, Charges: budget.Charges(b.Reserve),
	}}, nil
}

func checkGiven(r *Route, t *Terms) error {
	if err := r.Check(); err != nil {
		return err
	}
	if last := r.Hops[len(r.Hops)-1]; r.Tail == nil && last.Node != t.Payee || last.Forward > t.Amount {
		return mistake.Argument("route: brings %s to %s, want at most %s to %s", last.Forward, last.Node, t.Amount, t.Payee)
	}
	return nil
}

// Resume makes the machine of a payment that was in flight when the node stopped:
// step Start into it, then what became of its attempts.
func Resume(r Resumed) *Payer {
	p := &Payer{seed: r.Seed, resumed: true, row: r.Payment, attempts: slices.Clone(r.Attempts)}
	slices.SortFunc(p.attempts, func(a, b Attempt) int { return cmp.Compare(a.Number, b.Number) })
	for i, a := range p.attempts {
		if a.Status == InFlight && slices.Contains(r.Live, a.ID) {
			p.flights = append(p.flights, flight{place: i})
		}
		p.number = max(p.number, a.Number+1)
		if a.Status == Failed && a.Failure != nil {
			p.why = a.Failure.Text
		}
	}
	return p
}

// Row is the payment as it stands.
func (p *Payer) Row() Payment { return p.row }

// Done reports that nothing more will come of the payment: it has ended, and no
// attempt is under way.
func (p *Payer) Done() bool { return p.row.Status != InFlight && len(p.flights) == 0 }

// Step applies one event that happened at now. It is a function of the payment, the
// time, the event and the environment alone.
func (p *Payer) Step(now time.Time, ev Event, env Env) Effects {
	s := turn{p: p, now: now, env: &env}
	switch ev := ev.(type) {
	case Start:
		s.start()
	case Resolved:
		s.resolved(ev)
	case Refused:
		s.refused(ev)
	case Shard:
		s.fx.Refused = s.shard(ev)
	case Cancel:
		s.stop(ReasonCanceled, "canceled by the caller")
	case Tick:
	}
	s.advance()
	return s.done()
}

// turn is one step under way.
type turn struct {
	p       *Payer
	now     time.Time
	env     *Env
	fx      Effects
	changed bool
}

func (s *turn) start() {
	p := s.p
	if p.started {
		return
	}
	p.started = true
	if p.resumed {
		s.changed = true
		s.neverLeft()
		if p.row.Status == Succeeded && len(p.flights) == 0 {
			s.saveRow() // nothing more will come of it
		}
	} else {
		p.row.CreatedAt = s.now
		s.fx.Delta.New, s.fx.Delta.Reserved = true, p.reserve
		s.saveRow()
		if r := p.row.Route; r != nil {
			if err := s.launch(*r, s.final()); err != nil {
				s.noWay(err)
			}
		}
	}
	timeout := p.row.Limits.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	p.deadline = p.row.CreatedAt.Add(timeout)
}

// neverLeft ends the attempts of before a restart that are in no channel: nothing
// was signed for them.
func (s *turn) neverLeft() {
	p := s.p
	for i := range p.attempts {
		if p.attempts[i].Status == InFlight && s.flight(p.attempts[i].ID) < 0 {
			s.endFailed(i, AttemptFailure{Hop: UnknownHop, Local: true, Text: "the node stopped before the HTLC was signed"})
		}
	}
	if p.row.Route != nil && len(p.flights) == 0 {
		s.stop(ReasonError, "the node stopped while the route was being tried")
	}
}

func (s *turn) flight(id uint64) int {
	return slices.IndexFunc(s.p.flights, func(f flight) bool { return s.p.attempts[f.place].ID == id })
}

// resolved takes in the end of an HTLC. Of an attempt that is not under way only the
// outbox row is taken.
func (s *turn) resolved(ev Resolved) {
	s.fx.Delta.Took = append(s.fx.Delta.Took, ev.AttemptID)
	i := s.flight(ev.AttemptID)
	if i < 0 {
		return
	}
	f := s.p.flights[i]
	s.p.flights = slices.Delete(s.p.flights, i, i+1)
	s.p.attempts[f.place].Holds = s.holds(f, ev.Resolution)
	if ev.Resolution.Kind == htlc.Fulfilled && ev.Resolution.Preimage.Hash() == s.p.row.Terms.Hash {
		s.paid(f, ev.Resolution.Preimage)
		return
	}
	s.failed(f, ev.Resolution)
	if s.p.row.Status == Succeeded && len(s.p.flights) == 0 {
		s.saveRow() // nothing more will come of it
	}
}

// paid takes in the preimage. From here on the payment has succeeded, whatever
// happens to other attempts.
//
// B4.origin.10: a preimage proves the payment; it never becomes failed afterwards.
func (s *turn) paid(f flight, preimage lnwire.Preimage) {
	p := s.p
	a := &p.attempts[f.place]
	a.Status, a.Preimage, a.EndedAt = Succeeded, preimage, s.now
	s.saveAttempt(f.place)
	r := &a.Route
	n := reading{r: r}
	n.passed(len(r.Hops))
	s.fx.Learn = append(s.fx.Learn, n.v.learn...)
	row := &p.row
	row.Status, row.Preimage, row.EndedAt = Succeeded, preimage, s.now
	row.Reason, row.Text = ReasonNone, ""
	row.Paid, row.Fee = saturatingAdd(row.Paid, r.Amount), saturatingAdd(row.Fee, r.Fee())
	s.saveRow()
}

func (s *turn) failed(f flight, r htlc.Resolution) {
	p := s.p
	a := &p.attempts[f.place]
	failure, v := s.read(f, r)
	s.endFailed(f.place, failure)
	s.fx.Learn = append(s.fx.Learn, v.learn...)
	p.local.take(v)
	p.local.returned(a.Route.Hops[0].SCID)
	switch {
	case v.end != ReasonNone:
		s.stop(v.end, failure.Text)
	case p.row.Route != nil && len(p.flights) == 0:
		s.stop(ReasonError, failure.Text)
	case p.stuck != "" && failure.Code == onion.MPPTimeout:
		// B4.origin.17: a set that cannot be completed is not begun again when it timed out.
		s.stop(ReasonNoRoute, p.stuck+"; what had arrived was sent back by the recipient")
	}
}

// refused takes in that no channel took an HTLC: it was never offered.
func (s *turn) refused(ev Refused) {
	i := s.flight(ev.AttemptID)
	if i < 0 {
		return
	}
	p := s.p
	f := p.flights[i]
	p.flights = slices.Delete(p.flights, i, i+1)
	a := &p.attempts[f.place]
	text := fmt.Sprintf("our channel %s did not take the HTLC: %s", a.Route.Hops[0].SCID, refusalText(ev.Refusal))
	s.endFailed(f.place, AttemptFailure{Hop: UnknownHop, Local: true, Text: text})
	p.local.refuse(&a.Route, ev.Refusal.Reason)
	if p.row.Route != nil && len(p.flights) == 0 {
		s.stop(ReasonError, text)
	}
}

func refusalText(r htlc.Refusal) string {
	if r.Text != "" {
		return r.Text
	}
	switch r.Reason {
	case htlc.LinkDown:
		return "it is not connected"
	case htlc.BelowMinimum:
		return "the amount is below the peer's minimum"
	case htlc.NoBalance:
		return "it has not enough to send"
	case htlc.TooMany:
		return "it has no room for another HTLC"
	case htlc.TooMuchDust:
		return "it has too much dust"
	case htlc.UnknownChannel:
		return "it is no longer there"
	case htlc.BadExpiry:
		return "the expiry is out of bounds"
	}
	return "no reason given"
}

func (s *turn) endFailed(place int, f AttemptFailure) {
	a := &s.p.attempts[place]
	a.Status, a.Failure, a.EndedAt = Failed, &f, s.now
	s.p.why = f.Text
	s.saveAttempt(place)
}

// stop makes no further attempts. The first reason stays.
func (s *turn) stop(reason FailureReason, why string) {
	if s.p.giveUp == ReasonNone && s.p.row.Status == InFlight {
		s.p.giveUp, s.p.why = reason, why
	}
}

// shard makes the attempt for one more route that the caller gives.
func (s *turn) shard(ev Shard) error {
	p := s.p
	t, secret := &p.row.Terms, ev.Terms.Secret
	rest, _ := s.rest()
	switch {
	case p.row.Status == Succeeded:
		return ErrAlreadyPaid
	case p.row.Route == nil, p.row.Status != InFlight, (secret == nil) != (t.Secret == nil):
		return ErrPaymentInFlight
	case secret == nil && (ev.Route.Tail == nil || p.row.Route.Tail == nil):
		return ErrPaymentInFlight // nothing tells the recipient that they belong together
	case p.giveUp != ReasonNone:
		return fmt.Errorf("%w, and has failed: %s", ErrPaymentInFlight, p.why)
	case secret != nil && *secret != *t.Secret:
		return mistake.Argument("payment address mismatch")
	case ev.Terms.Amount != t.Amount:
		return mistake.Argument("mp payment total amount mismatch")
	case ev.Route.Received() > rest:
		return mistake.Argument("attempted value exceeds payment amount")
	}
	if err := checkGiven(&ev.Route, t); err != nil {
		return err
	}
	if !slices.EqualFunc(ev.Reserve, p.row.Charges, func(c budget.Change, had budget.Charge) bool { return c.Limit.ID == had.ID }) {
		return mistake.State("the payment was begun with another spending budget")
	}
	final := s.final()
	final.Metadata, final.Custom = ev.Terms.Metadata, ev.Terms.Custom
	if err := s.launch(ev.Route, final); err != nil {
		return err
	}
	s.reserveMore(ev.Reserve)
	return nil
}

// reserveMore charges a payment under way with what one more route may cost. Should that
// be on another day than the beginning, what comes back is that of the beginning.
func (s *turn) reserveMore(changes []budget.Change) {
	if len(changes) == 0 {
		return
	}
	charges := slices.Clone(s.p.row.Charges)
	for i := range charges {
		charges[i].Amount = saturatingAdd(charges[i].Amount, changes[i].Add)
	}
	s.p.row.Charges, s.fx.Delta.Reserved = charges, changes
	s.saveRow()
}

// settle tells the budgets what the payment has cost, once nothing more will come of it.
func (s *turn) settle() {
	p := s.p
	if p.settled || !p.Done() || len(p.row.Charges) == 0 {
		return
	}
	p.settled = true
	charges := slices.Clone(p.row.Charges)
	for i := range charges {
		s.fx.Delta.Returned = append(s.fx.Delta.Returned, charges[i].Settle(p.row.Paid))
		charges[i].Amount = p.row.Paid
	}
	p.row.Charges = charges
	s.saveRow()
}

func (s *turn) saveRow() {
	s.fx.Delta.Payment = &s.p.row // copied by done
	s.changed = true
}

func (s *turn) saveAttempt(place int) {
	s.fx.Delta.Attempts = append(s.fx.Delta.Attempts, s.p.attempts[place])
	s.changed = true
}

// done gives the effects, with copies of what they hold.
func (s *turn) done() Effects {
	s.settle()
	if s.fx.Delta.Payment != nil {
		row := s.p.row
		s.fx.Delta.Payment, s.fx.Delta.Open = &row, !s.p.Done()
	}
	// Nothing waits for a payment that begins or goes on: it is the HTLC's own batch
	// that matters, and that comes after. Should an end of an attempt be lost, it is
	// told again from the outbox.
	s.fx.Delta.Lazy = s.p.row.Status == InFlight && len(s.fx.Launch) > 0
	if s.changed || len(s.fx.Launch) > 0 {
		s.fx.Tell = &Progress{Payment: s.p.row, Attempts: slices.Clone(s.p.attempts)}
	}
	if s.p.row.Status == InFlight && s.p.giveUp == ReasonNone {
		s.fx.Wake = s.p.deadline
	}
	return s.fx
}
