package invoice

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Network is the prefix of a network's bech32 addresses, by which an invoice says
// in which money it wants to be paid.
type Network string

// The networks (testnet 3 and 4 share a prefix).
const (
	Mainnet Network = "bc"
	Testnet Network = "tb"
	Signet  Network = "tbs"
	Regtest Network = "bcrt"
	Simnet  Network = "sb"
)

// networks has longer prefixes before those that they begin with.
var networks = []Network{Regtest, Mainnet, Signet, Testnet, Simnet}

// Params are the network's address prefixes; nil for one that we do not know.
func (n Network) Params() *chaincfg.Params {
	switch n {
	case Mainnet:
		return &chaincfg.MainNetParams
	case Testnet:
		return &chaincfg.TestNet3Params
	case Signet:
		return &chaincfg.SigNetParams
	case Regtest:
		return &chaincfg.RegressionNetParams
	case Simnet:
		return &chaincfg.SimNetParams
	}
	return nil
}

// NetworkOf is the network that goes by these parameters.
func NetworkOf(p *chaincfg.Params) (Network, bool) {
	if p.Name == chaincfg.SigNetParams.Name {
		return Signet, true // its addresses begin with tb, its invoices with tbs
	}
	n := Network(p.Bech32HRPSegwit)
	return n, n.Params() != nil
}

// multipliers are the units of an amount, largest first, in millisatoshi. The
// smallest, p, is a tenth of one.
var multipliers = []struct {
	letter string
	msat   uint64
}{{"", 1e11}, {"m", 1e8}, {"u", 1e5}, {"n", 100}}

// readHRP reads the human-readable part, in lower case: network and amount.
func readHRP(hrp string) (Network, lnwire.MilliSat, error) {
	rest, ok := strings.CutPrefix(hrp, "ln")
	if !ok {
		return "", 0, fmt.Errorf("prefix %q: a Lightning invoice begins with ln", hrp)
	}
	for _, n := range networks {
		amount, ok := strings.CutPrefix(rest, string(n))
		if !ok || amount != "" && (amount[0] < '0' || amount[0] > '9') {
			continue
		}
		msat, err := readAmount(amount)
		return n, msat, err
	}
	return "", 0, fmt.Errorf("prefix %q: not a network that we know", hrp) // B11.amt.1
}

// readAmount reads digits and a multiplier. Nothing at all is 0: any amount
// (B11.amt.2).
func readAmount(text string) (lnwire.MilliSat, error) {
	if text == "" {
		return 0, nil
	}
	digits, pico := strings.CutSuffix(text, "p")
	unit := uint64(1e11)
	for _, m := range multipliers[1:] {
		if d, ok := strings.CutSuffix(text, m.letter); ok {
			digits, unit = d, m.msat // B11.amt.3
		}
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, fmt.Errorf("amount %q: want digits and one of m, u, n, p", text) // B11.amt.4
		}
	}
	if digits[0] == '0' {
		return 0, fmt.Errorf("amount %q: begins with 0", text)
	}
	if pico {
		var whole bool
		if digits, whole = strings.CutSuffix(digits, "0"); !whole {
			return 0, fmt.Errorf("amount %q: below a millisatoshi; with p the last digit is 0", text) // B11.amt.5
		}
		unit = 1
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n > uint64(lnwire.MaxSat.MilliSat())/unit {
		return 0, fmt.Errorf("amount %q: more than all bitcoin", text)
	}
	return lnwire.MilliSat(n * unit), nil
}

// writeAmount uses the largest multiplier that leaves a whole number, which is the
// shortest text (B11.amt.6).
func writeAmount(m lnwire.MilliSat) (string, error) {
	switch {
	case m == 0:
		return "", nil
	case m > lnwire.MaxSat.MilliSat():
		return "", errors.New("amount: more than all bitcoin")
	}
	for _, u := range multipliers {
		if uint64(m)%u.msat == 0 {
			return strconv.FormatUint(uint64(m)/u.msat, 10) + u.letter, nil
		}
	}
	return strconv.FormatUint(uint64(m), 10) + "0p", nil
}
