package itest

import (
	"bytes"
	"encoding/hex"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

// tx is a transaction of the chain or of the mempool.
func (w *world) tx(txid chainhash.Hash) *wire.MsgTx {
	w.t.Helper()
	var text string
	require.NoError(w.t, w.chain.Call(w.t.Context(), &text, "getrawtransaction", txid.String(), 0))
	raw, err := hex.DecodeString(text)
	require.NoError(w.t, err)
	tx := new(wire.MsgTx)
	require.NoError(w.t, tx.Deserialize(bytes.NewReader(raw)))
	return tx
}

// minersFee is what a transaction leaves to the miners.
func (w *world) minersFee(txid chainhash.Hash) int64 {
	w.t.Helper()
	tx, fee := w.tx(txid), int64(0)
	for _, in := range tx.TxIn {
		fee += w.tx(in.PreviousOutPoint.Hash).TxOut[in.PreviousOutPoint.Index].Value
	}
	for _, out := range tx.TxOut {
		fee -= out.Value
	}
	return fee
}

// txid reads a transaction's id as people write it.
func (w *world) txid(text string) chainhash.Hash {
	w.t.Helper()
	h, err := chainhash.NewHashFromStr(text)
	require.NoError(w.t, err)
	return *h
}

// fundingTx is the transaction of a channel.
func (w *world) fundingTx(p chanPoint) chainhash.Hash {
	w.t.Helper()
	return w.txid(p.proto().GetFundingTxidStr())
}
