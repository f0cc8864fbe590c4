package wallet

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// branch is one chain of addresses.
type branch struct {
	row     BranchRow
	account *keys.Account
	derived uint32 // scripts below this index are in Wallet.scripts
}

// branchID names a branch.
type branchID struct {
	number  uint32
	account keys.AccountKind
	branch  keys.Branch
}

func (r BranchRow) id() branchID { return branchID{r.Number, r.Account, r.Branch} }

func (a branchID) compare(b branchID) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.account, b.account), cmp.Compare(a.branch, b.branch))
}

func branchOf(at keys.CoinLoc) branchID { return branchID{at.Number, at.Account, at.Branch} }

func (w *Wallet) branchIDs() []branchID {
	return slices.SortedFunc(maps.Keys(w.branches), branchID.compare)
}

// addBranches opens both branches of an account.
func (w *Wallet) addBranches(number uint32, a *keys.Account) {
	for b := keys.External; b <= keys.Internal; b++ {
		row := BranchRow{Account: a.Kind, Number: number, Branch: b}
		w.branches[row.id()] = &branch{row: row, account: a}
	}
}

// Address is a place to be paid.
type Address struct {
	Key      keys.CoinLoc
	PkScript []byte
	Text     string // as its network writes it
}

// scriptForm is how a coin's script is made and spent.
type scriptForm uint8

const (
	formP2WKH scriptForm = iota
	formNested
	formP2TR
)

// form follows from the account; but change of BIP49 is P2WPKH, as in lnd, unless an
// imported account is to the letter of it.
func form(at keys.CoinLoc) scriptForm {
	switch {
	case at.Account == keys.P2TR:
		return formP2TR
	case at.Account == keys.NestedP2WKH && at.Branch == keys.External, at.Account == keys.Nested49:
		return formNested
	}
	return formP2WKH
}

// pkScript is the output script of a key.
func pkScript(f scriptForm, key lnwire.PubKey) ([]byte, error) {
	switch f {
	case formP2WKH:
		return p2wkhScript(key), nil
	case formNested:
		hash := address.Hash160(p2wkhScript(key))
		script := append([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, hash...)
		return append(script, txscript.OP_EQUAL), nil
	case formP2TR:
		internal, err := key.Parse()
		if err != nil {
			return nil, err
		}
		return taprootScript(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))), nil
	}
	return nil, fmt.Errorf("no script of form %d", f)
}

// taprootScript pays to an output key of 32 bytes: BIP 341.
func taprootScript(key []byte) []byte {
	return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key...)
}

// p2wkhScript is the witness program of a key: BIP 141.
func p2wkhScript(key lnwire.PubKey) []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, address.Hash160(key[:])...)
}

// addressText writes a script as its network does.
func addressText(script []byte, net *chaincfg.Params) (string, error) {
	_, addrs, _, err := txscript.ExtractPkScriptAddrs(script, net)
	if err != nil {
		return "", err
	}
	if len(addrs) != 1 {
		return "", errors.New("script has no address")
	}
	return addrs[0].EncodeAddress(), nil
}

// derive keeps the window open: scripts up to Window beyond the last index that is
// known to be given out or used.
func (w *Wallet) derive(id branchID) {
	b := w.branches[id]
	end := max(b.row.Next, b.row.Used) + max(w.cfg.Window, 1)
	for ; b.derived < end; b.derived++ {
		at := keys.CoinLoc{Account: b.row.Account, Number: b.row.Number, Branch: b.row.Branch, Index: b.derived}
		script, err := w.scriptOf(at)
		if err != nil {
			continue // no key here: one index in 2^127
		}
		w.claim(script, at)
	}
}

// claim makes a script that of a key. Two can have the same one, where a key is imported
// that an account comes to later, or an extended key for two kinds of accounts. Then it
// is the account's that every wallet has, of imported ones the older one's, and a single
// key's last: in whatever order they come, also at a start. Its coins go along.
func (w *Wallet) claim(script []byte, at keys.CoinLoc) {
	old, known := w.scripts[string(script)]
	if !known {
		w.fx.Watch = append(w.fx.Watch, script)
	} else if before(old, at) {
		return
	}
	w.scripts[string(script)] = at
	if !known || old == at {
		return
	}
	for _, c := range w.coins {
		if string(c.PkScript) == string(script) {
			moved := *c
			moved.Key = at
			w.putCoin(moved)
		}
	}
}

// before reports which of two keys has a script that both have.
func before(a, b keys.CoinLoc) bool {
	return cmp.Or(branchOf(a).compare(branchOf(b)), cmp.Compare(a.Index, b.Index)) < 0
}

func (w *Wallet) pubKey(at keys.CoinLoc) (lnwire.PubKey, error) {
	if at.Number == keys.Loose {
		if k := w.loose[at.Index]; k != nil {
			return k.Key, nil
		}
	} else if b := w.branches[branchOf(at)]; b != nil {
		return b.account.PubKey(at.Branch, at.Index)
	}
	return lnwire.PubKey{}, fmt.Errorf("no key %v", at)
}

func (w *Wallet) scriptOf(at keys.CoinLoc) ([]byte, error) {
	if k := w.loose[at.Index]; at.Number == keys.Loose && k != nil {
		return k.script()
	}
	key, err := w.pubKey(at)
	if err != nil {
		return nil, err
	}
	return pkScript(form(at), key)
}

// NextAddress gives out an address that was never given out before.
func (w *Wallet) NextAddress(id AccountID, b keys.Branch) (Address, Effects, error) {
	a, err := w.take(id, b)
	if err != nil {
		return Address{}, Effects{}, err
	}
	return a, w.flush(), nil
}

// UnusedAddress gives the last address again while nobody has paid it, and else a
// fresh one.
func (w *Wallet) UnusedAddress(id AccountID, b keys.Branch) (Address, Effects, error) {
	at := w.branches[id.branch(b)]
	if at == nil {
		return Address{}, Effects{}, errNoBranch(id, b)
	}
	if row := &at.row; row.Next > row.Used {
		a, err := w.addressAt(id.key(b, row.Next-1))
		return a, Effects{}, err
	}
	return w.NextAddress(id, b)
}

func errNoBranch(id AccountID, b keys.Branch) error {
	return fmt.Errorf("no branch %d of account %v", b, id)
}

// peek is the next fresh address, without giving it out.
func (w *Wallet) peek(id AccountID, b keys.Branch) (Address, error) {
	chain := w.branches[id.branch(b)]
	if chain == nil {
		return Address{}, errNoBranch(id, b)
	}
	at := id.key(b, chain.row.Next)
	for {
		a, err := w.addressAt(at)
		if !errors.Is(err, keys.ErrUnusableKey) {
			return a, err
		}
		at.Index++
	}
}

// take gives out the next fresh address.
func (w *Wallet) take(id AccountID, b keys.Branch) (Address, error) {
	a, err := w.peek(id, b)
	if err != nil {
		return Address{}, err
	}
	w.advance(a.Key, false)
	return a, nil
}

func (w *Wallet) addressAt(at keys.CoinLoc) (Address, error) {
	script, err := w.scriptOf(at)
	if err != nil {
		return Address{}, err
	}
	text, err := addressText(script, w.cfg.Net)
	if err != nil {
		return Address{}, fmt.Errorf("address %v: %w", at, err)
	}
	return Address{Key: at, PkScript: script, Text: text}, nil
}

// advance notes that the key at an index was given out or, with used, paid.
func (w *Wallet) advance(at keys.CoinLoc, used bool) {
	id := branchOf(at)
	if at.Number == keys.Loose {
		return // a key that stands alone
	}
	row := &w.branches[id].row
	before := *row
	row.Next = max(row.Next, at.Index+1)
	if used {
		row.Used = max(row.Used, at.Index+1)
	}
	if *row != before {
		w.dirty.branches[id] = true
		w.derive(id)
	}
}

// Owner says which key of ours a script pays to; false: it is not ours, or beyond
// the window.
func (w *Wallet) Owner(script []byte) (keys.CoinLoc, bool) {
	at, ok := w.scripts[string(script)]
	return at, ok
}

// Addresses lists the addresses of a branch that were given out, in order.
func (w *Wallet) Addresses(id AccountID, b keys.Branch) ([]Address, error) {
	at := w.branches[id.branch(b)]
	if at == nil {
		return nil, errNoBranch(id, b)
	}
	var list []Address
	for i := range at.row.Next {
		a, err := w.addressAt(id.key(b, i))
		if errors.Is(err, keys.ErrUnusableKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}
