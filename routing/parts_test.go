package routing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// mpp are terms of somebody who takes parts.
func mpp(amount lnwire.MilliSat) Terms {
	t := terms()
	t.Amount = amount
	t.Features = lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional)
	return t
}

func (b *bench) beginWith(t Terms, l Limits) (*Payer, Effects) {
	p, err := New(Begin{Terms: t, Limits: l, Seed: seed})
	require.NoError(b.t, err)
	return p, p.Step(b.now, Start{}, b.env)
}

// fan is a graph in which node 0 has a channel to each of mids, and each of them one to
// node 3.
func fan(t *testing.T, mids []int, capacity lnwire.Sat, fee uint32) *bench {
	g := NewGraph()
	b := &bench{t: t, g: g, now: t0}
	for i, n := range mids {
		link(t, g, 10+i, key(0), key(n), capacity, flat(0, 0, 1), flat(0, 0, 1))
		link(t, g, 20+i, key(n), key(3), capacity, flat(fee, 0, 1), flat(0, 0, 1))
	}
	nb := newBench(t, g)
	nb.env.Locals = nil
	for i, n := range mids {
		nb.env.Locals = append(nb.env.Locals, Local{SCID: lnwire.ShortChannelID(10 + i), Peer: key(n), Capacity: capacity, Sendable: capacity.MilliSat()})
	}
	b.env = nb.env
	return nb
}

// hold takes what leaves from our channels.
func (b *bench) hold(fx Effects) Effects {
	for _, l := range fx.Launch {
		for i := range b.env.Locals {
			if b.env.Locals[i].SCID == l.FirstHop {
				b.env.Locals[i].Sendable -= l.Amount
			}
		}
	}
	return fx
}

func received(fx Effects) (sum, fees lnwire.MilliSat) {
	for _, l := range fx.Launch {
		sum += l.Attempt.Route.Received()
		fees += l.Attempt.Route.Fee()
	}
	return sum, fees
}

// What no single channel carries leaves in parts, all of it at once. B4.origin.18,
// B4.origin.19.
func TestPaymentInParts(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 1000)
	limits := Limits{Fee: 2000, Parts: 16}
	p, fx := b.beginWith(mpp(100_000_000), limits)
	require.Len(t, fx.Launch, 2)
	sum, fees := received(fx)
	require.EqualValues(t, 100_000_000, sum)
	require.EqualValues(t, 2000, fees)
	require.NotEqual(t, fx.Launch[0].FirstHop, fx.Launch[1].FirstHop)
	require.NotEqual(t, fx.Launch[0].Attempt.SessionKey, fx.Launch[1].Attempt.SessionKey)
	for _, l := range fx.Launch {
		b.walk(l, 1, nil)
		final, bad := b.peeled[1].CheckFinal(l.Attempt.Route.Received(), 1000)
		require.Nil(t, bad)
		require.EqualValues(t, 100_000_000, final.Total)
	}
	first := b.step(p, b.walk(fx.Launch[0], 1, nil))
	require.Equal(t, Succeeded, p.Row().Status, "the preimage is the proof")
	require.False(t, p.Done())
	require.True(t, first.Delta.Open, "a part is still under way")
	last := b.step(p, b.walk(fx.Launch[1], 1, nil))
	require.True(t, p.Done())
	require.False(t, last.Delta.Open)
	require.EqualValues(t, 100_002_000, p.Row().Paid)
	require.EqualValues(t, 2000, p.Row().Fee)

	for name, c := range map[string]struct {
		terms  Terms
		limits Limits
		reason FailureReason
		text   string
	}{
		"one part allowed":          {mpp(100_000_000), Limits{Fee: 2000, Parts: 1}, ReasonNoRoute, "no single channel of ours"},
		"fees beyond the limit":     {mpp(100_000_000), Limits{Fee: 1999, Parts: 16}, ReasonNoRoute, "in up to 16 parts"},
		"more than there is":        {mpp(120_000_001), Limits{Fee: 2000, Parts: 16}, ReasonInsufficientBalance, "can send"},
		"parts too large for it":    {mpp(100_000_000), Limits{Fee: 2000, Parts: 3, MaxPart: 33_333_333}, ReasonNoRoute, "in parts of at most"},
		"nobody to put it together": {func() Terms { t := mpp(100_000_000); t.Features = nil; return t }(), limits, ReasonNoRoute, "no single channel of ours"},
		"no secret":                 {func() Terms { t := mpp(100_000_000); t.Secret = nil; return t }(), limits, ReasonNoRoute, "no single channel of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			b := fan(t, []int{1, 2}, 60_000, 1000)
			p, fx := b.beginWith(c.terms, c.limits)
			require.Empty(t, fx.Launch, "all or nothing")
			require.Equal(t, c.reason, p.Row().Reason, p.Row().Text)
			require.Contains(t, p.Row().Text, c.text)
		})
	}

	b = fan(t, []int{1, 2}, 60_000, 0)
	_, fx = b.beginWith(mpp(50_000_000), Limits{Parts: 16, MaxPart: 20_000_000})
	require.Len(t, fx.Launch, 3, "parts are not above the caller's size")
	for _, l := range fx.Launch {
		require.LessOrEqual(t, l.Attempt.Route.Received(), lnwire.MilliSat(20_000_000))
	}
}

// The announcement says it where there is no invoice.
func TestPartsByAnnouncement(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 0)
	terms := mpp(100_000_000)
	terms.Features = nil
	require.NoError(t, b.g.SetNode(NodeInfo{ID: key(3), Features: lnwire.NewFeatures(lnwire.BasicMPPOptional)}))
	b.env.Graph = b.g.Snapshot()
	_, fx := b.beginWith(terms, Limits{Parts: 16})
	require.Len(t, fx.Launch, 2)
}

// Channels that halves do not fit are used for what they can send.
func TestPartsFillChannels(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 0)
	b.env.Locals[0].Sendable, b.env.Locals[1].Sendable = 12_000_000, 4_000_000
	_, fx := b.beginWith(mpp(15_000_000), Limits{Parts: 16})
	require.Len(t, fx.Launch, 2)
	sum, _ := received(fx)
	require.EqualValues(t, 15_000_000, sum)
}

// What other attempts hold is not there for this one, and a channel that refused for want
// of balance is asked for less.
func TestPartsHeedWhatIsUnderWay(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 0)
	r := Route{Source: key(0), Amount: 40_000_000, Hops: []Hop{{Node: key(1), SCID: 10, Forward: 40_000_000}, {Node: key(3), SCID: 20, Forward: 40_000_000}}}
	var busy Busy
	busy.Add(&r)
	b.env.Busy = busy.AppendTo(nil)
	require.Equal(t, []Load{{Direction{20, key(1)}, key(3), 40_000_000}}, b.env.Busy)
	_, fx := b.beginWith(mpp(50_000_000), Limits{Parts: 16})
	require.Len(t, fx.Launch, 1)
	require.EqualValues(t, 11, fx.Launch[0].FirstHop, "the other one has 40,000 under way already")
	busy.Remove(&r)
	require.Empty(t, busy.AppendTo(nil))

	b = fan(t, []int{1, 2}, 60_000, 0)
	p, fx := b.beginWith(mpp(50_000_000), Limits{Parts: 16})
	first := fx.Launch[0].FirstHop
	fx = b.step(p, Refused{fx.Launch[0].AttemptID, htlc.Refusal{Reason: htlc.NoBalance}})
	require.NotEqual(t, first, fx.Launch[0].FirstHop)
	fx = b.step(p, Refused{fx.Launch[0].AttemptID, htlc.Refusal{Reason: htlc.NoBalance}})
	require.Len(t, fx.Launch, 2, "halves may still fit")
	fx = b.step(p, Refused{fx.Launch[0].AttemptID, htlc.Refusal{Reason: htlc.TooMany}})
	require.NotContains(t, []lnwire.ShortChannelID{10}, fx.Launch[0].FirstHop)
}

// A part that fails is sent again in smaller ones, while the others stay.
func TestFailedPartIsHalved(t *testing.T) {
	b := fan(t, []int{1, 2}, 100_000, 0)
	p, fx := b.beginWith(mpp(150_000_000), Limits{Parts: 16})
	require.Len(t, b.hold(fx).Launch, 2)
	for i := range b.env.Locals {
		if b.env.Locals[i].SCID == fx.Launch[0].FirstHop {
			b.env.Locals[i].Sendable += fx.Launch[0].Amount // it fails
		}
	}
	fx = b.step(p, b.walk(fx.Launch[0], 0, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	sum, _ := received(fx)
	require.EqualValues(t, 75_000_000, sum)
	require.Greater(t, len(fx.Launch), 1)
	for _, l := range fx.Launch {
		require.Less(t, l.Attempt.Route.Received(), lnwire.MilliSat(75_000_000))
	}
}

// B4.origin.17: when the rest finds no way, what is under way is waited for, and the
// payment fails with the reason for which it could not be completed.
func TestSetThatCannotBeCompleted(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 0)
	p, fx := b.beginWith(mpp(100_000_000), Limits{Parts: 16})
	two := b.hold(fx).Launch
	fx = b.step(p, b.walk(two[0], 0, &onion.Failure{Code: onion.UnknownNextPeer}))
	require.Empty(t, fx.Launch)
	require.Equal(t, InFlight, p.Row().Status, "a part is still under way")
	b.step(p, b.walk(two[1], 1, &onion.Failure{Code: onion.MPPTimeout}))
	require.Equal(t, ReasonNoRoute, p.Row().Reason)
	require.Contains(t, p.Row().Text, "sent back by the recipient")

	// A final failure ends the set only when all parts are back, and a preimage counts
	// for more than anything else.
	for _, paid := range []bool{false, true} {
		b = fan(t, []int{1, 2}, 60_000, 0)
		p, fx = b.beginWith(mpp(100_000_000), Limits{Parts: 16})
		two = fx.Launch
		details := &onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails}
		fx = b.step(p, b.walk(two[0], 1, details))
		require.Empty(t, fx.Launch)
		require.Equal(t, InFlight, p.Row().Status)
		if paid {
			fx = b.step(p, b.walk(two[1], 1, nil))
			require.Equal(t, Succeeded, p.Row().Status)
		} else {
			fx = b.step(p, b.walk(two[1], 1, details))
			require.Equal(t, ReasonIncorrectDetails, p.Row().Reason)
		}
		require.False(t, fx.Delta.Open)
	}
}

// A payment that succeeded while a part was under way is taken up again and closed.
func TestResumeOfASucceededSet(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 1000)
	p, fx := b.beginWith(mpp(100_000_000), Limits{Fee: 5000, Parts: 16})
	two := fx.Launch
	fx = b.step(p, b.walk(two[0], 1, nil))
	rows := Resumed{Payment: p.Row(), Attempts: []Attempt{fx.Delta.Attempts[0], two[1].Attempt}, Seed: lnwire.Secret{55}, Live: []uint64{two[1].AttemptID}}
	p = Resume(rows)
	fx = b.step(p, Start{})
	require.Empty(t, fx.Launch)
	require.False(t, p.Done())
	fx = b.step(p, b.walk(two[1], 1, nil))
	require.True(t, p.Done() && !fx.Delta.Open && fx.Delta.Payment != nil)
	require.EqualValues(t, 100_002_000, p.Row().Paid)

	rows.Live = nil
	p = Resume(rows)
	fx = b.step(p, Start{})
	require.True(t, p.Done())
	require.NotNil(t, fx.Delta.Payment, "it is open no more")
	require.False(t, fx.Delta.Open)
}

// Shards that the caller routes share one hash.
func TestSendToRouteInShards(t *testing.T) {
	b := fan(t, []int{1, 2}, 60_000, 1000)
	_, fx := b.beginWith(mpp(100_000_000), Limits{Fee: 5000, Parts: 16})
	one, two := fx.Launch[0].Attempt.Route, fx.Launch[1].Attempt.Route
	begin := func() (*Payer, Effects) {
		p, err := New(Begin{Terms: mpp(100_000_000), Seed: seed, Route: &one})
		require.NoError(t, err)
		return p, b.step(p, Start{})
	}
	p, fx := begin()
	require.Len(t, fx.Launch, 1)
	wrong := mpp(100_000_000)
	wrong.Secret = &lnwire.Secret{9}
	for _, c := range []struct {
		shard Shard
		text  string
	}{
		{Shard{Terms: wrong, Route: two}, "payment address mismatch"},
		{Shard{Terms: mpp(99_000_000), Route: two}, "mp payment total amount mismatch"},
		{Shard{Terms: Terms{Amount: 100_000_000}, Route: two}, "payment is in transition"},
		{Shard{Terms: mpp(100_000_000), Route: Route{Source: two.Source}}, "hops"},
	} {
		fx := b.step(p, c.shard)
		require.ErrorContains(t, fx.Refused, c.text)
		require.Empty(t, fx.Launch)
	}
	second := b.step(p, Shard{Terms: mpp(100_000_000), Route: two})
	require.NoError(t, second.Refused)
	require.Len(t, second.Launch, 1)
	require.ErrorContains(t, b.step(p, Shard{Terms: mpp(100_000_000), Route: two}).Refused, "attempted value exceeds payment amount")

	b.step(p, b.walk(fx.Launch[0], 0, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	require.Equal(t, InFlight, p.Row().Status)
	again := b.step(p, Shard{Terms: mpp(100_000_000), Route: one})
	require.Len(t, again.Launch, 1, "in place of the one that failed")
	b.step(p, b.walk(again.Launch[0], 1, nil))
	b.step(p, b.walk(second.Launch[0], 1, nil))
	require.True(t, p.Done())
	require.EqualValues(t, 100_002_000, p.Row().Paid)
	require.ErrorIs(t, b.step(p, Shard{Terms: mpp(100_000_000), Route: two}).Refused, ErrAlreadyPaid)

	p, fx = begin()
	fx = b.step(p, b.walk(fx.Launch[0], 0, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	require.Equal(t, Failed, p.Row().Status, "the last shard failed")
	require.False(t, fx.Delta.Open)
}

// market is a network with liquidity in it, and a recipient that waits for a whole set.
type market struct {
	*life
	terms  Terms
	has    map[Direction]lnwire.MilliSat // what can be sent, by channels that are not ours
	own    map[lnwire.ShortChannelID]lnwire.MilliSat
	out    map[uint64]Launch // holds a channel of ours
	gone   map[uint64]bool   // has left our channel
	spent  map[uint64]bool   // taken off our balance
	held   []Launch          // with the recipient
	sum    lnwire.MilliSat
	claims []Launch
}

// look gives the payment the world as it is.
func (m *market) look() {
	var busy Busy
	m.env.Locals = slices.Clone(m.env.Locals)
	for i := range m.env.Locals {
		m.env.Locals[i].Sendable = m.own[m.env.Locals[i].SCID]
	}
	for _, l := range m.out {
		busy.Add(&l.Attempt.Route)
		for i := range m.env.Locals {
			if m.env.Locals[i].SCID == l.FirstHop {
				m.env.Locals[i].Sendable -= l.Amount
			}
		}
	}
	m.env.Busy = busy.AppendTo(nil)
}

func (m *market) do(ev Event) {
	m.look()
	before := len(m.asked)
	m.step(ev)
	for _, l := range m.asked[before:] {
		m.out[l.AttemptID] = l
	}
}

// arrive carries an HTLC that left through the network.
func (m *market) arrive(l Launch) {
	m.gone[l.AttemptID] = true
	r := &l.Attempt.Route
	for i := 1; i < len(r.Hops); i++ {
		d := Direction{r.Hops[i].SCID, r.from(i)}
		if m.has[d] < r.carried(i) {
			m.undo(r, i)
			m.ends[l.AttemptID] = m.walk(l, i-1, &onion.Failure{Code: onion.TemporaryChannelFailure})
			return
		}
		m.has[d] -= r.carried(i)
	}
	m.held = append(m.held, l)
	m.sum += r.Received()
	if m.sum >= m.terms.Amount {
		m.claims = append(m.claims, m.held...)
		for _, h := range m.held {
			m.ends[h.AttemptID] = Resolved{h.AttemptID, htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage}}
		}
		m.held, m.sum = nil, 0
	}
}

// undo gives the first channels of a route back what an HTLC held of them.
func (m *market) undo(r *Route, hops int) {
	for i := 1; i < hops; i++ {
		m.has[Direction{r.Hops[i].SCID, r.from(i)}] += r.carried(i)
	}
}

// expire is the recipient's patience at its end.
func (m *market) expire() {
	for _, h := range m.held {
		m.undo(&h.Attempt.Route, len(h.Attempt.Route.Hops))
		m.ends[h.AttemptID] = m.walk(h, len(h.Attempt.Route.Hops)-1, &onion.Failure{Code: onion.MPPTimeout})
	}
	m.held, m.sum = nil, 0
}

// tell makes an end known to the payer; its channel has it back unless it was claimed.
func (m *market) tell(id uint64) {
	end := m.ends[id]
	if end.Resolution.Kind == htlc.Fulfilled && !m.spent[id] {
		m.spent[id] = true
		for _, l := range m.claims {
			if l.AttemptID == id {
				m.own[l.FirstHop] -= l.Amount
			}
		}
	}
	m.told[id] = true
	m.queue = append(m.queue, func(k *disk) {
		k.live = slices.DeleteFunc(k.live, func(x Launch) bool { return x.AttemptID == id })
		k.outbox[id] = end
	})
	delete(m.out, id)
	m.do(end)
}

// ready are HTLCs that left and are not on their way yet; known those whose end can be
// told.
func (m *market) ready() (ready []Launch, known []uint64) {
	for _, l := range m.disk.live {
		if !m.gone[l.AttemptID] {
			ready = append(ready, l)
		}
		if _, ok := m.ends[l.AttemptID]; ok && !m.told[l.AttemptID] {
			known = append(known, l.AttemptID)
		}
	}
	return ready, known
}

func (m *market) sign1() {
	a := m.asked[0]
	m.look()
	if m.own[a.FirstHop] < a.Amount {
		m.asked = m.asked[1:]
		delete(m.out, a.AttemptID)
		m.do(Refused{a.AttemptID, htlc.Refusal{Reason: htlc.NoBalance}})
		return
	}
	m.sign()
}

func (m *market) restart(t *rapid.T) {
	m.asked = nil
	m.look()
	m.crash(t)
	live := map[uint64]bool{}
	for _, l := range m.disk.live {
		live[l.AttemptID] = true
	}
	for id := range m.out {
		if !live[id] {
			delete(m.out, id)
		}
	}
	for _, l := range m.asked { // what Start asked for
		m.out[l.AttemptID] = l
	}
}

func newMarket(t *rapid.T) *market {
	g := NewGraph()
	m := &market{has: map[Direction]lnwire.MilliSat{}, own: map[lnwire.ShortChannelID]lnwire.MilliSat{}, out: map[uint64]Launch{}, gone: map[uint64]bool{}, spent: map[uint64]bool{}}
	b := newBench(t, g)
	b.env.Locals = nil
	scid := 10
	add := func(a, c int) {
		capacity := lnwire.Sat(rapid.IntRange(20_000, 120_000).Draw(t, "capacity"))
		has := lnwire.MilliSat(rapid.IntRange(0, int(capacity)).Draw(t, "has")) * 1000
		fee := flat(uint32(rapid.IntRange(0, 2000).Draw(t, "base")), uint32(rapid.IntRange(0, 2000).Draw(t, "ppm")), 1)
		back := flat(0, 0, 1)
		if rapid.IntRange(0, 3).Draw(t, "discount") == 0 {
			back.Inbound = Inbound{Base: -500, PPM: -300}
		}
		link(t, g, scid, key(a), key(c), capacity, fee, back)
		if a == 0 {
			m.own[lnwire.ShortChannelID(scid)] = has
			b.env.Locals = append(b.env.Locals, Local{SCID: lnwire.ShortChannelID(scid), Peer: key(c), Capacity: capacity, Inbound: back.Inbound})
		} else {
			m.has[Direction{lnwire.ShortChannelID(scid), key(a)}] = has
		}
		scid++
	}
	for _, n := range []int{1, 2, 4, 5} {
		for range rapid.IntRange(0, 2).Draw(t, "first") {
			add(0, n)
		}
		for range rapid.IntRange(0, 2).Draw(t, "last") {
			add(n, 3)
		}
	}
	for _, n := range []int{1, 4} {
		if rapid.Bool().Draw(t, "across") {
			add(n, n+1)
		}
	}
	b.env.Graph = g.Snapshot()
	m.life = &life{bench: b, disk: disk{attempts: map[uint64]Attempt{}, outbox: map[uint64]Resolved{}}, ends: map[uint64]Resolved{}, told: map[uint64]bool{}}
	m.terms = mpp(lnwire.MilliSat(rapid.IntRange(1, 150_000).Draw(t, "amount")) * 1000)
	return m
}

// Parts over a network with liquidity in it, with crashes at any moment, lost writes,
// refusals, impatience and cancels: never is more under way than was asked for, nor more
// spent on fees than allowed; the recipient claims a whole set once or nothing; what was
// claimed ends as succeeded with all that was paid, and everything ends.
func TestPartsSurviveCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMarket(t)
		limits := Limits{Fee: lnwire.MilliSat(rapid.IntRange(0, 10_000).Draw(t, "fees")), Timeout: 40 * time.Second,
			Parts: rapid.Uint32Range(0, 8).Draw(t, "parts")}
		if rapid.Bool().Draw(t, "shard") {
			limits.MaxPart = lnwire.MilliSat(rapid.IntRange(5_000, 50_000).Draw(t, "most")) * 1000
		}
		p, err := New(Begin{Terms: m.terms, Limits: limits, Seed: seed})
		require.NoError(t, err)
		m.p = p
		m.do(Start{})
		check := func() { m.check(t, limits) }
		check()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if m.p == nil {
				break // it never existed
			}
			ready, known := m.ready()
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				m.restart(t)
			case 1:
				m.flush(len(m.queue))
			case 2, 3:
				if len(m.asked) > 0 {
					m.sign1()
				}
			case 4, 5, 6:
				if len(ready) > 0 {
					m.arrive(ready[rapid.IntRange(0, len(ready)-1).Draw(t, "which")])
				}
			case 7, 8:
				if len(known) > 0 {
					m.tell(known[rapid.IntRange(0, len(known)-1).Draw(t, "which")])
				}
			case 9:
				switch rapid.IntRange(0, 9).Draw(t, "rare") {
				case 0:
					m.do(Cancel{})
				case 1:
					m.expire()
				}
			}
			check()
		}
		for m.p != nil && !m.p.Done() {
			for len(m.asked) > 0 {
				m.sign1()
			}
			m.flush(len(m.queue))
			ready, known := m.ready()
			switch {
			case len(ready) > 0:
				m.arrive(ready[0])
			case len(known) > 0:
				m.tell(known[0])
			case len(m.held) > 0:
				m.expire()
			default:
				m.do(Tick{})
			}
			check()
		}
		m.flush(len(m.queue))
		if m.p == nil {
			require.Empty(t, m.claims)
			return
		}
		require.Empty(t, m.disk.outbox, "every end is taken")
		require.False(t, m.disk.open, "and nothing is open")
		require.Equal(t, len(m.claims) > 0, m.p.Row().Status == Succeeded)
		require.Equal(t, m.p.Row().Status, m.disk.payment.Status)
		for id, a := range m.disk.attempts {
			require.NotEqual(t, InFlight, a.Status, id)
		}
		if len(m.claims) > 0 {
			paid, got := m.claimed()
			require.Equal(t, m.terms.Amount, got, "V-32")
			require.Equal(t, paid, m.p.Row().Paid)
			require.Equal(t, paid-got, m.p.Row().Fee)
		}
	})
}

func (m *market) claimed() (paid, got lnwire.MilliSat) {
	for _, l := range m.claims {
		paid += l.Amount
		got += l.Attempt.Route.Received()
	}
	return paid, got
}

func (m *market) check(t *rapid.T, limits Limits) {
	var brings, fees lnwire.MilliSat
	for _, l := range m.disk.live {
		if end, ok := m.ends[l.AttemptID]; !ok || end.Resolution.Kind == htlc.Fulfilled {
			brings += l.Attempt.Route.Received()
			fees += l.Attempt.Route.Fee()
		}
	}
	require.LessOrEqual(t, brings, m.terms.Amount)
	require.LessOrEqual(t, fees, limits.Fee)
	require.LessOrEqual(t, len(m.disk.live), max(int(limits.Parts), 1)+8)
	for _, has := range m.has {
		require.LessOrEqual(t, has, lnwire.MilliSat(120_000_000), "what was held is given back once")
	}
	if paid, got := m.claimed(); len(m.claims) > 0 {
		require.Equal(t, m.terms.Amount, got)
		require.LessOrEqual(t, paid-got, limits.Fee)
	}
	if m.p == nil {
		return
	}
	row := m.p.Row()
	require.False(t, row.Status == Failed && len(m.claims) > 0)
	for _, l := range m.asked {
		most := limits.MaxPart
		if most == 0 {
			most = m.terms.Amount
		}
		require.LessOrEqual(t, l.Attempt.Route.Received(), most)
	}
}
