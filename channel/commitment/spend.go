package commitment

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// SpendKind says which output of a closed channel is spent, by whom and how.
type SpendKind uint8

const (
	// SpendOwnerMain: to_local by the owner, after its delay.
	SpendOwnerMain SpendKind = iota + 1
	// SpendOwnerTimeout: an HTLC that the owner offered, as input of its
	// HTLC-timeout transaction.
	SpendOwnerTimeout
	// SpendOwnerSuccess: an HTLC that the owner received, as input of its
	// HTLC-success transaction.
	SpendOwnerSuccess
	// SpendOwnerSecond: the output of an HTLC transaction by the owner, after its
	// delay.
	SpendOwnerSecond
	// SpendOwnerAnchor: the owner's anchor by the owner.
	SpendOwnerAnchor
	// SpendOtherMain: to_remote by the other.
	SpendOtherMain
	// SpendOtherTimeout: an HTLC that the other offered, by the other, once it expired.
	SpendOtherTimeout
	// SpendOtherPreimage: an HTLC that the owner offered, by the other, with the
	// preimage.
	SpendOtherPreimage
	// SpendOtherAnchor: the other's anchor by the other.
	SpendOtherAnchor
	// SpendPunishMain: to_local of a revoked commitment by the other.
	SpendPunishMain
	// SpendPunishHTLC: an HTLC of a revoked commitment by the other.
	SpendPunishHTLC
	// SpendPunishSecond: the output of an HTLC transaction of a revoked commitment by
	// the other.
	SpendPunishSecond
	// SpendAnyAnchor: either anchor by anyone, 16 blocks after the commitment.
	SpendAnyAnchor
)

// AnchorDelay is after how many blocks anyone may spend an anchor.
const AnchorDelay = 16

// Spend tells all that it takes to spend one output of a closed channel as one
// input of a transaction: the input must have Sequence, the transaction version 2
// and at least LockTime.
type Spend struct {
	Kind          SpendKind
	OutPoint      wire.OutPoint
	Output        wire.TxOut
	WitnessScript []byte // nil when Output pays to the hash of PubKey
	Sequence      uint32
	LockTime      uint32 // a height; 0 when any will do
	// Key, Tweak and Revocation name the private key, as in SignJob; PubKey is its
	// public key. SpendAnyAnchor needs none.
	Key        KeyLoc
	Tweak      *[32]byte
	Revocation *lnwire.Secret
	PubKey     lnwire.PubKey
	Preimage   *lnwire.Preimage
	// Pair, if set, must stand as output at the same index as the input, exactly:
	// TheirSig covers it.
	Pair     *wire.TxOut
	TheirSig lnwire.Sig // SpendOwnerTimeout and SpendOwnerSuccess
	// WitnessWeight is what the witness weighs at most, with its count of items.
	WitnessWeight int
}

// maxSigLen is the length of the longest signature in a witness: DER with a low s
// and one byte for the sighash type.
const maxSigLen = 72

// InputWeight is what the whole input weighs at most.
func (s *Spend) InputWeight() int { return 4*41 + s.WitnessWeight }

// Input is the input without its witness.
func (s *Spend) Input() *wire.TxIn {
	return &wire.TxIn{PreviousOutPoint: s.OutPoint, Sequence: s.Sequence}
}

// NeedsSig reports whether Witness needs a signature: all but SpendAnyAnchor do.
func (s *Spend) NeedsSig() bool { return s.Kind != SpendAnyAnchor }

// Digest is what the signature of tx's input idx covers. hashes are those of tx, made
// with all the outputs that it spends.
func (s *Spend) Digest(tx *wire.MsgTx, idx int, hashes *txscript.TxSigHashes) [32]byte {
	m := midstate{
		prevouts:  chainhash.Hash(hashes.HashPrevOutsV0),
		sequences: chainhash.Hash(hashes.HashSequenceV0),
		outputs:   chainhash.Hash(hashes.HashOutputsV0),
	}
	script := s.WitnessScript
	if script == nil { // BIP 143: a key hash stands for the script of pay to public key hash
		script = make([]byte, 0, 25)
		script = append(script, txscript.OP_DUP, txscript.OP_HASH160)
		script = append(script, s.Output.PkScript[1:]...)
		script = append(script, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	}
	return digest(&m, tx, idx, script, s.Output.Value, txscript.SigHashAll)
}

// Job asks for the signature of tx's input idx; see Digest.
func (s *Spend) Job(tx *wire.MsgTx, idx int, hashes *txscript.TxSigHashes) SignJob {
	return SignJob{Key: s.Key, Tweak: s.Tweak, Revocation: s.Revocation, Digest: s.Digest(tx, idx, hashes)}
}

// Witness is the witness of the input, from our signature.
func (s *Spend) Witness(sig lnwire.Sig) wire.TxWitness {
	if s.Kind == SpendAnyAnchor {
		return s.stack(nil, nil)
	}
	var theirs []byte
	if s.Pair != nil {
		theirs = witnessSig(s.TheirSig, Anchors.HTLCSigHash())
	}
	return s.stack(witnessSig(sig, txscript.SigHashAll), theirs)
}

// stack puts the items of the witness in order.
func (s *Spend) stack(sig, theirs []byte) wire.TxWitness {
	switch s.Kind {
	case SpendOwnerMain, SpendOwnerSecond, SpendOtherTimeout:
		return wire.TxWitness{sig, nil, s.WitnessScript}
	case SpendOwnerTimeout:
		return wire.TxWitness{nil, theirs, sig, nil, s.WitnessScript}
	case SpendOwnerSuccess:
		return wire.TxWitness{nil, theirs, sig, s.Preimage[:], s.WitnessScript}
	case SpendOtherMain:
		if s.WitnessScript == nil {
			return wire.TxWitness{sig, s.PubKey[:]}
		}
		return wire.TxWitness{sig, s.WitnessScript}
	case SpendOtherPreimage:
		return wire.TxWitness{sig, s.Preimage[:], s.WitnessScript}
	case SpendPunishMain, SpendPunishSecond:
		return wire.TxWitness{sig, {1}, s.WitnessScript}
	case SpendPunishHTLC:
		return wire.TxWitness{sig, s.PubKey[:], s.WitnessScript}
	case SpendOwnerAnchor, SpendOtherAnchor:
		return wire.TxWitness{sig, s.WitnessScript}
	case SpendAnyAnchor:
		return wire.TxWitness{nil, s.WitnessScript}
	}
	return nil
}

// weighed fills in WitnessWeight, from the stack with the longest signatures.
func (s Spend) weighed() Spend {
	longest := make([]byte, maxSigLen)
	s.WitnessWeight = s.stack(longest, longest).SerializeSize()
	return s
}
