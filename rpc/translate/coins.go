package translate

import (
	"bytes"
	"errors"
	"math"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// ConfRange reads between how many confirmations coins are wanted; both zero: any.
func ConfRange(low, high int32) (uint32, uint32, error) {
	switch {
	case low < 0 || high < 0:
		return 0, 0, Mistake("min_confs and max_confs must not be negative")
	case low == 0 && high == 0:
		return 0, math.MaxInt32, nil
	case low > high:
		return 0, 0, Mistake("max_confs must be at least min_confs")
	}
	return uint32(low), uint32(high), nil
}

// Utxo is a coin.
func Utxo(u *wallet.Unspent) *lnrpc.Utxo {
	return &lnrpc.Utxo{
		AddressType: addressType(u.Key), Address: u.Address, AmountSat: int64(u.Value), PkScript: hexOf(u.PkScript),
		Outpoint: OutPoint(u.OutPoint), Confirmations: int64(u.Confirmations),
	}
}

func addressType(k keys.CoinLoc) lnrpc.AddressType {
	switch {
	case k.Account == keys.P2TR:
		return lnrpc.AddressType_TAPROOT_PUBKEY
	case k.Account == keys.NestedP2WKH && k.Branch == keys.External, k.Account == keys.Nested49:
		return lnrpc.AddressType_NESTED_PUBKEY_HASH
	}
	return lnrpc.AddressType_WITNESS_PUBKEY_HASH
}

// Owner tells which scripts are the wallet's.
type Owner interface {
	OwnScript(script []byte) bool
	Net() *chaincfg.Params
}

// Transaction is a transaction of the wallet, seen from a tip.
func Transaction(t *wallet.TxRow, tip lnwire.Height, o Owner) *lnrpc.Transaction {
	out := &lnrpc.Transaction{
		TxHash: t.Txid.String(), Amount: int64(t.Credit) - int64(t.Debit), TimeStamp: t.Seen / int64(time.Second), Label: t.Label,
	}
	if t.FeeKnown {
		out.TotalFees = int64(t.Fee)
	}
	if t.At != (lnwire.BlockRef{}) {
		out.BlockHash, out.BlockHeight = t.At.Hash.String(), int32(t.At.Height)
		if tip >= t.At.Height {
			out.NumConfirmations = int32(tip - t.At.Height + 1)
		}
	}
	if t.Tx == nil {
		return out
	}
	var raw bytes.Buffer
	raw.Grow(t.Tx.SerializeSize())
	if err := t.Tx.Serialize(&raw); err == nil {
		out.RawTxHex = hexOf(raw.Bytes())
	}
	own := map[uint32]bool{}
	for _, i := range t.Inputs {
		own[i] = true
	}
	for i, in := range t.Tx.TxIn {
		out.PreviousOutpoints = append(out.PreviousOutpoints, &lnrpc.PreviousOutPoint{
			Outpoint: in.PreviousOutPoint.String(), IsOurOutput: own[uint32(i)],
		})
	}
	for i, txOut := range t.Tx.TxOut {
		d := outputDetail(txOut.PkScript, o.Net())
		d.OutputIndex, d.Amount, d.IsOurAddress = int64(i), txOut.Value, o.OwnScript(txOut.PkScript)
		out.OutputDetails = append(out.OutputDetails, d)
		if d.Address != "" {
			out.DestAddresses = append(out.DestAddresses, d.Address)
		}
	}
	return out
}

var scriptTypes = map[txscript.ScriptClass]lnrpc.OutputScriptType{
	txscript.PubKeyHashTy:          lnrpc.OutputScriptType_SCRIPT_TYPE_PUBKEY_HASH,
	txscript.ScriptHashTy:          lnrpc.OutputScriptType_SCRIPT_TYPE_SCRIPT_HASH,
	txscript.WitnessV0PubKeyHashTy: lnrpc.OutputScriptType_SCRIPT_TYPE_WITNESS_V0_PUBKEY_HASH,
	txscript.WitnessV0ScriptHashTy: lnrpc.OutputScriptType_SCRIPT_TYPE_WITNESS_V0_SCRIPT_HASH,
	txscript.PubKeyTy:              lnrpc.OutputScriptType_SCRIPT_TYPE_PUBKEY,
	txscript.MultiSigTy:            lnrpc.OutputScriptType_SCRIPT_TYPE_MULTISIG,
	txscript.NullDataTy:            lnrpc.OutputScriptType_SCRIPT_TYPE_NULLDATA,
	txscript.WitnessUnknownTy:      lnrpc.OutputScriptType_SCRIPT_TYPE_WITNESS_UNKNOWN,
	txscript.WitnessV1TaprootTy:    lnrpc.OutputScriptType_SCRIPT_TYPE_WITNESS_V1_TAPROOT,
}

func outputDetail(script []byte, net *chaincfg.Params) *lnrpc.OutputDetail {
	d := &lnrpc.OutputDetail{PkScript: hexOf(script), OutputType: lnrpc.OutputScriptType_SCRIPT_TYPE_NON_STANDARD}
	class, addrs, _, err := txscript.ExtractPkScriptAddrs(script, net)
	if err != nil {
		return d
	}
	if t, ok := scriptTypes[class]; ok {
		d.OutputType = t
	}
	if len(addrs) == 1 {
		d.Address = addrs[0].EncodeAddress()
	}
	return d
}

// ScriptAddress is a script as an address; empty if it has no such form.
func ScriptAddress(script []byte, net *chaincfg.Params) string {
	if len(script) == 0 {
		return ""
	}
	return outputDetail(script, net).Address
}

// maxLabel is the longest label of a transaction.
const maxLabel = 500

// Label refuses labels that are too long.
func Label(label string) error {
	if len(label) > maxLabel {
		return Mistake("label length: %d exceeds limit of %d", len(label), maxLabel)
	}
	return nil
}

// Unpaid is why a transaction could not be made. Of missing coins clients compare the whole
// text.
func Unpaid(err error) error {
	if poor := (*wallet.InsufficientFunds)(nil); errors.As(err, &poor) {
		return mistake.State("insufficient funds available to construct transaction")
	}
	return err
}

// Strategy reads how coins are chosen.
func Strategy(s lnrpc.CoinSelectionStrategy) (wallet.Strategy, error) {
	switch s {
	case lnrpc.CoinSelectionStrategy_STRATEGY_USE_GLOBAL_CONFIG:
		return wallet.BestFit, nil
	case lnrpc.CoinSelectionStrategy_STRATEGY_LARGEST:
		return wallet.LargestFirst, nil
	case lnrpc.CoinSelectionStrategy_STRATEGY_RANDOM:
		return wallet.Shuffled, nil
	}
	return 0, Mistake("unknown coin selection strategy %v", s)
}
