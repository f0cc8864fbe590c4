package node

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// pay makes an invoice at to and pays it from r.
func (r *resident) pay(to *resident, amount lnwire.MilliSat) routing.Progress {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	inv, err := to.AddInvoice(ctx, invoice.Terms{Amount: amount, Memo: "test"})
	require.NoError(r.t, err)
	return r.payInvoice(ctx, inv.Request)
}

func (r *resident) payInvoice(ctx context.Context, text string) routing.Progress {
	r.t.Helper()
	req, err := invoice.Decode(text)
	require.NoError(r.t, err)
	secret := req.Secret
	w, err := r.Pay(ctx, routing.Begin{
		Terms: routing.Terms{
			Hash: req.Hash, Amount: req.Amount, Payee: req.Payee, FinalDelta: uint16(req.FinalDelta),
			Secret: &secret, Features: req.Features, Request: text,
		},
		Limits: routing.Limits{Fee: req.Amount},
	})
	require.NoError(r.t, err)
	defer w.Close()
	for {
		p, err := w.Next(ctx)
		require.NoError(r.t, err)
		if p.Payment.Status != routing.InFlight {
			return p
		}
	}
}

// balances are both sides of a channel as r sees them.
func (r *resident) balances(funding wire.OutPoint) (ours, theirs lnwire.MilliSat) {
	r.t.Helper()
	i, err := r.Channel(r.t.Context(), funding)
	require.NoError(r.t, err)
	return i.LocalOurs, i.LocalTheirs
}

func TestOpenPayForwardRestartClose(t *testing.T) {
	_, alice, bob, carol := lineOf(t)
	ab := alice.open(bob, 1_000_000, 0)
	bc := bob.open(carol, 1_000_000, 0)
	alice.until("bob-carol by gossip", func() bool {
		links := bob.Links()
		c, ok := alice.Graph().Channel(links[1].SCID)
		return ok && c.Policies[0] != nil && c.Policies[1] != nil
	})

	p := alice.pay(carol, 50_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	fee := lnwire.MilliSat(1000 + 50)
	require.Equal(t, fee, p.Payment.Fee)
	waitUntil(t, "settled everywhere", func() bool {
		for _, r := range []*resident{alice, bob, carol} {
			list, err := r.ListChannels(t.Context())
			require.NoError(t, err)
			for _, i := range list {
				if len(i.HTLCs) > 0 {
					return false
				}
			}
		}
		return true
	})
	ours, theirs := alice.balances(ab)
	require.Equal(t, lnwire.MilliSat(950_000_000)-fee, ours)
	require.Equal(t, lnwire.MilliSat(50_000_000)+fee, theirs)
	forwards, err := bob.Forwards(channeldb.ForwardQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, forwards, 1)
	require.Equal(t, fee, forwards[0].Fee())

	back := carol.pay(alice, 20_000_000)
	require.Equal(t, routing.Succeeded, back.Payment.Status, back.Payment.Text)

	checkErrors(t, carol, bob)
	require.NoError(t, alice.DisconnectPeer(bob.ID()))
	bob.until("noticed", func() bool { return bob.flaps(alice.ID()) > 0 })
	flaps := bob.flaps(alice.ID())
	bob.restart()
	for _, f := range []wire.OutPoint{ab, bc} {
		bob.until("active again", func() bool {
			i, err := bob.Channel(t.Context(), f)
			return err == nil && i.Active
		})
	}
	alice.until("active again", func() bool { i, err := alice.Channel(t.Context(), ab); return err == nil && i.Active })
	require.Greater(t, bob.flaps(alice.ID()), flaps, "counted over restarts")
	alice.until("told when", func() bool { return !conductOf(alice, bob.ID()).LastFlap.IsZero() }) // listed while he is there
	require.Empty(t, conductOf(bob, carol.ID()).Errors)
	p = alice.pay(bob, 10_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)

	_, reserve := alice.Balance(0)
	require.NotZero(t, reserve)
	updates, err := alice.CloseChannel(t.Context(), CloseRequest{Funding: ab})
	require.NoError(t, err)
	u := <-updates
	require.NoError(t, u.Err)
	require.NotNil(t, u.Tx)
	alice.unconfirmed(u.Tx.TxHash())
	alice.mine(6)
	for u = range updates { // the peer's transaction may come between
		require.NoError(t, u.Err)
	}
	require.True(t, u.Closed)
	// V-39: nothing is left to be bumped.
	_, reserve = alice.Balance(0)
	require.Zero(t, reserve)
}
