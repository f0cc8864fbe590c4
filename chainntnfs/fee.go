package chainntnfs

import (
	"context"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ErrNoFeeEstimate says that nobody can tell what a confirmation costs.
var ErrNoFeeEstimate = errors.New("no fee estimate")

// RegtestFee is the fee rate where blocks are made at will: regtest and simnet.
const RegtestFee lnwire.SatPerKW = 12_500

// FeeSource says what a confirmation costs.
type FeeSource interface {
	// FeeEstimate is the fee rate to be mined within that many blocks (at least
	// 1), never below the relay fee; else an error that is ErrNoFeeEstimate.
	FeeEstimate(ctx context.Context, blocks uint32) (lnwire.SatPerKW, error)
	// RelayFee is the lowest fee rate that the network passes on.
	RelayFee(ctx context.Context) (lnwire.SatPerKW, error)
}

// StaticFee is one fee rate for every target.
type StaticFee lnwire.SatPerKW

// FeeEstimate is the rate itself.
func (f StaticFee) FeeEstimate(context.Context, uint32) (lnwire.SatPerKW, error) {
	return max(lnwire.SatPerKW(f), lnwire.FeeFloor), nil
}

// RelayFee is the network's customary floor.
func (StaticFee) RelayFee(context.Context) (lnwire.SatPerKW, error) { return lnwire.FeeFloor, nil }

// NoFees is the source of a backend that cannot estimate, on a network where it
// matters: it refuses and says what to do.
type NoFees struct{}

// errNeedURL is told to the operator as it stands.
var errNeedURL = fmt.Errorf("%w: this chain backend makes none, --fee.url is needed", ErrNoFeeEstimate)

// FeeEstimate refuses.
func (NoFees) FeeEstimate(context.Context, uint32) (lnwire.SatPerKW, error) { return 0, errNeedURL }

// RelayFee is the network's customary floor.
func (NoFees) RelayFee(context.Context) (lnwire.SatPerKW, error) { return lnwire.FeeFloor, nil }
