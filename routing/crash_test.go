package routing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// life is a payment with a store, channels and crashes around it. What is queued for
// writing becomes durable in order; a crash loses a tail of it.
type life struct {
	*bench
	p     *Payer
	queue []func(d *disk)
	disk  disk
	asked []Launch // with the switch, not signed
	paid  int      // HTLCs that the recipient claimed
	spent lnwire.MilliSat
	ends  map[uint64]Resolved // what the world decided of an HTLC; a peer repeats it
	told  map[uint64]bool     // since the last start
}

// disk is what a store holds of one payment.
type disk struct {
	payment  *Payment
	open     bool // the next start takes it up
	attempts map[uint64]Attempt
	live     []Launch            // outgoing HTLCs
	outbox   map[uint64]Resolved // their ends
}

func (l *life) take(fx Effects) {
	d := fx.Delta
	if !d.IsEmpty() {
		l.queue = append(l.queue, func(k *disk) {
			if d.New {
				k.attempts = map[uint64]Attempt{}
			}
			if d.Payment != nil {
				k.payment, k.open = d.Payment, d.Open
			}
			for _, a := range d.Attempts {
				k.attempts[a.ID] = a
			}
			for _, id := range d.Took {
				delete(k.outbox, id)
			}
		})
	}
	l.asked = append(l.asked, fx.Launch...)
}

func (l *life) step(ev Event) { l.take(l.bench.step(l.p, ev)) }

// flush makes the first n of what is queued durable.
func (l *life) flush(n int) {
	for _, op := range l.queue[:n] {
		op(&l.disk)
	}
	l.queue = l.queue[n:]
}

// sign is a channel's turn: the HTLC's row and the attempt's are written together.
func (l *life) sign() {
	a := l.asked[0]
	l.asked = l.asked[1:]
	l.queue = append(l.queue, func(k *disk) {
		k.live = append(k.live, a)
		k.attempts[a.AttemptID] = a.Attempt
	})
}

// crash loses memory and the tail of the queue, and starts again.
func (l *life) crash(t *rapid.T) {
	l.flush(rapid.IntRange(0, len(l.queue)).Draw(t, "durable"))
	l.queue, l.asked, l.p, l.told = nil, nil, nil, map[uint64]bool{}
	if l.disk.payment == nil {
		return
	}
	if !l.disk.open { // it is not taken up again: nothing may be left to be done
		require.Empty(t, l.disk.live)
		require.Empty(t, l.disk.outbox)
	}
	r := Resumed{Payment: *l.disk.payment, Seed: lnwire.Secret{byte(l.next), 77}}
	var ids []uint64
	for id := range l.disk.attempts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r.Attempts = append(r.Attempts, l.disk.attempts[id])
	}
	var ends []Resolved
	for _, a := range l.disk.live {
		r.Live = append(r.Live, a.AttemptID)
	}
	for _, id := range ids {
		if end, ok := l.disk.outbox[id]; ok {
			r.Live = append(r.Live, id)
			ends = append(ends, end)
		}
	}
	l.p = Resume(r)
	l.step(Start{})
	for _, end := range ends {
		l.step(end)
	}
}

// pending are the HTLCs that left and whose end was not told since the last start.
func (l *life) pending() (out []Launch) {
	for _, a := range l.disk.live {
		if !l.told[a.AttemptID] {
			out = append(out, a)
		}
	}
	return out
}

// settle ends an HTLC that has left: in one batch its row goes and its end is put into
// the outbox, and the payment is told at once.
func (l *life) settle(t *rapid.T) {
	pending := l.pending()
	a := pending[rapid.IntRange(0, len(pending)-1).Draw(t, "which")]
	end, decided := l.ends[a.AttemptID]
	if !decided {
		end = l.decide(t, a)
		l.ends[a.AttemptID] = end
	}
	l.told[a.AttemptID] = true
	l.queue = append(l.queue, func(k *disk) {
		k.live = slices.DeleteFunc(k.live, func(x Launch) bool { return x.AttemptID == a.AttemptID })
		k.outbox[a.AttemptID] = end
	})
	l.step(end)
}

// decide is what the rest of the network makes of an HTLC.
func (l *life) decide(t *rapid.T, a Launch) Resolved {
	hops := len(a.Attempt.Route.Hops)
	if rapid.Bool().Draw(t, "fails") {
		hop := rapid.IntRange(0, hops-1).Draw(t, "hop")
		code := rapid.SampledFrom([]onion.Code{onion.TemporaryChannelFailure, onion.UnknownNextPeer, onion.TemporaryNodeFailure,
			onion.FeeInsufficient, onion.IncorrectOrUnknownPaymentDetails}).Draw(t, "code")
		return l.walk(a, hop, &onion.Failure{Code: code})
	}
	l.paid++
	l.spent += a.Amount
	return l.walk(a, hops-1, nil)
}

// With crashes at any moment, lost writes, refusals and cancels: never is more than
// one HTLC of a payment claimed, nor more spent than asked for and allowed; what was
// claimed ends as succeeded, and everything ends. B4.origin.10, B4.origin.11.
func TestPaymentsSurviveCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewGraph()
		for i, n := range []int{1, 2, 4, 5} {
			link(t, g, 10+i, key(0), key(n), 1_000_000, flat(0, 0, 1), flat(0, 0, 1))
			link(t, g, 20+i, key(n), key(3), 1_000_000, flat(uint32(1000*i), 10, 1), flat(0, 0, 1))
		}
		b := newBench(t, g)
		b.env.Locals = nil
		for i, n := range []int{1, 2, 4, 5} {
			b.env.Locals = append(b.env.Locals, Local{SCID: lnwire.ShortChannelID(10 + i), Peer: key(n), Sendable: 3_000_000})
		}
		l := &life{bench: b, disk: disk{attempts: map[uint64]Attempt{}, outbox: map[uint64]Resolved{}},
			ends: map[uint64]Resolved{}, told: map[uint64]bool{}}
		limits := Limits{Fee: 2500, Timeout: 40 * time.Second, Parts: rapid.Uint32Range(0, 3).Draw(t, "parts")}
		p, err := New(Begin{Terms: terms(), Limits: limits, Seed: seed})
		require.NoError(t, err)
		l.p = p
		l.step(Start{})
		check := func() {
			inFlight := lnwire.MilliSat(0)
			for _, a := range l.disk.live {
				inFlight += a.Attempt.Route.Received()
			}
			require.LessOrEqual(t, inFlight, terms().Amount)
			require.LessOrEqual(t, l.paid, 1)
			require.LessOrEqual(t, l.spent, terms().Amount+limits.Fee)
			if l.p != nil && l.p.Row().Status == Failed {
				require.Zero(t, l.paid)
				require.NotEmpty(t, l.p.Row().Text)
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			if l.p == nil {
				break // it never existed
			}
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				l.crash(t)
			case 1:
				l.flush(len(l.queue))
			case 2, 3:
				if len(l.asked) > 0 {
					l.sign()
				}
			case 4:
				if len(l.asked) > 0 {
					a := l.asked[0]
					l.asked = l.asked[1:]
					l.step(Refused{a.AttemptID, htlc.Refusal{Reason: htlc.NoBalance}})
				}
			case 5:
				if len(l.pending()) > 0 {
					l.settle(t)
				}
			case 6:
				if rapid.IntRange(0, 9).Draw(t, "cancel") == 0 {
					l.step(Cancel{})
				}
			}
			check()
		}
		for l.p != nil && !l.p.Done() {
			for len(l.asked) > 0 {
				l.sign()
			}
			l.flush(len(l.queue))
			if len(l.pending()) > 0 {
				l.settle(t)
			} else {
				l.step(Tick{})
			}
			check()
		}
		l.flush(len(l.queue))
		if l.p == nil {
			require.Zero(t, l.paid)
			return
		}
		require.Empty(t, l.disk.outbox, "every end is taken")
		require.Equal(t, l.paid == 1, l.p.Row().Status == Succeeded)
		require.Equal(t, l.p.Row().Status, l.disk.payment.Status)
		if l.paid == 1 {
			require.Equal(t, l.spent, l.p.Row().Paid)
		}
	})
}
