package wallet

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// PathSigner signs by BIP 32 paths; keys.Ring is one. A nil signature says that the path is
// not its own.
type PathSigner interface {
	SignPaths(jobs []keys.PathJob) []*lnwire.Sig
}

// The two fields of lnd's own in an input: changes of the key, as BOLT 3 has them.
var (
	fieldTweak      = []byte{0x51}
	fieldRevocation = []byte{0xd0}
)

// psbtPrevouts is what a packet says that its inputs spend. It fills in what a witness
// input's whole transaction tells, and refuses one that is not the transaction spent: a
// wrong amount would be paid as a fee.
func psbtPrevouts(p *psbt.Packet) (*txscript.MultiPrevOutFetcher, error) {
	if err := psbt.VerifyInputOutputLen(p, true, true); err != nil {
		return nil, mistake.Argument("%w", err)
	}
	outs := map[wire.OutPoint]*wire.TxOut{}
	for i := range p.Inputs {
		in, op := &p.Inputs[i], p.UnsignedTx.TxIn[i].PreviousOutPoint
		if t := in.NonWitnessUtxo; t != nil {
			if t.TxHash() != op.Hash || op.Index >= uint32(len(t.TxOut)) {
				return nil, mistake.Argument("input %d: its transaction is not the one that is spent", i)
			}
			out := t.TxOut[op.Index]
			if in.WitnessUtxo != nil && !psbt.TxOutsEqual(in.WitnessUtxo, out) {
				return nil, mistake.Argument("input %d: the output is not that of its transaction", i)
			}
			outs[op] = out
			if in.WitnessUtxo == nil && (txscript.IsWitnessProgram(out.PkScript) || txscript.IsWitnessProgram(in.RedeemScript)) {
				in.WitnessUtxo = out
			}
		}
		if in.WitnessUtxo != nil {
			outs[op] = in.WitnessUtxo
		}
		if outs[op] == nil {
			return nil, mistake.Argument("input (index=%v) doesn't specify any UTXO info", i)
		}
	}
	return txscript.NewMultiPrevOutFetcher(outs), nil
}

// CheckPsbt compares what a packet says of our coins with what they are. An amount that is
// wrong in one packet and right in the next would, with the signatures of both, be paid as
// a fee (CVE-2020-14199).
func (w *Wallet) CheckPsbt(p *psbt.Packet) error {
	if err := psbt.VerifyInputOutputLen(p, true, true); err != nil {
		return err
	}
	for i, in := range p.UnsignedTx.TxIn {
		out, c := p.Inputs[i].WitnessUtxo, w.coins[in.PreviousOutPoint]
		if out != nil && c != nil && !psbt.TxOutsEqual(out, wire.NewTxOut(int64(c.Value), c.PkScript)) {
			return fmt.Errorf("input %d: %w", i, errOtherOutput)
		}
	}
	return nil
}

var errOtherOutput = mistake.Argument("what it says of the output is not what the wallet knows")

// SignPsbt signs the inputs whose BIP 32 paths lead to keys of ours, and tells which.
// It neither chooses coins nor looks at what is paid; see CheckPsbt. The error names an input that cannot
// be signed as it asks.
func SignPsbt(s PathSigner, p *psbt.Packet) (signed []uint32, err error) {
	fetch, err := psbtPrevouts(p)
	if err != nil {
		return nil, err
	}
	hashes := txscript.NewTxSigHashes(p.UnsignedTx, fetch)
	var jobs []keys.PathJob
	var puts []func(*lnwire.Sig)
	var inputs []uint32
	for i := range p.Inputs {
		in := &p.Inputs[i]
		if in.WitnessUtxo == nil || len(in.FinalScriptWitness) > 0 || len(in.Bip32Derivation) == 0 {
			continue
		}
		job, put, err := psbtJob(p, i, hashes, fetch)
		if err != nil {
			// What cannot be signed is no matter when the key is somebody else's.
			if s.SignPaths([]keys.PathJob{pathJob(in)})[0] == nil {
				continue
			}
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		jobs, puts, inputs = append(jobs, job), append(puts, put), append(inputs, uint32(i))
	}
	for n, sig := range s.SignPaths(jobs) {
		if sig != nil {
			puts[n](sig)
			signed = append(signed, inputs[n])
		}
	}
	return signed, nil
}

// pathJob names the key of an input.
func pathJob(in *psbt.PInput) keys.PathJob {
	d := in.Bip32Derivation[0]
	return keys.PathJob{Path: d.Bip32Path, Key: d.PubKey}
}

// psbtJob is what is to be signed for an input, and where the signature goes.
func psbtJob(p *psbt.Packet, i int, hashes *txscript.TxSigHashes, fetch txscript.PrevOutputFetcher) (job keys.PathJob, put func(*lnwire.Sig), err error) {
	in := &p.Inputs[i]
	job = pathJob(in)
	for _, u := range in.Unknowns {
		if len(u.Value) != sha256.Size {
			continue
		}
		value := lnwire.Secret(u.Value)
		switch {
		case bytes.Equal(u.Key, fieldTweak):
			job.Change.Tweak = (*[32]byte)(u.Value)
		case bytes.Equal(u.Key, fieldRevocation):
			job.Change.Revocation = &value
		}
	}
	if txscript.IsPayToTaproot(in.WitnessUtxo.PkScript) {
		return taprootJob(p, i, job, hashes, fetch)
	}
	hashType, err := sigHash(in.SighashType, txscript.SigHashAll)
	if err != nil {
		return job, nil, err
	}
	script := in.WitnessUtxo.PkScript
	switch {
	case len(in.WitnessScript) > 0:
		script = in.WitnessScript
	case len(in.RedeemScript) > 0:
		script = in.RedeemScript
	case !txscript.IsPayToWitnessPubKeyHash(script):
		return job, nil, mistake.Argument("unsupported script class for signing PSBT")
	}
	h, err := txscript.CalcWitnessSigHash(script, hashes, hashType, p.UnsignedTx, i, in.WitnessUtxo.Value)
	if err != nil {
		return job, nil, mistake.Argument("%w", err)
	}
	job.Digest = [32]byte(h)
	pub := job.Key
	return job, func(sig *lnwire.Sig) {
		for _, old := range in.PartialSigs {
			if bytes.Equal(old.PubKey, pub) {
				old.Signature = append(sig.DER(), byte(hashType))
				return
			}
		}
		in.PartialSigs = append(in.PartialSigs, &psbt.PartialSig{PubKey: pub, Signature: append(sig.DER(), byte(hashType))})
	}, nil
}

// taprootJob signs by the key of the output, or a leaf of its tree.
func taprootJob(p *psbt.Packet, i int, job keys.PathJob, hashes *txscript.TxSigHashes, fetch txscript.PrevOutputFetcher) (keys.PathJob, func(*lnwire.Sig), error) {
	in := &p.Inputs[i]
	switch n := len(in.TaprootBip32Derivation); {
	case n == 0:
		return job, nil, mistake.Argument("cannot sign for taproot input without taproot BIP0032 derivation info")
	case n > 1:
		return job, nil, mistake.Argument("unsupported multiple taproot BIP0032 derivation info found, can only sign for one at a time")
	}
	hashType, err := sigHash(in.SighashType, txscript.SigHashDefault)
	if err != nil {
		return job, nil, err
	}
	d := in.TaprootBip32Derivation[0]
	job.Schnorr = true
	var h []byte
	switch len(d.LeafHashes) {
	case 0:
		if n := len(in.TaprootMerkleRoot); n != 0 && n != sha256.Size {
			return job, nil, mistake.Argument("invalid taproot merkle root length, got %d expected %d", n, sha256.Size)
		}
		job.Output, job.Root = true, in.TaprootMerkleRoot
		h, err = txscript.CalcTaprootSignatureHash(hashes, hashType, p.UnsignedTx, i, fetch)
		if err != nil {
			return job, nil, mistake.Argument("%w", err)
		}
		job.Digest = [32]byte(h)
		return job, func(sig *lnwire.Sig) { in.TaprootKeySpendSig = taprootSig(sig, hashType) }, nil
	case 1:
	default:
		return job, nil, mistake.Argument("unsupported number of leaf hashes in taproot BIP0032 derivation info, can only sign for one at a time")
	}
	if len(in.TaprootLeafScript) != 1 {
		return job, nil, mistake.Argument("specified leaf hash in taproot BIP0032 derivation but missing taproot leaf script")
	}
	leaf := txscript.TapLeaf{LeafVersion: in.TaprootLeafScript[0].LeafVersion, Script: in.TaprootLeafScript[0].Script}
	leafHash := leaf.TapHash()
	if !bytes.Equal(leafHash[:], d.LeafHashes[0]) {
		return job, nil, mistake.Argument("specified leaf hash in taproot BIP0032 derivation but corresponding taproot leaf script was not found")
	}
	if h, err = txscript.CalcTapscriptSignaturehash(hashes, hashType, p.UnsignedTx, i, fetch, leaf); err != nil {
		return job, nil, mistake.Argument("%w", err)
	}
	job.Digest = [32]byte(h)
	return job, func(sig *lnwire.Sig) {
		in.TaprootScriptSpendSig = append(in.TaprootScriptSpendSig, &psbt.TaprootScriptSpendSig{
			XOnlyPubKey: d.XOnlyPubKey, LeafHash: leafHash[:], Signature: sig[:], SigHash: hashType,
		})
	}, nil
}

// sigHash is the kind of signature that an input asks for; 0 the usual one. The error
// says that there is no such kind.
func sigHash(asked, usual txscript.SigHashType) (txscript.SigHashType, error) {
	if asked == 0 {
		return usual, nil
	}
	switch asked &^ txscript.SigHashAnyOneCanPay {
	case txscript.SigHashAll, txscript.SigHashNone, txscript.SigHashSingle:
		return asked, nil
	}
	return 0, mistake.Argument("no signature of type %#x", uint32(asked))
}

// taprootSig is a signature as a witness holds it: that of the default kind has no byte of its own.
func taprootSig(sig *lnwire.Sig, hashType txscript.SigHashType) []byte {
	if hashType == txscript.SigHashDefault {
		return sig[:]
	}
	return append(sig[:], byte(hashType))
}

// FinalizePsbt signs what the wallet holds of a packet's inputs, puts all signatures where
// they belong, and gives the transaction, whose scripts were run. The error says that it
// is signed already, or names an input that lacks a signature.
func (w *Wallet) FinalizePsbt(s Signer, p *psbt.Packet) (*wire.MsgTx, error) {
	if p.IsComplete() {
		return nil, mistake.State("PSBT is already fully signed")
	}
	fetch, err := psbtPrevouts(p)
	if err != nil {
		return nil, err
	}
	hashes := txscript.NewTxSigHashes(p.UnsignedTx, fetch)
	for i := range p.Inputs {
		if err := w.finish(s, p, i, hashes, fetch); err != nil {
			return nil, fmt.Errorf("error computing input script for input %d: %w", i, err)
		}
	}
	if err := psbt.MaybeFinalizeAll(p); err != nil {
		return nil, mistake.Argument("error finalizing PSBT: %w", err)
	}
	tx, err := psbt.Extract(p)
	if err != nil {
		return nil, fmt.Errorf("unable to extract final TX: %w", err)
	}
	for i, in := range tx.TxIn {
		out := fetch.FetchPrevOutput(in.PreviousOutPoint)
		vm, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetch)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			return nil, mistake.Argument("input %d does not hold: %w", i, err)
		}
	}
	return tx, nil
}

// finish makes the witness of an input that spends a coin of ours.
func (w *Wallet) finish(s Signer, p *psbt.Packet, i int, hashes *txscript.TxSigHashes, fetch txscript.PrevOutputFetcher) error {
	in, op := &p.Inputs[i], p.UnsignedTx.TxIn[i].PreviousOutPoint
	c := w.coins[op]
	if c == nil || c.Key.Number >= keys.Foreign || len(in.FinalScriptWitness) > 0 {
		return nil
	}
	if out := fetch.FetchPrevOutput(op); out.Value != int64(c.Value) || !bytes.Equal(out.PkScript, c.PkScript) {
		return errOtherOutput
	}
	hashType, err := sigHash(in.SighashType, usualHash(c.Key))
	if err != nil {
		return err
	}
	digest, err := w.digest(p.UnsignedTx, i, c, hashType, hashes, fetch)
	if err != nil {
		return err
	}
	sigs, ok := s.SignCoins([]keys.CoinJob{{Key: c.Key, Digest: digest}})
	if !ok || len(sigs) != 1 {
		return ErrSigner
	}
	var txIn wire.TxIn
	if err := w.putWitness(&txIn, c.Key, sigs[0], hashType); err != nil {
		return err
	}
	var witness bytes.Buffer
	if err := psbt.WriteTxWitness(&witness, txIn.Witness); err != nil {
		return err
	}
	in.FinalScriptWitness, in.FinalScriptSig = witness.Bytes(), nil
	if len(txIn.SignatureScript) > 0 {
		in.FinalScriptSig = txIn.SignatureScript
	}
	return nil
}
