package wallet

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

var (
	// ErrNoSweep says that an outpoint is neither being swept nor a coin of the wallet.
	ErrNoSweep = errors.New("the passed output does not belong to the wallet")
	// ErrBumpConfirmed says that there is no fee to raise any more. Clients of lnd
	// compare the text.
	ErrBumpConfirmed = errors.New("unable to bump fee of a confirmed transaction")
)

// Bump is what a user wants to be offered for an output; 0: as it was.
type Bump struct {
	// Rate is where the offer begins, from now on.
	Rate     lnwire.SatPerKW
	Deadline lnwire.Height
	Budget   lnwire.Sat
	// Alone: it waits for no company.
	Alone bool
}

// Bump raises what is offered for a request, or for an unconfirmed coin of the wallet,
// which then raises the transaction that holds it by being spent. known tells the one
// from the other. The errors are ErrNoSweep, ErrBumpConfirmed, ErrLeased, or say that the
// budget does not reach: the wish stands nevertheless, and is tried again.
func (s *Sweeper) Bump(op wire.OutPoint, b Bump, fees Fees, now time.Time) (fx Effects, known bool, err error) {
	r := s.requests[op]
	if known = r != nil && !r.done(); !known {
		if r, err = s.coinRequest(op, now); err != nil {
			return Effects{}, false, err
		}
		s.requests[op] = r
	}
	s.wishFor(r, b)
	if f := r.flight; f != nil && b.Rate > f.rate {
		s.replace(f, b.Rate, now)
		if r.flight == f {
			err = fmt.Errorf("bump %v: %w: %v for %d sat/kw or more", op, errBudget, budgetOf(s.requestsOf(f)), f.leastReplacement())
		}
	}
	return s.Decide(fees, now), known, err
}

// coinRequest spends an unconfirmed coin of the wallet to itself.
func (s *Sweeper) coinRequest(op wire.OutPoint, now time.Time) (*request, error) {
	c := s.w.coins[op]
	switch {
	case c == nil || c.spent() || c.Key.Number >= keys.Foreign: // nobody here could sign
		return nil, ErrNoSweep
	case s.w.confirmations(c.At) > 0:
		return nil, ErrBumpConfirmed
	case s.w.leased(op, now):
		return nil, ErrLeased
	}
	return s.requestOf(c), nil
}

func (s *Sweeper) requestOf(c *CoinRow) *request {
	coin, op := *c, c.OutPoint
	coin.SpentBy = chainhash.Hash{}
	r := &request{coin: &coin, SweepRequest: SweepRequest{Force: true, Spend: commitment.Spend{
		OutPoint: op, Output: *wire.NewTxOut(int64(c.Value), c.PkScript), Sequence: sequenceRBF,
	}}}
	r.Spend.WitnessWeight = int(inputWeight(form(c.Key))) - r.Spend.InputWeight()
	if t := s.w.txs[op.Hash]; t != nil && t.FeeKnown {
		r.Parent = &Parent{Weight: blockchain.GetTransactionWeight(btcutil.NewTx(t.Tx)), Fee: t.Fee}
	}
	return r
}

// stillFree: nothing but a sweep spends the coin, and no block holds it.
func (s *Sweeper) stillFree(op wire.OutPoint) bool {
	c := s.w.coins[op]
	return c != nil && !c.spent() && s.w.confirmations(c.At) == 0
}

// Cost is what a sweep of these outputs together would pay now, by the estimate for
// sweeps without a deadline; and how many of them would not be worth it.
func (s *Sweeper) Cost(reqs []SweepRequest, fees Fees) (fee lnwire.Sat, left int) {
	rate := fees.Within(patience)
	weight := txWeight(len(reqs), 0, 1, changeSize)
	worth := slices.DeleteFunc(slices.Clone(reqs), func(req SweepRequest) bool { return !(&request{SweepRequest: req}).economic(rate) })
	if len(worth) == 0 {
		return 0, len(reqs)
	}
	for _, req := range worth {
		weight += (&request{SweepRequest: req}).weight()
	}
	return feeFor(rate, weight), len(reqs) - len(worth)
}

// Lift is what a child would pay now to raise a parent to the rate of the estimate, at
// most its budget.
func (s *Sweeper) Lift(req SweepRequest, fees Fees) lnwire.Sat {
	r := &request{SweepRequest: req}
	weight := txWeight(2, int64(req.Spend.InputWeight())+inputWeight(formP2TR), 1, changeSize)
	d := draft{batch: []*request{r}, rate: s.rateNow([]*request{r}, weight, fees)}
	if parentPays(&d) {
		return 0
	}
	both := feeFor(d.rate, weight+req.Parent.Weight)
	return min(max(both-min(both, req.Parent.Fee), feeFor(lnwire.FeeFloor, weight)), r.budget())
}
