package wallet

import (
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// scanFrom is a search from a height on; none when nothing lies there.
func (w *Wallet) scanFrom(from lnwire.Height) Scan {
	if w.tip == nil || from == 0 || from > w.tip.Height {
		return Scan{}
	}
	return Scan{Begin: from, Next: from}
}

// due reports that blocks up to a height are still to be searched.
func (s Scan) due(tip lnwire.Height) bool { return s.Next != 0 && s.Next <= tip }

// Narrow reports that blocks were searched with a shorter window than the wallet has now:
// coins may lie in them that only Widen finds.
func (w *Wallet) Narrow() bool { return w.tip != nil && w.window < w.cfg.Window }

// Widen has the blocks from a height on searched again, with the window as it is now, for
// all accounts.
func (w *Wallet) Widen(from lnwire.Height) Effects {
	w.window, w.dirty.tip = w.cfg.Window, true
	widen := func(s *Scan) bool {
		if fresh := w.scanFrom(from); fresh.Next != 0 && (s.Next == 0 || fresh.Next < s.Next) {
			*s = fresh
			return true
		}
		return false
	}
	widen(&w.again)
	for n, a := range w.accounts {
		w.dirty.accounts[n] = widen(&a.row.Scan) || w.dirty.accounts[n]
	}
	return w.flush()
}

// Scanning is the range of blocks that are still to be searched for what was imported, or
// with a longer window, both inclusive; false: none are. begin is where the search began.
func (w *Wallet) Scanning() (begin, next, last lnwire.Height, due bool) {
	w.eachScan(func(s *Scan) bool {
		if s.due(w.height()) {
			if !due || s.Next < next {
				next = s.Next
			}
			if !due || s.Begin < begin {
				begin = s.Begin
			}
			due = true
		}
		return false
	})
	return begin, next, w.height(), due
}

// searchedAll reports that the coins of an account are not all known yet, nor what was
// spent of them.
func (w *Wallet) searchedAll(number uint32) error {
	due := number == 0 && w.again.due(w.height())
	if a := w.accounts[number]; a != nil {
		due = a.row.Scan.due(w.height())
	}
	if number == keys.Loose {
		for _, k := range w.loose {
			due = due || k.Scan.due(w.height())
		}
	}
	if !due {
		return nil
	}
	_, next, last, _ := w.Scanning()
	return mistake.State("account %q is still being searched for coins: block %d of %d", w.NameOf(number), next, last)
}

// scanOf is how far the search for a key's account is.
func (w *Wallet) scanOf(at keys.CoinLoc) Scan {
	if at.Number == keys.Loose {
		if k := w.loose[at.Index]; k != nil {
			return k.Scan
		}
	} else if a := w.accounts[at.Number]; a != nil {
		return a.row.Scan
	} else if at.Number == 0 {
		return w.again
	}
	return Scan{}
}

// Scan searches blocks that the wallet took in before for the coins of what was imported
// since, and of what Widen asked for. Blocks are told in ascending order, from what Scanning says on; the tip of the
// wallet is the last. It changes nothing for accounts that are not being searched for.
func (w *Wallet) Scan(blocks ...Block) Effects {
	for _, b := range blocks {
		if w.tip != nil && b.At.Height <= w.tip.Height {
			w.scan(b)
		}
	}
	return w.flush()
}

func (w *Wallet) scan(b Block) {
	// The spender of a coin of ours may be in the range, while the coin is long forgotten.
	w.searched = func(at keys.CoinLoc) bool {
		s := w.scanOf(at)
		return s.Next != 0 && s.Next <= b.At.Height
	}
	for known := -1; known != len(w.scripts); {
		known = len(w.scripts)
		for i, tx := range b.Txs {
			if w.seeks(b, i) {
				w.mined(tx, uint32(i), b)
			}
		}
	}
	w.searched = nil
	w.eachScan(func(s *Scan) bool {
		if s.due(b.At.Height) {
			s.Next = b.At.Height + 1
			s.end(w.tip.Height)
			return true
		}
		return false
	})
}

// end forgets a search that has come to the tip: what follows is told by Connect.
func (s *Scan) end(tip lnwire.Height) (ended bool) {
	if ended = s.Next > tip; ended {
		*s = Scan{}
	}
	return ended
}

// eachScan passes every search to change, which reports whether it did.
func (w *Wallet) eachScan(change func(*Scan) bool) {
	if change(&w.again) {
		w.dirty.tip = true
	}
	for n, a := range w.accounts {
		if change(&a.row.Scan) {
			w.dirty.accounts[n] = true
		}
	}
	for i, k := range w.loose {
		if change(&k.Scan) {
			w.dirty.loose[i] = true
		}
	}
}

// seeks reports that a transaction pays or spends a coin that is searched for.
func (w *Wallet) seeks(b Block, i int) bool {
	for _, out := range b.Txs[i].TxOut {
		if at, ok := w.scripts[string(out.PkScript)]; ok && w.searched(at) {
			return true
		}
	}
	for _, in := range b.Txs[i].TxIn {
		if c := w.coins[in.PreviousOutPoint]; c != nil && w.searched(c.Key) {
			return true
		}
	}
	return false
}
