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

// Fee is what forwarding an amount costs (BOLT 7): base + amount * ppm / 1,000,000,
// rounded down. It saturates instead of overflowing.
func Fee(base, ppm uint32, amount lnwire.MilliSat) lnwire.MilliSat {
	const million = 1_000_000
	hi, lo := bits.Mul64(uint64(amount), uint64(ppm))
	if hi == 0 { // always, but for absurd amounts
		return lnwire.MilliSat(base) + lnwire.MilliSat(lo/million)
	}
	if hi >= million {
		return math.MaxUint64
	}
	share, _ := bits.Div64(hi, lo, million)
	return saturatingAdd(lnwire.MilliSat(base), lnwire.MilliSat(share))
}
