package gossip

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Config is what a Machine is made of. Zero limits take the defaults told here.
type Config struct {
	Chain chainhash.Hash // genesis
	Self  lnwire.PubKey

	Trickle      time.Duration // between batches of relayed gossip (60 s)
	DisableAfter time.Duration // a channel of ours is down, until it is told as disabled (20 min)
	EnableAfter  time.Duration // it is up again, until it is told as enabled (at once)
	// Floor is the highest timestamp that an update of ours may have had in an earlier
	// run, whose rows may be lost: a clock that goes wrong does not bring it back.
	Floor  uint32
	Active int // peers that relay to us and are synchronised with (3)

	// Plain: the extended queries (gossip_queries_ex) are neither asked nor answered.
	Plain bool
	// AssumeValid: the chain is not asked for the funding of what is announced. What
	// is learned so has neither outpoint nor capacity, and is never seen to be spent.
	AssumeValid bool

	Limits Limits
}

// Limits bound what others can make us hold or do.
type Limits struct {
	Inbox       int           // bytes of unchecked messages of one peer (1 MiB)
	Inboxes     int           // of all peers, but that each may have 64 KiB (16 MiB)
	InFlight    int           // checks and look-ups under way, of all peers (256)
	WaitingRoom int           // bytes of messages that came too early, of all peers (4 MiB)
	RelayLog    int           // bytes of messages that wait to be passed on (8 MiB)
	QueryIDs    int           // ids that one query_channel_range may bring (100,000)
	Dead        int           // forgotten ids that are remembered (200,000)
	SendRate    int           // bytes per second of answers and backlog to one peer (1 MiB)
	Streams     int           // answers and backlogs under way, of all peers (16)
	Queries     int           // queries of one peer per minute (300; a burst of as many)
	Burst       int           // updates of one channel direction, or of one node, in a burst (10)
	Interval    time.Duration // of those updates beyond the burst (1 min)
}

func or[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

func (c *Config) fill() {
	or(&c.Trickle, time.Minute)
	or(&c.DisableAfter, 20*time.Minute)
	or(&c.Active, 3)
	l := &c.Limits
	or(&l.Inbox, 1<<20)
	or(&l.Inboxes, 16<<20)
	or(&l.InFlight, 256)
	or(&l.WaitingRoom, 4<<20)
	or(&l.RelayLog, 8<<20)
	or(&l.QueryIDs, 100_000)
	or(&l.Dead, 200_000)
	or(&l.SendRate, 1<<20)
	or(&l.Streams, 16)
	or(&l.Queries, 300)
	or(&l.Burst, 10)
	or(&l.Interval, time.Minute)
}

// What BOLT 7 and its users agree upon.
const (
	// minConfs is the depth from which a channel is announced.
	minConfs = 6
	// soonBlocks is how far below its depth an announcement is kept waiting.
	soonBlocks = 12
	// spentGrace is how long a spent channel is kept, for it may be a splice.
	spentGrace = 72
	// stale is the age at which an update has no worth.
	stale = 14 * 24 * time.Hour
	// future is how far ahead of our clock a timestamp may be.
	future = 24 * time.Hour
	// keepAlive is the least time between updates that say the same.
	keepAlive = 24 * time.Hour
	// refresh is the age at which our own update is made again.
	refresh = 13 * 24 * time.Hour
	// silent is how long a channel is kept of which no end has told anything.
	silent = 24 * time.Hour
)
