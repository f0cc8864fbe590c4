package sim

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// weapon is a commitment that the hostile node could publish at some time.
type weapon struct {
	tx     *wire.MsgTx
	second []commitment.Spend // its HTLC transactions
}

// maxArsenal bounds the commitments that are kept.
const maxArsenal = 24

// arm keeps what the hostile node could publish now: the commitments of its durable state.
func (w *World) arm() {
	if w.plan.Hostile < 0 || w.mended || w.rng.IntN(3) != 0 {
		return
	}
	h := w.homes[w.plan.Hostile]
	l := h.up()
	if l == nil || h.commits == w.armed {
		return
	}
	w.armed = h.commits
	err := l.db.Channels(func(num uint64, rows channel.Rows) error {
		cfg := channel.Config{Chain: *params.GenesisHash, NodeID: h.id, NodeKey: keys.KeyLoc{Family: keys.FamilyNode}}
		w.whisper(rows.HTLCs)
		m := channel.Load(&cfg, newCurve(h.ring), rows)
		if m == nil || rows.Core.Phase != channel.Open {
			return nil
		}
		fx := m.Step(channel.CloseAsked{Force: true})
		for _, tx := range fx.Publish {
			w.arsenal = append(w.arsenal, weapon{tx, w.seconds(m, tx, rows.Core.Funding)})
		}
		return nil
	})
	if err != nil {
		w.fail("arm: %v", err)
	}
	if n := len(w.arsenal); n > maxArsenal {
		i := w.rng.IntN(n)
		w.arsenal[i] = w.arsenal[n-1]
		w.arsenal = w.arsenal[:n-1]
	}
}

// whisper gives the hostile node the preimages of what it is to be paid, before it has used
// them.
func (w *World) whisper(list []htlc.HTLC) {
	for i := range list {
		for _, d := range w.deals {
			if h := &list[i]; h.Ref.Dir == htlc.Incoming && h.Removal == nil && d.To == w.plan.Hostile && d.of() == d && h.Hash == d.preimage.Hash() {
				h.Removal = &htlc.Resolution{Kind: htlc.Fulfilled, Preimage: d.preimage}
			}
		}
	}
}

// seconds are the HTLC transactions that belong to a commitment of a machine: those of the
// HTLCs that it offered, and of those that it has the preimages of.
func (w *World) seconds(m *channel.Channel, tx *wire.MsgTx, funding wire.OutPoint) (list []commitment.Spend) {
	at := w.chain.tip()
	at.Height++
	fx := m.Step(channel.Block{At: at})
	fx.Append(m.Step(channel.Spent{OutPoint: funding, Tx: tx, At: at}))
	for _, c := range fx.Claims {
		if c.Pair != nil {
			list = append(list, c.Spend)
		}
	}
	return list
}

// strike has some of the HTLC transactions of what was published mined, in one batch, by
// somebody who asks for no fee: whoever is to punish them has not seen them before.
func (w *World) strike() {
	if w.brandished == nil || w.rng.IntN(2) == 0 {
		return
	}
	var batch []commitment.Spend
	for _, s := range w.brandished.second {
		if c, ok := w.chain.coins[s.OutPoint]; ok && c.height > 0 && lnwire.Height(s.LockTime) <= w.chain.height() && w.rng.IntN(4) > 0 {
			batch = append(batch, s)
		}
	}
	if len(batch) == 0 {
		return
	}
	tx := w.batchOf(batch)
	if err := w.chain.force(tx); err != nil {
		w.fail("the hostile node's HTLC transactions: %v", err)
		return
	}
	w.say("%d HTLC transactions of the hostile node are mined: %v", len(batch), tx.TxHash())
	w.counts.Strikes++
	w.blockFound()
}

// batchOf is one transaction of many HTLC transactions, signed. They have no fee.
func (w *World) batchOf(batch []commitment.Spend) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for i := range batch {
		tx.AddTxIn(batch[i].Input())
		tx.AddTxOut(batch[i].Pair)
		tx.LockTime = max(tx.LockTime, batch[i].LockTime)
	}
	hashes := txscript.NewTxSigHashes(tx, w.chain)
	jobs := make([]commitment.SignJob, len(batch))
	for i := range batch {
		jobs[i] = batch[i].Job(tx, i, hashes)
	}
	sigs, _ := w.homes[w.plan.Hostile].ring.Sign(jobs)
	for i := range batch {
		tx.TxIn[i].Witness = batch[i].Witness(sigs[i])
	}
	return tx
}

// cheat publishes one of them, and perhaps has it mined at once.
func (w *World) cheat() {
	if len(w.arsenal) == 0 {
		return
	}
	x := w.arsenal[w.rng.IntN(len(w.arsenal))]
	for range 6 { // rather one with HTLCs
		if len(x.second) == 0 {
			x = w.arsenal[w.rng.IntN(len(w.arsenal))]
		}
	}
	err := w.chain.publish(x.tx)
	w.say("a commitment is published by the hostile node: %v: %v", x.tx.TxHash(), err)
	if err != nil {
		return
	}
	w.counts.Cheats++
	w.brandished = &x
	if w.rng.IntN(2) == 0 {
		w.mine()
		w.strike()
	}
}
