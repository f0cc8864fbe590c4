package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// World is one schedule. All goroutines of its nodes live in one bubble of
// testing/synctest, whose clock it moves. Whatever a node does begins as a task in a
// lane: the scheduler picks a lane, lets its first task go, and waits until everything
// is still again before it picks the next.
type World struct {
	t    *testing.T
	plan Plan
	rng  *rand.Rand
	work chan struct{} // holds a token when a task came while nothing was left to do

	chain *chain
	homes []*home
	edges []*edge
	deals []*deal
	moves []move
	log   []string // of a verbose run

	accidents  []*accident
	funds      []wire.OutPoint // of the shape's channels
	start      []lnwire.MilliSat
	arsenal    []weapon
	brandished *weapon // that was published last
	armed      int     // the writes of the hostile node when it was filled last
	counts     Counts
	extent     Extent
	mended     bool // accidents are over

	mu     sync.Mutex
	ready  []*lane // those with tasks
	sorted int     // of ready, how many have their place
	timers []timer // by time, then by order
	order  int
	steps  int
	trace  uint64
	failed error
	own    bool // the scheduler's own goroutine acts: gates are open
	hand   *hand
}

// lane is a queue whose tasks go in their order.
type lane struct {
	name  string
	life  *life // nil: the world's own
	slow  int   // how often, of 16 times, it is passed over
	queue []func()
}

type timer struct {
	at time.Time
	n  int
	f  func()
}

func newWorld(t *testing.T, p Plan) *World {
	return &World{t: t, plan: p, rng: rand.New(rand.NewPCG(p.Seed, 1)), work: make(chan struct{}, 1), trace: 14695981039346656037}
}

// push puts a task into a lane.
func (w *World) push(l *lane, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pushLocked(l, f)
}

func (w *World) pushLocked(l *lane, f func()) {
	if l.life != nil && l.life.dead {
		l.life.ghosts = append(l.life.ghosts, f)
		return
	}
	l.queue = append(l.queue, f)
	if len(l.queue) == 1 {
		w.ready = append(w.ready, l)
	}
	select {
	case w.work <- struct{}{}:
	default:
	}
}

// after has f done by the scheduler when some time has gone by, unless it is stopped.
func (w *World) after(d time.Duration, f func()) (stop func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.order++
	t := timer{time.Now().Add(d), w.order, f}
	i := sort.Search(len(w.timers), func(i int) bool { return w.timers[i].at.After(t.at) })
	w.timers = slices.Insert(w.timers, i, t)
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		was := len(w.timers)
		w.timers = slices.DeleteFunc(w.timers, func(o timer) bool { return o.n == t.n })
		return len(w.timers) < was
	}
}

// arrange gives the lanes that tasks have come into since the last step their places. What
// several goroutines did side by side must not show.
func (w *World) arrange() {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.ready[w.sorted:], func(a, b *lane) int { return strings.Compare(a.name, b.name) })
	w.sorted = len(w.ready)
	if len(w.ready) > maxReady && w.failed == nil {
		w.failed = fmt.Errorf("step %d: I10: %d tasks wait", w.steps, len(w.ready))
	}
}

// maxReady is more than ever waits to be done.
const maxReady = 1000

// note adds to the trace by which two runs of a seed are compared.
func (w *World) note(what string, n uint64) {
	if w.plan.Verbose {
		w.log = append(w.log, fmt.Sprintf("%6d %s %s %d", w.steps, time.Now().Format("15:04:05.000"), what, n))
	}
	t := w.trace // FNV-1a of the bytes of what and n
	for i := range len(what) {
		t = (t ^ uint64(what[i])) * fnvPrime
	}
	for range 8 {
		t = (t ^ n&0xff) * fnvPrime
		n >>= 8
	}
	w.trace = t
}

const fnvPrime = 1099511628211

// say adds a line to the log of a verbose run.
func (w *World) say(format string, args ...any) {
	if w.plan.Verbose {
		w.log = append(w.log, fmt.Sprintf("%6d %s        %s", w.steps, time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...)))
	}
}

// fail ends the schedule; the first failure counts.
func (w *World) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = fmt.Errorf("step %d: %w", w.steps, fmt.Errorf(format, args...))
	}
}

// let runs one task, until all is still.
func (w *World) let(f func()) {
	w.own = false
	h := w.hand
	if h == nil {
		h = &hand{work: make(chan func())}
		w.hand = h
		go h.run(w)
	}
	h.busy = true
	h.work <- f
	synctest.Wait()
	if h.busy { // it waits for something: the next task needs another
		close(h.work)
		w.hand = nil
	}
	w.own = true
}

// hand is a goroutine that does one task after the other, so that its stack has grown.
type hand struct {
	work chan func()
	busy bool
}

func (h *hand) run(w *World) {
	for f := range h.work {
		w.dare(f)
		h.busy = false
	}
}

// dismiss ends the goroutine of the tasks.
func (w *World) dismiss() {
	if w.hand != nil {
		close(w.hand.work)
	}
}

// dare runs f, and makes a failure of the schedule of a panic.
func (w *World) dare(f func()) {
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v\n%s", p, debug.Stack())
		}
	}()
	f()
}

// step lets one task go; false: there is none.
func (w *World) step() bool {
	w.due()
	w.arrange()
	l := w.pick()
	if l == nil {
		return false
	}
	w.mu.Lock()
	f := l.queue[0]
	l.queue = l.queue[1:]
	if len(l.queue) == 0 {
		l.queue = nil
		w.drop(l)
	}
	w.mu.Unlock()
	w.steps++
	w.note(l.name, uint64(len(w.ready)))
	w.let(f)
	w.settle()
	if w.rng.IntN(4) == 0 {
		time.Sleep(time.Duration(w.rng.IntN(4_000_000)))
	}
	return true
}

// drop takes a lane off the ready ones. mu is held.
func (w *World) drop(l *lane) {
	for i := range w.ready {
		if w.ready[i] == l {
			w.ready = append(w.ready[:i], w.ready[i+1:]...)
			w.sorted--
			return
		}
	}
}

// pick chooses a lane: any, but slow ones are passed over now and then.
func (w *World) pick() *lane {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ready) == 0 {
		return nil
	}
	for range 3 {
		l := w.ready[w.rng.IntN(len(w.ready))]
		if l.slow == 0 || w.rng.IntN(16) >= l.slow {
			return l
		}
	}
	return w.ready[w.rng.IntN(len(w.ready))]
}

// due runs the timers whose time has come.
func (w *World) due() {
	for {
		w.mu.Lock()
		if len(w.timers) == 0 || w.timers[0].at.After(time.Now()) {
			w.mu.Unlock()
			return
		}
		f := w.timers[0].f
		w.timers = w.timers[1:]
		w.mu.Unlock()
		f()
		w.settle()
	}
}

// until runs the schedule until ok, or nothing happens any more within patience.
func (w *World) until(what string, patience time.Duration, ok func() bool) bool {
	w.own = true
	end := time.Now().Add(patience)
	for n := 0; w.failed == nil && !ok(); n++ {
		if n > maxSteps {
			w.fail("%s: not within %d steps", what, maxSteps)
			return false
		}
		if w.step() {
			continue
		}
		if !time.Now().Before(end) {
			w.fail("%s: not within %s", what, patience)
			return false
		}
		w.idle(end)
	}
	return w.failed == nil
}

// maxSteps bounds what may happen before something that must.
const maxSteps = 200_000

// idle lets time go by until there is something to do.
func (w *World) idle(end time.Time) {
	w.mu.Lock()
	next := end
	if len(w.timers) > 0 && w.timers[0].at.Before(end) {
		next = w.timers[0].at
	}
	idle := len(w.ready) == 0
	if idle {
		select {
		case <-w.work:
		default:
		}
	}
	w.mu.Unlock()
	if !idle {
		return
	}
	w.own = false
	select {
	case <-w.work:
	case <-time.After(time.Until(next)):
	}
	synctest.Wait()
	w.own = true
}

// await runs f, which may wait for the nodes, while the schedule goes on.
func (w *World) await(what string, f func()) bool {
	done := false
	w.push(&lane{name: what}, func() {
		f()
		w.mu.Lock()
		done = true
		w.mu.Unlock()
	})
	return w.until(what, 10*time.Minute, func() bool { return done })
}
