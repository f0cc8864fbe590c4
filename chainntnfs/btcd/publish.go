package btcd

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// known are btcd's words for a transaction that it has already.
var known = []string{"already have transaction", "transaction already exists"}

// refusals are btcd's words, looked for in this order.
var refusals = []struct {
	words  string
	reason chainntnfs.RejectReason
}{
	{"orphan transaction", chainntnfs.RejectMissingInputs},
	{"either does not exist or has already been spent", chainntnfs.RejectMissingInputs},
	{"insufficient fee rate", chainntnfs.RejectFeeTooLow},
	{"insufficient absolute fee", chainntnfs.RejectFeeTooLow},
	{"under the required amount", chainntnfs.RejectFeeTooLow},
	{"insufficient priority", chainntnfs.RejectFeeTooLow},
	{"rate limiter due to low fees", chainntnfs.RejectFeeTooLow},
	{"already spent in mempool", chainntnfs.RejectConflict},
	{"spends parent transaction", chainntnfs.RejectConflict},
	{"evicts more transactions", chainntnfs.RejectConflict},
	{"spends new unconfirmed input", chainntnfs.RejectConflict},
	{"not finalized", chainntnfs.RejectNotFinal},
	{"sequence locks on inputs not met", chainntnfs.RejectNotFinal},
	{"before required maturity", chainntnfs.RejectNotFinal},
}

// Publish hands a transaction to btcd's mempool and to its peers.
func (b *Backend) Publish(ctx context.Context, tx *wire.MsgTx) error {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return fmt.Errorf("publish transaction: %w", err)
	}
	err := b.call(ctx, nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes()))
	var no *rpcError
	if !errors.As(err, &no) {
		return err
	}
	rejected := classify(no)
	if rejected == nil {
		return nil
	}
	if rejected.Reason == chainntnfs.RejectMissingInputs && b.mined(ctx, tx) {
		return nil
	}
	return rejected
}

// classify reads a refusal; nil means that btcd has the transaction.
func classify(no *rpcError) *chainntnfs.RejectError {
	text := strings.ToLower(no.Message)
	for _, words := range known {
		if no.Code == codeInChain || strings.Contains(text, words) {
			return nil
		}
	}
	rejected := &chainntnfs.RejectError{Text: no.Message}
	for _, r := range refusals {
		if strings.Contains(text, r.words) {
			rejected.Reason = r.reason
			break
		}
	}
	return rejected
}

// mined says whether a block holds the transaction. When all its outputs are
// spent only btcd's --txindex can tell; without it the answer is no.
func (b *Backend) mined(ctx context.Context, tx *wire.MsgTx) bool {
	var found struct {
		BlockHash string `json:"blockhash"`
	}
	err := b.call(ctx, &found, "getrawtransaction", tx.TxHash().String(), 1)
	return err == nil && found.BlockHash != ""
}
