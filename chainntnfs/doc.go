// Package chainntnfs is the node's view of the Bitcoin chain: blocks,
// confirmations, spends, reorgs, fee estimates and broadcast, whatever backend
// they come from.
//
// It owns the Backend interface and what stands on top of it: Walker, which
// yields the exact sequence of blocks that leave and join the chain from a
// cursor to the tip; Tracker, a pure index of what clients watch for; and
// Follower, which drives both for many clients with cursors of their own. It
// must never know Lightning: a client is a number, a watch is an outpoint, a
// txid or a script.
//
// Nothing here runs by itself: a Follower works when Advance is called and is for
// one goroutine. The node's chain goroutine looks like this:
//
//	f := chainntnfs.NewFollower(chainntnfs.NewCache(backend, 0))
//	f.Join(7, cursor, chainntnfs.Watch{Outpoint: funding, From: cursor.Height})
//	for {
//		_, changed := backend.State()
//		notices, more, err := f.Advance(ctx)
//		deliver(notices) // Confirmed, Spent, Unconfirmed, then Tip, per client
//		if !more {
//			wait(changed, newWatches)
//		}
//	}
//
// Events are facts about the chain at the time of the call and may be told again
// after a restart: clients take them as idempotent. A client that has been told
// Tip has been told everything in the chain up to that block.
package chainntnfs
