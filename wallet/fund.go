package wallet

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

var (
	// ErrAmountWithAll and ErrDuplicateCoins are callers' contradictions. Clients of
	// lnd compare the texts.
	ErrAmountWithAll  = errors.New("amount set while SendAll is active")
	ErrDuplicateCoins = errors.New("selected outpoints contain duplicate")
)

// FundRequest asks for a transaction that pays Outputs from our coins.
type FundRequest struct {
	Outputs []*wire.TxOut
	// All sends everything that is worth its fee to the one output, whose value must
	// be zero.
	All     bool
	FeeRate lnwire.SatPerKW
	// MinConfs is how deep the coins must be. With 0 unconfirmed coins are taken
	// too, if those in blocks do not suffice: our own change first.
	MinConfs uint32
	// Coins, when any, are spent all and alone.
	Coins []wire.OutPoint
	// Number is whose coins are spent, and where the change goes; 0: what every wallet
	// has, never anybody else's.
	Number   uint32
	Account  *keys.AccountKind // nil: coins of every kind
	ChangeTo *keys.AccountKind // nil: taproot, or what Number has
	// Stable leaves out what an unconfirmed sweep pays: another may take its place.
	Stable bool
	// Reserve must stay in the wallet (see RequiredReserve); with All it is sent to
	// ourselves.
	Reserve  lnwire.Sat
	Strategy Strategy
	Seed     [32]byte // for Shuffled: fresh randomness
	Now      time.Time
	Charges  []budget.Charge // what Send takes from spending budgets
}

// Funded is a transaction that pays what was asked.
type Funded struct {
	Tx      *wire.MsgTx
	Coins   []CoinRow // what its inputs spend, in their order
	Outputs []uint32  // where the requested outputs stand
	Change  *Address  // nil: there is none
	Fee     lnwire.Sat
	Weight  int64 // the most that it weighs once signed
}

// Plan works out a transaction without signing it and without changing anything.
// The errors are *InsufficientFunds, ErrReserve, ErrAmountWithAll,
// ErrDuplicateCoins, or say which coin or output cannot be.
func (w *Wallet) Plan(req FundRequest) (*Funded, error) {
	if err := checkRequest(&req); err != nil {
		return nil, err
	}
	if err := w.searchedAll(req.Number); err != nil {
		return nil, err
	}
	change, err := w.changeOf(&req)
	if err != nil {
		return nil, fmt.Errorf("fund: change address: %w", err)
	}
	if len(req.Coins) > 0 {
		coins, err := w.chosen(&req)
		if err != nil {
			return nil, err
		}
		return w.assemble(&req, coins, change)
	}
	// Deeper coins first; the last tier says what is missing.
	for tier := range 3 {
		f, tierErr := w.fromTier(&req, tier, change)
		var poor *InsufficientFunds
		if tierErr == nil || !errors.As(tierErr, &poor) {
			return f, tierErr
		}
		err = tierErr
		if req.MinConfs > 0 {
			break
		}
	}
	return nil, err
}

// changeOf is the next address for change.
func (w *Wallet) changeOf(req *FundRequest) (Address, error) {
	id := AccountID{Kind: keys.P2TR, Number: req.Number}
	if a := w.accounts[req.Number]; a != nil {
		id.Kind = a.row.Kind
	}
	if req.ChangeTo != nil {
		id.Kind = *req.ChangeTo
	}
	if req.Number == keys.Loose {
		id.Number = 0 // keys that stand alone have no change addresses
	}
	return w.peek(id, keys.Internal)
}

func checkRequest(req *FundRequest) error {
	if len(req.Outputs) == 0 && len(req.Coins) == 0 {
		return mistake.Argument("fund: no outputs")
	}
	if req.FeeRate < lnwire.FeeFloor {
		return mistake.Argument("fund: fee rate %d sat/kw is below the relay minimum of %d", req.FeeRate, lnwire.FeeFloor)
	}
	if req.All {
		if len(req.Outputs) != 1 {
			return mistake.Argument("fund: all coins to %d outputs, want one", len(req.Outputs))
		}
		if req.Outputs[0].Value != 0 {
			return ErrAmountWithAll
		}
		return nil
	}
	return checkOutputs(req.Outputs, -1)
}

// checkOutputs reports outputs that cannot be. The one at change may hold nothing yet.
func checkOutputs(outs []*wire.TxOut, change int32) error {
	total := lnwire.Sat(0)
	for i, out := range outs {
		if out.Value < 0 || lnwire.Sat(out.Value) > lnwire.MaxSat {
			return mistake.Argument("fund: output %d: amount %d is out of range", i, out.Value)
		}
		if v, dust := lnwire.Sat(out.Value), DustLimit(out.PkScript); v < dust && int32(i) != change {
			return mistake.Argument("fund: output %d: %v is below its dust limit of %v", i, v, dust)
		}
		if total += lnwire.Sat(out.Value); total > lnwire.MaxSat {
			return mistake.Argument("fund: outputs are more than all the money there is")
		}
	}
	return nil
}

// free reports that a coin may be chosen, but for its depth.
func (w *Wallet) free(c *CoinRow, req *FundRequest) bool {
	return c.Key.Number == req.Number && !c.spent() && w.mature(c) && !w.leased(c.OutPoint, req.Now) &&
		(req.Account == nil || c.Key.Account == *req.Account) && !(req.Stable && w.unstable(c)) && !w.bare(c)
}

// bare reports that of a coin only the output's key is known: what spends it weighs nobody
// here can tell.
func (w *Wallet) bare(c *CoinRow) bool {
	k := w.loose[c.Key.Index]
	return c.Key.Number == keys.Loose && k != nil && k.Output
}

// unstable reports that a coin may go away again because a sweep is replaced.
func (w *Wallet) unstable(c *CoinRow) bool {
	t := w.txs[c.OutPoint.Hash]
	return t != nil && t.Sweep && !t.mined()
}

// chosen are the coins that the caller named.
func (w *Wallet) chosen(req *FundRequest) ([]*CoinRow, error) {
	seen := map[wire.OutPoint]bool{}
	var coins []*CoinRow
	for _, op := range req.Coins {
		if seen[op] {
			return nil, fmt.Errorf("%w: %v", ErrDuplicateCoins, op)
		}
		seen[op] = true
		c := w.coins[op]
		switch {
		case c == nil || c.spent():
			return nil, fmt.Errorf("fund: %v: %w", op, ErrUnknownOutput)
		case w.leased(op, req.Now):
			return nil, fmt.Errorf("fund: %v: %w", op, ErrLeased)
		case !w.free(c, req):
			return nil, mistake.State("fund: %v: not yet mature, or of another account", op)
		case w.confirmations(c.At) < req.MinConfs:
			return nil, mistake.State("fund: %v: has %d confirmations, want %d", op, w.confirmations(c.At), req.MinConfs)
		}
		coins = append(coins, c)
	}
	return coins, nil
}

// fromTier funds from coins in blocks (0), and our own change (1), and any (2).
func (w *Wallet) fromTier(req *FundRequest, tier int, change Address) (*Funded, error) {
	var coins []*CoinRow
	for _, c := range w.coins {
		if !w.free(c, req) {
			continue
		}
		deep := w.confirmations(c.At) >= max(req.MinConfs, 1)
		if deep || tier == 1 && c.Own || tier == 2 {
			coins = append(coins, c)
		}
	}
	list := candidates(coins, req.FeeRate) // sorted
	if !req.All {
		size := outputsSize(req.Outputs)
		t := target{
			need:   valueOf(req.Outputs) + feeFor(req.FeeRate, txWeight(len(list), 0, len(req.Outputs), size)),
			change: feeFor(req.FeeRate, scale*changeSize),
			dust:   DustLimit(change.PkScript),
			spend:  feeFor(req.FeeRate, inputWeight(form(change.Key))),
		}
		var err error
		if list, err = choose(list, t, req.Strategy, req.Seed); err != nil {
			return nil, err
		}
	}
	picked := make([]*CoinRow, len(list))
	for i, c := range list {
		picked[i] = c.coin
	}
	return w.assemble(req, picked, change)
}

// assemble makes the transaction that spends exactly these coins.
func (w *Wallet) assemble(req *FundRequest, coins []*CoinRow, change Address) (*Funded, error) {
	coins = slices.Clone(coins)
	slices.SortFunc(coins, func(a, b *CoinRow) int { return compareOutPoints(a.OutPoint, b.OutPoint) })
	f := &Funded{Tx: wire.NewMsgTx(2)}
	total, weight := lnwire.Sat(0), int64(0)
	for _, c := range coins {
		f.Tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.OutPoint, Sequence: sequenceRBF})
		f.Coins = append(f.Coins, *c)
		total += c.Value
		weight += inputWeight(form(c.Key))
	}
	for i, out := range req.Outputs {
		f.Tx.AddTxOut(wire.NewTxOut(out.Value, out.PkScript))
		f.Outputs = append(f.Outputs, uint32(i))
	}
	size := outputsSize(req.Outputs)
	plain := txWeight(len(coins), weight, len(req.Outputs), size)
	changed := txWeight(len(coins), weight, len(req.Outputs)+1, size+wire.NewTxOut(0, change.PkScript).SerializeSize())

	var err error
	if req.All {
		err = w.payAll(req, f, total, plain, changed, change)
	} else {
		err = f.payChange(req.FeeRate, total, plain, changed, change)
	}
	if err != nil {
		return nil, err
	}
	if err := w.CheckReserve(f.Tx, req.Reserve, req.Now); err != nil {
		return nil, err
	}
	return f, nil
}

// payChange sends what is left over home, unless it is dust; then it is fee.
func (f *Funded) payChange(rate lnwire.SatPerKW, total lnwire.Sat, plain, changed int64, change Address) error {
	need := valueOf(f.Tx.TxOut)
	if least := need + feeFor(rate, plain); total < least {
		return &InsufficientFunds{Need: least, Have: total}
	}
	f.Fee, f.Weight = total-need, plain
	if least := need + feeFor(rate, changed) + DustLimit(change.PkScript); total >= least {
		f.Fee, f.Weight = feeFor(rate, changed), changed
		f.insertChange(total-need-f.Fee, change)
	}
	if len(f.Tx.TxOut) == 0 {
		return &InsufficientFunds{Need: feeFor(rate, changed) + DustLimit(change.PkScript), Have: total}
	}
	return nil
}

// payAll gives the one output all but the fee and what must stay with us.
func (w *Wallet) payAll(req *FundRequest, f *Funded, total lnwire.Sat, plain, changed int64, change Address) error {
	f.Fee, f.Weight = feeFor(req.FeeRate, plain), plain
	keep := lnwire.Sat(0)
	if beside := w.leftBeside(f.Tx.TxIn, req.Now); beside < req.Reserve {
		keep = max(req.Reserve-beside, DustLimit(change.PkScript))
		f.Fee, f.Weight = feeFor(req.FeeRate, changed), changed
	}
	if least := f.Fee + keep + DustLimit(req.Outputs[0].PkScript); total < least {
		return &InsufficientFunds{Need: least, Have: total}
	}
	f.Tx.TxOut[0].Value = int64(total - f.Fee - keep)
	if keep > 0 {
		f.insertChange(keep, change)
	}
	return nil
}

// insertChange puts the change at a place that follows from the inputs, so that
// nobody can tell it by its place.
func (f *Funded) insertChange(value lnwire.Sat, change Address) {
	h := sha256.New()
	for _, in := range f.Tx.TxIn {
		h.Write(in.PreviousOutPoint.Hash[:])
		h.Write(binary.BigEndian.AppendUint32(nil, in.PreviousOutPoint.Index))
	}
	n := uint64(len(f.Tx.TxOut) + 1)
	at := uint32(binary.BigEndian.Uint64(h.Sum(nil)) % n)
	f.Tx.TxOut = slices.Insert(f.Tx.TxOut, int(at), wire.NewTxOut(int64(value), change.PkScript))
	for i := range f.Outputs {
		if f.Outputs[i] >= at {
			f.Outputs[i]++
		}
	}
	f.Change = &change
}

// changeOutput is the output that was not asked for. Its script does not tell: a caller
// may pay to the very address that is next for change.
func (f *Funded) changeOutput() *wire.TxOut {
	for i, out := range f.Tx.TxOut {
		if !slices.Contains(f.Outputs, uint32(i)) {
			return out
		}
	}
	return nil
}

func valueOf(outs []*wire.TxOut) (sum lnwire.Sat) {
	for _, o := range outs {
		sum += lnwire.Sat(o.Value)
	}
	return sum
}

func outputsSize(outs []*wire.TxOut) (size int) {
	for _, o := range outs {
		size += o.SerializeSize()
	}
	return size
}

// Fund makes and signs a transaction that is to be published later, by Publish, and
// leases its coins with the id, owner and expiry of lease until then. The Delta is
// to be written together with whatever promises the transaction to others.
func (w *Wallet) Fund(s Signer, req FundRequest, lease LeaseRow) (*Funded, Effects, error) {
	f, err := w.signed(s, req)
	if err != nil {
		return nil, Effects{}, err
	}
	for _, c := range f.Coins {
		lease.OutPoint = c.OutPoint
		if err := w.lease(lease, req.Now); err != nil {
			return nil, Effects{}, fmt.Errorf("fund: lease %v: %w", c.OutPoint, err)
		}
	}
	return f, w.flush(), nil
}

// Send makes, signs and publishes a transaction.
func (w *Wallet) Send(s Signer, req FundRequest, label string) (*Funded, Effects, error) {
	f, err := w.signed(s, req)
	if err != nil {
		return nil, Effects{}, err
	}
	if err := w.publish(Publication{Tx: f.Tx, Label: cmp.Or(label, "external"), Now: req.Now, Charges: req.Charges}); err != nil {
		return nil, Effects{}, err
	}
	return f, w.flush(), nil
}

// signed plans and signs, and gives out the change address. Without an error
// nothing can fail after it; with one nothing has changed.
func (w *Wallet) signed(s Signer, req FundRequest) (*Funded, error) {
	f, err := w.Plan(req)
	if err != nil {
		return nil, err
	}
	if err := w.signCoins(s, f.Tx, f.Coins, nil); err != nil {
		return nil, err
	}
	if f.Change != nil {
		w.advance(f.Change.Key, false)
	}
	return f, nil
}
