package channel

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Effects is what one turn wants from the world. Delta goes to the writer. What
// is marked "inside" is delivered at once: its consequences are queued behind
// Delta. What "leaves" waits until Delta is durable, and then goes in order.
type Effects struct {
	Delta Delta

	// LockedIn are incoming HTLCs, irrevocably committed, for the switch (inside).
	// After Resumed their Opened is zero: peel Onion again.
	LockedIn []htlc.Locked
	// Outcomes of outgoing HTLCs, for the switch (inside). Each is also a row of
	// Delta.OutboxPut.
	Outcomes []htlc.Outcome
	// Refused are adds that could not be taken, or that were undone before any
	// signature: the switch decides anew (inside).
	Refused []htlc.Refusal
	// Ask are questions, answered by Answered (inside).
	Ask []Ask
	// Watch are transactions and outputs to follow in the chain (inside).
	Watch []Watch
	// Claims are outputs in the chain to be brought home, new or with new facts
	// (inside). After Resumed all of them come again.
	Claims []onchain.Claim
	// Anchors are ours of commitments that wait to be mined, whose fee can be raised by
	// spending them, new or with new facts (inside: the commitment may leave later). After
	// Resumed they come again. They are done with when their commitment is mined.
	Anchors []Anchor
	// Unlift are anchors whose commitment will not be mined, named before or not; they
	// precede Anchors (inside).
	Unlift []wire.OutPoint
	// Lifted are commitments whose anchors were named before and that are in a block now
	// (inside).
	Lifted []Lifted
	// Unclaim are outputs in the chain that Claims named before and that a reorg took
	// away; they precede Claims (inside).
	Unclaim []wire.OutPoint
	// Taken are transactions in the chain that spend what Claims named, ours or somebody
	// else's; they follow Claims (inside).
	Taken []Mined
	// Load are the numbers of revoked states to fetch from the store (inside).
	Load []uint64
	// Wake is the monotonic time at which the machine wants a Tick; 0: none.
	Wake time.Duration
	// Over: the machine is at its end, with or without rows to forget: drop it and
	// every index to it (inside). Nothing more comes from it.
	Over bool
	// Link is what the switch and the API need to know, when it changed (inside).
	Link *LinkState

	// Send are messages for this channel's peer: indivisible groups, in order (leaves).
	Send [][]lnwire.Message
	// Publish are complete transactions (leaves).
	Publish []*wire.MsgTx
	// Outdone are transactions in the chain that spend what Publish may have named others
	// for, now or long ago: those can never be mined (leaves, after Publish). They come
	// again after Resumed.
	Outdone []Mined
	// Unfund is a funding transaction that will never be published: its coins are
	// free again (leaves).
	Unfund *wire.MsgTx
	// Announce is a channel_announcement with all four signatures, for gossip (leaves).
	Announce *lnwire.ChannelAnnouncement
	// Tell is for subscribers and the log (leaves).
	Tell []Notice
	// Disconnect asks to drop the connection after Send was written (leaves).
	Disconnect bool
}

// Finish is the end of an incoming HTLC: both sides are rid of it, or its output is spent.
type Finish struct {
	Ref     htlc.Ref
	Settled bool // we have got its amount
	OnChain bool
}

// Watch asks the chain follower for events. With an OutPoint: Spent when the
// output is spent. With a Txid: Confirmed when the transaction is in a block, and
// Unconfirmed when it leaves the chain. It stays until the channel is forgotten
// and may be asked again.
type Watch struct {
	Txid     *chainhash.Hash
	OutPoint *wire.OutPoint
	Script   []byte // of the output, for filters
	// From is the lowest height at which it may be found.
	From lnwire.Height
}

// Append adds the effects of a later step of the same turn.
func (fx *Effects) Append(more Effects) {
	// A pure read of the chain or of time has no rows and keeps a delta lazy.
	quiet := fx.Delta.Empty() || more.Delta.Empty() || fx.Delta.Lazy && more.Delta.Lazy
	lazy := quiet && (fx.Delta.Lazy || more.Delta.Lazy)
	fx.Delta.Append(more.Delta)
	fx.LockedIn = append(fx.LockedIn, more.LockedIn...)
	fx.Outcomes = append(fx.Outcomes, more.Outcomes...)
	fx.Refused = append(fx.Refused, more.Refused...)
	fx.Ask = append(fx.Ask, more.Ask...)
	fx.Watch = append(fx.Watch, more.Watch...)
	fx.Claims = slices.DeleteFunc(fx.Claims, func(c onchain.Claim) bool { return slices.Contains(more.Unclaim, c.OutPoint) })
	fx.Claims = append(fx.Claims, more.Claims...)
	fx.Anchors = slices.DeleteFunc(fx.Anchors, func(a Anchor) bool { return slices.Contains(more.Unlift, a.OutPoint) })
	fx.Anchors = append(fx.Anchors, more.Anchors...)
	fx.Unlift = append(fx.Unlift, more.Unlift...)
	// What is named again after it was lifted or taken was given back by a reorg.
	fx.Lifted = slices.DeleteFunc(fx.Lifted, func(l Lifted) bool {
		return slices.ContainsFunc(more.Anchors, func(a Anchor) bool { return a.OutPoint.Hash == l.Txid })
	})
	fx.Lifted = append(fx.Lifted, more.Lifted...)
	fx.Taken = slices.DeleteFunc(fx.Taken, func(m Mined) bool {
		return slices.ContainsFunc(more.Claims, func(c onchain.Claim) bool { return spends(m.Tx, c.OutPoint) })
	})
	fx.Taken = append(fx.Taken, more.Taken...)
	fx.Unclaim = append(fx.Unclaim, more.Unclaim...)
	fx.Load = append(fx.Load, more.Load...)
	if more.Wake != 0 {
		fx.Wake = more.Wake
	}
	fx.Over = fx.Over || more.Over
	if more.Link != nil {
		fx.Link = more.Link
	}
	fx.Send = append(fx.Send, more.Send...)
	fx.Publish = append(fx.Publish, more.Publish...)
	fx.Outdone = slices.DeleteFunc(fx.Outdone, func(m Mined) bool { // likewise
		return slices.ContainsFunc(more.Publish, func(tx *wire.MsgTx) bool {
			return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return spends(m.Tx, in.PreviousOutPoint) })
		})
	})
	fx.Outdone = append(fx.Outdone, more.Outdone...)
	if more.Unfund != nil {
		fx.Unfund = more.Unfund
	}
	if more.Announce != nil {
		fx.Announce = more.Announce
	}
	fx.Tell = append(fx.Tell, more.Tell...)
	fx.Disconnect = fx.Disconnect || more.Disconnect
	fx.Delta.Lazy = lazy && !fx.leaves()
}

// leaves reports that something waits for the delta to be durable.
func (fx *Effects) leaves() bool {
	return len(fx.Send) > 0 || len(fx.Publish) > 0 || len(fx.Outdone) > 0 || fx.Unfund != nil ||
		fx.Announce != nil || len(fx.Tell) > 0 || fx.Disconnect
}
