package interop

import (
	"context"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// Peer is a node as the scenarios see it, of whatever implementation: ours, lnd, LDK. One
// process at a time; its directory, keys and addresses outlive it.
//
// An error says that the node could not be asked or refused to try (with its words). What
// a call was about and did not succeed is a value: a payment that failed has a Payment.
// Calls may come from several goroutines at once, and while the node is down, which is an
// error. Amounts are millisatoshis where the name says so and satoshis else.
type Peer interface {
	Name() string    // in the story: "ours", "lnd", "bob"
	Version() string // program and version, for the table: "lnd 0.21.99-beta"
	ID() string      // the node's public key, 66 hex digits
	Addr() string    // host:port on which it listens for peers
	Offers(Ability) bool

	// Start starts the process, which knows everything that it knew before, and returns
	// when it answers and follows the chain. It does not wait for peers.
	Start(context.Context) error
	// Stop ends it: by the signal that an operator sends (it may tidy up), or as a power
	// cut would. It returns when the process is gone.
	Stop(ctx context.Context, kill bool) error

	// Connect returns when the node is connected; it may have been before. The address is
	// the other's, or a proxy's in front of it.
	Connect(ctx context.Context, id, addr string) error
	Disconnect(ctx context.Context, id string) error
	Connected(ctx context.Context, id string) (bool, error)

	Height(context.Context) (int32, error) // of the last block that it has dealt with
	Address(context.Context) (string, error)
	Wallet(context.Context) (Wallet, error)

	// Open sends the funding transaction and returns its output; the caller mines.
	Open(ctx context.Context, to string, o Opening) (point string, err error)
	// Channels are those whose funding transaction is known, until it is spent.
	Channels(context.Context) ([]Channel, error)
	// Owns is what the node has in all its channels to the millisatoshi, HTLCs not
	// counted, before the opener's costs of the commitment (see Channel.LocalMsat).
	Owns(context.Context) (msat int64, err error)
	// Close begins to close; a forced close has sent its commitment.
	Close(ctx context.Context, point string, force bool) error
	// Closing counts the channels whose close is not over: something of the node's own is
	// neither in its wallet nor given up.
	Closing(context.Context) (int, error)

	Invoice(ctx context.Context, msat int64, memo string) (Invoice, error)
	// Hold makes an invoice for a hash whose preimage the node does not know.
	Hold(ctx context.Context, msat int64, hash [32]byte) (Invoice, error)
	Settle(ctx context.Context, preimage [32]byte) error
	Cancel(ctx context.Context, hash [32]byte) error
	Received(ctx context.Context, hash [32]byte) (Receipt, error)

	// Pay pays and waits for the end.
	Pay(ctx context.Context, bolt11 string, o Paying) (Payment, error)
	// Keysend pays without an invoice and waits for the end.
	Keysend(ctx context.Context, to string, msat int64) (Payment, error)
	// Sent is what became of a payment, at any time later.
	Sent(ctx context.Context, hash [32]byte) (Payment, error)

	// SetPolicy changes what the node asks for forwarding out through one channel.
	SetPolicy(ctx context.Context, point string, p Policy) error
	// Edge is a channel as the node's graph has it; nil when it is not there.
	Edge(ctx context.Context, scid uint64) (*Edge, error)
	// Alias is the name under which a node is announced in the graph; empty when it is not.
	Alias(ctx context.Context, id string) (string, error)
}

// Implementation starts nodes of one program.
type Implementation struct {
	Name  string        // "lnd", "ldk"
	Types []ChannelType // with which the scenarios are played
	// Start gives a node that runs, in a fresh directory under the world's, and that ends
	// with the test. What it prints is shown when the test fails. It uses channels at 3
	// confirmations, and takes fee estimates from the world's fee server.
	Start func(w *rig.World, name string, s Setup) Peer
	// Parallel: the roles are played at the same time, each on a chain of its own.
	Parallel bool
}

// Setup is what a node is started with. The zero value is the usual.
type Setup struct {
	Type  ChannelType // of the channels that it offers and takes
	Delay int         // blocks that it asks the other to wait for its own after a forced close; 0: its own choice
	Trust []string    // ids of nodes from which it takes channels without confirmations
}

// Ability is what not every implementation can do. The scenarios that need one are
// counted as not offered where it is missing.
type Ability string

// The abilities.
const (
	Keysends     Ability = "keysend"       // sends payments without an invoice
	TakesKeysend Ability = "takes keysend" // and accepts them
	Splits       Ability = "splits"        // pays in parts over several channels
	Holds        Ability = "holds"         // hold invoices
	// Resumes: a payment gets its end although the node went down after it had told its peer
	// of the HTLC and before it had signed for it. lnd waits for ever.
	Resumes Ability = "resumes payments"
	// Follows: as the opener it looks at the estimates of fees again and again. lnd waits for
	// ten minutes and more, if it was not built with another timer (LND_FOLLOWS=1 says so).
	Follows Ability = "follows estimates of fees"
	// Whole: an invoice is settled in its books only if its HTLCs are. lnd, killed between the
	// two, takes its own HTLCs for replays at the next start and fails them: it loses them.
	Whole       Ability = "settles as a whole"
	Names       Ability = "names failures"                 // Payment.Failures is filled in
	Policies    Ability = "policies"                       // SetPolicy
	Limits      Ability = "policy limits"                  // of an HTLC's amount, in SetPolicy
	Graph       Ability = "graph"                          // Edge and Alias
	Announces   Ability = "announces"                      // its channels and itself
	Disables    Ability = "disables"                       // announces within seconds that a peer is away
	Forwards    Ability = "forwards"                       // for others
	Patient     Ability = "patient"                        // keeps a channel whose funding is unconfirmed again by a reorg
	Sweeps      Ability = "sweeps"                         // brings everything of a forced close into its wallet
	ZeroConf    Ability = "channels without confirmations" // Opening.ZeroConf, Setup.Trust
	Aliases     Ability = "short channel ids of its own"   // Opening.Alias
	Blinded     Ability = "blinded paths"                  // in invoices
	OnionMail   Ability = "onion messages"
	Offers12    Ability = "offers"
	SimpleClose Ability = "simple close"
	Quiesces    Ability = "quiescence"
)

// ChannelType as BOLT 2 names it.
type ChannelType string

// The channel types.
const (
	Anchors ChannelType = "anchors"
	Static  ChannelType = "static_remotekey"
)

// Wallet is what lies on the chain.
type Wallet struct {
	Confirmed int64
	Total     int64 // with what no block has yet
}

// Opening is a channel to open. The zero value of each field is the usual.
type Opening struct {
	Capacity int64
	Push     int64
	Type     ChannelType
	Private  bool
	ZeroConf bool
	Alias    bool // option_scid_alias in the channel type
}

// Channel is one channel from one end.
type Channel struct {
	Point    string // of the funding output, TXID:INDEX
	SCID     uint64 // 0 as long as it has none; of a channel without confirmations the alias
	Peer     string // id
	Type     ChannelType
	Opener   bool // this end opened it
	Private  bool
	Active   bool // payments can be sent through it now
	Capacity int64
	// What belongs to each end, HTLCs not counted. The opener's costs (the commitment's
	// fee, the anchors) are not taken off, so that without HTLCs the sum is the capacity.
	// A program that tells satoshis only may be off by one of them.
	LocalMsat, RemoteMsat int64
	HTLCs                 int // under way in it, either way
}

// Invoice is a BOLT 11 invoice.
type Invoice struct {
	Bolt11 string
	Hash   [32]byte
}

// State of an invoice or a payment.
type State string

// The states.
const (
	Unknown   State = "unknown"   // the node has no such payment or invoice
	Open      State = "open"      // an invoice nobody has paid
	Held      State = "held"      // all parts have come, and wait for Settle or Cancel
	Settled   State = "settled"   // an invoice that is paid
	Canceled  State = "canceled"  // an invoice that cannot be paid any more
	InFlight  State = "in flight" // a payment that has no end yet
	Succeeded State = "succeeded"
	Failed    State = "failed"
)

// Receipt is what became of an invoice.
type Receipt struct {
	State State
	Msat  int64 // received, when settled
	Parts int   // HTLCs that brought it
}

// Paying are the limits of a payment.
type Paying struct {
	Parts   int   // at most so many; 0: its own choice
	FeeMsat int64 // at most; 0: any
	PayMsat int64 // for an invoice without an amount
	MaxPart int64 // millisatoshis in one part, at most; 0: any
}

// Payment is what became of a payment.
type Payment struct {
	State    State
	Hash     [32]byte
	Preimage [32]byte // when it succeeded
	FeeMsat  int64
	Parts    int // HTLCs that brought it
	// Reason is why it failed, in the words of the program.
	Reason string
	// Failures are what nodes on the way said, by BOLT 4's names in lower case
	// ("temporary_channel_failure"), in the order of the attempts.
	Failures []string
}

// Policy is what a node asks for forwarding out through a channel.
type Policy struct {
	BaseMsat, PPM    int64
	Delta            uint32
	MinMsat, MaxMsat int64 // 0 in SetPolicy: as it is
	Disabled         bool  // told by Edge only
}

// Edge is an announced channel.
type Edge struct {
	Capacity int64
	Policies map[string]Policy // by id of the node whose policy it is; those that are known
}
