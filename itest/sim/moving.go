package sim

import (
	"bytes"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// move is a payment to a wallet, which counts when a block holds an output of the script.
type move struct {
	from, to int // homes; from is -1 for a stranger
	value    lnwire.Sat
	script   []byte
}

// stranger is a script that anybody can spend from.
var stranger = []byte{txscript.OP_TRUE}

// strange: a stranger's transaction, which needs no witness. Nobody would offer it again.
func strange(tx *wire.MsgTx) bool { return len(tx.TxIn[0].Witness) == 0 }

// parties are who sends and who is paid, and how much.
func (w *World) parties(a *accident) (from, to *home, value lnwire.Sat) {
	n := len(w.homes)
	return w.homes[a.Node], w.homes[(a.Node+1+a.First[0]%(n-1))%n], lnwire.Sat(30_000 * a.Depth)
}

// address asks a node where to send to; nil when it does not answer.
func (w *World) address(l *life, kind keys.AccountKind) []byte {
	if l.dead || !l.open {
		return nil
	}
	at, err := l.node.NewAddress(kind, false, false)
	if err != nil || l.dead {
		return nil
	}
	return at.PkScript
}

// send has a node pay to another's address, perhaps from coins that no block holds yet, and
// perhaps raise the fee with its change.
func (w *World) send(a *accident) {
	from, to, value := w.parties(a)
	l, payee := from.up(), to.up()
	if l == nil || payee == nil {
		return
	}
	w.counts.Sends++
	w.push(&lane{name: "send"}, func() {
		script := w.address(payee, keys.P2TR)
		if script == nil || l.dead || !l.open {
			return
		}
		w.moves = append(w.moves, move{from.i, to.i, value, script})
		tx, err := l.node.SendCoins(node.SendRequest{
			Outputs: []*wire.TxOut{wire.NewTxOut(int64(value), script)}, MinConfs: uint32(a.First[1] % 2), Target: 6,
		})
		if err != nil {
			w.say("%s cannot send: %v", from.name, err)
			return
		}
		for i, out := range tx.TxOut {
			if a.First[1] > 1 && !bytes.Equal(out.PkScript, script) && !l.dead {
				_, err := l.node.BumpFee(wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, node.BumpRequest{Rate: 3000})
				w.say("%s raises the fee of %v: %v", from.name, tx.TxHash(), err)
			}
		}
	})
}

// lure has a stranger pay to a node's address, and spend the same coin otherwise some time
// later, in a block.
func (w *World) lure(a *accident) {
	_, to, value := w.parties(a)
	l := to.up()
	if l == nil {
		return
	}
	w.counts.Lures++
	w.push(&lane{name: "lure"}, func() {
		script := w.address(l, keys.P2WKH)
		if script == nil {
			return
		}
		w.moves = append(w.moves, move{-1, to.i, value, script})
		coin := w.chain.gift(wire.NewTxOut(int64(value+1000), stranger))
		w.mine(coin)
		pay := wire.NewMsgTx(2)
		pay.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: coin.TxHash()}})
		pay.AddTxOut(wire.NewTxOut(int64(value), script))
		w.say("a stranger pays %d sat to %s: %v", value, to.name, pay.TxHash())
		if err := w.chain.publish(pay); err != nil {
			w.fail("the stranger's transaction: %v", err)
		}
		if a.First[1] == 0 {
			return
		}
		w.after(a.Down/time.Duration(a.First[1]), func() { w.takeBack(pay) })
	})
}

// takeBack has a block mined that holds another transaction with the same input, unless the
// first was quicker, or a reorganisation has taken the coin.
func (w *World) takeBack(pay *wire.MsgTx) {
	if _, there := w.chain.coins[pay.TxIn[0].PreviousOutPoint]; !there {
		return
	}
	back := pay.Copy()
	back.TxOut = []*wire.TxOut{wire.NewTxOut(pay.TxOut[0].Value-1000, stranger)}
	w.say("the stranger takes it back: %v", back.TxHash())
	if err := w.chain.force(back); err != nil {
		w.fail("the stranger's other transaction: %v", err)
		return
	}
	w.blockFound()
}

// moves counts the payments between wallets that were mined.
func (a *auditor) moves() {
	w := a.w
	paid := map[string]bool{}
	for _, b := range w.chain.blocks {
		for _, tx := range b.Transactions {
			for _, out := range tx.TxOut {
				paid[string(out.PkScript)] = true
			}
		}
	}
	for _, m := range w.moves {
		if !paid[string(m.script)] {
			continue
		}
		a.want[m.to] += m.value.MilliSat()
		if m.from >= 0 {
			a.want[m.from] -= m.value.MilliSat()
		}
	}
}
