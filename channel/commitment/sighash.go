package commitment

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// midstate are the hashes of a transaction that the digests of all its inputs
// share (BIP 143).
type midstate struct {
	prevouts, sequences, outputs chainhash.Hash
}

func doubleSHA(b []byte) chainhash.Hash {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

func appendOutPoint(dst []byte, op wire.OutPoint) []byte {
	dst = append(dst, op.Hash[:]...)
	return binary.LittleEndian.AppendUint32(dst, op.Index)
}

func appendTxOut(dst []byte, o *wire.TxOut) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(o.Value))
	dst = appendVarBytes(dst, o.PkScript)
	return dst
}

// appendVarBytes writes b after its length; the scripts here are below 2^16 bytes.
func appendVarBytes(dst, b []byte) []byte {
	if len(b) < 0xfd {
		dst = append(dst, byte(len(b)))
	} else {
		dst = append(dst, 0xfd, byte(len(b)), byte(len(b)>>8))
	}
	return append(dst, b...)
}

// single is the midstate of a transaction with one input, for SIGHASH_ALL.
func single(tx *wire.MsgTx) midstate {
	var buf [64]byte
	in := tx.TxIn[0]
	m := midstate{
		prevouts:  doubleSHA(appendOutPoint(buf[:0], in.PreviousOutPoint)),
		sequences: doubleSHA(binary.LittleEndian.AppendUint32(buf[:0], in.Sequence)),
	}
	if len(tx.TxOut) == 1 {
		m.outputs = doubleSHA(appendTxOut(buf[:0], tx.TxOut[0]))
		return m
	}
	outs := make([]byte, 0, len(tx.TxOut)*43)
	for _, o := range tx.TxOut {
		outs = appendTxOut(outs, o)
	}
	m.outputs = doubleSHA(outs)
	return m
}

// pairOnly is the midstate under SIGHASH_SINGLE|SIGHASH_ANYONECANPAY: of the whole
// transaction only the output beside the input counts.
func pairOnly(out *wire.TxOut) midstate {
	var buf [64]byte
	return midstate{outputs: doubleSHA(appendTxOut(buf[:0], out))}
}

// digest is what a signature of input idx covers (BIP 143). script is the witness
// script, or the script that a version-0 key hash stands for.
func digest(m *midstate, tx *wire.MsgTx, idx int, script []byte, value int64, hashType txscript.SigHashType) [32]byte {
	in := tx.TxIn[idx]
	var buf [352]byte
	b := binary.LittleEndian.AppendUint32(buf[:0], uint32(tx.Version))
	b = append(b, m.prevouts[:]...)
	b = append(b, m.sequences[:]...)
	b = appendOutPoint(b, in.PreviousOutPoint)
	b = appendVarBytes(b, script)
	b = binary.LittleEndian.AppendUint64(b, uint64(value))
	b = binary.LittleEndian.AppendUint32(b, in.Sequence)
	b = append(b, m.outputs[:]...)
	b = binary.LittleEndian.AppendUint32(b, tx.LockTime)
	b = binary.LittleEndian.AppendUint32(b, uint32(hashType))
	return doubleSHA(b)
}

// witnessSig is a signature as a witness carries it: DER, then the sighash type.
func witnessSig(sig lnwire.Sig, hashType txscript.SigHashType) []byte {
	return append(sig.DER(), byte(hashType))
}
