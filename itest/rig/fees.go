package rig

import (
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

// Fees is what the blocks above a height paid beyond the subsidy.
type Fees struct {
	World  *World
	Height int32 // counted up to here
	sum    int64
}

// Got is what they paid until now.
func (f *Fees) Got() int64 {
	t := f.World.T
	t.Helper()
	tip, _, err := f.World.Chain.Tip(t.Context())
	require.NoError(t, err)
	for f.Height < tip {
		f.Height++
		hash, err := f.World.Chain.BlockHash(t.Context(), f.Height)
		require.NoError(t, err)
		block, err := f.World.Chain.Block(t.Context(), hash)
		require.NoError(t, err)
		for _, out := range block.Transactions[0].TxOut {
			f.sum += out.Value
		}
		f.sum -= int64(50_0000_0000) >> (f.Height / 150)
	}
	return f.sum
}

// AnchorsLeft is what lies in the anchors of a commitment that nobody has spent.
func (w *World) AnchorsLeft(commitment [32]byte) (left int64) {
	w.T.Helper()
	for i, out := range w.Tx(commitment).TxOut {
		if out.Value == 330 && w.Unspent(wire.OutPoint{Hash: commitment, Index: uint32(i)}) {
			left += out.Value
		}
	}
	return left
}
