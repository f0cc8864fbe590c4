package scale

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// perBlock channels are funded by one transaction, which is alone in its block. On the
// main network it is one or two in a block of some thousand transactions: what that
// costs the chain's backend is not seen here.
const perBlock = 25

// fund puts a funding output for every channel into the chain, six blocks deep, and
// gives their ids in the order of the plan.
func fund(t testing.TB, w *rig.World, p *plan) []lnwire.ShortChannelID {
	t.Helper()
	ctx := t.Context()
	_, err := w.Chain.Generate(ctx, 150) // while a block still pays 50 BTC: 7,500 of them
	require.NoError(t, err)
	height, _, err := w.Chain.Tip(ctx)
	require.NoError(t, err)
	ids := make([]lnwire.ShortChannelID, 0, len(p.channels))
	for at := 0; at < len(p.channels); at += perBlock {
		var outs []*wire.TxOut
		for i := at; i < min(at+perBlock, len(p.channels)); i++ {
			outs = append(outs, wire.NewTxOut(p.channels[i].capacity, fundingScript(i)))
		}
		_, err := w.Chain.Miner().Pay(ctx, outs...)
		require.NoError(t, err)
		_, err = w.Chain.Generate(ctx, 1)
		require.NoError(t, err)
		height++
		for i := range outs {
			ids = append(ids, lnwire.NewShortChannelID(lnwire.Height(height), 1, uint16(i)))
		}
	}
	_, err = w.Chain.Generate(ctx, 6)
	require.NoError(t, err)
	return ids
}

// fundingScript is the P2WSH of two of the i-th channel's two keys.
func fundingScript(i int) []byte {
	k := bitcoinKeys(i)
	a, b := k[0].PubKey().SerializeCompressed(), k[1].PubKey().SerializeCompressed()
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	s := append([]byte{0x52, 33}, a...)
	s = append(append(s, 33), b...)
	h := sha256.Sum256(append(s, 0x52, 0xae))
	return append([]byte{0, 32}, h[:]...)
}
