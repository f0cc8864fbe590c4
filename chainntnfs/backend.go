package chainntnfs

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var (
	// ErrUnavailable says that the backend is away. It is told at once while
	// the backend is known to be down, and within the call's time limit
	// otherwise; the backend reconnects by itself.
	ErrUnavailable = errors.New("chain backend is unavailable")
	// ErrWrongNetwork says that the backend follows another chain than ours.
	ErrWrongNetwork = errors.New("chain backend is on another network")
	// ErrNoBlock says that the backend has no block of that height or hash.
	ErrNoBlock = errors.New("no such block")
	// ErrNoOutput says that the chain has no such unspent output: it was spent
	// in a block, or never was in one.
	ErrNoOutput = errors.New("no such unspent output in the chain")
)

// Source is the part of a Backend that following the chain needs.
type Source interface {
	// Tip is the best block.
	Tip(context.Context) (lnwire.BlockRef, error)
	// BlockHash is the main chain's block at a height; ErrNoBlock above the tip.
	BlockHash(context.Context, lnwire.Height) (chainhash.Hash, error)
	// Header also knows blocks that left the main chain, as far as the backend
	// keeps them; else ErrNoBlock.
	Header(context.Context, chainhash.Hash) (*wire.BlockHeader, error)
	// Block also knows blocks that left the main chain, as Header does. The
	// block is shared: it must not be changed.
	Block(context.Context, chainhash.Hash) (*wire.MsgBlock, error)
}

// Backend is a Bitcoin node that we trust with the chain. All methods may be
// called from several goroutines. Every call has a time limit of its own
// besides its context's, and fails with ErrUnavailable while the backend is
// away.
type Backend interface {
	Source
	FeeSource

	// Start connects and keeps connected. It fails only for what waiting does
	// not mend: bad options, refused credentials, another network. A backend
	// that is merely away is told by State.
	Start(context.Context) error
	// Stop ends every goroutine and every call in flight.
	Stop()
	// State is the present state, and a channel that is closed when it changes.
	State() (State, <-chan struct{})

	// TxOut is an unspent output of the chain; mempools do not count. Else
	// ErrNoOutput.
	TxOut(context.Context, wire.OutPoint) (TxOut, error)
	// Txid is the transaction at an index of the main chain's block at a
	// height; ErrNoBlock above the tip, ErrNoOutput beyond the block's last.
	Txid(context.Context, lnwire.Height, uint32) (chainhash.Hash, error)
	// Publish hands a transaction to the network. A transaction that is known
	// already, in the mempool or in a block, is a success. A refusal is a
	// *RejectError.
	Publish(context.Context, *wire.MsgTx) error

	// WatchMempool adds to what Unmined reports.
	WatchMempool(MempoolFilter)
	// UnwatchMempool takes it away again.
	UnwatchMempool(MempoolFilter)
	// Unmined delivers unconfirmed transactions that touch what is watched: as
	// well as the backend can, some may be missed and some told twice.
	Unmined() <-chan *wire.MsgTx
}

// MempoolFilter names outputs whose spending, and scripts whose being paid,
// is of interest before any block.
type MempoolFilter struct {
	Outpoints []wire.OutPoint
	Scripts   [][]byte
}

// TxOut is an unspent output of the chain.
type TxOut struct {
	Value         lnwire.Sat
	PkScript      []byte
	Height        lnwire.Height // of the block that holds it
	Confirmations uint32        // at least 1
	Coinbase      bool          // spendable only 100 blocks deep
}

// State is what is known of the backend itself.
type State struct {
	Up      bool
	Why     error           // why it is down, nil while up
	Tip     lnwire.BlockRef // last known best block
	TipTime time.Time       // what its header says
	Stale   string          // not empty: why the tip may not be the network's (V-27)
}

// FundingOutput finds the output that a short channel id names, for the proof
// that a channel is funded: its outpoint and, while unspent, what it holds.
func FundingOutput(ctx context.Context, b Backend, scid lnwire.ShortChannelID) (wire.OutPoint, TxOut, error) {
	txid, err := b.Txid(ctx, scid.Block(), scid.TxIndex())
	if err != nil {
		return wire.OutPoint{}, TxOut{}, err
	}
	op := wire.OutPoint{Hash: txid, Index: uint32(scid.Output())}
	out, err := b.TxOut(ctx, op)
	if err == nil && out.Height != scid.Block() {
		err = ErrNoOutput // a reorg between the two questions
	}
	return op, out, err
}
