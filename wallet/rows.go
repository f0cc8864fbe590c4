package wallet

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// BranchRow counts the keys of one branch of one account. Its key in the store is
// {Account, Branch} for the accounts that every wallet has, and {Account, Branch, Number}
// for others. A branch without a row counts from 0.
type BranchRow struct {
	Account keys.AccountKind
	Number  uint32
	Branch  keys.Branch
	Next    uint32 // the index of the next fresh address; all below have been given out
	Used    uint32 // one above the highest index that a transaction ever paid; 0: none
}

// AccountRow is an account that not every wallet has. Its key in the store is Number.
type AccountRow struct {
	Number uint32 // above 0; from keys.Foreign on it was imported, and we cannot sign for it
	Name   string
	Kind   keys.AccountKind
	ID     keys.XPub
	Master [4]byte // the fingerprint of the root that ID comes from, for those who sign, as it was told; zero: it was not
	Scan   Scan
}

// KeyRow is a public key that was imported alone, to be watched. Its key in the store is
// Index.
type KeyRow struct {
	Index uint32 // in the order of the imports, from 0
	Kind  keys.AccountKind
	Key   lnwire.PubKey // of a taproot key, the even one
	Scan  Scan
	// Output: Key is that of a taproot output itself. What it commits to, and how it could
	// be spent, is not known here.
	Output bool
}

// place is that of the key in the wallet.
func (r *KeyRow) place() keys.CoinLoc {
	return keys.CoinLoc{Account: r.Kind, Number: keys.Loose, Index: r.Index}
}

// script is what pays to it.
func (r *KeyRow) script() ([]byte, error) {
	if r.Output {
		return taprootScript(r.Key[1:]), nil
	}
	return pkScript(form(r.place()), r.Key)
}

// Scan is how far the blocks before an import have been searched for its coins: those
// below Next have, and it is over when that is beyond the tip. Begin says where it began;
// both zero: there is nothing to search.
type Scan struct {
	Begin lnwire.Height
	Next  lnwire.Height
}

// FamilyRow counts the keys of a family that were given out one after another. Its key
// in the store is Family.
type FamilyRow struct {
	Family uint32
	Next   uint32 // the index of the next one
}

// CoinRow is an output that pays to one of our addresses. Its key in the store is
// OutPoint. It stays, once spent, until the spending transaction is 100 blocks
// deep.
type CoinRow struct {
	OutPoint wire.OutPoint
	Value    lnwire.Sat
	PkScript []byte
	Key      keys.CoinLoc
	At       lnwire.BlockRef // the block that holds it; zero while unconfirmed
	Coinbase bool            // spendable only 100 blocks deep
	Own      bool            // made by a transaction of ours: its change may be spent unconfirmed
	SpentBy  chainhash.Hash  // the transaction that spends it, mined or not; zero: unspent
}

// TxRow is a transaction that pays us, spends a coin of ours, or was published by
// us. Its key in the store is Txid. It is never forgotten once mined.
type TxRow struct {
	Txid     chainhash.Hash
	Tx       *wire.MsgTx     // with witnesses, as far as they are known
	At       lnwire.BlockRef // the block that holds it; zero while unconfirmed
	Index    uint32          // its place in the block
	Seen     int64           // when it was first seen, or the time of its block, in unix nanoseconds
	Label    string
	Own      bool       // published by us: told to the network again until it is mined
	Sweep    bool       // made by the Sweeper
	Fee      lnwire.Sat // FeeKnown false: some inputs are not ours and nobody said what they hold
	FeeKnown bool
	Debit    lnwire.Sat      // what it took from our coins
	Credit   lnwire.Sat      // what it pays to our addresses
	Inputs   []uint32        // its inputs that spend coins of ours, ascending
	Outputs  []uint32        // its outputs that pay to our addresses, ascending
	Charges  []budget.Charge // what it took from spending budgets
}

// LeaseOwner says on whose behalf a coin is leased. The numbers are stored.
type LeaseOwner uint8

const (
	// LeasedByUser: over the API, until it expires.
	LeasedByUser LeaseOwner = 0
	// LeasedByChannel: for the funding of the channel whose number is in
	// LeaseRow.Number, until its transaction is published or it gives up.
	LeasedByChannel LeaseOwner = 1
)

// LeaseRow keeps a coin out of coin selection. Its key in the store is OutPoint.
type LeaseRow struct {
	OutPoint wire.OutPoint
	ID       [32]byte // whoever releases or renews the lease must know it
	Owner    LeaseOwner
	Number   uint64 // of the channel
	Expiry   int64  // unix nanoseconds; 0: never
}

// WishRow is what the user wants of a sweep instead of what was asked for it; 0: no
// matter. Its key in the store is OutPoint.
type WishRow struct {
	OutPoint wire.OutPoint
	Rate     lnwire.SatPerKW // to begin with
	Deadline lnwire.Height
	Budget   lnwire.Sat
	Alone    bool
	At       lnwire.Height // when it was last uttered
	Lifts    bool          // it is to raise the transaction that holds the output
}

// TipRow is the last block that the wallet has seen. There is one.
type TipRow struct {
	At lnwire.BlockRef
	// Window is how far behind the last used address the coins of all blocks up to At were
	// looked for; 0, of rows from before it was noted: DefaultWindow.
	Window uint32
	// Scan is how far they have been searched again with that window, after a shorter one,
	// for the accounts that every wallet has.
	Scan Scan
}

// Delta names the rows that a step changes. All of it is to be written in one
// batch, together with whatever it belongs to; a row is in at most one of its two
// lists.
type Delta struct {
	Branches   []BranchRow
	Coins      []CoinRow
	CoinsGone  []wire.OutPoint
	Txs        []TxRow
	TxsGone    []chainhash.Hash
	Leases     []LeaseRow
	LeasesGone []wire.OutPoint
	Wishes     []WishRow
	WishesGone []wire.OutPoint
	Tip        *TipRow
	Accounts   []AccountRow
	Keys       []KeyRow
	Families   []FamilyRow
}

// Empty reports that there is nothing to write.
func (d *Delta) Empty() bool {
	return len(d.Branches) == 0 && len(d.Coins) == 0 && len(d.CoinsGone) == 0 && len(d.Txs) == 0 &&
		len(d.TxsGone) == 0 && len(d.Leases) == 0 && len(d.LeasesGone) == 0 && d.Tip == nil &&
		len(d.Wishes) == 0 && len(d.WishesGone) == 0 &&
		len(d.Accounts) == 0 && len(d.Keys) == 0 && len(d.Families) == 0
}

// Rows are all rows of the store, in any order: what Load starts from.
type Rows struct {
	Branches []BranchRow
	Coins    []CoinRow
	Txs      []TxRow
	Leases   []LeaseRow
	Wishes   []WishRow
	Tip      *TipRow // nil: no block was ever seen
	Accounts []AccountRow
	Keys     []KeyRow
	Families []FamilyRow
}
