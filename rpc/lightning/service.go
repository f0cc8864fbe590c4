package lightning

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	Self
	Coins
	Peers
	Channels
	Invoices
	Payments
	Graph
	Backups
	Fundings
	Acceptors
}

// Self is what the node tells of itself.
type Self interface {
	ID() lnwire.PubKey
	Net() *chaincfg.Params
	Features() lnwire.Features
	Self() (lnwire.Alias, lnwire.RGB, []lnwire.Address)
	Tip() lnwire.BlockRef
	Chain() chainntnfs.State
	SyncedToChain() bool
	SyncedToGraph() bool
	Born() time.Time
	Recovery() node.Recovery
	SignCompact(digest [32]byte) [65]byte
}

// Coins is the wallet.
type Coins interface {
	FindAccount(name string, kind keys.AccountKind) (wallet.AccountID, error)
	AccountAddress(id wallet.AccountID, change, unused bool) (wallet.Address, error)
	Accounts() []wallet.Account
	AccountNumber(name string) (uint32, error)
	AccountBalance(number, minConfs uint32) wallet.Balance
	TxsOf(number uint32, list []wallet.TxRow) []wallet.TxRow
	Balance(minConfs uint32) (wallet.Balance, lnwire.Sat)
	Unspent(minConfs, maxConfs uint32, numbers ...uint32) []wallet.Unspent
	SendCoins(node.SendRequest) (*wire.MsgTx, error)
	PlanSend(node.SendRequest) (*wallet.Funded, lnwire.SatPerKW, error)
	Txs(from, to lnwire.Height, unconfirmed bool) []wallet.TxRow
	OwnScript(script []byte) bool
	TransactionEvents() *node.Subscription[wallet.TxRow]
}

// Peers are the connections.
type Peers interface {
	ListPeers() []node.PeerInfo
	GossipSources(context.Context) ([]lnwire.PubKey, error)
	ConnectPeer(ctx context.Context, id lnwire.PubKey, addr string, keep bool, timeout time.Duration) error
	DisconnectPeer(id lnwire.PubKey) error
	PeerEvents() *node.Subscription[node.PeerEvent]
	SendCustomMessage(to lnwire.PubKey, m *lnwire.Unknown) error
	CustomMessages() *node.Subscription[node.CustomMessage]
	SendOnionMessage(to lnwire.PubKey, m *lnwire.OnionMessage) error
	OnionMessages() *node.Subscription[node.OnionMessage]
}

// Channels are our channels and what was forwarded over them.
type Channels interface {
	ListChannels(context.Context) ([]channel.Info, error)
	ListAliases() []node.Aliases
	Channel(context.Context, wire.OutPoint) (channel.Info, error)
	ClosedChannels(from uint64, limit int) ([]channel.ClosedRow, error)
	OpenChannel(context.Context, node.OpenRequest) (<-chan node.OpenUpdate, error)
	CloseChannel(context.Context, node.CloseRequest) (<-chan node.CloseUpdate, error)
	ChannelEvents() *node.Subscription[node.ChannelEvent]
	SetPolicy(context.Context, *wire.OutPoint, func(channel.LinkState) (channel.Policy, error)) ([]wire.OutPoint, error)
	Forwards(node.ForwardQuery) ([]node.Forward, error)
	ForwardFees(since time.Time) (lnwire.MilliSat, error)
	StoresResolutions() bool
	RequiresInterceptor() bool
	Resolution(scid lnwire.ShortChannelID, id uint64) (settled, onChain bool, err error)
}

// Invoices are what others shall pay.
type Invoices interface {
	AddInvoice(context.Context, invoice.Terms) (invoice.Invoice, error)
	AddBlindedInvoice(context.Context, invoice.Terms, node.BlindedConfig) (invoice.Invoice, error)
	Invoice(lnwire.Hash) (invoice.Invoice, error)
	InvoicesAdded(node.PageQuery) ([]*invoice.Invoice, error)
	InvoicesSettled(node.PageQuery) ([]*invoice.Invoice, error)
	InvoiceEvents() *node.Subscription[invoice.Notice]
	DeleteInvoice(context.Context, lnwire.Hash) error
}

// Payments are what we pay.
type Payments interface {
	Payments(node.PageQuery) ([]*node.Payment, error)
	CountPayments() (uint64, error)
	PaymentRow(lnwire.Hash) (*node.Payment, error)
	DeletePayments(...lnwire.Hash) error
	DeleteFailedAttempts(lnwire.Hash) error
	FindRoute(routing.Query) (routing.Route, error)
	Probability(routing.Route) float64
	Capacities() func(lnwire.ShortChannelID) lnwire.Sat
}

// Graph is the map of the network.
type Graph interface {
	Graph() *routing.Snapshot
	GraphChannel(context.Context, lnwire.ShortChannelID) (gossip.Channel, bool, error)
	GraphZombie(context.Context, lnwire.ShortChannelID) (bool, error)
	GraphChannelAt(context.Context, wire.OutPoint) (gossip.Channel, bool, error)
	GraphChannels(ctx context.Context, after lnwire.ShortChannelID, limit int) ([]gossip.Channel, error)
	GraphPrivate(context.Context) ([]gossip.Channel, error)
	GraphNode(context.Context, lnwire.PubKey) (*gossip.Node, []gossip.Channel, error)
	GraphNodes(ctx context.Context, after lnwire.PubKey, limit int) ([]*gossip.Node, error)
	GraphMessages([]gossip.Key) ([]lnwire.Message, error)
	GraphInfo(context.Context) (gossip.Info, error)
	GraphChanges() *node.Subscription[[]gossip.Change]
}

// Config is what the service knows besides.
type Config struct {
	// Version begins with lnd's number of the level of the interface.
	Version string
	Commit  string // 40 hex digits, or empty
	// Stop begins the shutdown and returns at once.
	Stop func()
	// Tokens makes and checks macaroons; nil: callers need none.
	Tokens Tokens
	// Middleware serves a program that wants to see calls, until it goes.
	Middleware func(lnrpc.Lightning_RegisterRPCMiddlewareServer) error
	// Permissions says which rights each method needs.
	Permissions map[string][]macaroons.Op
	// Levels changes what is logged, or with show only names the subsystems.
	Levels func(show bool, spec string) (string, error)
	// ChannelUpdates tells the subscribers of channels of new commitments. Clients that are older than this event
	// end the subscription at it.
	ChannelUpdates bool
	// Debug is the configuration without secrets and, if asked for, the end of the log.
	Debug func(log bool) (config map[string]string, lines []string, err error)
}

// Service is the service. Use New.
type Service struct {
	lnrpc.UnimplementedLightningServer
	node Node
	cfg  Config
}

// New makes the service of a node.
func New(n Node, cfg Config) *Service { return &Service{node: n, cfg: cfg} }

var _ Node = (*node.Node)(nil)
