package sim

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
)

// closeChannel has one side of a channel end it.
func (w *World) closeChannel(a *accident) {
	c := w.plan.Shape.Chans[a.Edge]
	l := w.homes[c[a.Node%2]].up()
	if l == nil {
		return
	}
	w.counts.Ends++
	w.push(&lane{name: a.Kind.String()}, func() {
		if l.dead || !l.open {
			return
		}
		_, err := l.node.CloseChannel(context.Background(), node.CloseRequest{Funding: w.funds[a.Edge], Force: a.Kind == ForceClose})
		if err != nil {
			w.say("%s cannot close: %v", l.home.name, err)
		}
	})
}

// bar keeps two nodes apart while blocks are found. Whoever is away while a cheater's delay
// runs out has lost: beside one, no block is found before everybody is there.
func (w *World) bar(e *edge, blocks int) {
	w.counts.Ends++
	e.barred = true
	w.sever(e, [2]int{})
	for i := range blocks {
		w.after(time.Duration(i)*time.Second, func() {
			if w.plan.Hostile < 0 || w.allUp() && w.synced() {
				w.mine()
			}
		})
	}
	w.after(time.Duration(blocks)*time.Second, func() {
		e.barred = false
		w.redial(e)
	})
}

// resolve finds blocks until every channel that was to end has ended.
func (w *World) resolve() {
	for n := 0; w.failed == nil; {
		if !w.rest(20 * time.Second) {
			return
		}
		if w.quiet() && w.ended() == "" {
			w.countPetty()
			return
		}
		if n >= maxBlocks {
			w.fail("I7: not resolved within %d blocks: %s", maxBlocks, w.ended())
			w.complain()
			return
		}
		for range w.burst() {
			w.mine()
			w.strike()
			n++
		}
	}
}

// burst is how many blocks are found in a row: more than one only while nobody waits for
// a transaction to be mined, nor time runs out for an HTLC where no channel may end, and many
// while all wait for depth alone.
func (w *World) burst() int {
	if len(w.chain.pool) > 0 || !w.plan.ends() && w.held() != "" {
		return 1
	}
	for _, h := range w.homes {
		if l := h.up(); l == nil || len(l.node.Sweeps()) > 0 {
			return 1 + w.rng.IntN(4)
		}
	}
	return 1 + w.rng.IntN(16)
}

// maxBlocks is enough for every expiry, delay and depth.
const maxBlocks = 700

// rest lets time go by, and all that comes of it.
func (w *World) rest(d time.Duration) bool {
	end := time.Now().Add(d)
	return w.until("rest", time.Hour, func() bool { return len(w.ready) == 0 && !time.Now().Before(end) })
}

// ended says which channel has not come to its end, of those that are on their way to it, or
// what else is still to come.
func (w *World) ended() (what string) {
	for _, h := range w.homes {
		l := h.up()
		if l == nil {
			return h.name + " is down"
		}
		for _, rows := range l.channels() {
			waits := w.unborn(rows.Core.Funding)
			if p := rows.Core.Phase; p != channel.Open && p != channel.Closed && !waits && !w.pettily(rows.Core.Funding) {
				what = h.name + ": channel is " + p.String()
			}
		}
		for _, s := range l.node.Sweeps() {
			if what == "" && s.Value > maxLeft && !(s.Lifts && w.plan.opens() && w.chain.inPool(s.OutPoint.Hash) == nil) { // that will never be
				what = fmt.Sprintf("%s: the sweep of %v waits: %s", h.name, s.OutPoint, s.Held)
			}
		}
	}
	if p := w.chain.payers(); what == "" && len(p) > 0 {
		what = fmt.Sprintf("%v is not mined", p[0].txid)
	}
	return what
}

// pettily: a channel has not come to its end since nobody brings home what is left of it:
// an HTLC that is worth less than its fee. Everything else of it is long over.
func (w *World) pettily(funding wire.OutPoint) bool {
	tx, at := w.chain.spender(funding)
	if tx == nil || w.chain.height() < at+100 {
		return false
	}
	petty, dear := w.remains(tx)
	for i := range tx.TxOut {
		if next, _ := w.chain.spender(wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}); next != nil {
			p, d := w.remains(next)
			petty, dear = petty || p, dear || d
		}
	}
	return petty && !dear
}

// remains says whether a transaction has outputs that lie where they are and are nobody's
// coin: petty ones, and dear ones.
func (w *World) remains(tx *wire.MsgTx) (petty, dear bool) {
	txid := tx.TxHash()
	for i, out := range tx.TxOut {
		if _, there := w.chain.coins[wire.OutPoint{Hash: txid, Index: uint32(i)}]; there && out.Value != anchor && !w.owned(out.PkScript) {
			petty, dear = petty || out.Value <= maxLeft, dear || out.Value > maxLeft
		}
	}
	return petty, dear
}

func (w *World) countPetty() {
	for _, h := range w.homes {
		for _, rows := range h.life.channels() {
			if p := rows.Core.Phase; p != channel.Open && p != channel.Closed && w.pettily(rows.Core.Funding) {
				w.counts.Petty++
			}
		}
	}
}

// anchor is what the output of an anchor holds.
const anchor = 330

// owned: a wallet knows the script.
func (w *World) owned(script []byte) bool {
	return slices.ContainsFunc(w.homes, func(h *home) bool { return h.life.node.OwnScript(script) })
}

// treasure is what a node's wallet holds. The chain has to agree.
func (w *World) treasure(h *home) lnwire.MilliSat {
	b, _ := h.life.node.Balance(1)
	sum := b.Confirmed + b.Unconfirmed + b.Locked + b.Immature
	var coins lnwire.Sat
	for _, c := range w.chain.coins {
		if h.life.node.OwnScript(c.out.PkScript) {
			coins += lnwire.Sat(c.out.Value)
		}
	}
	if len(w.chain.pool) == 0 && coins != sum {
		w.fail("I1: %s has coins of %d sat in the chain, and its wallet says %d", h.name, coins, sum)
	}
	return sum.MilliSat()
}

// left is what lies in the chain that is nobody's coin and no channel.
func (w *World) left() (sum lnwire.Sat) {
	open := map[wire.OutPoint]bool{}
	for _, op := range w.funds {
		open[op] = true
	}
	for _, h := range w.homes {
		for _, l := range h.life.node.Links() {
			open[l.Funding] = true
		}
	}
	for op, c := range w.chain.coins {
		owned := open[op] || c.out.Value == 5_000_000_000 || bytes.Equal(c.out.PkScript, stranger) || w.owned(c.out.PkScript)
		switch {
		case owned:
		case c.out.Value <= maxLeft:
			sum += lnwire.Sat(c.out.Value)
		case w.plan.Hostile < 0: // who cheats may find nothing of its own
			w.fail("I1: %d sat are left in the chain, in %v", c.out.Value, op)
		}
	}
	return sum
}

// maxLeft is the most that is not worth bringing home.
const maxLeft = 1200
