package chainntnfs

import (
	"container/list"
	"context"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// DefaultCache is the size of a Cache in bytes of serialized blocks: about a
// dozen full ones.
const DefaultCache = 24 << 20

// Cache is a Source that keeps the blocks used last, so that many walkers on
// the same stretch of chain fetch each block once. It may be shared between
// goroutines.
type Cache struct {
	Source
	limit int

	mu     sync.Mutex
	size   int
	order  *list.List // of *cached, most recently used first
	blocks map[chainhash.Hash]*list.Element
}

type cached struct {
	hash  chainhash.Hash
	block *wire.MsgBlock
	size  int
}

// NewCache puts a cache of that many bytes before a source; 0 is DefaultCache.
func NewCache(src Source, limit int) *Cache {
	if limit == 0 {
		limit = DefaultCache
	}
	return &Cache{Source: src, limit: limit, order: list.New(), blocks: make(map[chainhash.Hash]*list.Element)}
}

// Block is the block of that hash.
func (c *Cache) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	if block, ok := c.get(hash); ok {
		return block, nil
	}
	block, err := c.Source.Block(ctx, hash)
	if err != nil {
		return nil, err
	}
	c.put(&cached{hash, block, block.SerializeSize()})
	return block, nil
}

// Header is the header of that block.
func (c *Cache) Header(ctx context.Context, hash chainhash.Hash) (*wire.BlockHeader, error) {
	if block, ok := c.get(hash); ok {
		header := block.Header
		return &header, nil
	}
	return c.Source.Header(ctx, hash)
}

func (c *Cache) get(hash chainhash.Hash) (*wire.MsgBlock, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.blocks[hash]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).block, true
}

func (c *Cache) put(entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.blocks[entry.hash]; ok || entry.size > c.limit {
		return
	}
	c.blocks[entry.hash] = c.order.PushFront(entry)
	c.size += entry.size
	for c.size > c.limit {
		last := c.order.Remove(c.order.Back()).(*cached)
		delete(c.blocks, last.hash)
		c.size -= last.size
	}
}
