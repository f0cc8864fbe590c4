package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
)

// TestSignerAway: wherever a signature is owed and the signer is away, it stays owed
// and is made when the signer is back, with the next flush.
func TestSignerAway(t *testing.T) {
	w := newWorld(t)
	w.a.away, w.b.away = true, true
	back := func(n *node) {
		w.settle()
		n.away = false
		n.step(Flush{})
		n.away = true
	}
	w.ask(usual)
	back(w.a) // funding_created
	require.Equal(t, Funding, w.a.ch.Phase())
	back(w.b) // funding_signed
	require.Equal(t, AwaitReady, w.b.ch.Phase())
	w.settle()
	require.Equal(t, AwaitReady, w.a.ch.Phase())
	w.confirm(5)
	w.blocks(7)
	w.settle()
	require.Equal(t, Open, w.a.ch.Phase())
	require.Nil(t, w.a.announced)

	w.a.add(5_000_000, 1)
	back(w.a) // commitment_signed
	back(w.b)
	w.settle()
	require.Len(t, w.b.locked, 1)
	w.b.fulfill(0, 1)
	back(w.b)
	back(w.a)
	w.settle()
	require.Empty(t, w.a.ch.out)

	w.a.step(CloseAsked{FeeRate: 1000})
	back(w.a) // closing_signed
	back(w.b)
	require.Equal(t, MutualClose, w.b.ch.Phase())
	back(w.a)
	require.Equal(t, MutualClose, w.a.ch.Phase())
}

// TestForcedWhileSignerAway: our commitment is published when it can be signed.
func TestForcedWhileSignerAway(t *testing.T) {
	w := opened(t, nil)
	w.a.away = true
	published := len(w.a.published)
	w.a.step(CloseAsked{Force: true})
	w.a.step(Flush{})
	require.Len(t, w.a.published, published)
	w.a.crash()
	require.Len(t, w.a.published, published)
	w.a.away = false
	w.a.step(Flush{})
	require.Len(t, w.a.published, published+1)
}

// TestAnswerOnChain: an answer that comes when the channel lives in the chain only is
// kept for there; a preimage is not replaced.
func TestAnswerOnChain(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.settle()
	w.b.step(CloseAsked{Force: true})
	w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: w.b.published[0], At: w.tip})
	w.b.fail(0)
	require.Equal(t, htlc.Failed, w.b.rows.HTLCs[0].Removal.Kind)
	w.b.fulfill(0, 1)
	require.Equal(t, preimage(1), w.b.rows.HTLCs[0].Removal.Preimage)
	w.b.fail(0)
	require.Equal(t, htlc.Fulfilled, w.b.rows.HTLCs[0].Removal.Kind)
	require.Empty(t, w.b.last.Send)
	w.b.crash()
	require.Empty(t, w.b.locked) // it has its answer
}

// TestDeclines: a no of the wallet or of the operator ends what waited for it.
func TestDeclines(t *testing.T) {
	w := newWorld(t)
	w.b.declines = true
	w.ask(usual)
	w.settle()
	require.Equal(t, Closed, w.b.ch.Phase())
	require.Equal(t, Closed, w.a.ch.Phase())

	w = newWorld(t)
	w.a.declines = true
	w.ask(usual)
	w.settle()
	require.Equal(t, Closed, w.a.ch.Phase())
	require.Equal(t, Closed, w.b.ch.Phase())

	w = opened(t, nil)
	w.a.declines = true
	w.a.step(CloseAsked{})
	w.settle()
	require.Equal(t, Open, w.a.ch.Phase())
	require.True(t, w.a.link.Up)
}
