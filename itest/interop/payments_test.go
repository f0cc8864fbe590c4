package interop

import (
	"fmt"
	"sync"

	"github.com/stretchr/testify/require"
)

// bothWays are the directions of a pair.
func (p *pair) bothWays() [2][2]Peer {
	return [2][2]Peer{{p.ours, p.theirs}, {p.theirs, p.ours}}
}

// moved compares what both own with what they had, after so much went from one to the
// other.
func (p *pair) moved(from, to Peer, msat int64, before map[Peer]int64) {
	p.t.Helper()
	p.allAgree()
	require.Equal(p.t, before[from]-msat, p.owns(from), from.Name())
	require.Equal(p.t, before[to]+msat, p.owns(to), to.Name())
}

// allAgree waits until nothing is under way between the two.
func (p *pair) allAgree() {
	p.t.Helper()
	list, err := p.ours.Channels(p.ctx())
	p.must(err)
	for _, c := range list {
		p.agree(c.Point, p.a, p.b)
	}
}

// allActive waits until both can use all their channels.
func (p *pair) allActive() {
	p.t.Helper()
	list, err := p.ours.Channels(p.ctx())
	p.must(err)
	for _, c := range list {
		p.active(c.Point, p.a, p.b)
	}
}

// own is what both have in their channels, in which nothing is under way.
func (p *pair) own() map[Peer]int64 {
	p.t.Helper()
	p.allAgree()
	return map[Peer]int64{p.ours: p.owns(p.ours), p.theirs: p.owns(p.theirs)}
}

func (p *pair) amounts() {
	for _, d := range p.bothWays() {
		before, sum := p.own(), int64(0)
		for _, msat := range []int64{1_000, 1_001, 200_000, 353_999, 354_000, 1_234_567, 2_999_999, 50_000_001, 100_000_000} {
			p.pays(d[0], d[1], msat)
			sum += msat
		}
		p.moved(d[0], d[1], sum, before)
	}
}

// nearCapacity looks for what can be paid at most, from above. The reserve, the fee of a
// larger commitment and the opener's buffer for fees stay.
func (p *pair) nearCapacity() {
	for _, d := range [][2]Peer{{p.a, p.b}, {p.b, p.a}} {
		before := p.own()
		has := p.channel(d[0], p.point).LocalMsat
		try, got := has, Payment{}
		for ; got.State != Succeeded; try -= has / 200 {
			require.Greater(p.t, try, has*9/10, "%s cannot pay nine tenths of %d msat: %s %v", d[0].Name(), has, got.Reason, got.Failures)
			got = p.pay(d[0], p.invoice(d[1], try), Paying{Parts: 1})
		}
		try += has / 200
		p.moved(d[0], d[1], try, before)
		p.t.Logf("%s paid %d of %d msat", d[0].Name(), try, has)
		p.pays(d[1], d[0], try/2/1000*1000)
		p.agree(p.point, p.a, p.b)
	}
}

// storm lets fifty payments run each way at once.
func (p *pair) storm() {
	before := p.own()
	var all sync.WaitGroup
	fault := make(chan error, 100)
	for i := range 100 {
		d := p.bothWays()[i%2]
		inv := p.invoice(d[1], int64(1_000_000+i/2*10_000))
		all.Go(func() {
			got, err := d[0].Pay(p.ctx(), inv.Bolt11, Paying{})
			if err != nil || got.State != Succeeded {
				fault <- fmt.Errorf("%s pays: %w %s %v", d[0].Name(), err, got.Reason, got.Failures)
			}
		})
	}
	all.Wait()
	close(fault)
	for err := range fault {
		p.t.Error(err)
	}
	p.moved(p.ours, p.theirs, 0, before)
}

// failures are those of two nodes next to each other: of the payee, and before anything
// is sent.
func (p *pair) failures() {
	before := p.own()
	for _, d := range p.bothWays() {
		from, to := d[0], d[1]
		paid := p.invoice(to, 1_500_000)
		first := p.pay(from, paid, Paying{})
		require.Equal(p.t, Succeeded, first.State, "%s: %s %v", from.Name(), first.Reason, first.Failures)
		before[from], before[to] = before[from]-1_500_000, before[to]+1_500_000
		if again, err := from.Pay(p.ctx(), paid.Bolt11, Paying{}); err == nil {
			require.NotEqual(p.t, Succeeded, again.State, "%s pays twice", from.Name())
		}
		toMuch := p.pay(from, p.invoice(to, capacity*1000), Paying{})
		require.Equal(p.t, Failed, toMuch.State)
		require.NotEmpty(p.t, toMuch.Reason)
		if to.Offers(Holds) {
			h := p.hold(from, to, 3_000_000)
			h.cancel()
			gone, err := to.Hold(p.ctx(), 4_000_000, [32]byte{byte(len(p.t.Name())), byte(to.ID()[5])})
			p.must(err)
			p.must(to.Cancel(p.ctx(), gone.Hash))
			refused := p.pay(from, gone, Paying{})
			require.Equal(p.t, Failed, refused.State)
			require.NotEmpty(p.t, refused.Reason)
			if from.Offers(Names) {
				require.Contains(p.t, refused.Failures, unknownDetails)
			}
		}
	}
	p.moved(p.ours, p.theirs, 0, before)
}

// keysend pays without an invoice.
func (p *pair) keysend(from, to Peer) {
	before := p.own()
	for _, msat := range []int64{1_000, 12_345_678} {
		got, err := from.Keysend(p.ctx(), to.ID(), msat)
		p.must(err)
		require.Equal(p.t, Succeeded, got.State, "%s %v", got.Reason, got.Failures)
	}
	p.moved(from, to, 12_346_678, before)
}

// holds lets one end hold payments: large and trimmed ones, of which it takes some.
func (p *pair) holds(from, to Peer) {
	before := p.own()
	var hs []*held
	for _, msat := range []int64{50_000_000, 40_000_000, 250_000, 260_000} {
		hs = append(hs, p.hold(from, to, msat))
	}
	require.Equal(p.t, 4, p.channel(from, p.point).HTLCs)
	require.Equal(p.t, 4, p.channel(to, p.point).HTLCs)
	hs[0].settle()
	hs[1].cancel()
	hs[2].settle()
	hs[3].cancel()
	p.moved(from, to, hs[0].msat+hs[2].msat, before)
}

// parts pays more than one channel can carry.
func (p *pair) parts(from, to Peer) {
	if p.second == "" {
		p.second = p.open(p.a, p.b, Opening{Capacity: capacity, Push: capacity / 2, Type: p.typ})
	}
	p.balance()
	before := p.own()
	const msat = 700_000_000
	inv := p.invoice(to, msat)
	got := p.pay(from, inv, Paying{})
	require.Equal(p.t, Succeeded, got.State, "%s %v", got.Reason, got.Failures)
	require.GreaterOrEqual(p.t, got.Parts, 2)
	p.receives(to, inv.Hash, msat)
	r, err := to.Received(p.ctx(), inv.Hash)
	p.must(err)
	require.Equal(p.t, got.Parts, r.Parts)
	p.moved(from, to, msat, before)
}

// balance brings what both own in their channels to about the same.
func (p *pair) balance() {
	p.t.Helper()
	for range 5 {
		own := p.own()
		from, to, msat := p.ours, p.theirs, (own[p.ours]-own[p.theirs])/2
		if msat < 0 {
			from, to, msat = to, from, -msat
		}
		if msat < 50_000_000 {
			return
		}
		_ = p.pay(from, p.invoice(to, min(msat, 400_000_000)/1000*1000), Paying{}) // the next look says what came of it
		p.allAgree()
	}
}
