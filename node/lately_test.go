package node

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// A transaction that spends what a block has spent is late for some blocks, and until that
// block leaves the chain.
func TestLately(t *testing.T) {
	spend := func(n uint32) *wire.MsgTx {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 99}, nil, nil))
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: n}, nil, nil))
		return tx
	}
	block := func(n uint32) []*wire.MsgTx {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: n}, nil, nil))
		return []*wire.MsgTx{wire.NewMsgTx(2), tx}
	}
	var l lately
	require.False(t, l.outruns(spend(0)))
	for n := range uint32(latelyBlocks) {
		l.connect(lnwire.Height(n), block(n))
		require.True(t, l.outruns(spend(n)))
		require.False(t, l.outruns(spend(n+1)))
	}
	l.connect(latelyBlocks, block(latelyBlocks))
	require.False(t, l.outruns(spend(0)), "forgotten")
	require.True(t, l.outruns(spend(1)))
	l.connect(latelyBlocks, block(77))
	require.True(t, l.outruns(spend(77)))
	require.False(t, l.outruns(spend(latelyBlocks)), "another is in its place")
	l.disconnect(1)
	require.True(t, l.outruns(spend(1)))
	require.False(t, l.outruns(spend(2)))
}
