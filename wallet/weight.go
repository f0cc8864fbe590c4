package wallet

import (
	"math"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/btcsuite/btcwallet/wallet/txsizes"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const (
	// sequenceRBF lets a transaction be replaced by one that pays more (BIP 125).
	sequenceRBF = wire.MaxTxInSequenceNum - 2

	// incrementalFee is what a replacement must add for its own relay (BIP 125).
	incrementalFee = lnwire.FeeFloor

	scale = blockchain.WitnessScaleFactor

	// changeSize is the output that change goes to: taproot's is the longest.
	changeSize = txsizes.P2TROutputSize
)

// inputWeight is the most that an input of one of our coins weighs.
func inputWeight(f scriptForm) int64 {
	switch f {
	case formP2WKH:
		return scale*txsizes.RedeemP2WPKHInputSize + txsizes.RedeemP2WPKHInputWitnessWeight
	case formNested:
		return scale*txsizes.RedeemNestedP2WPKHInputSize + txsizes.RedeemP2WPKHInputWitnessWeight
	case formP2TR:
		return scale*txsizes.RedeemP2TRInputSize + txsizes.RedeemP2TRInputWitnessWeight
	}
	return 0
}

// txWeight is the weight of a segwit transaction from its parts: how many inputs,
// what they weigh together, and the serialized sizes of its outputs.
func txWeight(inputs int, inputsWeight int64, outputs int, outputsSize int) int64 {
	base := 8 + wire.VarIntSerializeSize(uint64(inputs)) + wire.VarIntSerializeSize(uint64(outputs)) + outputsSize
	return scale*int64(base) + 2 + inputsWeight
}

// feeFor rounds up, so that no rounding falls below the rate.
func feeFor(rate lnwire.SatPerKW, weight int64) lnwire.Sat {
	return lnwire.Sat((uint64(rate)*uint64(weight) + 999) / 1000)
}

// rateOf is the whole rate that a fee pays, rounded down.
func rateOf(fee lnwire.Sat, weight int64) lnwire.SatPerKW {
	return lnwire.SatPerKW(min(uint64(fee)*1000/uint64(max(weight, 1)), math.MaxUint32))
}

// DustLimit is the least that an output of this script must hold to be relayed: three
// times what it costs, at one sat per vbyte, to make and to spend it. An output that
// nobody can spend may hold nothing.
func DustLimit(script []byte) lnwire.Sat {
	if txscript.IsUnspendable(script) {
		return 0
	}
	spend := 148
	if txscript.IsWitnessProgram(script) {
		spend = 67
	}
	size := 8 + wire.VarIntSerializeSize(uint64(len(script))) + len(script)
	return lnwire.Sat(3 * (size + spend))
}
