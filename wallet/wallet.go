package wallet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

const (
	// DefaultWindow is how many addresses beyond the last used one of each branch
	// are looked for in blocks. Recovery from a seed may ask for more.
	DefaultWindow = 100
	// coinbaseMaturity is how deep a coinbase must be to be spent.
	coinbaseMaturity = 100
	// keepDepth is how deep the spender of a coin must be for the coin's row to go.
	keepDepth = 100
)

// Config is what a wallet is made with. It is the same at every start, but that the
// window may change.
type Config struct {
	Net      *chaincfg.Params
	Accounts [len(keys.Accounts)]keys.Account // by AccountKind
	Window   uint32                           // at least 1
}

// NewConfig takes the accounts' public halves from the ring.
func NewConfig(net *chaincfg.Params, ring *keys.Ring, window uint32) Config {
	c := Config{Net: net, Window: window}
	for _, kind := range keys.Accounts {
		c.Accounts[kind] = ring.Account(kind)
	}
	return c
}

// Wallet is the coins of a node. It is for one goroutine.
type Wallet struct {
	cfg      Config
	branches map[branchID]*branch
	accounts map[uint32]*account     // beside those of every wallet, by number
	loose    map[uint32]*KeyRow      // by index
	families map[uint32]*FamilyRow   // by family
	scripts  map[string]keys.CoinLoc // of all branches up to the window
	coins    map[wire.OutPoint]*CoinRow
	txs      map[chainhash.Hash]*TxRow
	leases   map[wire.OutPoint]*LeaseRow
	wishes   map[wire.OutPoint]*WishRow // the Sweeper's
	// spends names the unconfirmed transaction of ours that spends an output, ours
	// or not: what a block's transaction is checked against for conflicts.
	spends map[wire.OutPoint]chainhash.Hash
	tip    *lnwire.BlockRef
	window uint32 // the shortest with which a block was searched, see TipRow
	again  Scan   // with a longer one
	// searched, during Scan, tells which keys' coins are searched for.
	searched func(keys.CoinLoc) bool

	dirty dirty
	fx    Effects // of the event in hand, without Delta
}

// dirty are the keys of rows that changed since the last flush.
type dirty struct {
	branches map[branchID]bool
	accounts map[uint32]bool
	loose    map[uint32]bool
	families map[uint32]bool
	coins    map[wire.OutPoint]bool
	txs      map[chainhash.Hash]bool
	leases   map[wire.OutPoint]bool
	wishes   map[wire.OutPoint]bool
	tip      bool
}

func newDirty() dirty {
	return dirty{
		branches: map[branchID]bool{}, accounts: map[uint32]bool{}, loose: map[uint32]bool{}, families: map[uint32]bool{}, coins: map[wire.OutPoint]bool{},
		txs: map[chainhash.Hash]bool{}, leases: map[wire.OutPoint]bool{}, wishes: map[wire.OutPoint]bool{},
	}
}

// Load makes the wallet that the rows describe; no rows make a new one. The error
// says which row contradicts the keys or another row.
func Load(cfg Config, rows Rows) (*Wallet, error) {
	w := &Wallet{
		cfg:      cfg,
		branches: map[branchID]*branch{},
		accounts: map[uint32]*account{},
		loose:    map[uint32]*KeyRow{},
		families: map[uint32]*FamilyRow{},
		scripts:  map[string]keys.CoinLoc{},
		coins:    map[wire.OutPoint]*CoinRow{},
		txs:      map[chainhash.Hash]*TxRow{},
		leases:   map[wire.OutPoint]*LeaseRow{},
		wishes:   map[wire.OutPoint]*WishRow{},
		spends:   map[wire.OutPoint]chainhash.Hash{},
	}
	if err := w.loadAccounts(&rows); err != nil {
		return nil, err
	}
	if err := w.loadBranches(rows.Branches); err != nil {
		return nil, err
	}
	for _, r := range rows.Txs {
		if r.Tx == nil || r.Tx.TxHash() != r.Txid {
			return nil, fmt.Errorf("load wallet: transaction %v is not the one its row names", r.Txid)
		}
		w.txs[r.Txid] = &r
		if !r.mined() {
			for _, in := range r.Tx.TxIn {
				w.spends[in.PreviousOutPoint] = r.Txid
			}
		}
	}
	for _, r := range rows.Coins {
		if loc, ok := w.scripts[string(r.PkScript)]; !ok || loc != r.Key {
			script, err := w.scriptOf(r.Key)
			if !ok || err != nil || string(script) != string(r.PkScript) {
				return nil, fmt.Errorf("load wallet: coin %v does not pay to its key %v", r.OutPoint, r.Key)
			}
			r.Key = loc // a longer window has found who the script belongs to, see claim
		}
		w.coins[r.OutPoint] = &r
	}
	for _, r := range rows.Leases {
		w.leases[r.OutPoint] = &r
	}
	for _, r := range rows.Wishes {
		w.wishes[r.OutPoint] = &r
	}
	w.window = cfg.Window
	if rows.Tip != nil {
		w.tip, w.again = &rows.Tip.At, rows.Tip.Scan
		w.window = min(cfg.Window, cmp.Or(rows.Tip.Window, DefaultWindow))
	}
	w.dirty, w.fx = newDirty(), Effects{}
	return w, nil
}

func (w *Wallet) loadBranches(rows []BranchRow) error {
	for _, r := range rows {
		b := w.branches[r.id()]
		if b == nil {
			return fmt.Errorf("load wallet: no branch %d of account %v, number %d", r.Branch, r.Account, r.Number)
		}
		b.row = r
	}
	for _, id := range w.branchIDs() {
		w.derive(id)
	}
	return nil
}

// Scripts are all scripts that the wallet looks for, sorted: what a filtering
// backend must be told after a start.
func (w *Wallet) Scripts() [][]byte {
	list := make([][]byte, 0, len(w.scripts))
	for s := range w.scripts {
		list = append(list, []byte(s))
	}
	slices.SortFunc(list, slices.Compare)
	return list
}

// Tip is the last block that the wallet has seen; false: none yet.
func (w *Wallet) Tip() (lnwire.BlockRef, bool) {
	if w.tip == nil {
		return lnwire.BlockRef{}, false
	}
	return *w.tip, true
}

// Known lists the blocks that hold our transactions, ascending, and the tip: the
// way back for a chain follower whose backend has forgotten the tip.
func (w *Wallet) Known() []lnwire.BlockRef {
	at := map[lnwire.Height]lnwire.BlockRef{}
	for _, t := range w.txs {
		if t.mined() {
			at[t.At.Height] = t.At
		}
	}
	if w.tip != nil {
		at[w.tip.Height] = *w.tip
	}
	list := make([]lnwire.BlockRef, 0, len(at))
	for _, h := range slices.Sorted(maps.Keys(at)) {
		list = append(list, at[h])
	}
	return list
}

// height is that of the tip, 0 before any block.
func (w *Wallet) height() lnwire.Height {
	if w.tip == nil {
		return 0
	}
	return w.tip.Height
}

// confirmations of something in block at: 0 while unconfirmed.
func (w *Wallet) confirmations(at lnwire.BlockRef) uint32 {
	if at == (lnwire.BlockRef{}) || at.Height > w.height() {
		return 0
	}
	return uint32(w.height()-at.Height) + 1
}

func (t *TxRow) mined() bool { return t.At != (lnwire.BlockRef{}) }

// flush ends an event: what changed becomes the delta, in a fixed order.
func (w *Wallet) flush() Effects {
	fx := w.fx
	for _, id := range slices.SortedFunc(maps.Keys(w.dirty.branches), branchID.compare) {
		fx.Delta.Branches = append(fx.Delta.Branches, w.branches[id].row)
	}
	for _, n := range slices.Sorted(maps.Keys(w.dirty.accounts)) {
		fx.Delta.Accounts = append(fx.Delta.Accounts, w.accounts[n].row)
	}
	fx.Delta.Keys, _ = rowsOf(w.dirty.loose, w.loose, cmp.Compare[uint32])
	fx.Delta.Families, _ = rowsOf(w.dirty.families, w.families, cmp.Compare[uint32])
	fx.Delta.Coins, fx.Delta.CoinsGone = rowsOf(w.dirty.coins, w.coins, compareOutPoints)
	fx.Delta.Txs, fx.Delta.TxsGone = rowsOf(w.dirty.txs, w.txs, compareHashes)
	fx.Delta.Leases, fx.Delta.LeasesGone = rowsOf(w.dirty.leases, w.leases, compareOutPoints)
	fx.Delta.Wishes, fx.Delta.WishesGone = rowsOf(w.dirty.wishes, w.wishes, compareOutPoints)
	if w.dirty.tip && w.tip != nil {
		fx.Delta.Tip = &TipRow{At: *w.tip, Window: w.window, Scan: w.again}
	}
	fx.dropGone(fx.Delta.TxsGone)
	w.dirty, w.fx = newDirty(), Effects{}
	return fx
}

// rowsOf tells the changed rows that exist from those that are gone.
func rowsOf[K comparable, R any](changed map[K]bool, rows map[K]*R, compare func(a, b K) int) (puts []R, gone []K) {
	for _, k := range slices.SortedFunc(maps.Keys(changed), compare) {
		if r, ok := rows[k]; ok {
			puts = append(puts, *r)
		} else {
			gone = append(gone, k)
		}
	}
	return puts, gone
}
