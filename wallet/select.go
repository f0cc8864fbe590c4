package wallet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Strategy says which coins to prefer when nothing fits exactly.
type Strategy uint8

const (
	// BestFit looks for coins that need no change, then for the smallest coin that
	// is enough, then takes the largest first.
	BestFit Strategy = iota
	// LargestFirst takes the largest coins.
	LargestFirst
	// Shuffled takes coins in an order that follows from a seed.
	Shuffled
)

// InsufficientFunds says that the free coins do not cover a payment and its fee.
// Clients of lnd compare the text's beginning.
type InsufficientFunds struct {
	Need lnwire.Sat // with the fee of the transaction, without that of the inputs
	Have lnwire.Sat // after the fee of the inputs
}

// Error says both amounts.
func (e *InsufficientFunds) Error() string {
	return fmt.Sprintf("insufficient funds available to construct transaction: need %v, have %v", e.Need, e.Have)
}

// candidate is a coin as selection sees it.
type candidate struct {
	coin   *CoinRow
	weight int64
	worth  lnwire.Sat // what is left of it after the fee of its input, above 0
}

// target is what the candidates' worth must reach.
type target struct {
	need   lnwire.Sat // outputs and the fee of everything but inputs and change
	change lnwire.Sat // the fee of a change output
	dust   lnwire.Sat // the least that change may hold
	spend  lnwire.Sat // the fee of spending change later
}

// bnbTries bounds the search for coins that need no change.
const bnbTries = 100_000

// candidates are the coins that are worth their input at the rate, the worthiest
// first.
func candidates(coins []*CoinRow, rate lnwire.SatPerKW) []candidate {
	list := make([]candidate, 0, len(coins))
	for _, c := range coins {
		weight := inputWeight(form(c.Key))
		if cost := feeFor(rate, weight); c.Value > cost {
			list = append(list, candidate{coin: c, weight: weight, worth: c.Value - cost})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.worth, a.worth), compareOutPoints(a.coin.OutPoint, b.coin.OutPoint))
	})
	return list
}

// choose picks candidates, sorted by falling worth, that reach the target.
func choose(list []candidate, t target, strategy Strategy, seed [32]byte) ([]candidate, error) {
	total := worthOf(list)
	if total < t.need {
		return nil, &InsufficientFunds{Need: t.need, Have: total}
	}
	comfortable := t.need + t.change + t.dust // enough for a change output
	switch strategy {
	case LargestFirst:
	case Shuffled:
		list = shuffled(list, seed)
	case BestFit:
		if exact := branchAndBound(list, t.need, t.need+t.change+t.spend); exact != nil {
			return exact, nil
		}
		// The last that is enough is the smallest one.
		if i := lastEnough(list, comfortable); i >= 0 {
			return list[i : i+1], nil
		}
	}
	sum := lnwire.Sat(0)
	for i, c := range list {
		if sum += c.worth; sum >= comfortable {
			return list[:i+1], nil
		}
	}
	// Not enough for change: what is beyond the need goes to the fee. The fewest
	// coins that do are the cheapest.
	sum = 0
	for i, c := range list {
		if sum += c.worth; sum >= t.need {
			return list[:i+1], nil
		}
	}
	return list, nil
}

func worthOf(list []candidate) (sum lnwire.Sat) {
	for _, c := range list {
		sum += c.worth
	}
	return sum
}

// lastEnough is the index of the last candidate worth at least need, or -1.
func lastEnough(list []candidate, need lnwire.Sat) int {
	i, _ := slices.BinarySearchFunc(list, need, func(c candidate, need lnwire.Sat) int {
		if c.worth >= need {
			return -1
		}
		return 1
	})
	return i - 1
}

// branchAndBound looks for candidates whose worth lies between low and high, as low
// as can be found within bnbTries steps; nil if there are none. It is a depth-first
// walk: at each candidate first with it, then without.
func branchAndBound(list []candidate, low, high lnwire.Sat) []candidate {
	rest := make([]lnwire.Sat, len(list)+1) // what all candidates from i on are worth
	for i := len(list) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + list[i].worth
	}
	var (
		picked, best []int
		sum, bestSum lnwire.Sat
	)
	for i, tries := 0, 0; tries < bnbTries; tries++ {
		switch {
		case sum >= low && sum <= high && (best == nil || sum < bestSum):
			best, bestSum = slices.Clone(picked), sum
			if sum == low {
				tries = bnbTries // nothing is better
			}
		case sum < low && i < len(list) && sum+rest[i] >= low:
			picked, sum = append(picked, i), sum+list[i].worth
			i++
			continue
		}
		// Back to the last one that was taken, and on without it. Its equals would
		// only give the same sums again.
		if len(picked) == 0 {
			break
		}
		last := picked[len(picked)-1]
		picked, sum = picked[:len(picked)-1], sum-list[last].worth
		for i = last + 1; i < len(list) && list[i].worth == list[last].worth; i++ {
		}
	}
	if best == nil {
		return nil
	}
	chosen := make([]candidate, len(best))
	for n, i := range best {
		chosen[n] = list[i]
	}
	return chosen
}

// shuffled is the list in an order that nobody knows without the seed.
func shuffled(list []candidate, seed [32]byte) []candidate {
	rank := make(map[wire.OutPoint][32]byte, len(list))
	for _, c := range list {
		rank[c.coin.OutPoint] = sha256.Sum256(append(seed[:], c.coin.OutPoint.String()...))
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b candidate) int {
		x, y := rank[a.coin.OutPoint], rank[b.coin.OutPoint]
		return bytes.Compare(x[:], y[:])
	})
	return list
}
