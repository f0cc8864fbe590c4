package onion

import (
	"math"
	"math/bits"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const million = 1_000_000

// PayInfo is what a payer has to know of a blinded path as a whole, since it cannot
// know its nodes (blinded_payinfo).
type PayInfo struct {
	FeeBase     uint32 // msat
	FeePPM      uint32 // fee_proportional_millionths
	CLTVDelta   uint16 // of all nodes, and what the end itself wants
	HTLCMinimum lnwire.MilliSat
	HTLCMaximum lnwire.MilliSat
	Features    lnwire.Features
}

// Fee is what the nodes of the path keep when amount is to arrive at its end.
func (i PayInfo) Fee(amount lnwire.MilliSat) lnwire.MilliSat {
	hi, lo := bits.Mul64(uint64(amount), uint64(i.FeePPM))
	if hi >= million {
		return math.MaxUint64
	}
	part, _ := bits.Div64(hi, lo, million)
	sum, carry := bits.Add64(part, uint64(i.FeeBase), 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return lnwire.MilliSat(sum)
}

// ahead puts one more node in front of the path whose sums these are; false when a sum
// does not fit its field.
//
// B4.path.6: base fees and rates of the nodes are folded into one of each, rounded up.
func (i *PayInfo) ahead(r PaymentRelay) bool {
	base, ok1 := foldUp(uint64(i.FeeBase), uint64(r.FeePPM), uint64(r.FeeBase))
	rate, ok2 := foldUp(uint64(i.FeePPM), uint64(r.FeePPM), uint64(r.FeePPM))
	delta := uint64(i.CLTVDelta) + uint64(r.CLTVDelta)
	if !ok1 || !ok2 || base > math.MaxUint32 || rate > math.MaxUint32 || delta > math.MaxUint16 {
		return false
	}
	i.FeeBase, i.FeePPM, i.CLTVDelta = uint32(base), uint32(rate), uint16(delta)
	return true
}

// foldUp is (sum * (million + ppm) + more * million) / million, rounded up.
func foldUp(sum, ppm, more uint64) (uint64, bool) {
	hi, lo := bits.Mul64(sum, million+ppm)
	lo, carry := bits.Add64(lo, more*million+million-1, 0)
	if hi += carry; hi >= million {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, million)
	return q, true
}

// Onwards is amt_to_forward and outgoing_cltv_value at a node of a blinded path; false
// when the HTLC does not even bring the fee, or has no time to give away.
//
// B4.bfwd.1: both follow from the HTLC and the node's relay parameters, the amount
// rounded up.
func (r PaymentRelay) Onwards(amount lnwire.MilliSat, expiry lnwire.Height) (lnwire.MilliSat, lnwire.Height, bool) {
	if amount < lnwire.MilliSat(r.FeeBase) || expiry < lnwire.Height(r.CLTVDelta) {
		return 0, 0, false
	}
	hi, lo := bits.Mul64(uint64(amount)-uint64(r.FeeBase), million)
	lo, carry := bits.Add64(lo, million+uint64(r.FeePPM)-1, 0)
	q, _ := bits.Div64(hi+carry, lo, million+uint64(r.FeePPM))
	return lnwire.MilliSat(q), expiry - lnwire.Height(r.CLTVDelta), true
}
