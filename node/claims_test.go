package node

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// confirmed is the node's balance in blocks.
func (r *resident) confirmed() lnwire.Sat {
	b, _ := r.Balance(1)
	return b.Confirmed
}

// swept mines until the node has got something home since before.
func (r *resident) swept(before lnwire.Sat) (got lnwire.Sat) {
	r.t.Helper()
	r.until("swept", func() bool {
		txs, err := r.chain.Mempool(r.t.Context())
		require.NoError(r.t, err)
		if len(txs) > 0 {
			r.mine(1)
		}
		return r.confirmed() > before
	})
	return r.confirmed() - before
}

// TestForceClose: the balances of both sides come home, the closer's after its delay;
// a restart in between loses nothing.
func TestForceClose(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	ab := alice.open(bob, 1_000_000, 300_000_000)
	bobHad, aliceHas := bob.confirmed(), alice.confirmed()

	bob.stop() // who would publish as well, as soon as he is told
	updates, err := alice.CloseChannel(t.Context(), CloseRequest{Funding: ab, Force: true})
	require.NoError(t, err)
	u := <-updates
	require.NoError(t, u.Err)
	alice.unconfirmed(u.Tx.TxHash())
	alice.mine(1)
	bob.restart()
	got := bob.swept(bobHad)
	require.Greater(t, got, lnwire.Sat(290_000))
	require.LessOrEqual(t, got, lnwire.Sat(300_000))

	alice.restart()
	info, err := alice.Channel(t.Context(), ab)
	require.NoError(t, err)
	require.Equal(t, channel.Closing, info.Core.Phase)
	delay := int(info.Terms.Theirs.ToSelfDelay)
	alice.mine(delay)
	got = alice.swept(aliceHas)
	require.Greater(t, got, lnwire.Sat(680_000))
	require.Less(t, got, lnwire.Sat(700_000))
	var rows []channel.ClosedRow
	alice.until("reported", func() bool {
		rows, err = alice.ClosedChannels(0, 10)
		return err == nil && len(rows) == 1
	})
	require.Equal(t, channel.ClosedByUs, rows[0].Kind)
	require.Positive(t, rows[0].TimeLock)
}

// payHeld pays a hold invoice at to and waits until it is held there. The end of the
// payment comes later.
func (r *resident) payHeld(to *resident, amount lnwire.MilliSat, p lnwire.Preimage) <-chan routing.Progress {
	r.t.Helper()
	hash := p.Hash()
	inv, err := to.AddInvoice(r.t.Context(), invoice.Terms{Hash: hash, Amount: amount, Memo: "held"})
	require.NoError(r.t, err)
	end := make(chan routing.Progress, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	go func() { end <- r.payInvoice(ctx, inv.Request) }()
	to.until("invoice is held", func() bool {
		i, err := to.Invoice(hash)
		return err == nil && i.State == invoice.Accepted
	})
	return end
}

// mined mines whatever is published until ok.
func (r *resident) mined(what string, ok func() bool) {
	r.t.Helper()
	r.until(what, func() bool {
		if txs, err := r.chain.Mempool(r.t.Context()); err == nil && len(txs) > 0 {
			r.mine(1)
		}
		return ok()
	})
}

// TestForceCloseWithHTLCs: of two HTLCs in a channel that is closed by either side one
// is taken with its preimage, which ends the payment well, and one times out, which
// ends the other.
func TestForceCloseWithHTLCs(t *testing.T) {
	for _, closer := range []string{"alice", "bob"} {
		t.Run(closer, func(t *testing.T) {
			chain := chainOf(t)
			alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
			alice.fund(10_000_000)
			bob.fund(10_000_000)
			alice.connect(bob)
			ab := alice.open(bob, 1_000_000, 300_000_000)
			aliceHas, bobHas := alice.confirmed(), bob.confirmed()
			known := lnwire.Preimage{1, 2, 3}
			good := alice.payHeld(bob, 200_000_000, known)
			bad := alice.payHeld(bob, 150_000_000, lnwire.Preimage{4, 5, 6})

			who := alice
			if closer == "bob" {
				who = bob
			}
			updates, err := who.CloseChannel(t.Context(), CloseRequest{Funding: ab, Force: true})
			require.NoError(t, err)
			u := <-updates
			require.NoError(t, u.Err)
			who.until("a commitment in the mempool", func() bool { // the other one publishes as well, as soon as it is told
				txs, err := chain.Mempool(t.Context())
				return err == nil && len(txs) > 0
			})
			who.mine(1)
			for _, r := range []*resident{alice, bob} {
				r.until("closing", func() bool {
					i, err := r.Channel(t.Context(), ab)
					return err == nil && i.Core.Phase == channel.Closing
				})
			}
			_, err = bob.SettleInvoice(t.Context(), known)
			require.NoError(t, err)
			bob.mined("preimage in the chain", func() bool { return len(good) > 0 })
			require.Equal(t, routing.Succeeded, (<-good).Payment.Status)

			info, err := alice.Channel(t.Context(), ab)
			require.NoError(t, err)
			for _, h := range info.HTLCs {
				if left := int(h.Expiry) - int(alice.Tip().Height); left > 0 {
					alice.mine(left)
				}
			}
			alice.mined("timeout in the chain", func() bool {
				i, err := alice.Channel(t.Context(), ab)
				return err == nil && len(i.Core.Spend.Resolving) >= 2
			})
			alice.mine(6)
			require.NotEqual(t, routing.Succeeded, (<-bad).Payment.Status)

			alice.mine(int(info.Terms.Theirs.ToSelfDelay)) // and the second stages
			slack := lnwire.Sat(40_000)                    // for the fees, at 50 sat/vbyte
			alice.mined("everything home", func() bool { return alice.confirmed()+slack >= aliceHas+500_000 })
			bob.mined("everything home", func() bool { return bob.confirmed()+slack >= bobHas+500_000 })
			require.Less(t, alice.confirmed(), aliceHas+500_000)
			require.LessOrEqual(t, bob.confirmed(), bobHas+500_000)
		})
	}
}
