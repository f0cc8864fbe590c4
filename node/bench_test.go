//go:build unix

package node

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// benchAmount is above the dust limit: every HTLC has an output and a signature.
const benchAmount lnwire.MilliSat = 1_000_000

// benchNet is a line of nodes on a chain of its own: the first pays the last.
type benchNet struct {
	nodes []*resident
	chans []wire.OutPoint // nodes[i] opened chans[i] to nodes[i+1]
}

func newBenchNet(b *testing.B, names ...string) *benchNet {
	chain := chainOf(b)
	w := &benchNet{}
	for _, name := range names {
		w.nodes = append(w.nodes, residentOf(b, chain, name))
	}
	for i, to := range w.nodes[1:] {
		from := w.nodes[i]
		from.fund(20_000_000)
		from.connect(to)
		w.chans = append(w.chans, from.open(to, MaxSmallChannel, 0))
	}
	for _, r := range w.nodes {
		r.until("the whole map", func() bool {
			for i, f := range w.chans {
				info, err := w.nodes[i].Channel(r.t.Context(), f)
				require.NoError(r.t, err)
				c, ok := r.Graph().Channel(info.Core.SCID)
				if !ok || c.Policies[0] == nil || c.Policies[1] == nil {
					return false
				}
			}
			return true
		})
	}
	return w
}

// invoices makes invoices at the last node.
func (w *benchNet) invoices(b *testing.B, n int) []string {
	last := w.nodes[len(w.nodes)-1]
	texts := make([]string, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, 64) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				inv, err := last.AddInvoice(b.Context(), invoice.Terms{Amount: benchAmount, Memo: fmt.Sprint(i)})
				if err != nil {
					b.Error(err)
					return
				}
				texts[i] = inv.Request
			}
		})
	}
	all.Wait()
	return texts
}

// settled waits until no HTLC is left anywhere.
func (w *benchNet) settled() {
	for _, r := range w.nodes {
		r.until("settled", func() bool {
			list, err := r.ListChannels(r.t.Context())
			return err == nil && !slices.ContainsFunc(list, func(i channel.Info) bool { return len(i.HTLCs) > 0 })
		})
		require.NoError(r.t, r.db.Barrier())
	}
}

// tally is what has been spent so far.
type tally struct {
	store  []channeldb.Stats
	signs  uint64 // commitments that were signed, all channels and both sides
	checks uint64 // signatures that were verified
	cpu    time.Duration
	heap   runtime.MemStats
}

func (w *benchNet) tally(b *testing.B) (t tally) {
	for i, r := range w.nodes {
		done := r.Counts()
		t.store = append(t.store, done.Store)
		t.checks += done.Verified
		if i < len(w.chans) {
			info, err := r.Channel(b.Context(), w.chans[i])
			require.NoError(b, err)
			t.signs += info.Core.LocalN + info.Core.RemoteN
		}
	}
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	t.cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	runtime.ReadMemStats(&t.heap)
	return t
}

// report gives the figures of n payments between two tallies.
func report(b *testing.B, count int, before, after tally) {
	per := func(name string, v float64) { b.ReportMetric(v/float64(count), name) }
	var commits, bytes uint64
	for i, s := range after.store {
		commits += s.Commits - before.store[i].Commits
		bytes += s.Bytes - before.store[i].Bytes
		per(fmt.Sprintf("commits-%c/op", 'A'+i), float64(s.Commits-before.store[i].Commits))
		per(fmt.Sprintf("rowB-%c/op", 'A'+i), float64(s.Bytes-before.store[i].Bytes))
		was, now := before.store[i].Kinds(), s.Kinds()
		line := fmt.Sprintf("%c writes", 'A'+i)
		for _, kind := range slices.Sorted(maps.Keys(now)) {
			if more := float64(now[kind]-was[kind]) / float64(count); more >= 1 {
				line += fmt.Sprintf(" %s %.0f,", kind, more)
			}
		}
		b.Log(line)
	}
	per("commits/op", float64(commits))
	per("rowB/op", float64(bytes))
	per("signed/op", float64(after.signs-before.signs))
	per("verified/op", float64(after.checks-before.checks))
	per("cpu-ms/op", (after.cpu-before.cpu).Seconds()*1000)
	per("alloc-kB/op", float64(after.heap.TotalAlloc-before.heap.TotalAlloc)/1000)
	per("mallocs/op", float64(after.heap.Mallocs-before.heap.Mallocs))
}

// pay pays all invoices, c at a time, and gives how long each took.
func (w *benchNet) pay(b *testing.B, texts []string, c int) []time.Duration {
	took := make([]time.Duration, len(texts))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(c, len(texts)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(texts); i = int(next.Add(1)) - 1 {
				start := time.Now()
				p, err := w.nodes[0].payBench(b.Context(), texts[i])
				if err != nil || p.Payment.Status != routing.Succeeded {
					b.Errorf("payment %d: %v %v", i, err, p.Payment.Text)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	return took
}

// payBench is payInvoice for goroutines that may not end the test.
func (r *resident) payBench(ctx context.Context, text string) (routing.Progress, error) {
	req, err := invoice.Decode(text)
	if err != nil {
		return routing.Progress{}, err
	}
	secret := req.Secret
	watch, err := r.Pay(ctx, routing.Begin{
		Terms: routing.Terms{
			Hash: req.Hash, Amount: req.Amount, Payee: req.Payee, FinalDelta: uint16(req.FinalDelta),
			Secret: &secret, Features: req.Features, Request: text,
		},
		Limits: routing.Limits{Fee: req.Amount},
	})
	if err != nil {
		return routing.Progress{}, err
	}
	defer watch.Close()
	for {
		p, err := watch.Next(ctx)
		if err != nil || p.Payment.Status != routing.InFlight {
			return p, err
		}
	}
}

func (w *benchNet) run(b *testing.B, c int) {
	texts := w.invoices(b, b.N)
	w.settled()
	runtime.GC()
	before := w.tally(b)
	b.ResetTimer()
	took := w.pay(b, texts, c)
	b.StopTimer()
	w.settled()
	after := w.tally(b)
	report(b, b.N, before, after)
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() * 1000 }
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.95), "p95-ms")
}

func benchPay(b *testing.B, names ...string) {
	w := newBenchNet(b, names...)
	for _, c := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("c=%d", c), func(b *testing.B) { w.run(b, c) })
	}
}

// BenchmarkPay1Hop and BenchmarkPay2Hops are whole payments between nodes of this
// process, over TCP, each with a store of its own, on a private btcd:
//
//	go test -run '^$' -bench Pay -benchtime 1000x ./node/
//
// The invoices are made before the clock starts. cpu-ms, B and allocs are those of
// all nodes and of the caller; commits are store transactions (two fdatasync each).
func BenchmarkPay1Hop(b *testing.B)  { benchPay(b, "alice", "bob") }
func BenchmarkPay2Hops(b *testing.B) { benchPay(b, "alice", "bob", "carol") }
