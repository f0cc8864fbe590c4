package node

import (
	"bytes"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/mistake"
)

// verifiedTx is a funding that is not signed yet, with what its inputs spend. Its txid
// is final: every input has its witness apart from what the txid covers.
type verifiedTx struct {
	tx     *wire.MsgTx
	spends []*wire.TxOut
}

// verifyPacket checks that a PSBT pays out exactly, once, and that only the signatures
// are missing.
func verifyPacket(p *psbt.Packet, out *wire.TxOut) (*verifiedTx, error) {
	v := &verifiedTx{tx: p.UnsignedTx.Copy()}
	paid := int64(0)
	found := 0
	for _, o := range v.tx.TxOut {
		if o.Value < 0 || o.Value > btcutil.MaxSatoshi || paid > btcutil.MaxSatoshi {
			return nil, mistake.Argument("output amount %d is out of range", o.Value)
		}
		paid += o.Value
		if psbt.TxOutsEqual(o, out) {
			found++
		} else if bytes.Equal(o.PkScript, out.PkScript) {
			return nil, mistake.Argument("it pays %d sat to the funding script, want %d sat", o.Value, out.Value)
		}
	}
	switch {
	case found == 0:
		return nil, mistake.Argument("funding output not found in PSBT")
	case found > 1:
		return nil, mistake.Argument("it pays to the funding script more than once")
	case len(v.tx.TxIn) == 0:
		return nil, mistake.Argument("PSBT has no inputs")
	case len(v.tx.TxIn) != len(p.Inputs):
		return nil, mistake.Argument("PSBT has not as many inputs as its transaction")
	}
	spent := int64(0)
	seen := map[wire.OutPoint]bool{}
	for i, in := range v.tx.TxIn {
		o, err := spentBy(in, &p.Inputs[i])
		if err != nil {
			return nil, mistake.Argument("cannot use TX for channel funding, not all inputs are SegWit spends, "+
				"risk of malleability: input %d %w", i, err)
		}
		if o.Value < 0 || o.Value > btcutil.MaxSatoshi || seen[in.PreviousOutPoint] {
			return nil, mistake.Argument("input %d has no sound amount, or comes twice", i)
		}
		seen[in.PreviousOutPoint] = true
		spent += o.Value
		v.spends = append(v.spends, o)
	}
	if spent <= paid {
		return nil, mistake.Argument("input amount sum must be larger than output amount sum")
	}
	return v, nil
}

// spentBy is what an input spends. What a nested witness program needs in the input
// itself is put there.
func spentBy(in *wire.TxIn, from *psbt.PInput) (*wire.TxOut, error) {
	op := in.PreviousOutPoint
	out := from.WitnessUtxo
	if prev := from.NonWitnessUtxo; prev != nil {
		if prev.TxHash() != op.Hash || op.Index >= uint32(len(prev.TxOut)) {
			return nil, mistake.Argument("has another transaction than the one that it spends")
		}
		if out != nil && !psbt.TxOutsEqual(out, prev.TxOut[op.Index]) {
			return nil, mistake.Argument("has two different outputs to spend")
		}
		out = prev.TxOut[op.Index]
	}
	switch {
	case out == nil:
		return nil, mistake.Argument("has no UTXO information")
	case txscript.IsWitnessProgram(out.PkScript):
		return out, nil
	case txscript.IsPayToScriptHash(out.PkScript) && txscript.IsWitnessProgram(from.RedeemScript) &&
		bytes.Equal(out.PkScript[2:22], address.Hash160(from.RedeemScript)):
		var err error
		in.SignatureScript, err = txscript.NewScriptBuilder().AddData(from.RedeemScript).Script()
		return out, err
	}
	return nil, mistake.Argument("is non-SegWit spend or missing redeem script")
}

// check: tx is the verified transaction, and every input is signed.
func (v *verifiedTx) check(tx *wire.MsgTx) error {
	if err := psbt.VerifyOutputsEqual(tx.TxOut, v.tx.TxOut); err != nil {
		return mistake.Argument("outputs differ from verified PSBT: %w", err)
	}
	if err := psbt.VerifyInputPrevOutpointsEqual(tx.TxIn, v.tx.TxIn); err != nil {
		return mistake.Argument("inputs differ from verified PSBT: %w", err)
	}
	if have, want := tx.TxHash(), v.tx.TxHash(); have != want {
		return mistake.Argument("the txid is %v, that of the verified PSBT is %v", have, want)
	}
	prev := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		prev.AddPrevOut(in.PreviousOutPoint, v.spends[i])
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i, in := range tx.TxIn {
		if len(in.Witness) == 0 {
			return mistake.Argument("inputs not signed: input %d has no signature data attached", i)
		}
		o := v.spends[i]
		vm, err := txscript.NewEngine(o.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, o.Value, prev)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			return mistake.Argument("inputs not signed: input %d: %w", i, err)
		}
	}
	return nil
}

// signedTx is the transaction of a PSBT that has all signatures.
func signedTx(p *psbt.Packet) (*wire.MsgTx, error) {
	if err := psbt.MaybeFinalizeAll(p); err != nil {
		return nil, err
	}
	tx, err := psbt.Extract(p)
	if err != nil {
		return nil, mistake.Argument("unable to extract funding TX: %w", err)
	}
	return tx, nil
}
