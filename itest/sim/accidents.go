package sim

import (
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func (w *World) threaten() {
	for _, h := range w.homes {
		h.commits = 0
	}
	for _, e := range w.edges {
		e.said = 0
	}
	for _, a := range w.plan.Accidents {
		w.accidents = append(w.accidents, &accident{Accident: a})
	}
}

// accidentAt is the accident of this write of a node; nil for none.
func (w *World) accidentAt(h *home) *accident {
	for _, a := range w.accidents {
		if !a.over && a.Kind.atWrite() && a.Node == h.i && a.At == h.commits {
			a.over = true
			if a.Kind <= CrashTorn {
				w.counts.Crashes++
			}
			return a
		}
	}
	return nil
}

// cutDue cuts the edges that have carried so many messages.
func (w *World) cutDue() {
	for _, a := range w.accidents {
		if a.Kind == CutAt && !a.over {
			if e := w.edge(w.plan.Shape.Chans[a.Edge]); e.said >= a.At {
				a.over = true
				w.counts.Cuts++
				w.sever(e, a.First)
			}
		}
	}
}

// happen lets an accident happen.
func (w *World) happen(a *accident) {
	h, e := w.homes[a.Node], w.edge(w.plan.Shape.Chans[a.Edge])
	w.note(a.Kind.String(), uint64(a.Node))
	switch a.Kind {
	case CrashBefore, CrashAfter, CrashTorn, WriteFails, SyncFails, CutAt: // come by themselves
	case CrashNow:
		if h.life != nil && !h.life.dead {
			w.counts.Crashes++
			h.life.crash("for no reason")
			h.back(a.Down)
		}
	case Restart:
		if l := h.up(); l != nil {
			if h.stop(); !l.dead || h.life == nil && !h.coming {
				h.back(a.Down)
			}
		}
	case Cut:
		w.counts.Cuts++
		w.sever(e, a.First)
	case Hole:
		w.hole(e, a.First[0]%2 == 0)
	case Mine:
		w.counts.Blocks++
		w.mine()
		w.strike()
	case Reorg:
		w.counts.Reorgs++
		w.chain.reorganise(a.Depth, func(tx *wire.MsgTx) bool { return !w.plan.ends() || w.rng.IntN(2) == 0 || strange(tx) })
		w.blockFound()
	case Away:
		w.away(h, a.Down)
	case SetBack:
		w.setBack(h, a)
	case Spike:
		w.chain.market = 20_000
		w.after(a.Down+time.Minute, func() { w.chain.market = 253 })
		w.mine()
	case Full:
		w.counts.Fulls++
		h.full = true
		w.after(a.Down+10*time.Second, func() { h.full = false })
	case ForceClose, Close:
		w.closeChannel(a)
	case Bar:
		w.bar(e, 25*a.Depth)
	case Cheat:
		w.cheat()
	case Open:
		w.openAnother(a)
	case Send:
		w.send(a)
	case Lure:
		w.lure(a)
	}
}

// back starts a node again after a while.
func (h *home) back(d time.Duration) {
	h.coming = true
	h.w.after(d, func() {
		h.coming = false
		if h.life == nil {
			h.start()
		}
	})
}

// hole lets what one end sends vanish, until the ends notice.
func (w *World) hole(e *edge, one bool) {
	c := e.conn
	if c == nil {
		return
	}
	w.counts.Cuts++
	if !one {
		c = c.other
	}
	c.cut = true
	w.after(30*time.Second, func() {
		if e.conn == c || e.conn == c.other {
			w.sever(e, [2]int{1 << 20, 1 << 20})
		}
	})
}

// away hides the chain from a node for a while.
func (w *World) away(h *home, d time.Duration) {
	l := h.up()
	if l == nil {
		return
	}
	l.backend.away = true
	l.backend.changed()
	w.after(d+time.Second, func() {
		l.backend.away = false
		if !l.dead {
			l.backend.changed()
		}
	})
}

// setBack has a node's backend read the last blocks of the chain again, some at a time.
func (w *World) setBack(h *home, a *accident) {
	l := h.up()
	if l == nil || l.backend.low != 0 {
		return
	}
	b, top := l.backend, w.chain.height()
	next := func(f func()) { w.after(a.Down, f) }
	if a.Down == 0 { // while the node still asks
		next = func(f func()) { w.push(&lane{name: "backend of " + h.name}, f) }
	}
	b.low, b.empty = max(top, lnwire.Height(8*a.Depth)+1)-lnwire.Height(8*a.Depth), a.First[0]%2 == 0
	var climb func()
	climb = func() {
		if b.low == 0 || l.dead {
			return
		}
		if b.low += 1 + lnwire.Height(a.First[1]*4); b.low >= w.chain.height() {
			b.low = 0
		}
		b.changed()
		next(climb)
	}
	b.changed()
	next(climb)
}
