package node

import (
	"context"
	"errors"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// BlocksAfter are the blocks of the best chain behind a block, up to limit and up to
// the one that the node has taken in. Of a block that has left the chain it goes back
// to the last one that has not.
func (n *Node) BlocksAfter(ctx context.Context, at lnwire.BlockRef, limit int) ([]lnwire.BlockRef, error) {
	at, err := n.onChain(ctx, at)
	if err != nil {
		return nil, err
	}
	tip := n.tip()
	var out []lnwire.BlockRef
	for h := at.Height + 1; h <= tip.Height && len(out) < limit; h++ {
		hash, err := n.backend.BlockHash(ctx, h)
		if errors.Is(err, chainntnfs.ErrNoBlock) { // a reorganisation is under way
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, lnwire.BlockRef{Height: h, Hash: hash})
	}
	return out, nil
}

// onChain is the block, or its last ancestor that is in the best chain.
func (n *Node) onChain(ctx context.Context, at lnwire.BlockRef) (lnwire.BlockRef, error) {
	for {
		hash, err := n.backend.BlockHash(ctx, at.Height)
		switch {
		case err == nil && hash == at.Hash:
			return at, nil
		case err != nil && !errors.Is(err, chainntnfs.ErrNoBlock):
			return at, err
		case at.Height == 0:
			return at, chainntnfs.ErrNoBlock
		}
		header, err := n.backend.Header(ctx, at.Hash)
		if err != nil {
			return at, err
		}
		at = lnwire.BlockRef{Height: at.Height - 1, Hash: header.PrevBlock}
	}
}
