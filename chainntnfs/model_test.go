package chainntnfs

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// model is a chain in memory that can be mined, reorganised, wiped, shortened
// and unplugged.
type model struct {
	mu      sync.Mutex
	blocks  map[chainhash.Hash]*wire.MsgBlock
	main    []chainhash.Hash
	nonce   uint32
	down    bool
	fetched int
	// racing is called before each answer: chains change between questions.
	racing func()
}

func newModel() *model {
	m := &model{blocks: make(map[chainhash.Hash]*wire.MsgBlock)}
	genesis := wire.NewMsgBlock(&wire.BlockHeader{})
	m.main = []chainhash.Hash{genesis.BlockHash()}
	m.blocks[m.main[0]] = genesis
	return m
}

func (m *model) tip() lnwire.BlockRef { return m.ref(len(m.main) - 1) }

func (m *model) ref(height int) lnwire.BlockRef {
	return lnwire.BlockRef{Height: lnwire.Height(height), Hash: m.main[height]}
}

// mine adds a block with a coinbase of its own and these transactions.
func (m *model) mine(txs ...*wire.MsgTx) lnwire.BlockRef {
	m.nonce++
	block := wire.NewMsgBlock(&wire.BlockHeader{PrevBlock: m.main[len(m.main)-1], Nonce: m.nonce})
	coinbase := wire.NewMsgTx(1)
	script := binary.BigEndian.AppendUint32(nil, m.nonce)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: ^uint32(0)}, script, nil))
	block.Transactions = append([]*wire.MsgTx{coinbase}, txs...)
	hash := block.BlockHash()
	m.blocks[hash] = block
	m.main = append(m.main, hash)
	return m.tip()
}

// cut takes blocks off the main chain; they stay known.
func (m *model) cut(depth int) { m.main = m.main[:len(m.main)-depth] }

// wipe forgets everything but the genesis block.
func (m *model) wipe() {
	m.main = m.main[:1]
	m.blocks = map[chainhash.Hash]*wire.MsgBlock{m.main[0]: m.blocks[m.main[0]]}
}

// mined says whether the main chain holds a transaction.
func (m *model) mined(tx *wire.MsgTx) bool {
	for _, hash := range m.main {
		for _, other := range m.blocks[hash].Transactions {
			if other == tx {
				return true
			}
		}
	}
	return false
}

func (m *model) enter() error {
	if m.racing != nil {
		m.racing()
	}
	if m.down {
		return ErrUnavailable
	}
	return nil
}

func (m *model) Tip(context.Context) (lnwire.BlockRef, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.enter()
	return m.tip(), err
}

func (m *model) BlockHash(_ context.Context, height lnwire.Height) (chainhash.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return chainhash.Hash{}, err
	}
	if int(height) >= len(m.main) {
		return chainhash.Hash{}, ErrNoBlock
	}
	return m.main[height], nil
}

func (m *model) Header(_ context.Context, hash chainhash.Hash) (*wire.BlockHeader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return nil, err
	}
	block, ok := m.blocks[hash]
	if !ok {
		return nil, ErrNoBlock
	}
	return &block.Header, nil
}

func (m *model) Block(_ context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(); err != nil {
		return nil, err
	}
	block, ok := m.blocks[hash]
	if !ok {
		return nil, ErrNoBlock
	}
	m.fetched++
	return block, nil
}

// pay makes a transaction that spends outpoints and pays scripts.
func pay(ins []wire.OutPoint, scripts ...string) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, in := range ins {
		tx.AddTxIn(wire.NewTxIn(&in, nil, nil))
	}
	for i, script := range scripts {
		tx.AddTxOut(wire.NewTxOut(int64(1000+i), []byte(script)))
	}
	return tx
}

func outpoint(tx *wire.MsgTx, index uint32) wire.OutPoint {
	return wire.OutPoint{Hash: tx.TxHash(), Index: index}
}

// external is an outpoint of a transaction that the model does not hold.
func external(n byte) wire.OutPoint {
	return wire.OutPoint{Hash: chainhash.Hash{n, 1}, Index: uint32(n)}
}
