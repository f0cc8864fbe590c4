package btcd

import (
	"context"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// txidBlocks is how many blocks' lists are kept: who proves channels asks for one block
// after the other, several at a time.
const txidBlocks = 16

// txids keeps the lists of transactions of the blocks that were asked for last.
type txids struct {
	mu   sync.Mutex
	last []*txList // oldest first
}

// txList is the list of a block; asking for it once is enough for all who want it.
type txList struct {
	block chainhash.Hash
	mu    sync.Mutex // held while btcd is asked
	ids   []chainhash.Hash
}

// of is the place for a block's list.
func (t *txids) of(block chainhash.Hash) *txList {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.last {
		if l.block == block {
			return l
		}
	}
	l := &txList{block: block}
	if t.last = append(t.last, l); len(t.last) > txidBlocks {
		t.last[0] = nil
		t.last = t.last[1:]
	}
	return l
}

// get is the list, asked for unless it is known. A block never changes.
func (l *txList) get(ctx context.Context, call caller) ([]chainhash.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids != nil {
		return l.ids, nil
	}
	var block struct {
		Tx []string `json:"tx"`
	}
	if err := call(ctx, &block, "getblock", l.block.String(), 1); err != nil {
		return nil, err
	}
	ids := make([]chainhash.Hash, len(block.Tx))
	for i, text := range block.Tx {
		var err error
		if ids[i], err = parseHash(text); err != nil {
			return nil, err
		}
	}
	l.ids = ids
	return ids, nil
}
