package sim

import (
	"context"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
)

// What another channel is opened with, in the midst of the trade.
const (
	newCapacity lnwire.Sat = 300_000
	newPush                = lnwire.MilliSat(100_000_000)
)

// openAnother has one side of an edge open another channel with the other.
func (w *World) openAnother(a *accident) {
	c := w.plan.Shape.Chans[a.Edge]
	from, to := w.homes[c[a.Node%2]], w.homes[c[1-a.Node%2]]
	l := from.up()
	if l == nil {
		return
	}
	w.counts.Opens++
	w.push(&lane{name: "open"}, func() {
		if l.dead || !l.open {
			return
		}
		_, err := l.node.OpenChannel(context.Background(), node.OpenRequest{
			Peer: to.id, Capacity: newCapacity, Push: newPush, MinConfs: 1,
		})
		if err != nil {
			w.say("%s cannot open: %v", from.name, err)
		}
	})
}

// added: the channel is not one of those that the world began with.
func (w *World) added(funding wire.OutPoint) bool { return !slices.Contains(w.funds, funding) }

// unborn: the funding of a channel never was: the one who was to publish it died before.
func (w *World) unborn(funding wire.OutPoint) bool {
	_, mined := w.chain.txs[funding.Hash]
	return w.added(funding) && !mined && w.chain.inPool(funding.Hash) == nil
}

// degree is how many channels a node began with.
func (w *World) degree(h *home) (n uint64) {
	for _, c := range w.plan.Shape.Chans {
		if c[0] == h.i || c[1] == h.i {
			n++
		}
	}
	return n
}
