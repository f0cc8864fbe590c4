package channel

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestDeadlines: B2.expiry.1, B2.expiry.2.
func TestDeadlines(t *testing.T) {
	w := opened(t, nil)
	w.a.add(50_000_000, 1)
	w.settle()
	expiry := w.tip.Height + 144
	w.a.step(Block{At: blockRef(expiry + OfferedGrace - 1)})
	require.Equal(t, Open, w.a.ch.Phase())
	w.a.step(Block{At: blockRef(expiry + OfferedGrace)})
	requireFailed(t, w.a, "expired")
	requireNotice(t, w.a, NoticeFailing, "closing costs about")

	w = opened(t, nil)
	w.a.add(50_000_000, 1)
	w.a.add(5_000_000, 2)
	w.settle()
	w.b.fulfill(0, 1)
	w.b.fail(1)
	w.b.step(Block{At: blockRef(expiry - FulfilMargin - 1)})
	require.Equal(t, Open, w.b.ch.Phase())
	w.b.step(Block{At: blockRef(expiry - FulfilMargin)})
	requireFailed(t, w.b, "which we fulfilled")
}

// forwarded adds an HTLC that carries on one which expires later by some blocks.
func (n *node) forwarded(amount lnwire.MilliSat, pre int, later lnwire.Height) {
	onion := [lnwire.OnionLen]byte{0, byte(pre)}
	expiry := n.w.tip.Height + 144
	n.step(AddHTLC{
		Amount: amount, Expiry: expiry, Hash: preimage(pre).Hash(), Onion: &onion,
		Origin: htlc.Origin{Kind: htlc.FromForward, Ref: htlc.Ref{ChanNum: 9, ID: uint64(pre)}, AmountIn: amount, ExpiryIn: expiry + later},
	})
}

// TestNotWorthAClose: B2.expiry.3: an HTLC that a close would not bring back, being dust or
// dearer to enforce than it is worth, leaves the channel open. The operator is told once, and
// upstream it is failed in time, once, whatever the peer says later.
func TestNotWorthAClose(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		for _, late := range []string{"fail", "fulfil"} {
			w := opened(t, func(w *world, o *openOptions) { o.format = format })
			expiry := w.tip.Height + 144
			w.a.forwarded(200_000, 1, 80)   // dust
			w.a.forwarded(3_000_000, 2, 90) // not
			w.a.add(3_000_000, 3)           // our own: nobody upstream waits
			w.settle()
			w.disconnect()
			told := func() (n int) {
				for _, x := range w.a.notices {
					if x.Kind == NoticeOverdue {
						n++
					}
				}
				return n
			}
			at := func(h lnwire.Height) {
				w.tip = blockRef(h)
				w.a.step(Block{At: w.tip})
				require.Equal(t, Open, w.a.ch.Phase())
			}
			at(expiry + OfferedGrace)
			at(expiry + OfferedGrace + 1)
			require.Equal(t, 3, told())
			requireNotice(t, w.a, NoticeOverdue, "so the channel stays")
			at(expiry + 80 - UpstreamMargin - 1)
			require.Empty(t, w.a.outcomes)
			at(expiry + 80 - UpstreamMargin)
			require.Len(t, w.a.outcomes, 1)
			w.a.crash()
			at(expiry + 90 - UpstreamMargin)
			at(expiry + 300)
			want := map[htlc.Ref]htlc.ResolutionKind{
				{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.TimedOut, {ChanNum: 1, Dir: htlc.Outgoing, ID: 1}: htlc.TimedOut,
			}
			require.Equal(t, want, outcomesOf(t, w.a))

			w.connect()
			w.settle()
			for id := range uint64(3) {
				if late == "fail" {
					w.b.fail(id)
				} else {
					w.b.fulfill(id, int(id)+1)
				}
			}
			w.settle()
			want[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 2}] = htlc.Failed
			if late == "fulfil" {
				want[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 2}] = htlc.Fulfilled
			}
			require.Equal(t, want, outcomesOf(t, w.a))
			require.Empty(t, w.a.ch.out)
			require.Empty(t, w.a.ch.overdue)
			require.Equal(t, Open, w.a.ch.Phase())
		}
	}
}

// TestFulfilledTooLate: B2.expiry.4: a peer that fulfils what was failed upstream gets away
// with it as long as a close would cost more, and no longer, however small the pieces (V-20).
func TestFulfilledTooLate(t *testing.T) {
	for _, count := range []int{1, 4} {
		w := opened(t, nil)
		for i := range count {
			w.a.forwarded(3_000_000, i+1, 80)
		}
		w.settle()
		w.tip = blockRef(w.tip.Height + 144 + 80 - UpstreamMargin)
		w.a.step(Block{At: w.tip})
		require.Len(t, w.a.outcomes, count)
		require.Equal(t, Open, w.a.ch.Phase())
		w.a.notices = nil
		for i := range count {
			w.b.fulfill(uint64(i), i+1)
		}
		w.settle()
		if count == 1 {
			requireNotice(t, w.a, NoticeOverdue, "when it was failed upstream")
			require.Equal(t, Open, w.a.ch.Phase())
			require.Empty(t, w.a.ch.out)
			require.Empty(t, w.a.ch.overdue)
			continue
		}
		require.Equal(t, Failed, w.a.ch.Phase())
		requireNotice(t, w.a, NoticeFailing, "the peer has taken")
		require.Len(t, w.a.ch.out, count, "what was not signed is not removed")
		require.Len(t, w.a.outcomes, count)
	}

	// A restart forgets neither what was failed upstream nor what was taken; what was not
	// signed does not count twice.
	w := opened(t, nil)
	for i := range 4 {
		w.a.forwarded(2_200_000, i+1, 80)
	}
	w.settle()
	cost := w.a.ch.closeCost().MilliSat()
	require.True(t, 6_600_000 <= cost && cost < 8_800_000, "%v", cost)
	w.tip = blockRef(w.tip.Height + 144 + 80 - UpstreamMargin)
	w.a.step(Block{At: w.tip})
	for i := range 4 {
		require.Equal(t, Open, w.a.ch.Phase(), "%d", i)
		w.a.step(Received{Msg: &lnwire.UpdateFulfillHTLC{ChannelID: w.a.ch.core.ChannelID, ID: uint64(i), Preimage: preimage(i + 1)}})
		if i == 3 {
			break
		}
		w.disconnect()
		w.a.crash()
		w.connect()
		w.settle()
		w.b.fulfill(uint64(i), i+1)
		w.settle()
		require.Equal(t, lnwire.MilliSat(2_200_000*(i+1)), w.a.ch.core.Forfeit)
	}
	require.Equal(t, Failed, w.a.ch.Phase())
	requireNotice(t, w.a, NoticeFailing, "the peer has taken")
}

// TestManySmallOnes: what one HTLC is not worth, many are: the loss that a peer can cause by
// keeping small ones is bounded by what a close costs. The dearer the chain, the more it takes,
// but never more than may be dust.
func TestManySmallOnes(t *testing.T) {
	for _, c := range []struct {
		count int
		rate  lnwire.SatPerKW
		dust  lnwire.MilliSat
		phase Phase
	}{{3, 0, 0, Open}, {10, 0, 0, Failed}, {10, 5000, 0, Open}, {10, 5000, 40_000_000, Failed}} {
		w := opened(t, nil)
		w.a.cfg.MaxDustExposure = c.dust
		for i := range c.count {
			w.a.forwarded(5_000_000, i+1, 80)
		}
		w.settle()
		w.a.step(FeeRate{Rate: c.rate})
		w.a.step(Block{At: blockRef(w.tip.Height + 144 + OfferedGrace)})
		require.Equal(t, c.phase, w.a.ch.Phase(), "%+v", c)
	}
	w := opened(t, nil) // incoming: the sum counts, too
	w.a.add(200_000, 1)
	w.a.add(5_000_000, 2)
	w.settle()
	w.b.fulfill(0, 1)
	w.b.fulfill(1, 2)
	w.b.step(Block{At: blockRef(w.tip.Height + 144)})
	require.Equal(t, Open, w.b.ch.Phase())
	requireNotice(t, w.b, NoticeOverdue, "which we fulfilled")
}

// TestManySmallOnesMined: B5.absent.4: in the chain, too, no more is given up for being petty
// than may be dust: the peer could take all of it when the chain is cheaper.
func TestManySmallOnesMined(t *testing.T) {
	for _, c := range []struct {
		dust lnwire.MilliSat
		more lnwire.MilliSat // of one that is worth something, but no close upstream
		told int
	}{{0, 0, 10}, {49_000_000, 0, 0}, {60_000_000, 9_000_000, 11}, {55_000_000, 9_000_000, 10}} {
		w := opened(t, nil)
		w.a.cfg.MaxDustExposure = c.dust
		for i := range 10 {
			w.a.forwarded(5_000_000, i+1, 80)
		}
		if c.more > 0 {
			w.a.forwarded(c.more, 11, 80)
		}
		w.settle()
		w.a.step(FeeRate{Rate: 5000})
		tx, _ := w.b.ch.signedCommitment()
		w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: tx, At: blockRef(w.tip.Height + 1)})
		require.Equal(t, SpentByThem, w.a.ch.core.Spend.Kind)
		w.a.step(Block{At: blockRef(w.tip.Height + 144 + 80 - UpstreamMargin)})
		require.Len(t, w.a.outcomes, c.told)
	}
}

// mined has the peer's commitment mined, in the next block.
func (n *node) mined() {
	tx, ok := n.w.b.ch.signedCommitment()
	require.True(n.w.t, ok)
	n.step(Spent{OutPoint: n.ch.core.Funding, Tx: tx, At: blockRef(n.w.tip.Height + 1)})
}

// taken has the peer take HTLCs with their preimages, in a block.
func (n *node) taken(at lnwire.Height, ids ...uint64) {
	for _, o := range n.ch.end.outputs {
		if o.Role == onchain.FirstStage && slices.Contains(ids, o.Ref.ID) {
			p := preimage(int(o.Ref.ID) + 1)
			n.step(Spent{OutPoint: o.OutPoint, Tx: spendOf(o.OutPoint, nil, []byte{1}, []byte{1}, p[:], []byte{1}), At: blockRef(at)})
		}
	}
}

// TestLastSmallOneMined: B5.absent.4: what the peer has taken of many small ones it cannot
// take again: it is no reason why the last one's sender should wait for ever.
func TestLastSmallOneMined(t *testing.T) {
	w := opened(t, nil)
	w.a.cfg.MaxDustExposure = 49_000_000
	for i := range 10 {
		w.a.forwarded(5_000_000, i+1, 80)
	}
	w.settle()
	w.a.step(FeeRate{Rate: 5000})
	w.a.mined()
	w.a.taken(w.tip.Height+2, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	require.Len(t, w.a.outcomes, 9)
	late := w.tip.Height + 144 + 80 - UpstreamMargin
	w.a.step(Block{At: blockRef(late - 1)})
	require.Len(t, w.a.outcomes, 9)
	w.a.step(Block{At: blockRef(late)})
	require.Len(t, w.a.outcomes, 10)
	require.Equal(t, htlc.TimedOut, w.a.outcomes[9].Resolution.Kind)
}

// TestGivenUpAndTakenMined: V-20: what the peer takes after it was given up counts, over
// restarts, when more would be.
func TestGivenUpAndTakenMined(t *testing.T) {
	w := opened(t, nil)
	w.a.cfg.MaxDustExposure = 25_000_000
	w.a.forwarded(5_000_000, 1, 80)
	w.a.forwarded(5_000_000, 2, 80)
	w.a.forwarded(20_000_000, 3, 100)
	w.settle()
	w.a.step(FeeRate{Rate: 2500})
	w.a.mined()
	late := w.tip.Height + 144 + 80 - UpstreamMargin
	w.a.step(Block{At: blockRef(late)})
	require.Len(t, w.a.outcomes, 2)
	w.a.taken(late+1, 0, 1)
	w.a.crash()
	w.a.step(FeeRate{Rate: 8000})
	e, _ := w.a.ch.byRef(htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 2})
	worth := w.a.ch.enforceable(e)
	require.True(t, 0 < worth && worth <= w.a.ch.presentRate().Fee(2*closeWeight), "%v", worth)
	w.a.step(Block{At: blockRef(late + 19)})
	w.a.step(Block{At: blockRef(late + 20)})
	require.Len(t, w.a.outcomes, 2, "30000 would be taken, 25000 may be")
}

// TestNoReasonUpstream: B5.absent.4: what is worth something after the fees, but is no reason
// for a close upstream either, is failed there in time, or its sender would wait for ever. A
// payment of our own waits for cheaper times.
func TestNoReasonUpstream(t *testing.T) {
	w := opened(t, func(w *world, o *openOptions) { o.format = commitment.Anchors })
	rate := w.a.ch.presentRate()
	worth := rate.Fee(htlcWeight+secondWeight) + rate.Fee(2*closeWeight)
	w.a.forwarded(worth.MilliSat(), 1, 80)
	w.a.forwarded((worth + 10).MilliSat(), 2, 80)
	w.a.add(worth.MilliSat(), 3)
	w.settle()
	require.Positive(t, w.a.ch.enforceable(w.a.ch.out[0]))
	expiry := w.tip.Height + 144
	tx, _ := w.a.ch.signedCommitment()
	w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: tx, At: blockRef(w.tip.Height + 1)})
	require.Equal(t, SpentByUs, w.a.ch.core.Spend.Kind)
	w.a.step(Block{At: blockRef(expiry + 80 - UpstreamMargin - 1)})
	require.Empty(t, w.a.outcomes)
	w.a.step(Block{At: blockRef(expiry + 80 - UpstreamMargin)})
	want := map[htlc.Ref]htlc.ResolutionKind{{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.TimedOut}
	require.Equal(t, want, outcomesOf(t, w.a))
	w.a.step(Block{At: blockRef(expiry + 1000)})
	require.Equal(t, want, outcomesOf(t, w.a))
}

// TestNoNeedlessClose: neither a peer that stays away, nor one whose idea of the fee is not
// ours, nor dust ends a channel in which nothing is at stake.
func TestNoNeedlessClose(t *testing.T) {
	w := opened(t, nil)
	published := len(w.b.published)
	w.disconnect()
	for range 30 { // half a year without the funder, while the chain becomes a hundred times dearer
		w.tip = blockRef(w.tip.Height + 900)
		w.a.step(Block{At: w.tip})
		w.b.step(FeeRate{Rate: 250_000})
		w.b.step(Block{At: w.tip})
		w.b.step(Flush{})
	}
	require.Equal(t, Open, w.b.ch.Phase())
	for range 5 { // it comes back and asks for what we do not take
		w.b.step(FeeRate{Rate: 300})
		w.connect()
		w.settle()
		w.b.step(Received{Msg: &lnwire.UpdateFee{ChannelID: w.b.ch.core.ChannelID, FeeratePerKW: 200_000}})
		require.True(t, w.b.drop)
		w.disconnect()
		require.Equal(t, Open, w.b.ch.Phase())
	}
	w.connect()
	w.settle()
	for i := range 20 { // dust beyond the limit is failed, or waits
		w.b.cfg.MaxDustExposure = 1_000_000
		w.a.add(200_000, i+1)
	}
	w.settle()
	require.Len(t, w.b.locked, 20)
	require.Equal(t, htlc.UnfitDust, w.b.locked[19].Unfit)
	require.Equal(t, Open, w.b.ch.Phase())
	require.Equal(t, Open, w.a.ch.Phase())
	require.Len(t, w.b.published, published)
}
