package lightning_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcd"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/chain"
	"github.com/fulgur-ln/fulgur/rpc/invoices"
	"github.com/fulgur-ln/fulgur/rpc/lightning"
	"github.com/fulgur-ln/fulgur/rpc/router"
	"github.com/fulgur-ln/fulgur/rpc/walletkit"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// patience bounds how long a test waits for what must come.
const patience = 60 * time.Second

// client is a node as its callers see it, over gRPC in memory.
type client struct {
	lnrpc.LightningClient
	router   routerrpc.RouterClient
	invoices invoicesrpc.InvoicesClient
	kit      walletrpc.WalletKitClient
	chain    chainrpc.ChainNotifierClient
	t        *testing.T
	btcd     *btcdtest.Node
	addr, id string
	stopped  chan struct{}
}

func chainOf(t *testing.T) *btcdtest.Node {
	bin, err := btcdtest.Find(t.Context(), "")
	require.NoError(t, err)
	b, err := btcdtest.Start(t.Context(), btcdtest.Config{Binary: bin, Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Stop(context.Background())) })
	return b
}

// clientOf runs a node with its services.
func clientOf(t *testing.T, b *btcdtest.Node, name string) *client {
	dir := t.TempDir()
	var seed [16]byte
	copy(seed[:], name+" of the API.....")
	ring, err := keys.NewRing(seed[:], keys.CoinTest)
	require.NoError(t, err)
	genesis := *chaincfg.RegressionNetParams.GenesisHash
	db, err := channeldb.Open(filepath.Join(dir, "fulgur.db"), channeldb.Options{Genesis: genesis, Fatal: func(err error) { panic(err) }})
	require.NoError(t, err)
	graph, err := channeldb.OpenGraph(filepath.Join(dir, "graph.db"), genesis)
	require.NoError(t, err)
	user, pass := b.Credentials()
	cert, err := btcd.ReadCert(b.CertPath(), "")
	require.NoError(t, err)
	back, err := btcd.New(btcd.Config{Host: b.RPCAddr(), User: user, Pass: pass, Cert: cert, Params: &chaincfg.RegressionNetParams})
	require.NoError(t, err)
	require.NoError(t, back.Start(t.Context()))
	addr, err := btcdtest.FreeAddr()
	require.NoError(t, err)
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	alias, err := lnwire.NewAlias(name)
	require.NoError(t, err)
	n, err := node.New(node.Config{
		Net: &chaincfg.RegressionNetParams, Ring: ring, DB: db, GraphDB: graph, Backend: back, Log: slog.New(slog.DiscardHandler),
		Listeners: []net.Listener{l}, TrickleDelay: 50 * time.Millisecond, Alias: alias,
		StoreResolutions: name != "alice",
		Policy: node.Policies{
			Forward:     channel.Policy{FeeBase: 1000, FeePPM: 1, CLTVDelta: 80, HTLCMinimum: 1000},
			MinCapacity: 20_000, MaxCapacity: node.MaxSmallChannel, MaxPending: 3, MinHTLC: 1,
		},
	})
	require.NoError(t, err)
	require.NoError(t, n.Start(t.Context()))
	c := &client{t: t, btcd: b, addr: l.Addr().String(), id: n.ID().String(), stopped: make(chan struct{})}
	server := grpc.NewServer()
	lnrpc.RegisterLightningServer(server, lightning.New(n, lightning.Config{
		Version: "0.21.0-beta", Stop: func() { close(c.stopped) },
	}))
	routerrpc.RegisterRouterServer(server, router.New(router.Of(n)))
	invoicesrpc.RegisterInvoicesServer(server, invoices.New(invoices.Of(n)))
	walletrpc.RegisterWalletKitServer(server, walletkit.New(n))
	chainrpc.RegisterChainNotifierServer(server, chain.New(n))
	pipe := bufconn.Listen(1 << 20)
	go server.Serve(pipe)
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))
	require.NoError(t, err)
	c.LightningClient, c.router, c.invoices = lnrpc.NewLightningClient(conn), routerrpc.NewRouterClient(conn), invoicesrpc.NewInvoicesClient(conn)
	c.kit, c.chain = walletrpc.NewWalletKitClient(conn), chainrpc.NewChainNotifierClient(conn)
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		n.Stop()
		back.Stop()
		require.NoError(t, db.Close())
		require.NoError(t, graph.Close())
	})
	c.synced()
	return c
}

func (c *client) synced() {
	c.t.Helper()
	c.until("synced", func() bool {
		info, err := c.GetInfo(c.t.Context(), &lnrpc.GetInfoRequest{})
		require.NoError(c.t, err)
		height, _, err := c.btcd.Tip(c.t.Context())
		require.NoError(c.t, err)
		return info.SyncedToChain && info.BlockHeight == uint32(height)
	})
}

func (c *client) until(what string, ok func() bool) {
	c.t.Helper()
	require.Eventually(c.t, ok, patience, 10*time.Millisecond, what)
}

func (c *client) mine(blocks int) {
	c.t.Helper()
	_, err := c.btcd.Generate(c.t.Context(), blocks)
	require.NoError(c.t, err)
	c.synced()
}
