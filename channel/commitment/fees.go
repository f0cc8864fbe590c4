package commitment

import "github.com/fulgur-ln/fulgur/lnwire"

// AnchorValue is what each anchor output holds (BOLT 3).
const AnchorValue lnwire.Sat = 330

// commitWeight is the expected weight of a commitment without HTLCs.
func (f Format) commitWeight() int64 {
	if f == Anchors {
		return 1124
	}
	return 724
}

// anchorCost is what the funder pays for both anchors, whether or not both exist.
func (f Format) anchorCost() lnwire.Sat {
	if f == Anchors {
		return 2 * AnchorValue
	}
	return 0
}

// CommitFee is the base fee of a commitment with the given number of untrimmed
// HTLCs.
func CommitFee(f Format, rate lnwire.SatPerKW, untrimmed int) lnwire.Sat {
	return rate.Fee(f.commitWeight() + 172*int64(untrimmed)) // B3.fee.3
}

// HTLCFee is the fee of the HTLC transaction of an HTLC: HTLC-timeout when the
// owner of the commitment offered it, else HTLC-success.
func HTLCFee(f Format, rate lnwire.SatPerKW, offered bool) lnwire.Sat {
	if f == Anchors {
		return 0 // V-18; B3.fee.4
	}
	if offered {
		return rate.Fee(663) // B3.fee.1
	}
	return rate.Fee(703) // B3.fee.2
}

// Trimmed reports whether an HTLC gets no output in a commitment whose owner has
// the dust limit dust, because its HTLC transaction would create dust. It is the
// only place where this is decided (V-21).
func Trimmed(f Format, rate lnwire.SatPerKW, dust lnwire.Sat, amount lnwire.MilliSat, offered bool) bool {
	return amount.Sat() < dust+HTLCFee(f, rate, offered) // B3.trim.3, B3.trim.4
}

// trims is Trimmed for an HTLC of the commitment that p and rate describe.
func (p *Params) trims(rate lnwire.SatPerKW, h *HTLC) bool {
	return Trimmed(p.Format, rate, p.DustLimit, h.Amount, h.Offered)
}

// Untrimmed is how many HTLCs of s get an output.
func (p *Params) Untrimmed(s Spec) int {
	n := 0
	for i := range s.HTLCs {
		if !p.trims(s.FeeRate, &s.HTLCs[i]) {
			n++
		}
	}
	return n
}

// Cost is what the funder pays for the commitment of s: the base fee and, with
// anchors, both anchor outputs.
func (p *Params) Cost(s Spec) lnwire.Sat {
	return CommitFee(p.Format, s.FeeRate, p.Untrimmed(s)) + p.Format.anchorCost()
}

// Affordable reports whether the funder can pay the commitment of s and still
// keep reserve. Build does not ask: it takes what there is.
func (p *Params) Affordable(s Spec, reserve lnwire.Sat) bool {
	balance := s.ToOther
	if p.OwnerIsFunder {
		balance = s.ToOwner
	}
	return balance >= (p.Cost(s) + reserve).MilliSat()
}

// DustExposure is the part of htlcs that would go to the miners if this commitment
// confirmed at the given fee rate (BOLT 2, max_dust_htlc_exposure_msat).
func (p *Params) DustExposure(rate lnwire.SatPerKW, htlcs []HTLC) lnwire.MilliSat {
	var sum lnwire.MilliSat
	for i := range htlcs {
		if p.trims(rate, &htlcs[i]) {
			sum += htlcs[i].Amount
		}
	}
	return sum
}
