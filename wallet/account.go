package wallet

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// The names of accounts that need no import.
const (
	DefaultName  = "default"  // the accounts that every wallet has, taken together
	ImportedName = "imported" // the keys that were imported one by one
)

// AccountID names an account. Those that every wallet has share the number 0.
type AccountID struct {
	Kind   keys.AccountKind
	Number uint32
}

func (id AccountID) branch(b keys.Branch) branchID { return branchID{id.Number, id.Kind, b} }

func (id AccountID) key(b keys.Branch, index uint32) keys.CoinLoc {
	return keys.CoinLoc{Account: id.Kind, Number: id.Number, Branch: b, Index: index}
}

// account is one that not every wallet has.
type account struct {
	row  AccountRow
	keys keys.Account
}

// Account is an account as it is listed.
type Account struct {
	AccountID
	Name      string
	ID        keys.XPub // zero for keys that were imported one by one
	Master    [4]byte
	External  uint32 // how many addresses were given out or used
	Internal  uint32
	WatchOnly bool // somebody else signs
	Scan      Scan
}

// ErrNoAccount says that no account has a name.
type ErrNoAccount struct{ Name string }

// Error is what clients of lnd read.
func (e ErrNoAccount) Error() string { return fmt.Sprintf("account name '%s' not found", e.Name) }

func (w *Wallet) loadAccounts(rows *Rows) error {
	for kind := range w.cfg.Accounts {
		w.addBranches(0, &w.cfg.Accounts[kind])
	}
	for _, r := range rows.Accounts {
		if r.Number == 0 || r.Number == keys.Loose || w.accounts[r.Number] != nil {
			return fmt.Errorf("load wallet: account %q has the number %d", r.Name, r.Number)
		}
		if err := w.openAccount(r); err != nil {
			return fmt.Errorf("load wallet: account %q: %w", r.Name, err)
		}
	}
	for _, r := range rows.Keys {
		if err := w.openKey(r); err != nil {
			return fmt.Errorf("load wallet: imported key %d: %w", r.Index, err)
		}
	}
	for _, r := range rows.Families {
		w.families[r.Family] = &r
	}
	return nil
}

func (w *Wallet) openAccount(r AccountRow) error {
	k, err := keys.NewAccount(r.Kind, r.ID)
	if err != nil {
		return err
	}
	a := &account{row: r, keys: k}
	w.accounts[r.Number] = a
	w.addBranches(r.Number, &a.keys)
	return nil
}

func (w *Wallet) openKey(r KeyRow) error {
	script, err := r.script()
	if err != nil {
		return err
	}
	w.loose[r.Index] = &r
	w.claim(script, r.place())
	return nil
}

// Import is an account of somebody else's seed, to be watched.
type Import struct {
	Name   string
	Kind   keys.AccountKind
	ID     keys.XPub
	Master [4]byte
	// From is the first block that may hold its coins; 0 with a tip: none before now.
	From lnwire.Height
}

// ImportAccount begins to look for the coins of an account whose keys are elsewhere, in
// blocks from now on and, as Scan is told of them, in those from From on. The errors say
// that the name is taken, the key is ours, or it was imported before.
func (w *Wallet) ImportAccount(im Import) (Account, Effects, error) {
	if err := w.freeName(im.Name); err != nil {
		return Account{}, Effects{}, err
	}
	for _, a := range w.cfg.Accounts {
		if a.ID.Key == im.ID.Key {
			return Account{}, Effects{}, mistake.Twice("import account: it is the wallet's own")
		}
	}
	for _, n := range w.numbers() {
		if a := w.accounts[n]; a.row.ID.Key == im.ID.Key && a.row.Kind.Purpose() == im.Kind.Purpose() {
			return Account{}, Effects{}, mistake.Twice("import account: it was imported as %q", a.row.Name)
		}
	}
	row := AccountRow{
		Number: w.nextNumber(keys.Foreign), Name: im.Name, Kind: im.Kind, ID: im.ID, Master: im.Master, Scan: w.scanFrom(im.From),
	}
	if row.Number == keys.Loose {
		return Account{}, Effects{}, mistake.TooMuch("import account: there are too many")
	}
	return w.addAccount(row)
}

// freeName reports why a name cannot be given to an account.
func (w *Wallet) freeName(name string) error {
	switch name {
	case "":
		return mistake.Argument("account name is required")
	case DefaultName, ImportedName:
		return mistake.Argument("account name %v is reserved by the wallet", name)
	}
	if w.number(name) != nil {
		return mistake.Twice("account '%s' already exists", name)
	}
	return nil
}

// nextNumber is the first number from one on that no account has.
func (w *Wallet) nextNumber(from uint32) uint32 {
	for w.accounts[from] != nil {
		from++
	}
	return from
}

func (w *Wallet) addAccount(row AccountRow) (Account, Effects, error) {
	if err := w.openAccount(row); err != nil {
		return Account{}, Effects{}, fmt.Errorf("account %q: %w", row.Name, err)
	}
	for b := keys.External; b <= keys.Internal; b++ {
		w.derive(branchID{row.Number, row.Kind, b})
	}
	w.dirty.accounts[row.Number] = true
	return w.listed(row.Number), w.flush(), nil
}

// NewAccount makes an account of our own seed, from its public half and its number,
// which NextNumber told. From a height on old blocks are searched, as for an import: 0 for
// an account that never was.
func (w *Wallet) NewAccount(name string, number uint32, a keys.Account, from lnwire.Height) (Account, Effects, error) {
	if err := w.freeName(name); err != nil {
		return Account{}, Effects{}, err
	}
	if number == 0 || number >= keys.Foreign || w.accounts[number] != nil {
		return Account{}, Effects{}, mistake.Argument("account %q: the number %d is not free", name, number)
	}
	return w.addAccount(AccountRow{Number: number, Name: name, Kind: a.Kind, ID: a.ID, Scan: w.scanFrom(from)})
}

// NextNumber is the number for the next account of our own seed.
func (w *Wallet) NextNumber() uint32 { return w.nextNumber(1) }

// ImportKey begins to look for the coins of one public key, from now on and in the blocks
// from a height on. The error says that its script is known already.
func (w *Wallet) ImportKey(key lnwire.PubKey, kind keys.AccountKind, from lnwire.Height) (Effects, error) {
	return w.importKey(KeyRow{Kind: kind, Key: key}, from)
}

// ImportOutput is ImportKey for the even key of a taproot output that commits to scripts, say.
// Its coins are counted, and nothing is funded with them.
func (w *Wallet) ImportOutput(key lnwire.PubKey, from lnwire.Height) (Effects, error) {
	return w.importKey(KeyRow{Kind: keys.P2TR, Key: key, Output: true}, from)
}

func (w *Wallet) importKey(row KeyRow, from lnwire.Height) (Effects, error) {
	row.Index, row.Scan = uint32(len(w.loose)), w.scanFrom(from)
	script, err := row.script()
	if err != nil {
		return Effects{}, fmt.Errorf("import key: %w", err)
	}
	if _, known := w.scripts[string(script)]; known {
		return Effects{}, mistake.Twice("import key: address for it is already known to the wallet")
	}
	if err := w.openKey(row); err != nil {
		return Effects{}, fmt.Errorf("import key: %w", err)
	}
	w.dirty.loose[row.Index] = true
	return w.flush(), nil
}

// numbers lists the numbers of accounts beside the default.
func (w *Wallet) numbers() []uint32 { return slices.Sorted(maps.Keys(w.accounts)) }

// number is that of the account with a name; nil: there is none.
func (w *Wallet) number(name string) *uint32 {
	for _, n := range w.numbers() {
		if w.accounts[n].row.Name == name {
			return &n
		}
	}
	return nil
}

// Number is the number of the accounts with a name; empty means the default. The error
// is ErrNoAccount.
func (w *Wallet) Number(name string) (uint32, error) {
	switch name {
	case "", DefaultName:
		return 0, nil
	case ImportedName:
		return keys.Loose, nil
	}
	if n := w.number(name); n != nil {
		return *n, nil
	}
	return 0, ErrNoAccount{name}
}

// NameOf is the name of the accounts with a number.
func (w *Wallet) NameOf(number uint32) string {
	switch number {
	case 0:
		return DefaultName
	case keys.Loose:
		return ImportedName
	}
	if a := w.accounts[number]; a != nil {
		return a.row.Name
	}
	return ""
}

// Accounts lists all accounts: those of every wallet, then others, then keys that stand
// alone, as one account for each kind of them.
func (w *Wallet) Accounts() (list []Account) {
	for _, kind := range keys.Accounts {
		a := Account{AccountID: AccountID{Kind: kind}, Name: DefaultName, ID: w.cfg.Accounts[kind].ID}
		w.count(&a)
		list = append(list, a)
	}
	for _, n := range w.numbers() {
		list = append(list, w.listed(n))
	}
	for _, kind := range keys.Accounts {
		a := Account{AccountID: AccountID{kind, keys.Loose}, Name: ImportedName, WatchOnly: true}
		for _, k := range w.loose {
			if k.Kind == kind {
				a.External++
			}
		}
		if a.External > 0 {
			list = append(list, a)
		}
	}
	return list
}

func (w *Wallet) listed(number uint32) Account {
	r := &w.accounts[number].row
	a := Account{
		AccountID: AccountID{r.Kind, number}, Name: r.Name, ID: r.ID, Master: r.Master,
		WatchOnly: number >= keys.Foreign, Scan: r.Scan,
	}
	w.count(&a)
	return a
}

func (w *Wallet) count(a *Account) {
	a.External = w.branches[a.branch(keys.External)].row.Next
	a.Internal = w.branches[a.branch(keys.Internal)].row.Next
}

// AddressBalance is an address with what it holds.
type AddressBalance struct {
	Address
	PubKey  lnwire.PubKey
	Balance lnwire.Sat // of what is unspent, unconfirmed and leased included
}

// Given lists the addresses of an account that were given out, first those for others,
// then those for change.
func (w *Wallet) Given(id AccountID) (list []AddressBalance, err error) {
	held := map[keys.CoinLoc]lnwire.Sat{}
	for _, c := range w.coins {
		if !c.spent() {
			held[c.Key] += c.Value
		}
	}
	var given []Address
	if id.Number == keys.Loose {
		for i := range uint32(len(w.loose)) {
			if w.loose[i].Kind == id.Kind {
				a, err := w.addressAt(id.key(keys.External, i))
				if err != nil {
					return nil, err
				}
				given = append(given, a)
			}
		}
	} else {
		for b := keys.External; b <= keys.Internal; b++ {
			more, err := w.Addresses(id, b)
			if err != nil {
				return nil, err
			}
			given = append(given, more...)
		}
	}
	for _, a := range given {
		key, err := w.pubKey(a.Key)
		if err != nil {
			return nil, err
		}
		list = append(list, AddressBalance{Address: a, PubKey: key, Balance: held[a.Key]})
	}
	return list, nil
}

// TryAccount is what an import would be, with the first n addresses of each branch.
func (w *Wallet) TryAccount(im Import, n uint32) (a Account, external, internal []string, err error) {
	trial := &Wallet{cfg: w.cfg, branches: map[branchID]*branch{}, accounts: map[uint32]*account{}}
	if err := w.freeName(im.Name); err != nil {
		return a, nil, nil, err
	}
	row := AccountRow{Number: w.nextNumber(keys.Foreign), Name: im.Name, Kind: im.Kind, ID: im.ID, Master: im.Master}
	if err := trial.openAccount(row); err != nil {
		return a, nil, nil, err
	}
	a = trial.listed(row.Number)
	a.External, a.Internal = n, n
	for i := range n {
		for b, list := range []*[]string{&external, &internal} {
			address, err := trial.addressAt(a.key(keys.Branch(b), i))
			if err != nil {
				return a, nil, nil, err
			}
			*list = append(*list, address.Text)
		}
	}
	return a, external, internal, nil
}

// NextKey gives out the next index of a family of keys. from is the least that it may be.
func (w *Wallet) NextKey(family, from uint32) (index uint32, fx Effects, err error) {
	row := FamilyRow{Family: family}
	if old := w.families[family]; old != nil {
		row = *old
	}
	index = max(row.Next, from)
	if family >= keys.Foreign || index >= math.MaxInt32 {
		return 0, Effects{}, mistake.TooMuch("key family %d: there is no next key", family)
	}
	row.Next = index + 1
	w.families[family] = &row
	w.dirty.families[family] = true
	return index, w.flush(), nil
}

// Find is the account of a name that has addresses of a kind. The errors are ErrNoAccount,
// or say which kind the account has.
func (w *Wallet) Find(name string, kind keys.AccountKind) (AccountID, error) {
	number, err := w.Number(name)
	if err != nil || number == 0 {
		return AccountID{Kind: kind}, err
	}
	a := w.accounts[number]
	if a == nil {
		return AccountID{}, mistake.Argument("account %s has no addresses but those of the keys that were imported", name)
	}
	if a.row.Kind.Purpose() != kind.Purpose() {
		return AccountID{}, mistake.Argument("account %v exists under key scope m/%d'/0', not m/%d'/0'; request the address type belonging to that scope instead",
			name, a.row.Kind.Purpose(), kind.Purpose())
	}
	return AccountID{a.row.Kind, number}, nil
}
