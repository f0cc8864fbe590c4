package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// An update_add_htlc in its frame; every other message of a dance with few HTLCs is
// shorter than step and longer than the half of it.
const (
	addFrame = 18 + 2 + 32 + 8 + 8 + 32 + 4 + 1366 + 16
	step     = 100
)

// cuts lets a payment be made again and again, and cuts the connection at a later byte
// each time, so that each of the messages is once the last that arrives.
func (p *pair) cuts(from, to Peer) {
	p.balance()
	proxy := rig.NewProxy(p.t, p.theirs.Addr())
	for at, cut := int64(0), true; cut; {
		p.through(proxy)
		before := p.own()
		inv := p.invoice(to, 7_000_000)
		proxy.CutAfter(at)
		paid := make(chan error, 1)
		var got Payment
		go func() {
			var err error
			got, err = from.Pay(p.ctx(), inv.Bolt11, Paying{})
			paid <- err
		}()
		p.until("the payment ends, or is cut", func(context.Context) (bool, error) { return proxy.Reached() || len(paid) > 0, nil })
		p.connect(p.a, p.b)
		p.must(<-paid)
		var passed int64
		passed, cut = proxy.Passed()
		p.allActive()
		p.allAgree()
		r, err := to.Received(p.ctx(), inv.Hash)
		p.must(err)
		switch got.State {
		case Succeeded:
			require.Equal(p.t, Settled, r.State, "cut after %d", at)
			p.moved(from, to, 7_000_000, before)
		default:
			require.Equal(p.t, Open, r.State, "cut after %d: %s", at, got.Reason)
			p.moved(from, to, 0, before)
		}
		if !cut {
			require.Greater(p.t, passed, int64(addFrame), "the payment went another way")
			require.Equal(p.t, Succeeded, got.State)
			p.t.Logf("a whole payment is %d bytes", passed)
		}
		if at == 0 {
			at = addFrame - step
		}
		at += step
		require.Less(p.t, at, int64(20_000), "there is no end of it")
	}
	_ = p.ours.Disconnect(p.ctx(), p.theirs.ID())
	p.connect(p.a, p.b)
	p.allActive()
}

// through brings the connection through a proxy in front of them.
func (p *pair) through(proxy *rig.Proxy) {
	p.t.Helper()
	for !proxy.Used() {
		_ = p.ours.Disconnect(p.ctx(), p.theirs.ID()) // it may just be gone
		p.connectAt(p.ours, p.theirs, proxy.Addr)
	}
	p.allActive()
}

// restart ends a node and starts it again; the other finds it.
func (p *pair) restart(victim Peer, kill bool) {
	p.t.Helper()
	p.stop(victim, kill)
	p.start(victim)
	p.connect(p.a, p.b)
	p.allActive()
}

// restartsHolding lets a node go down and come back while it holds payments and has held
// ones under way.
func (p *pair) restartsHolding(victim Peer) {
	p.balance()
	for _, kill := range []bool{false, true} {
		before := p.own()
		var hs []*held
		for _, d := range p.bothWays() {
			hs = append(hs, p.hold(d[0], d[1], 30_000_000), p.hold(d[0], d[1], 20_000_000), p.hold(d[0], d[1], 250_000))
		}
		p.restart(victim, kill)
		for _, h := range hs {
			h.is(Held)
		}
		for i, h := range hs {
			if i%3 == 1 {
				h.cancel()
			} else {
				h.settle()
			}
		}
		p.moved(p.ours, p.theirs, 0, before)
	}
}

// siege lets both pay each other without a pause while they are restarted in turn.
func (p *pair) siege() {
	p.balance()
	p.besiege(10, func(i int) { p.restart([]Peer{p.ours, p.theirs}[i%2], i%4 >= 2) })
	p.pays(p.ours, p.theirs, 1_900_000)
	p.pays(p.theirs, p.ours, 1_900_000)
}

// besiege does harm again and again while payments run both ways without a pause. At the
// end every payment must have one, the same at both ends, and the sums must be right to
// the millisatoshi.
func (p *pair) besiege(times int, harm func(i int)) {
	p.t.Helper()
	before := p.own()
	s := &siege{over: make(chan struct{}), why: map[string]int{}}
	var payers sync.WaitGroup
	for i := range 8 {
		d := p.bothWays()[i%2]
		payers.Go(func() { s.payer(p.t.Context(), d[0], d[1]) })
	}
	func() {
		defer func() { close(s.over); payers.Wait() }()
		for i := range times {
			goal := s.done.Load() + 2 + rand.Int64N(8)
			p.until("payments go on", func(context.Context) (bool, error) { return s.done.Load() >= goal, nil })
			time.Sleep(rand.N(100 * time.Millisecond)) // no wait for anything: any moment will do
			harm(i)
		}
	}()
	// A payment that seems to have no end may be taken up again at this moment.
	var b tally
	p.until("the books agree with the channels", func(context.Context) (bool, error) {
		p.allAgree()
		b = p.tally(s)
		return p.owns(p.ours) == before[p.ours]-b.delta, nil
	})
	p.moved(p.ours, p.theirs, b.delta, before)
	p.t.Logf("%d payments, %d of them arrived, %d without an end in the payer's table and without an HTLC, %d settled in the payee's books only; failures: %v",
		len(s.all), b.good, b.stuck, b.lost, s.why)
}

// tally is what became of the payments of a siege.
type tally struct {
	delta             int64 // from ours to theirs
	good, stuck, lost int
}

func (p *pair) tally(s *siege) (b tally) {
	p.t.Helper()
	for _, a := range s.all {
		r, err := a.to.Received(p.ctx(), a.inv.Hash)
		p.must(err)
		if !a.from.Offers(Resumes) && r.State == Open {
			now, err := a.from.Sent(p.ctx(), a.inv.Hash)
			p.must(err)
			if now.State == InFlight {
				b.stuck++
				continue
			}
		}
		end := p.sent(a.from, a.inv.Hash)
		if !a.to.Offers(Whole) && end.State == Failed && r.State == Settled {
			b.lost++ // as the balances show
			continue
		}
		require.Equal(p.t, end.State == Succeeded, r.State == Settled, "payment %x of %s: %s at the payer, %s at the payee", a.inv.Hash, a.from.Name(), end.State, r.State)
		if end.State != Succeeded {
			continue
		}
		b.good++
		if a.from == p.ours {
			b.delta += a.msat
		} else {
			b.delta -= a.msat
		}
	}
	return b
}

// siege is the payments that go on meanwhile.
type siege struct {
	over       chan struct{}
	done       atomic.Int64 // that succeeded
	big, small atomic.Int64 // amounts that have been used
	mu         sync.Mutex
	all        []attempt
	why        map[string]int // failures
}

type attempt struct {
	from, to Peer
	inv      Invoice
	msat     int64
}

func (s *siege) payer(ctx context.Context, from, to Peer) {
	for i := 0; ctx.Err() == nil; i++ {
		select {
		case <-s.over:
			return
		default:
		}
		// Of a smaller amount a payer does not believe that it must fail because a larger
		// one did: some have an output in the commitments, some have none.
		msat := 3_000_000 - s.big.Add(25)
		if i%3 == 2 {
			msat = 300_000 - s.small.Add(25)
		}
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		inv, err := to.Invoice(one, msat, "siege")
		if err == nil {
			s.mu.Lock()
			s.all = append(s.all, attempt{from, to, inv, msat})
			s.mu.Unlock()
			var got Payment
			got, err = from.Pay(one, inv.Bolt11, Paying{})
			if err == nil && got.State != Succeeded {
				err = errors.New(got.Reason)
			}
		}
		cancel()
		if err == nil {
			s.done.Add(1)
		} else {
			s.mu.Lock()
			s.why[err.Error()]++
			s.mu.Unlock()
			time.Sleep(50 * time.Millisecond) // somebody is down, and will be a little longer
		}
	}
}

// undo takes the last blocks back and mines one more than they were on another branch,
// which has what the mempool has.
func (p *pair) undo(blocks int32) {
	p.t.Helper()
	tip, _, err := p.w.Chain.Tip(p.ctx())
	p.must(err)
	hash, err := p.w.Chain.BlockHash(p.ctx(), tip-blocks+1)
	p.must(err)
	p.must(p.w.Chain.InvalidateBlock(p.ctx(), hash))
	p.mine(int(blocks) + 1)
}

// reorg takes three blocks back in which both got coins, while a payment is held.
func (p *pair) reorg() {
	p.balance()
	before := p.own()
	var hs []*held
	for _, d := range p.bothWays() {
		if d[1].Offers(Holds) {
			hs = append(hs, p.hold(d[0], d[1], 10_000_000))
		}
	}
	wallets := map[Peer]Wallet{}
	for _, e := range []Peer{p.ours, p.theirs} {
		wallets[e] = p.wallet(e)
		to, err := e.Address(p.ctx())
		p.must(err)
		_, err = p.w.Chain.Miner().PayAddress(p.ctx(), to, 123_456)
		p.must(err)
	}
	p.mine(3)
	p.undo(3)
	for _, e := range []Peer{p.ours, p.theirs} {
		p.until(fmt.Sprint(e.Name(), " has the coin again"), func(ctx context.Context) (bool, error) {
			w, err := e.Wallet(ctx)
			return w.Confirmed == wallets[e].Confirmed+123_456, err
		})
	}
	p.allActive()
	for _, h := range hs {
		h.cancel()
	}
	p.moved(p.ours, p.theirs, 0, before)
	p.pays(p.ours, p.theirs, 2_000_000)
	p.pays(p.theirs, p.ours, 2_000_000)
	p.allAgree()
}

// reorgFunding takes back the blocks that made a channel usable.
func (p *pair) reorgFunding() {
	point, err := p.a.Open(p.ctx(), p.b.ID(), Opening{Capacity: 600_000, Push: 250_000, Type: p.typ})
	p.must(err)
	p.inMempool(p.w.FundingTx(rig.ChanPoint(point)))
	p.mine(3)
	p.active(point, p.a, p.b)
	p.undo(3)
	p.active(point, p.a, p.b)
	p.agree(point, p.a, p.b)
	require.Equal(p.t, p.channel(p.a, point).SCID, p.channel(p.b, point).SCID)
	p.closeTogether(point, p.b, p.a)
}

// reorgClosing takes back the blocks that closed a channel.
func (p *pair) reorgClosing() {
	point := p.open(p.a, p.b, Opening{Capacity: 600_000, Push: 250_000, Type: p.typ})
	books := p.openBooks()
	p.must(p.a.Close(p.ctx(), point, false))
	p.until("a closing transaction", func(ctx context.Context) (bool, error) {
		list, err := p.w.Chain.Mempool(ctx)
		return len(list) > 0, err
	})
	p.mine(3)
	p.undo(3)
	books.over(point, p.a, p.b)
}
