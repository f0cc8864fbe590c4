package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/routing"
)

// payments drives our own payments: each is a machine with an inbox of its own, so
// that the search for one route holds up no other payment.
type payments struct {
	n *Node

	worlds sync.Pool // of *world

	mu        sync.Mutex
	byHash    map[lnwire.Hash]*payRun
	byAttempt map[uint64]*payRun
	scores    *routing.Scores
	params    *routing.Params // of searches; replaced, never changed
	flights   flights

	surveys surveys

	// The watches have a lock of their own: nobody who only follows a payment waits
	// while another one is looked up in the store.
	watchMu sync.Mutex
	watches map[lnwire.Hash][]*PaymentWatch // of single payments
	all     map[*PaymentWatch]struct{}
}

// payRun is a payment that is not over.
type payRun struct {
	ps    *payments
	hash  lnwire.Hash
	payer *routing.Payer
	inbox *turn.Inbox[routing.Event]
	alarm *alarm

	mu   sync.Mutex
	last *routing.Progress // as last told
}

// startPayments takes up every payment that was in flight.
func (n *Node) startPayments() error {
	ps := &payments{
		n: n, byHash: map[lnwire.Hash]*payRun{}, byAttempt: map[uint64]*payRun{}, scores: routing.NewScores(), params: &routing.DefaultParams,
		flights: flights{asked: map[uint64]asking{}},
		watches: map[lnwire.Hash][]*PaymentWatch{}, all: map[*PaymentWatch]struct{}{},
	}
	ps.worlds.New = func() any {
		w := new(world)
		w.potentials = func(amount lnwire.MilliSat) *routing.Potentials { return ps.potentials(n.now(), &w.env, amount) }
		return w
	}
	n.payments = ps
	history, err := n.db.Scores()
	if err != nil {
		return err
	}
	ps.scores.Import(history)
	open, err := n.db.OpenPayments()
	if err != nil {
		return err
	}
	live := n.liveAttempts()
	var runs []*payRun
	for _, p := range open {
		r := ps.run(routing.Resume(routing.Resumed{Payment: p.Payment, Attempts: p.Attempts, Live: live, Seed: seed()}), p.Payment.Terms.Hash)
		for _, a := range p.Attempts {
			if slices.Contains(live, a.ID) {
				ps.byAttempt[a.ID] = r
			}
			if a.Status == routing.InFlight {
				ps.flights.busy.Add(&a.Route)
			}
		}
		runs = append(runs, r)
	}
	for _, r := range runs { // none takes a turn before what all of them have under way is known
		r.inbox.Put(routing.Start{})
	}
	for _, o := range n.restored.outcomes {
		if o.Origin.Kind == htlc.FromAttempt {
			res := o.Resolution
			ps.result(nil, forward.Result{AttemptID: o.Origin.AttemptID, Resolution: &res})
		}
	}
	return nil
}

// liveAttempts are those whose outcome is still to come.
func (n *Node) liveAttempts() []uint64 {
	var ids []uint64
	for _, l := range n.restored.live {
		if l.Origin.Kind == htlc.FromAttempt {
			ids = append(ids, l.Origin.AttemptID)
		}
	}
	for _, o := range n.restored.outcomes {
		if o.Origin.Kind == htlc.FromAttempt {
			ids = append(ids, o.Origin.AttemptID)
		}
	}
	return ids
}

func seed() (s lnwire.Secret) {
	rand.Read(s[:])
	return s
}

// run gives a machine its inbox. The caller holds the lock, or is alone.
func (ps *payments) run(p *routing.Payer, hash lnwire.Hash) *payRun {
	r := &payRun{ps: ps, hash: hash, payer: p}
	r.inbox = turn.NewInbox(ps.n.spawn, r.turn)
	r.alarm = ps.n.newAlarm(func() { r.inbox.Put(routing.Tick{}) })
	ps.byHash[hash] = r
	return r
}

// begin starts a payment, out of budgets if there are any. The Feed tells how it goes; its
// first word is that it is in flight.
func (ps *payments) begin(b routing.Begin, limits []budget.Limit) (*payRun, error) {
	b.Seed = seed()
	hash := b.Terms.Hash
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.byHash[hash] != nil {
		return nil, routing.ErrPaymentInFlight
	}
	former, err := ps.n.db.Payment(hash)
	if err != nil {
		return nil, fmt.Errorf("look up payment: %w", err)
	}
	if former != nil {
		b.Former = &former.Payment
	}
	if err := ps.n.budgets.reservePayment(&b, limits, ps.n.Today()); err != nil {
		return nil, err
	}
	p, err := routing.New(b)
	if err != nil {
		ps.n.budgets.undo(b.Reserve)
		return nil, err
	}
	return ps.run(p, hash), nil
}

// turn steps the machine over what has arrived.
func (r *payRun) turn(events []routing.Event) {
	w := r.ps.worlds.Get().(*world)
	for _, ev := range events {
		q, asked := ev.(question)
		if asked {
			ev = q.Event
		}
		fx := r.payer.Step(r.ps.n.now(), ev, r.ps.env(w))
		r.act(nil, fx)
		if asked {
			q.reply(fx)
		}
	}
	r.ps.worlds.Put(w)
}

// question is an event whose caller wants to know what came of it.
type question struct {
	routing.Event
	reply func(routing.Effects)
}

// paid takes in a preimage at once, in the turn of the channel that it came from, so
// that the end of the payment is written with the end of the HTLC: after that there
// is no route to look for. It is false when the payment is in a turn of its own.
func (r *payRun) paid(p *pen, ev routing.Resolved) bool {
	return p != nil && ev.Resolution.Kind == htlc.Fulfilled && ev.Resolution.Preimage.Hash() == r.hash && r.inbox.Aside(func() {
		r.act(p, r.payer.Step(r.ps.n.now(), ev, routing.Env{}))
	})
}

// nextAttempt numbers an attempt. A store that cannot number ends the process
// anyway.
func (n *Node) nextAttempt() uint64 {
	id, err := n.db.NextAttemptID()
	if err != nil {
		n.logs.payments.Error("cannot number an attempt", "err", err)
	}
	return id
}

// act does what a step wants: write with p, then launch, then tell.
func (r *payRun) act(p *pen, fx routing.Effects) {
	ps := r.ps
	done := r.payer.Done()
	ps.mu.Lock()
	for i := range fx.Launch {
		ps.byAttempt[fx.Launch[i].AttemptID] = r
		ps.flights.launched(&fx.Launch[i])
	}
	for _, id := range fx.Delta.Took {
		delete(ps.byAttempt, id)
	}
	for i := range fx.Delta.Attempts {
		a := &fx.Delta.Attempts[i]
		ps.flights.ended(a)
		if len(a.Holds) > 0 {
			ps.n.logs.payments.Debug("hold times of an attempt, from the first hop on", "hash", a.Hash, "attempt", a.ID, "held", a.Holds)
		}
	}
	batch := ps.learn(fx.Learn)
	ps.mu.Unlock()
	ps.n.budgets.settle(fx.Delta.Returned)

	batch.Lazy = fx.Tell == nil && !done
	if !fx.Delta.IsEmpty() {
		batch.Lazy = fx.Delta.Lazy
		batch.Payments = []*routing.Delta{&fx.Delta}
	}
	if !fx.Delta.IsEmpty() || !batch.Lazy || len(batch.Scores) > 0 {
		ps.n.writeWith(p, batch, func() { r.release(fx.Tell, done) })
	}
	for _, l := range fx.Launch {
		ps.n.toSwitch(nil, forward.Launch{
			AttemptID: l.AttemptID, FirstHop: l.FirstHop, Amount: l.Amount, Expiry: l.Expiry, Hash: l.Hash,
			Onion: l.Onion, Custom: l.Custom, Row: channeldb.EncodeAttempt(&l.Attempt),
		})
	}
	r.alarm.set(fx.Wake)
}

// release tells how the payment stands, and forgets it when it is over.
func (r *payRun) release(tell *routing.Progress, done bool) {
	if tell != nil {
		r.mu.Lock()
		r.last = tell
		r.mu.Unlock()
		r.ps.publish(tell)
	}
	if done {
		if tell != nil {
			r.ps.n.meters.paid(&tell.Payment)
		}
		r.alarm.stop()
		r.ps.mu.Lock()
		if r.ps.byHash[r.hash] == r {
			delete(r.ps.byHash, r.hash)
		}
		r.ps.mu.Unlock()
	}
}

// result passes on what became of an attempt. One that belongs to no payment any more
// only gives up its place in the outbox.
func (ps *payments) result(p *pen, res forward.Result) {
	ps.mu.Lock()
	r := ps.byAttempt[res.AttemptID]
	if res.Refusal != nil { // nothing more comes of it
		delete(ps.byAttempt, res.AttemptID)
		delete(ps.flights.asked, res.AttemptID)
	}
	ps.mu.Unlock()
	switch {
	case r == nil && res.Resolution != nil:
		ps.n.writeWith(p, channeldb.Batch{Payments: []*routing.Delta{{Took: []uint64{res.AttemptID}}}}, nil)
	case r == nil:
	case res.Resolution != nil:
		ev := routing.Resolved{AttemptID: res.AttemptID, Resolution: *res.Resolution}
		if !r.paid(p, ev) {
			r.inbox.Put(ev)
		}
	default:
		r.inbox.Put(routing.Refused{AttemptID: res.AttemptID, Refusal: *res.Refusal})
	}
}

func (ps *payments) stop() {
	ps.mu.Lock()
	runs := make([]*payRun, 0, len(ps.byHash))
	for _, r := range ps.byHash {
		runs = append(runs, r)
	}
	ps.mu.Unlock()
	for _, r := range runs {
		r.alarm.stop()
		r.inbox.Close()
	}
}

// ErrUnknownPayment says that no payment of the hash was ever made.
var ErrUnknownPayment = errors.New("payment isn't initiated")

// Pay begins a payment and follows it. The first progress is the payment in flight,
// the last one its end. Cancel of ctx ends only the following. It is charged to the
// budgets, of which each must suffice: *budget.Exceeded.
func (n *Node) Pay(ctx context.Context, b routing.Begin, budgets ...budget.Limit) (*PaymentWatch, error) {
	if err := n.inSight(); err != nil {
		return nil, err
	}
	b.Terms.Blinded = n.behindUs(b.Terms.Blinded)
	w := n.watchPayments(&b.Terms.Hash)
	r, err := n.payments.begin(b, budgets)
	if err != nil {
		w.Close()
		return nil, err
	}
	r.inbox.Put(routing.Start{})
	return w, nil
}

// SendToRoute makes one attempt along the route of b, and gives its number and what
// follows the payment. Further attempts of the same hash, secret and whole amount are
// parts of the same payment as long as one of them is under way.
func (n *Node) SendToRoute(ctx context.Context, b routing.Begin, budgets ...budget.Limit) (*PaymentWatch, uint64, error) {
	if err := n.inSight(); err != nil {
		return nil, 0, err
	}
	w := n.watchPayments(&b.Terms.Hash)
	id, err := n.payments.sendTo(ctx, b, budgets)
	if err != nil {
		w.Close()
		return nil, 0, err
	}
	return w, id, nil
}

func (ps *payments) sendTo(ctx context.Context, b routing.Begin, limits []budget.Limit) (uint64, error) {
	ps.mu.Lock()
	r := ps.byHash[b.Terms.Hash]
	ps.mu.Unlock()
	answer := make(chan routing.Effects, 1)
	q := question{reply: func(fx routing.Effects) { answer <- fx }}
	if r == nil {
		var err error
		if r, err = ps.begin(b, limits); err != nil {
			return 0, err
		}
		q.Event = routing.Start{}
	} else {
		more, err := ps.n.budgets.reserve(limits, b.Route.Fee(), ps.n.Today())
		if err != nil {
			return 0, err
		}
		q.Event = routing.Shard{Terms: b.Terms, Route: *b.Route, Reserve: more}
		q.reply = func(fx routing.Effects) {
			if len(fx.Delta.Reserved) == 0 {
				ps.n.budgets.undo(more)
			}
			answer <- fx
		}
	}
	r.inbox.Put(q)
	select {
	case fx := <-answer:
		switch {
		case len(fx.Launch) > 0:
			return fx.Launch[0].AttemptID, nil
		case fx.Refused != nil:
			return 0, fx.Refused
		case fx.Delta.Payment != nil:
			return 0, errors.New(fx.Delta.Payment.Text)
		}
		return 0, routing.ErrPaymentInFlight
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-ps.n.ctx.Done():
		return 0, errStopping
	}
}

// TrackPayment follows a payment that was begun before, from how it stands now. It
// fails with ErrUnknownPayment.
func (n *Node) TrackPayment(hash lnwire.Hash) (*PaymentWatch, error) {
	w := n.watchPayments(&hash)
	p, err := n.Payment(hash)
	if err != nil {
		w.Close()
		return nil, err
	}
	w.first(p)
	return w, nil
}

// CancelPayment makes no further attempts for a payment.
func (n *Node) CancelPayment(hash lnwire.Hash) {
	n.payments.mu.Lock()
	r := n.payments.byHash[hash]
	n.payments.mu.Unlock()
	if r != nil {
		r.inbox.Put(routing.Cancel{})
	}
}

// Payment is a payment as it stands, durable. It fails with ErrUnknownPayment.
func (n *Node) Payment(hash lnwire.Hash) (*routing.Progress, error) {
	n.payments.mu.Lock()
	r := n.payments.byHash[hash]
	n.payments.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.last != nil {
			return r.last, nil
		}
	}
	p, err := n.db.Payment(hash)
	if err != nil {
		return nil, fmt.Errorf("look up payment: %w", err)
	}
	if p == nil {
		return nil, ErrUnknownPayment
	}
	return &routing.Progress{Payment: p.Payment, Attempts: p.Attempts}, nil
}

// FindRoute looks for a route without paying, with what was learned unless q brings
// scores of its own.
func (n *Node) FindRoute(q routing.Query) (routing.Route, error) {
	w := n.payments.worlds.Get().(*world)
	defer n.payments.worlds.Put(w)
	env := n.payments.env(w)
	if q.Source.IsZero() || q.Source == n.id {
		q.Source, q.Ours, q.Locals, q.Blinded = n.id, true, env.Locals, n.behindUs(q.Blinded)
	}
	if q.Height == 0 {
		q.Height = env.Height
	}
	if q.Scores == nil {
		q.Scores = env.Scores
	}
	q.Busy, q.Now, q.Params = env.Busy, n.now(), env.Params
	if q.Ours {
		q.Potentials = env.Potentials(q.Amount)
	}
	r, err := env.Finder.Find(env.Graph, &q)
	if none := (*routing.NoRoute)(nil); errors.As(err, &none) && none.Unlikely {
		q.Unlikely = true
		return env.Finder.Find(env.Graph, &q)
	}
	return r, err
}
