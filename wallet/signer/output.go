package signer

import (
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Method is how an input is signed.
type Method uint8

// The methods: segwit version 0, and the three ways to spend taproot.
const (
	WitnessV0 Method = iota
	TaprootBIP86
	TaprootKey
	TaprootScript
)

// Tx is a transaction and what its inputs spend; Spends may be empty where no taproot
// output is signed for.
type Tx struct {
	Tx     *wire.MsgTx
	Spends []*wire.TxOut
}

// Input is one input to be signed.
type Input struct {
	Index      int
	Output     *wire.TxOut // that it spends
	SigHash    txscript.SigHashType
	Key        Name
	Tweak      *[32]byte      // added to the private key
	Revocation *lnwire.Secret // blended with it
	Method     Method
	Root       []byte // of the scripts, 32 bytes: TaprootKey
	Script     []byte // WitnessV0 and TaprootScript
}

// digests is what is shared by the inputs of a transaction.
type digests struct {
	*Tx
	prev   *txscript.MultiPrevOutFetcher
	hashes *txscript.TxSigHashes
}

// begin checks the request and hashes what all inputs share.
func (t *Tx) begin(inputs []Input) (*digests, error) {
	d := &digests{Tx: t, prev: txscript.NewMultiPrevOutFetcher(nil)}
	if n := len(t.Spends); n > 0 && n != len(t.Tx.TxIn) {
		return nil, mistake.Argument("provided previous outputs doesn't match number of transaction inputs")
	}
	for i, out := range t.Spends {
		d.prev.AddPrevOut(t.Tx.TxIn[i].PreviousOutPoint, out)
	}
	for _, in := range inputs {
		if in.Index < 0 || in.Index >= len(t.Tx.TxIn) {
			return nil, mistake.Argument("input %d: the transaction has %d", in.Index, len(t.Tx.TxIn))
		}
		if in.Output == nil {
			return nil, mistake.Argument("input %d: the output that it spends is missing", in.Index)
		}
		if txscript.IsPayToTaproot(in.Output.PkScript) && len(t.Spends) == 0 {
			return nil, mistake.Argument("error signing taproot output, transaction input 0 is missing its previous outpoint information")
		}
		if len(t.Spends) == 0 { // the digests of version 0 ask for no other than their own
			d.prev.AddPrevOut(t.Tx.TxIn[in.Index].PreviousOutPoint, in.Output)
		}
	}
	for _, in := range t.Tx.TxIn {
		if d.prev.FetchPrevOutput(in.PreviousOutPoint) == nil {
			d.prev.AddPrevOut(in.PreviousOutPoint, wire.NewTxOut(0, nil))
		}
	}
	d.hashes = txscript.NewTxSigHashes(t.Tx, d.prev)
	return d, nil
}

// SignOutputs makes one signature for each input: DER for version 0, 64 bytes for
// taproot, neither with the byte of the sighash.
func (s *Signer) SignOutputs(t *Tx, inputs []Input) (sigs [][]byte, err error) {
	d, err := t.begin(inputs)
	if err != nil {
		return nil, err
	}
	for i := range inputs {
		in := &inputs[i]
		if err := in.check(); err != nil {
			return nil, fmt.Errorf("input %d: %w", in.Index, err)
		}
		key, err := s.Key(in.Key)
		if err == nil {
			key, err = key.Changed(in.Tweak, in.Revocation)
		}
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", in.Index, err)
		}
		sig, err := d.sign(in, key)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", in.Index, err)
		}
		sigs = append(sigs, sig)
	}
	return sigs, nil
}

// check: the method fits the output, and has what it needs. Clients of lnd compare the
// texts.
func (in *Input) check() error {
	taproot := txscript.IsPayToTaproot(in.Output.PkScript)
	if taproot != (in.Method != WitnessV0) {
		return mistake.Argument("selected sign method is not compatible with given pk script %x", in.Output.PkScript)
	}
	switch in.Method {
	case WitnessV0:
		if len(in.Script) == 0 {
			return mistake.Argument("witness script MUST be specified for segwit v0 sign method")
		}
	case TaprootBIP86:
		if len(in.Root) > 0 {
			return mistake.Argument("tap tweak must be empty for BIP0086 key spend")
		}
	case TaprootKey:
		if len(in.Root) != 32 {
			return mistake.Argument("tap tweak must be specified for key spend with root hash")
		}
	case TaprootScript:
		if len(in.Script) == 0 {
			return mistake.Argument("witness script MUST be specified for taproot script spend method")
		}
	}
	return nil
}

// sign makes the signature of an input.
func (d *digests) sign(in *Input, key *keys.Key) ([]byte, error) {
	var h []byte
	var err error
	switch in.Method {
	case WitnessV0:
		if h, err = txscript.CalcWitnessSigHash(in.Script, d.hashes, in.SigHash, d.Tx.Tx, in.Index, in.Output.Value); err != nil {
			return nil, mistake.Argument("%w", err)
		}
		sig := key.Sign([32]byte(h))
		return sig.DER(), nil
	case TaprootBIP86, TaprootKey:
		key = key.Taproot(in.Root)
		h, err = txscript.CalcTaprootSignatureHash(d.hashes, in.SigHash, d.Tx.Tx, in.Index, d.prev)
	case TaprootScript:
		h, err = txscript.CalcTapscriptSignaturehash(d.hashes, in.SigHash, d.Tx.Tx, in.Index, d.prev, txscript.NewBaseTapLeaf(in.Script))
	}
	if err != nil {
		return nil, mistake.Argument("%w", err)
	}
	sig, err := key.SignSchnorr([32]byte(h))
	return sig[:], err
}

// InputScript completes an input.
type InputScript struct {
	Witness   wire.TxWitness
	SigScript []byte
}

// ComputeInputs completes inputs that spend coins of the wallet. Of an Input only Index,
// Output and SigHash count; a SigHash of 0 is SIGHASH_ALL for version 0.
func (s *Signer) ComputeInputs(t *Tx, inputs []Input) (list []InputScript, err error) {
	d, err := t.begin(inputs)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		loc, ok := s.coins.Owner(in.Output.PkScript)
		if !ok {
			return nil, mistake.Argument("input %d: the output does not pay to this wallet", in.Index)
		}
		key, err := s.ring.CoinKey(loc)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", in.Index, err)
		}
		out, err := d.complete(in, key)
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", in.Index, err)
		}
		list = append(list, out)
	}
	return list, nil
}

func (d *digests) complete(in Input, key *keys.Key) (out InputScript, err error) {
	if txscript.IsPayToTaproot(in.Output.PkScript) {
		in.Method = TaprootBIP86
		sig, err := d.sign(&in, key)
		if in.SigHash != txscript.SigHashDefault {
			sig = append(sig, byte(in.SigHash))
		}
		out.Witness = wire.TxWitness{sig}
		return out, err
	}
	if in.SigHash == 0 {
		in.SigHash = txscript.SigHashAll
	}
	pub := key.ID()
	in.Script = append([]byte{txscript.OP_0, txscript.OP_DATA_20}, address.Hash160(pub[:])...)
	sig, err := d.sign(&in, key)
	out.Witness = wire.TxWitness{append(sig, byte(in.SigHash)), pub[:]}
	if txscript.IsPayToScriptHash(in.Output.PkScript) {
		out.SigScript = append([]byte{byte(len(in.Script))}, in.Script...)
	}
	return out, err
}
