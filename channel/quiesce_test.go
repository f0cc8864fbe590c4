package channel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestQuiescence: B2.quiesce.4, B2.quiesce.6: who asks leads; when both do, the funder.
func TestQuiescence(t *testing.T) {
	for _, who := range []string{"a", "b", "ab"} {
		w := opened(t, nil)
		for _, n := range w.nodes() {
			if who == n.name || who == "ab" {
				n.step(QuiesceAsked{})
				n.step(Flush{})
			}
		}
		w.settle()
		for _, n := range w.nodes() {
			i := n.info()
			require.True(t, i.Quiescent)
			require.Equal(t, n.name == who[:1], i.Leads, "%s when %s asked", n.name, who)
			require.False(t, i.Active)
			require.Equal(t, who != "ab", n.ch.conn.quiet.weAsk != n.ch.conn.quiet.theyAsk)
			text := "the peer leads"
			if i.Leads {
				text = "we lead"
			}
			requireNotice(t, n, NoticeQuiescent, text)
			n.step(QuiesceAsked{}) // told again
			requireNotice(t, n, NoticeQuiescent, text)
			n.step(FeeRate{Rate: 5000})
			require.Empty(t, n.step(Flush{}).Send)
		}
		w.disconnect()
		w.connect()
		w.settle()
		require.False(t, w.a.info().Quiescent)
		require.True(t, w.a.info().Active)
	}
}

// TestQuiescenceWaits: B2.quiesce.2: our stfu waits for our updates, in whatever state
// they are; so the peer's finds nothing under way. B2.quiesce.5: the HTLCs that the peer
// has not heard of are given back, its own go through.
func TestQuiescenceWaits(t *testing.T) {
	for k := range 8 { // messages that pass before b wants it
		for _, asks := range []int{0, 1} {
			w := opened(t, nil)
			w.a.add(90_000_000, 1)
			w.b.add(80_000_000, 2)
			w.settle()
			w.b.fulfill(0, 1)
			w.a.add(70_000_000, 3)
			w.b.add(60_000_000, 4)
			w.a.step(Flush{})
			w.b.step(Flush{})
			for i := range k {
				n := w.nodes()[i%2]
				n.deliver(1)
				n.step(Flush{})
			}
			n := w.nodes()[asks]
			n.add(5_000_000, 5) // never signed
			n.step(QuiesceAsked{})
			require.NotEmpty(t, n.refused)
			w.settle()
			for _, n := range w.nodes() {
				require.True(t, n.info().Quiescent, "%d messages", k)
				require.False(t, n.ch.updatesPending(true))
				require.False(t, n.ch.updatesPending(false))
				require.False(t, n.drop)
			}
		}
	}
}

// TestQuiescenceHoldsAnswers: B2.quiesce.8: an answer is durable at once, taken once, said
// on the next connection, over a crash too; the chain deadline is kept meanwhile.
func TestQuiescenceHoldsAnswers(t *testing.T) {
	for _, end := range []string{"drop", "crash", "deadline"} {
		w := opened(t, nil)
		w.a.add(90_000_000, 1)
		w.a.add(80_000_000, 2)
		w.settle()
		w.b.step(QuiesceAsked{})
		w.settle()
		w.b.fulfill(0, 1)
		require.Contains(t, w.b.last.Delta.OutboxDone, w.b.incoming(0))
		require.Empty(t, w.b.last.Send)
		w.b.fail(0) // too late
		w.b.fail(1)
		require.Empty(t, w.b.step(Flush{}).Send)
		switch end {
		case "deadline":
			w.blocks(144 - int(FulfilMargin) - 1)
			require.Equal(t, Open, w.b.ch.Phase())
			w.blocks(1)
			require.Equal(t, Failed, w.b.ch.Phase())
			requireNotice(t, w.b, NoticeFailing, "fulfilled")
			continue
		case "drop":
			w.disconnect()
		case "crash":
			w.b.crash()
			require.Empty(t, w.b.locked, "they are answered")
		}
		w.connect()
		w.settle()
		require.Len(t, w.a.outcomes, 2)
		for _, o := range w.a.outcomes {
			require.Equal(t, o.Ref.ID == 0, o.Resolution.Kind == htlc.Fulfilled)
		}
		require.Empty(t, w.b.ch.in)
	}
}

// TestQuiescenceRefused: B2.quiesce.1, B2.quiesce.2, B2.quiesce.3, B2.quiesce.5: what may not
// be said is answered with a warning and a new start.
func TestQuiescenceRefused(t *testing.T) {
	stfu := func(n *node, first bool) lnwire.Message {
		return &lnwire.Stfu{ChannelID: n.ch.core.ChannelID, Initiator: first}
	}
	for _, v := range []struct {
		what string
		make func(w *world) []lnwire.Message // what b says
	}{
		{"not allowed", func(w *world) []lnwire.Message {
			w.a.ch.conn.features = w.a.ch.conn.features.Without(lnwire.QuiesceOptional)
			return []lnwire.Message{stfu(w.b, true)}
		}},
		{"second", func(w *world) []lnwire.Message { return []lnwire.Message{stfu(w.b, true), stfu(w.b, true)} }},
		{"answer to nothing", func(w *world) []lnwire.Message { return []lnwire.Message{stfu(w.b, false)} }},
		{"pending", func(w *world) []lnwire.Message {
			w.b.add(5_000_000, 1)
			w.b.step(Flush{})
			w.a.deliver(-1)
			return []lnwire.Message{stfu(w.b, true)}
		}},
		{"not allowed", func(w *world) []lnwire.Message {
			return []lnwire.Message{stfu(w.b, true), &lnwire.UpdateFee{ChannelID: w.b.ch.core.ChannelID, FeeratePerKW: 1000}}
		}},
		{"not allowed", func(w *world) []lnwire.Message {
			return []lnwire.Message{stfu(w.b, true), &lnwire.Shutdown{ChannelID: w.b.ch.core.ChannelID, Script: w.b.script()}}
		}},
		{"not allowed", func(w *world) []lnwire.Message {
			w.a.step(QuiesceAsked{})
			w.a.step(Flush{})
			return []lnwire.Message{stfu(w.b, false), &lnwire.CommitmentSigned{ChannelID: w.b.ch.core.ChannelID}}
		}},
	} {
		w := opened(t, nil)
		for _, m := range v.make(w) {
			require.False(t, w.a.drop)
			w.b.put(m)
			w.a.deliver(-1)
		}
		requireWarned(t, w.a, v.what)
	}
	w := opened(t, func(w *world, _ *openOptions) {
		w.b.features = w.b.features.Without(lnwire.QuiesceOptional)
		w.a.features = w.b.features
	})
	w.a.step(QuiesceAsked{})
	requireNotice(t, w.a, NoticeQuiesceRefused, "does not know")
	w.disconnect()
	w.a.step(QuiesceAsked{})
	requireNotice(t, w.a, NoticeQuiesceRefused, "not connected")
}

// TestQuiescenceEnds: B2.quiesce.7: after a minute the connection ends, also when the peer
// never answers; a wish to close waits until then.
func TestQuiescenceEnds(t *testing.T) {
	for _, answered := range []bool{false, true} {
		w := opened(t, nil)
		w.a.step(QuiesceAsked{})
		w.a.step(Flush{})
		if answered {
			w.settle()
		}
		w.a.step(CloseAsked{})
		require.Empty(t, w.a.step(Flush{}).Send)
		fx := w.a.step(Tick{Mono: time.Hour})
		require.Equal(t, time.Hour+quietLimit, fx.Wake)
		w.a.step(Tick{Mono: fx.Wake - 1})
		require.False(t, w.a.drop)
		w.a.step(Tick{Mono: fx.Wake})
		requireWarned(t, w.a, "too long")
		w.disconnect()
		w.connect()
		closeBoth(t, w)
	}
}
