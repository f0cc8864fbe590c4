package wallet

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// What is kept back for raising the fees of channels' commitments by their anchors.
const (
	anchorReserve    lnwire.Sat = 10_000  // for each anchor channel
	maxAnchorReserve lnwire.Sat = 100_000 // for all of them
)

// ErrReserve says that too little would be left to raise the fees of anchor
// channels. Clients of lnd compare the text's beginning.
var ErrReserve = errors.New("reserved wallet balance invalidated: transaction would leave " +
	"too little to raise the fees of anchor channels")

// Balance is what an account holds. A coin is in exactly one of the sums.
type Balance struct {
	Confirmed   lnwire.Sat // free, at least as deep as asked
	Unconfirmed lnwire.Sat // free, less deep
	Locked      lnwire.Sat // leased
	Immature    lnwire.Sat // of coinbases less than 100 deep
}

// Balance sums up the unspent coins of the accounts of a number. Confirmed means at least
// minConfs deep, and at least 1.
func (w *Wallet) Balance(number uint32, minConfs uint32, now time.Time) (b Balance) {
	for _, c := range w.coins {
		if c.Key.Number != number || c.spent() {
			continue
		}
		switch {
		case w.leased(c.OutPoint, now):
			b.Locked += c.Value
		case !w.mature(c):
			b.Immature += c.Value
		case w.confirmations(c.At) >= max(minConfs, 1):
			b.Confirmed += c.Value
		default:
			b.Unconfirmed += c.Value
		}
	}
	return b
}

// mature reports that a coin may be spent as far as coinbases go.
func (w *Wallet) mature(c *CoinRow) bool {
	// The spending transaction would be in the next block.
	return !c.Coinbase || w.confirmations(c.At) >= coinbaseMaturity
}

// Unspent is a free coin as ListUnspent shows it.
type Unspent struct {
	CoinRow
	Confirmations uint32
	Address       string
}

// Unspent lists the free coins with a number of confirmations between two bounds,
// both inclusive: those that are neither spent nor leased nor immature. With numbers, only
// coins of those accounts.
func (w *Wallet) Unspent(minConfs, maxConfs uint32, now time.Time, numbers ...uint32) []Unspent {
	var list []Unspent
	for _, c := range w.coins {
		n := w.confirmations(c.At)
		if len(numbers) > 0 && !slices.Contains(numbers, c.Key.Number) || c.spent() || w.leased(c.OutPoint, now) || !w.mature(c) || n < minConfs || n > maxConfs {
			continue
		}
		text, err := addressText(c.PkScript, w.cfg.Net)
		if err != nil {
			continue // never: the script is one of ours
		}
		list = append(list, Unspent{CoinRow: *c, Confirmations: n, Address: text})
	}
	slices.SortFunc(list, func(a, b Unspent) int {
		return cmp.Or(cmp.Compare(a.Confirmations, b.Confirmations), compareOutPoints(a.OutPoint, b.OutPoint))
	})
	return list
}

// Coin is a coin of ours, spent ones included as long as they are remembered.
func (w *Wallet) Coin(op wire.OutPoint) (CoinRow, bool) {
	if c := w.coins[op]; c != nil {
		return *c, true
	}
	return CoinRow{}, false
}

// RequiredReserve is what must stay in the wallet with that many anchor channels.
func RequiredReserve(anchorChannels int) lnwire.Sat {
	if anchorChannels <= 0 {
		return 0
	}
	return min(anchorReserve*lnwire.Sat(min(anchorChannels, 10)), maxAnchorReserve)
}

// CheckReserve reports whether the reserve stays in the wallet when tx is made:
// ErrReserve if not (V-39). For a funding, the reserve is that with the new channel.
func (w *Wallet) CheckReserve(tx *wire.MsgTx, reserve lnwire.Sat, now time.Time) error {
	left := w.leftBeside(tx.TxIn, now)
	for _, out := range tx.TxOut {
		if at, ok := w.scripts[string(out.PkScript)]; ok && at.Number == 0 {
			left += lnwire.Sat(out.Value)
		}
	}
	if left < reserve {
		return ErrReserve
	}
	return nil
}

// leftBeside sums up the free coins of the accounts that every wallet has and that none of the inputs spends, unconfirmed ones
// included.
func (w *Wallet) leftBeside(inputs []*wire.TxIn, now time.Time) (left lnwire.Sat) {
	taken := make(map[wire.OutPoint]bool, len(inputs))
	for _, in := range inputs {
		taken[in.PreviousOutPoint] = true
	}
	for op, c := range w.coins {
		if c.Key.Number == 0 && !c.spent() && !taken[op] && !w.leased(op, now) && w.mature(c) {
			left += c.Value
		}
	}
	return left
}
