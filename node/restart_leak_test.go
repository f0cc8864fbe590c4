package node

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// TestStopLeavesNothing: a node that is stopped, in the middle of whatever it was doing,
// leaves no goroutine behind.
func TestStopLeavesNothing(t *testing.T) {
	chain := chainOf(t)
	require.NoError(t, chain.Miner().Mature(t.Context()))
	before := goleak.IgnoreCurrent()
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	ab := alice.open(bob, 1_000_000, 300_000_000)
	alice.pays(bob)
	bob.pays(alice)
	inv := asked(t, bob, invoice.Terms{Hash: lnwire.Preimage{1}.Hash(), Amount: 1_000_000})
	w, err := alice.Pay(t.Context(), routing.Begin{
		Terms: routing.Terms{
			Hash: inv.Hash, Amount: inv.Amount, Payee: bob.ID(), FinalDelta: uint16(inv.FinalDelta), Secret: &inv.Secret, Features: inv.Features,
		},
		Limits: routing.Limits{Fee: 10_000},
	})
	require.NoError(t, err)
	bob.until("held", func() bool { return bob.invoiceState(t, inv.Hash) == invoice.Accepted })
	w.Close()
	g := rogueOf(t, bob, "mallory")
	g.send(g.opening("begun"))
	expect[*lnwire.AcceptChannel](g)
	updates, err := alice.CloseChannel(t.Context(), CloseRequest{Funding: ab}) // waits for the held HTLC
	require.NoError(t, err)
	require.Empty(t, updates)
	bob.stop()
	alice.stop()
	g.closed()
	goleak.VerifyNone(t, before,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), // of the test's own talk with btcd
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}
