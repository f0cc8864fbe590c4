package routing

import (
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Bimodal is another way to judge how likely a channel carries an amount: most channels are
// full on one side, so that what they can send lies near nothing or near all of their capacity. What
// went through and what did not cuts off a piece of that, and with time the pieces grow back.
// (Pickhardt and Richter, "Optimally Reliable & Cheap Payment Flows", 2021, with the distribution
// that lnd has.)
type Bimodal struct {
	// Scale is how far from the ends of a channel its money lies: exp(-x/Scale).
	Scale lnwire.MilliSat
	// Decay is the time after which what was learned counts a third, 1/e, of what it did.
	Decay time.Duration
	// NodeWeight is how much what a node did with others counts where nothing new is known of
	// the channel itself: 0 to 1.
	NodeWeight float64
}

// DefaultBimodal is what lnd begins with.
var DefaultBimodal = Bimodal{Scale: 300_000_000, Decay: 7 * 24 * time.Hour, NodeWeight: 0.2}

// MaxBimodalScale bounds Scale, as lnd does: far more would say nothing.
const MaxBimodalScale lnwire.MilliSat = unsaidCapacity / 4

// unsaidCapacity stands for that of a channel that nobody announced: ten bitcoin.
const unsaidCapacity lnwire.MilliSat = 1_000_000_000_000

// likely is how likely a node carries an amount over a channel. h is what is known of the two
// nodes, nil: nothing; others is what is known of the sending one.
func (b *Bimodal) likely(now time.Time, h *PairHistory, others []*PairHistory, amount, capacity lnwire.MilliSat) float64 {
	direct := b.direct(now, h, amount, capacity)
	if b.NodeWeight == 0 || h != nil && now.Sub(h.heard()) < b.Decay {
		return direct
	}
	sum, weights := direct, 1.0
	for _, o := range others {
		if h != nil && o.To == h.To {
			continue
		}
		if o.Success > 0 {
			w := b.NodeWeight * b.left(now, o.SuccessAt)
			sum, weights = sum+w, weights+w
		}
		if o.Fail > 0 {
			weights += b.NodeWeight * b.left(now, o.FailAt)
		}
	}
	return sum / weights
}

// left is how much of what was learned at a time still counts.
func (b *Bimodal) left(now, at time.Time) float64 {
	return math.Exp(-float64(max(now.Sub(at), 0)) / float64(b.Decay))
}

// direct judges by the channel and what is known of it alone.
func (b *Bimodal) direct(now time.Time, h *PairHistory, amount, capacity lnwire.MilliSat) float64 {
	if capacity == 0 || capacity == math.MaxUint64 {
		capacity = unsaidCapacity
	}
	c, low, high := float64(capacity), 0.0, float64(capacity)
	if h != nil && !h.FailAt.IsZero() {
		high = c - b.left(now, h.FailAt)*(c-min(float64(h.Fail), c))
	}
	if h != nil && !h.SuccessAt.IsZero() {
		low = b.left(now, h.SuccessAt) * float64(h.Success)
	}
	if low >= c { // what it carried was over another, larger channel: it is a good one
		low, high = c-1, c
	} else if high <= low { // the two contradict each other
		low, high = 0, c
	}
	switch a := float64(amount); {
	case amount > capacity || a >= high:
		return 0
	case a <= low:
		return 1
	default:
		return b.between(c, a, high) / b.between(c, low, high)
	}
}

// between is how much of the money that a channel of capacity c can send lies between two
// amounts. A thousandth of a millionth is spread evenly, so that it is never nothing.
func (b *Bimodal) between(c, from, to float64) float64 {
	s := float64(b.Scale)
	ends := (math.Exp(-from/s) - math.Exp(-to/s)) + (math.Exp((to-c)/s) - math.Exp((from-c)/s))
	return ends + (to-from)/(c*s)
}
