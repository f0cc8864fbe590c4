package node

import (
	"context"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Accounts lists the wallet's accounts.
func (n *Node) Accounts() (list []wallet.Account) {
	n.purse.look(func(w *wallet.Wallet) { list = w.Accounts() })
	return list
}

// AccountNumber is the number of the accounts with a name: wallet.ErrNoAccount.
func (n *Node) AccountNumber(name string) (number uint32, err error) {
	n.purse.look(func(w *wallet.Wallet) { number, err = w.Number(name) })
	return number, err
}

// AccountName is the name of the accounts with a number.
func (n *Node) AccountName(number uint32) (name string) {
	n.purse.look(func(w *wallet.Wallet) { name = w.NameOf(number) })
	return name
}

// GivenAddresses lists the addresses of an account that were given out.
func (n *Node) GivenAddresses(id wallet.AccountID) (list []wallet.AddressBalance, err error) {
	n.purse.look(func(w *wallet.Wallet) { list, err = w.Given(id) })
	return list, err
}

// AccountAddress gives out an address of an account.
func (n *Node) AccountAddress(id wallet.AccountID, change, unused bool) (wallet.Address, error) {
	branch := keys.External
	if change {
		branch = keys.Internal
	}
	return n.purse.address(id, branch, unused)
}

// OwnerOf says whose address a script is.
func (n *Node) OwnerOf(script []byte) (at keys.CoinLoc, ok bool) {
	n.purse.look(func(w *wallet.Wallet) { at, ok = w.Owner(script) })
	return at, ok
}

// TryAccount tells what an import would be, with the first addresses of both branches.
func (n *Node) TryAccount(im wallet.Import, addresses uint32) (a wallet.Account, external, internal []string, err error) {
	n.purse.look(func(w *wallet.Wallet) { a, external, internal, err = w.TryAccount(im, addresses) })
	return a, external, internal, err
}

// ImportAccount watches an account of another seed. What happened from born on is searched
// for in the background; the zero time is the wallet's own birthday.
func (n *Node) ImportAccount(im wallet.Import, born time.Time) (a wallet.Account, err error) {
	if im.From, err = n.bornAt(born); err != nil {
		return a, err
	}
	err = n.purse.do(func(w *wallet.Wallet) (fx wallet.Effects, err error) {
		a, fx, err = w.ImportAccount(im)
		return fx, err
	})
	n.searchImports()
	return a, err
}

// ImportKey watches a public key.
func (n *Node) ImportKey(key lnwire.PubKey, kind keys.AccountKind, born time.Time) error {
	from, err := n.bornAt(born)
	if err != nil {
		return err
	}
	err = n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.ImportKey(key, kind, from) })
	n.searchImports()
	return err
}

// ImportOutput is ImportKey for a taproot output of which only the key is known.
func (n *Node) ImportOutput(key lnwire.PubKey, born time.Time) error {
	from, err := n.bornAt(born)
	if err != nil {
		return err
	}
	err = n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.ImportOutput(key, from) })
	n.searchImports()
	return err
}

// CreateAccount makes another account of the wallet's own seed. For one that is made again
// old blocks are searched from born on; the zero time: it never was.
func (n *Node) CreateAccount(name string, kind keys.AccountKind, born time.Time) (a wallet.Account, err error) {
	from := lnwire.Height(0)
	if !born.IsZero() {
		if from, err = n.bornAt(born); err != nil {
			return a, err
		}
	}
	err = n.purse.do(func(w *wallet.Wallet) (fx wallet.Effects, err error) {
		number := w.NextNumber()
		id, err := n.ring.NumberedAccount(kind, number)
		if err != nil {
			return fx, err
		}
		a, fx, err = w.NewAccount(name, number, id, from)
		return fx, err
	})
	n.searchImports()
	return a, err
}

// bornAt is the first block that may hold coins of what was made at a time.
func (n *Node) bornAt(born time.Time) (lnwire.Height, error) {
	if born.IsZero() {
		born = n.cfg.Birthday
	}
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	tip, err := n.backend.Tip(ctx)
	if err != nil {
		return 0, err
	}
	at, err := blockBefore(ctx, n.backend, tip, born.Add(-birthdayMargin))
	return at.Height + 1, err
}

// searchImports wakes the search.
func (n *Node) searchImports() {
	select {
	case n.imported <- struct{}{}:
	default:
	}
}

// searchStep is how many blocks are searched at once, searchTold how many pass before the
// log hears of it again.
const (
	searchStep = 16
	searchTold = 10_000
)

// widen has old blocks searched again when the wallet was opened with a longer window than
// they were searched with.
func (n *Node) widen() {
	for n.widens.Load() && n.ctx.Err() == nil {
		from, err := n.bornAt(time.Time{})
		if err == nil {
			err = n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.Widen(from), nil })
		}
		if err == nil {
			n.widens.Store(false)
			return
		}
		n.log.Debug("old blocks cannot be searched now", "err", err)
		select {
		case <-time.After(feeTimeout):
		case <-n.ctx.Done():
		}
	}
}

// searchForImports looks through old blocks for the coins of what was imported, and of
// addresses that nobody looked for before.
func (n *Node) searchForImports() {
	n.widen()
	told := lnwire.Height(0)
	for n.ctx.Err() == nil {
		begin, next, last, due := n.Searching()
		if !due {
			if told > 0 {
				n.log.Info("all old blocks were searched", "height", last)
			}
			told = 0
			select {
			case <-n.imported:
			case <-n.ctx.Done():
			}
			continue
		}
		if told == 0 || next >= told+searchTold {
			told = max(next, 1)
			n.log.Info("old blocks are searched for coins", "from", begin, "at", next, "to", last)
		}
		if err := n.searchSome(next, min(last, next+searchStep-1)); err != nil {
			n.log.Debug("blocks cannot be searched now", "at", next, "err", err)
			select {
			case <-time.After(feeTimeout):
			case <-n.ctx.Done():
			}
		}
	}
}

// Searching tells from where to where blocks are searched for what was imported, and which
// is next; due false: none are.
func (n *Node) Searching() (begin, next, last lnwire.Height, due bool) {
	n.purse.look(func(w *wallet.Wallet) { begin, next, last, due = w.Scanning() })
	return begin, next, last, due
}

func (n *Node) searchSome(from, to lnwire.Height) error {
	var blocks []wallet.Block
	for height := from; height <= to; height++ {
		hash, err := n.backend.BlockHash(n.ctx, height)
		if err != nil {
			return fmt.Errorf("block %d: %w", height, err)
		}
		b, err := n.backend.Block(n.ctx, hash)
		if err != nil {
			return fmt.Errorf("block %d: %w", height, err)
		}
		blocks = append(blocks, wallet.Block{
			At: lnwire.BlockRef{Height: height, Hash: hash}, Time: b.Header.Timestamp, Txs: b.Transactions,
		})
	}
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.Scan(blocks...), nil })
}

// NodeFamily is the extended public key of a family of the node's keys.
func (n *Node) NodeFamily(family uint32) (keys.XPub, error) { return n.ring.FamilyID(family) }

// CoinType is the second step of the path to the node's keys.
func (n *Node) CoinType() keys.Coin { return n.ring.CoinType() }

// DeriveKey is the public key at a place.
func (n *Node) DeriveKey(at keys.KeyLoc) (lnwire.PubKey, error) { return n.ring.PubKey(at) }

// channelKeys is more than there will ever be channels, each of which takes the key of its
// number from a few families.
const channelKeys = 1 << 30

// NextKey gives out the next key of a family, never one that a channel has or will have.
func (n *Node) NextKey(family uint32) (at keys.KeyLoc, key lnwire.PubKey, err error) {
	at.Family = family
	from := uint32(0)
	switch {
	case family <= keys.FamilyRevocationRoot:
		from = channelKeys
	case family == keys.FamilyNode || family == keys.FamilyBackup:
		from = 1 // the first is taken
	}
	err = n.purse.do(func(w *wallet.Wallet) (fx wallet.Effects, err error) {
		at.Index, fx, err = w.NextKey(family, from)
		return fx, err
	})
	if err != nil {
		return at, key, err
	}
	key, err = n.ring.PubKey(at)
	return at, key, err
}

// FindAccount is the account of a name that has addresses of a kind.
func (n *Node) FindAccount(name string, kind keys.AccountKind) (id wallet.AccountID, err error) {
	n.purse.look(func(w *wallet.Wallet) { id, err = w.Find(name, kind) })
	return id, err
}
