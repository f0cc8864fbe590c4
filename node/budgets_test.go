package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// TestBudgets: nothing that goes on at once, fails, waits, or is cut short by a crash spends more than a budget allows,
// and what was not spent can be spent.
func TestBudgets(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(2_000_000)
	alice.connect(bob)
	alice.open(bob, 1_000_000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	limit := func(id byte, sat lnwire.Sat) budget.Limit {
		return budget.Limit{ID: budget.ID{id}, Total: sat.MilliSat(), Day: budget.Unlimited}
	}
	ask := func(terms invoice.Terms) routing.Terms {
		inv, err := bob.AddInvoice(ctx, terms)
		require.NoError(t, err)
		return termsOf(t, inv.Request)
	}
	pay := func(terms routing.Terms, limits ...budget.Limit) (routing.Progress, error) {
		w, err := alice.Pay(ctx, routing.Begin{Terms: terms, Limits: routing.Limits{Fee: 1 << 62}}, limits...)
		if err != nil {
			return routing.Progress{}, err
		}
		return over(ctx, t, w), nil
	}
	sum := func(id byte) lnwire.Sat { return lnwire.Sat(alice.Budget(budget.ID{id}).Sum / 1000) }

	// Many at once: as many succeed as the budget allows, whatever their limit of fees, and the rest is refused.
	kiosk := limit(1, 25_000)
	var wg sync.WaitGroup
	var mu sync.Mutex
	paid := 0
	for range 6 {
		terms := ask(invoice.Terms{Amount: 10_000_000})
		wg.Go(func() {
			p, err := pay(terms, kiosk)
			mu.Lock()
			defer mu.Unlock()
			var exceeded *budget.Exceeded
			if !errors.As(err, &exceeded) && err == nil && p.Payment.Status == routing.Succeeded {
				paid++
			}
		})
	}
	wg.Wait()
	for paid < 2 { // those that were there first may have reserved all of it for their fees
		p, err := pay(ask(invoice.Terms{Amount: 10_000_000}), kiosk)
		require.NoError(t, err)
		require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
		paid++
	}
	require.Equal(t, 2, paid)
	require.EqualValues(t, 20_000, sum(1))
	_, err := pay(ask(invoice.Terms{Amount: 10_000_000}), kiosk)
	require.EqualError(t, err, "spending budget exceeded: 5000 sat are left of 25000 sat in total, up to 10000 sat are needed")

	// One that fails gives back; so does one that the machine does not take.
	unknown := ask(invoice.Terms{Amount: 1_000_000})
	unknown.Secret = &lnwire.Secret{1}
	p, err := pay(unknown, kiosk)
	require.NoError(t, err)
	require.Equal(t, routing.Failed, p.Payment.Status)
	_, err = pay(routing.Terms{Amount: 1_000_000}, kiosk)
	require.Error(t, err)
	require.EqualValues(t, 20_000, sum(1))

	// One that waits holds what it may cost, also over a crash, and of every budget of its token.
	preimage := lnwire.Preimage{5}
	hash := lnwire.Hash(sha256.Sum256(preimage[:]))
	kid := limit(2, 100_000)
	w, err := alice.Pay(ctx, routing.Begin{Terms: ask(invoice.Terms{Amount: 4_000_000, Hash: hash})}, kiosk, kid)
	require.NoError(t, err)
	w.Close()
	bob.until("it is held", func() bool {
		inv, err := bob.Invoice(hash)
		return err == nil && inv.State == invoice.Accepted
	})
	require.EqualValues(t, 24_000, sum(1))
	alice.crash()
	require.EqualValues(t, 24_000, sum(1))
	require.EqualValues(t, 4_000, sum(2))
	alice.until("connected", func() bool { l := alice.Links(); return len(l) == 1 && l[0].Up })
	_, err = pay(ask(invoice.Terms{Amount: 2_000_000}), kiosk)
	require.Error(t, err)
	_, err = bob.CancelInvoice(ctx, hash)
	require.NoError(t, err)
	alice.until("it came back", func() bool { return sum(1) == 20_000 && sum(2) == 0 })

	// A route of the caller's, in two parts.
	whole := ask(invoice.Terms{Amount: 3_000_000})
	r, err := alice.FindRoute(routing.Query{Target: bob.ID(), Amount: 1_500_000, FinalDelta: 100})
	require.NoError(t, err)
	_, _, err = alice.SendToRoute(ctx, routing.Begin{Terms: whole, Route: &r}, limit(3, 2_999))
	require.Error(t, err)
	first, _, err := alice.SendToRoute(ctx, routing.Begin{Terms: whole, Route: &r}, kiosk)
	require.NoError(t, err)
	_, _, err = alice.SendToRoute(ctx, routing.Begin{Terms: whole, Route: &r}, kid)
	require.ErrorContains(t, err, "another spending budget")
	require.Zero(t, sum(2))
	second, _, err := alice.SendToRoute(ctx, routing.Begin{Terms: whole, Route: &r}, kiosk)
	require.NoError(t, err)
	second.Close()
	got := over(ctx, t, first)
	require.Equal(t, routing.Succeeded, got.Payment.Status, got.Payment.Text)
	require.EqualValues(t, 23_000, sum(1))

	// On the chain.
	a, err := bob.NewAddress(keys.P2WKH, false, false)
	require.NoError(t, err)
	chest := limit(4, 100_000)
	send := func(amount lnwire.Sat, all bool) error {
		_, err := alice.SendCoins(SendRequest{
			Outputs: []*wire.TxOut{wire.NewTxOut(int64(amount), a.PkScript)}, All: all, FeeRate: 1000, Budgets: []budget.Limit{chest},
		})
		return err
	}
	require.ErrorContains(t, send(99_990, false), "spending budget exceeded")
	require.ErrorContains(t, send(0, true), "spending budget exceeded")
	require.Error(t, send(1, false), "dust")
	require.Zero(t, sum(4))
	require.NoError(t, send(60_000, false))
	require.Greater(t, sum(4), lnwire.Sat(60_000))
	require.Less(t, sum(4), lnwire.Sat(61_000))
	require.ErrorContains(t, send(40_000, false), "spending budget exceeded")
	before := alice.Budgets(budget.ID{}, 10)
	alice.restart()
	require.Equal(t, before, alice.Budgets(budget.ID{}, 10))
	require.Len(t, alice.Budgets(budget.ID{1}, 1), 1)

	// What is given up comes back, in the same write.
	for _, tx := range alice.Txs(0, math.MaxUint32, true) {
		if len(tx.Charges) > 0 {
			require.NoError(t, alice.RemoveTx(tx.Txid))
		}
	}
	require.Zero(t, sum(4))
	before = alice.Budgets(budget.ID{}, 10)
	alice.restart()
	require.Equal(t, before, alice.Budgets(budget.ID{}, 10))
	require.NoError(t, send(90_000, false))
}
