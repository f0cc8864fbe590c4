// Package chain is the services ChainNotifier and ChainKit: blocks, confirmations and
// spends as the node sees them.
//
// It owns the order of events in its streams, and when a transaction is as deep as was
// asked. It must never know where blocks come from; a Node does.
//
//	err := server.Provide(&chainrpc.ChainNotifier_ServiceDesc, chain.New(node))
//	err = server.Provide(&chainrpc.ChainKit_ServiceDesc, chain.NewKit(node))
package chain

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	Tip() lnwire.BlockRef
	BlockEvents() *node.Subscription[lnwire.BlockRef]
	// BlocksAfter are the blocks of the best chain behind a block, up to limit.
	BlocksAfter(ctx context.Context, at lnwire.BlockRef, limit int) ([]lnwire.BlockRef, error)
	// WatchChain tells each what happens to what is watched, until ctx ends or each fails.
	WatchChain(ctx context.Context, w chainntnfs.Watch, each func(chainntnfs.Event) error) error
	Blocks
}

// Blocks reads the chain. Its errors are chainntnfs.ErrNoBlock for what is not there.
type Blocks interface {
	Block(context.Context, chainhash.Hash) (*wire.MsgBlock, error)
	BlockHeader(context.Context, chainhash.Hash) (*wire.BlockHeader, error)
	BlockHash(context.Context, lnwire.Height) (chainhash.Hash, error)
	BestBlock(context.Context) (lnwire.BlockRef, error)
}

var _ Node = (*node.Node)(nil)

// Service is the service. Use New.
type Service struct {
	chainrpc.UnimplementedChainNotifierServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// page is how many blocks are looked up at a time.
const page = 500

// RegisterBlockEpochNtfn delivers blocks: the tip first, or all behind the block that
// the caller has seen.
func (s *Service) RegisterBlockEpochNtfn(req *chainrpc.BlockEpoch, out chainrpc.ChainNotifier_RegisterBlockEpochNtfnServer) error {
	if n := len(req.Hash); n != 0 && n != chainhash.HashSize {
		return translate.Invalid("hash", "want 32 bytes, got %d", n)
	}
	events := s.node.BlockEvents() // before the look, so that nothing falls between
	told, err := s.first(req, out)
	if err != nil {
		events.Cancel()
		return err
	}
	return translate.Follow(out.Context(), events, func(b lnwire.BlockRef) error {
		if told[b.Hash] { // it came while we looked
			delete(told, b.Hash)
			return nil
		}
		return out.Send(epoch(b))
	})
}

// first sends what comes before anything new, and returns those of the blocks that may
// come again as new ones.
func (s *Service) first(req *chainrpc.BlockEpoch, out chainrpc.ChainNotifier_RegisterBlockEpochNtfnServer) (map[chainhash.Hash]bool, error) {
	tip := s.node.Tip()
	told := map[chainhash.Hash]bool{}
	if len(req.Hash) == 0 {
		told[tip.Hash] = true
		return told, out.Send(epoch(tip))
	}
	at := lnwire.BlockRef{Height: lnwire.Height(req.Height), Hash: chainhash.Hash(req.Hash)}
	for {
		blocks, err := s.node.BlocksAfter(out.Context(), at, page)
		if err != nil {
			return nil, err
		}
		for _, b := range blocks {
			if err := out.Send(epoch(b)); err != nil {
				return nil, err
			}
			if at = b; b.Height >= tip.Height {
				told[b.Hash] = true
			}
		}
		if len(blocks) < page {
			return told, nil
		}
	}
}

func epoch(b lnwire.BlockRef) *chainrpc.BlockEpoch {
	return &chainrpc.BlockEpoch{Hash: b.Hash[:], Height: uint32(b.Height)}
}
