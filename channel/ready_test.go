package channel

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestFakeFunding: V-01, B2.ready.1: the right txid alone is no funding. The output
// must have the amount and the script, to the satoshi.
func TestFakeFunding(t *testing.T) {
	for _, spoil := range []func(tx *wire.MsgTx){
		func(tx *wire.MsgTx) { tx.TxOut[1].Value-- },
		func(tx *wire.MsgTx) { tx.TxOut[1].Value++ },
		func(tx *wire.MsgTx) { tx.TxOut[1].PkScript = []byte{0, 20, 21: 9} },
		func(tx *wire.MsgTx) { tx.TxOut = tx.TxOut[:1] },
		func(tx *wire.MsgTx) { tx.TxOut[0], tx.TxOut[1] = tx.TxOut[1], tx.TxOut[0] },
	} {
		w := newWorld(t)
		w.ask(usual)
		w.b.deliver(1)
		fx := w.a.ch.Step(Received{Msg: next[*lnwire.AcceptChannel](t, w.a)})
		w.a.inbox = nil
		// The funder signs with a transaction that is not what it claims.
		q := fx.Ask[0].Question.(AskFund)
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{})
		tx.AddTxOut(&wire.TxOut{Value: 1, PkScript: []byte{1}})
		tx.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
		fake := tx.Copy()
		spoil(fake)
		w.a.ch.opening.step = owesCreated
		w.a.ch.fundAt(FundingTx{OutPoint: wire.OutPoint{Hash: fake.TxHash(), Index: 1}, Tx: tx, Ours: true})
		w.a.take(w.a.ch.Step(Flush{}))
		w.settle()
		require.Equal(t, AwaitReady, w.b.ch.Phase())
		w.b.step(Confirmed{Tx: fake, At: blockRef(101), TxIndex: 4})
		require.Equal(t, Closed, w.b.ch.Phase())
		errors, _ := said(w.b.last)
		require.Len(t, errors, 1)
		w.blocks(200)
		require.False(t, w.b.ch.core.SentReady)
		require.Equal(t, ClosedUnfunded, w.b.rows.Closed.Kind)
	}
}

// TestReadyDepth: B2.ready.2 for both; a coinbase waits until it can be spent
// (V-15).
func TestReadyDepth(t *testing.T) {
	for _, c := range []struct {
		index uint32
		depth int
	}{{7, 3}, {0, 100}} {
		w := newWorld(t)
		w.ask(usual)
		w.settle()
		w.confirm(c.index)
		w.blocks(c.depth - 2)
		require.False(t, w.a.ch.core.SentReady)
		require.False(t, w.b.ch.core.SentReady)
		w.blocks(1)
		require.True(t, w.a.ch.core.SentReady)
		m := next[*lnwire.ChannelReady](t, w.b)
		require.Equal(t, w.a.ring.Point(w.a.ring.Locs(1).Root, 1), m.SecondPoint) // B2.ready.3
		w.settle()
		require.Equal(t, Open, w.a.ch.Phase())
	}
}

// TestReorgBeforeReady: a funding that leaves the chain starts its depth anew, and
// may land elsewhere.
func TestReorgBeforeReady(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.settle()
	w.confirm(5)
	w.blocks(1)
	for _, n := range w.nodes() {
		n.step(Unconfirmed{Txid: n.ch.core.Funding.Hash})
	}
	w.blocks(3)
	require.False(t, w.b.ch.core.SentReady)
	w.confirm(9)
	w.blocks(2)
	w.settle()
	require.Equal(t, Open, w.b.ch.Phase())
	require.Equal(t, lnwire.NewShortChannelID(w.conf.At.Height, 9, 1), w.b.link.SCID)
}

// TestSecondReady: B2.ready.6, B2.ready.4, V-58: only another alias is taken from it.
func TestSecondReady(t *testing.T) {
	w := newWorld(t)
	w.a.alias = 77
	w.open(usual)
	require.Equal(t, lnwire.ShortChannelID(77), w.b.link.PeerAlias)
	alias := lnwire.ShortChannelID(78)
	point := w.b.ch.core.RemoteNext
	w.b.step(Received{Msg: &lnwire.ChannelReady{ChannelID: w.b.ch.core.ChannelID, SecondPoint: w.a.ring.NodeID(), Alias: &alias}})
	w.b.step(Flush{})
	require.Equal(t, point, w.b.ch.core.RemoteNext)
	require.Equal(t, alias, w.b.link.PeerAlias)
	w.a.add(1e7, 1)
	w.settle()
	require.Len(t, w.b.locked, 1)
}

// TestForgetUnfunded: B2.ready.5: the fundee forgets after 2016 blocks, the funder
// does not.
func TestForgetUnfunded(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.settle()
	for _, n := range w.nodes() {
		n.step(Block{At: blockRef(w.tip.Height + forgetAfter - 1)})
		require.Equal(t, AwaitReady, n.ch.Phase())
		n.step(Block{At: blockRef(w.tip.Height + forgetAfter)})
	}
	require.Equal(t, AwaitReady, w.a.ch.Phase())
	require.Equal(t, Closed, w.b.ch.Phase())
	require.Nil(t, w.b.rows.Terms)
	require.Equal(t, ClosedUnfunded, w.b.rows.Closed.Kind)
	w.a.crash()
	require.Len(t, w.a.published, 2) // the funder publishes it again
}

// TestAnnouncement: B2.ann.1, B2.ann.2, B2.ann.3, B2.ann.4: at six confirmations, once, verified, not
// for private channels.
func TestAnnouncement(t *testing.T) {
	w := newWorld(t)
	w.useReal()
	w.open(usual)
	w.blocks(2)
	require.Empty(t, w.a.inbox)
	w.blocks(1)
	require.Len(t, w.a.inbox, 1)
	m := next[*lnwire.AnnouncementSignatures](t, w.a)
	good := *m
	m.NodeSig[9] ^= 1
	w.a.deliver(1)
	requireWarned(t, w.a, "signature is wrong")
	require.Nil(t, w.a.announced)
	w.disconnect()
	w.connect()
	w.settle() // not received yet: sent again on the new connection
	for _, n := range w.nodes() {
		require.NotNil(t, n.announced)
		digest := n.announced.SignedDigest()
		require.True(t, lnwire.VerifySig(digest, n.announced.NodeID1, n.announced.NodeSig1))
		require.True(t, lnwire.VerifySig(digest, n.announced.NodeID2, n.announced.NodeSig2))
		require.True(t, lnwire.VerifySig(digest, n.announced.BitcoinKey1, n.announced.BitcoinSig1))
		require.True(t, lnwire.VerifySig(digest, n.announced.BitcoinKey2, n.announced.BitcoinSig2))
	}
	w.disconnect()
	w.connect()
	w.settle()
	w.a.step(Received{Msg: &good}) // it asks for ours
	require.Len(t, w.a.last.Send, 1)
	w.a.step(Received{Msg: &good}) // but once on a connection
	require.Empty(t, w.a.last.Send)

	// The peer sees the sixth block first: its halves wait, ours answer them.
	w = newWorld(t)
	w.open(usual)
	for k := range 3 {
		w.b.step(Block{At: blockRef(w.tip.Height + 1 + lnwire.Height(k))})
	}
	w.a.deliver(-1)
	require.NotNil(t, w.a.ch.core.PeerAnn)
	require.Nil(t, w.a.announced)
	w.blocks(3)
	w.settle()
	require.NotNil(t, w.a.announced)
	require.NotNil(t, w.b.announced)

	w = newWorld(t)
	o := usual
	o.private = true
	w.open(o)
	w.blocks(10)
	require.Empty(t, w.a.inbox)
}
