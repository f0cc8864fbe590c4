package sim

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

const (
	capacity lnwire.Sat = 1_000_000
	purse    lnwire.Sat = 3_000_000 // of each node before it opens channels
)

// built is a world with its channels open, from which schedules of its shape begin.
type built struct {
	shelf  shelf
	chain  *chain
	chans  []wire.OutPoint
	at     time.Time
	failed error
}

var (
	builtMu sync.Mutex
	builts  = map[string]*built{}
)

// build makes the world of a shape, once.
func build(t *testing.T, s Shape, dir string) *built {
	builtMu.Lock()
	defer builtMu.Unlock()
	if b := builts[s.Name]; b != nil {
		return b
	}
	forgetSome()
	b := &built{shelf: shelf{}}
	builts[s.Name] = b
	synctest.Test(t, func(t *testing.T) {
		seedRandom(t, 7)
		w := newWorld(t, Plan{Seed: 1, Shape: s})
		defer w.dismiss()
		w.chain = newChain()
		w.chain.seen = w.unmined
		w.settlers(s.Nodes, filepath.Join(dir, "build-"+s.Name))
		w.erect(b)
		b.failed, b.chain, b.at = w.failed, w.chain, time.Now()
	})
	return b
}

// erect starts the nodes, gives them coins and opens the channels.
func (w *World) erect(b *built) {
	w.knit()
	w.chain.mine()
	for _, h := range w.homes {
		h.start()
	}
	w.until("start", time.Minute, w.allUp)
	var outs []*wire.TxOut
	for _, h := range w.homes {
		for range 3 {
			w.await("address", func() {
				a, err := h.life.node.NewAddress(keys.P2WKH, false, false)
				if err != nil {
					w.fail("%s: %v", h.name, err)
					return
				}
				outs = append(outs, wire.NewTxOut(int64(purse/3), a.PkScript))
			})
		}
	}
	w.mine(w.chain.gift(outs...))
	for range 3 {
		w.mine()
	}
	w.quietly("coins", func() bool {
		for _, h := range w.homes {
			if b, _ := h.life.node.Balance(1); b.Confirmed != purse || h.life.node.Tip() != w.chain.tip() {
				return false
			}
		}
		return true
	})
	for _, c := range w.plan.Shape.Chans {
		b.chans = append(b.chans, w.open(c))
	}
	for range 7 {
		w.mine()
		w.quietly("block", func() bool { return w.synced() })
	}
	w.quietly("channels", func() bool { return w.active() && w.mapped() })
	for _, h := range w.homes {
		h.stop()
	}
	if err := b.shelf.keep(w.homes); err != nil {
		w.fail("%v", err)
	}
}

// knit makes the edges of the shape.
func (w *World) knit() {
	for _, c := range w.plan.Shape.Chans {
		if w.edge(c) == nil {
			w.edges = append(w.edges, &edge{a: w.homes[c[0]], b: w.homes[c[1]]})
		}
	}
}

func (w *World) edge(c [2]int) *edge {
	for _, e := range w.edges {
		if e.a.i == c[0] && e.b.i == c[1] || e.a.i == c[1] && e.b.i == c[0] {
			return e
		}
	}
	return nil
}

func (w *World) open(c [2]int) (funding wire.OutPoint) {
	from, to := w.homes[c[0]], w.homes[c[1]]
	w.quietly("connection", func() bool { return w.edge(c).conn != nil && from.life.host.Conn(to.id) != nil })
	pending := false
	w.await("open", func() {
		updates, err := from.life.node.OpenChannel(context.Background(), node.OpenRequest{
			Peer: to.id, Capacity: capacity, Push: capacity.MilliSat() / 2, MinConfs: 1,
		})
		if err != nil {
			w.fail("open: %v", err)
			return
		}
		u := <-updates
		if u.Err != nil {
			w.fail("open: %v", u.Err)
			return
		}
		funding, pending = u.Funding, u.Pending
	})
	w.quietly("funding", func() bool { return pending && w.chain.inPool(funding.Hash) != nil })
	w.mine()
	w.quietly("block", func() bool { return w.synced() })
	return funding
}

// mine finds a block.
func (w *World) mine(extra ...*wire.MsgTx) {
	w.chain.mine(extra...)
	w.blockFound()
}

func (w *World) blockFound() {
	w.note("block", uint64(w.chain.height()))
	for _, h := range w.homes {
		if h.life != nil && h.life.backend != nil {
			h.life.backend.changed()
		}
	}
}

// unmined tells of a transaction that entered the mempool.
func (w *World) unmined(tx *wire.MsgTx) {
	for _, h := range w.homes {
		if h.life != nil && h.life.backend != nil {
			h.life.backend.tell(tx)
		}
	}
}

// quietly is until, where ok is only asked when nothing is left to do.
func (w *World) quietly(what string, ok func() bool) bool {
	return w.until(what, 10*time.Minute, func() bool { return len(w.ready) == 0 && ok() })
}

func (w *World) allUp() bool {
	for _, h := range w.homes {
		if h.up() == nil {
			return false
		}
	}
	return true
}

// synced: all nodes have taken in the last block.
func (w *World) synced() bool {
	for _, h := range w.homes {
		if l := h.up(); l == nil || l.node.Tip() != w.chain.tip() {
			return false
		}
	}
	return true
}

// active: every channel that has not ended can be used, on both sides.
func (w *World) active() bool {
	for _, h := range w.homes {
		l := h.up()
		if l == nil {
			return false
		}
		for _, link := range l.node.Links() {
			if !link.Ended && (!link.Up || link.SCID == 0) && !w.unborn(link.Funding) {
				return false
			}
		}
	}
	return true
}

// mapped: every node knows all policies.
func (w *World) mapped() bool {
	for _, h := range w.homes {
		g := h.life.node.Graph()
		for _, other := range w.homes {
			for _, link := range other.life.node.Links() {
				c, ok := g.Channel(link.SCID)
				if !ok || c.Policies[0] == nil || c.Policies[1] == nil {
					return false
				}
			}
		}
	}
	return true
}
