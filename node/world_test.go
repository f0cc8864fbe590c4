package node

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcd"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// patience is how long a test waits for what must come. It is a bound against
// hanging, no claim about speed.
const patience = 60 * time.Second

// chainOf starts a private btcd.
func chainOf(t testing.TB, args ...string) *btcdtest.Node {
	t.Helper()
	bin, err := btcdtest.Find(t.Context(), "")
	require.NoError(t, err)
	b, err := btcdtest.Start(t.Context(), btcdtest.Config{Binary: bin, Dir: t.TempDir(), Args: args})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Stop(context.Background())) })
	return b
}

// resident is a node in a test, which can be stopped and started again.
type resident struct {
	*Node
	t       testing.TB
	name    string
	dir     string
	chain   *btcdtest.Node
	addr    string
	db      *channeldb.DB
	graph   *channeldb.GraphDB
	back    *btcd.Backend
	keysend bool // it takes payments without an invoice
	mute    bool // it has no attribution data
	strict  bool // it forwards nothing without an interceptor
	curt    bool // it forwards nothing blinded and takes no onion messages
	// crashed is closed when the store has failed, as a test wanted it to.
	crashed chan struct{}
	// seeds is Config.Seeds of the next start.
	seeds func(context.Context) ([]Contact, error)
	// hodl is Config.Hodl of the next start.
	hodl Hodl
	// maxAnchor is Policies.MaxAnchor of the next start.
	maxAnchor lnwire.SatPerKW
	// file is Config.Backups.
	file *backupFile
}

func residentOf(t testing.TB, chain *btcdtest.Node, name string) *resident {
	t.Helper()
	r := &resident{t: t, name: name, dir: t.TempDir(), chain: chain, file: &backupFile{}}
	addr, err := btcdtest.FreeAddr()
	require.NoError(t, err)
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	r.addr = l.Addr().String()
	r.start(l)
	t.Cleanup(r.stop)
	return r
}

func (r *resident) start(l net.Listener) {
	t := r.t
	t.Helper()
	var seed [16]byte
	copy(seed[:], "seed of "+r.name+"........")
	ring, err := keys.NewRing(seed[:], keys.CoinTest)
	require.NoError(t, err)
	genesis := *chaincfg.RegressionNetParams.GenesisHash
	r.db, err = channeldb.Open(filepath.Join(r.dir, "fulgur.db"), channeldb.Options{Genesis: genesis, Fatal: func(err error) {
		if r.crashed == nil {
			panic(err)
		}
		close(r.crashed)
	}})
	require.NoError(t, err)
	r.graph, err = channeldb.OpenGraph(filepath.Join(r.dir, "graph.db"), genesis)
	require.NoError(t, err)
	user, pass := r.chain.Credentials()
	cert, err := btcd.ReadCert(r.chain.CertPath(), "")
	require.NoError(t, err)
	r.back, err = btcd.New(btcd.Config{
		Host: r.chain.RPCAddr(), User: user, Pass: pass, Cert: cert, Params: &chaincfg.RegressionNetParams,
	})
	require.NoError(t, err)
	require.NoError(t, r.back.Start(t.Context()))
	var out io.Writer = io.Discard
	if os.Getenv("FULGUR_TEST_LOG") != "" {
		out = os.Stderr
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", r.name)
	announced, err := lnwire.ParseAddress(r.addr, 0)
	require.NoError(t, err)
	r.Node, err = New(Config{
		Addresses: []lnwire.Address{announced}, AcceptKeysend: r.keysend, RequireInterceptor: r.strict, NoAttribution: r.mute, NoBlinding: r.curt, NoMessages: r.curt,
		Net: &chaincfg.RegressionNetParams, Ring: ring, DB: r.db, GraphDB: r.graph, Backend: r.back, Log: log,
		Backups:   r.file,
		Birthday:  time.Now(),
		Listeners: []net.Listener{l}, TrickleDelay: 50 * time.Millisecond,
		PeerDelay: struct{ Min, Max time.Duration }{20 * time.Millisecond, time.Second},
		Seeds:     r.seeds,
		Hodl:      r.hodl,
		Policy: Policies{
			Forward:     channel.Policy{FeeBase: 1000, FeePPM: 1, CLTVDelta: 80, HTLCMinimum: 1000},
			MinCapacity: 20_000, MaxCapacity: MaxSmallChannel, MaxPending: 3, MinHTLC: 1, MaxAnchor: r.maxAnchor,
		},
	})
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context()))
	r.until("synced", r.SyncedToChain)
}

func (r *resident) stop() {
	if r.Node == nil {
		return
	}
	r.Node.Stop()
	r.back.Stop()
	require.NoError(r.t, r.db.Close())
	require.NoError(r.t, r.graph.Close())
	r.Node = nil
}

// restart stops the node and starts it again on the same files and address.
func (r *resident) restart() {
	r.t.Helper()
	r.stop()
	l, err := net.Listen("tcp", r.addr)
	require.NoError(r.t, err)
	r.start(l)
}

// until waits until ok, by looking again whenever anything may have changed.
func (r *resident) until(what string, ok func() bool) {
	r.t.Helper()
	waitUntil(r.t, r.name+": "+what, ok)
}

func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 5*time.Millisecond, what)
}

// fund gives the node a confirmed coin.
func (r *resident) fund(amount lnwire.Sat) {
	t := r.t
	t.Helper()
	a, err := r.NewAddress(keys.P2WKH, false, false)
	require.NoError(t, err)
	miner := r.chain.Miner()
	require.NoError(t, miner.Mature(t.Context()))
	_, err = miner.Pay(t.Context(), wire.NewTxOut(int64(amount), a.PkScript))
	require.NoError(t, err)
	r.mine(1)
	r.until("coin", func() bool { b, _ := r.Balance(1); return b.Confirmed >= amount })
}

func (r *resident) mine(n int) {
	r.t.Helper()
	hashes, err := r.chain.Generate(r.t.Context(), n)
	require.NoError(r.t, err)
	r.until("synced", func() bool { return r.Tip().Hash == hashes[n-1] && r.SyncedToChain() })
}

// unconfirmed waits until btcd knows a transaction.
func (r *resident) unconfirmed(txid chainhash.Hash) {
	r.t.Helper()
	r.until("transaction in the mempool", func() bool {
		list, err := r.chain.Mempool(r.t.Context())
		return err == nil && slices.Contains(list, txid)
	})
}

func (r *resident) connect(to *resident) {
	r.t.Helper()
	require.NoError(r.t, r.ConnectPeer(r.t.Context(), to.ID(), to.addr, false, patience))
	to.until("connected", func() bool { return to.host.Conn(r.ID()) != nil })
}

// lineOf gives alice, bob and carol, each connected to the next, with coins to open channels.
func lineOf(t testing.TB) (chain *btcdtest.Node, alice, bob, carol *resident) {
	t.Helper()
	chain = chainOf(t)
	alice, bob, carol = residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	alice.fund(10_000_000)
	bob.fund(10_000_000)
	alice.connect(bob)
	bob.connect(carol)
	return chain, alice, bob, carol
}

// up: the channels with a peer can be used, as far as this end knows.
func (r *resident) up(with *resident) bool {
	all := r.channels.of(with.ID())
	for _, e := range all {
		if i, err := r.look(r.t.Context(), e); err != nil || !i.Active {
			return false
		}
	}
	return len(all) > 0
}

// joined waits until the channels of two nodes can be used at both ends. One that stayed
// may not know yet that the other went: what it says counts when that one is there again.
func joined(a, b *resident) {
	a.t.Helper()
	a.until("joined to "+b.name, func() bool { return a.up(b) && b.up(a) && a.up(b) })
}

// open opens a channel and mines until it is open on both sides.
func (r *resident) open(to *resident, capacity lnwire.Sat, push lnwire.MilliSat) wire.OutPoint {
	t := r.t
	t.Helper()
	r.until("synced", r.SyncedToChain)
	to.until("synced", to.SyncedToChain)
	updates, err := r.OpenChannel(t.Context(), OpenRequest{Peer: to.ID(), Capacity: capacity, Push: push})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		select {
		case u := <-updates:
			require.NoError(t, u.Err)
			if u.Pending {
				r.unconfirmed(u.Funding.Hash)
				r.mine(6)
				continue
			}
			require.True(t, u.Open)
			for _, n := range []*resident{r, to} {
				n.until("active", func() bool {
					i, err := n.Channel(ctx, u.Funding)
					return err == nil && i.Active
				})
			}
			return u.Funding
		case <-ctx.Done():
			t.Fatal("channel does not open")
		}
	}
}
