package commitment

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ClosingShape says which outputs a closing transaction of option_simple_close has.
type ClosingShape uint8

// The shapes, by the TLVs of closing_complete that sign them.
const (
	CloserOnly  ClosingShape = iota + 1 // closer_output_only
	CloseeOnly                          // closee_output_only
	BothOutputs                         // closer_and_closee_outputs
)

// String is the name of the TLV.
func (s ClosingShape) String() string {
	switch s {
	case CloserOnly:
		return "closer_output_only"
	case CloseeOnly:
		return "closee_output_only"
	case BothOutputs:
		return "closer_and_closee_outputs"
	}
	return "invalid"
}

// SimpleOffer is what the closer chooses.
type SimpleOffer struct {
	Fee      lnwire.Sat
	LockTime uint32
	Shape    ClosingShape
}

// BuildSimpleClosing makes the closing transaction of closing_complete (BOLT 3,
// Closing Transaction). p.WeFund says that we are the closer, who pays the fee. It
// fails when the closer cannot, and when the balances exceed the capacity.
//
// B3.simple.1: version 2, one input that can be replaced, the locktime of the message.
func BuildSimpleClosing(p *Closing, o SimpleOffer) (*ClosingTx, error) {
	ours, theirs, err := p.split(o.Fee) // B3.simple.2
	if err != nil {
		return nil, fmt.Errorf("build closing transaction: %w", err)
	}
	if burns(p.OurScript) { // B3.simple.3
		ours = 0
	}
	if burns(p.TheirScript) {
		theirs = 0
	}
	var withOurs, withTheirs bool
	switch o.Shape {
	case CloserOnly:
		withOurs, withTheirs = p.WeFund, !p.WeFund
	case CloseeOnly:
		withOurs, withTheirs = !p.WeFund, p.WeFund
	case BothOutputs:
		withOurs, withTheirs = true, true
	default:
		return nil, errors.New("build closing transaction: no such shape")
	}
	tx := &wire.MsgTx{
		Version: 2, LockTime: o.LockTime,
		TxIn: []*wire.TxIn{{PreviousOutPoint: p.Funding, Sequence: wire.MaxTxInSequenceNum - 2}},
	}
	return p.pay(tx, ours, theirs, withOurs, withTheirs), nil
}

// burns: an output with that script can never be spent, nor be dust.
func burns(pkScript []byte) bool { return len(pkScript) > 0 && pkScript[0] == txscript.OP_RETURN }
