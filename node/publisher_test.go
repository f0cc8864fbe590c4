package node

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// fickle is a backend that says that it is up and does not always answer.
type fickle struct {
	chainntnfs.Backend
	published chan error // the next answers
	got       chan chainhash.Hash
}

func (f *fickle) State() (chainntnfs.State, <-chan struct{}) {
	return chainntnfs.State{Up: true}, make(chan struct{})
}

func (f *fickle) Publish(_ context.Context, tx *wire.MsgTx) error {
	f.got <- tx.TxHash()
	return <-f.published
}

// TestPublisherTriesAgain: a transaction is not lost when the backend did not answer,
// though it never went away.
func TestPublisherTriesAgain(t *testing.T) {
	f := &fickle{published: make(chan error, 3), got: make(chan chainhash.Hash, 3)}
	p := newPublisher(f, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.run(ctx, verdicts{func(chainhash.Hash) {}, func(chainhash.Hash, chainntnfs.RejectReason) {}})
	}()
	f.published <- fmt.Errorf("no answer: %w", chainntnfs.ErrUnavailable)
	f.published <- nil
	tx := wire.NewMsgTx(2)
	p.publish(tx)
	for range 2 {
		select {
		case txid := <-f.got:
			require.Equal(t, tx.TxHash(), txid)
		case <-time.After(patience):
			require.FailNow(t, "not tried again")
		}
	}
	cancel()
	<-ended
}

// TestForgottenWhileTheBackendIsAway: what was given up before the backend answered does not
// leave when it does: its coins may be spent otherwise by then.
func TestForgottenWhileTheBackendIsAway(t *testing.T) {
	f := &fickle{published: make(chan error, 3), got: make(chan chainhash.Hash, 3)}
	p := newPublisher(f, slog.New(slog.DiscardHandler))
	none := verdicts{func(chainhash.Hash) {}, func(chainhash.Hash, chainntnfs.RejectReason) {}}
	given, kept := wire.NewMsgTx(2), wire.NewMsgTx(3)
	p.publish(given)
	p.publish(kept)
	f.published <- fmt.Errorf("no answer: %w", chainntnfs.ErrUnavailable)
	require.False(t, p.all(t.Context(), none))
	require.Equal(t, given.TxHash(), <-f.got)
	p.forget(given.TxHash())
	f.published <- nil
	f.published <- nil
	require.True(t, p.all(t.Context(), none))
	require.Equal(t, kept.TxHash(), <-f.got)
	require.Empty(t, f.got)
	require.Empty(t, p.queued)
	p.publish(given) // wanted again
	require.True(t, p.all(t.Context(), none))
	require.Equal(t, given.TxHash(), <-f.got)
}

// TestRefusalsAreBounded: what is remembered of refusals does not grow for ever (V-40).
func TestRefusalsAreBounded(t *testing.T) {
	p := newPublisher(nil, slog.New(slog.DiscardHandler))
	for i := range 3 * maxRefused {
		tx := wire.NewMsgTx(2)
		tx.LockTime = uint32(i)
		p.publish(tx)
		p.done(tx.TxHash(), fmt.Errorf("refused"))
	}
	require.LessOrEqual(t, len(p.refused), maxRefused)
	require.Empty(t, p.waiting)
	require.Empty(t, p.queued)
}

// TestOrphansWaitForTheirParent: a child that came before its parent is offered again
// behind it, once; no more than so many wait, and the oldest give way.
func TestOrphansWaitForTheirParent(t *testing.T) {
	f := &fickle{published: make(chan error, 8), got: make(chan chainhash.Hash, 8)}
	p := newPublisher(f, slog.New(slog.DiscardHandler))
	parent := wire.NewMsgTx(2)
	child := wire.NewMsgTx(2)
	child.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: parent.TxHash()}})
	var took, refused []chainhash.Hash
	v := verdicts{
		func(id chainhash.Hash) { took = append(took, id) },
		func(id chainhash.Hash, _ chainntnfs.RejectReason) { refused = append(refused, id) },
	}
	f.published <- &chainntnfs.RejectError{Reason: chainntnfs.RejectMissingInputs, Text: "orphan"}
	f.published <- nil
	f.published <- nil
	p.publish(child)
	p.publish(parent)
	require.True(t, p.all(t.Context(), v))
	require.Equal(t, []chainhash.Hash{parent.TxHash(), child.TxHash()}, took)
	require.Equal(t, []chainhash.Hash{child.TxHash()}, refused)
	require.Empty(t, p.orphans)
	require.Empty(t, p.refusal(child.TxHash()))

	// What is given up meanwhile does not come behind it, whether it waits, is queued, or is
	// on its way.
	took = nil
	orphan := &chainntnfs.RejectError{Reason: chainntnfs.RejectMissingInputs, Text: "orphan"}
	f.published <- orphan
	p.publish(child)
	require.True(t, p.all(t.Context(), v))
	require.Len(t, p.orphans, 1)
	p.forget(child.TxHash())
	p.publish(parent)
	p.publish(child)
	p.forget(child.TxHash())
	f.published <- nil
	require.True(t, p.all(t.Context(), v))
	require.Equal(t, []chainhash.Hash{parent.TxHash()}, took)
	f.published <- orphan
	p.publish(child)
	p.forget(child.TxHash())
	require.True(t, p.all(t.Context(), v))
	require.Empty(t, p.orphans)

	for i := range 2 * maxOrphans {
		tx := wire.NewMsgTx(2)
		tx.LockTime = uint32(i)
		p.orphan(tx)
		p.orphan(tx)
	}
	require.Len(t, p.orphans, maxOrphans)
	require.EqualValues(t, 2*maxOrphans-1, p.orphans[maxOrphans-1].LockTime)
}
