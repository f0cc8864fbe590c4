package interop

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
)

// pair is one node of ours and one of another program, of which a opens the channels.
type pair struct {
	*meeting
	ours, theirs Peer
	a, b         Peer // the opener, and the other
	typ          ChannelType
	point        string // the channel of most scenarios
	second       string // another one, for payments in parts
}

// pairScenarios, in the order in which they are played. A scenario leaves the channel
// without HTLCs and both ends connected.
var pairScenarios = []struct {
	name   string
	needs  []Ability // of the foreign node
	opener []Ability // and when it opens
	play   func(*pair)
}{
	{"connect, open with a push", nil, nil, (*pair).opens},
	{"announced: both graphs have the channel, its policies and the nodes", []Ability{Graph, Announces}, nil, (*pair).announced},
	{"pay both ways: 1 sat, trimmed, untrimmed, odd msat", nil, nil, (*pair).amounts},
	{"pay both ways: all that can be paid, and half of it back", nil, nil, (*pair).nearCapacity},
	{"100 payments at once", nil, nil, (*pair).storm},
	{"failures with their reasons", nil, nil, (*pair).failures},
	{"keysend by us", []Ability{TakesKeysend}, nil, func(p *pair) { p.keysend(p.ours, p.theirs) }},
	{"keysend to us", []Ability{Keysends}, nil, func(p *pair) { p.keysend(p.theirs, p.ours) }},
	{"held by us, settled and canceled", nil, nil, func(p *pair) { p.holds(p.theirs, p.ours) }},
	{"held by them, settled and canceled", []Ability{Holds}, nil, func(p *pair) { p.holds(p.ours, p.theirs) }},
	{"policies changed by us", []Ability{Graph}, nil, func(p *pair) { p.policy(p.ours, p.theirs) }},
	{"policies changed by them", []Ability{Policies, Announces}, nil, func(p *pair) { p.policy(p.theirs, p.ours) }},
	{"multi-part to us", []Ability{Splits}, nil, func(p *pair) { p.parts(p.theirs, p.ours) }},
	{"multi-part by us", nil, nil, func(p *pair) { p.parts(p.ours, p.theirs) }},
	{"update_fee, up and down, while payments run", nil, []Ability{Follows}, (*pair).feeMoves},
	{"disconnected by us, connected again", nil, nil, func(p *pair) { p.disconnects(p.ours) }},
	{"disconnected by them, connected again", nil, nil, func(p *pair) { p.disconnects(p.theirs) }},
	{"cut at each message of our payment's dance", nil, nil, func(p *pair) { p.cuts(p.ours, p.theirs) }},
	{"cut at each message of their payment's dance", nil, nil, func(p *pair) { p.cuts(p.theirs, p.ours) }},
	{"restarts of us while payments are held", []Ability{Holds}, nil, func(p *pair) { p.restartsHolding(p.ours) }},
	{"restarts of them while payments are held", []Ability{Holds}, nil, func(p *pair) { p.restartsHolding(p.theirs) }},
	{"ten restarts of both, by signal and by SIGKILL, while payments run", nil, nil, (*pair).siege},
	{"a reorg of 3 blocks", nil, nil, (*pair).reorg},
	{"a reorg of 3 blocks that held the funding", []Ability{Patient}, nil, (*pair).reorgFunding},
	{"a reorg of 3 blocks that held the closing transaction", nil, nil, (*pair).reorgClosing},
	{"private channel", nil, nil, (*pair).private},
	{"closed together by us", nil, nil, func(p *pair) { p.closes(p.ours, p.theirs) }},
	{"closed together by them", nil, nil, func(p *pair) { p.closes(p.theirs, p.ours) }},
	{"closed together after all that, both wallets have what they are owed", nil, nil, (*pair).farewell},
	{"forced close by us", []Ability{Sweeps}, nil, func(p *pair) { p.forces(p.ours, p.theirs, false) }},
	{"forced close by them", []Ability{Sweeps}, nil, func(p *pair) { p.forces(p.theirs, p.ours, false) }},
	{"forced close by us with 8 HTLCs, four each way", []Ability{Sweeps, Holds}, nil, func(p *pair) { p.forces(p.ours, p.theirs, true) }},
	{"forced close by them with 8 HTLCs, four each way", []Ability{Sweeps, Holds}, nil, func(p *pair) { p.forces(p.theirs, p.ours, true) }},
	{"killed again and again while payments run, then with 8 HTLCs, and closed by force by the opener", []Ability{Sweeps, Holds}, nil, (*pair).ruin},
}

const (
	capacity = 1_000_000
	push     = 300_000
)

// opens also brings both their coins.
func (p *pair) opens() {
	p.fund(p.ours, 4, 10_000_000)
	p.fund(p.theirs, 4, 10_000_000)
	p.connect(p.a, p.b)
	p.point = p.open(p.a, p.b, Opening{Capacity: capacity, Push: push, Type: p.typ})
	p.agree(p.point, p.a, p.b)
	for _, e := range []struct {
		p      Peer
		opener bool
		has    int64
	}{{p.a, true, capacity - push}, {p.b, false, push}} {
		c := p.channel(e.p, p.point)
		require.Equal(p.t, p.typ, c.Type)
		require.Equal(p.t, e.opener, c.Opener)
		require.EqualValues(p.t, capacity, c.Capacity)
		require.Equal(p.t, e.has*1000, p.owns(e.p))
	}
	require.Equal(p.t, p.channel(p.a, p.point).SCID, p.channel(p.b, p.point).SCID)
}

// announced also compares what the graphs say of the policies.
func (p *pair) announced() {
	scid := p.channel(p.a, p.point).SCID
	p.inGraphs(scid, []Peer{p.ours, p.theirs}, []Peer{p.ours, p.theirs})
	for _, at := range []Peer{p.ours, p.theirs} {
		for _, of := range []Peer{p.ours, p.theirs} {
			p.until(at.Name()+" knows the node "+of.Name(), func(ctx context.Context) (bool, error) {
				alias, err := at.Alias(ctx, of.ID())
				return alias == of.Name(), err
			})
		}
	}
}

// inGraphs waits until nodes have the same two policies of a channel.
func (m *meeting) inGraphs(scid uint64, at, of []Peer) {
	m.t.Helper()
	m.until("all graphs say the same", func(ctx context.Context) (bool, error) {
		var first *Edge
		for _, p := range at {
			e, err := p.Edge(ctx, scid)
			if err != nil || e == nil {
				return false, err
			}
			for _, o := range of {
				if q, ok := e.Policies[o.ID()]; !ok || q.Disabled {
					return false, nil
				}
			}
			if first == nil {
				first = e
			}
			for _, o := range of {
				if first.Policies[o.ID()] != e.Policies[o.ID()] {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// policy changes one end's policy; the other learns it.
func (p *pair) policy(by, to Peer) {
	for _, want := range []Policy{{BaseMsat: 1234, PPM: 567, Delta: 99}, {BaseMsat: 1000, PPM: 1, Delta: 80}} {
		p.must(by.SetPolicy(p.ctx(), p.point, want))
		scid := p.channel(by, p.point).SCID
		p.until(to.Name()+" learns the policy", func(ctx context.Context) (bool, error) {
			e, err := to.Edge(ctx, scid)
			if err != nil || e == nil {
				return false, err
			}
			q := e.Policies[by.ID()]
			return q.BaseMsat == want.BaseMsat && q.PPM == want.PPM && q.Delta == want.Delta && !q.Disabled, nil
		})
	}
}

// disconnects hangs up and goes on.
func (p *pair) disconnects(by Peer) {
	other := p.ours
	if by == p.ours {
		other = p.theirs
	}
	for range 2 {
		p.must(by.Disconnect(p.ctx(), other.ID()))
		p.connect(p.a, p.b)
		p.allActive()
		p.pays(p.ours, p.theirs, 5_000_000)
		p.pays(p.theirs, p.ours, 5_000_000)
		p.allAgree()
	}
}

// feeMoves lets the opener follow the estimate.
func (p *pair) feeMoves() {
	total := p.owns(p.a)
	for _, rate := range []int64{4_000, usualRate} { // far apart: LDK goes down only to less than half
		before, err := p.ours.(*spoken).perKW(p.ctx(), p.point)
		p.must(err)
		p.rate(rate)
		over := make(chan struct{})
		paid := make(chan error, 1)
		go func() { paid <- p.traffic(p.t.Context(), over) }()
		p.until("the commitment's fee moves", func(ctx context.Context) (bool, error) {
			time.Sleep(time.Second) // a node may look at its fee when a block comes
			p.mine(1)
			now, err := p.ours.(*spoken).perKW(ctx, p.point)
			return now != before, err
		})
		close(over)
		p.must(<-paid)
		p.allAgree()
	}
	require.Equal(p.t, total, p.owns(p.a))
}

// traffic pays to and fro, the same each way, until it is over.
func (p *pair) traffic(ctx context.Context, over chan struct{}) error {
	for {
		for _, d := range [][2]Peer{{p.ours, p.theirs}, {p.theirs, p.ours}} {
			inv, err := d[1].Invoice(ctx, 1_600_000, "traffic")
			if err != nil {
				return err
			}
			for {
				got, err := d[0].Pay(ctx, inv.Bolt11, Paying{})
				if err != nil {
					return err
				}
				if got.State == Succeeded {
					break
				}
				if inv, err = d[1].Invoice(ctx, 1_600_000, "traffic"); err != nil {
					return err
				}
			}
		}
		select {
		case <-over:
			return nil
		default:
		}
	}
}

// private opens a channel that is not announced, and closes it.
func (p *pair) private() {
	point := p.open(p.a, p.b, Opening{Capacity: 400_000, Push: 150_000, Type: p.typ, Private: true})
	for _, e := range []Peer{p.a, p.b} {
		require.True(p.t, p.channel(e, point).Private, e.Name())
	}
	p.agree(point, p.a, p.b)
	p.closeTogether(point, p.a, p.b)
}
