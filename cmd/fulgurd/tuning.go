package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"
)

// tuningOptions are lnd's own knobs that mean nothing here. Each one that is set
// is named in a warning.
type tuningOptions struct {
	CommitInterval  time.Duration `long:"channel-commit-interval" description:"without effect: a commitment is signed as soon as it can be"`
	CommitBatch     int           `long:"channel-commit-batch-size" description:"without effect: everything that waits is signed at once"`
	PendingCommit   time.Duration `long:"pending-commit-interval" description:"without effect: a revocation is waited for by the protocol's own patience"`
	MailboxTimeout  time.Duration `long:"htlcswitch.mailboxdeliverytimeout" description:"without effect: there are no mailboxes"`
	SubBatchDelay   time.Duration `long:"gossip.sub-batch-delay" description:"without effect: batches are not cut"`
	GossipRate      uint64        `long:"gossip.msg-rate-bytes" description:"without effect: each peer has a budget of its own"`
	GossipBurst     uint64        `long:"gossip.msg-burst-bytes" description:"without effect: each peer has a budget of its own"`
	GossipPeerRate  uint64        `long:"gossip.peer-msg-rate-bytes" description:"without effect: each peer has a budget of its own"`
	GossipFilters   int           `long:"gossip.filter-concurrency" description:"without effect: backlogs have a bound of their own"`
	SyncPeers       int           `long:"numgraphsyncpeers" description:"without effect: how many peers are asked follows from what they have"`
	HistoricalSync  time.Duration `long:"historicalsyncinterval" description:"without effect: gaps are looked for all the time"`
	IgnoreFilters   bool          `long:"ignore-historical-gossip-filters" description:"without effect: backlogs have a bound of their own"`
	Stagger         bool          `long:"stagger-initial-reconnect" description:"without effect: dials are spread anyway"`
	BlockCache      uint64        `long:"blockcachesize" description:"without effect: a block is read once for everybody who needs it"`
	NoHeightHints   bool          `long:"height-hint-cache-query-disable" description:"without effect: everybody has a place of their own in the chain"`
	RPCGraphCache   time.Duration `long:"caches.rpc-graph-cache-duration" description:"without effect: the graph is in memory"`
	RejectCache     int           `long:"caches.reject-cache-size" description:"without effect: the graph is in memory"`
	ChannelCache    int           `long:"caches.channel-cache-size" description:"without effect: the graph is in memory"`
	WorkersRead     int           `long:"workers.read" description:"without effect: the work is spread over all processors"`
	WorkersWrite    int           `long:"workers.write" description:"without effect: the work is spread over all processors"`
	WorkersSig      int           `long:"workers.sig" description:"without effect: the work is spread over all processors"`
	StatusInterval  time.Duration `long:"chan-status-sample-interval" description:"without effect: links tell when they change"`
	SyncFreelist    bool          `long:"sync-freelist" description:"without effect: the database takes care of it"`
	Backend         string        `long:"db.backend" choice:"bolt" description:"without effect: the database is fulgur.db, a bolt file"`
	NoFreelistSync  bool          `long:"db.bolt.nofreelistsync" description:"without effect: the database takes care of it"`
	AutoCompact     bool          `long:"db.bolt.auto-compact" description:"without effect: the database is compacted at a start when more than half of it is free"`
	CompactAge      time.Duration `long:"db.bolt.auto-compact-min-age" description:"without effect: the database is compacted at a start when more than half of it is free"`
	DBTimeout       time.Duration `long:"db.bolt.dbtimeout" description:"without effect: a second daemon is refused at once"`
	NoGraphCache    bool          `long:"db.no-graph-cache" description:"without effect: the graph is in memory"`
	SyncGraphCache  bool          `long:"db.sync-graph-cache-load" description:"without effect: the graph is in memory"`
	PruneRevocation bool          `long:"db.prune-revocation" description:"without effect: old states are small from the start"`
	BatchInterval   time.Duration `long:"db.batch-commit-interval" description:"without effect: there is no timer on the write path"`
	DeleteBatch     int           `long:"fwd-history-delete-batch-size" description:"without effect: deletions are cut by time"`
	MCFlush         time.Duration `long:"routerrpc.mcflushinterval" description:"without effect: what was learned is written with the payment"`
}

// warn names the options that were set and have no effect here.
func (c *config) warn(parser *flags.Parser) {
	eachOption(parser, func(_ *flags.Group, o *flags.Option) {
		if o.IsSet() && !o.IsSetDefault() && strings.Contains(o.Description, "without effect") {
			c.warnings = append(c.warnings, fmt.Sprintf("--%s has no effect here", o.LongNameWithNamespace()))
		}
	})
}

// eachOption walks through all options, in the order of their declaration.
func eachOption(parser *flags.Parser, f func(*flags.Group, *flags.Option)) {
	var walk func(g *flags.Group)
	walk = func(g *flags.Group) {
		for _, o := range g.Options() {
			f(g, o)
		}
		for _, sub := range g.Groups() {
			walk(sub)
		}
	}
	walk(parser.Group)
}
