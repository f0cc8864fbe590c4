package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestReestablishNumbers: B2.reest.2, B2.reest.4, B2.reest.5, B2.reest.6: the first
// message of a connection says what is expected next and proves the last secret.
func TestReestablishNumbers(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.disconnect()
	fx := w.a.step(Connected{Features: everything})
	require.Len(t, fx.Send, 1)
	m := fx.Send[0][0].(*lnwire.ChannelReestablish)
	require.Equal(t, uint64(2), m.NextCommitment)
	require.Equal(t, uint64(1), m.NextRevocation)
	require.Equal(t, w.b.ring.Secret(w.b.ring.Locs(1).Root, 0), m.LastSecret)
	_, err := m.CurrentPoint.Parse()
	require.NoError(t, err)
	require.Empty(t, w.a.add(5_000_000, 2).Send) // nothing before the peer's numbers
	require.Empty(t, w.a.step(Flush{}).Send)

	first := opened(t, nil)
	first.disconnect()
	m = first.a.step(Connected{Features: everything}).Send[0][0].(*lnwire.ChannelReestablish)
	require.Equal(t, uint64(0), m.NextRevocation)
	require.Equal(t, lnwire.Secret{}, m.LastSecret)
}

// TestReestablishRefused: numbers that cannot be end the channel.
func TestReestablishRefused(t *testing.T) {
	for _, c := range []struct {
		id, why string
		spoil   func(m *lnwire.ChannelReestablish)
	}{
		{"B2.reest.10", "next_commitment_number is 0", func(m *lnwire.ChannelReestablish) { m.NextCommitment = 0 }},
		{"B2.reest.11", "your_last_per_commitment_secret", func(m *lnwire.ChannelReestablish) { m.LastSecret[0] ^= 1 }},
		{"B2.reest.11", "your_last_per_commitment_secret", func(m *lnwire.ChannelReestablish) { m.NextRevocation += 5 }},
		{"B2.reest.12", "your state is old", func(m *lnwire.ChannelReestablish) { m.NextRevocation = 0 }},
		{"B2.reest.14", "our next is 4", func(m *lnwire.ChannelReestablish) { m.NextCommitment = 3 }},
		{"B2.reest.14", "our next is 4", func(m *lnwire.ChannelReestablish) { m.NextCommitment = 2 }},
		{"B2.reest.14", "our next is 4", func(m *lnwire.ChannelReestablish) { m.NextCommitment = 5 }},
		{"V-42", "above the last", func(m *lnwire.ChannelReestablish) { m.NextCommitment = ^uint64(0) }},
		{"V-42", "above the last", func(m *lnwire.ChannelReestablish) { m.NextRevocation = ^uint64(0) }},
	} {
		w := opened(t, nil)
		for n := range 3 {
			w.a.add(5_000_000, n)
			w.settle()
		}
		w.disconnect()
		w.connect()
		c.spoil(next[*lnwire.ChannelReestablish](t, w.a))
		w.a.deliver(1)
		requireFailed(t, w.a, c.why)
	}
}

// TestDataLost: B2.reest.9: who is proven to have lost data publishes nothing, ever:
// not on the peer's error, not when asked to, not after a restart.
func TestDataLost(t *testing.T) {
	w := opened(t, nil)
	old := w.b.rows
	w.a.add(5_000_000, 1)
	w.settle()
	w.b.restore(old)
	w.b.crash()
	published := len(w.b.published)
	w.connect()
	w.b.deliver(1)
	require.True(t, w.b.ch.core.DataLost)
	errors, _ := said(w.b.last)
	require.Len(t, errors, 1)
	w.settle()
	require.Equal(t, Failed, w.a.ch.Phase()) // the other side closes
	for _, ev := range []Event{CloseAsked{Force: true}, Resumed{}, Flush{}, Block{At: blockRef(4000)}, Received{Msg: &lnwire.Error{ChannelID: w.b.ch.id()}}} {
		w.b.step(ev)
	}
	w.b.crash()
	w.b.step(CloseAsked{Force: true})
	require.Len(t, w.b.published, published)
	require.False(t, w.b.ch.want.publish)
	tx := w.a.published[len(w.a.published)-1]
	w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: tx, At: w.tip})
	require.Equal(t, SpentByUnknown, w.b.ch.core.Spend.Kind)
	require.Equal(t, w.a.ring.Point(w.a.ring.Locs(1).Root, w.a.ch.core.LocalN), w.b.ch.core.LostPoint)
}

// TestForgottenUpdates: B2.reest.1, B2.add.5: what no signature covered is forgotten
// by both; ids are given again; adds come back as refusals.
func TestForgottenUpdates(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.a.add(5_000_000, 2)
	w.a.step(Flush{})
	w.a.add(5_000_000, 3)
	w.a.add(5_000_000, 4)
	w.b.fail(0)
	w.b.deliver(1) // the signature is lost
	w.a.deliver(-1)
	require.Len(t, w.b.ch.in, 2)
	require.Equal(t, htlc.RcvdRemove, w.a.ch.out[0].State)
	w.disconnect()
	require.Len(t, w.b.ch.in, 1)
	require.Len(t, w.a.refused, 2)
	require.Equal(t, htlc.Attempt(3), w.a.refused[0].Origin)
	require.Equal(t, htlc.LinkDown, w.a.refused[1].Reason)
	require.Equal(t, htlc.SentAddAckRevocation, w.a.ch.out[0].State)
	require.Nil(t, w.a.ch.out[0].Removal)
	w.connect()
	w.settle() // B2.reest.17: the answer is said again
	require.Len(t, w.a.ch.out, 1)
	w.a.add(5_000_000, 5)
	require.Equal(t, uint64(2), w.a.step(Flush{}).Send[0][0].(*lnwire.UpdateAddHTLC).ID)
	w.settle()
}

// TestRetransmit: B2.reest.13, B2.reest.15, B2.reest.16: each combination of lost
// revocation and signature, in both orders, heals; so does losing it twice.
func TestRetransmit(t *testing.T) {
	for _, commitFirst := range []bool{false, true} {
		for lostAt := range 4 {
			w := opened(t, nil)
			w.a.add(5_000_000, 1)
			w.b.add(6_000_000, 2)
			if commitFirst { // a signs, then revokes
				w.a.step(Flush{})
				w.b.step(Flush{})
				w.a.deliver(lostAt)
			} else { // a revokes, then signs
				w.b.step(Flush{})
				w.a.deliver(lostAt)
				w.a.step(Flush{})
			}
			for range 3 {
				w.disconnect()
				w.connect()
				w.a.deliver(1)
			}
			if order := kinds(w.b.inbox); len(order) > 2 && lostAt == 2 {
				require.Equal(t, commitFirst, order[len(order)-1] == lnwire.MsgRevokeAndAck, order)
			}
			w.settle()
			require.Len(t, w.b.locked, len(w.a.ch.out))
			require.Len(t, w.a.locked, len(w.b.ch.out))
			require.Empty(t, w.a.ch.core.Reason)
		}
	}
}

func kinds(list []lnwire.Message) (types []lnwire.MsgType) {
	for _, m := range list {
		types = append(types, m.Type())
	}
	return types
}

// TestReadyAgain: B2.reest.8: channel_ready is repeated until a commitment was
// signed, and no longer.
func TestReadyAgain(t *testing.T) {
	w := opened(t, nil)
	w.disconnect()
	w.connect()
	w.a.deliver(1)
	require.Equal(t, lnwire.MsgChannelReady, w.a.last.Send[0][0].Type())
	w.settle()
	w.a.add(5_000_000, 1)
	w.settle()
	w.disconnect()
	w.connect()
	w.a.deliver(1)
	require.Empty(t, w.a.last.Send)
}

// TestFailedReconnect: B2.reest.3: a failed channel repeats its error, and takes
// nothing else.
func TestFailedReconnect(t *testing.T) {
	w := opened(t, nil)
	w.a.step(CloseAsked{Force: true})
	w.disconnect()
	w.a.step(Connected{Features: everything})
	errors, _ := said(w.a.last)
	require.Len(t, errors, 1)
	require.Empty(t, w.a.step(Received{Msg: &lnwire.Shutdown{ChannelID: w.a.ch.id(), Script: w.b.script()}}).Send)
}

// TestPeerError: B2.error.1: an error from the peer sends our commitment to the
// chain; B2.error.2: none of ours ever names all channels. A warning changes nothing.
func TestPeerError(t *testing.T) {
	w := opened(t, nil)
	w.a.step(Received{Msg: &lnwire.Warning{ChannelID: w.a.ch.id(), Data: []byte("hm\x07\u202e")}})
	require.Equal(t, "hm\uFFFD\uFFFD", w.a.last.Tell[0].Text) // V-65
	require.Equal(t, Open, w.a.ch.Phase())
	w.a.add(5_000_000, 1)
	w.a.step(Received{Msg: &lnwire.Error{Data: []byte("enough")}}) // all channels
	require.Equal(t, Failed, w.a.ch.Phase())
	require.Len(t, w.a.last.Publish, 1)
	require.Len(t, w.a.last.Refused, 1) // the add that was not signed
	errors, _ := said(w.a.last)
	require.Empty(t, errors)

	fresh := New(w.a.cfg, w.a.crypto, 3, w.b.ring.NodeID())
	fx := fresh.Step(Received{Msg: &lnwire.AcceptChannel{}})
	require.Empty(t, fx.Send)
	require.True(t, fx.Disconnect)
}

// TestPassingError: what lnd says when it stops in the middle of an update is no end of
// the channel: it goes on over a new connection, and nothing in flight is lost.
func TestPassingError(t *testing.T) {
	for _, text := range passing {
		w := opened(t, nil)
		w.a.add(5_000_000, 1)
		w.a.step(Flush{})
		w.b.deliver(1)
		w.a.step(Received{Msg: &lnwire.Error{ChannelID: w.a.ch.id(), Data: []byte(text)}})
		require.Equal(t, Open, w.a.ch.Phase())
		require.True(t, w.a.last.Disconnect)
		require.Empty(t, w.a.last.Publish)
		require.Equal(t, NoticeWarning, w.a.last.Tell[0].Kind)
		require.Empty(t, w.a.step(Received{Msg: &lnwire.RevokeAndAck{ChannelID: w.a.ch.id()}}).Send) // too late
		w.disconnect()
		w.connect()
		w.settle()
		w.b.fulfill(0, 1)
		w.settle()
		require.Empty(t, w.a.ch.Info().HTLCs)
	}
}

// TestToldOnce: V-05: a preimage that came before the cut was told; what the peer
// says afterwards changes nothing upstream.
func TestToldOnce(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.a.step(Received{Msg: &lnwire.UpdateFulfillHTLC{ChannelID: w.a.ch.id(), Preimage: preimage(1)}})
	require.Len(t, w.a.outcomes, 1)
	w.a.crash()
	w.connect()
	w.settle()
	w.b.fail(0) // the peer thinks better of it
	w.settle()
	require.Len(t, w.a.outcomes, 1)
	require.Equal(t, htlc.Fulfilled, w.a.outcomes[0].Resolution.Kind)
	requireBalances(t, w.a, 700_000_000, 300_000_000)
}

// TestHeldWhileSignerAway: messages behind a channel_reestablish that we cannot
// answer yet wait, and are bounded.
func TestHeldWhileSignerAway(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.a.step(Flush{})
	w.disconnect()
	w.a.away = true
	w.connect()
	w.a.deliver(1)
	for range maxHeld {
		w.a.step(Received{Msg: &lnwire.Warning{ChannelID: w.a.ch.id()}})
	}
	require.False(t, w.a.drop)
	w.a.step(Received{Msg: &lnwire.Warning{ChannelID: w.a.ch.id()}})
	require.True(t, w.a.drop)
}
