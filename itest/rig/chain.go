package rig

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
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
		coinbase := w.coinbase(height+1, before.Header.Timestamp.Unix(), wire.NewTxOut(1, []byte{txscript.OP_TRUE}))
		w.submit(&wire.MsgBlock{Header: wire.BlockHeader{
			Version: before.Header.Version, PrevBlock: tip, Bits: before.Header.Bits,
			Timestamp: before.Header.Timestamp.Add(time.Second),
		}, Transactions: []*wire.MsgTx{coinbase}})
	}
	w.Synced()
}

// MineTo makes blocks as a miner does whom this script is: with all that waits, its own
// reward and the fees.
func (w *World) MineTo(script []byte, blocks int) {
	w.T.Helper()
	for range blocks {
		var t struct {
			Version                        int32
			PreviousBlockHash, Bits        string
			CurTime, Height, CoinbaseValue int64
			DefaultWitnessCommitment       string `json:"default_witness_commitment"`
			Transactions                   []struct{ Data string }
		}
		require.NoError(w.T, w.Chain.Call(w.T.Context(), &t, "getblocktemplate",
			map[string]any{"capabilities": []string{"coinbasevalue"}, "rules": []string{"segwit"}}))
		coinbase := w.coinbase(int32(t.Height), t.CurTime, wire.NewTxOut(t.CoinbaseValue, script))
		if t.DefaultWitnessCommitment != "" {
			coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
			coinbase.AddTxOut(wire.NewTxOut(0, append(slices.Clone(blockchain.WitnessMagicBytes), Unhex(w.T, t.DefaultWitnessCommitment)...)))
		}
		bits, err := strconv.ParseUint(t.Bits, 16, 32)
		require.NoError(w.T, err)
		block := &wire.MsgBlock{Header: wire.BlockHeader{
			Version: t.Version, PrevBlock: w.Txid(t.PreviousBlockHash), Bits: uint32(bits), Timestamp: time.Unix(t.CurTime, 0),
		}, Transactions: []*wire.MsgTx{coinbase}}
		for _, waits := range t.Transactions {
			tx := new(wire.MsgTx)
			require.NoError(w.T, tx.Deserialize(bytes.NewReader(Unhex(w.T, waits.Data))))
			block.Transactions = append(block.Transactions, tx)
		}
		w.submit(block)
	}
	w.Synced()
}

// coinbase is the first transaction of a block; salt makes it another one than others'.
func (w *World) coinbase(height int32, salt int64, pays *wire.TxOut) *wire.MsgTx {
	w.T.Helper()
	script, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddInt64(salt).Script()
	require.NoError(w.T, err)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: script, Sequence: wire.MaxTxInSequenceNum})
	tx.AddTxOut(pays)
	return tx
}

// submit does a block's work and gives it to the chain.
func (w *World) submit(block *wire.MsgBlock) {
	w.T.Helper()
	var txs []*btcutil.Tx
	for _, tx := range block.Transactions {
		txs = append(txs, btcutil.NewTx(tx))
	}
	block.Header.MerkleRoot = blockchain.CalcMerkleRoot(txs, false)
	for target := blockchain.CompactToBig(block.Header.Bits); ; block.Header.Nonce++ {
		if hash := block.BlockHash(); blockchain.HashToBig(&hash).Cmp(target) <= 0 {
			break
		}
	}
	var raw bytes.Buffer
	require.NoError(w.T, block.Serialize(&raw))
	var refused string
	require.NoError(w.T, w.Chain.Call(w.T.Context(), &refused, "submitblock", hex.EncodeToString(raw.Bytes())))
	require.Empty(w.T, refused)
}
