package wallet

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// pruneEvery is how often, in blocks, the coins spent long ago are forgotten.
const pruneEvery = 16

// Block is a block that joins the chain.
type Block struct {
	At   lnwire.BlockRef
	Time time.Time // what its header says
	// Txs are its transactions in their order: all, or at least each that pays one
	// of our scripts or spends what is watched.
	Txs []*wire.MsgTx
}

// Connect takes in the next block: what it pays us, what it spends, which of our
// unconfirmed transactions it makes impossible. Transactions that are not
// in it are published again. A block that was already taken in changes nothing; one
// at a height that was already taken in undoes those from there on first.
//
// Looking for a seed's coins is nothing else: feed the blocks from the seed's
// birthday on. An address that is paid moves the window, and the block is searched
// again with it.
func (w *Wallet) Connect(b Block) Effects {
	if w.tip != nil && b.At.Height <= w.tip.Height && b.At != *w.tip {
		w.undo(b.At.Height)
	}
	w.setTip(b.At)
	for known := -1; known != len(w.scripts); {
		known = len(w.scripts)
		for i, tx := range b.Txs {
			if w.touches(tx) {
				w.mined(tx, uint32(i), b)
			}
		}
	}
	if b.At.Height%pruneEvery == 0 {
		w.prune()
	}
	w.fx.Publish = append(w.fx.Publish, w.unmined()...)
	return w.flush()
}

// Disconnect goes back to a block: all above it have left the chain. Their
// transactions are unconfirmed again, but for coinbases, which are no more.
func (w *Wallet) Disconnect(to lnwire.BlockRef) Effects {
	w.undo(to.Height + 1)
	w.setTip(to)
	return w.flush()
}

// Seen takes in an unconfirmed transaction from the network. It takes the place of
// one that spends the same outputs, unless that is ours.
func (w *Wallet) Seen(tx *wire.MsgTx, now time.Time) Effects {
	if !w.touches(tx) {
		return Effects{}
	}
	txid := tx.TxHash()
	if w.txs[txid] != nil {
		return Effects{}
	}
	rivals, final := w.rivals(tx, txid)
	if final || slices.ContainsFunc(rivals, func(id chainhash.Hash) bool { return w.txs[id].Own }) {
		return Effects{}
	}
	for _, id := range rivals {
		w.remove(id, txid)
	}
	w.note(&TxRow{Txid: txid, Tx: tx, Seen: now.UnixNano()})
	return w.flush()
}

// Refused says that the network does not take a transaction. One of somebody else's, on
// which nothing of ours rests, is forgotten when another took its place or what it spends
// is no more: nobody would tell us. Should it come back it is seen again.
func (w *Wallet) Refused(txid chainhash.Hash, why chainntnfs.RejectReason) Effects {
	t := w.txs[txid]
	if t == nil || t.Own || t.mined() || why != chainntnfs.RejectConflict && why != chainntnfs.RejectMissingInputs {
		return Effects{}
	}
	for i := range t.Tx.TxOut {
		if _, spent := w.spends[wire.OutPoint{Hash: txid, Index: uint32(i)}]; spent {
			return Effects{}
		}
	}
	w.remove(txid, chainhash.Hash{})
	return w.flush()
}

// Resumed is what a start owes the world: the unconfirmed transactions, and the
// scripts to watch.
func (w *Wallet) Resumed() Effects {
	return Effects{Publish: w.unmined(), Watch: w.Scripts()}
}

// touches reports that a transaction pays us, spends a coin of ours, or spends what
// an unconfirmed transaction of ours spends.
func (w *Wallet) touches(tx *wire.MsgTx) bool {
	for _, out := range tx.TxOut {
		if _, ok := w.scripts[string(out.PkScript)]; ok {
			return true
		}
	}
	for _, in := range tx.TxIn {
		if w.coins[in.PreviousOutPoint] != nil {
			return true
		}
		if _, ok := w.spends[in.PreviousOutPoint]; ok {
			return true
		}
	}
	return false
}

// rivals are the unconfirmed transactions of ours that spend an input of tx. final
// says that a mined one does.
func (w *Wallet) rivals(tx *wire.MsgTx, txid chainhash.Hash) (ids []chainhash.Hash, final bool) {
	for _, in := range tx.TxIn {
		if id, ok := w.spends[in.PreviousOutPoint]; ok && id != txid && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		if c := w.coins[in.PreviousOutPoint]; c != nil && c.SpentBy != txid && c.SpentBy != (chainhash.Hash{}) {
			final = final || w.txs[c.SpentBy] != nil && w.txs[c.SpentBy].mined()
		}
	}
	return ids, final
}

// mined takes in a transaction of a block. It may be told twice for a block.
func (w *Wallet) mined(tx *wire.MsgTx, index uint32, b Block) {
	txid := tx.TxHash()
	rivals, _ := w.rivals(tx, txid)
	for _, id := range rivals {
		w.refund(id)
		w.remove(id, txid) // V-07, V-09: nothing of ours may rest on what can no longer be
	}
	row := TxRow{Txid: txid, Seen: b.Time.UnixNano()}
	if old := w.txs[txid]; old != nil {
		row = *old
	} else if !w.ours(tx) {
		return // it only spent what a rival wanted
	}
	row.Tx, row.At, row.Index = tx, b.At, index
	w.note(&row)
}

// Outdone tells of a transaction in a block that the wallet has no part in, and may not
// have looked at when it took that block in, for what we publish against it may have come
// later. That can never be mined.
func (w *Wallet) Outdone(tx *wire.MsgTx, at lnwire.BlockRef) Effects {
	w.outdo(tx, at)
	return w.flush()
}

// outdo forgets what we have published against a transaction of a block that the wallet
// has taken in before: it was not there to be given up then, and would wait for ever.
func (w *Wallet) outdo(tx *wire.MsgTx, at lnwire.BlockRef) {
	if w.tip == nil || at.Height > w.tip.Height || at.Height == w.tip.Height && at != *w.tip {
		return // Connect will see it
	}
	id := tx.TxHash()
	for _, in := range tx.TxIn {
		if ours, ok := w.spends[in.PreviousOutPoint]; ok && ours != id {
			w.refund(ours)
			w.remove(ours, id)
		}
	}
}

// ours reports that a transaction pays us or spends a coin of ours.
func (w *Wallet) ours(tx *wire.MsgTx) bool {
	for _, out := range tx.TxOut {
		if _, ok := w.scripts[string(out.PkScript)]; ok {
			return true
		}
	}
	return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return w.coins[in.PreviousOutPoint] != nil })
}

// undo takes every block from a height on out of the chain.
func (w *Wallet) undo(from lnwire.Height) {
	var coinbases []chainhash.Hash
	for _, id := range w.txids() {
		row := *w.txs[id]
		if !row.mined() || row.At.Height < from {
			continue
		}
		if isCoinbase(row.Tx) {
			coinbases = append(coinbases, id)
		}
		row.At, row.Index = lnwire.BlockRef{}, 0
		w.note(&row)
	}
	for _, id := range coinbases {
		if w.txs[id] != nil {
			w.remove(id, chainhash.Hash{})
		}
	}
}

func isCoinbase(tx *wire.MsgTx) bool {
	return len(tx.TxIn) == 1 && tx.TxIn[0].PreviousOutPoint == wire.OutPoint{Index: wire.MaxPrevOutIndex}
}

// prune forgets coins whose spender is so deep that no reorg brings them back.
func (w *Wallet) prune() {
	for op, c := range w.coins {
		if t := w.txs[c.SpentBy]; t != nil && w.confirmations(t.At) > keepDepth {
			delete(w.coins, op)
			w.dirty.coins[op] = true
		}
	}
}

func (w *Wallet) setTip(at lnwire.BlockRef) {
	if w.tip == nil || *w.tip != at {
		w.tip = &at
		w.dirty.tip = true
		w.eachScan(func(s *Scan) bool { return s.Next != 0 && s.end(at.Height) })
	}
}
