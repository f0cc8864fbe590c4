package routing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// A way that failed for another payment just now is tried once more by a new one when
// there is no better; by the payment that saw it fail it is not.
func TestFreshPaymentGetsAChance(t *testing.T) {
	b := fan(t, []int{1}, 100_000, 0)
	b.env.Scores = NewScores()
	temporary := &onion.Failure{Code: onion.TemporaryChannelFailure}
	for range 3 {
		p, fx := b.beginWith(mpp(50_000_000), Limits{})
		require.Len(t, fx.Launch, 1)
		fx = b.step(p, b.walk(fx.Launch[0], 0, temporary))
		b.env.Scores.Learn(b.now, fx.Learn)
		require.Empty(t, fx.Launch)
		require.Equal(t, ReasonNoRoute, p.Row().Reason)
	}
	_, err := (&Finder{}).Find(b.env.Graph, &Query{Source: key(0), Target: key(3), Amount: 50_000_000, FinalDelta: 9, Scores: b.env.Scores, Now: b.now})
	none := err.(*NoRoute)
	require.True(t, none.Unlikely)
	require.Contains(t, none.Why, "failed lately")

	// A better one goes before it, and so do parts that did not fail.
	b = fan(t, []int{1, 2}, 100_000, 0)
	b.env.Scores = NewScores()
	b.env.Scores.Learn(t0, []Observation{{key(1), key(3), 0, false}})
	_, fx := b.beginWith(mpp(50_000_000), Limits{})
	require.EqualValues(t, 11, fx.Launch[0].FirstHop)

	b = fan(t, []int{1}, 100_000, 0)
	b.env.Scores = NewScores()
	b.env.Scores.Learn(t0, []Observation{{key(1), key(3), 80_000_000, false}})
	_, fx = b.beginWith(mpp(75_000_000), Limits{Parts: 8})
	require.Len(t, fx.Launch, 1)
	_, fx = b.beginWith(mpp(80_000_000), Limits{Parts: 8})
	sum, _ := received(fx)
	require.EqualValues(t, 80_000_000, sum)
}

// Fees for what comes in, by hand. B7.route.6.
func TestInboundFees(t *testing.T) {
	for _, c := range []struct {
		in            Inbound
		out, fee, got lnwire.MilliSat
	}{
		{Inbound{}, 1000, 10, 1010},
		{Inbound{Base: 5}, 1000, 10, 1015},
		{Inbound{Base: -5}, 1000, 10, 1005},
		{Inbound{Base: -50}, 1000, 10, 1000},
		{Inbound{PPM: 1500}, 1_000_000, 0, 1_001_500},
		{Inbound{PPM: -1500}, 1_000_000, 2000, 1_000_497}, // 1503 of 1,002,000
		{Inbound{PPM: -1}, 999_999, 5, 1_000_003},         // 1.000004 is cut to 1
		{Inbound{Base: 100, PPM: -1_000_000}, 1000, 100, 1000},
		{Inbound{Base: math.MinInt32, PPM: math.MinInt32}, maxAmount, math.MaxUint64, maxAmount},
		{Inbound{Base: math.MaxInt32, PPM: math.MaxInt32}, maxAmount, math.MaxUint64, math.MaxUint64},
	} {
		require.Equal(t, c.got, c.in.Incoming(c.out, c.fee), c)
	}
}

// The graph carries them, whichever policy comes first, and a discount turns the search.
func TestSearchCountsInboundFees(t *testing.T) {
	g := NewGraph()
	link(t, g, 1, key(0), key(1), 1_000_000, flat(0, 0, 10), flat(0, 0, 10))
	link(t, g, 2, key(1), key(2), 1_000_000, flat(100, 0, 10), flat(0, 0, 10))
	link(t, g, 3, key(2), key(3), 1_000_000, flat(1000, 0, 10), flat(0, 0, 10))
	link(t, g, 4, key(1), key(4), 1_000_000, flat(100, 0, 10), flat(0, 0, 10))
	link(t, g, 5, key(4), key(3), 1_000_000, flat(900, 0, 10), flat(0, 0, 10))
	q := func() *Query {
		return &Query{Source: key(0), Target: key(3), Amount: 1_000_000, FeeLimit: 100_000, FinalDelta: 9, Now: t0}
	}
	var f Finder
	r, err := f.Find(g.Snapshot(), q())
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 5}, scidsOf(r))

	side := func(scid int, id lnwire.PubKey, p Policy) {
		c, ok := g.Snapshot().Channel(lnwire.ShortChannelID(scid))
		require.True(t, ok)
		at := 0
		if c.Node2 == id {
			at = 1
		}
		require.NoError(t, g.SetPolicy(c.SCID, at, p))
		c, _ = g.Snapshot().Channel(c.SCID)
		require.Equal(t, p, *c.Policies[at])
	}
	discount := *flat(0, 0, 10)
	discount.Inbound = Inbound{Base: -200, PPM: -400}
	side(2, key(2), discount) // 2 grants it on what 1 sends
	r, err = f.Find(g.Snapshot(), q())
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3}, scidsOf(r))
	require.EqualValues(t, 1000-200-400, r.Hops[1].Fee)
	require.EqualValues(t, 100, r.Hops[0].Fee)
	require.EqualValues(t, 1_000_000+400+100, r.Amount)

	discount.Inbound = Inbound{Base: 0, PPM: -1_000_000}
	side(2, key(2), discount)
	r, err = f.Find(g.Snapshot(), q())
	require.NoError(t, err)
	require.EqualValues(t, 0, r.Hops[1].Fee, "never less than nothing")

	side(2, key(2), *flat(0, 0, 10))
	r, err = f.Find(g.Snapshot(), q())
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 5}, scidsOf(r))

	// Our peer asks for it on our own channel, and a recipient for nothing.
	ours := q()
	ours.Ours, ours.Locals = true, []Local{{SCID: 1, Peer: key(1), Sendable: 1_000_950, Inbound: Inbound{Base: -50}}}
	r, err = f.Find(g.Snapshot(), ours)
	require.NoError(t, err)
	require.EqualValues(t, 1_000_950, r.Amount)
	ours.Locals[0].Sendable--
	_, err = f.Find(g.Snapshot(), ours)
	require.Error(t, err)
	ours.Target, ours.Locals[0].Sendable = key(1), 1_000_000
	r, err = f.Find(g.Snapshot(), ours)
	require.NoError(t, err)
	require.EqualValues(t, 1_000_000, r.Amount)
}

// hidden is a blinded path from node 2 over two more.
func hidden(intro int, hops ...int) BlindedPath {
	b := BlindedPath{Intro: key(intro), Base: 700, PPM: 1000, Delta: 50, Min: 1, Max: 1 << 40, Tail: Tail{PathKey: key(77)}}
	for _, n := range hops {
		b.Hops = append(b.Hops, BlindedHop{ID: key(n), Data: make([]byte, 50)})
	}
	return b
}

func blindTerms(amount lnwire.MilliSat, paths ...BlindedPath) Terms {
	return Terms{Hash: preimage.Hash(), Amount: amount, Blinded: paths, Features: lnwire.NewFeatures(lnwire.BasicMPPOptional)}
}

// A blinded path is one channel with the price of the whole, and its nodes are told
// what belongs to them. B4.origin.15.
func TestPayABlindedPath(t *testing.T) {
	b := newBench(t, line(t))
	b.env.Scores = NewScores()
	p, fx := b.beginWith(blindTerms(1_000_000, hidden(2, 60, 61, 62)), Limits{Fee: 100_000})
	require.Len(t, fx.Launch, 1)
	r := fx.Launch[0].Attempt.Route
	require.Equal(t, []int{1, 2, 0}, scidsOf(r))
	require.Equal(t, key(62), r.Hops[2].Node)
	require.EqualValues(t, 700+1000, r.Hops[1].Fee)
	require.EqualValues(t, 700+3, r.Hops[2].Expiry)
	require.EqualValues(t, 700+3+50, r.Hops[1].Expiry+50)
	require.NoError(t, r.Check())

	packet, hash := fx.Launch[0].Onion, fx.Launch[0].Hash
	var secrets []lnwire.Secret
	for i, n := range []int{1, 2, 61, 62} {
		peeled, bad := onion.Peel(ecdh{privKey(n)}, &packet, hash[:])
		require.Nil(t, bad)
		require.Equal(t, i == 3, peeled.Final)
		payload, failure := onion.DecodePayload(peeled.Payload)
		require.Nil(t, failure)
		require.Equal(t, i >= 1, payload.EncryptedRecipientData != nil)
		require.Equal(t, i == 1, payload.CurrentPathKey != nil)
		require.Equal(t, i == 0 || i == 3, payload.AmtToForward != nil)
		if i == 3 {
			require.EqualValues(t, 1_000_000, *payload.AmtToForward)
			require.EqualValues(t, 1_000_000, *payload.TotalAmount)
			require.EqualValues(t, 703, *payload.OutgoingCLTV)
		}
		packet, secrets = peeled.Next, append(secrets, peeled.Secret)
	}

	// B4.origin.16: what fails inside costs the path, for this payment, and nobody else.
	reason := onion.WrapFailure(secrets[0], onion.EncryptFailure(secrets[1], onion.Failure{Code: onion.InvalidOnionBlinding}))
	fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Failed, Reason: reason}})
	require.Empty(t, fx.Launch)
	require.Equal(t, ReasonNoRoute, p.Row().Reason)
	require.EqualValues(t, 1, fx.Delta.Attempts[0].Failure.Hop)
	require.Contains(t, fx.Delta.Attempts[0].Failure.Text, "the blinded path behind")
	require.Len(t, fx.Learn, 1)
	require.True(t, fx.Learn[0].Success)

	// The payment resumes with what its row holds.
	p, fx = b.beginWith(blindTerms(1_000_000, hidden(2, 60, 61)), Limits{Fee: 100_000})
	rows := Resumed{Payment: p.Row(), Attempts: []Attempt{fx.Launch[0].Attempt}, Live: []uint64{fx.Launch[0].AttemptID}, Seed: lnwire.Secret{3}}
	p = Resume(rows)
	b.step(p, Start{})
	fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Failed, Reason: []byte{1}}})
	require.Empty(t, fx.Launch, "the path is left out")
	require.True(t, p.Done())
}

// Shards along blinded paths belong together without a secret.
func TestBlindedShards(t *testing.T) {
	b := newBench(t, line(t))
	_, fx := b.beginWith(blindTerms(1_000_000, hidden(2, 60, 61)), Limits{Fee: 100_000})
	half := fx.Launch[0].Attempt.Route
	half.Hops = append([]Hop(nil), half.Hops...)
	for i := range half.Hops {
		half.Hops[i].Forward = 500_000
	}
	half.Amount = 500_000
	begin := Begin{Terms: blindTerms(1_000_000, hidden(2, 60, 61)), Seed: seed, Route: &half}
	p, err := New(begin)
	require.NoError(t, err)
	require.Len(t, b.step(p, Start{}).Launch, 1)
	fx = b.step(p, Shard{Terms: begin.Terms, Route: half})
	require.NoError(t, fx.Refused)
	require.Len(t, fx.Launch, 1)
	require.Error(t, b.step(p, Shard{Terms: begin.Terms, Route: half}).Refused)
}

// Several paths are alternatives, and parts use several; one that begins with ourselves is none
// (V-59). B4.origin.14.
func TestSeveralBlindedPaths(t *testing.T) {
	small, dear := hidden(2, 60, 61), hidden(4, 70, 71)
	small.Max, dear.Base = 60_000_000, 400_000
	strange := hidden(2, 80, 81)
	strange.Features, strange.Base = lnwire.NewFeatures(4002), 0
	own := hidden(0, 90, 91)
	g := line(t)
	b := newBench(t, g)
	for i := range b.env.Locals {
		b.env.Locals[i].Sendable = 500_000_000
	}
	_, fx := b.beginWith(blindTerms(10_000_000, strange, own, small, dear), Limits{Fee: 1_000_000})
	require.Equal(t, key(61), fx.Launch[0].Attempt.Route.Hops[len(fx.Launch[0].Attempt.Route.Hops)-1].Node)
	p, fx := b.beginWith(blindTerms(90_000_000, strange, own, small, dear), Limits{Fee: 1_000_000})
	require.Len(t, fx.Launch, 1, "the larger path takes all")
	tail := fx.Launch[0].Attempt.Route.Tail
	require.Equal(t, key(71), tail.ID())
	res := b.walk(fx.Launch[0], 0, &onion.Failure{Code: onion.InvalidOnionBlinding})
	fx = b.step(p, res)
	require.Empty(t, fx.Launch, "one part is allowed, and the other path is too small")

	p, fx = b.beginWith(blindTerms(90_000_000, small, dear), Limits{Fee: 1_000_000, Parts: 4})
	fx = b.step(p, b.walk(fx.Launch[0], 0, &onion.Failure{Code: onion.InvalidOnionBlinding}))
	require.Greater(t, len(fx.Launch), 1)
	sum, _ := received(fx)
	require.EqualValues(t, 90_000_000, sum)

	for _, paths := range [][]BlindedPath{{strange}, {own}, {{}}, {strange, own}} {
		p, fx = b.beginWith(blindTerms(10_000_000, paths...), Limits{Fee: 1_000_000})
		require.Empty(t, fx.Launch)
		require.Contains(t, p.Row().Text, "blinded paths can be used")
	}
	_, err := New(Begin{Terms: Terms{Amount: 1}})
	require.ErrorContains(t, err, "payee")

	// The recipient may be the introduction node itself.
	p, fx = b.beginWith(blindTerms(10_000_000, hidden(4, 70)), Limits{Fee: 1_000_000})
	peeled, bad := onion.Peel(ecdh{privKey(4)}, &fx.Launch[0].Onion, fx.Launch[0].Hash[:])
	require.Nil(t, bad)
	require.True(t, peeled.Final)
	payload, failure := onion.DecodePayload(peeled.Payload)
	require.Nil(t, failure)
	require.True(t, payload.CurrentPathKey != nil && payload.EncryptedRecipientData != nil && payload.TotalAmount != nil)
	details := onion.EncryptFailure(peeled.Secret, onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails})
	b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Failed, Reason: details}})
	require.Equal(t, ReasonIncorrectDetails, p.Row().Reason)
}

// A blinded path costs what its makers say: the search agrees with the sum by hand.
func TestBlindedFigures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, func() *Graph {
			g := NewGraph()
			link(t, g, 1, key(0), key(1), 10_000_000, flat(0, 0, 1), flat(0, 0, 1))
			return g
		}())
		b.env.Locals = b.env.Locals[:1]
		b.env.Locals[0].Sendable = 5_000_000_000
		path := hidden(1, 60, 61)
		path.Base, path.PPM = rapid.Uint32Range(0, 1<<20).Draw(t, "base"), rapid.Uint32Range(0, 1<<20).Draw(t, "ppm")
		path.Delta = rapid.Uint16Range(0, 2000).Draw(t, "delta")
		amount := lnwire.MilliSat(rapid.Uint64Range(1, 1_000_000_000).Draw(t, "amount"))
		limit := lnwire.MilliSat(rapid.Uint64Range(0, 1<<31).Draw(t, "limit"))
		p, fx := b.beginWith(blindTerms(amount, path), Limits{Fee: limit})
		fee := Fee(path.Base, path.PPM, amount)
		if fee > limit || amount+fee > 5_000_000_000 {
			require.Equal(t, Failed, p.Row().Status)
			return
		}
		require.Equal(t, amount+fee, fx.Launch[0].Amount)
		require.EqualValues(t, 703+uint32(path.Delta), fx.Launch[0].Expiry)
	})
}

// TestTimePreference: who is in a hurry pays more for a likelier way.
func TestTimePreference(t *testing.T) {
	b := fan(t, []int{1, 2}, 1_000_000, 0)
	b.env.Scores = NewScores()
	b.env.Scores.Learn(t0.Add(-time.Minute), []Observation{{key(2), key(3), 50_000_000, true}})
	link(t, b.g, 20, key(1), key(3), 1_000_000, flat(0, 0, 1), flat(0, 0, 1))
	link(t, b.g, 21, key(2), key(3), 1_000_000, flat(60_000, 0, 1), flat(0, 0, 1))
	b.env.Graph = b.g.Snapshot()
	for pref, first := range map[float64]uint64{-1: 10, 0: 11, 1: 11} {
		_, fx := b.beginWith(mpp(50_000_000), Limits{Fee: 100_000, TimePref: pref})
		require.EqualValues(t, first, fx.Launch[0].FirstHop, pref)
	}
	require.Equal(t, 1.0, preference(0))
	require.InDelta(t, 19, preference(1), 1e-9)
	require.InDelta(t, 1.0/19, preference(-5), 1e-9)
}
