package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/cmd/fulgurd/internal/logs"
	"github.com/fulgur-ln/fulgur/cmd/internal/build"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/middleware"
	"github.com/fulgur-ln/fulgur/rpc/tlscert"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// freeFloor is how much room the disk must have for new work to be taken.
const freeFloor = 64 << 20

// daemon is everything that a run has opened.
type daemon struct {
	cfg        *config
	log        *slog.Logger
	levels     *logs.Levels
	file       *logs.File // of the log; nil: there is none
	net        *chaincfg.Params
	db         *channeldb.DB
	graph      *channeldb.GraphDB
	store      *macaroons.Store
	server     *rpc.Server
	served     bool // the server has been stopped
	vault      *vault
	middleware *middleware.Registry
	backend    chainntnfs.Backend
	node       *node.Node
	counted    atomic.Pointer[node.Node] // the same, once it runs, for other goroutines
	ready      atomic.Bool               // every method of the API works
	began      time.Time
	health     health
	stop       context.CancelCauseFunc
	closers    []func()
}

// errStopped is why a run ends when somebody asked for it.
var errStopped = errors.New("stopped on request")

// run is the daemon from its first to its last moment.
func run(ctx context.Context, args []string) error {
	cfg, err := loadConfig(args, os.Stdout)
	if err != nil {
		return err
	}
	log, levels, file, err := openLog(cfg, os.Stdout)
	if err != nil {
		return err
	}
	if file != nil {
		defer file.Close()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d := &daemon{cfg: cfg, log: log, levels: levels, file: file, began: time.Now(), stop: stop, net: networks[cfg.network]}
	log.Info("fulgurd starts", "version", build.Text(), "network", cfg.network, "directory", cfg.dir)
	for _, w := range cfg.warnings {
		log.Warn(w)
	}
	err = d.run(ctx)
	d.close()
	if err != nil && !errors.Is(err, errStopped) && !errors.Is(err, context.Canceled) {
		log.Error("fulgurd ends", "err", err)
		return err
	}
	log.Info("Shutdown complete")
	return nil
}

// run opens everything, then waits for the end.
func (d *daemon) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.openProfile, d.openStore, d.openServer, d.openHealth, d.openMetrics, d.openBackend, d.openNode,
	} {
		if err := step(ctx); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
	<-ctx.Done()
	d.log.Info("shutting down")
	d.tellSystemd("STOPPING=1")
	return context.Cause(ctx)
}

// later registers what close has to do, last first.
func (d *daemon) later(f func()) { d.closers = append(d.closers, f) }

func (d *daemon) close() {
	for i := len(d.closers) - 1; i >= 0; i-- {
		d.closers[i]()
	}
}

// openStore opens the databases. The money's own file is also the lock that keeps a
// second daemon out.
func (d *daemon) openStore(context.Context) (err error) {
	if err := refuseForeign(d.cfg); err != nil {
		return err
	}
	path, began := filepath.Join(d.cfg.moneyDir(), "fulgur.db"), time.Now()
	d.sub("CHDB").Info("opening the database; bringing it to a new schema, or making it smaller, can take minutes", "path", path)
	d.db, err = channeldb.Open(path, channeldb.Options{
		Genesis: *d.net.GenesisHash, FreeFloor: freeFloor,
		Fatal: func(err error) {
			// Nothing that is not durable may be acted on: the only way on is a restart.
			d.sub("CHDB").Error("cannot write, the process ends", "err", err)
			os.Exit(3)
		},
		OnLow: func(low bool) {
			if low {
				d.sub("CHDB").Error("the disk is nearly full: no new work is taken until there is room")
			}
		},
	})
	if err != nil {
		return err
	}
	d.sub("CHDB").Info("the database is open", "took", time.Since(began).Round(time.Millisecond))
	d.later(func() {
		if err := d.db.Close(); err != nil {
			d.log.Error("close database", "err", err)
		}
	})
	d.graph, err = channeldb.OpenGraph(filepath.Join(d.cfg.graphDir(), "fulgur-graph.db"), *d.net.GenesisHash)
	if err != nil {
		return err
	}
	d.later(func() {
		if err := d.graph.Close(); err != nil {
			d.log.Error("close graph", "err", err)
		}
	})
	d.store, err = macaroons.Open(filepath.Join(d.cfg.chainDir(), "fulgur-macaroons.db"), macaroons.Options{})
	if err != nil {
		return err
	}
	d.later(func() {
		if err := d.store.Close(); err != nil {
			d.log.Error("close macaroon store", "err", err)
		}
	})
	return nil
}

// openServer serves the API, as far as it can be used before there is a wallet, and
// waits until the wallet is open.
func (d *daemon) openServer(ctx context.Context) error {
	c := d.cfg
	cert, err := tlscert.Open(tlscert.Config{
		CertPath: c.TLSCert, KeyPath: c.TLSKey, Names: c.TLSExtraDomains, Log: d.sub("RPCS"),
		IPs: append(c.TLSExtraIPs, hosts(c.ExternalIP)...), NoAutofill: c.TLSNoAutofill, Refresh: c.TLSAutoRefresh, Validity: c.TLSDuration,
	})
	if err != nil {
		return err
	}
	bakery := macaroons.NewBakery(d.store)
	d.vault = newVault(d.db, d.store, bakery, c.macaroonFiles(), d.coin())
	d.middleware = middleware.New(middleware.Config{
		Enable: c.Middleware.Enable, Mandatory: c.Middleware.Mandatory, Timeout: c.Middleware.Timeout, Log: d.sub("RPCS"),
	})
	bakery.AcceptCustom(d.middleware.Handles)
	cfg := rpc.Config{
		Middleware: d.middleware,
		RPCListen:  c.RPCListeners, RESTListen: c.RESTListeners, Certificate: cert, CORS: c.RESTCORS,
		Reflection: c.Reflection, NoMacaroons: c.NoMacaroons, Macaroons: bakery, Log: d.sub("RPCS"), PingInterval: c.WSPing, PongWait: c.WSPong,
	}
	if cfg.PingInterval == 0 { // there, 0 is the default
		cfg.PingInterval = -1
	}
	if d.server, err = rpc.New(cfg); err != nil {
		return err
	}
	if err := d.provideUnlocker(); err != nil {
		return err
	}
	if err := d.server.Start(); err != nil {
		return err
	}
	d.later(d.stopServer)
	// As with lnd, started means that it answers: the wallet may need a person to open it.
	d.tellSystemd("READY=1\nSTATUS=waiting for the wallet")
	return d.firstState()
}

// stopServer ends the API, once.
func (d *daemon) stopServer() {
	if d.served {
		return
	}
	d.served = true
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d.server.Stop(ctx)
}

// firstState says whether there is a wallet, and opens it if nobody has to be asked.
func (d *daemon) firstState() error {
	exists, err := d.vault.Exists()
	if err != nil {
		return err
	}
	state := lnrpc.WalletState_NON_EXISTING
	if exists {
		state = lnrpc.WalletState_LOCKED
	}
	if err := d.server.SetState(state); err != nil {
		return err
	}
	switch {
	case d.cfg.NoSeedBackup:
		return d.vault.noSeedBackup()
	case d.cfg.UnlockFile != "" && exists:
		password, err := os.ReadFile(expand(d.cfg.UnlockFile))
		if err != nil {
			return fmt.Errorf("--wallet-unlock-password-file: %w", err)
		}
		_, err = d.vault.Unlock(trimNewline(password), unlocker.Options{})
		return err
	}
	d.log.Info("waiting for the wallet to be created or unlocked (fulgur create, fulgur unlock)")
	return nil
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

// openNode makes the node of the opened wallet, starts it and gives it to the API.
func (d *daemon) openNode(ctx context.Context) error {
	var u unsealed
	select {
	case u = <-d.vault.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := d.server.SetState(lnrpc.WalletState_UNLOCKED); err != nil {
		return err
	}
	ring, err := keys.NewRing(u.seed.Entropy[:], d.coin())
	if err != nil {
		return err
	}
	if err := d.db.SetIdentity(ring.Node().ID()); err != nil {
		return err
	}
	cfg, err := d.nodeConfig(ctx, ring, u)
	if err != nil {
		return err
	}
	if d.node, err = node.New(cfg); err != nil {
		return err
	}
	if err := d.node.Start(ctx); err != nil {
		return err
	}
	d.counted.Store(d.node)
	d.later(d.node.Stop)
	d.later(d.stopServer) // before the node that it calls
	if err := d.provideServices(); err != nil {
		return err
	}
	if err := d.server.SetState(lnrpc.WalletState_RPC_ACTIVE); err != nil {
		return err
	}
	d.log.Info("node is up", "id", d.node.ID(), "peers", d.node.Listeners())
	d.restore(ctx, &u.backups)
	if err := d.followHosts(ctx, cfg.Addresses); err != nil {
		return err
	}
	for _, p := range d.cfg.AddPeers {
		if err := d.addPeer(ctx, p); err != nil {
			return err
		}
	}
	if err := d.server.SetState(lnrpc.WalletState_SERVER_ACTIVE); err != nil {
		return err
	}
	d.ready.Store(true)
	d.tellSystemd("STATUS=ready")
	debug.FreeOSMemory() // opening the wallet took some hundred MiB, on purpose
	return nil
}

// restore asks the channels of the backups back that came with the password.
func (d *daemon) restore(ctx context.Context, b *unlocker.Backups) {
	if b.None() {
		return
	}
	n, err := d.node.RestoreBackup(ctx, b.Multi, b.Singles)
	if err != nil {
		d.log.Error("not all channels of the backup are restored: try again with \"fulgur restorechanbackup\"", "err", err)
	}
	if n == 0 && err != nil {
		return
	}
	d.log.Info("channels are restored from a backup: their peers are asked to close them", "channels", n)
}

// coin is the coin type of the network's node keys.
func (d *daemon) coin() keys.Coin {
	if d.cfg.network == "mainnet" {
		return keys.CoinMainnet
	}
	return keys.CoinTest
}

// addPeer keeps a connection to pubkey@host:port.
func (d *daemon) addPeer(ctx context.Context, text string) error {
	id, addr, err := splitPeer(text)
	if err == nil {
		err = d.node.ConnectPeer(ctx, id, addr, true, 0)
	}
	if err != nil {
		return fmt.Errorf("--addpeer=%s: %w", text, err)
	}
	return nil
}

// splitPeer reads pubkey@host[:port].
func splitPeer(text string) (id lnwire.PubKey, addr string, err error) {
	key, addr, ok := strings.Cut(text, "@")
	if !ok {
		return id, "", errors.New("want pubkey@host:port")
	}
	id, err = lnwire.ParsePubKey(key)
	return id, addr, err
}

// nodeConfig is what the options mean to the node.
func (d *daemon) nodeConfig(ctx context.Context, ring *keys.Ring, u unsealed) (node.Config, error) {
	c := d.cfg
	color, err := parseColor(c.Color)
	if err != nil {
		return node.Config{}, err
	}
	id := ring.Node().ID()
	alias := c.Alias
	if alias == "" {
		alias = id.String()[:20]
	}
	name, err := lnwire.NewAlias(alias)
	if err != nil {
		return node.Config{}, fmt.Errorf("--alias: %w", err)
	}
	cfg := node.Config{
		Net: d.net, Ring: ring, DB: d.db, GraphDB: d.graph, Backend: d.backend, Log: d.sub("SRVR"), Backups: backupFile{c.BackupFile},
		Alias: name, Color: color, Window: u.window, Birthday: u.seed.Born(), RejectForwards: c.RejectHTLC,
		RequireInterceptor: c.RequireInterceptor,
		TrickleDelay:       time.Duration(c.TrickleDelay) * time.Millisecond,
		PlainGossip:        c.Protocol.NoQueriesEx, NoStorage: c.Protocol.NoStorage, NoAttribution: c.Protocol.NoAttribution,
		NoBlinding: c.Protocol.NoBlinding, NoMessages: c.Protocol.NoMessages,
		NoAccountable: c.Protocol.NoAccountable, AssumeValid: c.Routing.AssumeValid,
		AcceptKeysend: c.AcceptKeysend, StoreResolutions: c.StoreResolutions, DisableAfter: c.ChanDisableTimeout, EnableAfter: c.ChanEnableTimeout,
		AcceptorPatience: c.AcceptorTimeout,
		Policy:           c.policies(), Dial: c.dialer(), Seeds: c.seeds(),
	}
	cfg.Hodl = node.Hodl(c.Hodl)
	cfg.PeerDelay.Min, cfg.PeerDelay.Max = c.MinBackoff, c.MaxBackoff
	cfg.DialTime = c.ConnTimeout
	if c.Tor.Active && c.ConnTimeout == 0 {
		cfg.DialTime = 2 * time.Minute // circuits to onion services take their time
	}
	for _, text := range c.ExternalIP {
		a, err := externalAddress(text)
		if err != nil {
			return node.Config{}, fmt.Errorf("--externalip=%s: %w", text, err)
		}
		cfg.Addresses = append(cfg.Addresses, a)
	}
	for _, addr := range c.Listeners {
		l, err := net.Listen("tcp", withPort(addr, "9735"))
		if err != nil {
			return node.Config{}, fmt.Errorf("--listen=%s: %w", addr, err)
		}
		cfg.Listeners = append(cfg.Listeners, l)
	}
	if c.Tor.V3 {
		a, err := d.onion(ctx, cfg.Listeners[0].Addr())
		if err != nil {
			return node.Config{}, err
		}
		cfg.Addresses = append(cfg.Addresses, a)
	}
	return cfg, nil
}

// policies are the operator's terms for channels.
func (c *config) policies() node.Policies {
	p := node.Policies{
		Forward: channel.Policy{
			FeeBase: c.Bitcoin.BaseFee, FeePPM: c.Bitcoin.FeeRate, CLTVDelta: c.Bitcoin.TimeLockDelta,
			HTLCMinimum: lnwire.MilliSat(c.Bitcoin.MinHTLCOut),
		},
		MinCapacity: lnwire.Sat(c.MinChanSize), MaxCapacity: lnwire.Sat(c.MaxChanSize),
		MaxPending: c.MaxPendingChannels, Confs: uint32(c.Bitcoin.Confs), RemoteDelay: uint16(c.Bitcoin.RemoteDelay),
		MinHTLC: lnwire.MilliSat(c.Bitcoin.MinHTLC), NoAnchors: c.Protocol.NoAnchors,
		MaxAnchor:  lnwire.SatPerKW(c.MaxCommitFeeRate * 250),
		StaticOnly: c.Dev.TestProfile != "" && !c.Protocol.Anchors,
		ZeroConf:   c.Protocol.ZeroConf,
	}
	p.Trusted, _ = c.trusted() // it was checked with the other options
	p.Upfront, _ = c.upfrontScript()
	if c.Dev.TestProfile != "" {
		p.ReportDepth = 1
	}
	if p.MaxCapacity == 0 {
		p.MaxCapacity = node.MaxSmallChannel
		if c.Protocol.Wumbo {
			p.MaxCapacity = 10 * 100_000_000
		}
	}
	return p
}

// withPort adds a port to an address that has none.
func withPort(addr, port string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	if _, err := strconv.Atoi(addr); err == nil {
		return net.JoinHostPort("", addr)
	}
	return net.JoinHostPort(addr, port)
}

// hosts are the addresses without their ports.
func hosts(addrs []string) (out []string) {
	for _, a := range addrs {
		if host, _, err := net.SplitHostPort(a); err == nil {
			a = host
		}
		if net.ParseIP(a) != nil {
			out = append(out, a)
		}
	}
	return out
}

// networks are the networks by the names of their flags.
var networks = map[string]*chaincfg.Params{
	"mainnet": &chaincfg.MainNetParams, "testnet": &chaincfg.TestNet3Params, "testnet4": &chaincfg.TestNet4Params,
	"signet": &chaincfg.SigNetParams, "simnet": &chaincfg.SimNetParams, "regtest": &chaincfg.RegressionNetParams,
}
