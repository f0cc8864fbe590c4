package sim

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// home is where a node lives: what is left of it when its process is gone.
type home struct {
	w       *World
	i       int
	name    string
	dir     string
	ring    *keys.Ring
	id      lnwire.PubKey
	life    *life // nil while the process is down
	commits int   // over all lives
	lives   int
	coming  bool // it will be started again
	full    bool // its disk has no room for new work
}

// life is a process of a node, from its start to its end.
type life struct {
	w       *World
	home    *home
	node    *node.Node
	db      *channeldb.DB
	graph   *channeldb.GraphDB
	backend *backend
	host    *host
	disk    *lane
	letters map[int]*lane

	started chan struct{}
	open    bool // it is up
	dead    bool // nothing of it has any effect any more
	ghosts  []func()
	doomed  *accident // the disk is the last that this life sees
	lingers int       // steps until a process that is to end is gone
	torn    *torn
	news    *node.Subscription[node.ChannelEvent]
	writes  int
	known   known

	last   once
	ended  chan struct{}
	closed error // of the files
}

// once is sync.Once, but who comes second does not wait: that would hold up the clock.
type once struct{ atomic.Bool }

func (o *once) Do(f func()) {
	if o.CompareAndSwap(false, true) {
		f()
	}
}

var rings sync.Map // of *keys.Ring, by name: to derive one takes time

func ringOf(name string) *keys.Ring {
	if r, ok := rings.Load(name); ok {
		return r.(*keys.Ring)
	}
	var seed [16]byte
	copy(seed[:], "seed of "+name+"........")
	r, err := keys.NewRing(seed[:], keys.CoinTest)
	if err != nil {
		panic(err)
	}
	rings.Store(name, r)
	return r
}

// settlers makes the homes of n nodes below dir.
func (w *World) settlers(n int, dir string) {
	for i := range n {
		name := string(rune('a' + i))
		ring := ringOf(name)
		h := &home{w: w, i: i, name: name, dir: filepath.Join(dir, name), ring: ring, id: ring.Node().ID()}
		w.homes = append(w.homes, h)
	}
}

func (l *life) lane(name string) *lane { return &lane{name: l.home.name + " " + name, life: l} }

// mail is the lane of what comes from a node.
func (l *life) mail(from *home) *lane {
	m := l.letters[from.i]
	if m == nil {
		m = l.lane("reads " + from.name)
		m.slow = l.w.plan.Slow[from.i%len(l.w.plan.Slow)]
		l.letters[from.i] = m
	}
	return m
}

// run is node.Config.Go: every task has a lane of its own.
func (l *life) run(f func()) {
	lane := l.lane("runs")
	lane.slow = l.w.plan.SlowNode[l.home.i%len(l.w.plan.SlowNode)]
	l.w.push(lane, f)
}

// after is node.Config.After.
func (l *life) after(d time.Duration, ring func()) (stop func() bool) {
	return l.w.after(d, func() {
		if !l.dead {
			l.w.push(l.lane("alarm"), ring)
		}
	})
}

// start begins a life. It is up some steps later.
func (h *home) start() {
	w := h.w
	l := &life{w: w, home: h, letters: map[int]*lane{}, started: make(chan struct{}), ended: make(chan struct{})}
	h.life = l
	h.lives++
	l.disk = l.lane("writes")
	l.disk.slow = w.plan.SlowDisk
	l.backend = newBackend(l)
	w.push(l.lane("starts"), func() {
		defer close(l.started)
		if err := l.begin(); err != nil {
			if l.dead || l.doomed != nil {
				return
			}
			w.fail("%s does not start: %v", h.name, err)
			return
		}
		l.open = true
		for _, e := range w.edges {
			if e.a == h || e.b == h {
				w.redial(e)
			}
		}
	})
}

func (l *life) begin() (err error) {
	h, w := l.home, l.w
	genesis := *params.GenesisHash
	l.db, err = channeldb.Open(filepath.Join(h.dir, "fulgur.db"), channeldb.Options{
		Genesis: genesis, Commit: l.commit,
		Go:    func(f func()) { w.push(l.disk, f) },
		Fatal: l.fatal, FreeFloor: 1, Free: l.free,
	})
	if err != nil {
		return err
	}
	if l.graph, err = channeldb.OpenGraph(filepath.Join(h.dir, "graph.db"), genesis); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if w.plan.Verbose {
		log = slog.New(slog.NewTextHandler(teller{l}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	crypto := newCurve
	if w.plan.Seed%20 == 0 {
		crypto = nil // the node's own
	}
	l.node, err = node.New(node.Config{
		Net: params, Ring: h.ring, DB: l.db, GraphDB: l.graph, Backend: l.backend, Log: log,
		Alias: lnwire.Alias{h.name[0]}, Wire: l.wire, Go: l.run, After: l.after, Crypto: crypto, NoStorage: true,
		TrickleDelay: 20 * time.Second, Birthday: birth, Window: 2, DisableAfter: 24 * time.Hour,
		Policy: node.Policies{
			Forward:     channel.Policy{FeeBase: 1000, FeePPM: 1000, CLTVDelta: 40, HTLCMinimum: 1},
			MinCapacity: 20_000, MaxCapacity: node.MaxSmallChannel, MaxPending: 5, MinHTLC: 1, RemoteDelay: 6,
		},
	})
	if err != nil {
		return err
	}
	l.news = l.node.Channels.Subscribe()
	return l.node.Start(context.Background())
}

// listen hears what the node tells of its channels (I2, I6).
func (l *life) listen() {
	if l.news == nil {
		return
	}
	for {
		select {
		case ev, ok := <-l.news.C:
			if !ok {
				return
			}
			l.w.heard(l.home, ev.Notice)
		default:
			return
		}
	}
}

// heard judges a notice.
func (w *World) heard(h *home, t channel.Notice) {
	if h.i == w.plan.Hostile && t.Kind != channel.NoticeBug {
		return // it finds commitments in the chain that it has revoked itself
	}
	if t.ChanNum > w.degree(h) && t.Kind != channel.NoticeBug {
		return // of an opening that may come to nothing
	}
	switch t.Kind {
	case channel.NoticeBug, channel.NoticeDataLost:
		w.fail("I6: %s: channel %d %v: %s", h.name, t.ChanNum, t.Kind, t.Text)
	case channel.NoticeBreach:
		if w.plan.Hostile < 0 {
			w.fail("I2: %s: channel %d: %v: %s", h.name, t.ChanNum, t.Kind, t.Text)
		}
	case channel.NoticeFailing, channel.NoticeError, channel.NoticeWarning:
		if !w.plan.ends() {
			w.fail("I6: %s: channel %d %v: %s", h.name, t.ChanNum, t.Kind, t.Text)
		}
	default:
	}
}

// birth is when the clock of a bubble begins.
var birth = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// teller puts what a node logs into the log of a verbose run.
type teller struct{ l *life }

func (t teller) Write(b []byte) (int, error) {
	t.l.w.mu.Lock()
	defer t.l.w.mu.Unlock()
	t.l.w.say("%s: %s", t.l.home.name, b[:len(b)-1])
	return len(b), nil
}

// up is the life of a node that can be asked; nil while there is none.
func (h *home) up() *life {
	if h.life != nil && h.life.open && !h.life.dead && h.life.doomed == nil {
		return h.life
	}
	return nil
}

// crash ends a life at once: what is durable is left. What is still to run of it runs
// as a ghost, without effect on anything, so that its goroutines come to their end.
func (l *life) crash(why string) {
	w := l.w
	w.note(l.home.name+" dies: "+why, uint64(l.home.commits))
	w.mu.Lock()
	l.dead, l.open = true, false
	rest := w.ready[:0]
	for _, lane := range w.ready {
		if lane.life == l {
			l.ghosts = append(l.ghosts, lane.queue...)
			lane.queue = nil
		} else {
			rest = append(rest, lane)
		}
	}
	w.ready = rest
	w.sorted = len(rest)
	w.mu.Unlock()
	l.backend.changed()
	for _, e := range w.edges {
		if c := e.conn; c != nil && (c.host.l == l || c.other.host.l == l) {
			other := c
			if c.host.l == l {
				other = c.other
			}
			other.cut = true
			other.loses = w.rng.IntN(other.waits + 1)
			e.conn = nil
			w.push(other.lane, other.end)
		}
	}
	l.bury()
	l.home.life = nil
}

// bury lets the ghosts run until nothing is left of a life.
func (l *life) bury() {
	w := l.w
	gone := make(chan error, 1)
	w.own = false
	go func() { gone <- l.end() }()
	for {
		synctest.Wait()
		w.mu.Lock()
		var f func()
		if len(l.ghosts) > 0 {
			f = l.ghosts[0]
			l.ghosts = l.ghosts[1:]
		}
		w.mu.Unlock()
		if f != nil {
			go f()
			continue
		}
		select {
		case err := <-gone:
			if err != nil {
				w.fail("%s: close: %v", l.home.name, err)
			}
			if l.torn != nil {
				if err := l.torn.leave(); err != nil {
					w.fail("%s: %v", l.home.name, err)
				}
			}
			w.own = true
			return
		case <-time.After(time.Minute):
			if w.failed != nil {
				w.own = true
				return
			}
			w.fail("%s does not come to its end", l.home.name)
			panic(w.failed)
		}
	}
}

// end stops the node and closes its files, once.
func (l *life) end() error {
	l.last.Do(func() {
		<-l.started
		l.open = false
		if l.node != nil {
			l.node.Stop()
		}
		if l.db != nil {
			if err := l.db.Close(); !l.dead && l.doomed == nil {
				l.closed = err
			}
		}
		if l.graph != nil {
			_ = l.graph.Close()
		}
		close(l.ended)
	})
	<-l.ended
	return l.closed
}

// stop ends a life in order, while the world goes on.
func (h *home) stop() {
	l := h.life
	if l == nil {
		return
	}
	var err error
	l.w.await(h.name+" stops", func() { err = l.end() })
	if err != nil {
		l.w.fail("%s: close: %v", h.name, err)
	}
	if l.dead {
		return // it was lost meanwhile
	}
	l.w.forget(l)
	h.life = nil
}

// forget drops the lanes of a life that has ended.
func (w *World) forget(l *life) {
	w.mu.Lock()
	l.dead = true
	var left []func()
	rest := w.ready[:0]
	for _, lane := range w.ready {
		if lane.life != l {
			rest = append(rest, lane)
		} else {
			left = append(left, lane.queue...)
		}
	}
	w.ready = rest
	w.sorted = len(rest)
	w.mu.Unlock()
	for _, f := range left { // somebody may have been asking it something
		w.let(f)
	}
	for _, e := range w.edges {
		if c := e.conn; c != nil && (c.host.l == l || c.other.host.l == l) {
			e.conn = nil
		}
	}
}

// commit is channeldb.Options.Commit: here the disk decides.
func (l *life) commit(tx *bolt.Tx) error {
	if l.doomed != nil && l.doomed.Kind >= WriteFails && !l.dead {
		l.w.fail("I8: %s writes again after a write that failed", l.home.name)
	}
	if l.dead || l.doomed != nil {
		return l.lose(tx)
	}
	l.home.commits++
	l.writes++
	defer func() { l.writes++ }()
	l.w.note(l.home.name+" commits", uint64(l.home.commits))
	a := l.w.accidentAt(l.home)
	if a == nil {
		return tx.Commit()
	}
	l.doomed = a
	switch a.Kind {
	case CrashBefore:
		return l.lose(tx)
	case WriteFails, SyncFails:
		return l.refuse(tx, a)
	case CrashTorn:
		l.torn = &torn{path: filepath.Join(l.home.dir, "fulgur.db"), seed: l.w.plan.Seed + uint64(l.home.commits)}
		if err := l.torn.before(); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		return l.torn.after()
	}
	return tx.Commit()
}

// lose drops a write. Nobody hears of it but who opens the file: it would go on with
// what is not there.
func (l *life) lose(tx *bolt.Tx) error {
	opening := l.db == nil
	if err := tx.Rollback(); err != nil || !opening {
		return err
	}
	return errLost
}

// refuse has a write fail, with what was to be written on the disk or not. The process goes
// on for some steps, in which it must not do what follows from it.
func (l *life) refuse(tx *bolt.Tx, a *accident) error {
	if l.lingers = l.w.rng.IntN(30); l.db == nil {
		l.lingers = 0 // it does not even start
	}
	l.w.counts.Fails++
	l.w.after(time.Second, func() { l.lingers = 0 })
	end := tx.Rollback
	if a.Kind == SyncFails {
		end = tx.Commit
	}
	if err := end(); err != nil {
		return err
	}
	return errDisk
}

var errDisk = errors.New("input/output error")

// fatal is channeldb.Options.Fatal: the end of the process.
func (l *life) fatal(err error) {
	if !errors.Is(err, errDisk) {
		l.w.fail("%s: %v", l.home.name, err)
	}
}

// free is channeldb.Options.Free.
func (l *life) free(string) (uint64, error) {
	if l.home.full {
		return 0, nil
	}
	return 1 << 40, nil
}

var errLost = errors.New("the process is lost")

// settle is called between steps: a life that has seen its last write ends.
func (w *World) settle() {
	w.arm()
	w.cutDue()
	for _, h := range w.homes {
		if l := h.life; l != nil {
			l.listen()
		}
		if l := h.life; l != nil && l.doomed != nil && !l.dead {
			if l.lingers--; l.lingers >= 0 {
				continue
			}
			a := l.doomed
			l.crash(a.Kind.String())
			h.back(a.Down)
		}
	}
}

func (h *home) String() string { return h.name }
