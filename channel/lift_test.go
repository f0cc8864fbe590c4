package channel

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// spend of an output by anybody, with this witness.
func spendOf(op wire.OutPoint, witness ...[]byte) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Witness: witness})
	tx.AddTxOut(wire.NewTxOut(1000, []byte{0x51}))
	return tx
}

// carried makes an outgoing HTLC one that carries another onwards.
func carried(n *node, id uint64, upstream lnwire.Height) *entry {
	i := slices.IndexFunc(n.ch.out, func(e *entry) bool { return e.Ref.ID == id })
	e := n.ch.out[i]
	e.Origin = htlc.Origin{Kind: htlc.FromForward, Ref: htlc.Ref{ChanNum: 9, ID: id}, ExpiryIn: upstream}
	n.ch.touch(e)
	return e
}

// Our commitment is lifted by our anchor, with what its HTLCs are worth and by when it
// must be mined for their sake; the peer's instead, as soon as it is seen; and no more
// than that once one of them is mined. A restart finds the same.
func TestLift(t *testing.T) {
	l, theirs := arena(t, commitment.Anchors, ofB)
	a := l.w.a
	e := carried(a, 1, a.ch.out[1].Expiry+80)
	ours, err := a.ch.localCommitment()
	require.NoError(t, err)

	fx := a.step(CloseAsked{Force: true})
	require.Len(t, fx.Anchors, 1)
	got := fx.Anchors[0]
	require.Equal(t, wire.OutPoint{Hash: ours.Txid, Index: uint32(ours.AnchorOwner)}, got.OutPoint)
	require.Equal(t, commitment.SpendOwnerAnchor, got.Kind)
	require.Equal(t, ours.Fee, got.Fee)
	require.Equal(t, ours.Weight(), got.Weight)
	require.EqualValues(t, 40_000, got.AtRisk, "what we pay ourselves is not at risk, nor what we have no preimage of")
	require.Equal(t, e.Expiry+OfferedGrace+39, got.Deadline)
	require.Empty(t, a.step(Block{At: l.ref(l.height())}).Anchors, "nothing is new")

	a.step(Resolve{Ref: a.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(4)}})
	fx = a.step(Block{At: l.ref(l.height() + 1)})
	require.Len(t, fx.Anchors, 1, "its preimage makes an incoming HTLC urgent")
	require.EqualValues(t, 75_000, fx.Anchors[0].AtRisk)
	require.Equal(t, a.ch.in[0].Expiry-FulfilMargin/2, fx.Anchors[0].Deadline)

	fx = a.step(Unmined{Tx: theirs})
	require.Equal(t, []wire.OutPoint{got.OutPoint}, fx.Unlift)
	require.Len(t, fx.Anchors, 1)
	require.Equal(t, commitment.SpendOtherAnchor, fx.Anchors[0].Kind)
	require.Equal(t, theirs.TxHash(), fx.Anchors[0].OutPoint.Hash)
	require.EqualValues(t, 330, theirs.TxOut[fx.Anchors[0].OutPoint.Index].Value)
	require.Empty(t, a.step(Unmined{Tx: theirs}).Anchors)

	own, _ := a.ch.signedCommitment()
	require.Equal(t, commitment.SpendOwnerAnchor, a.step(Unmined{Tx: own}).Anchors[0].Kind, "it took the place of theirs")

	fx = a.step(Spent{OutPoint: a.ch.core.Funding, Tx: theirs, At: l.ref(l.height() + 1)})
	require.Contains(t, fx.Unlift, got.OutPoint)
	require.Empty(t, fx.Anchors)
	spend := []Mined{{Tx: theirs, Place: a.ch.core.Spend.Place}}
	require.Equal(t, spend, fx.Outdone, "ours was published")
	fx = Load(a.cfg, a.crypto, a.rows).Step(Resumed{})
	require.Contains(t, fx.Unlift, got.OutPoint, "nobody remembers what was given up")
	require.Empty(t, fx.Anchors)
	require.Equal(t, spend, fx.Outdone)
}

// A channel that is still in use lifts the commitment that its peer has published, and
// forgets it when something else takes its place.
func TestLiftTheirs(t *testing.T) {
	l, theirs := arena(t, commitment.Anchors, ofB)
	fx := l.w.a.step(Unmined{Tx: theirs})
	require.Len(t, fx.Anchors, 1)
	require.Equal(t, Open, l.w.a.ch.Phase())
	l.w.useReal()
	require.Empty(t, l.w.a.step(Unmined{Tx: spendOf(wire.OutPoint{Index: 7})}).Unlift, "of no concern")
	other, _ := arena(t, commitment.Anchors, ofB)
	other.w.a.step(Unmined{Tx: theirs})
	spent := Spent{OutPoint: other.w.a.ch.core.Funding, Tx: theirs, At: other.ref(other.height() + 1)}
	require.Equal(t, []Lifted{{theirs.TxHash(), spent.At.Height}}, other.w.a.step(spent).Lifted)
	stale, old := arena(t, commitment.Anchors, ofB)
	anchor := stale.w.a.step(Unmined{Tx: old}).Anchors[0].OutPoint
	stale.w.connect()
	stale.w.settle()
	for id := range uint64(2) { // the channel goes on, and that one is revoked
		stale.w.b.fail(id)
		stale.w.settle()
	}
	require.EqualValues(t, 4, stale.w.a.ch.core.RemoteRevoked)
	own, _ := stale.w.a.ch.signedCommitment()
	require.Contains(t, stale.w.a.step(Spent{OutPoint: stale.w.a.ch.core.Funding, Tx: own, At: stale.ref(stale.height() + 1)}).Unlift, anchor)
	rogue := spendOf(l.w.a.ch.core.Funding, nil)
	require.Equal(t, []wire.OutPoint{fx.Anchors[0].OutPoint}, l.w.a.step(Unmined{Tx: rogue}).Unlift)

	l, theirs = arena(t, commitment.StaticRemoteKey, ofB)
	require.Empty(t, l.w.a.step(Unmined{Tx: theirs}).Anchors, "no anchor, nothing to lift with")
	l, theirs = arena(t, commitment.Anchors, ofBRevoked)
	require.Empty(t, l.w.a.step(Unmined{Tx: theirs}).Anchors, "a cheater is not helped")
}

// A preimage goes upstream when it is seen in a transaction that no block holds, and
// stays so whatever is mined later (V-24).
func TestPreimageInMempool(t *testing.T) {
	l, theirs := arena(t, commitment.Anchors, ofB)
	a := l.w.a
	carried(a, 0, 700)
	l.mine(theirs)
	com := a.ch.end.com
	i, ok := com.Find(htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 0})
	require.True(t, ok)
	op := wire.OutPoint{Hash: com.Txid, Index: uint32(com.HTLCs[i].Output)}
	p := preimage(1)

	l.step(a, Unmined{Tx: spendOf(op, p[:31], append(p[:], 0), nil)})
	require.Empty(t, a.outcomes)
	l.step(a, Unmined{Tx: spendOf(op, nil, p[:], com.HTLCs[i].Script)})
	ref := htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{ref: htlc.Fulfilled}, outcomesOf(t, a))
	require.Contains(t, a.outbox, a.outcomes[0], "durable before it is acted on")
	l.step(a, Unmined{Tx: spendOf(op, nil, p[:], com.HTLCs[i].Script)})
	require.Len(t, a.outcomes, 1)

	// It was evicted, and our own timeout is mined: upstream hears nothing else.
	l.end(func() {})
	require.Equal(t, htlc.Fulfilled, outcomesOf(t, a)[ref])
}

// What a reorg gives back in the same turn in which it was lifted or taken is asked for
// again.
func TestGivenBackInOneTurn(t *testing.T) {
	op, other := wire.OutPoint{Index: 1}, wire.OutPoint{Index: 2}
	mined := []Mined{{Tx: spendOf(op)}, {Tx: spendOf(other)}}
	fx := Effects{Lifted: []Lifted{{Txid: op.Hash, At: 7}}, Taken: slices.Clone(mined), Outdone: slices.Clone(mined)}
	fx.Append(Effects{
		Anchors: []Anchor{{Spend: commitment.Spend{OutPoint: op}}},
		Claims:  []onchain.Claim{{Spend: commitment.Spend{OutPoint: op}}},
		Publish: []*wire.MsgTx{spendOf(op)},
	})
	require.Empty(t, fx.Lifted)
	require.Len(t, fx.Taken, 1)
	require.True(t, spends(fx.Taken[0].Tx, other))
	require.Equal(t, fx.Taken, fx.Outdone)
}

// What the backend has forgotten counts no more until it is told again: the channel is
// not used without its funding, a close is offered again.
func TestChainLost(t *testing.T) {
	w := newWorld(t)
	w.open(usual)
	require.True(t, w.a.link.Up)
	at := *w.conf
	w.a.step(ChainLost{Fork: at.At})
	require.True(t, w.a.link.Up, "above it was nothing")
	w.a.step(ChainLost{})
	w.a.step(Flush{})
	require.False(t, w.a.link.Up)
	require.Contains(t, w.a.link.Why, "does not know the block of the funding")
	w.a.crash()
	w.connect()
	w.settle()
	require.False(t, w.a.link.Up, "nor after a restart")
	w.a.step(at)
	w.a.step(Flush{})
	require.True(t, w.a.link.Up)

	l, theirs := arena(t, commitment.Anchors, ofB)
	a := l.w.a
	l.mine(theirs)
	require.Equal(t, Closing, a.ch.Phase())
	fork := l.ref(l.height() - 1)
	fx := a.step(ChainLost{Fork: fork})
	require.Equal(t, Failed, a.ch.Phase())
	require.NotEmpty(t, fx.Unclaim)
	require.NotEmpty(t, fx.Publish)
	require.Nil(t, a.rows.Core.Spend)
	l.step(a, Spent{OutPoint: a.ch.core.Funding, Tx: theirs, At: l.ref(l.height())})
	require.Equal(t, Closing, a.ch.Phase())
}
