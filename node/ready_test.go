package node

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// weather is a backend whose state a test sets.
type weather struct {
	chainntnfs.Backend
	state chainntnfs.State
}

func (w *weather) State() (chainntnfs.State, <-chan struct{}) { return w.state, make(chan struct{}) }

// TestNoNewRiskWithoutChain: while the chain is out of sight nothing is begun that
// would have to be enforced on it, and the answer says why.
func TestNoNewRiskWithoutChain(t *testing.T) {
	n, _, _ := storeOnly(t)
	w := &weather{}
	n.backend = w
	at := func(h lnwire.Height) *lnwire.BlockRef { return &lnwire.BlockRef{Height: h} }
	for _, c := range []struct {
		name           string
		state          chainntnfs.State
		seen, synced   *lnwire.BlockRef
		inSight, money string // what the refusals say; empty: none
	}{
		{"away", chainntnfs.State{Why: errors.New("connection refused")}, at(9), at(9), "chain backend is away: connection refused", "away"},
		{"stale", chainntnfs.State{Up: true, Stale: "no block for 3 hours", Tip: *at(9)}, at(9), at(9), "stale: no block", "stale"},
		{"never synced", chainntnfs.State{Up: true, Tip: *at(9)}, at(9), nil, "catching up", "catching up"},
		{"far behind", chainntnfs.State{Up: true, Tip: *at(16)}, at(9), at(9), "block 9 of 16", "catching up"},
		{"a block on its way", chainntnfs.State{Up: true, Tip: lnwire.BlockRef{Height: 10, Hash: [32]byte{1}}}, at(9), at(9), "", "fully synced"},
		{"synced", chainntnfs.State{Up: true, Tip: *at(9)}, at(9), at(9), "", ""},
	} {
		w.state = c.state
		n.seen.Store(c.seen)
		n.synced.Store(c.synced)
		says := func(err error, text string) {
			t.Helper()
			if text == "" {
				require.NoError(t, err, c.name)
				return
			}
			require.ErrorContains(t, err, text, c.name)
		}
		says(n.inSight(), c.inSight)
		says(n.readyForMoney(), c.money)
		if c.inSight != "" {
			_, err := n.Pay(t.Context(), routing.Begin{})
			says(err, c.inSight)
			_, err = n.SendCoins(SendRequest{})
			says(err, c.inSight)
			says(n.admitOpening(lnwire.PubKey{2}), c.inSight)
		}
	}
}

// TestCoinsFromBeforeFirstSight: a wallet was made, and paid, before its node ever saw
// the chain.
func TestCoinsFromBeforeFirstSight(t *testing.T) {
	chain := chainOf(t)
	first := residentOf(t, chain, "alice")
	a, err := first.NewAddress(keys.P2WKH, false, false)
	require.NoError(t, err)
	first.stop()
	require.NoError(t, chain.Miner().Mature(t.Context()))
	_, err = chain.Miner().Pay(t.Context(), wire.NewTxOut(70_000, a.PkScript))
	require.NoError(t, err)
	_, err = chain.Generate(t.Context(), 3)
	require.NoError(t, err)

	alice := residentOf(t, chain, "alice") // with files of its own
	b, _ := alice.Balance(1)
	require.EqualValues(t, 70_000, b.Confirmed)
}

// TestSyncedToGraph: the map is known when a peer was asked for all of it.
func TestSyncedToGraph(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.mine(1)
	require.False(t, alice.SyncedToGraph(), "nobody was asked")
	alice.connect(bob)
	alice.until("synced to the graph", alice.SyncedToGraph)
}
