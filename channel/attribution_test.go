package channel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// attributing is everything, with attribution data.
var attributing = everything.With(lnwire.AttributionDataOptional)

// attributed is a world in which both sides know attribution data; b offers it or not.
func attributed(t *testing.T, offered bool) *world {
	w := opened(t, nil)
	for _, n := range w.nodes() {
		n.cfg.Attribution = true
		if offered {
			n.features = attributing
		}
	}
	w.disconnect()
	w.connect()
	w.settle()
	return w
}

// answers are ends of an HTLC of the n-th preimage with data that is told apart by n.
func answers(n int) []htlc.Resolution {
	a := &lnwire.Attribution{byte(n), 1}
	return []htlc.Resolution{
		{Kind: htlc.Fulfilled, Preimage: preimage(n), Attribution: a},
		{Kind: htlc.Failed, Reason: []byte{7, 7}, Attribution: a},
	}
}

// attributionOf is what went with the end of an HTLC.
func attributionOf(m lnwire.Message) (a *lnwire.Attribution, ok bool) {
	switch m := m.(type) {
	case *lnwire.UpdateFulfillHTLC:
		return m.Attribution, true
	case *lnwire.UpdateFailHTLC:
		return m.Attribution, true
	}
	return nil, false
}

// B2.remove.5: attribution data goes with a preimage and with a failure and comes out at the other
// side; a peer that does not offer it gets none, and what it sends all the same is taken.
func TestAttributionTravels(t *testing.T) {
	for _, offered := range []bool{true, false} {
		for kind := range 2 {
			w := attributed(t, offered)
			w.a.add(5_000_000, 3)
			w.settle()
			require.Equal(t, offered, w.b.locked[0].Attribute)
			var said []*lnwire.Attribution
			w.tap = func(m lnwire.Message) {
				if a, ok := attributionOf(m); ok {
					said = append(said, a)
				}
			}
			r := answers(3)[kind]
			w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: r})
			w.settle()
			want := r.Attribution
			if !offered {
				want = nil
			}
			require.Equal(t, []*lnwire.Attribution{want}, said)
			require.Len(t, w.a.outcomes, 1)
			require.Equal(t, want, w.a.outcomes[0].Resolution.Attribution)
			require.Equal(t, r.Kind, w.a.outcomes[0].Resolution.Kind)
		}
	}
	// Sent by one that does not offer it.
	w := attributed(t, false)
	w.a.add(5_000_000, 3)
	w.settle()
	w.a.step(Received{Msg: &lnwire.UpdateFulfillHTLC{ChannelID: w.a.ch.core.ChannelID, Preimage: preimage(3), Attribution: &lnwire.Attribution{9}}})
	require.Equal(t, &lnwire.Attribution{9}, w.a.last.Outcomes[0].Resolution.Attribution)
	require.Equal(t, &lnwire.Attribution{9}, w.a.last.Delta.OutboxPut[0].Resolution.Attribution, "and waits in the outbox")
	// Switched off, nothing is taken.
	w = attributed(t, false)
	w.a.cfg.Attribution = false
	w.a.add(5_000_000, 3)
	w.settle()
	w.a.step(Received{Msg: &lnwire.UpdateFulfillHTLC{ChannelID: w.a.ch.core.ChannelID, Preimage: preimage(3), Attribution: &lnwire.Attribution{9}}})
	require.Nil(t, w.a.last.Outcomes[0].Resolution.Attribution)
}

// B2.remove.5: an answer that is said again, after a disconnect or a restart at any step of the dance, is
// said with the same bytes, whatever the time is by then; acknowledged, it is forgotten.
func TestAttributionIsSaidAgain(t *testing.T) {
	for kind := range 2 {
		for steps := range 6 {
			for _, crash := range []bool{false, true} {
				w := attributed(t, true)
				w.a.add(5_000_000, 3)
				w.settle()
				r := answers(3)[kind]
				w.tap = func(m lnwire.Message) {
					if a, ok := attributionOf(m); ok {
						require.Equal(t, r.Attribution, a)
					}
				}
				w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: r})
				for range steps {
					for _, n := range w.nodes() {
						n.step(Flush{})
						n.deliver(1)
					}
				}
				if crash {
					w.b.crash()
				}
				w.disconnect()
				w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: answers(8)[kind]}) // decided anew
				w.connect()
				w.settle()
				require.Len(t, w.a.outcomes, 1, "%d steps, crash %v", steps, crash)
				require.Equal(t, r.Attribution, w.a.outcomes[0].Resolution.Attribution)
				require.Empty(t, w.b.rows.HTLCs)
			}
		}
	}
	w := attributed(t, true)
	w.a.add(5_000_000, 3)
	w.settle()
	w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: answers(3)[1]})
	w.b.step(Flush{})
	w.a.deliver(-1)
	w.b.deliver(1)
	require.Equal(t, htlc.RcvdRemoveRevocation, w.b.rows.HTLCs[0].State)
	require.Nil(t, w.b.rows.HTLCs[0].Removal.Attribution, "acknowledged")
	require.Equal(t, []byte{7, 7}, w.b.rows.HTLCs[0].Removal.Reason)
}

// An answer that is found while the peer is away goes out with what it was given, if the peer
// takes it when it comes back.
func TestAttributionWhileAway(t *testing.T) {
	for _, takes := range []bool{true, false} {
		w := attributed(t, true)
		w.a.add(5_000_000, 3)
		w.settle()
		w.disconnect()
		r := answers(3)[0]
		w.b.step(Resolve{Ref: w.b.incoming(0), Resolution: r})
		require.Equal(t, r.Attribution, w.b.rows.HTLCs[0].Removal.Attribution)
		if !takes {
			w.a.features, w.b.features = everything, everything
		}
		w.connect()
		w.settle()
		require.Equal(t, takes, w.a.outcomes[0].Resolution.Attribution != nil)
	}
}

// The moment at which an HTLC was locked in stands in its row, and is told again with it.
func TestLockedAt(t *testing.T) {
	w := attributed(t, true)
	at := time.Unix(1_700_000_100, 5)
	w.a.add(5_000_000, 3)
	w.a.step(Flush{})
	w.b.deliver(-1)
	w.b.step(Flush{})
	w.a.deliver(-1)
	require.Len(t, w.b.inbox, 1)
	w.b.step(Received{Msg: w.b.inbox[0], Now: at})
	w.b.inbox = nil
	require.Len(t, w.b.locked, 1)
	require.Equal(t, at.UTC(), w.b.locked[0].HTLC.LockedAt)
	w.b.crash()
	require.Len(t, w.b.locked, 1)
	require.Equal(t, at.UTC(), w.b.locked[0].HTLC.LockedAt)
	require.True(t, w.b.locked[0].Attribute, "it may be a peer that takes it")
}

// The accountability signal comes out of the message, stands in the row, and goes out again as it
// came when the message is said again.
func TestAccountableSignal(t *testing.T) {
	for _, signal := range []lnwire.Accountability{
		0, lnwire.AccountableDraft, lnwire.AccountableTrial, lnwire.AccountableDraft | lnwire.AccountableTrial,
	} {
		w := opened(t, nil)
		add := func(n *node) *lnwire.UpdateAddHTLC {
			var found *lnwire.UpdateAddHTLC
			n.w.tap = func(m lnwire.Message) {
				if m, ok := m.(*lnwire.UpdateAddHTLC); ok {
					found = m
				}
			}
			n.step(Flush{})
			return found
		}
		w.a.step(AddHTLC{Amount: 5_000_000, Expiry: w.tip.Height + 144, Hash: preimage(1).Hash(), Accountable: signal,
			Onion: &[lnwire.OnionLen]byte{}, Origin: htlc.Attempt(1)})
		m := add(w.a)
		require.Equal(t, signal.Records(), m.Extra)
		require.Equal(t, signal, w.a.rows.HTLCs[0].Accountable)
		w.a.crash()
		w.connect()
		w.settle()
		require.Len(t, w.b.locked, 1)
		require.Equal(t, signal, w.b.locked[0].HTLC.Accountable)
		w.b.crash()
		require.Equal(t, signal, w.b.locked[0].HTLC.Accountable)
	}
	w := opened(t, nil)
	w.a.cfg.NoAccountable = true
	w.tap = func(m lnwire.Message) {
		if m, ok := m.(*lnwire.UpdateAddHTLC); ok {
			require.Empty(t, m.Extra, "switched off")
		}
	}
	w.a.add(5_000_000, 1)
	w.settle()
	require.Len(t, w.b.locked, 1)
}
