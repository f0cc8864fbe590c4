package commitment

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/wire/v2"
)

// low24 masks the half of the obscured number that each field carries.
const low24 = 1<<24 - 1

// obscurer is the 48-bit number with which this channel's commitment numbers are
// xored, from both payment basepoints, the funder's first.
//
// B3.tx.5
func (p *Params) obscurer() uint64 {
	funder, fundee := p.Owner.Payment, p.Other.Payment
	if !p.OwnerIsFunder {
		funder, fundee = fundee, funder
	}
	h := sha256.New()
	h.Write(funder[:])
	h.Write(fundee[:])
	var sum [32]byte
	h.Sum(sum[:0])
	var n uint64
	for _, b := range sum[26:] {
		n = n<<8 | uint64(b)
	}
	return n
}

// encodeNumber gives the locktime and the sequence that carry number n.
func (p *Params) encodeNumber(n uint64) (lockTime, sequence uint32) {
	n ^= p.obscurer()
	// B3.tx.2, B3.tx.3
	return 0x20<<24 | uint32(n&low24), 0x80<<24 | uint32(n>>24&low24)
}

// NumberOf reads the commitment number from a transaction that spends the funding
// output; false when tx does not have the form of a commitment, such as a mutual
// close. It does not say whose commitment it is: the number is hidden alike.
func (p *Params) NumberOf(tx *wire.MsgTx) (uint64, bool) {
	if len(tx.TxIn) != 1 || tx.TxIn[0].PreviousOutPoint != p.Funding {
		return 0, false
	}
	sequence := tx.TxIn[0].Sequence
	if tx.LockTime>>24 != 0x20 || sequence>>24 != 0x80 {
		return 0, false
	}
	return (uint64(sequence&low24)<<24 | uint64(tx.LockTime&low24)) ^ p.obscurer(), true
}
