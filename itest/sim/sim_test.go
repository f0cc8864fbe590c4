package sim

import (
	"flag"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	theSeed = flag.Uint64("sim.seed", 1, "TestSeed: the seed")
	first   = flag.Uint64("sim.first", 1, "TestSeeds: the first seed")
	seeds   = flag.Uint64("sim.seeds", 20, "TestSeeds: how many")
	verbose = flag.Bool("sim.verbose", false, "print all that happens")
)

func place(t *testing.T) string {
	dir, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}

func TestSeed(t *testing.T) {
	p := PlanOf(*theSeed)
	p.Verbose = *verbose
	r := Run(t, p, place(t))
	t.Logf("%+v", r.Plan)
	if r.Log != "" {
		t.Log("\n" + r.Log)
	}
	t.Logf("%d steps, %+v, trace %x", r.Steps, r.Counts, r.Trace)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
}

func TestSeeds(t *testing.T) {
	dir := place(t)
	start := time.Now()
	steps := 0
	var all Counts
	for seed := *first; seed < *first+*seeds; seed++ {
		r := Run(t, PlanOf(seed), dir)
		steps += r.Steps
		all.Add(r.Counts)
		if r.Err != nil {
			t.Errorf("seed %d: %v\n%+v", seed, r.Err, r.Plan)
		}
	}
	took := time.Since(start)
	t.Logf("%d schedules, %d steps, %v: %.1f a second; %+v", *seeds, steps, took, float64(*seeds)/took.Seconds(), all)
}

// TestReplay: a seed is the same schedule whenever it runs (I11).
func TestReplay(t *testing.T) {
	dir := place(t)
	for seed := *first; seed < *first+*seeds; seed++ {
		a, b := Run(t, PlanOf(seed), dir), Run(t, PlanOf(seed), dir)
		if a.Trace != b.Trace || a.Steps != b.Steps {
			t.Errorf("seed %d: %x after %d steps, then %x after %d", seed, a.Trace, a.Steps, b.Trace, b.Steps)
		}
	}
}

func TestDiverge(t *testing.T) {
	dir := place(t)
	p := PlanOf(*theSeed)
	p.Verbose = true
	a := strings.Split(Run(t, p, dir).Log, "\n")
	for range 10 {
		b := strings.Split(Run(t, p, dir).Log, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("\n%s\n---\n%s\n---\n%s", strings.Join(a[max(0, i-12):i], "\n"), strings.Join(a[i:min(i+8, len(a))], "\n"), strings.Join(b[i:min(i+8, len(b))], "\n"))
			}
		}
	}
}
