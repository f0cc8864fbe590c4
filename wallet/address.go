package wallet

import (
	"errors"
	"fmt"

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

func branchIndex(a keys.AccountKind, b keys.Branch) int { return 2*int(a) + int(b) }

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

// form follows from the account; but change of BIP49 is P2WPKH, as in lnd.
func form(at keys.CoinLoc) scriptForm {
	switch {
	case at.Account == keys.P2TR:
		return formP2TR
	case at.Account == keys.NestedP2WKH && at.Branch == keys.External:
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
		out := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))
		return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, out...), nil
	}
	return nil, fmt.Errorf("no script of form %d", f)
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
func (w *Wallet) derive(i int) {
	b := &w.branches[i]
	end := max(b.row.Next, b.row.Used) + max(w.cfg.Window, 1)
	for ; b.derived < end; b.derived++ {
		at := keys.CoinLoc{Account: b.row.Account, Branch: b.row.Branch, Index: b.derived}
		script, err := w.scriptOf(at)
		if err != nil {
			continue // no key here: one index in 2^127
		}
		w.scripts[string(script)] = at
		w.fx.Watch = append(w.fx.Watch, script)
	}
}

func (w *Wallet) pubKey(at keys.CoinLoc) (lnwire.PubKey, error) {
	return w.cfg.Accounts[at.Account].PubKey(at.Branch, at.Index)
}

func (w *Wallet) scriptOf(at keys.CoinLoc) ([]byte, error) {
	key, err := w.pubKey(at)
	if err != nil {
		return nil, err
	}
	return pkScript(form(at), key)
}

// NextAddress gives out an address that was never given out before.
func (w *Wallet) NextAddress(account keys.AccountKind, b keys.Branch) (Address, Effects, error) {
	a, err := w.take(account, b)
	if err != nil {
		return Address{}, Effects{}, err
	}
	return a, w.flush(), nil
}

// UnusedAddress gives the last address again while nobody has paid it, and else a
// fresh one.
func (w *Wallet) UnusedAddress(account keys.AccountKind, b keys.Branch) (Address, Effects, error) {
	if int(account) >= len(w.cfg.Accounts) || b > keys.Internal {
		return Address{}, Effects{}, errNoBranch(account, b)
	}
	row := &w.branches[branchIndex(account, b)].row
	if row.Next > row.Used {
		a, err := w.addressAt(keys.CoinLoc{Account: account, Branch: b, Index: row.Next - 1})
		return a, Effects{}, err
	}
	return w.NextAddress(account, b)
}

func errNoBranch(account keys.AccountKind, b keys.Branch) error {
	return fmt.Errorf("no branch %d of account %d", b, account)
}

// peek is the next fresh address, without giving it out.
func (w *Wallet) peek(account keys.AccountKind, b keys.Branch) (Address, error) {
	if int(account) >= len(w.cfg.Accounts) || b > keys.Internal {
		return Address{}, errNoBranch(account, b)
	}
	row := &w.branches[branchIndex(account, b)].row
	at := keys.CoinLoc{Account: account, Branch: b, Index: row.Next}
	for {
		a, err := w.addressAt(at)
		if !errors.Is(err, keys.ErrUnusableKey) {
			return a, err
		}
		at.Index++
	}
}

// take gives out the next fresh address.
func (w *Wallet) take(account keys.AccountKind, b keys.Branch) (Address, error) {
	a, err := w.peek(account, b)
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
	i := branchIndex(at.Account, at.Branch)
	row := &w.branches[i].row
	before := *row
	row.Next = max(row.Next, at.Index+1)
	if used {
		row.Used = max(row.Used, at.Index+1)
	}
	if *row != before {
		w.dirty.branches[i] = true
		w.derive(i)
	}
}

// Owner says which key of ours a script pays to; false: it is not ours, or beyond
// the window.
func (w *Wallet) Owner(script []byte) (keys.CoinLoc, bool) {
	at, ok := w.scripts[string(script)]
	return at, ok
}

// Addresses lists the addresses of a branch that were given out, in order.
func (w *Wallet) Addresses(account keys.AccountKind, b keys.Branch) ([]Address, error) {
	if int(account) >= len(w.cfg.Accounts) || b > keys.Internal {
		return nil, errNoBranch(account, b)
	}
	var list []Address
	for i := range w.branches[branchIndex(account, b)].row.Next {
		a, err := w.addressAt(keys.CoinLoc{Account: account, Branch: b, Index: i})
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
