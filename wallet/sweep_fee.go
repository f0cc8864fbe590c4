package wallet

import "github.com/fulgur-ln/fulgur/lnwire"

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
	if r.Budget > 0 {
		return r.Budget
	}
	value := lnwire.Sat(r.Spend.Output.Value)
	if r.Spend.Pair != nil {
		value = lnwire.Sat(r.Spend.Pair.Value)
	}
	return value / 2
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

// firstRate is what a batch is first offered for.
func (s *Sweeper) firstRate(batch []*request, fees Fees) lnwire.SatPerKW {
	left := uint32(patience)
	if d := deadlineOf(batch); d != 0 {
		left = blocksLeft(d, s.w.height())
	}
	return max(fees.Within(left), floorOf(batch))
}

// blocksLeft is in how many blocks a deadline must be met, at least 1.
func blocksLeft(deadline, tip lnwire.Height) uint32 {
	if deadline <= tip {
		return 1
	}
	return uint32(deadline - tip)
}

// nextRate is what a flight should pay now. With a deadline it rises in a straight
// line from the first rate to the whole budget in the last block before, and with
// the estimate if that is higher; without one it follows the estimate, in steps of
// a quarter.
func (s *Sweeper) nextRate(f *flight, batch []*request, fees Fees) lnwire.SatPerKW {
	tip := s.w.height()
	deadline := deadlineOf(batch)
	if deadline == 0 {
		waited := uint32(tip - min(f.since, tip))
		rate := fees.Within(max(haste, patience-min(waited, patience)))
		if rate < f.rate+f.rate/4 {
			return f.rate
		}
		return rate
	}
	most := rateOf(budgetOf(batch), f.weight)
	left := blocksLeft(deadline, tip)
	if left <= 1 {
		return max(most, f.rate)
	}
	rate := fees.Within(left)
	if span := uint64(blocksLeft(deadline, f.since)) - 1; most > f.from && span > 0 {
		gone := min(uint64(tip-min(f.since, tip)), span)
		rate = max(rate, f.from+lnwire.SatPerKW(uint64(most-f.from)*gone/span))
	}
	return max(min(rate, max(most, f.rate)), f.rate)
}
