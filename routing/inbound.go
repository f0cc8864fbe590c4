package routing

import (
	"math"
	"math/bits"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Inbound is what a node asks for what comes to it over one of its channels and goes
// on over another (bLIP 18): mostly a discount, and then negative. It is counted on
// what goes on and the fee for that together.
type Inbound struct {
	Base int32 // msat
	PPM  int32 // millionths
}

// IsZero reports that nothing is asked for.
func (i Inbound) IsZero() bool { return i == Inbound{} }

// Incoming is what has to come to a node over the channel so that it sends on out and
// keeps a fee for that: never less than out, however large the discount.
//
// B7.route.6: what a node keeps of a payment is never negative, whatever discount it gives.
func (i Inbound) Incoming(out, fee lnwire.MilliSat) lnwire.MilliSat {
	sum := saturatingAdd(out, fee)
	if i.IsZero() {
		return sum
	}
	more, less := share(i.Base, i.PPM, sum)
	if sum = saturatingAdd(sum, more); sum < less {
		return out
	}
	return max(out, sum-less)
}

// share gives what base and the share of amount add up to, apart by their signs. Each
// is rounded towards nothing.
func share(base, ppm int32, amount lnwire.MilliSat) (more, less lnwire.MilliSat) {
	add := func(v lnwire.MilliSat, negative bool) {
		if negative {
			less = saturatingAdd(less, v)
		} else {
			more = saturatingAdd(more, v)
		}
	}
	add(lnwire.MilliSat(magnitude(base)), base < 0)
	const million = 1_000_000
	hi, lo := bits.Mul64(uint64(amount), magnitude(ppm))
	part := uint64(math.MaxUint64)
	if hi < million {
		part, _ = bits.Div64(hi, lo, million)
	}
	add(lnwire.MilliSat(part), ppm < 0)
	return more, less
}

func magnitude(v int32) uint64 {
	if v < 0 {
		return uint64(-int64(v))
	}
	return uint64(v)
}
