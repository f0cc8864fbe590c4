package wallet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

var (
	// ErrUnknownOutput says that an outpoint is no coin of ours, or is spent.
	// Clients of lnd compare the text.
	ErrUnknownOutput = errors.New("unknown output")
	// ErrLeased says that somebody else holds a lease on a coin.
	ErrLeased = errors.New("output already locked")
	// ErrNotLeased says that the lease on the coin has another id.
	ErrNotLeased = errors.New("output unlock not allowed")
)

// Lease keeps a coin out of coin selection until it is released, spent, or the
// lease expires; the same id may renew its lease, but nobody that of a channel: its id
// is no secret. The errors are ErrUnknownOutput and ErrLeased.
func (w *Wallet) Lease(row LeaseRow, now time.Time) (Effects, error) {
	if err := w.lease(row, now); err != nil {
		return Effects{}, err
	}
	return w.flush(), nil
}

func (w *Wallet) lease(row LeaseRow, now time.Time) error {
	c := w.coins[row.OutPoint]
	if c == nil || c.spent() {
		return ErrUnknownOutput
	}
	if old := w.leases[row.OutPoint]; old != nil && old.holds(now) && (old.ID != row.ID || old.Owner != row.Owner) {
		return ErrLeased
	}
	w.leases[row.OutPoint] = &row
	w.dirty.leases[row.OutPoint] = true
	return nil
}

// Release ends a user's lease; of a coin that is not leased there is none to end. The
// errors are ErrUnknownOutput and ErrNotLeased, also for the lease of a channel.
func (w *Wallet) Release(op wire.OutPoint, id [32]byte) (Effects, error) {
	if w.coins[op] == nil {
		return Effects{}, ErrUnknownOutput
	}
	l := w.leases[op]
	if l == nil {
		return Effects{}, nil
	}
	if l.Owner == LeasedByChannel {
		return Effects{}, fmt.Errorf("%w: a channel that is being opened needs it", ErrNotLeased)
	}
	if l.ID != id {
		return Effects{}, ErrNotLeased
	}
	w.dropLease(op)
	return w.flush(), nil
}

// Expire ends the leases that ran out.
func (w *Wallet) Expire(now time.Time) Effects {
	return w.ReleaseIf(func(l LeaseRow) bool { return !l.holds(now) })
}

// ReleaseIf ends the leases that end says are to end: those of a channel that gave
// up, or after a start those whose owner is no more.
func (w *Wallet) ReleaseIf(end func(LeaseRow) bool) Effects {
	for _, l := range w.Leases() {
		if end(l) {
			w.dropLease(l.OutPoint)
		}
	}
	return w.flush()
}

// Leases lists all leases, those that ran out but were not ended yet included.
func (w *Wallet) Leases() []LeaseRow {
	list := make([]LeaseRow, 0, len(w.leases))
	for _, op := range slices.SortedFunc(maps.Keys(w.leases), compareOutPoints) {
		list = append(list, *w.leases[op])
	}
	return list
}

func (w *Wallet) dropLease(op wire.OutPoint) {
	if w.leases[op] != nil {
		delete(w.leases, op)
		w.dirty.leases[op] = true
	}
}

// leased reports that a coin is not to be touched now.
func (w *Wallet) leased(op wire.OutPoint, now time.Time) bool {
	l := w.leases[op]
	return l != nil && l.holds(now)
}

func (l *LeaseRow) holds(now time.Time) bool { return l.Expiry == 0 || now.UnixNano() < l.Expiry }

func (c *CoinRow) spent() bool { return c.SpentBy != chainhash.Hash{} }
