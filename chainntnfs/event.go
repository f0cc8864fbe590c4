package chainntnfs

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Client is who watches: a number that the node chooses, such as a channel's.
type Client uint64

// Watch is what a client wants to be told. With Outpoint set, its spends; with
// Txid set, that transaction's confirmation; with neither, every transaction
// that pays PkScript, or with Spends every input that spends such an output.
//
// From is exact and inclusive: every block from that height on is looked at, the
// past ones at once. A client that asks anew after a restart sets it to the last
// Tip it has been told, or lower for what it had asked for only since.
type Watch struct {
	Outpoint wire.OutPoint
	Txid     chainhash.Hash
	PkScript []byte // beside Outpoint or Txid a hint for backends that filter by script
	From     lnwire.Height
	// Spends, with PkScript alone, asks for the inputs that show that they spend it, by the
	// key or the script that it is the hash of. Those of a taproot output do not.
	Spends bool
}

// Event is something a client is told. The set is closed.
type Event interface{ isEvent() }

// Confirmed says that a watched transaction, or one that pays a watched script,
// is in a block.
type Confirmed struct {
	Tx      *wire.MsgTx
	At      lnwire.BlockRef
	TxIndex uint32
}

// Spent says that a watched outpoint is spent in a block.
type Spent struct {
	Outpoint wire.OutPoint
	Tx       *wire.MsgTx
	Input    uint32 // of Tx
	At       lnwire.BlockRef
	TxIndex  uint32
}

// Unconfirmed takes back every Confirmed and Spent of a transaction at a block
// that has left the chain.
type Unconfirmed struct {
	Txid chainhash.Hash
	Was  lnwire.BlockRef
}

// Unmined says that an unconfirmed transaction confirms or spends what is
// watched. It may never be mined.
type Unmined struct {
	Tx *wire.MsgTx
}

// Tip says that the client has now been told everything up to this block, which
// is the best one.
type Tip struct {
	At lnwire.BlockRef
}

// Lost says that the backend does not know the blocks between Fork and the block
// that the client stood on: nothing that the client believes of blocks above
// Fork holds until it is told again. Fork is zero when not even a lower block of
// ours is known; watches then count from their From.
type Lost struct {
	Cursor lnwire.BlockRef
	Fork   lnwire.BlockRef
}

func (Confirmed) isEvent()   {}
func (Spent) isEvent()       {}
func (Unconfirmed) isEvent() {}
func (Unmined) isEvent()     {}
func (Tip) isEvent()         {}
func (Lost) isEvent()        {}

// Notice is an event for a client.
type Notice struct {
	Client Client
	Event  Event
}
