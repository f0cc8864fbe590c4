package wallet

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Effects is what one event wants from the world. Delta goes to the writer; the
// rest waits until Delta is durable, but for what is to be watched, which may go
// at once. Delta.Txs is also the news for those who follow the transactions.
type Effects struct {
	Delta Delta
	// Watch are scripts that became ours to look for, for backends that filter.
	Watch [][]byte
	// WatchSpent are outputs, not ours by script, whose spending the Sweeper must be
	// told of with the block that holds it.
	WatchSpent []Watched
	// Publish are complete transactions, parents before children.
	Publish []*wire.MsgTx
	// Tell is for subscribers and the log.
	Tell []Notice
	// Returned is what comes back to spending budgets. It is to be written with Delta.
	Returned []budget.Change
}

// Watched is an output to watch.
type Watched struct {
	OutPoint wire.OutPoint
	PkScript []byte
}

// Notice is something that happened. The set is closed.
type Notice interface{ isNotice() }

// TxGone says that an unconfirmed transaction can or will no longer be mined.
type TxGone struct {
	Tx TxRow
	By chainhash.Hash // the one that took its place; zero: it was given up
}

// Swept says that a requested output came home, in a transaction of ours.
type Swept struct {
	OutPoint wire.OutPoint
	Txid     chainhash.Hash
	At       lnwire.BlockRef
}

// SweepLost says that somebody else's transaction spent a requested output.
type SweepLost struct {
	OutPoint wire.OutPoint
	By       chainhash.Hash
	At       lnwire.BlockRef
}

// SweepHeld says that a requested output is not swept now, and why. It is told
// once for every reason.
type SweepHeld struct {
	OutPoint wire.OutPoint
	Why      string
}

func (TxGone) isNotice()    {}
func (Swept) isNotice()     {}
func (SweepLost) isNotice() {}
func (SweepHeld) isNotice() {}

// Append adds the effects of a later event, so that both are written as one. What the
// later event gave up is not published.
func (fx *Effects) Append(more Effects) {
	fx.dropGone(more.Delta.TxsGone)
	fx.Delta.Append(more.Delta)
	fx.Watch = append(fx.Watch, more.Watch...)
	fx.WatchSpent = append(fx.WatchSpent, more.WatchSpent...)
	fx.Publish = append(fx.Publish, more.Publish...)
	fx.Tell = append(fx.Tell, more.Tell...)
	fx.Returned = append(fx.Returned, more.Returned...)
}

// dropGone takes back transactions that were given up after all.
func (fx *Effects) dropGone(gone []chainhash.Hash) {
	if len(gone) > 0 {
		fx.Publish = slices.DeleteFunc(fx.Publish, func(tx *wire.MsgTx) bool { return slices.Contains(gone, tx.TxHash()) })
	}
}

// Append adds a later delta: its rows take the place of earlier ones.
func (d *Delta) Append(more Delta) {
	d.Branches = mergeRows(d.Branches, more.Branches, BranchRow.id)
	d.Accounts = mergeRows(d.Accounts, more.Accounts, func(r AccountRow) uint32 { return r.Number })
	d.Keys = mergeRows(d.Keys, more.Keys, func(r KeyRow) uint32 { return r.Index })
	d.Families = mergeRows(d.Families, more.Families, func(r FamilyRow) uint32 { return r.Family })
	d.Coins, d.CoinsGone = merge(d.Coins, d.CoinsGone, more.Coins, more.CoinsGone, func(r CoinRow) wire.OutPoint { return r.OutPoint })
	d.Txs, d.TxsGone = merge(d.Txs, d.TxsGone, more.Txs, more.TxsGone, func(r TxRow) chainhash.Hash { return r.Txid })
	d.Leases, d.LeasesGone = merge(d.Leases, d.LeasesGone, more.Leases, more.LeasesGone, func(r LeaseRow) wire.OutPoint { return r.OutPoint })
	d.Wishes, d.WishesGone = merge(d.Wishes, d.WishesGone, more.Wishes, more.WishesGone, func(r WishRow) wire.OutPoint { return r.OutPoint })
	if more.Tip != nil {
		d.Tip = more.Tip
	}
}

// merge joins two pairs of lists so that no key is in both results.
func merge[R any, K comparable](puts []R, gone []K, laterPuts []R, laterGone []K, key func(R) K) ([]R, []K) {
	puts = slices.DeleteFunc(puts, func(r R) bool { return slices.Contains(laterGone, key(r)) })
	later := make(map[K]bool, len(laterPuts))
	for _, r := range laterPuts {
		later[key(r)] = true
	}
	gone = slices.DeleteFunc(gone, func(k K) bool { return later[k] || slices.Contains(laterGone, k) })
	return mergeRows(puts, laterPuts, key), append(gone, laterGone...)
}

func mergeRows[R any, K comparable](rows, later []R, key func(R) K) []R {
	at := make(map[K]int, len(rows))
	for i, r := range rows {
		at[key(r)] = i
	}
	for _, r := range later {
		if i, ok := at[key(r)]; ok {
			rows[i] = r
		} else {
			rows = append(rows, r)
		}
	}
	return rows
}

// compareOutPoints orders outpoints: every list that shows is sorted by it.
func compareOutPoints(a, b wire.OutPoint) int {
	if c := bytes.Compare(a.Hash[:], b.Hash[:]); c != 0 {
		return c
	}
	return cmp.Compare(a.Index, b.Index)
}

func compareHashes(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) }
