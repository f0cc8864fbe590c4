package routing

import (
	"math"
	"math/bits"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// maxAmount is all the money there can be.
const maxAmount = lnwire.MilliSat(lnwire.MaxSat) * 1000

// saturatingAdd is the sum, or the largest number when it is larger (V-51).
func saturatingAdd(a, b lnwire.MilliSat) lnwire.MilliSat {
	sum, carry := bits.Add64(uint64(a), uint64(b), 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return lnwire.MilliSat(sum)
}

// mulDiv is a * b / div, rounded down, or the largest number when it is larger.
func mulDiv(a lnwire.MilliSat, b, div uint64) lnwire.MilliSat {
	hi, lo := bits.Mul64(uint64(a), b)
	if hi >= div {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, div)
	return lnwire.MilliSat(q)
}

// Fee is what forwarding an amount costs (BOLT 7): base + amount * ppm / 1,000,000,
// rounded down. It saturates instead of overflowing.
func Fee(base, ppm uint32, amount lnwire.MilliSat) lnwire.MilliSat {
	return saturatingAdd(lnwire.MilliSat(base), mulDiv(amount, uint64(ppm), 1_000_000))
}
