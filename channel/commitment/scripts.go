package commitment

import (
	"bytes"
	"crypto/sha256"

	"github.com/btcsuite/btcd/txscript/v2"
	//lint:ignore SA1019 the HTLC scripts of BOLT 3 need it
	"golang.org/x/crypto/ripemd160"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// FundingScript is the 2-of-2 of the two funding_pubkeys, in either order, and the
// output script that pays to it.
func FundingScript(a, b lnwire.PubKey) (witnessScript, pkScript []byte) {
	if bytes.Compare(a[:], b[:]) > 0 { // B3.fund.1
		a, b = b, a
	}
	s := make([]byte, 0, 71)
	s = append(s, txscript.OP_2)
	s = pushKey(s, a)
	s = pushKey(s, b)
	s = append(s, txscript.OP_2, txscript.OP_CHECKMULTISIG)
	return s, payToScript(s)
}

// payToScript is the version-0 witness program of a witness script.
func payToScript(witnessScript []byte) []byte {
	return appendPayToScript(make([]byte, 0, 34), witnessScript)
}

func appendPayToScript(dst, witnessScript []byte) []byte {
	sum := sha256.Sum256(witnessScript)
	dst = append(dst, txscript.OP_0, txscript.OP_DATA_32)
	return append(dst, sum[:]...)
}

// payToKey is the version-0 witness program of a key.
func payToKey(k lnwire.PubKey) []byte {
	h := hash160(k[:])
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, h[:]...)
}

func hash160(data []byte) [20]byte {
	sum := sha256.Sum256(data)
	return ripemd(sum[:])
}

func ripemd(data []byte) (out [20]byte) {
	h := ripemd160.New()
	h.Write(data)
	h.Sum(out[:0])
	return out
}

func pushKey(dst []byte, k lnwire.PubKey) []byte {
	dst = append(dst, txscript.OP_DATA_33)
	return append(dst, k[:]...)
}

// pushInt appends n in the shortest form that scripts know, little-endian.
func pushInt(dst []byte, n uint32) []byte {
	if n == 0 {
		return append(dst, txscript.OP_0)
	}
	if n <= 16 {
		return append(dst, byte(txscript.OP_1-1+n))
	}
	var num [5]byte
	size := 0
	for v := n; v > 0; v >>= 8 {
		num[size] = byte(v)
		size++
	}
	if num[size-1]&0x80 != 0 { // the top bit is the sign
		size++
	}
	dst = append(dst, byte(size))
	return append(dst, num[:size]...)
}

// delayedScript guards what returns to the owner: to_local and the outputs of the
// HTLC transactions. The owner waits, who knows the revocation key does not.
//
// B3.out.1, B3.out.8, B3.htlctx.7
func delayedScript(k *Keys, delay uint16) []byte {
	s := make([]byte, 0, 80)
	s = append(s, txscript.OP_IF)
	s = pushKey(s, k.Revocation)
	s = append(s, txscript.OP_ELSE)
	s = pushInt(s, uint32(delay))
	s = append(s, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_DROP)
	s = pushKey(s, k.OwnerDelayed)
	return append(s, txscript.OP_ENDIF, txscript.OP_CHECKSIG)
}

// otherScript guards to_remote of an anchor commitment: one block of delay, so
// that nothing but the anchors can be spent while unconfirmed.
func otherScript(k lnwire.PubKey) []byte {
	s := pushKey(make([]byte, 0, 37), k)
	return append(s, txscript.OP_CHECKSIGVERIFY, txscript.OP_1, txscript.OP_CHECKSEQUENCEVERIFY)
}

// anchorScript guards an anchor: its owner at once, anyone after 16 blocks.
//
// B3.anchor.4, B3.anchor.5
func anchorScript(funding lnwire.PubKey) []byte {
	s := pushKey(make([]byte, 0, 40), funding)
	return append(s, txscript.OP_CHECKSIG, txscript.OP_IFDUP, txscript.OP_NOTIF,
		txscript.OP_16, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_ENDIF)
}

// htlcScripts writes the witness scripts of one commitment's HTLCs. What they have
// in common is made once.
type htlcScripts struct {
	format    Format
	prefix    []byte // up to the test whether a preimage was given
	ownerHTLC lnwire.PubKey
}

// maxHTLCScript is the length of the longest HTLC script.
const maxHTLCScript = 144

func newHTLCScripts(f Format, k *Keys) htlcScripts {
	revocation := hash160(k.Revocation[:])
	s := make([]byte, 0, 66)
	s = append(s, txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20)
	s = append(s, revocation[:]...)
	s = append(s, txscript.OP_EQUAL, txscript.OP_IF, txscript.OP_CHECKSIG, txscript.OP_ELSE)
	s = pushKey(s, k.OtherHTLC)
	s = append(s, txscript.OP_SWAP, txscript.OP_SIZE, txscript.OP_DATA_1, 32, txscript.OP_EQUAL)
	return htlcScripts{format: f, prefix: s, ownerHTLC: k.OwnerHTLC}
}

// append writes the script of one HTLC.
//
// B3.out.4, B3.out.5
func (h *htlcScripts) append(dst []byte, x *HTLC) []byte {
	dst = append(dst, h.prefix[:]...)
	hash := ripemd(x.Hash[:])
	if x.Offered {
		dst = append(dst, txscript.OP_NOTIF, txscript.OP_DROP)
		dst = h.both(dst)
		dst = append(dst, txscript.OP_ELSE)
		dst = needPreimage(dst, hash)
	} else {
		dst = append(dst, txscript.OP_IF)
		dst = needPreimage(dst, hash)
		dst = h.both(dst)
		dst = append(dst, txscript.OP_ELSE, txscript.OP_DROP)
		dst = pushInt(dst, uint32(x.Expiry))
		dst = append(dst, txscript.OP_CHECKLOCKTIMEVERIFY, txscript.OP_DROP)
	}
	dst = append(dst, txscript.OP_CHECKSIG, txscript.OP_ENDIF)
	if h.format == Anchors {
		dst = append(dst, txscript.OP_1, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_DROP)
	}
	return append(dst, txscript.OP_ENDIF)
}

// both wants the signatures of both sides, through an HTLC transaction.
func (h *htlcScripts) both(dst []byte) []byte {
	dst = append(dst, txscript.OP_2, txscript.OP_SWAP)
	dst = pushKey(dst, h.ownerHTLC)
	return append(dst, txscript.OP_2, txscript.OP_CHECKMULTISIG)
}

func needPreimage(dst []byte, hash [20]byte) []byte {
	dst = append(dst, txscript.OP_HASH160, txscript.OP_DATA_20)
	dst = append(dst, hash[:]...)
	return append(dst, txscript.OP_EQUALVERIFY)
}
