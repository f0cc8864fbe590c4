package channel

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var burning = append([]byte{0x6a, 6}, 1, 2, 3, 4, 5, 6)

// simple is a channel of nodes that know the simple close. a has opened it.
func simple(t require.TestingT, change func(w *world, o *openOptions)) *world {
	return opened(t, func(w *world, o *openOptions) {
		for _, n := range w.nodes() {
			n.features = n.features.With(lnwire.SimpleCloseOptional)
		}
		if change != nil {
			change(w, o)
		}
	})
}

// fees are what both closing transactions of a node's channel pay; 0: there is none.
func (n *node) fees() (ours, theirs lnwire.Sat) {
	pays := func(tx *wire.MsgTx) lnwire.Sat {
		if tx == nil {
			return 0
		}
		return n.ch.terms.Capacity - lnwire.Sat(paid(tx))
	}
	return pays(n.ch.core.CloseTx), pays(n.ch.core.PeerCloseTx)
}

// requireSame: what is the one's own transaction is the other's the peer's.
func requireSameClose(t require.TestingT, w *world) {
	hash := func(tx *wire.MsgTx) (h [32]byte) {
		if tx != nil {
			h = tx.TxHash()
		}
		return h
	}
	a, b := &w.a.ch.core, &w.b.ch.core
	require.Equal(t, hash(a.CloseTx), hash(b.PeerCloseTx))
	require.Equal(t, hash(b.CloseTx), hash(a.PeerCloseTx))
	for _, n := range w.nodes() {
		require.Equal(t, MutualClose, n.ch.Phase())
		require.False(t, n.drop)
	}
}

// TestSimpleClose: B2.simple.1, B2.simple.3, B2.simple.9, B2.simple.13: who asks makes its
// transaction first, at the rate that it wishes; the other makes one too. Both are
// published by both, and Bitcoin's engine takes them.
func TestSimpleClose(t *testing.T) {
	for _, by := range []int{0, 1} {
		w := simple(t, func(w *world, _ *openOptions) { w.useReal() })
		n := w.nodes()[by]
		n.step(CloseAsked{FeeRate: 5000})
		w.settle()
		requireSameClose(t, w)
		first, second := n.fees()
		weight := n.ch.closing().Weight()
		require.Equal(t, lnwire.SatPerKW(5000).Fee(weight), first)
		require.Equal(t, lnwire.FeeFloor.Fee(weight)+1, second)
		for _, x := range w.nodes() {
			for _, tx := range x.ch.closeTxs() {
				requireScripts(t, x, tx)
				require.Contains(t, x.published, tx)
			}
			require.Equal(t, map[bool]*wire.MsgTx{true: x.ch.core.CloseTx, false: x.ch.core.PeerCloseTx}[x == n], x.ch.likeliest()[0])
		}
	}
}

// TestSimpleCloseAlone: a peer that asks for a close and offers nothing is not waited for
// for ever, nor one that can pay for nothing.
func TestSimpleCloseAlone(t *testing.T) {
	w := simple(t, nil)
	w.b.step(CloseAsked{FeeRate: 5000})
	w.b.step(Flush{})
	w.a.deliver(-1)
	w.a.step(Flush{})
	require.Equal(t, []lnwire.MsgType{38}, types([][]lnwire.Message{w.b.inbox}))
	w.a.step(Flush{})
	require.Len(t, w.b.inbox, 1)
	fx := w.a.step(Tick{Mono: time.Hour})
	require.Equal(t, time.Hour+sigPatience, fx.Wake)
	w.a.step(Tick{Mono: fx.Wake})
	require.Equal(t, []lnwire.MsgType{40}, types(w.a.step(Flush{}).Send))

	w = simple(t, func(_ *world, o *openOptions) { o.push = 0 })
	w.b.step(CloseAsked{FeeRate: 5000})
	w.settle()
	requireSameClose(t, w)
	ours, theirs := w.b.fees()
	require.Zero(t, ours, "it has nothing")
	require.NotZero(t, theirs)
}

func types(send [][]lnwire.Message) (list []lnwire.MsgType) {
	for _, group := range send {
		for _, m := range group {
			list = append(list, m.Type())
		}
	}
	return list
}

// TestSimpleBump: B2.simple.6, B2.simple.10, B2.simple.14: either raises its fee again and
// again, and may change its address; over crashes, cuts and an absent signer.
func TestSimpleBump(t *testing.T) {
	w := simple(t, nil)
	w.a.step(CloseAsked{FeeRate: 2000})
	w.settle()
	weight := w.a.ch.closing().Weight()
	fee := func(n *node) lnwire.Sat { f, _ := n.fees(); return f }
	for i, n := range []*node{w.a, w.a, w.b, w.a} {
		rate := lnwire.SatPerKW(3000 + 1000*i)
		n.step(CloseAsked{FeeRate: rate})
		w.settle()
		require.Equal(t, rate.Fee(weight), fee(n))
		requireSameClose(t, w)
	}
	w.a.step(CloseAsked{FeeRate: 100}) // less does not replace anything
	requireNotice(t, w.a, NoticeCloseRefused, "would not replace")
	require.Empty(t, w.a.step(Flush{}).Send)

	moved := append([]byte{0, 20}, bytes.Repeat([]byte{9}, 20)...)
	old := w.a.ch.core.OurShutdown
	w.a.step(CloseAsked{FeeRate: 7000, Script: moved})
	w.settle()
	requireSameClose(t, w)
	require.Equal(t, moved, w.a.ch.core.OurShutdown)
	require.Equal(t, moved, w.b.ch.core.TheirShutdown)
	require.Equal(t, [][]byte{old}, w.a.ch.core.OldScripts)
	require.True(t, w.a.ch.pays(old) && w.a.ch.pays(moved))

	w.a.step(CloseAsked{FeeRate: 8000}) // cut before the answer: said again
	w.a.step(Flush{})
	w.disconnect()
	w.a.crash()
	require.Len(t, w.a.last.Publish, 2)
	w.connect()
	w.settle()
	require.Equal(t, lnwire.SatPerKW(8000).Fee(weight), fee(w.a))
	requireSameClose(t, w)

	w.b.away = true // the other's signer
	w.a.step(CloseAsked{FeeRate: 9000})
	w.settle()
	require.NotEqual(t, lnwire.SatPerKW(9000).Fee(weight), fee(w.a))
	w.a.step(CloseAsked{FeeRate: 9500}) // waits for the answer to the first
	require.Empty(t, w.a.step(Flush{}).Send)
	w.b.away = false
	w.settle()
	require.Equal(t, lnwire.SatPerKW(9500).Fee(weight), fee(w.a))
	requireSameClose(t, w)

	w.disconnect()
	w.a.step(CloseAsked{FeeRate: 9999})
	requireNotice(t, w.a, NoticeCloseRefused, "already agreed")
}

// TestSimplePatience: B2.simple.6: no second offer before the first is answered; a peer
// that does not answer is left, and asked again on the next connection.
func TestSimplePatience(t *testing.T) {
	w := simple(t, nil)
	w.a.step(CloseAsked{FeeRate: 2000})
	w.a.step(Flush{})
	w.b.deliver(-1)
	w.b.step(Flush{})
	w.a.deliver(-1)
	require.Equal(t, []lnwire.MsgType{40}, types(w.a.step(Flush{}).Send))
	w.a.step(CloseAsked{FeeRate: 4000})
	require.Empty(t, w.a.step(Flush{}).Send)
	fx := w.a.step(Tick{Mono: time.Hour})
	require.False(t, fx.Disconnect)
	w.a.step(Tick{Mono: time.Hour + sigPatience})
	requireWarned(t, w.a, "no closing_sig")
	w.disconnect()
	w.connect()
	w.settle()
	requireSameClose(t, w)
	fee, _ := w.a.fees()
	require.Equal(t, lnwire.SatPerKW(4000).Fee(w.a.ch.closing().Weight()), fee)
}

// TestSimpleShapes: B2.simple.2, B2.simple.4, B2.simple.5, B2.simple.8: whatever the
// balances, fees and scripts: what one side offers the other takes; no output is dust,
// who has more never leaves its output away, and the fee is what was said.
func TestSimpleShapes(t *testing.T) {
	scripts := [][]byte{
		append([]byte{0, 20}, bytes.Repeat([]byte{1}, 20)...), append([]byte{0, 32}, bytes.Repeat([]byte{2}, 32)...),
		append([]byte{0x51, 32}, bytes.Repeat([]byte{3}, 32)...), burning,
	}
	rapid.Check(t, func(t *rapid.T) {
		w := simple(t, nil)
		small := rapid.SampledFrom([]lnwire.MilliSat{0, 1, 293_000, 294_000, 353_999, 700_000, 1_000_000, 1_500_000, 300_000_000, 500_000_000}).Draw(t, "small")
		few := rapid.IntRange(0, 1).Draw(t, "who has it")
		for i, n := range w.nodes() { // as if payments had brought it there
			c := &n.ch.core
			c.Ours, c.Theirs = n.ch.terms.Capacity.MilliSat()-small, small
			if i == few {
				c.Ours, c.Theirs = c.Theirs, c.Ours
			}
			n.quietLaw = true
		}
		by := rapid.IntRange(0, 1).Draw(t, "who closes")
		n, other := w.nodes()[by], w.nodes()[1-by]
		script := rapid.SampledFrom(scripts).Draw(t, "script")
		other.ch.want.script = rapid.SampledFrom(scripts).Draw(t, "script of the other")
		rate := lnwire.SatPerKW(rapid.Uint32Range(253, 30_000).Draw(t, "rate"))
		n.step(CloseAsked{FeeRate: rate, Script: script})
		if len(n.notices) > 0 && n.notices[len(n.notices)-1].Kind == NoticeCloseRefused {
			require.True(t, isReturn(script) && n.ch.core.Ours.Sat() >= uneconomical)
			return
		}
		w.settle()
		requireSameClose(t, w)
		for _, x := range w.nodes() {
			tx := x.ch.core.CloseTx
			if tx == nil {
				p := x.ch.closing()
				p.WeFund = true
				_, shapes := x.ch.closerFee(p)
				require.Empty(t, shapes)
				continue
			}
			mine := false
			for _, out := range tx.TxOut {
				require.False(t, dust(out.PkScript, lnwire.Sat(out.Value)))
				mine = mine || bytes.Equal(out.PkScript, x.ch.core.OurShutdown)
			}
			require.True(t, mine || x.ch.core.Ours < x.ch.core.Theirs)
			require.LessOrEqual(t, x.ch.core.CloseFee, x.ch.core.Ours.Sat())
			require.LessOrEqual(t, x.ch.core.CloseFee, x.ch.terms.Capacity-lnwire.Sat(paid(tx)))
		}
	})
}

// TestSimpleRefused: B2.simple.7, B2.simple.8, B2.simple.11, B2.simple.12: what is not as
// agreed is answered with a warning and a new start; nothing is signed.
func TestSimpleRefused(t *testing.T) {
	for _, v := range []struct {
		what   string
		change func(m *lnwire.ClosingComplete)
	}{
		{"more than your", func(m *lnwire.ClosingComplete) { m.Fee = 700_001 }},
		{"not what we said", func(m *lnwire.ClosingComplete) { m.CloseeScript = m.CloserScript }},
		{"no allowed form", func(m *lnwire.ClosingComplete) { m.CloserScript = []byte{1, 2, 3} }},
		{"closee_output_only is missing", func(m *lnwire.ClosingComplete) { m.BothOutputs = nil }},
		{"closer_and_closee_outputs is wrong", func(m *lnwire.ClosingComplete) { m.Fee++ }},
		{"closer_and_closee_outputs is wrong", func(m *lnwire.ClosingComplete) { m.LockTime++ }},
		{"closer_and_closee_outputs is wrong", func(m *lnwire.ClosingComplete) { m.BothOutputs = m.CloserOnly }},
		{"closer_and_closee_outputs is wrong", func(m *lnwire.ClosingComplete) { m.CloserScript = burning }},
	} {
		w := simple(t, nil)
		w.a.step(CloseAsked{FeeRate: 2000})
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		v.change(w.b.inbox[0].(*lnwire.ClosingComplete))
		w.b.deliver(1)
		requireWarned(t, w.b, v.what)
		require.Nil(t, w.b.ch.core.PeerCloseTx)
	}
	for _, v := range []struct {
		what   string
		change func(m *lnwire.ClosingSig)
	}{
		{"not what we sent", func(m *lnwire.ClosingSig) { m.Fee++ }},
		{"not what we sent", func(m *lnwire.ClosingSig) { m.LockTime++ }},
		{"not what we sent", func(m *lnwire.ClosingSig) { m.CloserScript = burning }},
		{"not what we sent", func(m *lnwire.ClosingSig) { m.CloseeScript = burning }},
		{"not exactly one", func(m *lnwire.ClosingSig) { m.BothOutputs = nil }},
		{"not exactly one", func(m *lnwire.ClosingSig) { m.CloserOnly = m.BothOutputs }},
		{"not exactly one", func(m *lnwire.ClosingSig) { m.CloseeOnly, m.BothOutputs = m.BothOutputs, nil }},
		{"closer_output_only is wrong", func(m *lnwire.ClosingSig) { m.CloserOnly, m.BothOutputs = m.BothOutputs, nil }},
	} {
		w := simple(t, nil)
		w.a.step(CloseAsked{FeeRate: 2000})
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		w.b.deliver(1)
		v.change(w.a.inbox[0].(*lnwire.ClosingSig))
		w.a.deliver(1)
		requireWarned(t, w.a, v.what)
		require.Nil(t, w.a.ch.core.CloseTx)
	}
	w := simple(t, nil)
	w.a.step(CloseAsked{FeeRate: 2000})
	w.settle()
	w.a.step(Received{Msg: &lnwire.ClosingSig{ClosingTerms: lnwire.ClosingTerms{ChannelID: w.a.ch.id()}}})
	requireWarned(t, w.a, "nothing to sign")
	w = simple(t, nil) // B2.simple.1: not both
	w.a.step(CloseAsked{FeeRate: 2000})
	w.settle()
	w.a.step(Received{Msg: &lnwire.ClosingSigned{ChannelID: w.a.ch.id()}})
	requireWarned(t, w.a, "not allowed")
	w = opened(t, nil)
	w.a.step(CloseAsked{FeeRate: 2000})
	closeBoth(t, w)
	w.a.step(Received{Msg: &lnwire.ClosingComplete{ClosingTerms: lnwire.ClosingTerms{ChannelID: w.a.ch.id()}}})
	requireWarned(t, w.a, "not allowed")
}

// TestSimpleFlood: V-62: the peer's offers are signed in bounded number.
func TestSimpleFlood(t *testing.T) {
	w := simple(t, nil)
	w.a.step(CloseAsked{FeeRate: 1000})
	w.settle()
	for i := range 2 * maxOffers {
		w.a.step(CloseAsked{FeeRate: 1010 + 10*lnwire.SatPerKW(i)})
		w.a.step(Flush{})
		w.b.deliver(-1)
		if w.b.drop {
			requireWarned(t, w.b, "too many")
			require.Equal(t, maxOffers, i+1)
			return
		}
		w.a.deliver(-1)
	}
	require.Fail(t, "without end")
}

// TestSimpleUpfront: B2.shutdown.6, B2.shutdown.5: what was fixed stays, and OP_RETURN is
// for those who have next to nothing.
func TestSimpleUpfront(t *testing.T) {
	w := simple(t, func(w *world, _ *openOptions) { w.a.upfront = w.a.script() })
	w.a.step(CloseAsked{FeeRate: 2000, Script: w.b.script()})
	requireNotice(t, w.a, NoticeCloseRefused, "fixed")
	w.a.step(CloseAsked{FeeRate: 2000})
	w.a.step(Flush{})
	w.b.deliver(-1)
	w.b.step(Flush{})
	w.a.deliver(-1)
	w.a.step(Flush{})
	w.b.inbox[0].(*lnwire.ClosingComplete).CloserScript = burning
	w.b.deliver(1)
	requireWarned(t, w.b, "upfront")

	w = simple(t, nil)
	w.b.step(CloseAsked{FeeRate: 2000, Script: burning})
	requireNotice(t, w.b, NoticeCloseRefused, "burn")
	for _, s := range []struct {
		script []byte
		ok     bool
	}{
		{burning, true}, {burning[:7], false}, {append([]byte{0x6a, 5}, 1, 2, 3, 4, 5), false}, {append([]byte{0x6a, 75}, make([]byte, 75)...), true},
		{append([]byte{0x6a, 76, 76}, make([]byte, 76)...), true}, {append([]byte{0x6a, 76, 75}, make([]byte, 75)...), false},
		{append([]byte{0x6a, 76, 80}, make([]byte, 80)...), true}, {append([]byte{0x6a, 76, 81}, make([]byte, 81)...), false},
		{append([]byte{0x6a, 77, 80, 0}, make([]byte, 80)...), false}, {[]byte{0x6a}, false}, {nil, false},
	} {
		require.Equal(t, s.ok, isReturn(s.script), "%x", s.script)
		require.Equal(t, s.ok, w.a.ch.closeScript(s.script))
		require.False(t, opened(t, nil).a.ch.closeScript(s.script), "only in a simple close")
	}
}

// TestSimpleEnds: either transaction may be mined; a reorg brings both back.
func TestSimpleEnds(t *testing.T) {
	for _, ours := range []bool{true, false} {
		w := simple(t, nil)
		w.a.step(CloseAsked{FeeRate: 5000})
		w.settle()
		tx := w.a.ch.core.PeerCloseTx
		if ours {
			tx = w.a.ch.core.CloseTx
		}
		at := blockRef(w.tip.Height + 1)
		w.a.step(Spent{OutPoint: w.a.ch.core.Funding, Tx: tx, At: at})
		require.Equal(t, SpentByMutual, w.a.ch.core.Spend.Kind)
		require.NotZero(t, w.a.ch.mutualRow().Settled)
		w.a.step(Unconfirmed{Txid: tx.TxHash()})
		require.Equal(t, MutualClose, w.a.ch.Phase())
		require.Len(t, w.a.last.Publish, 2)
		w.a.step(Block{At: blockRef(at.Height + 1)})
		require.Equal(t, []*wire.MsgTx{w.a.ch.core.CloseTx}, w.a.last.Publish)
		late := w.a.ch.core.PeerCloseTx.Copy() // one that no block may have yet is not counted on
		late.TxOut[0].Value -= 50_000
		late.LockTime = 499_999_999
		w.a.ch.core.PeerCloseTx = late
		require.Equal(t, w.a.ch.core.CloseTx, w.a.ch.likeliest()[0])
	}
	require.EqualValues(t, 330, commitment.DustThreshold(append([]byte{0, 32}, make([]byte, 32)...)))
}
