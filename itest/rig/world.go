package rig

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
)

// World is a private chain and the nodes of one test on it.
type World struct {
	T     testing.TB
	Chain *btcdtest.Node
	Dir   string
	Fees  string // --fee.url, where the network has no rate of its own
	Nodes []*Node
}

// NewWorld starts a chain on regtest.
func NewWorld(t testing.TB) *World { return WorldOn(t, &chaincfg.RegressionNetParams) }

// SimnetWorld starts a chain on simnet, which btcd keeps when it is restarted.
func SimnetWorld(t testing.TB) *World {
	w := WorldOn(t, &chaincfg.SimNetParams)
	w.ServeFees(20_000)
	return w
}

// ServeFees serves fee estimates to the nodes that are started from now on, in satoshis
// per 1000 vbytes: that much for the next blocks, less for later ones. What it gives
// changes the rate.
func (w *World) ServeFees(soon int64) (set func(soon int64)) {
	var rate atomic.Int64
	rate.Store(soon)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		r := rate.Load()
		fmt.Fprintf(rw, `{"fee_by_block_target":{"1":%d,"2":%d,"6":%d,"144":%d},"min_relay_feerate":1000}`, r, r, r/2, r/4)
	}))
	w.T.Cleanup(s.Close)
	w.Fees = s.URL
	return rate.Store
}

// WorldOn starts a chain on one of the networks.
func WorldOn(t testing.TB, params *chaincfg.Params) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir()}
	w.Chain = w.Btcd("btcd", params)
	require.NoError(t, w.Chain.Miner().Mature(t.Context()))
	return w
}

// Btcd starts a chain's node, which ends with the test.
func (w *World) Btcd(name string, params *chaincfg.Params) *btcdtest.Node {
	w.T.Helper()
	bin, err := btcdtest.Find(w.T.Context(), "")
	require.NoError(w.T, err)
	b, err := btcdtest.Start(w.T.Context(), btcdtest.Config{Binary: bin, Dir: filepath.Join(w.Dir, name), Params: params})
	require.NoError(w.T, err)
	w.T.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		require.NoError(w.T, b.Stop(ctx))
	})
	return b
}

// Network is what the daemon's options and directories call the network.
func (w *World) Network() string { return w.Chain.Params().Name }

// Node starts a node and waits until it has seen the chain.
func (w *World) Node(name string, options ...string) *Node {
	w.T.Helper()
	n := w.NewNode(name, append([]string{"--noseedbackup"}, options...)...)
	n.Start()
	return n
}

// NewNode is a node that has not been started.
func (w *World) NewNode(name string, options ...string) *Node {
	w.T.Helper()
	return w.NewNodeOf(fulgurd, name, options...)
}

// NewNodeOf is a node of another program that has not been started.
func (w *World) NewNodeOf(p Program, name string, options ...string) *Node {
	w.T.Helper()
	n := &Node{World: w, T: w.T, program: p, Name: name, Dir: filepath.Join(w.Dir, name), Options: options}
	require.NoError(w.T, os.MkdirAll(n.Dir, 0o700))
	n.choosePorts()
	w.Nodes = append(w.Nodes, n)
	w.T.Cleanup(n.cleanup)
	return n
}

// FreeAddr is an address of this machine that nobody else of this run is given.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, err := btcdtest.FreeAddr()
	require.NoError(t, err)
	return addr
}

// Mine mines blocks and waits until every running node has seen them.
func (w *World) Mine(blocks int) {
	w.T.Helper()
	_, err := w.Chain.Generate(w.T.Context(), blocks)
	require.NoError(w.T, err)
	w.Synced()
}

// Synced waits until every running node is where the chain is.
func (w *World) Synced() {
	w.T.Helper()
	for _, n := range w.Nodes {
		if n.Up() {
			n.Synced()
		}
	}
}

// InMempool waits until the chain's node knows a transaction.
func (w *World) InMempool(txid chainhash.Hash) {
	w.T.Helper()
	Eventually(w.T, "transaction "+txid.String()+" in the mempool", func() bool {
		list, err := w.Chain.Mempool(w.T.Context())
		return err == nil && slices.Contains(list, txid)
	})
}

// Mempool waits until so many transactions wait for a block.
func (w *World) Mempool(atLeast int) []chainhash.Hash {
	w.T.Helper()
	var list []chainhash.Hash
	Eventually(w.T, fmt.Sprintf("%d transactions in the mempool", atLeast), func() bool {
		var err error
		list, err = w.Chain.Mempool(w.T.Context())
		return err == nil && len(list) >= atLeast
	})
	return list
}

// Waiting are the transactions that wait for a block, now.
func (w *World) Waiting() []chainhash.Hash {
	w.T.Helper()
	list, err := w.Chain.Mempool(w.T.Context())
	require.NoError(w.T, err)
	return list
}

// Soon bounds a call that must not hang.
func Soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// AtOnce: so long may an answer take that must wait for nothing, on a machine that is
// busy with other tests.
const AtOnce = 10 * time.Second

// Named is the node of that name.
func (w *World) Named(name string) *Node {
	w.T.Helper()
	for _, n := range w.Nodes {
		if n.Name == name {
			return n
		}
	}
	w.T.Fatalf("no node %s", name)
	return nil
}
