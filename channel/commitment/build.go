package commitment

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Commitment is one commitment transaction with all that follows from it. It is
// made by Build and only read afterwards: scripts are shared between its parts.
type Commitment struct {
	Params Params
	Number uint64 // counted up from 0
	Keys   Keys
	Tx     *wire.MsgTx // without witness
	Txid   chainhash.Hash
	// HTLCs are those with an output, in the order of the outputs, which is that of
	// the signatures in commitment_signed.
	HTLCs   []HTLCOutput
	Trimmed []HTLC // those without
	// Indexes of the other outputs; -1 where there is none.
	ToOwner, ToOther         int
	AnchorOwner, AnchorOther int
	// Fee is all that the outputs leave to the miner: the base fee, what was
	// trimmed, and what was rounded off.
	Fee lnwire.Sat

	delayed []byte // witness script of to_local and of the HTLC transactions' outputs
}

// HTLCOutput is an HTLC that has an output, bound to it by its Ref and not by hash
// and amount, which others may share (V-11).
type HTLCOutput struct {
	HTLC
	Output int    // index in the commitment
	Script []byte // witness script
	// Second is the owner's HTLC transaction, without witness: HTLC-timeout for one
	// that it offered, else HTLC-success.
	Second *wire.MsgTx
}

// Build makes commitment number of the owner, whose per-commitment point is point.
// It fails on keys that are no points and on an s that no commitment can hold:
// amounts that do not sum up to the capacity, outputs worth more than the capacity
// because the funder cannot pay for the anchors, or no output at all. A funder who
// cannot pay the whole base fee pays what it has (BOLT 3); see Affordable.
func Build(p *Params, number uint64, point lnwire.PubKey, s Spec) (*Commitment, error) {
	keys, err := DeriveKeys(p.Owner, p.Other, point)
	if err != nil {
		return nil, fmt.Errorf("build commitment %d: %w", number, err)
	}
	return BuildWith(p, number, keys, s)
}

// BuildWith is Build with keys derived before, since that is its greater part: the
// next point is known one revocation ahead.
func BuildWith(p *Params, number uint64, keys Keys, s Spec) (*Commitment, error) {
	if err := p.check(number, s); err != nil {
		return nil, fmt.Errorf("build commitment %d: %w", number, err)
	}
	c := &Commitment{
		Params: *p, Number: number, Keys: keys,
		ToOwner: -1, ToOther: -1, AnchorOwner: -1, AnchorOther: -1,
		delayed: delayedScript(&keys, p.ToSelfDelay),
	}
	outputs := c.draft(s)
	if len(outputs) == 0 {
		return nil, fmt.Errorf("build commitment %d: no output is left", number)
	}
	slices.SortFunc(outputs, compareOutputs)
	if err := c.place(outputs); err != nil {
		return nil, fmt.Errorf("build commitment %d: %w", number, err)
	}
	c.addSeconds(s.FeeRate)
	return c, nil
}

// check refuses what no commitment of this channel can hold.
func (p *Params) check(number uint64, s Spec) error {
	switch p.Format {
	case StaticRemoteKey, Anchors:
	default:
		return fmt.Errorf("unknown format %d", p.Format)
	}
	if number > MaxNumber {
		return errors.New("number is above the last secret")
	}
	if p.Capacity > lnwire.MaxSat {
		return fmt.Errorf("capacity of %v is more than all money", p.Capacity)
	}
	left := p.Capacity.MilliSat()
	take := func(amount lnwire.MilliSat) bool {
		ok := amount <= left
		left -= min(amount, left)
		return ok
	}
	ok := take(s.ToOwner) && take(s.ToOther)
	for i := range s.HTLCs {
		ok = ok && take(s.HTLCs[i].Amount)
	}
	if !ok {
		return fmt.Errorf("amounts exceed the capacity of %v", p.Capacity)
	}
	if left != 0 {
		return fmt.Errorf("amounts fall %v short of the capacity of %v", left, p.Capacity)
	}
	return nil
}

// kind says what an output is.
type kind uint8

const (
	toOwner kind = iota
	toOther
	anchorOwner
	anchorOther
	toHTLC
)

// output is an output before it has found its place.
type output struct {
	kind   kind
	value  lnwire.Sat
	pk     []byte
	script []byte // witness script, of an HTLC
	htlc   *HTLC
}

// compareOutputs is the order of BIP 69, then by expiry. HTLCs that are equal in
// all this are told apart by their Ref, so that building the same commitment again
// from a differently ordered Spec binds each output to the same HTLC.
func compareOutputs(a, b output) int {
	// B3.order.1, B3.order.2
	if n := cmp.Compare(a.value, b.value); n != 0 {
		return n
	}
	if n := bytes.Compare(a.pk, b.pk); n != 0 {
		return n
	}
	if a.kind != toHTLC || b.kind != toHTLC {
		return cmp.Compare(a.kind, b.kind)
	}
	// B3.order.3
	return cmp.Or(cmp.Compare(a.htlc.Expiry, b.htlc.Expiry), compareRefs(a.htlc.Ref, b.htlc.Ref))
}

func compareRefs(a, b htlc.Ref) int {
	return cmp.Or(cmp.Compare(a.ChanNum, b.ChanNum), cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.ID, b.ID))
}

// draft decides which outputs there are.
func (c *Commitment) draft(s Spec) []output {
	outputs := make([]output, 0, len(s.HTLCs)+4)
	outputs = c.draftHTLCs(outputs, s)
	htlcs := len(outputs)

	// B3.fee.5: the funder pays for the base fee and both anchors.
	owner, other := s.ToOwner.Sat(), s.ToOther.Sat()
	cost := CommitFee(c.Params.Format, s.FeeRate, htlcs) + c.Params.Format.anchorCost()
	if c.Params.OwnerIsFunder {
		owner -= min(owner, cost)
	} else {
		other -= min(other, cost)
	}
	// B3.trim.1, B3.trim.2
	ownerPaid := owner > 0 && owner >= c.Params.DustLimit
	otherPaid := other > 0 && other >= c.Params.DustLimit
	if ownerPaid {
		outputs = append(outputs, output{kind: toOwner, value: owner, pk: payToScript(c.delayed)})
	}
	if otherPaid {
		outputs = append(outputs, output{kind: toOther, value: other, pk: c.otherPkScript()})
	}
	if c.Params.Format == Anchors {
		// B3.anchor.1, B3.anchor.2
		if ownerPaid || htlcs > 0 {
			outputs = append(outputs, anchorOutput(anchorOwner, c.Params.Owner.Funding))
		}
		if otherPaid || htlcs > 0 {
			outputs = append(outputs, anchorOutput(anchorOther, c.Params.Other.Funding))
		}
	}
	return outputs
}

// draftHTLCs appends the outputs of the HTLCs that are not trimmed and notes the
// others.
func (c *Commitment) draftHTLCs(outputs []output, s Spec) []output {
	n := c.Params.Untrimmed(s)
	if n < len(s.HTLCs) {
		c.Trimmed = make([]HTLC, 0, len(s.HTLCs)-n)
	}
	if n == 0 {
		c.Trimmed = append(c.Trimmed, s.HTLCs...)
		return outputs
	}
	scripts := newHTLCScripts(c.Params.Format, &c.Keys)
	slab := make([]byte, 0, n*(maxHTLCScript+34)) // one allocation for all scripts
	for i := range s.HTLCs {
		h := &s.HTLCs[i]
		if c.Params.trims(s.FeeRate, h) {
			c.Trimmed = append(c.Trimmed, *h)
			continue
		}
		start := len(slab)
		slab = scripts.append(slab, h)
		script := slab[start:len(slab):len(slab)]
		slab = appendPayToScript(slab, script)
		pk := slab[start+len(script) : len(slab) : len(slab)]
		outputs = append(outputs, output{kind: toHTLC, value: h.Amount.Sat(), pk: pk, script: script, htlc: h}) // B3.out.7
	}
	return outputs
}

func (c *Commitment) otherPkScript() []byte {
	return otherMainPkScript(c.Params.Format, c.Params.Other.Payment)
}

// otherMainScript needs no per-commitment point: who lost its state can still find
// and spend the output.
func otherMainScript(f Format, payment lnwire.PubKey) []byte {
	if f == Anchors {
		return otherScript(payment) // B3.out.3
	}
	return nil
}

func otherMainPkScript(f Format, payment lnwire.PubKey) []byte {
	if s := otherMainScript(f, payment); s != nil {
		return payToScript(s)
	}
	return payToKey(payment) // B3.out.2
}

func anchorOutput(k kind, funding lnwire.PubKey) output {
	// B3.anchor.3
	return output{kind: k, value: AnchorValue, pk: payToScript(anchorScript(funding))}
}

// place makes the transaction from the sorted outputs and notes where each went.
func (c *Commitment) place(outputs []output) error {
	lockTime, sequence := c.Params.encodeNumber(c.Number)
	tx := &wire.MsgTx{
		Version:  2, // B3.tx.1
		LockTime: lockTime,
		TxIn:     []*wire.TxIn{{PreviousOutPoint: c.Params.Funding, Sequence: sequence}},
		TxOut:    make([]*wire.TxOut, len(outputs)),
	}
	txOuts := make([]wire.TxOut, len(outputs))
	var total lnwire.Sat
	for i, o := range outputs {
		txOuts[i] = wire.TxOut{Value: int64(o.value), PkScript: o.pk}
		tx.TxOut[i] = &txOuts[i]
		total += o.value
		switch o.kind {
		case toOwner:
			c.ToOwner = i
		case toOther:
			c.ToOther = i
		case anchorOwner:
			c.AnchorOwner = i
		case anchorOther:
			c.AnchorOther = i
		case toHTLC:
			if c.HTLCs == nil {
				c.HTLCs = make([]HTLCOutput, 0, len(outputs)-i)
			}
			c.HTLCs = append(c.HTLCs, HTLCOutput{HTLC: *o.htlc, Output: i, Script: o.script})
		}
	}
	if total > c.Params.Capacity {
		return fmt.Errorf("outputs of %v exceed the capacity of %v: the funder cannot pay for the anchors", total, c.Params.Capacity)
	}
	c.Fee = c.Params.Capacity - total
	c.Tx = tx
	c.Txid = tx.TxHash()
	return nil
}

// second is an HTLC transaction with all its parts in one piece of memory.
type second struct {
	tx   wire.MsgTx
	in   wire.TxIn
	out  wire.TxOut
	ins  [1]*wire.TxIn
	outs [1]*wire.TxOut
}

// addSeconds makes the owner's HTLC transactions. All pay to the same script.
func (c *Commitment) addSeconds(rate lnwire.SatPerKW) {
	if len(c.HTLCs) == 0 {
		return
	}
	pk := payToScript(c.delayed)
	slab := make([]second, len(c.HTLCs))
	for i := range c.HTLCs {
		h, s := &c.HTLCs[i], &slab[i]
		// B3.htlctx.1, B3.htlctx.2, B3.htlctx.3, B3.htlctx.4
		fee := HTLCFee(c.Params.Format, rate, h.Offered)
		s.in = wire.TxIn{
			PreviousOutPoint: wire.OutPoint{Hash: c.Txid, Index: uint32(h.Output)},
			Sequence:         c.htlcSequence(),
		}
		s.out = wire.TxOut{Value: int64(h.Amount.Sat() - fee), PkScript: pk}
		s.ins[0], s.outs[0] = &s.in, &s.out
		s.tx = wire.MsgTx{Version: 2, TxIn: s.ins[:], TxOut: s.outs[:]}
		if h.Offered {
			s.tx.LockTime = uint32(h.Expiry)
		}
		h.Second = &s.tx
	}
}

// htlcSequence is the sequence of every input that spends an HTLC output without
// the revocation key: with anchors it waits one block.
func (c *Commitment) htlcSequence() uint32 {
	if c.Params.Format == Anchors {
		return 1
	}
	return 0
}

// Find is the index in HTLCs of the HTLC that ref names; false when it has no
// output here.
func (c *Commitment) Find(ref htlc.Ref) (int, bool) {
	i := slices.IndexFunc(c.HTLCs, func(h HTLCOutput) bool { return h.Ref == ref })
	return i, i >= 0
}

// At is the index in HTLCs of the HTLC whose output has the given index.
func (c *Commitment) At(output uint32) (int, bool) {
	i := slices.IndexFunc(c.HTLCs, func(h HTLCOutput) bool { return uint32(h.Output) == output })
	return i, i >= 0
}
