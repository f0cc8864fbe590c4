package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var params = &chaincfg.RegressionNetParams

// chain is the one that all nodes see: blocks, what is unspent, and the mempool.
// Spends are checked by Bitcoin's own rules: scripts, lock times, relative locks.
type chain struct {
	blocks []*wire.MsgBlock // by height
	hashes []chainhash.Hash // of the blocks
	known  map[chainhash.Hash]*wire.MsgBlock
	coins  map[wire.OutPoint]coin
	pool   []*pooled                        // in the order in which they came
	txs    map[chainhash.Hash]lnwire.Height // of those in blocks
	salt   uint64
	// market is what a package must pay to be mined, floor what it must pay to be relayed.
	market, floor lnwire.SatPerKW
	// fees is what miners earned.
	fees lnwire.Sat
	seen func(*wire.MsgTx) // a transaction entered the mempool
}

type coin struct {
	out    *wire.TxOut
	height lnwire.Height // 0: not in a block
}

// pooled is a transaction of the mempool.
type pooled struct {
	tx     *wire.MsgTx
	txid   chainhash.Hash
	fee    lnwire.Sat
	weight int64
}

func newChain() *chain {
	c := &chain{
		known: map[chainhash.Hash]*wire.MsgBlock{}, coins: map[wire.OutPoint]coin{},
		txs: map[chainhash.Hash]lnwire.Height{}, market: lnwire.FeeFloor, floor: lnwire.FeeFloor,
	}
	c.connect(params.GenesisBlock)
	return c
}

// clone is a chain of its own with the same history.
func (c *chain) clone() *chain {
	d := newChain()
	d.salt = c.salt
	for _, b := range c.blocks[1:] {
		d.connect(b)
	}
	return d
}

func (c *chain) tip() lnwire.BlockRef {
	return lnwire.BlockRef{Height: c.height(), Hash: c.hashes[c.height()]}
}

func (c *chain) height() lnwire.Height { return lnwire.Height(len(c.blocks) - 1) }

func (c *chain) connect(b *wire.MsgBlock) {
	hash := b.BlockHash()
	c.blocks, c.hashes = append(c.blocks, b), append(c.hashes, hash)
	c.known[hash] = b
	height := c.height()
	for _, tx := range b.Transactions {
		txid := tx.TxHash()
		c.txs[txid] = height
		for _, in := range tx.TxIn {
			delete(c.coins, in.PreviousOutPoint)
		}
		for i, out := range tx.TxOut {
			c.coins[wire.OutPoint{Hash: txid, Index: uint32(i)}] = coin{out, height}
		}
	}
}

// mine makes a block of what pays for it, with extra transactions from nowhere.
func (c *chain) mine(extra ...*wire.MsgTx) {
	txs := append([]*wire.MsgTx{c.coinbase()}, extra...)
	for _, p := range c.payers() {
		txs = append(txs, p.tx)
		c.fees += p.fee
		c.pool = slices.DeleteFunc(c.pool, func(o *pooled) bool { return o == p })
	}
	c.append(txs)
}

// append connects a block of the transactions.
func (c *chain) append(txs []*wire.MsgTx) {
	var ids []byte
	for _, tx := range txs {
		id := tx.TxHash()
		ids = append(ids, id[:]...)
	}
	b := &wire.MsgBlock{Transactions: txs, Header: wire.BlockHeader{
		Version: 4, PrevBlock: c.tip().Hash, MerkleRoot: chainhash.DoubleHashH(ids), Timestamp: time.Now().Truncate(time.Second),
	}}
	c.connect(b)
}

// coinbase is unlike any other.
func (c *chain) coinbase() *wire.MsgTx {
	c.salt++
	tx := wire.NewMsgTx(2)
	in := wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, binary.BigEndian.AppendUint64(nil, c.salt), nil)
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(5_000_000_000, []byte{txscript.OP_RETURN}))
	return tx
}

// gift pays scripts out of nothing.
func (c *chain) gift(outs ...*wire.TxOut) *wire.MsgTx {
	c.salt++
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{0xff}, Index: uint32(c.salt)}, nil, nil))
	tx.TxOut = outs
	return tx
}

// reorganise takes blocks away and puts one more in their place. What they held goes
// back to the mempool, as far as keep wants it.
func (c *chain) reorganise(depth int, keep func(*wire.MsgTx) bool) {
	depth = min(depth, len(c.blocks)-2)
	old := slices.Clone(c.blocks[len(c.blocks)-depth:])
	blocks, pool := c.blocks[:len(c.blocks)-depth], c.pool
	c.blocks, c.hashes, c.pool, c.coins, c.txs = nil, nil, nil, map[wire.OutPoint]coin{}, map[chainhash.Hash]lnwire.Height{}
	for _, b := range blocks {
		c.connect(b)
	}
	first, back := []*wire.MsgTx{c.coinbase()}, []*wire.MsgTx(nil)
	for _, b := range old {
		for _, tx := range b.Transactions[1:] {
			switch {
			case tx.TxIn[0].PreviousOutPoint.Hash == chainhash.Hash{0xff}:
				first = append(first, tx) // a gift
			case keep(tx):
				back = append(back, tx)
			}
		}
	}
	c.append(first)
	for _, tx := range back {
		c.accept(tx)
	}
	for _, p := range pool {
		c.accept(p.tx)
	}
	for range depth {
		c.append([]*wire.MsgTx{c.coinbase()})
	}
}

// payers are the transactions that the next block takes, parents first: those whose
// package pays the market's rate.
func (c *chain) payers() (out []*pooled) {
	for _, p := range c.pool {
		family := c.family(p)
		var fee lnwire.Sat
		var weight int64
		for _, q := range family {
			fee += q.fee
			weight += q.weight
		}
		if rate(fee, weight) < c.market {
			continue
		}
		for _, q := range family {
			if !slices.Contains(out, q) && c.final(q.tx) == nil {
				out = append(out, q)
			}
		}
	}
	return out
}

// family are the ancestors of a transaction in the mempool, and itself, parents first.
func (c *chain) family(p *pooled) (out []*pooled) {
	for _, in := range p.tx.TxIn {
		if q := c.inPool(in.PreviousOutPoint.Hash); q != nil {
			for _, r := range c.family(q) {
				if !slices.Contains(out, r) {
					out = append(out, r)
				}
			}
		}
	}
	return append(out, p)
}

func (c *chain) inPool(txid chainhash.Hash) *pooled {
	for _, p := range c.pool {
		if p.txid == txid {
			return p
		}
	}
	return nil
}

func rate(fee lnwire.Sat, weight int64) lnwire.SatPerKW {
	return lnwire.SatPerKW(int64(fee) * 1000 / weight)
}

func weightOf(tx *wire.MsgTx) int64 {
	return int64(tx.SerializeSizeStripped()*3 + tx.SerializeSize())
}

// coin finds what an input spends.
func (c *chain) coin(op wire.OutPoint) (coin, bool) {
	if u, ok := c.coins[op]; ok {
		return u, true
	}
	if p := c.inPool(op.Hash); p != nil && int(op.Index) < len(p.tx.TxOut) {
		return coin{out: p.tx.TxOut[op.Index]}, true
	}
	return coin{}, false
}

// force has a transaction mined that pays nothing, in the place of all that it conflicts
// with.
func (c *chain) force(tx *wire.MsgTx) error {
	if err := c.final(tx); err != nil {
		return err
	}
	for i := range tx.TxIn {
		if err := c.verify(tx, i); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	pool := c.pool
	c.pool = nil
	c.mine(tx)
	for _, p := range pool { // what is left of it
		c.accept(p.tx)
	}
	return nil
}

// spender finds what has spent an output, and the block that holds it.
func (c *chain) spender(op wire.OutPoint) (*wire.MsgTx, lnwire.Height) {
	for h := len(c.blocks) - 1; h > 0; h-- {
		for _, tx := range c.blocks[h].Transactions {
			for _, in := range tx.TxIn {
				if in.PreviousOutPoint == op {
					return tx, lnwire.Height(h)
				}
			}
		}
	}
	return nil, 0
}

// FetchPrevOutput is txscript's.
func (c *chain) FetchPrevOutput(op wire.OutPoint) *wire.TxOut {
	u, _ := c.coin(op)
	return u.out
}

func reject(why chainntnfs.RejectReason, format string, args ...any) error {
	return &chainntnfs.RejectError{Reason: why, Text: fmt.Sprintf(format, args...)}
}

// publish offers a transaction to the mempool.
func (c *chain) publish(tx *wire.MsgTx) error {
	txid := tx.TxHash()
	if _, ok := c.txs[txid]; ok || c.inPool(txid) != nil {
		return nil
	}
	if err := c.accept(tx); err != nil {
		return err
	}
	if c.seen != nil {
		c.seen(tx)
	}
	return nil
}

// accept takes a transaction into the mempool by the rules of the relay.
func (c *chain) accept(tx *wire.MsgTx) error {
	var in lnwire.Sat
	for _, i := range tx.TxIn {
		u, ok := c.coin(i.PreviousOutPoint)
		if !ok {
			return reject(chainntnfs.RejectMissingInputs, "input %v", i.PreviousOutPoint)
		}
		in += lnwire.Sat(u.out.Value)
	}
	if err := c.final(tx); err != nil {
		return reject(chainntnfs.RejectNotFinal, "%v", err)
	}
	for i := range tx.TxIn {
		if err := c.verify(tx, i); err != nil {
			return reject(chainntnfs.RejectOther, "input %d: %v", i, err)
		}
	}
	p := &pooled{tx: tx, txid: tx.TxHash(), weight: weightOf(tx)}
	var out lnwire.Sat
	for _, o := range tx.TxOut {
		out += lnwire.Sat(o.Value)
	}
	if out > in {
		return reject(chainntnfs.RejectOther, "outputs exceed inputs")
	}
	p.fee = in - out
	if rate(p.fee, p.weight) < c.floor-1 {
		return reject(chainntnfs.RejectFeeTooLow, "%d sat for %d weight", p.fee, p.weight)
	}
	return c.replace(p)
}

// replace enters p in the place of those that it conflicts with, if it pays for them all.
func (c *chain) replace(p *pooled) error {
	var out []*pooled
	for _, q := range c.pool {
		if conflict(p.tx, q.tx) {
			if rate(p.fee, p.weight) <= rate(q.fee, q.weight) {
				return reject(chainntnfs.RejectConflict, "pays a lower rate than %v", q.txid)
			}
			out = append(out, q)
		}
	}
	for i := 0; i < len(out); i++ { // with all that spends them
		for _, q := range c.pool {
			if slices.ContainsFunc(q.tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == out[i].txid }) && !slices.Contains(out, q) {
				out = append(out, q)
			}
		}
	}
	var fees lnwire.Sat
	for _, q := range out {
		fees += q.fee
		for _, in := range p.tx.TxIn {
			if in.PreviousOutPoint.Hash == q.txid {
				return reject(chainntnfs.RejectConflict, "spends what it replaces")
			}
		}
	}
	if len(out) > 0 && p.fee < fees+lnwire.Sat(p.weight*int64(lnwire.FeeFloor)/1000) {
		return reject(chainntnfs.RejectFeeTooLow, "a fee of %d does not replace %d", p.fee, fees)
	}
	c.pool = slices.DeleteFunc(c.pool, func(q *pooled) bool { return slices.Contains(out, q) })
	c.pool = append(c.pool, p)
	return nil
}

func conflict(a, b *wire.MsgTx) bool {
	for _, x := range a.TxIn {
		for _, y := range b.TxIn {
			if x.PreviousOutPoint == y.PreviousOutPoint {
				return true
			}
		}
	}
	return false
}

// final says why a transaction cannot be in the next block (BIP 68, BIP 113 aside).
func (c *chain) final(tx *wire.MsgTx) error {
	next := c.height() + 1
	locked := false
	for _, in := range tx.TxIn {
		locked = locked || in.Sequence != wire.MaxTxInSequenceNum
		if tx.Version < 2 || in.Sequence&wire.SequenceLockTimeDisabled != 0 {
			continue
		}
		if in.Sequence&wire.SequenceLockTimeIsSeconds != 0 {
			return errors.New("a relative lock in seconds")
		}
		blocks := lnwire.Height(in.Sequence & wire.SequenceLockTimeMask)
		u, _ := c.coin(in.PreviousOutPoint)
		if blocks > 0 && (u.height == 0 || u.height+blocks > next) {
			return fmt.Errorf("relative lock of %d blocks", blocks)
		}
	}
	if locked && tx.LockTime < 500_000_000 && lnwire.Height(tx.LockTime) >= next {
		return fmt.Errorf("lock time %d", tx.LockTime)
	}
	return nil // lock times of commitments in seconds are long ago
}

func (c *chain) verify(tx *wire.MsgTx, i int) error {
	out := c.FetchPrevOutput(tx.TxIn[i].PreviousOutPoint)
	e, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(tx, c), out.Value, c)
	if err != nil {
		return err
	}
	return e.Execute()
}
