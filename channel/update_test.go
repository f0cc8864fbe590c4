package channel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// opened is a world with an open channel, after changes to its nodes.
func opened(t require.TestingT, change func(w *world, o *openOptions)) *world {
	w := newWorld(t)
	o := usual
	o.private = true
	if change != nil {
		change(w, &o)
	}
	w.open(o)
	return w
}

// requireRefused: the last step refused an add for the reason, in words.
func requireRefused(t *testing.T, n *node, reason htlc.RefusalReason, text string) {
	t.Helper()
	require.Len(t, n.last.Refused, 1)
	require.Equal(t, reason, n.last.Refused[0].Reason, n.last.Refused[0].Text)
	require.Contains(t, n.last.Refused[0].Text, text)
	require.Empty(t, n.last.Send)
}

// TestAddRefused: what we must not, or should not, offer.
func TestAddRefused(t *testing.T) {
	w := opened(t, func(w *world, _ *openOptions) {
		w.b.side.HTLCMinimum, w.b.side.MaxAccepted, w.b.side.MaxInFlight = 1000, 5, 300_000_000
	})
	w.a.add(0, 1) // B2.add.1
	requireRefused(t, w.a, htlc.BelowMinimum, "0 msat is below")
	w.a.add(999, 1)
	requireRefused(t, w.a, htlc.BelowMinimum, "htlc_minimum_msat of 1000")
	at := func(expiry lnwire.Height) {
		w.a.step(AddHTLC{Amount: 5000, Expiry: expiry, Origin: htlc.Attempt(1), Onion: &[lnwire.OnionLen]byte{}})
	}
	at(w.tip.Height) // B2.add.7
	requireRefused(t, w.a, htlc.BadExpiry, "not above the height")
	at(w.tip.Height + 2017) // V-37, B2.add.2
	requireRefused(t, w.a, htlc.BadExpiry, "2016 blocks")
	at(expiryIsTime)
	requireRefused(t, w.a, htlc.BadExpiry, "2016 blocks")
	at(w.tip.Height + 2016)
	require.Empty(t, w.a.last.Refused)
	w.a.add(299_995_001, 1) // B2.add.4
	requireRefused(t, w.a, htlc.TooMany, "max_htlc_value_in_flight_msat")
	for k := range 4 {
		w.a.add(1000, k)
	}
	w.a.add(1000, 1) // B2.add.3
	requireRefused(t, w.a, htlc.TooMany, "5 htlcs are pending, the peer accepts 5")
	w.settle()
	require.Len(t, w.b.locked, 5)
}

// TestSpendable: what link says can be spent is taken, a msat more is refused: the
// reserve (B2.add.8), the fee with its buffer and both anchors (B2.add.9,
// B2.add.10), or the peer's fee (B2.add.11).
func TestSpendable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := opened(t, func(w *world, o *openOptions) {
			o.format = rapid.SampledFrom([]commitment.Format{commitment.Anchors, commitment.StaticRemoteKey}).Draw(t, "format")
			o.push = lnwire.MilliSat(rapid.Uint64Range(0, 900_000_000).Draw(t, "push"))
			o.rate = lnwire.SatPerKW(rapid.Uint32Range(253, 10_000).Draw(t, "rate"))
		})
		n, peer := w.a, w.b
		if rapid.Bool().Draw(t, "fundee") {
			n, peer = w.b, w.a
		}
		for k := range rapid.IntRange(0, 5).Draw(t, "before") {
			n.add(lnwire.MilliSat(rapid.Uint64Range(1, 30_000_000).Draw(t, "amount")), k)
			w.settle()
		}
		most := n.link.Spendable
		if most == 0 {
			return
		}
		before := len(n.refused)
		n.add(most+1, 8)
		require.Len(t, n.refused, before+1)
		require.Contains(t, []htlc.RefusalReason{htlc.NoBalance, htlc.TooMany}, n.refused[before].Reason)
		n.add(most, 9)
		require.Len(t, n.refused, before+1, "%v of %v refused", most, n.info().LocalOurs)
		w.settle()
		require.False(t, peer.drop)
		require.Equal(t, most, peer.locked[len(peer.locked)-1].HTLC.Amount)
	})
}

// TestReserveKept: B2.add.8 for the fundee, to the msat.
func TestReserveKept(t *testing.T) {
	w := opened(t, nil)
	w.b.add(290_000_001, 1)
	requireRefused(t, w.b, htlc.NoBalance, "have to stay")
	w.b.add(290_000_000, 1)
	w.settle()
	require.Len(t, w.a.locked, 1)
}

// TestFunderFeeProtected: B2.add.11: a fundee offers no HTLC for which the funder
// cannot pay.
func TestFunderFeeProtected(t *testing.T) {
	w := opened(t, func(_ *world, o *openOptions) { o.push = 980_000_000; o.rate = 8000 })
	require.Less(t, w.a.info().LocalOurs, lnwire.MilliSat(20_000_001))
	w.b.add(10_000_000, 1)
	requireRefused(t, w.b, htlc.NoBalance, "do not pay for another htlc")
	w.b.add(300_000, 1) // trimmed: costs the funder nothing
	require.Empty(t, w.b.last.Refused)
}

// TestDustExposure: V-20, V-21: B2.dust.1 for what we offer, B2.dust.2 for what we
// are offered; each commitment counts by its own dust limit.
func TestDustExposure(t *testing.T) {
	w := opened(t, func(w *world, _ *openOptions) {
		w.a.cfg.MaxDustExposure, w.b.cfg.MaxDustExposure = 1_000_000, 700_000
		w.a.side.DustLimit, w.b.side.DustLimit = 354, 400
	})
	w.a.add(399_999, 1)
	w.a.add(300_000, 2)
	w.a.add(399_999, 3)
	requireRefused(t, w.a, htlc.TooMuchDust, "the limit is 1000000 msat")
	w.a.add(400_000, 4) // no dust in b's, none in a's
	w.a.add(200_000, 5)
	w.settle()
	require.Len(t, w.b.locked, 4)
	unfit := map[lnwire.MilliSat]htlc.Unfit{}
	for _, l := range w.b.locked {
		unfit[l.HTLC.Amount] = l.Unfit
	}
	require.Equal(t, htlc.Fit, unfit[400_000])
	require.Equal(t, htlc.UnfitDust, unfit[200_000])
	w.b.crash() // given out again, judged alike
	require.Len(t, w.b.locked, 4)
	require.Equal(t, htlc.UnfitDust, w.b.locked[3].Unfit)
}

// TestFarExpiry: V-37: one that the peer offers too far ahead is locked in and must
// be failed.
func TestFarExpiry(t *testing.T) {
	w := opened(t, nil)
	w.a.step(AddHTLC{Amount: 5000, Expiry: w.tip.Height + 2016, Hash: lnwire.Hash{1}, Onion: &[lnwire.OnionLen]byte{}})
	w.a.step(Flush{})
	next[*lnwire.UpdateAddHTLC](t, w.b).Expiry++
	w.b.deliver(1)
	require.False(t, w.b.last.Disconnect)
	e := w.b.ch.in[0]
	require.Equal(t, htlc.UnfitFar, w.b.ch.unfit(e))
}

// TestLockedInWhileUnfunded: V-01: an HTLC that comes while a reorg has the funding out of
// the chain is money that may never have been.
func TestLockedInWhileUnfunded(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	require.Equal(t, htlc.Fit, w.b.locked[0].Unfit)
	w.b.step(Unconfirmed{Txid: w.b.ch.core.Funding.Hash})
	w.a.add(5_000_000, 2)
	w.settle()
	require.Equal(t, htlc.UnfitUnfunded, w.b.locked[1].Unfit)
	w.confirm(3)
	w.a.add(5_000_000, 3)
	w.settle()
	require.Equal(t, htlc.Fit, w.b.locked[2].Unfit)
}

// TestLockedInChannelThatClosed: an HTLC that nobody has decided about before a restart
// is not worth carrying on when its channel went to the chain; one that was answered
// is not told at all.
func TestLockedInChannelThatClosed(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.a.add(5_000_000, 2)
	w.settle()
	w.b.crash()
	require.Len(t, w.b.locked, 2)
	require.Equal(t, htlc.Fit, w.b.locked[0].Unfit)
	w.b.step(CloseAsked{Force: true})
	rider := Rider{Kind: 3, Key: []byte("k")}
	answer := Resolve{Ref: w.b.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(1)}, With: []Rider{rider}}
	require.Equal(t, []Rider{rider}, w.b.step(answer).Delta.Riders)
	require.Empty(t, w.b.step(answer).Delta.Riders)
	w.b.crash()
	require.Len(t, w.b.locked, 1)
	require.Equal(t, w.b.incoming(1), w.b.locked[0].HTLC.Ref)
	require.Equal(t, htlc.UnfitClosed, w.b.locked[0].Unfit)
}

// TestRcvAddRefused: what the peer must not offer; it is warned.
func TestRcvAddRefused(t *testing.T) {
	for _, c := range []struct {
		id, why string
		spoil   func(m *lnwire.UpdateAddHTLC)
	}{
		{"B2.add.12", "htlc_minimum_msat", func(m *lnwire.UpdateAddHTLC) { m.Amount = 0 }},
		{"B2.add.12", "htlc_minimum_msat", func(m *lnwire.UpdateAddHTLC) { m.Amount = 999 }},
		{"B2.add.13", "cltv_expiry", func(m *lnwire.UpdateAddHTLC) { m.Expiry = 500_000_000 }},
		{"B2.add.15", "max_htlc_value_in_flight_msat", func(m *lnwire.UpdateAddHTLC) { m.Amount = 600_000_001 }},
		{"B2.add.15", "max_htlc_value_in_flight_msat", func(m *lnwire.UpdateAddHTLC) { m.Amount = ^lnwire.MilliSat(0) }},
		{"B2.add.16", "not affordable", func(m *lnwire.UpdateAddHTLC) { m.Amount = 600_000_000 }},
		{"B2.add.6", "id 1, expected 0", func(m *lnwire.UpdateAddHTLC) { m.ID = 1 }},
		{"B2.add.6", "expected 0", func(m *lnwire.UpdateAddHTLC) { m.ID = ^uint64(0) }},
	} {
		w := opened(t, func(w *world, o *openOptions) {
			w.b.side.HTLCMinimum, w.b.side.MaxInFlight = 1000, 600_000_000
			o.push = 395_000_000
		})
		w.a.add(5_000_000, 1)
		w.a.step(Flush{})
		c.spoil(next[*lnwire.UpdateAddHTLC](t, w.b))
		w.b.deliver(1)
		requireWarned(t, w.b, c.why)
	}
	// B2.add.14: one more than max_accepted_htlcs, by a peer that does not count.
	w := opened(t, func(w *world, _ *openOptions) { w.b.side.MaxAccepted = 6 })
	w.a.ch.terms.Theirs.MaxAccepted, w.a.quietLaw = 30, true
	for k := range 7 {
		w.a.add(5000, k)
	}
	w.a.step(Flush{})
	w.b.deliver(6)
	require.False(t, w.b.drop)
	w.b.deliver(1)
	requireWarned(t, w.b, "max_accepted_htlcs of 6")
}

// TestPeerSpendsOurFee: V-22: a fundee that adds HTLCs until our fee is cut short is
// stopped while our commitment still pays its way.
func TestPeerSpendsOurFee(t *testing.T) {
	w := opened(t, func(_ *world, o *openOptions) { o.push, o.rate = 970_000_000, 10_000 })
	for id := uint64(0); ; id++ {
		require.Less(t, id, uint64(30))
		w.a.step(Received{Msg: &lnwire.UpdateAddHTLC{ChannelID: w.a.ch.id(), ID: id, Amount: 9_000_000, Expiry: w.tip.Height + 144}})
		if w.a.last.Disconnect {
			break
		}
		require.True(t, w.a.ch.owner(true).Affordable(w.a.ch.spec(true, holds(htlc.LocalNext)), 0))
	}
	requireWarned(t, w.a, "do not pay for another htlc")
}

// TestReview: B2.add.9, B2.add.11: HTLCs that wait for a signature meanwhile meet
// those of the peer, which did not know of them: who has not offered its own gives
// them back.
func TestReview(t *testing.T) {
	meet := func(w *world, from, to *node, adds func()) {
		from.add(5_000_000, 1)
		from.step(Flush{})
		adds() // no more is signed before the peer revokes
		require.Empty(t, from.refused)
		require.Empty(t, to.refused)
		to.step(Flush{})
		w.settle()
		require.False(t, w.a.drop || w.b.drop, "nobody is offended")
		require.NotEmpty(t, from.refused)
		for _, r := range from.refused {
			require.Equal(t, htlc.NoBalance, r.Reason)
		}
		require.Equal(t, len(from.ch.out), len(to.ch.in))
	}
	t.Run("we pay the fee", func(t *testing.T) {
		w := opened(t, func(_ *world, o *openOptions) { o.push = 600_000_000 })
		meet(w, w.a, w.b, func() {
			w.a.add(1_000_000, 2)
			w.a.add(w.a.ch.spendable(), 3)
			for k := range 25 {
				w.b.add(1_000_000, 50+k)
			}
		})
		require.Equal(t, htlc.Attempt(3), w.a.refused[0].Origin)
		require.Len(t, w.a.ch.out, 2)
	})
	t.Run("the peer pays the fee", func(t *testing.T) {
		w := opened(t, func(_ *world, o *openOptions) { o.push = 960_000_000 })
		meet(w, w.b, w.a, func() {
			for k := range 20 {
				w.b.add(1_000_000, 50+k)
			}
			w.a.add(w.a.ch.spendable(), 2)
		})
		require.Greater(t, len(w.b.ch.out), 5)
	})
}

// TestSameHash: B2.add.17: several HTLCs may share a hash and an amount; each keeps its id
// (V-10, V-11).
func TestSameHash(t *testing.T) {
	w := opened(t, nil)
	for range 3 {
		w.a.add(7_000_000, 1)
	}
	w.settle()
	w.b.fulfill(1, 1)
	w.b.fail(0)
	w.b.fail(2)
	w.settle()
	kinds := map[uint64]htlc.ResolutionKind{}
	for _, o := range w.a.outcomes {
		kinds[o.Ref.ID] = o.Resolution.Kind
	}
	require.Equal(t, map[uint64]htlc.ResolutionKind{0: htlc.Failed, 1: htlc.Fulfilled, 2: htlc.Failed}, kinds)
	requireBalances(t, w.a, 693_000_000, 307_000_000)
}

// TestAttemptRow: the attempt's row is in the batch that first holds the HTLC's row,
// with the signature, and in no other.
func TestAttemptRow(t *testing.T) {
	w := opened(t, nil)
	fx := w.a.add(5_000_000, 1)
	require.Empty(t, fx.Delta.Attempts)
	require.True(t, fx.Delta.Empty())
	fx = w.a.step(Flush{})
	require.Equal(t, []AttemptRow{{ID: 1, Row: []byte{1}}}, fx.Delta.Attempts)
	require.Len(t, fx.Delta.HTLCs, 1)
	require.Len(t, fx.Delta.Onions, 1)
	w.settle()
	require.Len(t, w.a.attempts, 1)
}

// TestResolve: B2.remove.1 and V-30: an answer counts once and only for an HTLC that
// is locked in; it always consumes its outbox row, and its riders are written with
// the answer, once.
func TestResolve(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.a.step(Flush{})
	w.b.deliver(2)
	early := w.b.fulfill(0, 1) // not locked in yet
	require.Empty(t, early.Send)
	w.settle()
	wrong := w.b.fulfill(0, 2)
	require.Equal(t, NoticeBug, wrong.Tell[0].Kind)
	rider := Rider{Kind: 3, Key: []byte("k")}
	fx := w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(1)}, With: []Rider{rider}})
	require.Equal(t, []htlc.Ref{w.b.incoming(0)}, fx.Delta.OutboxDone)
	require.Equal(t, []Rider{rider}, fx.Delta.Riders)
	require.Len(t, fx.Delta.HTLCs, 1)
	again := w.b.fail(0) // V-05: once fulfilled, never failed
	require.Empty(t, again.Send)
	require.Equal(t, []htlc.Ref{w.b.incoming(0)}, again.Delta.OutboxDone)
	again = w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(1)}, With: []Rider{rider}})
	require.Empty(t, again.Delta.Riders)
	w.settle()
	gone := w.b.fail(0)
	require.Equal(t, []htlc.Ref{w.b.incoming(0)}, gone.Delta.OutboxDone)
	require.Equal(t, htlc.Fulfilled, w.a.outcomes[0].Resolution.Kind)
	require.Equal(t, lnwire.MilliSat(5_000_000), w.b.info().Core.Got)
	require.Equal(t, lnwire.MilliSat(5_000_000), w.a.info().Core.Sent)
}

// TestRcvRemovalRefused: what the peer must not remove.
func TestRcvRemovalRefused(t *testing.T) {
	id := func(w *world) lnwire.ChannelID { return w.a.ch.core.ChannelID }
	pending := func(w *world) { w.a.add(5_000_000, 1); w.settle() }
	for _, c := range []struct {
		id, why string
		make    func(w *world)
		msg     func(w *world) lnwire.Message
	}{
		{"B2.remove.2", "no htlc 0", func(*world) {}, func(w *world) lnwire.Message { return &lnwire.UpdateFailHTLC{ChannelID: id(w)} }},
		{"B2.remove.2", "no htlc 1", pending, func(w *world) lnwire.Message { return &lnwire.UpdateFulfillHTLC{ChannelID: id(w), ID: 1} }},
		{"B2.remove.2", "no htlc 0", func(w *world) { w.a.add(5_000_000, 1); w.a.step(Flush{}) }, func(w *world) lnwire.Message {
			return &lnwire.UpdateFulfillHTLC{ChannelID: id(w), Preimage: preimage(1)}
		}},
		{"B2.remove.2", "already being removed", func(w *world) { pending(w); w.b.fail(0); w.a.deliver(1) }, func(w *world) lnwire.Message {
			return &lnwire.UpdateFulfillHTLC{ChannelID: id(w), Preimage: preimage(1)}
		}},
		{"B2.remove.3", "does not open", pending, func(w *world) lnwire.Message {
			return &lnwire.UpdateFulfillHTLC{ChannelID: id(w), Preimage: preimage(2)}
		}},
		{"B2.remove.4", "without BADONION", pending, func(w *world) lnwire.Message {
			return &lnwire.UpdateFailMalformedHTLC{ChannelID: id(w), FailureCode: 0x4005}
		}},
	} {
		w := opened(t, nil)
		c.make(w)
		w.a.step(Received{Msg: c.msg(w)})
		requireWarned(t, w.a, c.why)
		require.Empty(t, w.a.outcomes, c.id)
	}
}

// TestFeeRefused: what update_fee must not be.
func TestFeeRefused(t *testing.T) {
	for _, c := range []struct {
		id, why string
		rate    lnwire.SatPerKW
	}{
		{"B2.fee.2", "out of bounds", 252},
		{"B2.fee.2", "out of bounds", 0},
		{"B2.fee.2", "out of bounds", 25_001},
		{"B2.fee.3", "above the reserve", 19_000},
		{"V-17", "more than half", 13_000},
	} {
		w := opened(t, func(w *world, o *openOptions) { o.push, o.rate = 970_000_000, 2500 })
		w.b.step(FeeRate{Rate: 2500})
		w.b.step(Received{Msg: &lnwire.UpdateFee{ChannelID: w.b.ch.core.ChannelID, FeeratePerKW: c.rate}})
		requireWarned(t, w.b, c.why)
	}
	w := opened(t, nil) // B2.fee.1
	w.a.step(Received{Msg: &lnwire.UpdateFee{ChannelID: w.a.ch.core.ChannelID, FeeratePerKW: 3000}})
	requireWarned(t, w.a, "do not pay")
}

// TestFeeReplaced: V-52, B2.fee.4: a flood of update_fee leaves one.
func TestFeeReplaced(t *testing.T) {
	w := opened(t, nil)
	for k := range 2000 {
		w.b.step(Received{Msg: &lnwire.UpdateFee{ChannelID: w.b.ch.core.ChannelID, FeeratePerKW: lnwire.SatPerKW(1000 + k)}})
	}
	require.Equal(t, lnwire.SatPerKW(2999), w.b.ch.fee.Rate)
	require.Empty(t, w.b.ch.core.Fees)
	require.False(t, w.b.drop)
}

// TestFeeFollows: B2.fee.5: the funder follows the estimate with hysteresis, within the cap for
// anchors, and never beyond what it can pay.
func TestFeeFollows(t *testing.T) {
	w := opened(t, func(_ *world, o *openOptions) { o.rate = 1000 })
	for _, c := range []struct{ target, want lnwire.SatPerKW }{{1100, 1000}, {1101, 1101}, {100, 253}, {9000, 2500}, {2300, 2500}, {2200, 2200}} {
		w.a.step(FeeRate{Rate: c.target})
		w.b.step(FeeRate{Rate: c.target})
		w.settle()
		require.Equal(t, c.want, w.a.ch.core.FeeRate, c.target)
		require.Equal(t, c.want, w.b.ch.core.FeeRate, c.target)
	}
	poor := opened(t, func(_ *world, o *openOptions) {
		o.rate, o.push, o.format = 1000, 980_000_000, commitment.StaticRemoteKey
	})
	poor.a.step(FeeRate{Rate: 20_000})
	poor.settle()
	require.Equal(t, lnwire.SatPerKW(1000), poor.b.ch.core.FeeRate)
}
