package sim

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// weapon is a commitment that the hostile node could publish at some time.
type weapon struct {
	tx      *wire.MsgTx
	funding wire.OutPoint
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
		m := channel.Load(&cfg, newCurve(h.ring), rows)
		if m == nil || rows.Core.Phase != channel.Open {
			return nil
		}
		fx := m.Step(channel.CloseAsked{Force: true})
		for _, tx := range fx.Publish {
			w.arsenal = append(w.arsenal, weapon{tx, rows.Core.Funding})
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

// cheat publishes one of them, and perhaps has it mined at once.
func (w *World) cheat() {
	if len(w.arsenal) == 0 {
		return
	}
	x := w.arsenal[w.rng.IntN(len(w.arsenal))]
	err := w.chain.publish(x.tx)
	w.say("a commitment is published by the hostile node: %v: %v", x.tx.TxHash(), err)
	if err != nil {
		return
	}
	w.counts.Cheats++
	if w.rng.IntN(2) == 0 {
		w.mine()
	}
}
