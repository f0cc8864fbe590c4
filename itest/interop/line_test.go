package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// line is two nodes of one program with one of the other between them.
type line struct {
	*meeting
	x, mid, y Peer
	typ       ChannelType
	weForward bool
	points    [2]string // x-mid, mid-y
	scids     [2]uint64
}

// lineScenarios, in the order in which they are played.
var lineScenarios = []struct {
	name         string
	ends, middle []Ability // of the foreign nodes, when they are at the ends, and in the middle
	play         func(*line)
}{
	{"two channels, learned by gossip from end to end", []Ability{Graph, Announces}, []Ability{Forwards, Announces}, (*line).meets},
	{"forwards both ways: 1 sat to a half of the channel, for the fee of the policy", nil, []Ability{Forwards}, (*line).forwards},
	{"50 payments each way at once through the middle", nil, []Ability{Forwards}, (*line).storm},
	{"failures of the end, and of the middle when it has too little", nil, []Ability{Forwards}, (*line).failures},
	{"policies of the middle change: learned, or told with the refusal and paid", []Ability{Graph}, []Ability{Forwards, Policies}, (*line).policies},
	{"held at the end over restarts of the middle", []Ability{Holds}, []Ability{Forwards}, (*line).holds},
	{"multi-part through the middle", []Ability{Splits}, []Ability{Forwards}, (*line).parts},
	{"an end that is not announced, by the hint in its invoice", nil, []Ability{Forwards}, (*line).hinted},
	{"six restarts of the middle, by signal and by SIGKILL, while payments run", nil, []Ability{Forwards}, (*line).siege},
	{"an end goes away: a failure, the channel disabled, and enabled again", []Ability{Graph}, []Ability{Forwards, Announces, Disables}, (*line).goneAway},
}

// ways are the directions in which is paid, with the channel that the middle sends out
// through.
func (l *line) ways() []way {
	return []way{{l.x, l.y, 1}, {l.y, l.x, 0}}
}

type way struct {
	from, to Peer
	out      int
}

func (l *line) all() []Peer { return []Peer{l.x, l.mid, l.y} }

// agrees waits until nothing is under way in both channels.
func (l *line) agrees() {
	l.t.Helper()
	l.agree(l.points[0], l.x, l.mid)
	l.agree(l.points[1], l.mid, l.y)
}

func (l *line) meets() {
	for _, p := range l.all() {
		l.fund(p, 3, 10_000_000)
	}
	l.connect(l.x, l.mid)
	l.connect(l.y, l.mid)
	l.points[0] = l.open(l.x, l.mid, Opening{Capacity: 2_000_000, Push: 1_000_000, Type: l.typ})
	l.points[1] = l.open(l.mid, l.y, Opening{Capacity: 2_000_000, Push: 1_000_000, Type: l.typ})
	l.scids = [2]uint64{l.channel(l.x, l.points[0]).SCID, l.channel(l.y, l.points[1]).SCID}
	l.inGraphs(l.scids[0], l.all(), []Peer{l.x, l.mid})
	l.inGraphs(l.scids[1], l.all(), []Peer{l.mid, l.y})
	for _, at := range l.all() {
		for _, of := range l.all() {
			l.until(at.Name()+" knows the node "+of.Name(), func(ctx context.Context) (bool, error) {
				alias, err := at.Alias(ctx, of.ID())
				return alias == of.Name(), err
			})
		}
	}
}

// asked is what the middle asks for carrying so much out through a channel.
func (l *line) asked(out int, msat int64) int64 {
	l.t.Helper()
	e, err := l.mid.Edge(l.ctx(), l.scids[out])
	l.must(err)
	p := e.Policies[l.mid.ID()]
	return p.BaseMsat + msat*p.PPM/1_000_000
}

func (l *line) forwards() {
	for _, d := range l.ways() {
		had := map[Peer]int64{d.from: l.owns(d.from), l.mid: l.owns(l.mid), d.to: l.owns(d.to)}
		count, earned := l.history()
		sum, fees := int64(0), int64(0)
		amounts := []int64{1_000, 100_001, 353_999, 5_000_000, 12_345_678, 500_000_000}
		for _, msat := range amounts {
			got := l.pays(d.from, d.to, msat)
			require.Equal(l.t, l.asked(d.out, msat), got.FeeMsat)
			sum, fees = sum+msat, fees+got.FeeMsat
		}
		l.agrees()
		require.Equal(l.t, had[d.from]-sum-fees, l.owns(d.from))
		require.Equal(l.t, had[l.mid]+fees, l.owns(l.mid))
		require.Equal(l.t, had[d.to]+sum, l.owns(d.to))
		l.until("the history has all", func(context.Context) (bool, error) {
			n, e := l.history()
			if l.weForward && n == count+len(amounts) {
				require.Equal(l.t, earned+fees, e)
			}
			return !l.weForward || n == count+len(amounts), nil
		})
	}
}

// history is our own forwarding history: how many, and what they earned.
func (l *line) history() (count int, msat int64) {
	l.t.Helper()
	if !l.weForward {
		return 0, 0
	}
	h, err := l.mid.(*spoken).ln().ForwardingHistory(l.ctx(), &lnrpc.ForwardingHistoryRequest{StartTime: 1, NumMaxEvents: 50_000})
	l.must(err)
	for _, e := range h.ForwardingEvents {
		msat += int64(e.FeeMsat)
	}
	return len(h.ForwardingEvents), msat
}

func (l *line) storm() {
	var all sync.WaitGroup
	fault := make(chan error, 100)
	for i := range 100 {
		d := l.ways()[i%2]
		inv := l.invoice(d.to, int64(1_000_000+i*10_000))
		all.Go(func() {
			got, err := d.from.Pay(l.ctx(), inv.Bolt11, Paying{})
			if err != nil || got.State != Succeeded {
				fault <- fmt.Errorf("%s pays: %w %s %v", d.from.Name(), err, got.Reason, got.Failures)
			}
		})
	}
	all.Wait()
	close(fault)
	for err := range fault {
		l.t.Error(err)
	}
	l.agrees()
}

func (l *line) failures() {
	for _, d := range l.ways() {
		if d.to.Offers(Holds) {
			l.hold(d.from, d.to, 3_000_000).cancel()
		}
	}
	// More than the middle has towards y, of which x has enough.
	for l.channel(l.mid, l.points[1]).LocalMsat > 500_000_000 {
		l.pays(l.mid, l.y, 300_000_000)
		l.agrees()
	}
	if l.channel(l.x, l.points[0]).LocalMsat < 800_000_000 {
		l.pays(l.mid, l.x, 300_000_000)
		l.agrees()
	}
	too := l.channel(l.mid, l.points[1]).LocalMsat + 50_000_000
	got := l.pay(l.x, l.invoice(l.y, too), Paying{Parts: 1})
	require.Equal(l.t, Failed, got.State)
	if l.x.Offers(Names) {
		require.Contains(l.t, got.Failures, temporaryFailure)
	}
	l.agrees()
	l.pays(l.y, l.mid, 500_000_000) // back to the middle
	l.agrees()
}

// policies changes what the middle asks for. The first change of a direction is met by a
// payment before it is learned; it is made twice, because the policy before the newest is
// honoured for a while. More of that would cost the middle its reputation.
func (l *line) policies() {
	for _, d := range l.ways() {
		for i, want := range []Policy{
			{BaseMsat: 7_000, PPM: 300, Delta: 80}, {BaseMsat: 2_000, PPM: 10, Delta: 144}, {BaseMsat: 2_000, PPM: 10, Delta: 80, MinMsat: 2_500_000},
			{BaseMsat: 1_000, PPM: 1, Delta: 80, MinMsat: 1_000},
		} {
			if !l.mid.Offers(Limits) {
				want.MinMsat = 0
			}
			if i == 0 {
				before := want
				before.BaseMsat--
				l.must(l.mid.SetPolicy(l.ctx(), l.points[d.out], before))
				l.must(l.mid.SetPolicy(l.ctx(), l.points[d.out], want))
				l.pays(d.from, d.to, 3_000_000)
			} else {
				l.must(l.mid.SetPolicy(l.ctx(), l.points[d.out], want))
			}
			l.until("all know the policy", func(ctx context.Context) (bool, error) {
				for _, p := range l.all() {
					e, err := p.Edge(ctx, l.scids[d.out])
					if err != nil || e == nil {
						return false, err
					}
					q := e.Policies[l.mid.ID()]
					if q.BaseMsat != want.BaseMsat || q.PPM != want.PPM || q.Delta != want.Delta {
						return false, nil
					}
				}
				return true, nil
			})
			require.Equal(l.t, want.BaseMsat+3*want.PPM, l.pays(d.from, d.to, 3_000_000).FeeMsat)
		}
	}
	l.agrees()
}

// restartMid takes the middle down and up; the ends find it.
func (l *line) restartMid(kill bool) {
	l.t.Helper()
	l.stop(l.mid, kill)
	l.start(l.mid)
	l.connect(l.x, l.mid)
	l.connect(l.y, l.mid)
	l.active(l.points[0], l.x, l.mid)
	l.active(l.points[1], l.mid, l.y)
}

func (l *line) holds() {
	for _, kill := range []bool{false, true} {
		var hs []*held
		for _, d := range l.ways() {
			hs = append(hs, l.hold(d.from, d.to, 30_000_000), l.hold(d.from, d.to, 20_000_000), l.hold(d.from, d.to, 250_000))
		}
		l.restartMid(kill)
		for i, h := range hs {
			h.is(Held)
			if i%3 == 1 {
				h.cancel()
			} else {
				h.settle()
			}
		}
		l.agrees()
	}
}

// parts opens a second channel on each side, and pays more than one carries.
func (l *line) parts() {
	second := [2]string{
		l.open(l.x, l.mid, Opening{Capacity: 1_500_000, Push: 500_000, Type: l.typ}),
		l.open(l.mid, l.y, Opening{Capacity: 1_500_000, Push: 500_000, Type: l.typ}),
	}
	scids := [2]uint64{l.channel(l.x, second[0]).SCID, l.channel(l.y, second[1]).SCID}
	l.inGraphs(scids[0], l.all(), []Peer{l.x, l.mid})
	l.inGraphs(scids[1], l.all(), []Peer{l.mid, l.y})
	largest := max(l.channel(l.x, l.points[0]).LocalMsat, l.channel(l.x, second[0]).LocalMsat)
	msat := largest + 150_000_000
	inv := l.invoice(l.y, msat)
	got := l.pay(l.x, inv, Paying{})
	require.Equal(l.t, Succeeded, got.State, "%d msat: %s %v", msat, got.Reason, got.Failures)
	require.GreaterOrEqual(l.t, got.Parts, 2)
	l.receives(l.y, inv.Hash, msat)
	l.agree(second[0], l.x, l.mid)
	l.agree(second[1], l.mid, l.y)
	l.agrees()
	l.must(l.x.Close(l.ctx(), second[0], false))
	l.must(l.mid.Close(l.ctx(), second[1], false))
	l.until("both are closed", func(ctx context.Context) (bool, error) {
		l.mine(1)
		for i, p := range []Peer{l.x, l.y} {
			if c, err := find(ctx, p, second[i]); c != nil || err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// hinted closes the public channel of the one end and opens a private one.
func (l *line) hinted() {
	l.must(l.mid.Close(l.ctx(), l.points[1], false))
	l.until("it is closed", func(ctx context.Context) (bool, error) {
		l.mine(1)
		for _, p := range []Peer{l.mid, l.y} {
			if c, err := find(ctx, p, l.points[1]); c != nil || err != nil {
				return false, err
			}
		}
		return true, nil
	})
	l.points[1] = l.open(l.mid, l.y, Opening{Capacity: 2_000_000, Push: 1_000_000, Type: l.typ, Private: true})
	require.True(l.t, l.channel(l.y, l.points[1]).Private)
	if s, ok := l.y.(*spoken); ok {
		s.hints = true
		defer func() { s.hints = false }()
	}
	l.until("x pays by the hint", func(ctx context.Context) (bool, error) { // y hears of the middle's policy first
		inv, err := l.y.Invoice(ctx, 4_000_000, "hint")
		if err != nil {
			return false, err
		}
		got, err := l.x.Pay(ctx, inv.Bolt11, Paying{})
		return got.State == Succeeded, err
	})
	l.pays(l.y, l.x, 4_000_000)
	l.agrees()
	private := l.points[1]
	l.must(l.y.Close(l.ctx(), private, false))
	l.until("it is closed", func(ctx context.Context) (bool, error) {
		l.mine(1)
		c, err := find(ctx, l.y, private)
		return c == nil, err
	})
	l.points[1] = l.open(l.mid, l.y, Opening{Capacity: 2_000_000, Push: 1_000_000, Type: l.typ})
	l.scids[1] = l.channel(l.y, l.points[1]).SCID
	l.inGraphs(l.scids[1], l.all(), []Peer{l.mid, l.y})
}

// siege restarts the middle while the ends pay each other.
func (l *line) siege() {
	count, _ := l.history()
	owned := l.owns(l.x) + l.owns(l.mid) + l.owns(l.y)
	s := &siege{over: make(chan struct{}), why: map[string]int{}}
	var payers sync.WaitGroup
	for i := range 6 {
		d := l.ways()[i%2]
		payers.Go(func() { s.payer(l.t.Context(), d.from, d.to) })
	}
	func() {
		defer func() { close(s.over); payers.Wait() }()
		for i := range 6 {
			goal := s.done.Load() + 2 + rand.Int64N(8)
			l.until("payments go on", func(context.Context) (bool, error) { return s.done.Load() >= goal, nil })
			time.Sleep(rand.N(100 * time.Millisecond)) // no wait for anything: any moment will do
			l.restartMid(i%2 == 1)
		}
	}()
	l.agrees()
	settled := 0
	for _, a := range s.all {
		end := l.sent(a.from, a.inv.Hash)
		r, err := a.to.Received(l.ctx(), a.inv.Hash)
		l.must(err)
		require.Equal(l.t, end.State == Succeeded, r.State == Settled, "payment %x of %s: %s at the payer, %s at the payee", a.inv.Hash, a.from.Name(), end.State, r.State)
		if end.State == Succeeded {
			settled++
		}
	}
	require.Equal(l.t, owned, l.owns(l.x)+l.owns(l.mid)+l.owns(l.y))
	if l.weForward {
		n, _ := l.history()
		require.Equal(l.t, count+settled, n, "forwards in the history")
	}
	l.t.Logf("%d payments, %d of them arrived; failures: %v", len(s.all), settled, s.why)
}

func (l *line) goneAway() {
	inv := l.invoice(l.y, 5_000_000)
	l.stop(l.y, false)
	// What is signed for y before the middle notices would wait for it.
	l.until("the middle notices", func(ctx context.Context) (bool, error) {
		there, err := l.mid.Connected(ctx, l.y.ID())
		return !there, err
	})
	got := l.pay(l.x, inv, Paying{})
	require.Equal(l.t, Failed, got.State)
	disabled := func(want bool) func(ctx context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			e, err := l.x.Edge(ctx, l.scids[1])
			if err != nil || e == nil {
				return false, err
			}
			return e.Policies[l.mid.ID()].Disabled == want, nil
		}
	}
	l.until("the channel is disabled", disabled(true))
	l.start(l.y)
	l.connect(l.y, l.mid)
	l.active(l.points[1], l.mid, l.y)
	l.until("the channel is enabled again", disabled(false))
	l.pays(l.y, l.x, 100_000) // less than any that failed under siege, which is remembered
	l.agrees()
}
