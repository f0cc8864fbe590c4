package node

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// TestHodl: what a node keeps back as a bench asked it to is late, not lost: it comes when
// the node starts without.
func TestHodl(t *testing.T) {
	_, alice, bob, carol := lineOf(t)
	first, second := alice.open(bob, 1_000_000, 0), bob.open(carol, 1_000_000, 0)
	alice.until("the way is known", func() bool {
		c, ok := alice.Graph().Channel(bob.Links()[1].SCID)
		return ok && c.Policies[0] != nil && c.Policies[1] != nil
	})
	up := func() {
		joined(alice, bob)
		joined(bob, carol)
	}
	waits := func(from *resident, hash lnwire.Hash) bool { // its HTLC is in the channel with bob
		funding := first
		if from == carol {
			funding = second
		}
		i, err := from.Channel(t.Context(), funding)
		return err == nil && slices.ContainsFunc(i.HTLCs, func(h htlc.HTLC) bool { return h.Hash == hash })
	}
	for _, c := range []struct {
		who     *resident
		hodl    Hodl
		settled bool // carol has her money when it is kept
	}{
		{bob, Hodl{AddIncoming: true}, false},
		{bob, Hodl{AddOutgoing: true}, false},
		{bob, Hodl{Commit: true}, false},
		{bob, Hodl{SettleIncoming: true}, true},
		{bob, Hodl{SettleOutgoing: true}, true},
		{carol, Hodl{ExitSettle: true}, false},
	} {
		c.who.hodl = c.hodl
		c.who.restart()
		up()
		inv, err := carol.AddInvoice(t.Context(), invoice.Terms{Amount: 10_000, Memo: "kept"})
		require.NoError(t, err)
		end := make(chan routing.Progress, 1)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		go func() { end <- alice.payInvoice(ctx, inv.Request) }()
		alice.until("it is under way, or over", func() bool { return waits(alice, inv.Hash) || len(end) > 0 })
		if c.who == carol {
			carol.until("it has come, or is over", func() bool { return waits(carol, inv.Hash) || len(end) > 0 })
		}
		if c.settled {
			carol.until("carol has it", func() bool { return carol.invoiceState(t, inv.Hash) == invoice.Settled })
		} else {
			require.Equal(t, invoice.Open, carol.invoiceState(t, inv.Hash))
		}
		select {
		case p := <-end:
			t.Fatalf("%+v keeps nothing: %v", c.hodl, p.Payment.Text)
		default:
		}
		c.who.hodl = Hodl{}
		c.who.restart()
		p := <-end
		if p.Payment.Status == routing.Failed && !c.settled {
			// It was not signed yet, or bob was there again before carol and gave it back.
			up()
			p = alice.payInvoice(ctx, inv.Request)
		}
		require.Equal(t, routing.Succeeded, p.Payment.Status, "%+v: %s", c.hodl, p.Payment.Text)
	}
}
