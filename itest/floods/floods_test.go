package floods

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// floods are what is played, by the rows of SAFETY.md that they are about. Each makes
// ready, and gives what is to be done.
var floods = []struct {
	row, name string
	ready     func(*scene) flooding
}{
	{"V-52", "update_fee in a channel, never signed for", feeUpdates}, // before others take the places for openings
	{"V-40", "openings without a funding, from fresh keys", openings},
	{"V-43", "lengths that lie, in messages and in onions", bombs},
	{"V-44", "64 KB messages on 500 connections", large},
	{"V-45", "timestamp filters", filters},
	{"V-46", "updates of unknown and future channels", unknownUpdates},
	{"V-47", "forged updates of true channels", forgedUpdates},
	{"V-48", "timestamps 0, 1 and 2^32-1, well signed", oddTimes},
	{"V-49", "handshakes that stop at each act", halfOpen},
	{"V-50", "range replies without end, zlib bombs", replies},
	{"V-53", "announcements of unknown nodes and channels", unknownNodes},
	{"V-62", "queries", queries},
	{"", "pings for the longest pongs", pings},
	{"", "onion messages", onionMessages},
	{"", "custom messages, to a subscriber that does not read", customs},
}

// scene is the three nodes of a run.
type scene struct {
	t                 *testing.T
	w                 *rig.World
	alice, bob, carol *rig.Node
	points            []rig.ChanPoint
	g                 *graph
}

// scids are the ids of the channels that payments go over.
func (s *scene) scids() (list []uint64) {
	for _, c := range s.bob.Channels() {
		list = append(list, c.ChanId)
	}
	return list
}

// size is the number of invented channels.
func size() int {
	if *full {
		return 1000
	}
	return 40
}

// newScene makes bob a node in the middle that knows a map.
func newScene(t *testing.T, name string) *scene {
	t.Helper()
	w := rig.NewWorld(t)
	w.ServeFees(10_000)
	s := &scene{t: t, w: w, g: newGraph("node", size())}
	quiet := "--debuglevel=info"
	s.alice, s.carol = w.Node("alice", quiet), w.Node("carol", quiet)
	switch name {
	case "fulgur":
		s.bob = w.NewNode("bob", append([]string{"--noseedbackup", quiet, "--trickledelay=1000"}, strings.Fields(*options)...)...)
	case "lnd":
		s.bob = w.NewNodeOf(lnd, "bob")
	}
	s.bob.Start()
	s.g.fund(t, w)
	s.g.teach(t, s.bob)
	const capacity = 10_000_000
	s.alice.Fund(2 * capacity)
	s.bob.Fund(2 * capacity)
	s.alice.Connect(s.bob)
	s.bob.Connect(s.carol)
	s.points = append(s.points, s.alice.Open(s.bob, capacity), s.bob.Open(s.carol, capacity))
	for _, p := range s.points {
		s.alice.Knows(p)
	}
	s.calm()
	return s
}

// prepare makes a flood ready. What goes wrong there is no end of the run.
func (s *scene) prepare(ready func(*scene) flooding) (f flooding, err error) {
	defer func() {
		r := recover()
		e, ours := r.(notReady)
		if r != nil && !ours {
			panic(r)
		}
		err = e.error
	}()
	return ready(s), nil
}

// notReady is what must panics with.
type notReady struct{ error }

// must ends the preparation of a flood for an error.
func (s *scene) must(err error) {
	if err != nil {
		panic(notReady{err})
	}
}

// calm waits until payments can go through, and lets a few do so.
func (s *scene) calm() {
	s.t.Helper()
	s.alice.Active(s.points[0])
	s.carol.Active(s.points[1])
	s.bob.Active(s.points[0])
	s.bob.Active(s.points[1])
	rig.Eventually(s.t, "a payment goes through", func() bool { return s.pays(0)().Failed == 0 })
}

// figures are what was seen of a while.
type figures struct {
	before, peak, after int64 // resident
	cpu                 time.Duration
	over                time.Duration
	pays                *takings
	ended               bool // the process, by itself
}

func (f *figures) p50() time.Duration { return quantile(f.pays.Took, 0.50) }
func (f *figures) p99() time.Duration { return quantile(f.pays.Took, 0.99) }

// watch pays for a while, with something going on meanwhile.
func (s *scene) watch(d time.Duration, meanwhile func(context.Context)) *figures {
	pid := s.bob.Proc.Cmd.Process.Pid
	f := &figures{over: d}
	f.before, _ = resident(pid)
	resetPeak(pid)
	cpu := busy(pid)
	pays := s.pays(d)
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		meanwhile(ctx)
	}()
	paying := make(chan struct{})
	go func() {
		defer close(paying)
		f.pays = pays()
	}()
	for begun, over := time.Now(), false; !over; {
		select {
		case <-paying:
			over = true
		case <-time.After(50 * time.Millisecond):
		}
		now, peak := resident(pid)
		f.peak = max(f.peak, now, peak)
		if time.Since(begun) <= d {
			f.cpu = busy(pid) - cpu
		}
	}
	<-gone
	f.ended = !s.bob.Up()
	return f
}

// pays begins payments, and gives what waits for the last of them.
func (s *scene) pays(d time.Duration) func() *takings {
	wait, err := orders{doorOf(s.alice), doorOf(s.carol), *pace, d}.begin()
	if err != nil {
		s.t.Errorf("payments: %v", err)
		return func() *takings { return &takings{Failed: 1} }
	}
	return func() *takings {
		t, err := wait()
		if err != nil {
			s.t.Errorf("payments: %v", err)
		}
		return t
	}
}

// settle waits until what the flood took is given back, for a few seconds at most.
func (s *scene) settle(f *figures) {
	for range 50 {
		if f.after, _ = resident(s.bob.Proc.Cmd.Process.Pid); f.after < f.before+f.before/10 || !*full {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// again starts bob anew when it has ended, or when what a flood has left behind would
// stand in the figures of the next one.
func (s *scene) again(f *figures) {
	s.t.Helper()
	if !f.ended && (!*full || f.after < f.before+f.before/4) {
		return
	}
	if !f.ended {
		s.bob.ExpectEnd = true
		_ = s.bob.Proc.Cmd.Process.Signal(os.Interrupt)
		select {
		case <-s.bob.Proc.Done:
		case <-time.After(20 * time.Second):
			s.bob.Proc.Kill()
		}
		s.bob.HangUp()
	}
	s.bob.Start()
	s.calm()
}

const heading = "| flood | connections: wanted / let in / at a time | messages/s | MiB/s | CPU of the node | RSS before -> peak, MiB | ratio | 5 s later | " +
	"p50, ms | ratio | p99, ms | ratio | failed |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"

// line is a row of the table.
func line(name string, to *target, f, idle *figures) string {
	secs := f.over.Seconds()
	cells := []string{
		name, fmt.Sprintf("%d / %d / %d", to.dials.Load(), to.met.Load(), to.most.Load()),
		fmt.Sprintf("%.0f", float64(to.messages.Load())/secs), fmt.Sprintf("%.1f", float64(to.bytes.Load())/secs/(1<<20)),
		fmt.Sprintf("%.0f %%", 100*f.cpu.Seconds()/secs),
		mib(f.before) + " -> " + mib(f.peak), times(f.peak, f.before), mib(f.after),
		millis(f.p50()), times(f.p50(), idle.p50()), millis(f.p99()), times(f.p99(), idle.p99()),
		fmt.Sprintf("%d of %d", f.pays.Failed, len(f.pays.Took)),
	}
	if f.ended {
		cells[len(cells)-1] += "; **the node ended**"
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// TestFloods: whatever strangers pour out, the node goes on, and so do its payments.
// With -floods it gives the figures of docs/benchmarks.md.
func TestFloods(t *testing.T) {
	long := *last
	if !*full {
		long = 60 * time.Millisecond
	}
	var report strings.Builder
	for _, name := range []string{"fulgur", "lnd"} {
		if *only != "" && *only != name || name == "lnd" && (os.Getenv("LND_BIN") == "" || !*full) {
			continue
		}
		t.Run(name, func(t *testing.T) { play(t, name, long, &report) })
	}
	t.Log("\n" + report.String())
	if *out != "" {
		require.NoError(t, os.WriteFile(*out, []byte(report.String()), 0o600))
	}
}

func play(t *testing.T, name string, long time.Duration, report *strings.Builder) {
	chosen := regexp.MustCompile(*which)
	s := newScene(t, name)
	say := func(line string) {
		report.WriteString(line + "\n")
		if *full {
			fmt.Println(line) // at once: a run takes minutes
		}
	}
	calm := max(long, time.Second/10)
	if *full {
		s.watch(calm/2, func(context.Context) {}) // warm
		calm *= 2
	}
	idle := s.watch(calm, func(context.Context) {})
	idle.after = idle.before
	say(fmt.Sprintf("%s %s, %d payments/s, each flood %v\n\n%s", name, s.bob.Info().Version, *pace, long, heading))
	say(line("none", &target{}, idle, idle))
	for _, f := range floods {
		full := strings.TrimSpace(f.row + " " + f.name)
		if !chosen.MatchString(full) {
			continue
		}
		flood, err := s.prepare(f.ready)
		if err != nil {
			say(fmt.Sprintf("| %s | not played: %v |", full, err))
			t.Errorf("%s: %v", full, err)
			continue
		}
		to := targetOf(t, s.bob, s.g)
		seen := s.watch(long, func(ctx context.Context) {
			go to.brake.run(ctx)
			flood(ctx, to)
		})
		if !seen.ended {
			s.settle(seen)
		}
		say(line(full, to, seen, idle))
		if name == "fulgur" {
			assert.False(t, seen.ended, "%s: fulgurd ended by itself", full)
			assert.Zero(t, seen.pays.Failed, "%s: payments fail: %s", full, seen.pays.Why)
		} else if seen.pays.Why != "" {
			t.Logf("%s: payments fail: %s", full, seen.pays.Why)
		}
		s.again(seen)
	}
	say("")
}
