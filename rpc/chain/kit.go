package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Kit is the service ChainKit. Use NewKit.
type Kit struct {
	chainrpc.UnimplementedChainKitServer
	blocks Blocks
}

// NewKit makes the service.
func NewKit(b Blocks) *Kit { return &Kit{blocks: b} }

// Clients of lnd compare these texts.
var (
	errNoBlock  = mistake.Missing("-5: Block not found")
	errNoHeight = mistake.Missing("-1: Block number out of range")
)

// missing says in lnd's words that something is not there.
func missing(err, say error) error {
	if errors.Is(err, chainntnfs.ErrNoBlock) {
		return say
	}
	return err
}

func blockHash(b []byte) (chainhash.Hash, error) {
	return translate.Array[chainhash.Hash]("block_hash", b)
}

// GetBlock reads a block.
func (k *Kit) GetBlock(ctx context.Context, req *chainrpc.GetBlockRequest) (*chainrpc.GetBlockResponse, error) {
	hash, err := blockHash(req.BlockHash)
	if err != nil {
		return nil, err
	}
	block, err := k.blocks.Block(ctx, hash)
	if err != nil {
		return nil, missing(err, errNoBlock)
	}
	var b bytes.Buffer
	if err := block.Serialize(&b); err != nil {
		return nil, fmt.Errorf("write the block: %w", err)
	}
	return &chainrpc.GetBlockResponse{RawBlock: b.Bytes()}, nil
}

// GetBlockHeader reads a header.
func (k *Kit) GetBlockHeader(ctx context.Context, req *chainrpc.GetBlockHeaderRequest) (*chainrpc.GetBlockHeaderResponse, error) {
	hash, err := blockHash(req.BlockHash)
	if err != nil {
		return nil, err
	}
	header, err := k.blocks.BlockHeader(ctx, hash)
	if err != nil {
		return nil, missing(err, errNoBlock)
	}
	var b bytes.Buffer
	if err := header.Serialize(&b); err != nil {
		return nil, fmt.Errorf("write the header: %w", err)
	}
	return &chainrpc.GetBlockHeaderResponse{RawBlockHeader: b.Bytes()}, nil
}

// GetBestBlock is the tip.
func (k *Kit) GetBestBlock(ctx context.Context, _ *chainrpc.GetBestBlockRequest) (*chainrpc.GetBestBlockResponse, error) {
	tip, err := k.blocks.BestBlock(ctx)
	if err != nil {
		return nil, err
	}
	return &chainrpc.GetBestBlockResponse{BlockHash: tip.Hash[:], BlockHeight: int32(tip.Height)}, nil
}

// GetBlockHash is the block at a height.
func (k *Kit) GetBlockHash(ctx context.Context, req *chainrpc.GetBlockHashRequest) (*chainrpc.GetBlockHashResponse, error) {
	if req.BlockHeight < 0 || req.BlockHeight > math.MaxInt32 {
		return nil, errNoHeight
	}
	hash, err := k.blocks.BlockHash(ctx, lnwire.Height(req.BlockHeight))
	if err != nil {
		return nil, missing(err, errNoHeight)
	}
	return &chainrpc.GetBlockHashResponse{BlockHash: hash[:]}, nil
}
