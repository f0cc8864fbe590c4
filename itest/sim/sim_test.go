package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	theSeed = flag.Uint64("sim.seed", 1, "TestSeed: the seed")
	thePlan = flag.String("sim.plan", "", "TestSeed: a file with a plan, instead of the seed's own")
	verbose = flag.Bool("sim.verbose", false, "TestSeed: print all that happens")
	first   = flag.Uint64("sim.first", 1, "TestSeeds: the first seed")
	seeds   = flag.Uint64("sim.seeds", 0, "TestSeeds: how many; 0: as many as fit into the budget")
	stride  = flag.Uint64("sim.stride", 1, "TestSeeds: every which seed; -sim.seeds counts those between, too")
	procs   = flag.Uint64("sim.procs", 1, "TestSeeds: in how many processes")
	all     = flag.Bool("sim.all", false, "TestEveryCrash: all of them, however long it takes")
	budget  = flag.Duration("sim.budget", 25*time.Second, "how long TestSeeds and TestEveryCrash may take, each, unless they are asked for more")
)

// TestMain has the goroutines of a world run one after the other, really.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}

func place(t *testing.T) string {
	dir, err := scratch()
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// kept is a plan that found something, once.
type kept struct {
	Found string
	Plan  Plan
}

func read(t *testing.T, path string) (k kept) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &k))
	return k
}

// report shrinks the plan of a failure and says how to see it again.
func report(t *testing.T, r Result, dir string) {
	fmt.Printf("seed %d: %v\n%+v\n", r.Plan.Seed, r.Err, r.Plan)
	b, err := json.MarshalIndent(kept{"?", Shrink(t, r.Plan, dir)}, "", "\t")
	require.NoError(t, err)
	t.Errorf("seed %d: %v\nshrunk, for -sim.plan and testdata/kept:\n%s", r.Plan.Seed, r.Err, b)
}

// TestSeed runs one schedule, with all that happens in it.
func TestSeed(t *testing.T) {
	p := PlanOf(*theSeed)
	if *thePlan != "" {
		p = read(t, *thePlan).Plan
	}
	p.Verbose = *verbose
	r := Run(t, p, place(t))
	if r.Log != "" {
		fmt.Println(r.Log)
	}
	t.Logf("%+v\n%d steps, %+v, trace %x", r.Plan, r.Steps, r.Counts, r.Trace)
	require.NoError(t, r.Err)
}

// TestKept runs what has found something before.
func TestKept(t *testing.T) {
	paths, err := filepath.Glob("testdata/kept/*.json")
	require.NoError(t, err)
	dir := place(t)
	for _, path := range paths {
		k := read(t, path)
		require.NoError(t, Run(t, k.Plan, dir).Err, "%s: %s", path, k.Found)
	}
}

// TestSeeds runs one schedule after the other: all that fit into the budget, or as many as
// were asked for.
func TestSeeds(t *testing.T) {
	if *procs > 1 {
		spread(t)
		return
	}
	dir, start, told := place(t), time.Now(), time.Now()
	var sum Counts
	steps, n, failed := 0, uint64(0), 0
	for i := uint64(0); *seeds == 0 && time.Since(start) < *budget || i < *seeds; i += *stride {
		n++
		r := Run(t, PlanOf(*first+i), dir)
		steps += r.Steps
		sum.Add(r.Counts)
		if r.Err != nil {
			failed++
			report(t, r, dir)
		}
		if *seeds > 0 && time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Printf("seed %d: %d schedules, %d failed, %.1f a second\n", r.Plan.Seed, n, failed, float64(n)/time.Since(start).Seconds())
		}
	}
	fmt.Printf("%d seeds from %d on: %d failed, %d steps, %.1f a second, %+v\n", n, *first, failed, steps, float64(n)/time.Since(start).Seconds(), sum)
}

// spread runs the seeds in several processes: the randomness that the nodes draw is one of
// a process.
func spread(t *testing.T) {
	share := (*seeds + *procs - 1) / *procs
	share += (*stride - share%*stride) % *stride
	var running []*exec.Cmd
	for i := range *procs {
		c := exec.Command(os.Args[0], "-test.run", "TestSeeds$", "-test.timeout", "0",
			"-sim.first", fmt.Sprint(*first+i*share), "-sim.seeds", fmt.Sprint(share), "-sim.stride", fmt.Sprint(*stride))
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		require.NoError(t, c.Start())
		running = append(running, c)
	}
	for _, c := range running {
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %v", c.Args[1:], err)
		}
	}
}

// TestEveryCrash: one payment over one channel and over two, with a crash at every write
// and a cut at every message. When all of them do not fit into the budget, what is left is
// thinned out evenly.
func TestEveryCrash(t *testing.T) {
	dir := place(t)
	for _, s := range shapes[:2] {
		var plans []Plan
		extent, err := Exhaust(t, s, dir, func(p Plan) bool { plans = append(plans, p); return true })
		require.NoError(t, err)
		start, ran, stride := time.Now(), 0, 1
		for i := 0; i < len(plans); i += stride {
			r := Run(t, plans[i], dir)
			require.NoError(t, r.Err, "%+v", plans[i])
			if ran++; ran == 20 && !*all {
				whole := time.Since(start) / 20 * time.Duration(len(plans))
				stride = 1 + int(whole/(*budget/2))
			}
		}
		t.Logf("%s: %+v: %d of %d schedules", s.Name, extent, ran, len(plans))
	}
}

// TestReplay: a plan is the same schedule whenever it runs (I11).
func TestReplay(t *testing.T) {
	dir := place(t)
	for seed := *first; seed < *first+max(*seeds, 8); seed++ {
		a, b := Run(t, PlanOf(seed), dir), Run(t, PlanOf(seed), dir)
		if a.Trace != b.Trace || a.Steps != b.Steps {
			t.Errorf("seed %d is not the same again:\n%s", seed, diverge(t, seed, dir))
		}
	}
}

// diverge shows where two runs of a seed part.
func diverge(t *testing.T, seed uint64, dir string) string {
	p := PlanOf(seed)
	p.Verbose = true
	a := strings.Split(Run(t, p, dir).Log, "\n")
	b := strings.Split(Run(t, p, dir).Log, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return strings.Join(a[max(0, i-10):i+1], "\n") + "\nor\n" + b[i]
		}
	}
	return "now it is"
}
