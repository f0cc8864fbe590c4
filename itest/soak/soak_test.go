package soak

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// capacity of every channel; half of it begins on either side.
const capacity = 10_000_000

// town is a ring of alice, bob and carol and a way on to dave. Nobody ever touches
// dave's process: what grows in it, grows for good.
type town struct {
	t     *testing.T
	w     *rig.World
	other *btcdtest.Node // keeps the chain going while the nodes' own btcd is away
	rng   *rand.Rand
	nodes []*rig.Node
	ways  []way
	// profile is where the bystander serves pprof.
	profile string
	start   map[*rig.Node]int64 // what each owned in its channels at first

	made atomic.Int64 // payments that succeeded
	over atomic.Int64 // when the traffic was stopped, in unix nanoseconds; 0: not yet
	// wrong is told what should not be: it fails the test, or, of another program, counts.
	wrong  func(format string, args ...any)
	count  tally
	active []time.Duration // from the start of a process until its channels could be used
}

// way is a channel, with the proxy that the first reaches the second through.
type way struct {
	from, to *rig.Node
	proxy    *rig.Proxy
	point    rig.ChanPoint
}

// TestSoak: nothing is lost, whatever happens to the processes.
func TestSoak(t *testing.T) {
	s := newTown(t, func(w *rig.World, name string, options ...string) *rig.Node {
		return w.NewNode(name, append([]string{"--noseedbackup"}, options...)...)
	}, nil)
	s.wrong = t.Errorf
	s.run()
	books := s.books()
	require.Zero(t, books.missing, "forwards that are in nobody's history")
	require.Zero(t, books.stuck, "payments without an end")
	for n, lost := range books.lost {
		require.Zero(t, lost, "millisatoshis that %s has lost", n)
	}
	require.Zero(t, books.closed, "closed channels")
	s.growth()
	s.payments()
}

// TestSoakLnd does the same to the lnd that LND_BIN names, and counts.
func TestSoakLnd(t *testing.T) {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED: set LND_BIN to compare with lnd")
	}
	s := newTown(t, func(w *rig.World, name string, options ...string) *rig.Node {
		return w.NewNodeOf(rig.Lnd, name, options...)
	}, func(proxy string) string { return "--externalip=" + proxy })
	s.wrong = t.Logf
	s.run()
	s.books()
	s.growth()
}

// newTown makes the nodes and their channels. known, if it is set, is the option by which
// a node announces where it is reached: lnd forgets the address that it has dialled when the
// peer announces others, or none, as it does after every start.
func newTown(t *testing.T, make func(w *rig.World, name string, options ...string) *rig.Node, known func(proxy string) string) *town {
	t.Logf("-soak.seed=%d", *seed)
	s := &town{t: t, w: rig.SimnetWorld(t), rng: rand.New(rand.NewPCG(*seed, 1)), start: map[*rig.Node]int64{}}
	s.other = s.w.Btcd("other", &chaincfg.SimNetParams)
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		s.profile = rig.FreeAddr(t) // the last is the bystander's
		s.nodes = append(s.nodes, make(s.w, name, "--profile="+s.profile))
	}
	for _, ends := range [][2]int{{0, 1}, {1, 2}, {2, 0}, {2, 3}} {
		b := s.nodes[ends[1]]
		p := rig.NewProxy(t, b.P2P)
		if known != nil {
			b.Options = append(b.Options, known(p.Addr))
		}
		s.ways = append(s.ways, way{from: s.nodes[ends[0]], to: b, proxy: p})
	}
	for _, n := range s.nodes {
		n.Start()
		n.Fund(2*capacity + 2_000_000)
	}
	for i := range s.ways {
		s.link(&s.ways[i])
	}
	s.w.Mine(12) // out of the reach of reorgs
	for _, n := range s.nodes {
		for _, w := range s.ways {
			n.Knows(w.point)
		}
	}
	s.join()
	for _, n := range s.nodes {
		s.start[n] = n.InChannels()
	}
	return s
}

// link connects two nodes through their proxy and opens a channel between them.
func (s *town) link(w *way) {
	a, b := w.from, w.to
	_, err := a.LN.ConnectPeer(rig.Soon(s.t), &lnrpc.ConnectPeerRequest{
		Addr: &lnrpc.LightningAddress{Pubkey: b.ID, Host: w.proxy.Addr}, Perm: true,
	})
	require.NoError(s.t, err)
	rig.Eventually(s.t, a.Name+" and "+b.Name+" see each other", func() bool { return b.HasPeer(a) && a.HasPeer(b) })
	w.point = a.Open(b, capacity, func(r *lnrpc.OpenChannelRequest) { r.PushSat = capacity / 2 })
}

// bystander is the node that nothing is done to.
func (s *town) bystander() *rig.Node { return s.nodes[len(s.nodes)-1] }

// run pays and breaks until enough were killed, and waits for the end of everything.
func (s *town) run() {
	stop := s.traffic(6)
	before := s.measure()
	for s.count.kills < *kills {
		s.harm()
		if s.count.kills == max(*kills/10, 1) {
			before = s.measure() // it is warm now
		}
		if *away > 0 && s.count.kills >= *kills/2 && !s.count.longAway {
			s.count.longAway = true
			s.chainAway(*away)
		}
	}
	stop()
	s.settle()
	s.count.before, s.count.after = before, s.measure()
}

// settle waits until nothing is under way.
func (s *town) settle() {
	s.supervise()
	open := func(c *lnrpc.Channel) bool { return len(c.PendingHtlcs) > 0 }
	for _, n := range s.nodes {
		for end := time.Now().Add(rig.Patience); slices.ContainsFunc(n.Channels(), open); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				s.wrong("%s has HTLCs that do not end", n.Name)
				break
			}
		}
	}
}

// payments: everybody can pay everybody at the end.
func (s *town) payments() {
	for _, a := range s.nodes {
		for _, b := range s.nodes {
			if a != b {
				a.Pay(b.Invoice(10_000))
			}
		}
	}
}
