package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
)

// world is a private chain and the nodes of one test on it.
type world struct {
	t     testing.TB
	chain *btcdtest.Node
	dir   string
	fees  string // --fee.url, where the network has no rate of its own
	nodes []*node
}

// newWorld starts a chain on regtest.
func newWorld(t testing.TB) *world { return worldOn(t, &chaincfg.RegressionNetParams) }

// simnetWorld starts a chain on simnet, which btcd keeps when it is restarted.
func simnetWorld(t testing.TB) *world {
	w := worldOn(t, &chaincfg.SimNetParams)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `{"fee_by_block_target":{"1":20000,"2":20000,"6":10000,"144":5000},"min_relay_feerate":1000}`)
	}))
	t.Cleanup(s.Close)
	w.fees = s.URL
	return w
}

func worldOn(t testing.TB, params *chaincfg.Params) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.chain = w.btcd("btcd", params)
	require.NoError(t, w.chain.Miner().Mature(t.Context()))
	return w
}

// btcd starts a chain's node, which ends with the test.
func (w *world) btcd(name string, params *chaincfg.Params) *btcdtest.Node {
	w.t.Helper()
	bin, err := btcdtest.Find(w.t.Context(), "")
	require.NoError(w.t, err)
	b, err := btcdtest.Start(w.t.Context(), btcdtest.Config{Binary: bin, Dir: filepath.Join(w.dir, name), Params: params})
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(w.t, b.Stop(ctx))
	})
	return b
}

// network is what the daemon's options and directories call the network.
func (w *world) network() string { return w.chain.Params().Name }

// node starts a node and waits until it has seen the chain.
func (w *world) node(name string, options ...string) *node {
	w.t.Helper()
	n := w.newNode(name, append([]string{"--noseedbackup"}, options...)...)
	n.start()
	return n
}

// newNode is a node that has not been started.
func (w *world) newNode(name string, options ...string) *node {
	w.t.Helper()
	n := &node{w: w, t: w.t, name: name, dir: filepath.Join(w.dir, name), options: options}
	require.NoError(w.t, os.MkdirAll(n.dir, 0o700))
	n.choosePorts()
	w.nodes = append(w.nodes, n)
	w.t.Cleanup(n.cleanup)
	return n
}

// ports gives ports out that no other test of this process has, below those that the
// kernel gives to connections: a node that is down must find its port free again.
var ports struct {
	sync.Mutex
	given map[int]bool
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if ports.given[port] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		ports.given[port] = true
		return addr
	}
	t.Fatal("no free port")
	return ""
}

// mine mines blocks and waits until every running node has seen them.
func (w *world) mine(blocks int) {
	w.t.Helper()
	_, err := w.chain.Generate(w.t.Context(), blocks)
	require.NoError(w.t, err)
	w.synced()
}

// synced waits until every running node is where the chain is.
func (w *world) synced() {
	w.t.Helper()
	for _, n := range w.nodes {
		if n.up() {
			n.synced()
		}
	}
}

// inMempool waits until the chain's node knows a transaction.
func (w *world) inMempool(txid chainhash.Hash) {
	w.t.Helper()
	eventually(w.t, "transaction "+txid.String()+" in the mempool", func() bool {
		list, err := w.chain.Mempool(w.t.Context())
		return err == nil && slices.Contains(list, txid)
	})
}

// mempool waits until so many transactions wait for a block.
func (w *world) mempool(atLeast int) []chainhash.Hash {
	w.t.Helper()
	var list []chainhash.Hash
	eventually(w.t, fmt.Sprintf("%d transactions in the mempool", atLeast), func() bool {
		var err error
		list, err = w.chain.Mempool(w.t.Context())
		return err == nil && len(list) >= atLeast
	})
	return list
}

// soon bounds a call that must not hang.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// at once: so long may an answer take that must wait for nothing, on a machine that is
// busy with other tests.
const atOnce = 10 * time.Second
