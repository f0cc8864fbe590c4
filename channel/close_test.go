package channel

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// closeBoth brings a world to the agreed closing transaction.
func closeBoth(t require.TestingT, w *world) *wire.MsgTx {
	w.settle()
	require.Equal(t, MutualClose, w.a.ch.Phase())
	require.Equal(t, MutualClose, w.b.ch.Phase())
	tx := w.a.ch.core.CloseTx
	require.Equal(t, tx.TxHash(), w.b.ch.core.CloseTx.TxHash())
	return tx
}

// requireScripts runs Bitcoin's script engine over a spend of the funding.
func requireScripts(t require.TestingT, n *node, tx *wire.MsgTx) {
	_, script := commitment.FundingScript(n.ch.terms.Ours.Funding, n.ch.terms.Theirs.Funding)
	value := int64(n.ch.terms.Capacity)
	prev := txscript.NewCannedPrevOutputFetcher(script, value)
	vm, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(tx, prev), value, prev)
	require.NoError(t, err)
	require.NoError(t, vm.Execute())
}

// TestMutualClose: either side may begin, whichever estimates it has; they agree
// within three closing_signed, on a transaction that Bitcoin takes: B2.closing.1,
// B2.closing.2, B2.closing.4 to B2.closing.6.
func TestMutualClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		real := rapid.IntRange(0, 9).Draw(t, "real") == 0
		w := opened(t, func(w *world, o *openOptions) {
			if real {
				w.useReal()
			}
			o.push = lnwire.MilliSat(rapid.Uint64Range(0, 985_000_000).Draw(t, "push"))
			o.rate = 1000
		})
		for i, n := range w.nodes() {
			n.step(FeeRate{Rate: lnwire.SatPerKW(rapid.Uint32Range(100, 20_000).Draw(t, "estimate"))})
			if rapid.Bool().Draw(t, "asks") || i == 1 && !w.a.ch.want.closing {
				n.step(CloseAsked{})
			}
		}
		w.log = func(string, ...any) {}
		signed := 0
		w.log = func(format string, args ...any) {
			if format == "%s <- %s" && len(args[1].(string)) > 14 && args[1].(string)[:14] == "closing_signed" {
				signed++
			}
		}
		tx := closeBoth(t, w)
		require.LessOrEqual(t, signed, 3)
		fee := usual.capacity
		for _, out := range tx.TxOut {
			fee -= lnwire.Sat(out.Value)
		}
		require.LessOrEqual(t, fee, 3*lnwire.SatPerKW(20_000).Fee(700)+354)
		if real {
			requireScripts(t, w.a, tx)
		}
	})
}

// TestMutualCloseAgain: after the agreement a reconnect negotiates anew; whatever the
// cut took, both keep a closing transaction, and no error makes them force close.
func TestMutualCloseAgain(t *testing.T) {
	for cut := range 6 {
		w := opened(t, nil)
		w.a.step(CloseAsked{FeeRate: 1000})
		for k := range 12 {
			if k == 2*cut {
				w.disconnect()
				w.connect()
			}
			n := w.nodes()[k%2]
			n.deliver(1)
			n.step(Flush{})
		}
		tx := closeBoth(t, w)
		w.disconnect()
		w.connect()
		require.Equal(t, tx.TxHash(), closeBoth(t, w).TxHash())
		w.b.crash()
		require.Equal(t, tx.TxHash(), w.b.last.Publish[0].TxHash())
		w.connect()
		closeBoth(t, w)
		w.a.step(CloseAsked{})
		require.Equal(t, tx.TxHash(), w.a.last.Publish[0].TxHash())
		w.a.step(Received{Msg: &lnwire.Error{ChannelID: w.a.ch.id(), Data: []byte("unknown channel")}})
		require.Equal(t, MutualClose, w.a.ch.Phase())
	}
}

// TestShutdownAfterCrash: who had received a shutdown and not answered it answers
// after a restart, with a script that it asks for once.
func TestShutdownAfterCrash(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.a.step(CloseAsked{})
	w.a.step(Flush{})
	w.b.deliver(1)
	require.Equal(t, ShuttingDown, w.b.ch.Phase())
	w.b.crash()
	w.connect()
	w.b.deliver(1)
	fx := w.b.ch.Step(Flush{})
	require.Len(t, fx.Ask, 1)
	require.Empty(t, w.b.ch.Step(Flush{}).Ask)
	w.b.answer(fx.Ask[0])
	w.b.fulfill(0, 1)
	closeBoth(t, w)
}

// TestShutdownScriptWished: between the wallet's answer and the shutdown the operator may wish to
// close, with a script or without: the wallet's serves, and the operator's goes before it.
func TestShutdownScriptWished(t *testing.T) {
	for _, wished := range [][]byte{nil, append([]byte{0, 20}, make([]byte, 20)...)} {
		for _, before := range []bool{false, true} {
			w := opened(t, nil)
			w.a.step(CloseAsked{})
			w.a.step(Flush{})
			w.b.deliver(1)
			fx := w.b.ch.Step(Flush{})
			require.Len(t, fx.Ask, 1)
			steps := []Event{Answered{ID: fx.Ask[0].ID, Answer: ShutdownScript{Script: w.b.script()}}, CloseAsked{Script: wished}}
			if before {
				slices.Reverse(steps)
			}
			for _, ev := range steps {
				w.b.ch.Step(ev)
			}
			w.b.step(Flush{})
			want := w.b.script()
			if wished != nil {
				want = wished
			}
			require.Equal(t, want, w.b.ch.core.OurShutdown)
		}
	}
}

// TestFrozen: a channel that was agreed upon elsewhere is not closed by its funder before the
// height that was agreed upon, or so many blocks after its confirmation; by the other side it is.
func TestFrozen(t *testing.T) {
	for _, absolute := range []bool{false, true} {
		frozen := func() (*world, lnwire.Height) {
			thaw := uint32(20)
			if absolute {
				thaw = absoluteThaw + 7
			}
			w := opened(t, func(_ *world, o *openOptions) { o.thaw = thaw })
			if absolute {
				return w, absoluteThaw + 7
			}
			return w, w.a.ch.core.Confirmed.At.Height + 20
		}
		at := func(w *world, h lnwire.Height) {
			for _, n := range w.nodes() {
				n.step(Block{At: blockRef(h)})
			}
		}
		w, until := frozen()
		at(w, until-1)
		w.a.step(CloseAsked{})
		w.settle()
		require.Equal(t, Open, w.a.ch.Phase())
		require.Contains(t, w.a.notices[len(w.a.notices)-1].Text, fmt.Sprintf("until height=%d, (current_height=%d)", until, until-1))
		w.b.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.b.ch.id(), Script: w.a.script()}})
		requireWarned(t, w.b, fmt.Sprintf("before block %d", until))
		require.Equal(t, Open, w.b.ch.Phase())

		w, _ = frozen()
		w.b.step(CloseAsked{})
		closeBoth(t, w)

		w, until = frozen()
		at(w, until)
		w.a.step(CloseAsked{})
		closeBoth(t, w)
	}
}

// TestShutdownOrder: B2.shutdown.1, B2.shutdown.2, B2.shutdown.3: not while an update
// waits for its signature, answered by the peer, repeated after a reconnect, no adds
// behind it; HTLCs drain first.
func TestShutdownOrder(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.a.add(5_000_000, 2)
	w.a.away = true // it cannot sign
	w.a.step(CloseAsked{})
	for _, g := range w.a.step(Flush{}).Send {
		require.NotEqual(t, lnwire.MsgShutdown, g[0].Type())
	}
	w.a.add(5_000_000, 3)
	requireRefused(t, w.a, htlc.LinkDown, "being closed")
	w.a.away = false
	fx := w.a.step(Flush{})
	require.Equal(t, lnwire.MsgUpdateAddHTLC, fx.Send[0][0].Type())
	require.Equal(t, lnwire.MsgCommitmentSigned, fx.Send[1][0].Type())
	require.Len(t, fx.Ask, 1)
	fx = w.a.last // the turn after the answer
	require.Equal(t, lnwire.MsgShutdown, fx.Send[0][0].Type())
	require.NotNil(t, fx.Delta.Core.OurShutdown)
	w.settle()
	require.Equal(t, ShuttingDown, w.b.ch.Phase())
	require.NotNil(t, w.a.ch.core.TheirShutdown)
	w.b.add(5_000_000, 4)
	requireRefused(t, w.b, htlc.LinkDown, "shutting-down")
	w.b.crash()
	w.connect()
	w.b.fulfill(0, 1)
	w.settle()
	require.Equal(t, ShuttingDown, w.a.ch.Phase())
	w.b.fail(1)
	closeBoth(t, w)
	require.True(t, w.a.ch.core.WeClosed)
	require.False(t, w.b.ch.core.WeClosed)
}

// TestShutdownScripts: B2.shutdown.5: the forms that are allowed.
func TestShutdownScripts(t *testing.T) {
	push := func(version byte, n int) []byte { return append([]byte{version, byte(n)}, make([]byte, n)...) }
	for _, c := range []struct {
		script       []byte
		always, with bool
	}{
		{push(0, 20), true, true}, {push(0, 32), true, true}, {push(0, 21), false, false}, {push(0, 2), false, false},
		{push(0x51, 32), false, true}, {push(0x60, 2), false, true}, {push(0x60, 40), false, true}, {push(0x51, 41), false, false},
		{push(0x51, 1), false, false}, {push(0x61, 32), false, false}, {push(0x50, 32), false, false}, {nil, false, false},
		{push(0x6a, 20), false, false}, {append(push(0, 20), 0), false, false}, {[]byte{0x76, 0xa9, 20}, false, false}, {[]byte{0, 20}, false, false},
	} {
		require.Equal(t, c.always, shutdownScript(c.script, false), "%x", c.script)
		require.Equal(t, c.with, shutdownScript(c.script, true), "%x", c.script)
	}
	w := opened(t, nil)
	w.a.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.a.ch.id(), Script: []byte{0x6a, 1, 1, 1}}})
	requireWarned(t, w.a, "no allowed form")
	w = opened(t, nil)
	w.a.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.a.ch.id(), Script: w.b.script()}})
	w.a.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.a.ch.id(), Script: w.a.script()}})
	requireWarned(t, w.a, "another scriptpubkey")
}

// TestUpfrontShutdown: B2.shutdown.4 for us, B2.shutdown.6 for the peer.
func TestUpfrontShutdown(t *testing.T) {
	make := func() *world {
		return opened(t, func(w *world, _ *openOptions) { w.a.upfront = append([]byte{0, 20, 19: 3}, 1, 2) })
	}
	w := make()
	w.a.step(CloseAsked{Script: w.a.script()})
	require.Equal(t, NoticeCloseRefused, w.a.last.Tell[0].Kind)
	w.a.step(CloseAsked{})
	w.a.step(Flush{})
	require.Equal(t, w.a.upfront, next[*lnwire.Shutdown](t, w.b).Script)
	closeBoth(t, w)

	w = make()
	w.b.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.b.ch.id(), Script: w.a.script()}})
	requireWarned(t, w.b, "upfront_shutdown_script")
}

// TestClosingRefused: what closing_signed must not be: B2.closing.3, B2.closing.7.
func TestClosingRefused(t *testing.T) {
	negotiate := func() *world {
		w := opened(t, nil)
		w.a.step(CloseAsked{FeeRate: 1000})
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		return w
	}
	w := negotiate()
	next[*lnwire.ClosingSigned](t, w.b).Sig[8] ^= 1
	w.b.deliver(1)
	requireWarned(t, w.b, "signature is wrong")
	w.disconnect()
	w.connect() // it starts anew
	closeBoth(t, w)

	w = negotiate()
	next[*lnwire.ClosingSigned](t, w.b).Fee = 1_000_000
	w.b.deliver(1)
	requireWarned(t, w.b, "exceeds")

	w = negotiate()
	w.a.step(Received{Msg: signedBy(w.b, 700, &lnwire.FeeRange{Min: 150, Max: 701})})
	require.Equal(t, MutualClose, w.a.ch.Phase()) // the fundee chose within both ranges

	w = negotiate()
	w.a.step(Received{Msg: signedBy(w.b, 200, &lnwire.FeeRange{Min: 10, Max: 100})})
	requireWarned(t, w.a, "does not meet")

	w = negotiate()
	w.a.step(Received{Msg: signedBy(w.b, 60_000, &lnwire.FeeRange{Min: 300, Max: 90_000})})
	requireFailed(t, w.a, "one side only") // B2.closing.7

	w = opened(t, nil)
	w.a.step(Received{Msg: &lnwire.ClosingSigned{ChannelID: w.a.ch.id()}})
	requireWarned(t, w.a, "not allowed now")
}

// signedBy is a closing_signed of n with any fee.
func signedBy(n *node, fee lnwire.Sat, r *lnwire.FeeRange) *lnwire.ClosingSigned {
	c := n.ch
	tx, err := commitment.BuildClosing(c.closing(), fee)
	require.NoError(n.w.t, err)
	sigs, _ := c.crypto.Sign([]commitment.SignJob{tx.Job(c.terms.Keys)})
	return &lnwire.ClosingSigned{ChannelID: c.core.ChannelID, Fee: fee, Sig: sigs[0], Range: r}
}

// TestClosingWithoutRange: B2.closing.5, B2.closing.10, B2.closing.11: a peer that
// knows no fee_range is met half way, and must keep moving.
func TestClosingWithoutRange(t *testing.T) {
	start := func() *world {
		w := opened(t, nil)
		w.a.step(CloseAsked{FeeRate: 1000, MaxFeeRate: 12_000})
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		return w
	}
	w := start()
	first := next[*lnwire.ClosingSigned](t, w.b).Fee
	w.a.step(Received{Msg: signedBy(w.b, 10_000, nil)})
	second := w.a.last.Send[0][0].(*lnwire.ClosingSigned).Fee
	require.True(t, between(second, first, 10_000))
	w.a.step(Received{Msg: signedBy(w.b, 9000, nil)})
	third := w.a.last.Send[0][0].(*lnwire.ClosingSigned).Fee
	require.True(t, between(third, second, 9000))
	w.a.step(Received{Msg: signedBy(w.b, 9500, nil)})
	requireWarned(t, w.a, "is not between")

	w = start() // what lies in our range is taken at once
	w.a.step(Received{Msg: signedBy(w.b, first+10, nil)})
	require.Equal(t, MutualClose, w.a.ch.Phase())
	require.Equal(t, first+10, w.a.last.Send[0][0].(*lnwire.ClosingSigned).Fee)

	w = start() // half way, but never above what we are ready to pay
	most := w.a.ch.conn.offers.max
	for fee := lnwire.Sat(600_000); ; fee -= 1000 {
		w.a.step(Received{Msg: signedBy(w.b, fee, nil)})
		m, ok := w.a.last.Send[0][0].(*lnwire.ClosingSigned)
		if !ok {
			break
		}
		require.LessOrEqual(t, m.Fee, most)
	}
	requireWarned(t, w.a, "out of the")
	require.Equal(t, ShuttingDown, w.a.ch.Phase())
}

// TestClosingWithLnd: a fundee that knows no fee_range, whose estimate is far below
// the rate that the funder's operator asked for, and that bargains as lnd does: up by
// a tenth each time, and yes to what is less than a third above its last offer. The
// operator gets the rate, within a tenth.
func TestClosingWithLnd(t *testing.T) {
	for _, estimate := range []lnwire.SatPerKW{253, 500, 1000, 4000} {
		w := opened(t, nil)
		w.a.step(CloseAsked{FeeRate: 5000})
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		ours := next[*lnwire.ClosingSigned](t, w.b).Fee
		weight := w.a.ch.closing().Weight()
		asked := lnwire.SatPerKW(5000).Fee(weight)
		require.Equal(t, asked, ours)
		theirs := estimate.Fee(weight)
		for rounds := 0; w.a.ch.Phase() != MutualClose; rounds++ {
			require.Less(t, rounds, 60)
			if rounds > 0 && ours <= theirs+3*theirs/10 {
				theirs = ours
			} else if rounds > 0 {
				theirs += theirs / 10
			}
			w.a.step(Received{Msg: signedBy(w.b, theirs, nil)})
			if w.a.ch.Phase() != MutualClose {
				ours = w.a.last.Send[0][0].(*lnwire.ClosingSigned).Fee
			}
		}
		require.GreaterOrEqual(t, w.a.ch.core.CloseFee, asked-asked/10)
		require.LessOrEqual(t, w.a.ch.core.CloseFee, asked)
	}
}

// TestClosingDust: B2.closing.8: an output that does not relay fails the channel.
func TestClosingDust(t *testing.T) {
	require.Equal(t, lnwire.Sat(354), commitment.DustThreshold(append([]byte{0x60, 4}, 1, 2, 3, 4)))
	tx := &commitment.ClosingTx{Tx: &wire.MsgTx{TxOut: []*wire.TxOut{{Value: 353, PkScript: append([]byte{0x60, 4}, 1, 2, 3, 4)}}}}
	require.False(t, (&Channel{}).relays(tx))
	tx.Tx.TxOut[0].Value++
	require.True(t, (&Channel{}).relays(tx))
	// One side has nothing: its output is left away, and both agree on that.
	w := opened(t, func(_ *world, o *openOptions) { o.push = 0 })
	w.a.step(CloseAsked{})
	require.Len(t, closeBoth(t, w).TxOut, 1)
}

// TestClosingPatience: B2.closing.9: a peer that stops talking about the fee is left
// to the chain in the end.
func TestClosingPatience(t *testing.T) {
	w := opened(t, nil)
	w.a.step(Tick{Mono: time.Hour})
	w.a.step(CloseAsked{})
	w.a.step(Flush{})
	w.b.deliver(-1)
	w.b.step(Flush{})
	w.a.deliver(-1)
	fx := w.a.step(Flush{})
	// The time that the machine knew was an hour old: the clock starts now.
	require.Equal(t, time.Hour+1, fx.Wake)
	fx = w.a.step(Tick{Mono: 2 * time.Hour})
	require.Equal(t, 2*time.Hour+closingPatience, fx.Wake)
	w.a.step(Tick{Mono: fx.Wake - 1})
	require.Equal(t, ShuttingDown, w.a.ch.Phase())
	w.a.step(Tick{Mono: fx.Wake})
	requireFailed(t, w.a, "no agreement")
}

// TestSpends: the funding spent, by whom; V-14: a mutual close is forgotten only when
// it is a hundred deep, reported before, taken back by a reorg.
func TestSpends(t *testing.T) {
	w := opened(t, func(w *world, _ *openOptions) { w.useReal() })
	w.a.add(5_000_000, 1)
	w.settle()
	w.a.step(CloseAsked{Force: true})
	tx := w.a.published[len(w.a.published)-1]
	requireScripts(t, w.a, tx)
	w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: tx, At: w.tip})
	require.Equal(t, SpentByUs, w.a.ch.core.Spend.Kind)
	w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: tx, At: w.tip})
	require.Equal(t, SpentByThem, w.b.ch.core.Spend.Kind)
	require.NotEmpty(t, w.b.rows.HTLCs)
	w.blocks(200)
	require.NotNil(t, w.b.rows.Terms) // its outputs are not resolved
	w.b.step(Unconfirmed{Txid: tx.TxHash()})
	require.Equal(t, Failed, w.b.ch.Phase())
	require.Len(t, w.b.last.Publish, 1)

	w = opened(t, nil)
	w.a.step(CloseAsked{})
	tx = closeBoth(t, w)
	other := w.fakeSpend(tx)
	w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: other, At: w.tip})
	require.Equal(t, Closing, w.b.ch.Phase()) // any closing transaction that the two signed
	require.Equal(t, SpentByMutual, w.b.ch.core.Spend.Kind)
	w.b.step(Spent{OutPoint: wire.OutPoint{}, Tx: tx, At: w.tip})
	require.Equal(t, other.TxHash(), w.b.ch.core.Spend.Tx.TxHash())
	w.b.step(Block{At: blockRef(w.tip.Height + 2)})
	require.NotNil(t, w.b.rows.Closed)
	require.NotNil(t, w.b.rows.Terms)
	require.Equal(t, lnwire.Sat(300_000), w.b.rows.Closed.Settled)
	w.b.step(Block{At: blockRef(w.tip.Height + 99)})
	require.Nil(t, w.b.rows.Terms)
	require.Equal(t, Closed, w.b.ch.Phase())
}

func (w *world) fakeSpend(tx *wire.MsgTx) *wire.MsgTx {
	other := tx.Copy()
	other.TxOut[1].Value -= 10
	return other
}

// TestCloseRefusedWhen: closing asked at the wrong moment is refused with words.
func TestCloseRefusedWhen(t *testing.T) {
	w := opened(t, nil)
	w.disconnect()
	w.a.step(CloseAsked{})
	require.Contains(t, w.a.last.Tell[0].Text, "the peer is not there")
	w.a.step(CloseAsked{Force: true})
	w.a.step(CloseAsked{})
	require.Contains(t, w.a.last.Tell[0].Text, "already failed")
	w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: w.a.published[len(w.a.published)-1], At: w.tip})
	w.a.step(CloseAsked{Force: true})
	require.Contains(t, w.a.last.Tell[0].Text, "already spent")

	w = newWorld(t)
	w.ask(usual)
	w.a.step(CloseAsked{})
	requireAborted(t, w.a, "cancelled")
}

// TestForcedOutOfMutualClose: a closing transaction that no block takes does not hold the
// channel: the operator can go to the chain alone. Whichever transaction is mined counts.
func TestForcedOutOfMutualClose(t *testing.T) {
	w := opened(t, nil)
	w.a.step(CloseAsked{})
	closing := closeBoth(t, w)
	w.a.step(CloseAsked{Force: true})
	requireFailed(t, w.a, "unilaterally")
	ours := w.a.last.Publish[0]
	require.NotEqual(t, closing.TxHash(), ours.TxHash())
	require.True(t, w.a.info().Core.WeClosed)
	w.blocks(1)
	require.Equal(t, ours.TxHash(), w.a.published[len(w.a.published)-1].TxHash(), "offered with every block")
	w.a.crash()
	require.Equal(t, Failed, w.a.ch.Phase())

	w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: ours, At: w.tip})
	require.Equal(t, SpentByUs, w.a.ch.core.Spend.Kind)
	w.a.step(Unconfirmed{Txid: ours.TxHash()})
	require.Equal(t, Failed, w.a.ch.Phase())
	w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: closing, At: w.tip})
	require.Equal(t, SpentByMutual, w.a.ch.core.Spend.Kind)
	for _, n := range w.a.notices {
		require.NotEqual(t, NoticeBug, n.Kind)
	}
}
