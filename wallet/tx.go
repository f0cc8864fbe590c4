package wallet

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// ErrUnknownTx says that a transaction is none of the wallet's. Clients of lnd
// compare the text.
var ErrUnknownTx = errors.New("cannot label transaction not known to wallet")

// note records a transaction, new or changed, with what it does to our coins.
func (w *Wallet) note(row *TxRow) {
	old := w.txs[row.Txid]
	w.txs[row.Txid] = row
	w.takeOutputs(row)
	w.takeInputs(row)
	if old == nil || !reflect.DeepEqual(old, row) {
		w.dirty.txs[row.Txid] = true
	}
}

// takeOutputs makes a coin of each output that is ours.
func (w *Wallet) takeOutputs(row *TxRow) {
	known := row.Outputs
	row.Outputs, row.Credit = nil, 0
	for i, out := range row.Tx.TxOut {
		at, ok := w.scripts[string(out.PkScript)]
		if !ok {
			continue
		}
		row.Outputs = append(row.Outputs, uint32(i))
		row.Credit += lnwire.Sat(out.Value)
		w.advance(at, true)

		op := wire.OutPoint{Hash: row.Txid, Index: uint32(i)}
		coin := CoinRow{
			OutPoint: op, Value: lnwire.Sat(out.Value), PkScript: out.PkScript, Key: at,
			At: row.At, Coinbase: isCoinbase(row.Tx), Own: row.Own,
		}
		old := w.coins[op]
		if old == nil && w.searched != nil && (!w.searched(at) || slices.Contains(known, uint32(i))) {
			continue // it is spent, and so long ago that it was forgotten
		}
		if old != nil {
			coin.SpentBy = old.SpentBy
		}
		child, adopted := w.spends[op]
		if adopted {
			coin.SpentBy = child
		}
		w.putCoin(coin)
		if old == nil && adopted {
			spender := *w.txs[child] // it was seen before its parent
			w.note(&spender)
		}
	}
}

// takeInputs marks the coins that the transaction spends.
func (w *Wallet) takeInputs(row *TxRow) {
	inputs, debit, all := []uint32(nil), lnwire.Sat(0), true
	for i, in := range row.Tx.TxIn {
		op := in.PreviousOutPoint
		if row.mined() {
			delete(w.spends, op)
		} else if !isCoinbase(row.Tx) {
			w.spends[op] = row.Txid
		}
		old := w.coins[op]
		if old == nil {
			all = false
			continue
		}
		inputs = append(inputs, uint32(i))
		debit += old.Value
		coin := *old
		coin.SpentBy = row.Txid
		w.putCoin(coin)
		w.dropLease(op)
	}
	// A coin that was spent long ago has no row any more: what is known of a
	// transaction only grows.
	if len(inputs) < len(row.Inputs) {
		return
	}
	row.Inputs, row.Debit = inputs, debit
	if all {
		row.Fee, row.FeeKnown = debit, true
		for _, out := range row.Tx.TxOut {
			row.Fee -= min(row.Fee, lnwire.Sat(out.Value))
		}
	}
}

func (w *Wallet) putCoin(c CoinRow) {
	if old := w.coins[c.OutPoint]; old != nil && reflect.DeepEqual(*old, c) {
		return
	}
	w.coins[c.OutPoint] = &c
	w.dirty.coins[c.OutPoint] = true
}

// remove forgets an unconfirmed transaction and all that rests on it; the coins that
// it spent are free again.
func (w *Wallet) remove(txid, by chainhash.Hash) {
	row := w.txs[txid]
	if row == nil {
		return
	}
	for i := range row.Tx.TxOut {
		op := wire.OutPoint{Hash: txid, Index: uint32(i)}
		if child, ok := w.spends[op]; ok {
			w.remove(child, by)
		}
		if w.coins[op] != nil {
			delete(w.coins, op)
			w.dirty.coins[op] = true
			w.dropLease(op)
		}
	}
	for _, in := range row.Tx.TxIn {
		if w.spends[in.PreviousOutPoint] == txid {
			delete(w.spends, in.PreviousOutPoint)
		}
		if c := w.coins[in.PreviousOutPoint]; c != nil && c.SpentBy == txid {
			free := *c
			free.SpentBy = chainhash.Hash{}
			w.putCoin(free)
		}
	}
	delete(w.txs, txid)
	w.dirty.txs[txid] = true
	w.fx.Tell = append(w.fx.Tell, TxGone{Tx: *row, By: by})
}

// Publication is a transaction of ours, complete with its witnesses, that is to go
// to the network.
type Publication struct {
	Tx    *wire.MsgTx
	Label string
	Now   time.Time
	// Fee, if not nil, says what it pays; needed only when it spends what is not
	// ours.
	Fee   *lnwire.Sat
	Sweep bool
	// Charges are what it takes from spending budgets.
	Charges []budget.Charge
}

// Publish records a transaction of ours and sends it. It takes the place of
// unconfirmed ones that spend the same outputs. It stays until it is mined, until
// another that spends the same is, or until Abandon. The error says which input is
// spent for good.
func (w *Wallet) Publish(p Publication) (Effects, error) {
	if err := w.publish(p); err != nil {
		return Effects{}, err
	}
	return w.flush(), nil
}

func (w *Wallet) publish(p Publication) error {
	txid := p.Tx.TxHash()
	row := TxRow{Txid: txid, Tx: p.Tx, Seen: p.Now.UnixNano(), Label: p.Label, Own: true, Sweep: p.Sweep, Charges: p.Charges}
	if old := w.txs[txid]; old != nil {
		row = *old
		row.Own, row.Sweep, row.Label = true, row.Sweep || p.Sweep, cmp.Or(row.Label, p.Label)
	}
	if p.Fee != nil {
		row.Fee, row.FeeKnown = *p.Fee, true
	}
	rivals, final := w.rivals(p.Tx, txid)
	if final {
		return mistake.State("publish %v: an input is already spent by a mined transaction", txid)
	}
	for _, id := range rivals { // they may be mined nevertheless: what they took from budgets stays spent
		w.remove(id, txid)
	}
	w.fx.Publish = append(w.fx.Publish, p.Tx)
	if w.ours(p.Tx) {
		w.note(&row)
	}
	return nil
}

// Abandon gives up an unconfirmed transaction and all that rests on it, and frees
// the coins that it spent. Budgets get back what was taken for them, but for what rests on
// a sweep: a reorg has taken that back, and it may be mined all the same.
func (w *Wallet) Abandon(txid chainhash.Hash) (Effects, error) {
	row := w.txs[txid]
	if row == nil {
		return Effects{}, mistake.Missing("abandon %v: not a transaction of this wallet", txid)
	}
	if row.mined() {
		return Effects{}, mistake.State("abandon %v: it is in block %d", txid, row.At.Height)
	}
	if !row.Sweep {
		w.refund(txid)
	}
	w.remove(txid, chainhash.Hash{})
	return w.flush(), nil
}

// refund gives back what a transaction that will not be mined, and all that rests on it,
// took from spending budgets. It is to be removed.
func (w *Wallet) refund(txid chainhash.Hash) {
	row := w.txs[txid]
	if row == nil {
		return
	}
	for _, c := range row.Charges {
		w.fx.Returned = append(w.fx.Returned, c.Settle(0))
	}
	spent := *row
	spent.Charges = nil // it may rest on several that are gone
	w.txs[txid] = &spent
	for i := range row.Tx.TxOut {
		if child, ok := w.spends[wire.OutPoint{Hash: txid, Index: uint32(i)}]; ok {
			w.refund(child)
		}
	}
}

// Label names a transaction. The error is ErrUnknownTx, or says that it has a label
// and overwrite was not asked for.
func (w *Wallet) Label(txid chainhash.Hash, label string, overwrite bool) (Effects, error) {
	old := w.txs[txid]
	if old == nil {
		return Effects{}, ErrUnknownTx
	}
	if old.Label != "" && !overwrite {
		return Effects{}, mistake.Twice("transaction already labelled")
	}
	row := *old
	row.Label = label
	w.note(&row)
	return w.flush(), nil
}

// Tx is a transaction of the wallet; false: it is none.
func (w *Wallet) Tx(txid chainhash.Hash) (TxRow, bool) {
	if row := w.txs[txid]; row != nil {
		return *row, true
	}
	return TxRow{}, false
}

// Sweeping is the unconfirmed sweep that spends an output; false: there is none.
func (w *Wallet) Sweeping(op wire.OutPoint) (chainhash.Hash, bool) {
	id, ok := w.spends[op]
	return id, ok && w.txs[id].Sweep && w.txs[id].Own
}

// Txs lists the transactions between two heights, both inclusive, oldest first, and
// then the unconfirmed ones if asked.
func (w *Wallet) Txs(from, to lnwire.Height, unconfirmed bool) []TxRow {
	var list []TxRow
	for _, t := range w.txs {
		if t.mined() && t.At.Height >= from && t.At.Height <= to || !t.mined() && unconfirmed {
			list = append(list, *t)
		}
	}
	slices.SortFunc(list, func(a, b TxRow) int {
		if a.mined() != b.mined() {
			if a.mined() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.At.Height, b.At.Height), cmp.Compare(a.Index, b.Index),
			cmp.Compare(a.Seen, b.Seen), compareHashes(a.Txid, b.Txid))
	})
	return list
}

// TxsOf keeps the transactions of a list that pay or spend the accounts of a number.
func (w *Wallet) TxsOf(number uint32, list []TxRow) []TxRow {
	owned := func(script []byte) bool {
		at, ok := w.scripts[string(script)]
		return ok && at.Number == number
	}
	return slices.DeleteFunc(list, func(t TxRow) bool {
		for _, out := range t.Tx.TxOut {
			if owned(out.PkScript) {
				return false
			}
		}
		for _, in := range t.Tx.TxIn {
			op := in.PreviousOutPoint
			if from := w.txs[op.Hash]; from != nil && op.Index < uint32(len(from.Tx.TxOut)) && owned(from.Tx.TxOut[op.Index].PkScript) {
				return false
			}
		}
		return true
	})
}

// txids lists the transactions in a fixed order.
func (w *Wallet) txids() []chainhash.Hash {
	return slices.SortedFunc(maps.Keys(w.txs), compareHashes)
}

// unmined are the transactions that wait for a block, parents before children. Those of
// others are among them: the network's answer says whether they still may be mined.
func (w *Wallet) unmined() []*wire.MsgTx {
	var list []*wire.MsgTx
	done := map[chainhash.Hash]bool{}
	var visit func(id chainhash.Hash)
	visit = func(id chainhash.Hash) {
		t := w.txs[id]
		if t == nil || t.mined() || done[id] {
			return
		}
		done[id] = true
		for _, in := range t.Tx.TxIn {
			visit(in.PreviousOutPoint.Hash)
		}
		list = append(list, t.Tx)
	}
	ids := map[chainhash.Hash]bool{}
	for _, id := range w.spends {
		ids[id] = true
	}
	for _, id := range slices.SortedFunc(maps.Keys(ids), compareHashes) {
		visit(id)
	}
	return list
}
