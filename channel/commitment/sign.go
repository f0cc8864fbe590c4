package commitment

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// digest is what both sides' signatures of the commitment cover.
func (c *Commitment) digest() [32]byte {
	script, _ := FundingScript(c.Params.Owner.Funding, c.Params.Other.Funding)
	m := single(c.Tx)
	return digest(&m, c.Tx, 0, script, int64(c.Params.Capacity), txscript.SigHashAll)
}

// htlcDigest is what the other side's signature of an HTLC transaction covers.
func (c *Commitment) htlcDigest(h *HTLCOutput) [32]byte {
	if c.Params.Format.HTLCSigHash() == txscript.SigHashAll {
		return c.ownHTLCDigest(h)
	}
	m := pairOnly(h.Second.TxOut[0]) // B3.htlctx.6
	return digest(&m, h.Second, 0, h.Script, int64(h.Amount.Sat()), c.Params.Format.HTLCSigHash())
}

// ownHTLCDigest is what the owner's signature of an HTLC transaction covers: all of
// it, or anyone could add inputs and outputs (BOLT 5).
//
// B3.htlctx.8
func (c *Commitment) ownHTLCDigest(h *HTLCOutput) [32]byte {
	m := single(h.Second)
	return digest(&m, h.Second, 0, h.Script, int64(h.Amount.Sat()), txscript.SigHashAll)
}

// SignJobs are the signatures of commitment_signed, when we are the other: the
// commitment's first, then one per HTLC transaction in the order of the outputs.
func (c *Commitment) SignJobs(keys KeyLocs) []SignJob {
	jobs := make([]SignJob, 1, 1+len(c.HTLCs))
	jobs[0] = SignJob{Key: keys.Funding, Digest: c.digest()}
	tweak := LocalTweak(c.Keys.Point, c.Params.Other.HTLC)
	for i := range c.HTLCs {
		jobs = append(jobs, SignJob{Key: keys.HTLC, Tweak: &tweak, Digest: c.htlcDigest(&c.HTLCs[i])})
	}
	return jobs
}

// Checks are what the other side's commitment_signed must satisfy, when we are the
// owner. It is false, before any curve arithmetic, when the number of HTLC
// signatures is wrong or when one is not canonical: with r or s out of range, or
// with the high s that does not relay (V-02).
func (c *Commitment) Checks(sig lnwire.Sig, htlcSigs []lnwire.Sig) ([]Check, bool) {
	high := func(s lnwire.Sig) bool { return !s.IsLowS() }
	if len(htlcSigs) != len(c.HTLCs) || high(sig) || slices.ContainsFunc(htlcSigs, high) {
		return nil, false
	}
	checks := make([]Check, 1, 1+len(c.HTLCs))
	checks[0] = Check{Key: c.Params.Other.Funding, Digest: c.digest(), Sig: sig}
	for i := range c.HTLCs {
		checks = append(checks, Check{Key: c.Keys.OtherHTLC, Digest: c.htlcDigest(&c.HTLCs[i]), Sig: htlcSigs[i]})
	}
	return checks, true
}

// OwnJobs are our signatures of our own commitment, when we are the owner: the
// commitment's first, then one per HTLC transaction in the order of the outputs.
// With anchors an HTLC transaction pays no fee; use OwnerHTLC to spend the output
// together with inputs that do.
func (c *Commitment) OwnJobs(keys KeyLocs) []SignJob {
	jobs := make([]SignJob, 1, 1+len(c.HTLCs))
	jobs[0] = SignJob{Key: keys.Funding, Digest: c.digest()}
	tweak := LocalTweak(c.Keys.Point, c.Params.Owner.HTLC)
	for i := range c.HTLCs {
		jobs = append(jobs, SignJob{Key: keys.HTLC, Tweak: &tweak, Digest: c.ownHTLCDigest(&c.HTLCs[i])})
	}
	return jobs
}

// Finish is the commitment with its witness, ready to be published, from the
// owner's signature and the other's.
func (c *Commitment) Finish(ownSig, theirSig lnwire.Sig) *wire.MsgTx {
	return finishFunding(c.Tx, c.Params.Owner.Funding, c.Params.Other.Funding, ownSig, theirSig)
}

// finishFunding adds the witness of the funding input to a copy of tx.
func finishFunding(tx *wire.MsgTx, aKey, bKey lnwire.PubKey, a, b lnwire.Sig) *wire.MsgTx {
	script, _ := FundingScript(aKey, bKey)
	if bytes.Compare(aKey[:], bKey[:]) > 0 {
		a, b = b, a
	}
	done := tx.Copy()
	done.TxIn[0].Witness = wire.TxWitness{ // B3.tx.4
		nil, witnessSig(a, txscript.SigHashAll), witnessSig(b, txscript.SigHashAll), script,
	}
	return done
}

// fundingWitness is what the witness of the funding input weighs at most: its count,
// an empty item, two signatures and the script.
const fundingWitness = 1 + 1 + 2*(1+maxSigLen) + 1 + 71

// Weight is what the commitment with its witness weighs at most.
func (c *Commitment) Weight() int64 {
	return int64(4*c.Tx.SerializeSizeStripped() + 2 + fundingWitness)
}

// ToldWeight is the weight that is told to users: as lnd has it, with the witness of 224
// that BOLT 3 expects, whose signatures are larger than any that is low in S.
func (c *Commitment) ToldWeight() int64 { return int64(4*c.Tx.SerializeSizeStripped() + 224) }

// FinishHTLC is the HTLC transaction of HTLCs[i] with its witness. HTLC-success
// needs the preimage; HTLC-timeout ignores it. The error is a preimage that is
// missing or does not open the hash.
func (c *Commitment) FinishHTLC(i int, ownSig, theirSig lnwire.Sig, preimage *lnwire.Preimage) (*wire.MsgTx, error) {
	h := &c.HTLCs[i]
	if err := h.needs(preimage); err != nil {
		return nil, fmt.Errorf("finish htlc transaction of %v: %w", h.Ref, err)
	}
	done := h.Second.Copy()
	done.TxIn[0].Witness = h.secondWitness(c.Params.Format, ownSig, theirSig, preimage)
	return done, nil
}

// needs checks that the owner has what it takes to use its HTLC transaction.
func (h *HTLCOutput) needs(preimage *lnwire.Preimage) error {
	if h.Offered {
		return nil
	}
	if preimage == nil {
		return errors.New("preimage is missing")
	}
	if preimage.Hash() != h.Hash {
		return errors.New("preimage does not open the hash")
	}
	return nil
}

// secondWitness is the witness of the owner's HTLC transaction.
func (h *HTLCOutput) secondWitness(f Format, ownSig, theirSig lnwire.Sig, preimage *lnwire.Preimage) wire.TxWitness {
	var last []byte // B3.htlctx.5
	if !h.Offered {
		last = preimage[:]
	}
	return wire.TxWitness{
		nil, witnessSig(theirSig, f.HTLCSigHash()), witnessSig(ownSig, txscript.SigHashAll), last, h.Script,
	}
}
