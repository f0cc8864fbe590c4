package routing

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

var (
	preimage = lnwire.Preimage{1, 2, 3}
	secret   = lnwire.Secret{4, 5, 6}
	seed     = lnwire.Secret{7, 8, 9}
)

type ecdh struct{ k *btcec.PrivateKey }

func (e ecdh) ECDH(p *btcec.PublicKey) ([32]byte, error) {
	return sha256.Sum256(btcec.NewPublicKey(scalarMult(e.k, p)).SerializeCompressed()), nil
}

func scalarMult(k *btcec.PrivateKey, p *btcec.PublicKey) (x, y *btcec.FieldVal) {
	var point, out btcec.JacobianPoint
	p.AsJacobian(&point)
	btcec.ScalarMultNonConst(&k.Key, &point, &out)
	out.ToAffine()
	return &out.X, &out.Y
}

// bench drives a payment over the graph of line, from node 0 to node 3.
type bench struct {
	t    require.TestingT
	g    *Graph
	env  Env
	now  time.Time
	next uint64
	// peeled are the payloads that the last walk found.
	peeled []onion.Payload
}

func newBench(t require.TestingT, g *Graph) *bench {
	b := &bench{t: t, g: g, now: t0}
	b.env = Env{Self: key(0), Graph: g.Snapshot(), Height: 700, Finder: &Finder{}, Attempts: func() uint64 { b.next++; return b.next },
		Locals: []Local{{SCID: 1, Peer: key(1), Sendable: 5_000_000, Capacity: 1_000_000}, {SCID: 4, Peer: key(4), Sendable: 5_000_000, Capacity: 1_000_000}}}
	return b
}

func terms() Terms {
	return Terms{Hash: preimage.Hash(), Amount: 1_000_000, Payee: key(3), FinalDelta: 9, Secret: &secret, Metadata: []byte{42}}
}

func (b *bench) begin(l Limits) (*Payer, Effects) {
	p, err := New(Begin{Terms: terms(), Limits: l, Seed: seed})
	require.NoError(b.t, err)
	return p, p.Step(b.now, Start{}, b.env)
}

func (b *bench) step(p *Payer, ev Event) Effects {
	b.now = b.now.Add(time.Second)
	return p.Step(b.now, ev, b.env)
}

// walk carries an attempt's onion to the hop that answers: with the failure, or, if
// that is nil, with the preimage.
func (b *bench) walk(l Launch, hop int, f *onion.Failure) Resolved {
	packet, r := l.Onion, l.Attempt.Route
	var secrets []lnwire.Secret
	b.peeled = nil
	for i := 0; i <= hop; i++ {
		n := -1
		for k := range 10 {
			if key(k) == r.Hops[i].Node {
				n = k
			}
		}
		p, bad := onion.Peel(ecdh{privKey(n)}, &packet, l.Hash[:])
		require.Nil(b.t, bad)
		require.Equal(b.t, i == len(r.Hops)-1, p.Final)
		payload, failure := onion.DecodePayload(p.Payload)
		require.Nil(b.t, failure)
		b.peeled = append(b.peeled, payload)
		packet = p.Next
		secrets = append(secrets, p.Secret)
	}
	if f == nil {
		return Resolved{l.AttemptID, htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage}}
	}
	reason := onion.EncryptFailure(secrets[hop], *f)
	for i := hop - 1; i >= 0; i-- {
		reason = onion.WrapFailure(secrets[i], reason)
	}
	return Resolved{l.AttemptID, htlc.Resolution{Kind: htlc.Failed, Reason: reason}}
}

func scidsOf(r Route) (out []int) {
	for _, h := range r.Hops {
		out = append(out, int(h.SCID))
	}
	return out
}

func TestPaymentSucceeds(t *testing.T) {
	b := newBench(t, line(t))
	p, fx := b.begin(Limits{Fee: 10_000})
	require.True(t, fx.Delta.New && fx.Delta.Lazy)
	require.Equal(t, InFlight, fx.Delta.Payment.Status)
	require.Len(t, fx.Launch, 1)
	l := fx.Launch[0]
	require.Equal(t, []int{1, 2, 3}, scidsOf(l.Attempt.Route))
	require.EqualValues(t, 1_002_600, l.Amount)
	require.EqualValues(t, 1, l.FirstHop)
	require.Equal(t, t0.Add(DefaultTimeout), fx.Wake)

	fx = b.step(p, b.walk(l, 2, nil))
	// B4.origin.2: each hop finds what it has to know.
	for i, h := range l.Attempt.Route.Hops[:2] {
		f, bad := b.peeled[i].CheckForward()
		require.Nil(t, bad)
		require.Equal(t, onion.Forward{Amount: h.Forward, Expiry: h.Expiry, SCID: l.Attempt.Route.Hops[i+1].SCID}, f)
	}
	final, bad := b.peeled[2].CheckFinal(1_000_000, 712) // three blocks may be found on the way
	require.Nil(t, bad)
	require.Equal(t, onion.Final{Amount: 1_000_000, Expiry: 712, Secret: &secret, Total: 1_000_000, Metadata: []byte{42}}, final)

	row := fx.Delta.Payment
	require.Equal(t, Succeeded, row.Status)
	require.Equal(t, preimage, row.Preimage)
	require.EqualValues(t, 1_002_600, row.Paid)
	require.EqualValues(t, 2600, row.Fee)
	require.Equal(t, []uint64{l.AttemptID}, fx.Delta.Took)
	require.False(t, fx.Delta.Lazy)
	require.Equal(t, Succeeded, fx.Delta.Attempts[0].Status)
	require.True(t, p.Done())
	require.Equal(t, []Observation{{key(1), key(2), 1_000_600, true}, {key(2), key(3), 1_000_000, true}}, fx.Learn)

	// B4.origin.10: nothing that comes later changes that.
	for _, ev := range []Event{Cancel{}, Tick{}, Start{}, Refused{AttemptID: l.AttemptID}, b.walk(l, 1, &onion.Failure{Code: onion.UnknownNextPeer})} {
		b.now = b.now.Add(time.Hour)
		fx = b.step(p, ev)
		require.Equal(t, Succeeded, p.Row().Status)
		require.Empty(t, fx.Launch)
		require.False(t, fx.Delta.New)
	}
	require.Equal(t, []uint64{l.AttemptID}, fx.Delta.Took, "a late result only consumes its row")
}

func TestNoSecondPayment(t *testing.T) {
	row := Payment{Terms: terms(), Status: InFlight}
	_, err := New(Begin{Terms: terms(), Former: &row})
	require.EqualError(t, err, "payment is in transition")
	row.Status = Succeeded
	_, err = New(Begin{Terms: terms(), Former: &row})
	require.EqualError(t, err, "invoice is already paid")
	row.Status = Failed
	_, err = New(Begin{Terms: terms(), Former: &row})
	require.NoError(t, err)
	bad := terms()
	bad.Amount = 0
	_, err = New(Begin{Terms: bad})
	require.ErrorContains(t, err, "amount")
	bad = terms()
	bad.Features = lnwire.NewFeatures(4002)
	_, err = New(Begin{Terms: bad})
	require.ErrorContains(t, err, "4002")
}

// After a restart an attempt that is in no channel never left, and the failure of one
// that is can be read.
func TestResume(t *testing.T) {
	b := newBench(t, line(t))
	p, fx := b.begin(Limits{Fee: 400_000})
	l := fx.Launch[0]
	rows := Resumed{Payment: p.Row(), Attempts: []Attempt{l.Attempt}, Seed: lnwire.Secret{55}}

	p = Resume(rows)
	fx = b.step(p, Start{})
	require.Equal(t, Failed, fx.Delta.Attempts[0].Status)
	require.True(t, fx.Delta.Attempts[0].Failure.Local)
	require.EqualValues(t, 1, fx.Launch[0].Attempt.Number)
	require.NotEqual(t, l.Attempt.SessionKey, fx.Launch[0].Attempt.SessionKey)

	rows.Live = []uint64{l.AttemptID}
	p = Resume(rows)
	fx = b.step(p, Start{})
	require.Empty(t, fx.Launch, "the HTLC may still be paid")
	fx = b.step(p, b.walk(l, 1, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	require.EqualValues(t, 1, fx.Delta.Attempts[0].Failure.Hop)
	require.Equal(t, []int{4, 5}, scidsOf(fx.Launch[0].Attempt.Route))

	p = Resume(rows)
	b.now = b.now.Add(time.Hour)
	b.step(p, Start{})
	fx = b.step(p, b.walk(l, 1, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	require.Equal(t, ReasonTimeout, fx.Delta.Payment.Reason)

	route := l.Attempt.Route
	rows.Payment.Route, rows.Live = &route, nil
	p = Resume(rows)
	fx = b.step(p, Start{})
	require.Empty(t, fx.Launch, "a given route is tried once")
	require.Equal(t, Failed, p.Row().Status)
}

// B4.origin.11: what is under way counts against the amount and the fee limit, however
// many parts there are.
func TestPartsCountTogether(t *testing.T) {
	part := func(id uint64, amount, fee lnwire.MilliSat) Attempt {
		return Attempt{ID: id, Number: uint32(id), Status: InFlight, Route: Route{Amount: amount + fee, Hops: []Hop{{Forward: amount}}}}
	}
	row := Payment{Terms: terms(), Limits: Limits{Fee: 3000, Parts: 4}, Status: InFlight, CreatedAt: t0}
	p := Resume(Resumed{Payment: row, Attempts: []Attempt{part(1, 300_000, 1000), part(2, 200_000, 500)}, Live: []uint64{1, 2}, Seed: seed})
	amount, fees := (&turn{p: p}).rest()
	require.EqualValues(t, 500_000, amount)
	require.EqualValues(t, 1500, fees)

	b := newBench(t, line(t))
	fx := b.step(p, Start{})
	require.Empty(t, fx.Launch, "the only way costs more than is left")
	require.Equal(t, InFlight, p.Row().Status)
}

// The failures of hops on the way and of the recipient, and what the payment makes of
// each: B4.origin.5 to B4.origin.9.
func TestFailures(t *testing.T) {
	update := func(scid int, base uint32, from, to lnwire.PubKey) *lnwire.ChannelUpdate {
		u := &lnwire.ChannelUpdate{SCID: lnwire.ShortChannelID(scid), FeeBase: base, CLTVExpiryDelta: 20, HTLCMaximum: 1 << 40}
		if string(from[:]) > string(to[:]) {
			u.ChannelFlags = lnwire.UpdateDirection
		}
		return u
	}
	for _, c := range []struct {
		name string
		hop  int
		f    onion.Failure
		next []int         // the next attempt; nil: none
		end  FailureReason // when there is none
		fee  lnwire.MilliSat
	}{
		{name: "no room in a channel", hop: 1, f: onion.Failure{Code: onion.TemporaryChannelFailure}, next: []int{4, 5}, fee: 300_000},
		{name: "a channel is gone for good", hop: 1, f: onion.Failure{Code: onion.PermanentChannelFailure}, next: []int{4, 5}, fee: 300_000}, // B4.origin.6
		{name: "the next peer is unknown", hop: 0, f: onion.Failure{Code: onion.UnknownNextPeer}, next: []int{4, 5}, fee: 300_000},
		{name: "a node fails", hop: 0, f: onion.Failure{Code: onion.TemporaryNodeFailure}, next: []int{4, 5}, fee: 300_000}, // B4.origin.7
		{name: "a node fails for good", hop: 1, f: onion.Failure{Code: onion.PermanentNodeFailure}, next: []int{4, 5}, fee: 300_000},
		{name: "a fee has risen", hop: 1, f: onion.Failure{Code: onion.FeeInsufficient, Update: update(3, 700, key(2), key(3))}, next: []int{1, 2, 3}, fee: 2700}, // B4.origin.5
		{name: "a fee has risen, above the other way", hop: 1, f: onion.Failure{Code: onion.FeeInsufficient, Update: update(3, 700_000, key(2), key(3))}, next: []int{4, 5}, fee: 300_000},
		{name: "an update of the other direction", hop: 1, f: onion.Failure{Code: onion.FeeInsufficient, Update: update(3, 700, key(3), key(2))}, next: []int{4, 5}, fee: 300_000},
		{name: "an update of another channel", hop: 1, f: onion.Failure{Code: onion.FeeInsufficient, Update: update(2, 700, key(2), key(3))}, next: []int{4, 5}, fee: 300_000},
		{name: "a policy without an update", hop: 1, f: onion.Failure{Code: onion.FeeInsufficient}, next: []int{4, 5}, fee: 300_000},
		{name: "an unknown code about a channel", hop: 1, f: onion.Failure{Code: 999}, next: []int{4, 5}, fee: 300_000}, // B4.origin.8
		{name: "an unknown code about a node", hop: 1, f: onion.Failure{Code: onion.FlagNode | 999}, next: []int{4, 5}, fee: 300_000},
		{name: "what only a recipient may say", hop: 1, f: onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails}, next: []int{4, 5}, fee: 300_000},
		{name: "an onion spoilt on the way", hop: 0, f: onion.Failure{Code: onion.InvalidOnionHMAC}, next: []int{4, 5}, fee: 300_000},
		{name: "the recipient does not know it", hop: 2, f: onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails}, end: ReasonIncorrectDetails}, // B4.origin.9
		{name: "the recipient fails", hop: 2, f: onion.Failure{Code: onion.PermanentNodeFailure}, end: ReasonError},
		{name: "the last amount was changed", hop: 2, f: onion.Failure{Code: onion.FinalIncorrectHTLCAmount}, next: []int{4, 5}, fee: 300_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, line(t))
			p, fx := b.begin(Limits{Fee: 400_000})
			before := b.env.Graph
			fx = b.step(p, b.walk(fx.Launch[0], c.hop, &c.f))
			a := fx.Delta.Attempts[0]
			require.Equal(t, Failed, a.Status)
			require.EqualValues(t, c.hop, a.Failure.Hop)
			require.Equal(t, c.f.Code, a.Failure.Code)
			require.NotEmpty(t, a.Failure.Text)
			if c.next == nil {
				require.Empty(t, fx.Launch)
				require.Equal(t, c.end, fx.Delta.Payment.Reason)
				require.Contains(t, fx.Delta.Payment.Text, a.Failure.Text)
				return
			}
			require.Equal(t, c.next, scidsOf(fx.Launch[0].Attempt.Route))
			require.Equal(t, c.fee, fx.Launch[0].Attempt.Route.Fee())
			require.Same(t, before, b.g.Snapshot(), "V-72: the graph does not know")
			// B4.origin.12
			require.NotEqual(t, a.SessionKey, fx.Launch[0].Attempt.SessionKey)
		})
	}
}

// B4.origin.13
func TestPolicyIsFollowedOnce(t *testing.T) {
	b := newBench(t, line(t))
	p, fx := b.begin(Limits{Fee: 400_000})
	u := &lnwire.ChannelUpdate{SCID: 3, FeeBase: 700, CLTVExpiryDelta: 20, HTLCMaximum: 1 << 40}
	two, three := key(2), key(3)
	if string(two[:]) > string(three[:]) {
		u.ChannelFlags = lnwire.UpdateDirection
	}
	f := &onion.Failure{Code: onion.FeeInsufficient, Update: u}
	fx = b.step(p, b.walk(fx.Launch[0], 1, f))
	require.Equal(t, u.FeeBase, fx.Delta.Attempts[0].Failure.Update.FeeBase)
	require.Equal(t, []int{1, 2, 3}, scidsOf(fx.Launch[0].Attempt.Route))
	fx = b.step(p, b.walk(fx.Launch[0], 1, f))
	require.Equal(t, []int{4, 5}, scidsOf(fx.Launch[0].Attempt.Route))
}

// B4.origin.4, V-54: what nobody can read blames nobody and breaks nothing.
func TestUnreadableReply(t *testing.T) {
	for _, reason := range [][]byte{nil, {1}, make([]byte, 292), make([]byte, 65000)} {
		b := newBench(t, line(t))
		p, fx := b.begin(Limits{Fee: 400_000})
		fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Failed, Reason: reason}})
		require.EqualValues(t, UnknownHop, fx.Delta.Attempts[0].Failure.Hop)
		require.Equal(t, []int{4, 5}, scidsOf(fx.Launch[0].Attempt.Route))
	}
}

func TestOtherEnds(t *testing.T) {
	b := newBench(t, line(t))
	p, fx := b.begin(Limits{Fee: 400_000})
	fx = b.step(p, Refused{fx.Launch[0].AttemptID, htlc.Refusal{Reason: htlc.LinkDown}})
	require.Contains(t, fx.Delta.Attempts[0].Failure.Text, "not connected")
	require.Equal(t, []int{4, 5}, scidsOf(fx.Launch[0].Attempt.Route))
	fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Malformed, Code: uint16(onion.InvalidOnionKey)}})
	require.Empty(t, fx.Launch)
	require.Equal(t, ReasonNoRoute, p.Row().Reason)
	require.Contains(t, p.Row().Text, "after 2 attempts")

	b = newBench(t, line(t))
	p, fx = b.begin(Limits{Fee: 400_000})
	fx = b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.TimedOut}})
	require.Contains(t, fx.Delta.Attempts[0].Failure.Text, "chain")

	b = newBench(t, line(t))
	p, fx = b.begin(Limits{Fee: 400_000})
	b.step(p, Resolved{fx.Launch[0].AttemptID, htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{99}}})
	require.Equal(t, ReasonError, p.Row().Reason, "a preimage of another hash pays nothing")
}

func TestLimits(t *testing.T) {
	b := newBench(t, line(t))
	p, fx := b.begin(Limits{Fee: 2599})
	require.Empty(t, fx.Launch)
	require.Equal(t, ReasonNoRoute, fx.Delta.Payment.Reason)
	require.True(t, fx.Delta.New && p.Done() && !fx.Delta.Lazy)

	b.env.Locals = b.env.Locals[:1]
	b.env.Locals[0].Sendable = 7
	p, _ = b.begin(Limits{Fee: 2600})
	require.Equal(t, ReasonInsufficientBalance, p.Row().Reason)
}

func TestCancelAndTimeout(t *testing.T) {
	fail := &onion.Failure{Code: onion.TemporaryChannelFailure}
	for _, c := range []struct {
		stop func(b *bench, p *Payer)
		want FailureReason
	}{
		{func(b *bench, p *Payer) { b.step(p, Cancel{}) }, ReasonCanceled},
		{func(b *bench, p *Payer) { b.now = b.now.Add(time.Hour); b.step(p, Tick{}) }, ReasonTimeout},
	} {
		b := newBench(t, line(t))
		p, fx := b.begin(Limits{Fee: 400_000})
		c.stop(b, p)
		require.Equal(t, InFlight, p.Row().Status, "what is under way cannot be called back")
		l := fx.Launch[0]
		fx = b.step(p, b.walk(l, 1, fail))
		require.Empty(t, fx.Launch)
		require.Equal(t, c.want, p.Row().Reason)

		b = newBench(t, line(t))
		p, fx = b.begin(Limits{Fee: 400_000})
		c.stop(b, p)
		b.step(p, b.walk(fx.Launch[0], 2, &onion.Failure{Code: onion.IncorrectOrUnknownPaymentDetails}))
		require.Equal(t, c.want, p.Row().Reason, "the first reason stays")

		b = newBench(t, line(t))
		p, fx = b.begin(Limits{Fee: 400_000})
		c.stop(b, p)
		b.step(p, b.walk(fx.Launch[0], 2, nil))
		require.Equal(t, Succeeded, p.Row().Status)
	}
}

func TestSendToRoute(t *testing.T) {
	b := newBench(t, line(t))
	_, fx := b.begin(Limits{Fee: 400_000})
	given := fx.Launch[0].Attempt.Route
	begin := Begin{Terms: terms(), Seed: seed, Route: &given}
	p, err := New(begin)
	require.NoError(t, err)
	fx = b.step(p, Start{})
	require.Equal(t, given, fx.Launch[0].Attempt.Route)
	fx = b.step(p, b.walk(fx.Launch[0], 1, &onion.Failure{Code: onion.TemporaryChannelFailure}))
	require.Empty(t, fx.Launch, "one attempt and no other")
	require.Equal(t, Failed, p.Row().Status)

	p, err = New(begin)
	require.NoError(t, err)
	fx = b.step(p, Start{})
	b.step(p, b.walk(fx.Launch[0], 2, nil))
	require.Equal(t, Succeeded, p.Row().Status)

	for name, spoil := range map[string]func(r *Route){
		"pays more than asked": func(r *Route) {
			r.Amount += 10
			r.Hops[0].Forward += 10
			r.Hops[1].Forward += 10
			r.Hops[2].Forward += 10
		}, // V-32
		"no hops":                func(r *Route) { r.Hops = nil },
		"rising amount":          func(r *Route) { r.Hops[0].Forward = r.Amount + 1 },
		"rising expiry":          func(r *Route) { r.Hops[1].Expiry = r.Expiry + 1 },
		"another recipient":      func(r *Route) { r.Hops[2].Node = key(5) },
		"the last one cheats":    func(r *Route) { r.Hops[2].Forward-- },
		"more hops than allowed": func(r *Route) { r.Hops = append(make([]Hop, 20), r.Hops...) },
	} {
		r := given
		r.Hops = append([]Hop(nil), given.Hops...)
		spoil(&r)
		_, err := New(Begin{Terms: terms(), Route: &r})
		require.ErrorContains(t, err, "route", name)
	}
}

// Every failure code has words, for the attempt and for the payment.
func TestEveryFailureIsExplained(t *testing.T) {
	for code := onion.Code(0); code < 30; code++ {
		for _, flags := range []onion.Code{0, onion.FlagPerm, onion.FlagNode, onion.FlagUpdate, onion.FlagPerm | onion.FlagNode, onion.FlagBadOnion | onion.FlagPerm} {
			for hop := range 3 {
				b := newBench(t, line(t))
				p, fx := b.begin(Limits{Fee: 5000})
				fx = b.step(p, b.walk(fx.Launch[0], hop, &onion.Failure{Code: flags | code}))
				require.NotEmpty(t, fx.Delta.Attempts[0].Failure.Text, fmt.Sprint(flags|code))
				if p.Done() {
					require.NotEmpty(t, p.Row().Text)
					require.NotEqual(t, ReasonNone, p.Row().Reason)
				}
			}
		}
	}
}

// TestPaddingStaysWithinTheLimits: blocks on the way are provided for where there is room.
func TestPaddingStaysWithinTheLimits(t *testing.T) {
	for _, c := range []struct {
		delta uint16
		cltv  uint32
		want  uint16
	}{{80, 0, 83}, {2013, 0, 2016}, {2014, 0, 2014}, {65_535, 0, 65_535}, {65_533, 1 << 20, 65_533}, {65_532, 1 << 20, 65_535}, {80, 83, 83}, {80, 82, 80}} {
		require.Equal(t, c.want, paddedDelta(&Terms{FinalDelta: c.delta}, &Limits{CLTV: c.cltv}))
	}
}
