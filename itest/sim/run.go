package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

// Result is what came of a schedule.
type Result struct {
	Plan   Plan
	Err    error // nil: every oracle is content
	Steps  int
	Trace  uint64 // the same for every run of a plan
	Log    string // of a verbose run
	Counts Counts
	Extent Extent // of a plan that measures
}

// Counts say what schedules have been through.
type Counts struct {
	Paid, Failed, Never           int // deals
	Crashes, Cuts, Blocks, Reorgs int
	Ends, Cheats, Strikes, Opens  int
	Fails, Fulls                  int // writes, disks
	Sends, Lures                  int
	Petty                         int // channels that are left with what nobody brings home
}

// Add sums up.
func (c *Counts) Add(o Counts) {
	c.Paid += o.Paid
	c.Failed += o.Failed
	c.Never += o.Never
	c.Crashes += o.Crashes
	c.Cuts += o.Cuts
	c.Blocks += o.Blocks
	c.Reorgs += o.Reorgs
	c.Ends += o.Ends
	c.Cheats += o.Cheats
	c.Strikes += o.Strikes
	c.Opens += o.Opens
	c.Fails += o.Fails
	c.Fulls += o.Fulls
	c.Sends += o.Sends
	c.Lures += o.Lures
	c.Petty += o.Petty
}

// patience is what a schedule may take by the clock on the wall. One that takes longer
// waits for a mutex whose owner waits for the scheduler.
const patience = 3 * time.Minute

func seedRandom(t *testing.T, seed uint64) { cryptotest.SetGlobalRandom(t, seed) }

// Run runs the schedule of a plan, with its files below dir.
func Run(t *testing.T, p Plan, dir string) (r Result) {
	b := build(t, p.Shape, dir)
	r.Plan = p
	if b.failed != nil {
		r.Err = fmt.Errorf("build %s: %w", p.Shape.Name, b.failed)
		return r
	}
	forgetSome()
	home := filepath.Join(dir, "run")
	if err := os.RemoveAll(home); err != nil {
		r.Err = err
		return r
	}
	dog := time.AfterFunc(patience, func() { panic(fmt.Sprintf("a schedule hangs: %+v", p)) })
	defer dog.Stop()
	defer func() { // goroutines are left that wait for ever
		if p := recover(); p != nil && r.Err == nil {
			r.Err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if p := recover(); p != nil {
				r.Err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		seedRandom(t, p.Seed)
		time.Sleep(time.Until(b.at) + time.Hour)
		w := newWorld(t, p)
		defer w.dismiss()
		w.chain = b.chain.clone()
		w.chain.seen = w.unmined
		w.settlers(p.Shape.Nodes, home)
		w.knit()
		if r.Err = b.shelf.lay(w.homes); r.Err != nil {
			return
		}
		w.run(b)
		w.leave()
		r.Err, r.Steps, r.Trace, r.Counts, r.Extent = w.failed, w.steps, w.trace, w.counts, w.extent
		r.Log = strings.Join(w.log, "\n")
	})
	return r
}

// run is the story of a schedule.
func (w *World) run(b *built) {
	w.own, w.funds = true, b.chans
	for _, h := range w.homes {
		h.start()
	}
	if !w.quietly("start", func() bool { return w.allUp() && w.active() && w.synced() }) {
		return
	}
	for _, h := range w.homes {
		w.start = append(w.start, w.treasure(h))
	}
	w.chain.fees = 0
	w.audit() // before anything happened
	w.agree()
	w.threaten()
	w.trade()
	w.mend()
	if w.plan.loose() {
		w.resolve()
	} else if !w.quietly("all comes to its end", w.quiet) {
		w.complain()
		return
	}
	if w.audit(); w.failed != nil {
		return
	}
	if w.plan.Measure {
		w.measure()
		return
	}
	if w.probe(); w.failed != nil {
		return
	}
	w.audit()
}

func (w *World) measure() {
	for _, h := range w.homes {
		w.extent.Writes = append(w.extent.Writes, h.commits)
	}
	for _, c := range w.plan.Shape.Chans {
		w.extent.Messages = append(w.extent.Messages, w.edge(c).said)
	}
}

// trade lets the deals and the accidents happen.
func (w *World) trade() {
	begin := w.steps
	for n := 0; w.failed == nil && n < maxSteps; n++ {
		at := w.steps - begin
		for _, a := range w.accidents {
			if !a.over && a.Kind.atStep() && a.At <= at {
				a.over = true
				w.happen(a)
			}
		}
		waiting := w.steps-begin < w.plan.span()
		for _, d := range w.deals {
			if d.At <= at {
				d.proceed()
			}
			waiting = waiting || d.At > at
		}
		if w.step() {
			continue
		}
		if !waiting {
			return
		}
		if w.idle(time.Now().Add(50 * time.Millisecond)); len(w.ready) == 0 {
			w.steps += 10 // nothing happens: what is to come comes sooner
		}
	}
}

// mend ends all accidents.
func (w *World) mend() {
	w.mended = true
	for _, a := range w.accidents {
		a.over = true
	}
	w.chain.market, w.chain.floor = 253, 253
	for _, e := range w.edges {
		if e.barred = false; e.conn != nil && (e.conn.cut || e.conn.other.cut) { // a hole
			w.sever(e, [2]int{})
		}
		w.redial(e)
	}
	for _, h := range w.homes {
		h.full = false
		if l := h.life; l != nil && (l.backend.away || l.backend.low != 0) {
			l.backend.away, l.backend.low = false, 0
			l.backend.changed()
		}
		if h.life == nil && !h.coming {
			h.start()
		}
	}
}

// leave ends the world.
func (w *World) leave() {
	for _, h := range w.homes {
		if h.life != nil && !h.life.dead {
			h.life.crash("the end")
		}
	}
}

// quiet: nothing is under way any more.
func (w *World) quiet() bool {
	if !w.allUp() || !w.active() || !w.synced() {
		return false
	}
	still := true
	for _, d := range w.deals {
		d.proceed()
		still = still && d.over()
	}
	if !still || len(w.ready) > 0 {
		return false
	}
	if w.held() == "" {
		return true
	}
	for _, h := range w.homes {
		h.life.db.Wake() // the end of an HTLC may wait for company on its way to the disk
	}
	return false
}
