package node

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// crash ends the node as a lost process would: from some write on nothing is durable
// and nothing is told, whatever the memory holds. It starts again from the files.
func (r *resident) crash() {
	r.t.Helper()
	r.crashed = make(chan struct{})
	// A batch that cannot be written: the store fails over it.
	r.db.Queue(channeldb.Batch{Channels: []*channel.Delta{{ChanNum: 1, OutboxPut: []htlc.Outcome{{}}}}}, nil)
	<-r.crashed
	r.restart()
	r.crashed = nil
}

// yard is a line of three nodes that pay each other while they are stopped and started.
type yard struct {
	t     *testing.T
	nodes [3]*resident
	chans [2]wire.OutPoint // nodes[i] to nodes[i+1]
	gates [3]sync.RWMutex  // held while a node is down
	stop  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu    sync.Mutex
	deals []deal
}

// deal is a payment that was begun, or nearly so.
type deal struct {
	from, to int
	hash     lnwire.Hash
	amount   lnwire.MilliSat
}

const yardCapacity lnwire.Sat = 5_000_000

func newYard(t *testing.T) *yard {
	t.Helper()
	chain := chainOf(t)
	y := &yard{t: t, stop: make(chan struct{})}
	for i, name := range []string{"alice", "bob", "carol"} {
		y.nodes[i] = residentOf(t, chain, name)
	}
	t.Cleanup(y.rest) // before the nodes are stopped
	for i := range y.chans {
		y.nodes[i].fund(10_000_000)
		y.nodes[i].connect(y.nodes[i+1])
		y.chans[i] = y.nodes[i].open(y.nodes[i+1], yardCapacity, yardCapacity.MilliSat()/2)
	}
	for _, r := range y.nodes {
		r.until("the map", func() bool { return y.routable(r) })
	}
	return y
}

// routable: the node knows all four policies.
func (y *yard) routable(r *resident) bool {
	for i, f := range y.chans {
		info, err := y.nodes[i].Channel(y.t.Context(), f)
		require.NoError(y.t, err)
		c, ok := r.Graph().Channel(info.Core.SCID)
		if !ok || c.Policies[0] == nil || c.Policies[1] == nil {
			return false
		}
	}
	return true
}

// forgive forgets what payments have taught about nodes that were away.
func (r *resident) forgive() {
	r.payments.mu.Lock()
	defer r.payments.mu.Unlock()
	r.payments.scores = routing.NewScores()
}

// rest ends all trade.
func (y *yard) rest() {
	y.once.Do(func() { close(y.stop) })
	y.wg.Wait()
}

// trade makes one node pay another again and again.
func (y *yard) trade(from, to int, random *rand.Rand) {
	y.wg.Go(func() {
		for {
			select {
			case <-y.stop:
				return
			default:
			}
			y.payOnce(from, to, lnwire.MilliSat(1000+random.Int64N(40_000_000)))
		}
	})
}

func (y *yard) payOnce(from, to int, amount lnwire.MilliSat) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	y.gates[to].RLock()
	payee := y.nodes[to].ID()
	inv, err := y.nodes[to].AddInvoice(ctx, invoice.Terms{Amount: amount})
	y.gates[to].RUnlock()
	if err != nil {
		return
	}
	y.mu.Lock()
	y.deals = append(y.deals, deal{from, to, inv.Hash, amount})
	y.mu.Unlock()
	y.gates[from].RLock()
	y.nodes[from].forgive()
	w, err := y.nodes[from].Pay(ctx, routing.Begin{
		Terms: routing.Terms{
			Hash: inv.Hash, Amount: amount, Payee: payee, FinalDelta: uint16(inv.FinalDelta), Secret: &inv.Secret,
			Features: inv.Features, Request: inv.Request,
		},
		Limits: routing.Limits{Fee: amount + 10_000},
	})
	y.gates[from].RUnlock()
	if err != nil {
		return
	}
	defer w.Close()
	for {
		p, err := w.Next(ctx)
		if err != nil || p.Payment.Status == routing.Succeeded {
			return
		}
		if p.Payment.Status == routing.Failed {
			time.Sleep(5 * time.Millisecond) // somebody is away
			return
		}
	}
}

// disturb stops and starts nodes, one at a time, at random moments.
func (y *yard) disturb(times int, random *rand.Rand) {
	for range times {
		time.Sleep(time.Duration(random.Int64N(int64(60 * time.Millisecond)))) // a moment nobody chose
		i := random.IntN(len(y.nodes))
		y.gates[i].Lock()
		if random.IntN(2) == 0 {
			y.nodes[i].restart()
		} else {
			y.nodes[i].crash()
		}
		y.gates[i].Unlock()
	}
}

// quiet waits until both channels are active everywhere and no HTLC is in any.
func (y *yard) quiet() {
	y.t.Helper()
	for i, r := range y.nodes {
		for j, f := range y.chans {
			if i == j || i == j+1 {
				var info channel.Info
				ok := func() bool {
					var err error
					info, err = r.Channel(y.t.Context(), f)
					require.NoError(y.t, err)
					return info.Active && len(info.HTLCs) == 0
				}
				for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
					require.True(y.t, time.Now().Before(deadline), "%s: channel %d is not quiet: active %v, HTLCs %+v", r.name, j, info.Active, info.HTLCs)
				}
			}
		}
	}
}

// audit holds all books against each other: I1, I3, I5, I6 and I9 of the safety
// programme.
func (y *yard) audit() {
	t := y.t
	t.Helper()
	want := [3]lnwire.MilliSat{}
	start := yardCapacity.MilliSat() / 2
	want[0], want[1], want[2] = start, 2*start, start
	forwards := map[lnwire.Hash]int{}
	list, err := y.nodes[1].Forwards(channeldb.ForwardQuery{Limit: 1 << 20})
	require.NoError(t, err)
	for _, f := range list {
		forwards[f.Hash]++
		want[1] += f.Fee()
	}
	var paid, failed, unknown int
	for _, d := range y.deals {
		inv, err := y.nodes[d.to].Invoice(d.hash)
		require.NoError(t, err)
		p, err := y.nodes[d.from].Payment(d.hash)
		if err != nil {
			require.ErrorIs(t, err, ErrUnknownPayment)
			require.NotEqual(t, invoice.Settled, inv.State, "settled by a payment that nobody remembers")
			unknown++
			continue
		}
		require.NotEqual(t, routing.InFlight, p.Payment.Status, "payment %v is not final", d.hash)
		if p.Payment.Status == routing.Failed {
			require.NotEqual(t, invoice.Settled, inv.State, "payment %v failed and its invoice is settled", d.hash)
			require.Zero(t, forwards[d.hash])
			failed++
			continue
		}
		paid++
		require.Equal(t, d.hash, p.Payment.Preimage.Hash())
		require.Equal(t, invoice.Settled, inv.State, "payment %v succeeded and its invoice is not settled", d.hash)
		require.Equal(t, d.amount, inv.Paid)
		want[d.from] -= d.amount + p.Payment.Fee
		want[d.to] += d.amount
		require.Equal(t, min(1, max(d.from, d.to)-min(d.from, d.to)-1), forwards[d.hash], "forwards of %v", d.hash)
		delete(forwards, d.hash)
	}
	require.Empty(t, forwards, "forwards of no payment")
	var have [3]lnwire.MilliSat
	for j, f := range y.chans {
		a, err := y.nodes[j].Channel(t.Context(), f)
		require.NoError(t, err)
		b, err := y.nodes[j+1].Channel(t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, channel.Open, a.Core.Phase)
		require.Equal(t, channel.Open, b.Core.Phase)
		require.Equal(t, a.LocalOurs, b.LocalTheirs)
		require.Equal(t, a.LocalTheirs, b.LocalOurs)
		require.Equal(t, yardCapacity.MilliSat(), a.LocalOurs+a.LocalTheirs)
		have[j] += a.LocalOurs
		have[j+1] += b.LocalOurs
	}
	require.Equal(t, want, have, "conservation, to the msat")
	for _, r := range y.nodes {
		rows, err := r.ClosedChannels(0, 10)
		require.NoError(t, err)
		require.Empty(t, rows)
		outcomes, answers, err := r.db.Outbox()
		require.NoError(t, err)
		require.Empty(t, outcomes, "%s", r.name)
		require.Empty(t, answers, "%s", r.name)
		require.Zero(t, r.board.sw.InFlight(), "%s", r.name)
		r.payments.mu.Lock()
		require.Empty(t, r.payments.byAttempt, "%s", r.name)
		require.Empty(t, r.payments.byHash, "%s", r.name)
		r.payments.mu.Unlock()
	}
	t.Logf("%d payments: %d paid, %d failed, %d never begun", len(y.deals), paid, failed, unknown)
	require.NotZero(t, paid)
}

// TestRestartsWhilePaymentsRun stops and starts, and crashes, nodes of a line at random
// moments while payments run in both directions. FULGUR_RESTARTS says how often,
// FULGUR_SEED at which moments.
func TestRestartsWhilePaymentsRun(t *testing.T) {
	times, seed := fromEnv(t, "FULGUR_RESTARTS", 12), fromEnv(t, "FULGUR_SEED", 1)
	random := func(n uint64) *rand.Rand { return seeded(uint64(seed)<<32 + n) }
	y := newYard(t)
	for i := range 3 {
		y.trade(0, 2, random(uint64(10+i)))
		y.trade(2, 0, random(uint64(20+i)))
	}
	y.trade(0, 1, random(30))
	y.trade(1, 2, random(40))
	y.disturb(times, random(1))
	y.rest()
	y.quiet()
	y.audit()
	// And all of it works once more.
	for _, pair := range [][2]int{{0, 2}, {2, 0}} {
		y.payOnce(pair[0], pair[1], 1_000_000)
	}
	y.quiet()
	y.audit()
	last := y.deals[len(y.deals)-2:]
	for _, d := range last {
		p, err := y.nodes[d.from].Payment(d.hash)
		require.NoError(t, err)
		require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	}
}

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 0)) }

func fromEnv(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}
