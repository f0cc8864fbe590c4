package node

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
	walletsigner "github.com/fulgur-ln/fulgur/wallet/signer"
)

// NewAddress gives out an address of the kind; unused ones are given out again when
// unused is set.
func (n *Node) NewAddress(kind keys.AccountKind, change, unused bool) (wallet.Address, error) {
	branch := keys.External
	if change {
		branch = keys.Internal
	}
	return n.purse.address(wallet.AccountID{Kind: kind}, branch, unused)
}

// SendRequest asks for a transaction from the wallet's coins.
type SendRequest struct {
	Outputs  []*wire.TxOut
	All      bool // everything to the one output, whose value must be 0
	FeeRate  lnwire.SatPerKW
	Target   uint32
	MinConfs uint32
	Coins    []wire.OutPoint
	Label    string
	// Budgets are charged with what leaves and with the fee; each must suffice.
	Budgets  []budget.Limit
	Number   uint32            // whose coins: the account's number, 0 the default's
	ChangeTo *keys.AccountKind // nil: taproot
	Strategy wallet.Strategy
}

// SendCoins makes, signs and publishes a transaction; it is durable when this
// returns. What budgets were charged for it they get
// back when it can no longer be mined, or is given up.
func (n *Node) SendCoins(req SendRequest) (*wire.MsgTx, error) {
	if err := n.inSight(); err != nil {
		return nil, err
	}
	fund, err := n.fundRequest(&req)
	if err != nil {
		return nil, err
	}
	var tx *wire.MsgTx
	err = n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) {
		charges, err := n.chargeSend(w, fund, req.Budgets)
		if err != nil {
			return wallet.Effects{}, err
		}
		fund.Charges = budget.Charges(charges)
		f, fx, err := w.Send(n.ring, fund, req.Label)
		if err != nil {
			n.budgets.undo(charges)
			return fx, err
		}
		tx, n.purse.charges = f.Tx, charges
		return fx, nil
	})
	return tx, err
}

// chargeSend reserves what a transaction will cost, by the plan by which it will be made.
// The caller holds the purse's lock.
func (n *Node) chargeSend(w *wallet.Wallet, req wallet.FundRequest, limits []budget.Limit) ([]budget.Change, error) {
	if len(limits) == 0 {
		return nil, nil
	}
	f, err := w.Plan(req)
	if err != nil {
		return nil, err
	}
	cost := f.Fee
	for _, i := range f.Outputs {
		cost += lnwire.Sat(f.Tx.TxOut[i].Value)
	}
	return n.budgets.reserve(limits, cost.MilliSat(), n.Today())
}

// PlanSend works out the fee of a transaction without making it.
func (n *Node) PlanSend(req SendRequest) (*wallet.Funded, lnwire.SatPerKW, error) {
	fund, err := n.fundRequest(&req)
	if err != nil {
		return nil, 0, err
	}
	fund.Reserve = 0 // nothing is spent
	var f *wallet.Funded
	n.purse.look(func(w *wallet.Wallet) { f, err = w.Plan(fund) })
	return f, fund.FeeRate, err
}

// Balance sums up the wallet's coins; the second figure is what the anchors of
// channels require to be kept.
func (n *Node) Balance(minConfs uint32) (b wallet.Balance, reserve lnwire.Sat) {
	n.purse.look(func(w *wallet.Wallet) { b = w.Balance(0, minConfs, n.now()) })
	return b, wallet.RequiredReserve(n.anchorChannels())
}

// AccountBalance sums up the coins of the accounts of a number.
func (n *Node) AccountBalance(number, minConfs uint32) (b wallet.Balance) {
	n.purse.look(func(w *wallet.Wallet) { b = w.Balance(number, minConfs, n.now()) })
	return b
}

// Unspent lists the coins that can be spent; with numbers, only those of such accounts.
func (n *Node) Unspent(minConfs, maxConfs uint32, numbers ...uint32) (list []wallet.Unspent) {
	n.purse.look(func(w *wallet.Wallet) { list = w.Unspent(minConfs, maxConfs, n.now(), numbers...) })
	return list
}

// Txs lists the wallet's transactions of a range of blocks.
func (n *Node) Txs(from, to lnwire.Height, unconfirmed bool) (list []wallet.TxRow) {
	n.purse.look(func(w *wallet.Wallet) { list = w.Txs(from, to, unconfirmed) })
	return list
}

// TxsOf keeps the transactions of a list that pay or spend the accounts of a number.
func (n *Node) TxsOf(number uint32, list []wallet.TxRow) (kept []wallet.TxRow) {
	n.purse.look(func(w *wallet.Wallet) { kept = w.TxsOf(number, list) })
	return kept
}

// Tx is one of the wallet's transactions.
func (n *Node) Tx(txid chainhash.Hash) (row wallet.TxRow, ok bool) {
	n.purse.look(func(w *wallet.Wallet) { row, ok = w.Tx(txid) })
	return row, ok
}

// OwnScript reports whether a script pays to the wallet.
func (n *Node) OwnScript(script []byte) (own bool) {
	n.purse.look(func(w *wallet.Wallet) { _, own = w.Owner(script) })
	return own
}

// Owner is the key of a script that pays to the wallet.
func (p *purse) Owner(script []byte) (loc keys.CoinLoc, own bool) {
	p.look(func(w *wallet.Wallet) { loc, own = w.Owner(script) })
	return loc, own
}

// Signer signs with the node's keys what others have put together.
func (n *Node) Signer() *walletsigner.Signer { return n.signer }

// Sweeps lists the outputs that are on their way home.
func (n *Node) Sweeps() (list []wallet.PendingSweep) {
	n.purse.mu.Lock()
	defer n.purse.mu.Unlock()
	return n.purse.sweeps.Pending()
}

// Born is when the node was started.
func (n *Node) Born() time.Time { return n.born }
