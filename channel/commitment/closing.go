package commitment

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Closing is what is fixed for the mutual close of a channel, seen from our side.
type Closing struct {
	Funding                wire.OutPoint
	Capacity               lnwire.Sat
	OurKey, TheirKey       lnwire.PubKey // funding_pubkeys
	OurScript, TheirScript []byte        // of the shutdown messages
	Ours, Theirs           lnwire.MilliSat
	WeFund                 bool       // the fee is ours
	OurDust, TheirDust     lnwire.Sat // dust_limit_satoshis of each side
}

// ClosingTx is one variant of the closing transaction for one fee.
type ClosingTx struct {
	Closing      *Closing
	Tx           *wire.MsgTx // without witness
	Ours, Theirs int         // indexes of the outputs, -1 where there is none
	Digest       [32]byte    // what both signatures cover
}

// BuildClosing makes the closing transaction that we sign for fee (BOLT 3, Legacy
// Closing Transaction). It fails when the funder cannot pay the fee, when no output
// is left, or when the balances exceed the capacity.
func BuildClosing(p *Closing, fee lnwire.Sat) (*ClosingTx, error) {
	ours, theirs, err := p.split(fee)
	if err != nil {
		return nil, fmt.Errorf("build closing transaction: %w", err)
	}
	// B3.close.4: our own limit judges both outputs.
	withOurs, withTheirs := pays(ours, p.OurDust), pays(theirs, p.OurDust)
	if !withOurs && !withTheirs {
		return nil, errors.New("build closing transaction: no output is left")
	}
	return p.variant(ours, theirs, withOurs, withTheirs), nil
}

// ClosingVariants are the closing transactions for fee that the peer may have
// signed and that we may accept, the one that BuildClosing makes first: the peer may
// leave its own output away, and judges what is dust by its own limit. Our output is
// missing only where it is below one of the two limits. It fails as BuildClosing.
func ClosingVariants(p *Closing, fee lnwire.Sat) ([]*ClosingTx, error) {
	first, err := BuildClosing(p, fee)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := p.split(fee)
	if err != nil {
		return nil, err
	}
	low, high := min(p.OurDust, p.TheirDust), max(p.OurDust, p.TheirDust)
	variants := []*ClosingTx{first}
	for _, with := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		if with[0] && !pays(ours, low) || !with[0] && pays(ours, high) || with[1] && !pays(theirs, low) {
			continue
		}
		if with != [2]bool{first.Ours >= 0, first.Theirs >= 0} {
			variants = append(variants, p.variant(ours, theirs, with[0], with[1])) // B3.close.5
		}
	}
	return variants, nil
}

func pays(amount, dust lnwire.Sat) bool { return amount > 0 && amount >= dust }

// split rounds both balances down and takes the fee from the funder's.
func (p *Closing) split(fee lnwire.Sat) (ours, theirs lnwire.Sat, err error) {
	if p.Capacity > lnwire.MaxSat || p.Ours > p.Capacity.MilliSat() || p.Theirs > p.Capacity.MilliSat()-p.Ours {
		return 0, 0, fmt.Errorf("balances of %v and %v exceed the capacity of %v", p.Ours, p.Theirs, p.Capacity)
	}
	ours, theirs = p.Ours.Sat(), p.Theirs.Sat() // B3.close.2
	payer := &theirs
	if p.WeFund {
		payer = &ours
	}
	if fee > *payer {
		return 0, 0, fmt.Errorf("fee of %v exceeds the funder's balance of %v", fee, *payer)
	}
	*payer -= fee // B3.close.3
	return ours, theirs, nil
}

func (p *Closing) variant(ours, theirs lnwire.Sat, withOurs, withTheirs bool) *ClosingTx {
	return p.pay(&wire.MsgTx{ // B3.close.1
		Version: 2,
		TxIn:    []*wire.TxIn{{PreviousOutPoint: p.Funding, Sequence: wire.MaxTxInSequenceNum}},
	}, ours, theirs, withOurs, withTheirs)
}

// pay puts the outputs into a closing transaction.
func (p *Closing) pay(tx *wire.MsgTx, ours, theirs lnwire.Sat, withOurs, withTheirs bool) *ClosingTx {
	c := &ClosingTx{Closing: p, Tx: tx, Ours: -1, Theirs: -1}
	if withOurs {
		c.Tx.TxOut = append(c.Tx.TxOut, &wire.TxOut{Value: int64(ours), PkScript: p.OurScript})
		c.Ours = 0
	}
	if withTheirs {
		c.Theirs = len(c.Tx.TxOut)
		c.Tx.TxOut = append(c.Tx.TxOut, &wire.TxOut{Value: int64(theirs), PkScript: p.TheirScript})
	}
	if !slices.IsSortedFunc(c.Tx.TxOut, compareTxOuts) { // B3.order.4
		slices.Reverse(c.Tx.TxOut)
		c.Ours, c.Theirs = c.Theirs, c.Ours
	}
	script, _ := FundingScript(p.OurKey, p.TheirKey)
	m := single(c.Tx)
	c.Digest = digest(&m, c.Tx, 0, script, int64(p.Capacity), txscript.SigHashAll)
	return c
}

func compareTxOuts(a, b *wire.TxOut) int {
	return cmp.Or(cmp.Compare(a.Value, b.Value), bytes.Compare(a.PkScript, b.PkScript))
}

// Weight is what the closing transaction with both outputs weighs at most: the base
// of fee estimates and of fee_range.
func (p *Closing) Weight() int64 {
	outputs := outputSize(p.OurScript) + outputSize(p.TheirScript)
	return int64(4*(4+1+41+1+outputs+4) + 2 + fundingWitness)
}

func outputSize(pkScript []byte) int {
	return 8 + wire.VarIntSerializeSize(uint64(len(pkScript))) + len(pkScript)
}

// Job asks for our signature.
func (c *ClosingTx) Job(keys KeyLocs) SignJob { return SignJob{Key: keys.Funding, Digest: c.Digest} }

// Check is what the peer's signature must satisfy; false when it is not canonical:
// out of range, or with a high s that does not relay (V-02).
func (c *ClosingTx) Check(sig lnwire.Sig) (Check, bool) {
	return Check{Key: c.Closing.TheirKey, Digest: c.Digest, Sig: sig}, sig.IsLowS()
}

// Finish is the transaction with its witness, ready to be published.
func (c *ClosingTx) Finish(ourSig, theirSig lnwire.Sig) *wire.MsgTx {
	return finishFunding(c.Tx, c.Closing.OurKey, c.Closing.TheirKey, ourSig, theirSig)
}

// DustThreshold is the least value with which an output paying to pkScript relays
// (BOLT 3, Dust Limits).
//
// B3.dust.1
func DustThreshold(pkScript []byte) lnwire.Sat {
	switch {
	case len(pkScript) > 0 && pkScript[0] == txscript.OP_RETURN:
		return 0
	case txscript.IsPayToPubKeyHash(pkScript):
		return 546
	case txscript.IsPayToScriptHash(pkScript):
		return 540
	case txscript.IsPayToWitnessPubKeyHash(pkScript):
		return 294
	case txscript.IsPayToWitnessScriptHash(pkScript):
		return 330
	case bytes.Equal(pkScript, []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}): // pay to anchor
		return 240
	default:
		return 354 // other segwit versions, and what is no standard script
	}
}
