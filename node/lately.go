package node

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// lately is what the last blocks have spent. Blocks and unconfirmed transactions come to us
// by different ways: one that we are told of after a block has made it impossible would be
// counted for ever.
type lately []spentIn

// spentIn is what a block has spent.
type spentIn struct {
	at     lnwire.Height
	points []wire.OutPoint
}

// latelyBlocks is how many blocks are remembered: a transaction is late by moments, and more
// are not found in those. They hold some megabytes at the most.
const latelyBlocks = 18

// connect takes in a block, and forgets the oldest.
func (l *lately) connect(at lnwire.Height, txs []*wire.MsgTx) {
	l.disconnect(at - min(at, 1))
	b := spentIn{at: at}
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			b.points = append(b.points, in.PreviousOutPoint)
		}
	}
	if *l = append(*l, b); len(*l) > latelyBlocks {
		*l = slices.Delete(*l, 0, 1)
	}
}

// disconnect forgets the blocks above a height.
func (l *lately) disconnect(to lnwire.Height) {
	*l = slices.DeleteFunc(*l, func(b spentIn) bool { return b.at > to })
}

// outruns reports that a block has spent what a transaction spends.
func (l lately) outruns(tx *wire.MsgTx) bool {
	spends := make(map[wire.OutPoint]bool, len(tx.TxIn)) // whoever sends it chooses how many
	for _, in := range tx.TxIn {
		spends[in.PreviousOutPoint] = true
	}
	return slices.ContainsFunc(l, func(b spentIn) bool {
		return slices.ContainsFunc(b.points, func(op wire.OutPoint) bool { return spends[op] })
	})
}
