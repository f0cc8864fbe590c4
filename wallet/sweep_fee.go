package wallet

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// FeePoint says what a confirmation within that many blocks costs.
type FeePoint struct {
	Blocks uint32
	Rate   lnwire.SatPerKW
}

// Fees are estimates by ascending Blocks; none is what a node without estimates has.
type Fees []FeePoint

const (
	// noEstimate is offered first where nobody can tell what is enough: 4 sat/vbyte.
	noEstimate = 4 * lnwire.FeeFloor
	// patience is how many blocks a sweep without a deadline may take, and haste the
	// fewest that it is ever estimated for.
	patience, haste = 144, 6
	// urgentBlocks before its deadline a request is no longer batched.
	urgentBlocks = 6
	// doubtBlocks before the deadline it is no longer believed that a parent pays enough
	// by itself, whatever the estimate says: it would be mined by now.
	doubtBlocks = 12
)

// Within is the rate to be mined within that many blocks: that of the last point
// that asks for no more.
func (f Fees) Within(blocks uint32) lnwire.SatPerKW {
	if len(f) == 0 {
		return noEstimate
	}
	rate := f[0].Rate
	for _, p := range f {
		if p.Blocks <= blocks {
			rate = p.Rate
		}
	}
	return max(rate, lnwire.FeeFloor)
}

// budget is the most that may be paid for a request.
func (r *request) budget() lnwire.Sat {
	switch {
	case r.Budget > 0:
		return r.Budget
	case r.shared > 0:
		return r.shared
	}
	return r.half()
}

// half is the budget of one that nobody has set.
func (r *request) half() lnwire.Sat {
	if r.Spend.Pair != nil {
		return lnwire.Sat(r.Spend.Pair.Value) / 2
	}
	return lnwire.Sat(r.Spend.Output.Value) / 2
}

// share is the budget of a request that has to bear its part of a lift; 0: it has none to bear.
func (s *Sweeper) share(req *SweepRequest) lnwire.Sat {
	if req.Share == nil || req.Share.AtRisk == 0 || req.Budget != 0 {
		return 0
	}
	lift := s.w.sweepFee(req.Share.Anchor)
	value := lnwire.Sat(req.Spend.Output.Value)
	whole := (&request{SweepRequest: *req}).half()
	part := lnwire.Sat(uint64(lift) * uint64(min(value, req.Share.AtRisk)) / uint64(req.Share.AtRisk))
	return max(whole-min(whole, part), whole/4)
}

// unshare: behind its deadline nothing is at risk any more. What the lift has cost is gone, and
// what still lies there is worth its own half.
func (s *Sweeper) unshare(r *request) {
	if r.Deadline != 0 && s.w.height() > r.Deadline {
		r.shared = 0
	}
}

// sweepFee is what the sweep pays that spends an output, mined or not.
func (w *Wallet) sweepFee(op wire.OutPoint) (fee lnwire.Sat) {
	for _, t := range w.txs {
		if t.Sweep && t.FeeKnown && slices.ContainsFunc(t.Tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op }) {
			fee = max(fee, t.Fee)
		}
	}
	return fee
}

// deadlineOf is the first deadline of some requests; 0: none has one.
func deadlineOf(batch []*request) (first lnwire.Height) {
	for _, r := range batch {
		if r.Deadline != 0 && (first == 0 || r.Deadline < first) {
			first = r.Deadline
		}
	}
	return first
}

func budgetOf(batch []*request) (sum lnwire.Sat) {
	for _, r := range batch {
		sum += r.budget()
	}
	return sum
}

// floorOf is the highest rate that was ever offered for one of the requests: less
// would be a step back (V-07).
func floorOf(batch []*request) (rate lnwire.SatPerKW) {
	for _, r := range batch {
		rate = max(rate, r.rate)
	}
	return rate
}

// rateNow is what some requests should be offered for now, in a transaction of that
// weight: what the estimate says, and by a deadline more. From what was last offered
// it rises then in a straight line to the whole budget in the last block before,
// whoever may have broken up the transactions in between. It is never less than what
// was offered before (V-07), and the budget bounds it later.
func (s *Sweeper) rateNow(batch []*request, weight int64, fees Fees) lnwire.SatPerKW {
	tip, deadline := s.w.height(), deadlineOf(batch)
	rate, at := floorOf(batch), lnwire.Height(0)
	if deadline == 0 {
		if len(batch) == 1 && batch[0].wish.Rate > 0 {
			return rate // as the user said, whatever the estimate says
		}
		return max(rate, s.rateOfPatience(batch, fees))
	}
	for _, r := range batch {
		at = max(at, r.rateAt)
	}
	left := blocksLeft(deadline, tip)
	want := max(rate, fees.Within(left))
	p := parentOf(batch)
	most := rateOf(budgetOf(batch)+p.Fee, weight+p.Weight)
	if rate == 0 && p.Weight > 0 {
		rate, at = rateOf(p.Fee, p.Weight), deadline-min(deadline, doubtBlocks)
	}
	switch {
	case rate == 0 || most <= rate || tip <= at:
		return want
	case left <= 1:
		return max(want, most)
	}
	span := uint64(deadline - 1 - at)
	return max(want, rate+lnwire.SatPerKW(uint64(most-rate)*uint64(tip-at)/span))
}

// rateOfPatience is what the estimate says for requests without a deadline: for the less
// time the longer the first of them has been published.
func (s *Sweeper) rateOfPatience(batch []*request, fees Fees) lnwire.SatPerKW {
	tip := s.w.height()
	since := tip
	for _, r := range batch {
		if len(r.versions) > 0 {
			since = min(since, r.since)
		}
	}
	waited := uint32(tip - since)
	return fees.Within(max(haste, patience-min(waited, patience)))
}

// blocksLeft is in how many blocks a deadline must be met, at least 1.
func blocksLeft(deadline, tip lnwire.Height) uint32 {
	if deadline <= tip {
		return 1
	}
	return uint32(deadline - tip)
}

// raised is what a flight should pay instead: as much as it pays, unless by now the
// difference is worth a replacement. Without a deadline that takes a quarter more.
func (s *Sweeper) raised(f *flight, fees Fees) lnwire.SatPerKW {
	batch := s.requestsOf(f)
	rate := s.rateNow(batch, f.weight, fees)
	if rate < f.leastReplacement() || deadlineOf(batch) == 0 && rate < f.rate+f.rate/4 {
		return f.rate
	}
	return rate
}

// leastReplacement is the lowest rate at which a replacement relays (BIP 125).
func (f *flight) leastReplacement() lnwire.SatPerKW {
	return f.rateFor(f.fee+feeFor(incrementalFee, f.weight)) + 1
}

// rateFor is what the flight would pay with a fee, together with its parent.
func (f *flight) rateFor(fee lnwire.Sat) lnwire.SatPerKW {
	return rateOf(fee+f.parent.Fee, f.weight+f.parent.Weight)
}

// parentOf is the transaction whose fee the requests raise; zero: none. One that does
// is alone in its batch.
func parentOf(batch []*request) (p Parent) {
	for _, r := range batch {
		if r.Parent != nil {
			p = *r.Parent
		}
	}
	return p
}
