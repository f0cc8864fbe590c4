package keys

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// AccountKind is one of the wallet's three accounts. The numbers are stored.
type AccountKind uint8

// The accounts, each for one kind of script.
const (
	NestedP2WKH AccountKind = 0 // m/49'/0'/0': P2WPKH inside P2SH; its change is P2WPKH, as in lnd
	P2WKH       AccountKind = 1 // m/84'/0'/0'
	P2TR        AccountKind = 2 // m/86'/0'/0': taproot, spent by key

	numAccounts = 3
)

// Accounts lists the wallet's accounts.
var Accounts = [numAccounts]AccountKind{NestedP2WKH, P2WKH, P2TR}

// Purpose is the first step of the account's path.
func (k AccountKind) Purpose() uint32 {
	switch k {
	case NestedP2WKH:
		return 49
	case P2WKH:
		return 84
	case P2TR:
		return 86
	}
	return 0
}

// String is the account's path.
func (k AccountKind) String() string { return fmt.Sprintf("m/%d'/0'/0'", k.Purpose()) }

// Branch says for whom a wallet's key is: others pay to External, our change goes
// to Internal.
type Branch uint8

// The branches below an account.
const (
	External Branch = 0
	Internal Branch = 1
)

// CoinLoc names a key of the wallet: m/purpose'/0'/0'/branch/index.
type CoinLoc struct {
	Account AccountKind
	Branch  Branch
	Index   uint32
}

// String is the key's path.
func (l CoinLoc) String() string { return fmt.Sprintf("%v/%d/%d", l.Account, l.Branch, l.Index) }

// accountKeys holds both branches of one account.
type accountKeys struct{ branches [2]branch }

func newAccountKeys(root xprv, kind AccountKind) (w accountKeys, err error) {
	coin, err := coinKey(root, kind.Purpose(), 0)
	if err != nil {
		return w, err
	}
	account, err := accountKey(coin, 0)
	if err != nil {
		return w, err
	}
	parent := account.withPub()
	for b := range w.branches {
		k, err := parent.child(uint32(b))
		if err != nil {
			return w, err
		}
		w.branches[b] = k.withPub()
	}
	return w, nil
}

// Account is the public half of a wallet's account: it can make every address and
// sign nothing. The zero value has no keys.
type Account struct {
	Kind     AccountKind
	branches [2]xpub
}

// Account is the public half of one of the wallet's accounts.
func (r *Ring) Account(kind AccountKind) Account {
	w := &r.accounts[kind]
	return Account{Kind: kind, branches: [2]xpub{w.branches[External].public(), w.branches[Internal].public()}}
}

// PubKey derives a public key of the account. ErrUnusableKey means that the index
// is to be passed over.
func (a *Account) PubKey(b Branch, index uint32) (lnwire.PubKey, error) {
	if index >= hardened {
		return lnwire.PubKey{}, fmt.Errorf("key %v/%d/%d: index must be below 2^31", a.Kind, b, index)
	}
	child, err := a.branches[b&1].child(index)
	if err != nil {
		return lnwire.PubKey{}, fmt.Errorf("key %v/%d/%d: %w", a.Kind, b, index, err)
	}
	return child.ser, nil
}

// CoinJob asks for the signature that a coin of the wallet needs.
type CoinJob struct {
	Key    CoinLoc
	Digest [32]byte
}

// SignCoins signs for the wallet's coins, 64 bytes each: of account P2TR by BIP340
// with the key tweaked as BIP86 says, of the others by ECDSA, as r and low
// s. ok is false when a job names no key of the wallet; then there are no
// signatures at all.
func (r *Ring) SignCoins(jobs []CoinJob) (sigs []lnwire.Sig, ok bool) {
	sigs = make([]lnwire.Sig, len(jobs))
	for i, j := range jobs {
		priv, err := r.coinKey(j.Key)
		if err != nil {
			return nil, false
		}
		if j.Key.Account != P2TR {
			sigs[i] = signECDSA(priv, j.Digest)
			continue
		}
		s, err := schnorr.Sign(txscript.TweakTaprootPrivKey(*priv, nil), j.Digest[:])
		if err != nil {
			return nil, false
		}
		copy(sigs[i][:], s.Serialize())
	}
	return sigs, true
}

func (r *Ring) coinKey(l CoinLoc) (*btcec.PrivateKey, error) {
	if l.Account >= numAccounts || l.Branch > Internal || l.Index >= hardened {
		return nil, fmt.Errorf("key %v: not of this wallet", l)
	}
	k, err := r.accounts[l.Account].branches[l.Branch].child(l.Index)
	if err != nil {
		return nil, err
	}
	return btcec.PrivKeyFromScalar(&k.key), nil
}
