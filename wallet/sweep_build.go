package wallet

import (
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// errBudget says that what may be spent does not buy what is needed.
var errBudget = mistake.Argument("its budget does not pay the fee")

// draft is a sweep in the making.
type draft struct {
	batch   []*request // those with a pair first
	rate    lnwire.SatPerKW
	least   lnwire.SatPerKW // if the budget does not reach this, there is no sweep
	home    []byte          // where the money goes; nil: to a fresh address
	instead *flight         // the transaction that this one replaces, whose coins are free for it; nil: none
	now     time.Time

	homeAddress *Address // the fresh address, if one was needed
	tx          *wire.MsgTx
	coins       []CoinRow // of the wallet, that help to pay
}

// weight is that of a request's input and, if it has one, its output.
func (r *request) weight() int64 {
	w := int64(r.Spend.InputWeight())
	if r.Spend.Pair != nil {
		w += scale * int64(r.Spend.Pair.SerializeSize())
	}
	return w
}

// economic reports that a request can pay for its own part.
func (r *request) economic(rate lnwire.SatPerKW) bool {
	return r.Force || r.Parent != nil || feeFor(rate, r.weight()) <= r.budget()
}

// build makes and signs the transaction of a draft. Requests with a pair come first,
// so that inputs and outputs stand side by side; then the others; then coins of the
// wallet, where the requests cannot pay; all that is left goes to one output.
func (s *Sweeper) build(d *draft) (*flight, error) {
	if err := s.findHome(d); err != nil {
		return nil, err
	}
	if parentPays(d) {
		return nil, errors.New("its parent pays enough by itself")
	}
	d.sort()
	if err := d.fitRate(); err != nil {
		return nil, err
	}
	if err := s.addCoins(d); err != nil {
		return nil, err
	}
	if d.idle() {
		return nil, errBudget
	}
	fee := d.fee(d.rate)
	if fee > budgetOf(d.batch) {
		return nil, errBudget
	}
	d.assemble(fee)
	if err := s.sign(d); err != nil {
		return nil, err
	}
	f := &flight{txid: d.tx.TxHash(), home: d.home, parent: parentOf(d.batch), fee: fee, weight: d.weight()}
	f.rate = max(d.rate, f.rateFor(fee))
	return f, nil
}

func (s *Sweeper) findHome(d *draft) error {
	if d.home != nil {
		return nil
	}
	a, err := s.w.peek(AccountID{Kind: keys.P2TR}, keys.Internal)
	if err != nil {
		return fmt.Errorf("sweep address: %w", err)
	}
	d.home, d.homeAddress = a.PkScript, &a
	return nil
}

// sort puts the requests with a pair first, otherwise keeping the order.
func (d *draft) sort() {
	var paired, free []*request
	for _, r := range d.batch {
		if r.Spend.Pair != nil {
			paired = append(paired, r)
		} else {
			free = append(free, r)
		}
	}
	d.batch = append(paired, free...)
}

// weight is what the transaction weighs at most with the coins that it has.
func (d *draft) weight() int64 {
	inputs, outputs, size := int64(0), 1, wire.NewTxOut(0, d.home).SerializeSize()
	for _, r := range d.batch {
		inputs += int64(r.Spend.InputWeight())
		if r.Spend.Pair != nil {
			outputs++
			size += r.Spend.Pair.SerializeSize()
		}
	}
	for i := range d.coins {
		inputs += inputWeight(form(d.coins[i].Key))
	}
	return txWeight(len(d.batch)+len(d.coins), inputs, outputs, size)
}

// fee is what the transaction must pay for a rate: with an unconfirmed parent, so
// much that both together pay it; and in the place of another more than that, for each
// byte and for its own relay (BIP 125).
func (d *draft) fee(rate lnwire.SatPerKW) lnwire.Sat {
	weight, p := d.weight(), parentOf(d.batch)
	both := feeFor(rate, weight+p.Weight)
	fee := max(both-min(both, p.Fee), feeFor(lnwire.FeeFloor, weight))
	if f := d.instead; f != nil {
		fee = max(fee, f.fee+feeFor(incrementalFee, weight), feeFor(rateOf(f.fee, f.weight)+1, weight))
	}
	return fee
}

// parentPays reports that nothing needs to be raised.
func parentPays(d *draft) bool {
	p := parentOf(d.batch)
	return p.Weight > 0 && d.instead == nil && p.Fee >= feeFor(d.rate, p.Weight)
}

// idle reports that the child would not even pay its parent's rate: nobody would mine
// the parent sooner for it.
func (d *draft) idle() bool {
	p := parentOf(d.batch)
	return p.Weight > 0 && uint64(d.fee(d.rate))*uint64(p.Weight) <= uint64(p.Fee)*uint64(d.weight())
}

// balance is what the requests and coins bring beyond the pairs.
func (d *draft) balance() (in, pairs lnwire.Sat) {
	for _, r := range d.batch {
		in += lnwire.Sat(r.Spend.Output.Value)
		if r.Spend.Pair != nil {
			pairs += lnwire.Sat(r.Spend.Pair.Value)
		}
	}
	for i := range d.coins {
		in += d.coins[i].Value
	}
	return in, pairs
}

// fitRate lowers the rate to what the budget pays, but not below what was offered
// before.
func (d *draft) fitRate() error {
	budget := budgetOf(d.batch)
	if d.fee(d.rate) <= budget {
		return nil
	}
	low, high := max(d.least, lnwire.FeeFloor), d.rate
	if low > high || d.fee(low) > budget {
		return errBudget
	}
	for low < high { // the highest rate that the budget pays
		mid := high - (high-low)/2
		if d.fee(mid) <= budget {
			low = mid
		} else {
			high = mid - 1
		}
	}
	d.rate = low
	return nil
}

// addCoins takes coins of the wallet, from blocks only, until the fee is paid and
// something above dust comes home.
func (s *Sweeper) addCoins(d *draft) error {
	in, pairs := d.balance()
	need := pairs + d.fee(d.rate) + DustLimit(d.home)
	if in >= need {
		return nil
	}
	var coins []*CoinRow
	for _, c := range s.w.coins {
		ours := !c.spent() || d.instead != nil && c.SpentBy == d.instead.txid
		if ours && c.Key.Number == 0 && s.requests[c.OutPoint] == nil && s.w.mature(c) && s.w.confirmations(c.At) > 0 && !s.w.leased(c.OutPoint, d.now) {
			coins = append(coins, c)
		}
	}
	list, err := choose(candidates(coins, d.rate), target{
		need:  need - in + feeFor(d.rate, 2*scale), // the count of inputs may take two bytes more
		spend: feeFor(d.rate, inputWeight(formP2TR)),
	}, BestFit, [32]byte{})
	if err != nil {
		return err
	}
	for _, c := range list {
		d.coins = append(d.coins, *c.coin)
	}
	// What the coins' inputs cost may be beyond the budget now.
	if d.fee(d.rate) <= budgetOf(d.batch) {
		return nil
	}
	return d.fitRate()
}

// assemble lays out the transaction.
func (d *draft) assemble(fee lnwire.Sat) {
	d.tx = wire.NewMsgTx(2)
	for _, r := range d.batch {
		d.tx.AddTxIn(r.Spend.Input())
		d.tx.LockTime = max(d.tx.LockTime, r.Spend.LockTime)
		if r.Spend.Pair != nil {
			d.tx.AddTxOut(wire.NewTxOut(r.Spend.Pair.Value, r.Spend.Pair.PkScript))
		}
	}
	for i := range d.coins {
		d.tx.AddTxIn(&wire.TxIn{PreviousOutPoint: d.coins[i].OutPoint, Sequence: sequenceRBF})
	}
	in, pairs := d.balance()
	d.tx.AddTxOut(wire.NewTxOut(int64(in-pairs-fee), d.home))
}

// sign fills in all witnesses.
func (s *Sweeper) sign(d *draft) error {
	spends, coins := make([]commitment.Spend, len(d.batch)), d.coins
	for i, r := range d.batch {
		spends[i] = r.Spend
		if r.coin != nil {
			coins = append(coins, *r.coin)
		}
	}
	hashes := txscript.NewTxSigHashes(d.tx, prevouts(coins, spends))
	needs := func(i int) bool { return d.batch[i].coin == nil && spends[i].NeedsSig() }
	var jobs []commitment.SignJob
	for i := range spends {
		if needs(i) {
			jobs = append(jobs, spends[i].Job(d.tx, i, hashes))
		}
	}
	sigs, ok := s.signer.Sign(jobs)
	if !ok || len(sigs) != len(jobs) {
		return ErrSigner
	}
	putWitnesses(d.tx, spends, needs, sigs)
	return s.w.signCoins(s.signer, d.tx, coins, spends)
}

// putWitnesses fills in the witnesses of the requests; coins of the wallet have others.
func putWitnesses(tx *wire.MsgTx, spends []commitment.Spend, needs func(int) bool, sigs []lnwire.Sig) {
	for i, n := 0, 0; i < len(spends); i++ {
		var sig lnwire.Sig
		if needs(i) {
			sig = sigs[n]
			n++
		}
		tx.TxIn[i].Witness = spends[i].Witness(sig)
	}
}
