package wallet

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// InternalLease is the id of the leases that FundPsbt takes when nobody names one. It is
// lnd's, so that its users' scripts can release them.
var InternalLease = [32]byte{
	0xed, 0xe1, 0x9a, 0x92, 0xed, 0x32, 0x1a, 0x47, 0x05, 0xf8, 0xa1, 0xcc, 0xcc, 0x1d, 0x4f, 0x61,
	0x82, 0x54, 0x5d, 0x4b, 0xb4, 0xfa, 0xe0, 0x8b, 0xd5, 0x93, 0x78, 0x31, 0xb7, 0xe3, 0x8f, 0x98,
}

// PsbtFunding asks for a partially signed transaction (BIP 174) that pays for its outputs.
type PsbtFunding struct {
	// Packet is the template: outputs, and perhaps inputs. It is filled in.
	Packet *psbt.Packet
	// Fund says whose coins are taken and at what rate; its Outputs and Coins are those of
	// the packet.
	Fund FundRequest
	// Lease says for how long the coins are kept, and its id.
	Lease LeaseRow
}

// PsbtFunded is what was done to the packet.
type PsbtFunded struct {
	Change int32 // the index of the change output; -1: there is none
	Leases []LeaseRow
	Coins  []CoinRow // that were leased
}

// FundPsbt chooses coins for the template's outputs, or takes those that its inputs name
// and no others, adds change, sorts both as BIP 69 says, and leases the coins. On an
// error nothing has changed but the packet.
func (w *Wallet) FundPsbt(req PsbtFunding) (PsbtFunded, Effects, error) {
	p, fund := req.Packet, req.Fund
	if err := psbt.VerifyInputOutputLen(p, false, false); err != nil {
		return PsbtFunded{}, Effects{}, mistake.Argument("%w", err)
	}
	if len(p.UnsignedTx.TxIn) == 0 && len(p.UnsignedTx.TxOut) == 0 {
		return PsbtFunded{}, Effects{}, mistake.Argument("PSBT packet must contain at least one input or output")
	}
	fund.Outputs, fund.Coins, fund.Stable = p.UnsignedTx.TxOut, nil, true
	sequence := map[wire.OutPoint]uint32{}
	for i, in := range p.UnsignedTx.TxIn {
		c := w.coins[in.PreviousOutPoint]
		if c == nil || !w.free(c, &fund) || w.confirmations(c.At) < fund.MinConfs {
			return PsbtFunded{}, Effects{}, mistake.State("input %d not found in list of non-locked UTXO", i)
		}
		fund.Coins = append(fund.Coins, in.PreviousOutPoint)
		sequence[in.PreviousOutPoint] = in.Sequence
	}
	f, err := w.Plan(fund)
	if err != nil {
		return PsbtFunded{}, Effects{}, err
	}
	p.UnsignedTx.TxIn, p.Inputs = nil, nil
	for i, in := range f.Tx.TxIn {
		if n, ok := sequence[in.PreviousOutPoint]; ok {
			in.Sequence = n
		}
		if err := w.addInput(p, in, &f.Coins[i]); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
	}
	var change *wire.TxOut
	if f.Change != nil {
		change = f.changeOutput()
		if err := w.addOutput(p, change, f.Change.Key); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
	}
	if err := psbt.InPlaceSort(p); err != nil {
		return PsbtFunded{}, Effects{}, fmt.Errorf("could not sort PSBT: %w", err)
	}
	done := PsbtFunded{Change: -1}
	if change != nil {
		done.Change = int32(slices.Index(p.UnsignedTx.TxOut, change))
	}
	return w.leasePsbt(req, done, f.Coins, f.Change)
}

// leasePsbt ends a funding: nothing can fail any more but a lease.
func (w *Wallet) leasePsbt(req PsbtFunding, done PsbtFunded, coins []CoinRow, change *Address) (PsbtFunded, Effects, error) {
	for _, c := range coins {
		if w.leased(c.OutPoint, req.Fund.Now) {
			return PsbtFunded{}, Effects{}, fmt.Errorf("could not lock inputs: %v: %w", c.OutPoint, ErrLeased)
		}
	}
	for _, c := range coins {
		row := req.Lease
		row.OutPoint = c.OutPoint
		if err := w.lease(row, req.Fund.Now); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
		done.Leases, done.Coins = append(done.Leases, row), append(done.Coins, c)
	}
	if change != nil {
		w.advance(change.Key, false)
	}
	return done, w.flush(), nil
}

// PsbtSelect says how SelectPsbt gives change.
type PsbtSelect struct {
	Change   int32   // the output that takes what is left over; -1: a new one, if it is above dust
	FeeRatio float64 // the most that the fee may be of all outputs, above 0, at most 1
}

// SelectPsbt keeps the template's inputs, which are somebody else's or were leased before,
// and adds coins until the outputs are paid for. Neither inputs nor outputs change their
// order. Only what was added is leased.
func (w *Wallet) SelectPsbt(req PsbtFunding, how PsbtSelect) (PsbtFunded, Effects, error) {
	s := selection{w: w, p: req.Packet, fund: req.Fund, how: how}
	s.fund.Stable = true
	if err := s.begin(); err != nil {
		return PsbtFunded{}, Effects{}, err
	}
	if err := s.choose(); err != nil {
		return PsbtFunded{}, Effects{}, err
	}
	left, err := s.left()
	if err != nil {
		return PsbtFunded{}, Effects{}, err
	}
	var coins []CoinRow
	for _, c := range s.added {
		in := &wire.TxIn{PreviousOutPoint: c.coin.OutPoint, Sequence: sequenceRBF}
		if err := w.addInput(s.p, in, c.coin); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
		coins = append(coins, *c.coin)
	}
	done, change := PsbtFunded{Change: how.Change}, (*Address)(nil)
	if how.Change >= 0 {
		s.p.UnsignedTx.TxOut[how.Change].Value += int64(left)
	} else if left > 0 {
		change = &s.change
		done.Change = int32(len(s.p.UnsignedTx.TxOut))
		if err := w.addOutput(s.p, wire.NewTxOut(int64(left), change.PkScript), change.Key); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
	}
	if s.fund.Number == 0 {
		if err := w.CheckReserve(s.p.UnsignedTx, s.fund.Reserve, s.fund.Now); err != nil {
			return PsbtFunded{}, Effects{}, err
		}
	}
	return w.leasePsbt(req, done, coins, change)
}

// selection is one run of SelectPsbt.
type selection struct {
	w    *Wallet
	p    *psbt.Packet
	fund FundRequest
	how  PsbtSelect

	in, out lnwire.Sat
	weight  int64 // of the inputs
	change  Address
	added   []candidate
}

// begin adds up what the template has.
func (s *selection) begin() error {
	if err := psbt.VerifyInputOutputLen(s.p, false, true); err != nil {
		return mistake.Argument("%w", err)
	}
	if s.how.FeeRatio <= 0 || s.how.FeeRatio > 1 {
		return mistake.Argument("maxFeeRatio must be between 0.00 and 1.00 got %.2f", s.how.FeeRatio)
	}
	if s.fund.FeeRate < lnwire.FeeFloor {
		return mistake.Argument("fund: fee rate %d sat/kw is below the relay minimum of %d", s.fund.FeeRate, lnwire.FeeFloor)
	}
	if err := s.w.searchedAll(s.fund.Number); err != nil {
		return err
	}
	for i, txIn := range s.p.UnsignedTx.TxIn {
		if c := s.w.coins[txIn.PreviousOutPoint]; c != nil && !c.spent() {
			if s.w.free(c, &s.fund) {
				return mistake.State("input %v is not locked", txIn.PreviousOutPoint)
			}
			if err := s.w.decorate(&s.p.Inputs[i], c); err != nil {
				return err
			}
		}
		utxo := s.p.Inputs[i].WitnessUtxo
		if utxo == nil {
			return mistake.Argument("error estimating input weight: input %d: input doesn't specify any UTXO info", i)
		}
		weight, err := strangeWeight(&s.p.Inputs[i])
		if err != nil {
			return fmt.Errorf("error estimating input weight: input %d: %w", i, err)
		}
		if utxo.Value < 0 || lnwire.Sat(utxo.Value) > lnwire.MaxSat {
			return mistake.Argument("input %d: amount %d is out of range", i, utxo.Value)
		}
		s.in, s.weight = s.in+lnwire.Sat(utxo.Value), s.weight+weight
	}
	if err := checkOutputs(s.p.UnsignedTx.TxOut, s.how.Change); err != nil {
		return err
	}
	s.out = valueOf(s.p.UnsignedTx.TxOut)
	if s.how.Change >= 0 {
		return nil
	}
	var err error
	s.change, err = s.w.changeOf(&s.fund)
	return err
}

// strangeWeight is the most that an input of somebody else's weighs, as far as its script
// tells.
func strangeWeight(in *psbt.PInput) (int64, error) {
	switch script := in.WitnessUtxo.PkScript; {
	case txscript.IsPayToScriptHash(script):
		return inputWeight(formNested), nil
	case txscript.IsPayToWitnessPubKeyHash(script):
		return inputWeight(formP2WKH), nil
	case txscript.IsPayToTaproot(script):
		if len(in.TaprootLeafScript) > 0 {
			return 0, mistake.Argument("cannot estimate fee for script spend inputs")
		}
		return inputWeight(formP2TR) + 1, nil // a byte for a sighash that is not the default
	case txscript.IsPayToWitnessScriptHash(script):
		return 0, mistake.Argument("P2WSH inputs are not supported, cannot estimate witness size for script spend: " +
			"cannot estimate fee for script spend inputs")
	default:
		return 0, mistake.Argument("unknown input type for script %x: unsupported or unknown pk script", script)
	}
}

// fee is that of the transaction with what was added and so many bytes of new outputs.
func (s *selection) fee(inputs int, extra ...*wire.TxOut) lnwire.Sat {
	weight := s.weight
	for _, c := range s.added {
		weight += c.weight
	}
	outs := len(s.p.UnsignedTx.TxOut) + len(extra)
	size := outputsSize(s.p.UnsignedTx.TxOut) + outputsSize(extra)
	return feeFor(s.fund.FeeRate, txWeight(inputs, weight, outs, size))
}

// choose adds coins if the inputs do not suffice.
func (s *selection) choose() error {
	have := len(s.p.UnsignedTx.TxIn)
	if s.in >= s.out+s.fee(have) {
		return nil
	}
	var coins []*CoinRow
	for _, c := range s.w.coins {
		if s.w.free(c, &s.fund) && s.w.confirmations(c.At) >= s.fund.MinConfs {
			coins = append(coins, c)
		}
	}
	list := candidates(coins, s.fund.FeeRate)
	t := target{need: s.out + s.fee(have+len(list)) - s.in}
	if s.how.Change < 0 {
		t.change = feeFor(s.fund.FeeRate, scale*changeSize)
		t.dust, t.spend = DustLimit(s.change.PkScript), feeFor(s.fund.FeeRate, inputWeight(form(s.change.Key)))
	}
	var err error
	s.added, err = choose(list, t, s.fund.Strategy, s.fund.Seed)
	return err
}

// left is what goes to the change. The error says that the fee is too much.
func (s *selection) left() (left lnwire.Sat, err error) {
	total, inputs := s.in, len(s.p.UnsignedTx.TxIn)+len(s.added)
	for _, c := range s.added {
		total += c.coin.Value
	}
	fee := s.fee(inputs)
	if s.how.Change >= 0 {
		left = total - s.out - fee
	} else if more := s.fee(inputs, wire.NewTxOut(0, s.change.PkScript)); total >= s.out+more+DustLimit(s.change.PkScript) {
		left = total - s.out - more
	}
	fee = total - s.out - left
	if most := lnwire.Sat(float64(s.out+left) * s.how.FeeRatio); fee > most {
		return 0, mistake.Argument("fee %v exceeds max fee (%v) on total output value %v with max fee ratio of %.2f",
			fee, most, s.out+left, s.how.FeeRatio)
	}
	return left, nil
}

// addInput appends an input that spends a coin of ours.
func (w *Wallet) addInput(p *psbt.Packet, in *wire.TxIn, c *CoinRow) error {
	var input psbt.PInput
	if err := w.decorate(&input, c); err != nil {
		return err
	}
	p.UnsignedTx.TxIn, p.Inputs = append(p.UnsignedTx.TxIn, in), append(p.Inputs, input)
	return nil
}

// decorate tells a signer of a coin of ours: what it holds, and which key takes it.
func (w *Wallet) decorate(in *psbt.PInput, c *CoinRow) error {
	key, err := w.pubKey(c.Key)
	if err != nil {
		return err
	}
	f := form(c.Key)
	in.WitnessUtxo = wire.NewTxOut(int64(c.Value), c.PkScript)
	in.SighashType = txscript.SigHashAll
	if f == formP2TR {
		in.SighashType = txscript.SigHashDefault
	} else if t := w.txs[c.OutPoint.Hash]; t != nil {
		in.NonWitnessUtxo = t.Tx // old signers check the amount with it
	}
	if f == formNested {
		in.RedeemScript = p2wkhScript(key)
	}
	d := w.derivation(c.Key, key)
	switch {
	case d != nil && f == formP2TR:
		in.Bip32Derivation = []*psbt.Bip32Derivation{d}
		in.TaprootBip32Derivation = []*psbt.TaprootBip32Derivation{taprootOf(d)}
	case d != nil:
		in.Bip32Derivation = []*psbt.Bip32Derivation{d}
	case f == formP2TR && !w.bare(c):
		in.TaprootInternalKey = key[1:]
	}
	return nil
}

// addOutput appends change.
func (w *Wallet) addOutput(p *psbt.Packet, out *wire.TxOut, at keys.CoinLoc) error {
	key, err := w.pubKey(at)
	if err != nil {
		return err
	}
	var o psbt.POutput
	if d := w.derivation(at, key); d != nil {
		o.Bip32Derivation = []*psbt.Bip32Derivation{d}
		if form(at) == formP2TR {
			o.TaprootInternalKey = key[1:]
			o.TaprootBip32Derivation = []*psbt.TaprootBip32Derivation{taprootOf(d)}
		}
	}
	if form(at) == formNested {
		o.RedeemScript = p2wkhScript(key)
	}
	p.UnsignedTx.TxOut, p.Outputs = append(p.UnsignedTx.TxOut, out), append(p.Outputs, o)
	return nil
}

// derivation is where a key comes from; nil for one that stands alone.
func (w *Wallet) derivation(at keys.CoinLoc, key lnwire.PubKey) *psbt.Bip32Derivation {
	b := w.branches[branchOf(at)]
	if b == nil {
		return nil
	}
	d := &psbt.Bip32Derivation{PubKey: key[:], Bip32Path: b.account.Path(at.Branch, at.Index)}
	if a := w.accounts[at.Number]; a != nil {
		// lnd reads it big-endian, and psbt writes it little-endian: whoever imports an
		// account for it knows.
		d.MasterKeyFingerprint = binary.BigEndian.Uint32(a.row.Master[:])
	}
	return d
}

func taprootOf(d *psbt.Bip32Derivation) *psbt.TaprootBip32Derivation {
	return &psbt.TaprootBip32Derivation{
		XOnlyPubKey: d.PubKey[1:], MasterKeyFingerprint: d.MasterKeyFingerprint, Bip32Path: d.Bip32Path,
	}
}
