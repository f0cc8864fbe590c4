package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/chain"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
	walletsigner "github.com/fulgur-ln/fulgur/wallet/signer"
)

// formerPolicyGrace is how long a forward that pays what we asked for before is
// still carried: payers learn of a change by gossip.
const formerPolicyGrace = 10 * time.Minute

// Config is what a node is made of.
type Config struct {
	Net     *chaincfg.Params
	Ring    *keys.Ring
	DB      *channeldb.DB
	GraphDB *channeldb.GraphDB
	Backups BackupFile // of the static channel backup; nil: there is none
	Backend chainntnfs.Backend
	Log     *slog.Logger

	Alias     lnwire.Alias
	Color     lnwire.RGB
	Addresses []lnwire.Address // announced
	Listeners []net.Listener   // for peers; closed by Stop
	Policy    Policies
	PeerDelay struct{ Min, Max time.Duration } // between dials of a persistent peer
	Dial      peer.Dialer                      // reaches peers; nil is plain TCP
	DialTime  time.Duration                    // that one attempt may take; 0: 30 s
	// Seeds finds nodes for one that knows nobody; nil: none are looked for, here or in
	// the map.
	Seeds func(ctx context.Context) ([]Contact, error)

	TrickleDelay time.Duration // between batches of relayed gossip
	PlainGossip  bool          // no gossip_queries_ex
	NoStorage    bool          // keep no blobs for peers
	// NoAttribution neither makes nor passes on attribution data, NoAccountable no
	// accountability signal.
	NoAttribution bool
	NoBlinding    bool // carry no payments inside blinded paths
	NoMessages    bool // neither take nor send onion messages
	NoAccountable bool
	AssumeValid   bool          // take announced channels without asking the chain for them
	DisableAfter  time.Duration // a channel's peer is away, until it is announced as disabled
	EnableAfter   time.Duration // it is back, until it is announced as enabled
	Birthday      time.Time     // of the seed; the wallet's coins are looked for from there on. Zero: in the whole chain
	Window        uint32        // addresses looked for beyond the last used one; 0: the wallet's default

	// AcceptorPatience is how long a channel acceptor may think; 0: 15 s.
	AcceptorPatience time.Duration

	RejectForwards bool
	// RequireInterceptor forwards nothing without an interceptor.
	RequireInterceptor bool
	AcceptKeysend      bool // take payments that nobody made an invoice for
	StoreResolutions   bool // keep how every incoming HTLC ended

	Hodl Hodl // what is kept back, in test benches

	// Wire makes the connections; nil: real ones.
	Wire Wire
	// Go runs a task of the node, in another goroutine or later; nil: at once. With a Go
	// of its own somebody else decides the order of all that the node does.
	Go func(task func())
	// After calls ring when some time has gone by, unless it is stopped before; nil:
	// time.AfterFunc.
	After func(d time.Duration, ring func()) (stop func() bool)
	// Crypto makes what a channel signs, verifies and derives keys with; nil: all
	// processors are used.
	Crypto func(*keys.Ring) channel.Crypto
}

// Policies are the operator's terms for channels.
type Policies struct {
	Forward     channel.Policy // of new channels
	MinCapacity lnwire.Sat     // of channels that others open
	MaxCapacity lnwire.Sat     // of any channel
	MaxPending  int            // unconfirmed channels that a peer may have opened
	Confs       uint32         // before a channel that others opened is used; 0: by its capacity
	RemoteDelay uint16         // to_self_delay that we ask for; 0: by the capacity
	MinHTLC     lnwire.MilliSat
	NoAnchors   bool
	StaticOnly  bool // offer channels without anchors, accept both
	MaxAnchor   lnwire.SatPerKW
	ReportDepth uint32 // how deep a close is when it is reported; 0: by the capacity
	Upfront     []byte // upfront_shutdown_script of new channels; nil: none
	// ZeroConf offers channels that are used before their funding confirms. They are
	// accepted from the Trusted: a funder can take back what it has paid over such a
	// channel as long as the funding is not mined.
	ZeroConf bool
	Trusted  []lnwire.PubKey
}

// Node is a running node. Its exported methods are for the API; they may be called
// from any goroutine between Start and Stop.
type Node struct {
	cfg      Config
	log      *slog.Logger
	logs     loggers
	net      *chaincfg.Params
	ring     *keys.Ring
	key      *keys.Key // of the node's id
	id       lnwire.PubKey
	features lnwire.Features
	born     time.Time

	db          *channeldb.DB
	backend     chainntnfs.Backend
	pool        *pool
	did         signatures
	chanConfig  channel.Config
	channels    *channels
	chain       *chain.Driver
	publisher   *publisher
	host        Host
	purse       *purse
	board       switchboard
	invoices    *invoices
	payments    *payments
	budgets     budgets
	gossip      *gossiper
	messages    *messenger
	restored    restored
	opens       opens
	seen        atomic.Pointer[lnwire.BlockRef] // the last block that the wallet took in
	synced      atomic.Pointer[lnwire.BlockRef] // the same, when it was the tip
	searched    atomic.Pointer[lnwire.Height]   // from where on blocks are looked through in this run
	widens      atomic.Bool                     // old ones will be searched again with a longer window
	lost        atomic.Bool                     // the backend has forgotten blocks, and the operator knows
	top         atomic.Uint32                   // the highest block that this run has stood on
	imported    chan struct{}                   // wakes the search for what was imported
	closes      closes
	fees        feeTable
	nuisances   nuisances
	conduct     conduct
	storage     storage
	backups     *backups
	customs     customs
	acceptors   acceptors
	watchers    watchers
	signer      *walletsigner.Signer
	interceptor interceptor
	meters      Meters

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	life   sync.Mutex
	over   bool // nothing begins any more

	// What happens, for subscribers.
	Peers        Feed[PeerEvent]
	Channels     Feed[ChannelEvent]
	HTLCs        Feed[forward.Notice]
	Transactions Feed[wallet.TxRow]
	Blocks       Feed[lnwire.BlockRef]
	Backups      Feed[struct{}] // there is a new static channel backup
}

// PeerEvent says that a peer came or went.
type PeerEvent struct {
	Peer   lnwire.PubKey
	Online bool
}

// New makes a node. Nothing runs before Start.
func New(cfg Config) (*Node, error) {
	if err := checkAddresses(cfg.Addresses); err != nil {
		return nil, err
	}
	if cfg.Wire == nil {
		cfg.Wire = realWire
	}
	n := &Node{
		cfg: cfg, log: cfg.Log, logs: newLoggers(cfg.Log), net: cfg.Net, ring: cfg.Ring, key: cfg.Ring.Node(), born: time.Now(),
		db: cfg.DB, backend: cfg.Backend, channels: newChannels(),
	}
	n.id = n.key.ID()
	n.features = ourFeatures(&cfg.Policy)
	if !cfg.NoStorage {
		n.features = n.features.With(lnwire.ProvideStorageOptional)
	}
	if !cfg.PlainGossip {
		n.features = n.features.With(lnwire.GossipQueriesExOptional)
	}
	if cfg.NoBlinding {
		n.features = n.features.Without(lnwire.RouteBlindingOptional)
	}
	if cfg.NoMessages {
		n.features = n.features.Without(lnwire.OnionMessagesOptional)
	}
	if !cfg.NoAttribution {
		n.features = n.features.With(lnwire.AttributionDataOptional)
	}
	n.chanConfig = channel.Config{
		Chain: *cfg.Net.GenesisHash, NodeID: n.id, NodeKey: keys.KeyLoc{Family: keys.FamilyNode}, MaxAnchorRate: cfg.Policy.MaxAnchor,
		ReportDepth: cfg.Policy.ReportDepth, Attribution: !cfg.NoAttribution, NoAccountable: cfg.NoAccountable,
	}
	n.publisher = newPublisher(cfg.Backend, n.logs.wallet)
	n.meters.init()
	n.messages = newMessenger(n)
	n.purse, n.imported = newPurse(n), make(chan struct{}, 1)
	n.signer = walletsigner.New(cfg.Ring, n.purse, n.now)
	n.opens.waits = map[uint64]*opening{}
	n.watchers.list = map[chainntnfs.Client]*watcher{}
	n.opens.shims.byID = map[lnwire.ChannelID]*shim{}
	n.closes.waits = map[uint64][]chan CloseUpdate{}
	n.chain = chain.NewDriver(cfg.Backend, n.logs.chain, lnwire.BlockRef{Hash: *cfg.Net.GenesisHash})
	n.board.alarm = n.newAlarm(func() { n.toSwitch(nil, forward.Tick{}) })
	n.board.sw = forward.New(forward.Config{
		ExpiryGrace: forward.DefaultConfig.ExpiryGrace, MaxExpiry: forward.DefaultConfig.MaxExpiry,
		RejectForwards: cfg.RejectForwards, RejectBlinded: cfg.NoBlinding, RequireInterceptor: cfg.RequireInterceptor,
		InterceptFail: forward.DefaultConfig.InterceptFail, InterceptLeast: forward.DefaultConfig.InterceptLeast,
	})
	return n, nil
}

// Start loads every machine from the store, resumes it, follows the chain and opens
// the doors. It returns when the node answers peers; the chain may still be behind.
func (n *Node) Start(ctx context.Context) error {
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	n.pool = newPool()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"budgets", n.startBudgets}, // who gives back to them comes later
		{"wallet", n.startWallet},
		{"gossip", n.startGossip},
		{"invoices", n.startInvoices},
		{"messages", n.startMessages},
		{"host", n.startHost},
		{"storage", n.startStorage},
		{"conduct", n.startConduct},
		{"channels", n.loadChannels},
		{"payments", n.startPayments},
		{"resume", n.resume},
		{"chain", n.startChain},
		{"doors", n.openDoors},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("start %s: %w", step.name, err)
		}
		n.log.Debug("started", "part", step.name)
	}
	return nil
}

// Stop closes the doors and lets what runs come to its end. What was promised to
// anybody is durable. Nobody may call the node any more.
func (n *Node) Stop() {
	if n.cancel == nil {
		return
	}
	n.stopConduct()
	if n.host != nil {
		n.host.Close()
	}
	n.cancel()
	if n.gossip != nil {
		n.gossip.stop()
	}
	if n.payments != nil {
		n.payments.stop()
	}
	if n.invoices != nil {
		n.invoices.alarm.stop()
	}
	n.storage.stop()
	n.board.alarm.stop()
	n.purse.again.stop()
	for _, e := range n.channels.all() {
		e.alarm.stop()
		e.runner.Inbox.Close()
	}
	if err := n.db.Barrier(); err != nil {
		n.log.Error("the last writes failed", "err", err)
	}
	n.life.Lock()
	n.over = true
	n.life.Unlock()
	n.wg.Wait()
	n.pool.stop()
}

// spawn runs f in a goroutine that Stop waits for. When the node is over it does
// nothing: all inboxes are closed by then.
func (n *Node) spawn(f func()) {
	n.life.Lock()
	defer n.life.Unlock()
	switch {
	case n.over:
	case n.cfg.Go == nil:
		n.wg.Go(f)
	default:
		n.wg.Add(1)
		n.cfg.Go(func() { defer n.wg.Done(); f() })
	}
}

// write queues a batch; done, which may be nil, runs when it is durable, after those
// of all batches queued before it.
func (n *Node) write(b channeldb.Batch, done func()) {
	if done == nil {
		n.db.Queue(b, nil)
		return
	}
	n.db.Queue(b, func(channeldb.Receipt) { done() })
}

// pen writes in the course of a channel's turn, for the channel and for whatever its
// effects reach: the batches wait for the end of the turn, to be written together. A
// nil pen belongs to no turn.
type pen struct {
	due bool
	// laid are the channels into whose inboxes the turn has put something. The last one
	// takes its turn inside this one, before anything is written: a revocation and the
	// HTLC that it lets go on, or a fulfilled HTLC on both of its channels, are one write.
	laid  []*entry
	outer *pen // of the turn that this one is inside of
}

// writeWith is write by p.
func (n *Node) writeWith(p *pen, b channeldb.Batch, done func()) {
	if p == nil {
		n.write(b, done)
		return
	}
	var told func(channeldb.Receipt)
	if done != nil {
		told = func(channeldb.Receipt) { done() }
	}
	if n.db.Gather(b, told) {
		p.due = true
	}
}

// lay puts an event into a channel's inbox, for a turn that p's begins. A nil p begins it
// at once. It is false when there is no such channel.
func (n *Node) lay(p *pen, num uint64, ev channel.Event) bool {
	if p == nil {
		return n.put(num, ev)
	}
	e := n.channels.num(num)
	if e == nil {
		return false
	}
	e.runner.Inbox.Lay(turn.Item{Event: ev})
	if p != &e.pen && !slices.Contains(p.laid, e) { // its own turn looks again by itself
		p.laid = append(p.laid, e)
	}
	return true
}

// lift ends the turn: what it put into other inboxes is looked at, and what was written
// is for the disk. Turns go one inside the other only once: none waits for long.
func (n *Node) lift(p *pen) {
	for i, e := range p.laid {
		if i < len(p.laid)-1 || p.outer != nil {
			e.runner.Inbox.Start()
			continue
		}
		e.runner.Inbox.Here(func(take func()) {
			e.pen.outer = p
			take()
			e.pen.outer = nil
		})
	}
	clear(p.laid)
	p.laid = p.laid[:0]
	switch {
	case !p.due:
	case p.outer != nil:
		p.outer.due = true
	default:
		n.db.Wake()
	}
	p.due = false
}

func (n *Node) now() time.Time { return time.Now() }

// mono is the monotonic time since the node was made.
func (n *Node) mono() time.Duration { return time.Since(n.born) }

func (n *Node) startWallet() error {
	rows, err := n.db.Wallet()
	if err != nil {
		return err
	}
	window := n.cfg.Window
	if window == 0 {
		window = wallet.DefaultWindow
	}
	w, err := wallet.Load(wallet.NewConfig(n.net, n.ring, window), rows)
	if err != nil {
		return err
	}
	n.purse.wallet = w
	n.widens.Store(n.cfg.Window > 0 && w.Narrow())
	if at, ok := w.Tip(); ok {
		n.seen.Store(&at)
	}
	n.purse.sweeps = wallet.NewSweeper(w, n.ring)
	return nil
}

// startHost makes the host of the connections; nobody is let in before openDoors.
func (n *Node) startHost() (err error) {
	n.host, err = n.cfg.Wire(peer.Config{
		Key: n.key, Features: n.features, Networks: []chainhash.Hash{*n.net.GenesisHash}, Log: n.logs.peers, Admit: n.admit, Guest: n.isGuest,
		Dial: n.cfg.Dial, Limits: peer.Limits{Dial: n.cfg.DialTime, MinBackoff: n.cfg.PeerDelay.Min, MaxBackoff: n.cfg.PeerDelay.Max},
	}, sink{n})
	return err
}

// openDoors accepts peers and dials those that we have channels with.
func (n *Node) openDoors() error {
	for _, l := range n.cfg.Listeners {
		n.spawn(func() {
			if err := n.host.Serve(l); err != nil && n.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				n.logs.peers.Error("cannot accept peers any more", "listener", l.Addr(), "err", err)
			}
		})
	}
	if n.cfg.Seeds != nil {
		n.spawn(n.bootstrap)
	}
	return n.keepPeers()
}

// ourFeatures are what the node offers: each works against other implementations.
func ourFeatures(p *Policies) lnwire.Features {
	f := lnwire.NewFeatures(
		lnwire.DataLossProtectRequired, lnwire.UpfrontShutdownOptional, lnwire.GossipQueriesOptional,
		lnwire.VarOnionRequired, lnwire.StaticRemoteKeyRequired, lnwire.PaymentSecretRequired,
		lnwire.BasicMPPOptional, lnwire.ChannelTypeRequired, lnwire.ShutdownAnySegwitOptional,
		lnwire.RouteBlindingOptional, lnwire.OnionMessagesOptional,
		lnwire.ScidAliasOptional, lnwire.QuiesceOptional, lnwire.SimpleCloseOptional,
	)
	if !p.NoAnchors {
		f = f.With(lnwire.AnchorsOptional)
	}
	if p.ZeroConf {
		f = f.With(lnwire.ZeroConfOptional)
	}
	if p.MaxCapacity > MaxSmallChannel {
		f = f.With(lnwire.SupportLargeChannelOptional)
	}
	return f
}

// MaxSmallChannel is the largest channel without option_support_large_channel.
const MaxSmallChannel lnwire.Sat = 1<<24 - 1
