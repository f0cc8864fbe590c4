package node

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// heldAt waits until a payment is held by its recipient, and tells since when.
func (r *resident) heldAt(h lnwire.Hash) (at time.Time) {
	r.t.Helper()
	r.until("held", func() bool {
		inv, err := r.Invoice(h)
		if err != nil || inv.State != invoice.Accepted {
			return false
		}
		at = inv.Parts[0].AcceptedAt
		return true
	})
	return at
}

// longer waits until more than d has passed since a moment.
func longer(t *testing.T, since time.Time, d time.Duration) {
	t.Helper()
	waitUntil(t, "time passes", func() bool { return time.Since(since) > d })
}

// TestHoldTimesOfALine: a payment over two nodes is held by its recipient: the payer learns for how
// long each of them had it, over a restart of one in the middle, when it is paid and when it
// is given back; of a node that does not take part, and of all behind it, nothing.
//
// B4.attr.5, B4.origin.20, B2.remove.5.
func TestHoldTimesOfALine(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	carol, dave := residentOf(t, chain, "carol"), residentOf(t, chain, "dave")
	line := []*resident{alice, bob, carol, dave}
	for i, r := range line[:3] {
		r.fund(5_000_000)
		r.connect(line[i+1])
		r.open(line[i+1], 1_000_000, 0)
	}
	last := dave.Links()[0].SCID
	alice.until("carol-dave by gossip", func() bool {
		c, ok := alice.Graph().Channel(last)
		return ok && c.Policies[0] != nil && c.Policies[1] != nil
	})
	inv := asked(t, dave, invoice.Terms{Amount: 1_000_000})
	req, err := invoice.Decode(inv.Request)
	require.NoError(t, err)
	require.True(t, req.Features.Has(lnwire.AttributionDataOptional))

	const hold = 250 * time.Millisecond
	end := func(p lnwire.Preimage, settle bool, meanwhile func()) routing.Attempt {
		done := alice.payHeld(dave, 2_000_000, p)
		since := dave.heldAt(p.Hash())
		longer(t, since, hold)
		meanwhile()
		var err error
		if settle {
			_, err = dave.SettleInvoice(t.Context(), p)
		} else {
			_, err = dave.CancelInvoice(t.Context(), p.Hash())
		}
		require.NoError(t, err)
		got := <-done
		require.Equal(t, settle, got.Payment.Status == routing.Succeeded, got.Payment.Text)
		stored, err := alice.Payment(p.Hash())
		require.NoError(t, err)
		require.Equal(t, got.Attempts[0].Holds, stored.Attempts[0].Holds)
		return got.Attempts[0]
	}
	check := func(a routing.Attempt, hops int) {
		t.Helper()
		require.Len(t, a.Holds, hops)
		took := a.EndedAt.Sub(a.StartedAt)
		for i, h := range a.Holds {
			require.GreaterOrEqual(t, h, 200*time.Millisecond, "hop %d of %v", i, a.Holds)
			require.LessOrEqual(t, h, took)
			if i > 0 {
				require.LessOrEqual(t, h, a.Holds[i-1], "who is nearer had it for longer")
			}
		}
	}
	nothing := func() {}
	check(end(lnwire.Preimage{1}, true, nothing), 3)
	failed := end(lnwire.Preimage{2}, false, nothing)
	check(failed, 3)
	require.EqualValues(t, 2, failed.Failure.Hop)
	check(end(lnwire.Preimage{3}, true, func() {
		bob.restart()
		joined(alice, bob)
		joined(bob, carol)
	}), 3)

	carol.mute = true
	carol.restart()
	joined(bob, carol)
	joined(carol, dave)
	require.False(t, carol.Features().HasEither(lnwire.AttributionDataOptional))
	alice.until("a way to dave", func() bool {
		_, err := alice.FindRoute(routing.Query{Target: dave.ID(), Amount: 2_000_000, FeeLimit: 100_000, FinalDelta: 40})
		return err == nil
	})
	check(end(lnwire.Preimage{4}, true, nothing), 1)
	failed = end(lnwire.Preimage{5}, false, nothing)
	check(failed, 1)
	require.EqualValues(t, 2, failed.Failure.Hop, "it can be read all the same")
}

// TestSpoiltAnswers: a node on the way spoils what goes back: the payer does not know the failure, but
// between which two nodes it was lost, and learns it.
//
// B4.origin.21.
func TestSpoiltAnswers(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(5_000_000)
	bob.fund(5_000_000)
	alice.connect(bob)
	alice.open(bob, 1_000_000, 0)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	links := bob.Links()
	first, second := alice.Links()[0].Name(), links[1].Names()[0]
	dave := ringOf(t, "dave").Node().ID()
	const amount, fee = 5_000_000, 10_000
	expiry := alice.Tip().Height + 40

	preimage, secret := lnwire.Preimage{0}, lnwire.Secret{1}
	pay := func(hops ...routing.Hop) routing.Progress {
		t.Helper()
		preimage[0]++
		last := hops[len(hops)-1]
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		w, err := alice.Pay(ctx, routing.Begin{
			Terms: routing.Terms{
				Hash: preimage.Hash(), Amount: amount, Payee: last.Node, FinalDelta: 40, Secret: &secret,
				Features: lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired, lnwire.AttributionDataOptional),
			},
			Limits: routing.Limits{Fee: 100_000},
			Route:  &routing.Route{Source: alice.ID(), Amount: hops[0].Forward + hops[0].Fee, Expiry: expiry + 200, Hops: hops},
		})
		require.NoError(t, err)
		n := len(d.locked)
		d.pump("the payment", func() bool { return len(d.locked) > n })
		in := d.locked[n]
		o := htlc.Open(d.ring.Node(), d.id(), in.Onion, in.HTLC.Hash, nil)
		require.Nil(t, o.Bad)
		fault := htlc.Fault{Secret: o.Secret, LockedAt: time.Now(), Attribute: true}
		r := fault.Passed(htlc.Resolution{Kind: htlc.Failed, Reason: make([]byte, 292)}, time.Now())
		if o.Final {
			r.Reason[17] ^= 1 // and it covers no tracks
		}
		d.step(channel.Resolve{Ref: in.HTLC.Ref, Resolution: r})
		d.pump("settled", func() bool { return len(d.ch.Info().HTLCs) == 0 })
		return over(ctx, t, w)
	}
	toBob := routing.Hop{Node: bob.ID(), SCID: first, Forward: amount + fee, Expiry: expiry + 100, Fee: fee}
	toMallory := routing.Hop{Node: d.id(), SCID: second, Forward: amount, Expiry: expiry, Fee: fee}

	p := pay(toBob, toMallory, routing.Hop{Node: dave, SCID: 77, Forward: amount, Expiry: expiry})
	f := p.Attempts[0].Failure
	require.EqualValues(t, routing.UnknownHop, f.Hop)
	require.Contains(t, f.Text, d.id().String())
	require.Contains(t, f.Text, "the recipient "+dave.String())
	require.Contains(t, f.Text, "one of the two spoilt the answer")
	require.Len(t, p.Attempts[0].Holds, 2)
	scores := func(from, to lnwire.PubKey) routing.PairHistory {
		alice.payments.mu.Lock()
		defer alice.payments.mu.Unlock()
		h, _ := alice.payments.scores.History(from, to)
		return h
	}
	require.False(t, scores(d.id(), dave).FailAt.IsZero())
	require.Zero(t, scores(d.id(), dave).Fail, "nothing goes through there")
	require.Equal(t, lnwire.MilliSat(amount+fee), scores(bob.ID(), d.id()).Success)
	require.True(t, scores(bob.ID(), d.id()).FailAt.IsZero())

	toBob.Forward = amount
	p = pay(toBob, routing.Hop{Node: d.id(), SCID: second, Forward: amount, Expiry: expiry + 100})
	f = p.Attempts[0].Failure
	require.EqualValues(t, routing.UnknownHop, f.Hop)
	require.Contains(t, f.Text, bob.ID().String())
	require.Contains(t, f.Text, "the recipient "+d.id().String())
	require.Len(t, p.Attempts[0].Holds, 1)
	require.False(t, scores(bob.ID(), d.id()).FailAt.IsZero())
}
