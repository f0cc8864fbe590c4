package channel

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// answerFund answers the question for the funding that a has put.
func answerFund(w *world, change func(*Funded)) *wire.MsgTx {
	q := w.a.asked.Question.(AskFund)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{7}}})
	tx.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
	f := Funded{Tx: tx}
	change(&f)
	w.a.step(Answered{ID: askFund, Answer: f})
	w.settle()
	return tx
}

// askedFunding is a world in which a has asked for its funding.
func askedFunding(t *testing.T, change func(*openOptions)) *world {
	w := newWorld(t)
	w.a.slow = true
	o := usual
	if change != nil {
		change(&o)
	}
	w.a.alias, w.b.alias, w.b.trusts = 1, 2, true
	w.ask(o)
	w.settle()
	require.IsType(t, AskFund{}, w.a.asked.Question)
	return w
}

// TestExternFunding: what somebody else publishes is never published by us, not after a
// restart either, and its coins are not ours to free.
func TestExternFunding(t *testing.T) {
	w := askedFunding(t, nil)
	tx := answerFund(w, func(f *Funded) { f.Extern = true })
	require.Equal(t, AwaitReady, w.a.ch.Phase())
	require.Empty(t, w.a.published)
	w.a.ch = Load(w.a.cfg, w.a.crypto, w.a.rows)
	w.a.step(Resumed{})
	require.Empty(t, w.a.published)
	require.Equal(t, []FundingTx{{OutPoint: wire.OutPoint{Hash: tx.TxHash()}, Tx: tx}}, w.a.rows.Fundings)

	w = askedFunding(t, nil)
	q := w.a.asked.Question.(AskFund)
	extern := wire.NewMsgTx(2)
	extern.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
	w.a.step(Answered{ID: askFund, Answer: Funded{Tx: extern, Extern: true}})
	require.Equal(t, Funding, w.a.ch.Phase())
	w.a.step(Disconnected{})
	require.Equal(t, Closed, w.a.ch.Phase())
	require.Empty(t, w.a.unfunded)
}

// TestSlowFunding: the patience of an opening begins again when a person has answered.
func TestSlowFunding(t *testing.T) {
	w := newWorld(t)
	w.a.slow = true
	w.a.ch = New(w.a.cfg, w.a.crypto, 1, w.b.ring.NodeID())
	w.up = true
	w.a.step(Tick{Mono: time.Second})
	w.a.step(OpenAsked{
		TempID: lnwire.ChannelID{9}, Capacity: usual.capacity, FeeRate: usual.rate, Format: usual.format, Ours: w.a.side,
		Keys: w.a.ring.Locs(1), MinDepth: 3, Features: w.a.features, At: w.tip, Slow: true,
	})
	w.settle()
	w.a.step(Tick{Mono: time.Hour})
	require.Equal(t, Opening, w.a.ch.Phase())
	q := w.a.asked.Question.(AskFund)
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
	w.up = false // the peer does not answer any more
	w.a.step(Answered{ID: askFund, Answer: Funded{Tx: tx}})
	require.Equal(t, Funding, w.a.ch.Phase())
	w.a.step(Tick{Mono: time.Hour + openingPatience - 1})
	require.Equal(t, Funding, w.a.ch.Phase())
	w.a.step(Tick{Mono: time.Hour + openingPatience})
	require.Equal(t, Closed, w.a.ch.Phase())
}

// TestBatchWaits: the funding of a batch is kept back, over a restart too, until the
// batch is whole; then it goes, and again after the next restart.
func TestBatchWaits(t *testing.T) {
	w := askedFunding(t, func(o *openOptions) { o.zeroConf, o.private, o.alias = true, true, true })
	tx := answerFund(w, func(f *Funded) { f.Batch = 2 })
	require.Equal(t, AwaitReady, w.a.ch.Phase())
	require.False(t, w.a.ch.core.SentReady, "a channel without confirmations is not used before its funding may go")
	w.a.ch = Load(w.a.cfg, w.a.crypto, w.a.rows)
	w.a.step(Resumed{})
	require.Empty(t, w.a.published)
	w.a.step(FundingFreed{})
	require.Equal(t, []*wire.MsgTx{tx}, w.a.published)
	require.Zero(t, w.a.rows.Fundings[0].Batch)
	w.a.step(FundingFreed{})
	w.a.step(FundingDropped{Text: "too late"})
	require.Len(t, w.a.published, 1)
	require.Equal(t, AwaitReady, w.a.ch.Phase())
	w.a.ch = Load(w.a.cfg, w.a.crypto, w.a.rows)
	w.a.step(Resumed{})
	require.Len(t, w.a.published, 2)
}

// TestBatchDropped: what will not be funded is forgotten, in every phase; a batch frees
// its coins itself.
func TestBatchDropped(t *testing.T) {
	w := askedFunding(t, nil)
	answerFund(w, func(f *Funded) { f.Batch = 2 })
	w.a.step(FundingDropped{Text: "another failed"})
	errors, _ := said(w.a.last)
	require.Equal(t, []string{"another failed"}, errors)
	require.Equal(t, Closed, w.a.ch.Phase())
	require.Equal(t, ClosedUnfunded, w.a.rows.Closed.Kind)
	require.True(t, w.a.last.Over)
	require.Empty(t, w.a.unfunded)
	require.Empty(t, w.a.published)

	w = askedFunding(t, nil)
	w.a.step(FundingDropped{Text: "another failed"})
	requireAborted(t, w.a, "another failed")

	// It has failed before the batch was whole: the commitment goes behind the funding.
	w = askedFunding(t, nil)
	tx := answerFund(w, func(f *Funded) { f.Batch = 2 })
	w.a.step(CloseAsked{Force: true})
	require.Equal(t, Failed, w.a.ch.Phase())
	w.a.published = nil
	w.a.step(FundingFreed{})
	require.Len(t, w.a.published, 2)
	require.Equal(t, tx, w.a.published[0])
}

// TestAbandoned: nothing is left but a summary.
func TestAbandoned(t *testing.T) {
	w := opened(t, nil)
	w.a.add(50_000_000, 1)
	w.a.step(Flush{})
	w.settle()
	w.a.step(Abandoned{})
	require.Equal(t, Closed, w.a.ch.Phase())
	require.Equal(t, ClosedAbandoned, w.a.rows.Closed.Kind)
	require.Len(t, w.a.outcomes, 1, "what went over it went nowhere")
	require.True(t, w.a.last.Over)
	w.a.step(Abandoned{})
	require.Empty(t, w.a.last.Tell)
}
