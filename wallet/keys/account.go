package keys

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// AccountKind is what scripts an account has. The numbers are stored.
type AccountKind uint8

// The kinds of accounts. A seed has one of each of the first three.
const (
	NestedP2WKH AccountKind = 0 // m/49': P2WPKH inside P2SH; its change is P2WPKH, as in lnd
	P2WKH       AccountKind = 1 // m/84'
	P2TR        AccountKind = 2 // m/86': taproot, spent by key
	Nested49    AccountKind = 3 // m/49' to the letter, change inside P2SH too: only imported

	numAccounts = 3
)

// Accounts lists the wallet's accounts.
var Accounts = [numAccounts]AccountKind{NestedP2WKH, P2WKH, P2TR}

// Purpose is the first step of the account's path.
func (k AccountKind) Purpose() uint32 {
	switch k {
	case NestedP2WKH, Nested49:
		return 49
	case P2WKH:
		return 84
	case P2TR:
		return 86
	}
	return 0
}

// String is the path of the seed's account of that kind.
func (k AccountKind) String() string { return fmt.Sprintf("m/%d'/0'/0'", k.Purpose()) }

// The numbers of accounts: below Foreign they are the third step of a path of our seed, 0
// for what every wallet has. From Foreign on they only count what was imported: its keys
// are somebody else's, and nothing here can sign for them.
const (
	Foreign uint32 = 1 << 31
	// Loose is the account of public keys that were imported one by one.
	Loose uint32 = 1<<32 - 1
)

// Branch says for whom a wallet's key is: others pay to External, our change goes
// to Internal.
type Branch uint8

// The branches below an account.
const (
	External Branch = 0
	Internal Branch = 1
)

// CoinLoc names a key of the wallet: m/purpose'/0'/number'/branch/index. For a Loose one
// Index counts the imports.
type CoinLoc struct {
	Account AccountKind
	Number  uint32
	Branch  Branch
	Index   uint32
}

// String is the key's path, or says where else it comes from.
func (l CoinLoc) String() string {
	switch {
	case l.Number == Loose:
		return fmt.Sprintf("imported key %d", l.Index)
	case l.Number >= Foreign:
		return fmt.Sprintf("imported account %d/%d/%d", l.Number-Foreign, l.Branch, l.Index)
	}
	return fmt.Sprintf("m/%d'/0'/%d'/%d/%d", l.Account.Purpose(), l.Number, l.Branch, l.Index)
}

// accountKeys holds both branches of one account.
type accountKeys struct {
	id       XPub
	branches [2]branch
}

// newAccountKeys derives account number below a coin key.
func newAccountKeys(coin xprv, number uint32) (w accountKeys, err error) {
	account, err := accountKey(coin, number)
	if err != nil {
		return w, err
	}
	parent := account.withPub()
	w.id = XPub{
		Key: parent.pub, Chain: parent.chain, Depth: 3, Child: number | hardened, Parent: fingerprint(coin.withPub().pub),
	}
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
	ID       XPub // the account's own extended key
	branches [2]xpub
}

// Account is the public half of one of the wallet's accounts.
func (r *Ring) Account(kind AccountKind) Account {
	return r.accounts[kind].public(kind)
}

// NumberedAccount is the public half of another account of the seed, whose number is
// below Foreign.
func (r *Ring) NumberedAccount(kind AccountKind, number uint32) (Account, error) {
	w, err := r.numbered(kind, number)
	if err != nil {
		return Account{}, err
	}
	return w.public(kind), nil
}

func (r *Ring) numbered(kind AccountKind, number uint32) (accountKeys, error) {
	if kind >= numAccounts || number >= Foreign {
		return accountKeys{}, fmt.Errorf("account %d of kind %d: not of this wallet", number, kind)
	}
	if number == 0 {
		return r.accounts[kind], nil
	}
	return newAccountKeys(r.wallet[kind], number)
}

func (w *accountKeys) public(kind AccountKind) Account {
	return Account{Kind: kind, ID: w.id, branches: [2]xpub{w.branches[External].public(), w.branches[Internal].public()}}
}

// NewAccount makes an account from its extended public key. The error names a key that
// cannot have the branches, which happens to nobody.
func NewAccount(kind AccountKind, id XPub) (Account, error) {
	parent, err := id.open()
	if err != nil {
		return Account{}, err
	}
	a := Account{Kind: kind, ID: id}
	for b := range a.branches {
		if a.branches[b], err = parent.child(uint32(b)); err != nil {
			return Account{}, err
		}
	}
	return a, nil
}

// PubKey derives a public key of the account. ErrUnusableKey means that the index
// is to be passed over.
func (a *Account) PubKey(b Branch, index uint32) (lnwire.PubKey, error) {
	if index >= hardened {
		return lnwire.PubKey{}, mistake.Argument("key %v/%d/%d: index must be below 2^31", a.Kind, b, index)
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

// CoinKey is the key of one of the wallet's addresses for use. The error says that it is
// not ours.
func (r *Ring) CoinKey(l CoinLoc) (*Key, error) {
	priv, err := r.coinKey(l)
	if err != nil {
		return nil, err
	}
	return &Key{priv: priv, pub: priv.PubKey()}, nil
}

func (r *Ring) coinKey(l CoinLoc) (*btcec.PrivateKey, error) {
	if l.Branch > Internal || l.Index >= hardened {
		return nil, fmt.Errorf("key %v: not of this wallet", l)
	}
	account, err := r.numbered(l.Account, l.Number)
	if err != nil {
		return nil, err
	}
	k, err := account.branches[l.Branch].child(l.Index)
	if err != nil {
		return nil, err
	}
	return btcec.PrivKeyFromScalar(&k.key), nil
}
