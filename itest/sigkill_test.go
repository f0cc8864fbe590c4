package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// TestKillForwarder kills bob again and again while alice pays carol through him.
func TestKillForwarder(t *testing.T) {
	t.Parallel()
	killed(t, 20, 900_000, "bob")
}

// TestKillPayerAndReceiver does the same to those at the ends, and to all in turn.
func TestKillPayerAndReceiver(t *testing.T) {
	t.Parallel()
	killed(t, 9, 300_000, "alice", "carol", "bob")
}

// killed lets alice pay carol through bob without a pause, while the named nodes are
// killed in turn. Then everything must be as if nothing had happened: no channel is
// closed, no payment is stuck, none was paid twice, every figure agrees to the
// millisatoshi, and every forward is in bob's history. The first payment is of that
// many millisatoshis; below 354,000 no commitment shows them.
func killed(t *testing.T, times int, amount int64, names ...string) {
	w := rig.NewWorld(t)
	nodes, points := w.Line(5_000_000, "alice", "bob", "carol")
	s := &siege{t: t, alice: nodes[0], bob: nodes[1], carol: nodes[2], points: points}
	s.amount.Store(amount)
	start := []int64{s.alice.InChannels(), s.bob.InChannels(), s.carol.InChannels()}
	s.pays(4, func() {
		for i := range times {
			victim := w.Named(names[i%len(names)])
			s.progress(1 + rand.Int64N(6))
			time.Sleep(rand.N(10 * time.Millisecond)) // no wait for anything: any moment will do
			victim.Kill()
			victim.Start()
			for _, p := range points {
				for _, n := range nodes {
					if n.Channel(p) != nil {
						n.Active(p)
					}
				}
			}
		}
		s.progress(4)
	})
	rig.Settled(nodes...)
	s.check(start)
	for _, n := range nodes { // and it is all on the disk
		n.Restart()
	}
	rig.Joined(nodes, points)
	s.check(start)
	s.alice.Pay(s.carol.Invoice(1_000_000))
	s.carol.Pay(s.alice.Invoice(1_000_000))
}

// siege is what is known from outside of payments that go on while nodes die.
type siege struct {
	t                 *testing.T
	alice, bob, carol *rig.Node
	points            []rig.ChanPoint
	amount            atomic.Int64 // of the latest payment
	succeeded         atomic.Int64
	over              atomic.Bool // no new payments

	mu   sync.Mutex
	seen map[string]int
}

// pays lets so many payers pay while meanwhile runs, and waits for the end of every
// payment that was begun.
func (s *siege) pays(payers int, meanwhile func()) {
	var all sync.WaitGroup
	s.over.Store(false)
	for range payers {
		all.Go(func() { s.payer(s.t.Context()) })
	}
	defer all.Wait()
	defer s.over.Store(true)
	meanwhile()
}

// progress waits until so many more payments have succeeded.
func (s *siege) progress(more int64) {
	s.t.Helper()
	goal := s.succeeded.Load() + more
	rig.Eventually(s.t, "payments go on", func() bool { return s.succeeded.Load() >= goal })
}

// payer pays invoices one after the other. Whatever happens to the nodes meanwhile, it
// behaves as a careful program should: it asks what became of a payment before it
// forgets it.
func (s *siege) payer(ctx context.Context) {
	for ctx.Err() == nil && !s.over.Load() {
		// No two are alike, and each is smaller than the one before: of a smaller amount
		// the payer does not believe that it must fail because a larger one did.
		amount := s.amount.Add(-25)
		var made *lnrpc.AddInvoiceResponse
		if !s.insist(ctx, func(ctx context.Context) (err error) {
			ln, _ := s.carol.Clients()
			made, err = ln.AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: amount})
			return err
		}) {
			return
		}
		switch p := s.pay(ctx, made); {
		case p == nil:
		case p.Status == lnrpc.Payment_SUCCEEDED:
			s.succeeded.Add(1)
		default:
			time.Sleep(20 * time.Millisecond) // somebody is down, and will be a little longer
		}
	}
}

// insist repeats a call while the node that it is for is down, or has just come up and
// takes no new risk before it has seen the chain's tip.
func (s *siege) insist(ctx context.Context, call func(context.Context) error) bool {
	for ctx.Err() == nil {
		err := call(ctx)
		if err == nil {
			return true
		}
		if !rig.Away(err) && !strings.Contains(err.Error(), "catching up with the chain") && ctx.Err() == nil {
			s.t.Errorf("a call is refused: %v", err)
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// pay begins a payment and follows it to its end over all restarts of the payer.
func (s *siege) pay(ctx context.Context, made *lnrpc.AddInvoiceResponse) (end *lnrpc.Payment) {
	begun := false
	s.insist(ctx, func(ctx context.Context) error {
		_, router := s.alice.Clients()
		if begun {
			stream, err := router.TrackPaymentV2(ctx, &routerrpc.TrackPaymentRequest{PaymentHash: made.RHash, NoInflightUpdates: true})
			if err == nil {
				end, err = rig.LastPayment(stream)
			}
			if status.Code(err) != codes.NotFound {
				return err
			} // it was not begun: nothing of it had become durable
		}
		begun = true // it may have begun, whatever the answer
		stream, err := router.SendPaymentV2(ctx, rig.PayRequest(made.PaymentRequest))
		if err == nil {
			end, err = rig.LastPayment(stream)
		}
		return err
	})
	if end != nil && end.Status == lnrpc.Payment_FAILED {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.seen == nil {
			s.seen = map[string]int{}
		}
		s.seen[end.FailureReason.String()]++
		for _, a := range end.Htlcs {
			s.seen[a.Failure.GetCode().String()]++
		}
	}
	return end
}

// check compares what all three say.
func (s *siege) check(start []int64) {
	t := s.t
	t.Helper()
	paid := s.paid()
	received := s.received()
	carried := map[int64]int{}
	var fees int64
	for _, e := range s.bob.Forwards() {
		carried[int64(e.AmtOutMsat)]++
		fees += int64(e.FeeMsat)
		require.Equal(t, feeOf(int64(e.AmtOutMsat)), int64(e.FeeMsat))
	}
	var sum int64
	want := map[int64]int{}
	for hash, amount := range received {
		require.Equal(t, amount, paid[hash], "carol was paid what alice has not paid")
		sum += amount
		want[amount]++
	}
	require.Len(t, paid, len(received), "alice has paid what carol has not got")
	require.Equal(t, want, carried, "bob's history")
	require.Equal(t, []int64{start[0] - sum - fees, start[1] + fees, start[2] + sum},
		[]int64{s.alice.InChannels(), s.bob.InChannels(), s.carol.InChannels()})
	for _, n := range []*rig.Node{s.alice, s.bob, s.carol} {
		require.Empty(t, n.Closed(), n.Name)
		p := n.Pending()
		require.Empty(t, p.WaitingCloseChannels, n.Name)
		require.Empty(t, p.PendingForceClosingChannels, n.Name)
	}
	require.Len(t, s.bob.Channels(), 2)
	t.Logf("%d payments arrived, failures: %v", len(received), s.seen)
	require.Zero(t, s.seen[lnrpc.Failure_UNKNOWN_NEXT_PEER.String()], "who restarts still has its channels")
}

// paid are the payments that succeeded, by hash; none may be open, and none may have
// been paid by two attempts.
func (s *siege) paid() map[string]int64 {
	s.t.Helper()
	list, err := s.alice.LN.ListPayments(rig.Soon(s.t), &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100_000})
	require.NoError(s.t, err)
	out := map[string]int64{}
	for _, p := range list.Payments {
		require.Contains(s.t, []lnrpc.Payment_PaymentStatus{lnrpc.Payment_SUCCEEDED, lnrpc.Payment_FAILED}, p.Status, "payment is stuck")
		good := 0
		for _, a := range p.Htlcs {
			require.NotEqual(s.t, lnrpc.HTLCAttempt_IN_FLIGHT, a.Status)
			if a.Status == lnrpc.HTLCAttempt_SUCCEEDED {
				good++
			}
		}
		if p.Status == lnrpc.Payment_SUCCEEDED {
			require.Equal(s.t, 1, good, "one attempt paid")
			require.Equal(s.t, feeOf(p.ValueMsat), p.FeeMsat)
			out[p.PaymentHash] = p.ValueMsat
		} else {
			require.Zero(s.t, good)
		}
	}
	return out
}

// received are carol's settled invoices, by hash.
func (s *siege) received() map[string]int64 {
	s.t.Helper()
	list, err := s.carol.LN.ListInvoices(rig.Soon(s.t), &lnrpc.ListInvoiceRequest{NumMaxInvoices: 100_000})
	require.NoError(s.t, err)
	out := map[string]int64{}
	for _, inv := range list.Invoices {
		switch inv.State {
		case lnrpc.Invoice_SETTLED:
			require.Equal(s.t, inv.ValueMsat, inv.AmtPaidMsat)
			got := int64(0)
			for _, h := range inv.Htlcs {
				if h.State == lnrpc.InvoiceHTLCState_SETTLED {
					got += int64(h.AmtMsat)
				}
			}
			require.Equal(s.t, inv.ValueMsat, got)
			out[fmt.Sprintf("%x", inv.RHash)] = inv.AmtPaidMsat
		default:
			require.Equal(s.t, lnrpc.Invoice_OPEN, inv.State)
		}
	}
	return out
}
