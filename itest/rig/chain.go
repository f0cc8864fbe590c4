package rig

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

// Tx is a transaction of the chain or of the mempool.
func (w *World) Tx(txid chainhash.Hash) *wire.MsgTx {
	w.T.Helper()
	tx := w.Known(txid)
	require.NotNil(w.T, tx, "transaction %v is not known", txid)
	return tx
}

// Known is Tx; nil when the chain's node does not know the transaction any more.
func (w *World) Known(txid chainhash.Hash) *wire.MsgTx {
	w.T.Helper()
	var text string
	if w.Chain.Call(w.T.Context(), &text, "getrawtransaction", txid.String(), 0) != nil {
		return nil
	}
	raw, err := hex.DecodeString(text)
	require.NoError(w.T, err)
	tx := new(wire.MsgTx)
	require.NoError(w.T, tx.Deserialize(bytes.NewReader(raw)))
	return tx
}

// MinersFee is what a transaction leaves to the miners.
func (w *World) MinersFee(txid chainhash.Hash) int64 {
	w.T.Helper()
	tx, fee := w.Tx(txid), int64(0)
	for _, in := range tx.TxIn {
		fee += w.Tx(in.PreviousOutPoint.Hash).TxOut[in.PreviousOutPoint.Index].Value
	}
	for _, out := range tx.TxOut {
		fee -= out.Value
	}
	return fee
}

// Txid reads a transaction's id as people write it.
func (w *World) Txid(text string) chainhash.Hash {
	w.T.Helper()
	h, err := chainhash.NewHashFromStr(text)
	require.NoError(w.T, err)
	return *h
}

// FundingTx is the transaction of a channel.
func (w *World) FundingTx(p ChanPoint) chainhash.Hash {
	w.T.Helper()
	return w.Txid(p.Proto().GetFundingTxidStr())
}

// MineUntil mines until it is so: one by one at first, then in steps, for delays of a
// hundred blocks and more.
func (w *World) MineUntil(what string, so func() bool) {
	w.T.Helper()
	for blocks := 0; !so(); {
		require.Less(w.T, blocks, 500, "mined in vain: %s", what)
		step := 1
		if blocks >= 8 {
			step = 6
		}
		w.Mine(step)
		blocks += step
	}
}

// Unspent: the output is in the chain and nothing in it spends it.
func (w *World) Unspent(op wire.OutPoint) bool {
	w.T.Helper()
	var out *struct{}
	require.NoError(w.T, w.Chain.Call(w.T.Context(), &out, "gettxout", op.Hash.String(), op.Index, false))
	return out != nil
}

// ShortID is the channel's place in the chain.
func (w *World) ShortID(point ChanPoint, height int32) uint64 {
	w.T.Helper()
	hash, err := w.Chain.BlockHash(w.T.Context(), height)
	require.NoError(w.T, err)
	block, err := w.Chain.Block(w.T.Context(), hash)
	require.NoError(w.T, err)
	for i, tx := range block.Transactions {
		if tx.TxHash() == w.FundingTx(point) {
			return uint64(height)<<40 | uint64(i)<<16 | uint64(point.Proto().OutputIndex)
		}
	}
	w.T.Fatalf("%s is not in block %d", point, height)
	return 0
}

// MineEmpty makes blocks in which nothing that waits has a place, as when others pay
// more for it.
func (w *World) MineEmpty(blocks int) {
	w.T.Helper()
	for range blocks {
		height, tip, err := w.Chain.Tip(w.T.Context())
		require.NoError(w.T, err)
		before, err := w.Chain.Block(w.T.Context(), tip)
		require.NoError(w.T, err)
		coinbase := wire.NewMsgTx(2)
		script, err := txscript.NewScriptBuilder().AddInt64(int64(height + 1)).AddInt64(int64(before.Header.Timestamp.Unix())).Script()
		require.NoError(w.T, err)
		coinbase.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: script, Sequence: wire.MaxTxInSequenceNum})
		coinbase.AddTxOut(wire.NewTxOut(1, []byte{txscript.OP_TRUE}))
		block := wire.MsgBlock{Header: wire.BlockHeader{
			Version: before.Header.Version, PrevBlock: tip, MerkleRoot: coinbase.TxHash(), Bits: before.Header.Bits,
			Timestamp: before.Header.Timestamp.Add(time.Second),
		}, Transactions: []*wire.MsgTx{coinbase}}
		for target := blockchain.CompactToBig(block.Header.Bits); ; block.Header.Nonce++ {
			if hash := block.BlockHash(); blockchain.HashToBig(&hash).Cmp(target) <= 0 {
				break
			}
		}
		var raw bytes.Buffer
		require.NoError(w.T, block.Serialize(&raw))
		require.NoError(w.T, w.Chain.Call(w.T.Context(), nil, "submitblock", hex.EncodeToString(raw.Bytes())))
	}
	w.Synced()
}
