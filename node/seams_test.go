package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/routing"
)

// deaf is a channel that only notes what it hears.
type deaf chan channel.Event

func (d deaf) Step(ev channel.Event) channel.Effects {
	if _, ok := ev.(channel.Flush); !ok {
		d <- ev
	}
	return channel.Effects{}
}

// storeOnly is a node with a store and one channel, number 7, and nothing else.
func storeOnly(t *testing.T) (*Node, *entry, deaf) {
	db, err := channeldb.Open(filepath.Join(t.TempDir(), "fulgur.db"), channeldb.Options{
		Genesis: *chaincfg.RegressionNetParams.GenesisHash, Fatal: func(err error) { panic(err) },
	})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	n := &Node{db: db, channels: newChannels(), log: log, logs: newLoggers(log)}
	d := deaf(make(chan channel.Event, 10))
	e := n.entry(7, lnwire.PubKey{})
	e.runner = turn.NewRunner(7, d, shell{n, e}, n.spawn)
	n.channels.add(e)
	t.Cleanup(func() {
		require.NoError(t, db.Barrier())
		n.wg.Wait()
		require.NoError(t, db.Close())
	})
	return n, e, d
}

// TestRevokedStateBehindLazyWrite: the peer revokes a state and publishes it before
// anything else is written: what the punishment needs is still in memory then. It is
// found all the same.
func TestRevokedStateBehindLazyWrite(t *testing.T) {
	n, e, heard := storeOnly(t)
	row := channel.Revoked{N: 3, FeeRate: 500, Ours: 5000, Theirs: 7000}
	n.write(channeldb.Batch{Channels: []*channel.Delta{{ChanNum: 7, Revoked: []channel.Revoked{row}, Lazy: true}}}, nil)
	require.True(t, e.runner.Inbox.Aside(func() { // a turn, as it is where that is asked for
		n.load(e, 3)
		n.lift(&e.pen)
	}))
	select {
	case ev := <-heard:
		require.Equal(t, channel.Loaded{Revoked: row}, ev)
	case <-time.After(patience):
		t.Fatal("the revoked state is not found")
	}
}

// scribe is a channel that writes a row for every answer.
type scribe struct{}

func (scribe) Step(ev channel.Event) channel.Effects {
	r, ok := ev.(channel.Resolve)
	if !ok {
		return channel.Effects{}
	}
	return channel.Effects{Delta: channel.Delta{ChanNum: r.Ref.ChanNum, OutboxDone: []htlc.Ref{r.Ref}}}
}

// TestConsequencesAreWrittenWithTheirCause: what a channel's turn leads to in another
// channel, a forward or its answer, takes its turn inside that one, and both are one write
// (V-28, V-29).
func TestConsequencesAreWrittenWithTheirCause(t *testing.T) {
	n, cause, heard := storeOnly(t)
	var others []*entry
	for num := uint64(8); num < 11; num++ {
		e := n.entry(num, lnwire.PubKey{})
		e.runner = turn.NewRunner(num, scribe{}, shell{n, e}, n.spawn)
		n.channels.add(e)
		others = append(others, e)
	}
	batch := func(num uint64, lazy bool) channeldb.Batch {
		return channeldb.Batch{Channels: []*channel.Delta{{ChanNum: num, Revoked: []channel.Revoked{{}}, Lazy: lazy}}}
	}
	answer := func(num uint64) { n.answerTo(&cause.pen, channel.Resolve{Ref: htlc.Ref{ChanNum: num}}) }
	for i, lazy := range []bool{false, true} {
		n.writeWith(&cause.pen, batch(7, lazy), nil)
		answer(8)
		answer(8)
		require.Equal(t, 2, others[0].runner.Inbox.Len(), "not before the turn is over")
		n.lift(&cause.pen)
		require.NoError(t, n.db.Barrier())
		require.Equal(t, uint64(i+1), n.db.Stats().Commits)
		require.Equal(t, uint64(2*i+2), n.db.Stats().Batches)
	}
	for num := uint64(8); num < 11; num++ {
		answer(num)
	}
	answer(7) // its own inbox
	n.lift(&cause.pen)
	require.Empty(t, cause.pen.laid)
	for _, e := range others {
		for e.runner.Inbox.Len() > 0 { // in turns of their own, but for the last
		}
		e.runner.Inbox.Close()
	}
	require.NoError(t, n.db.Barrier())
	require.Equal(t, uint64(7), n.db.Stats().Batches)
	cause.runner.Inbox.Start() // as the end of its turn would
	require.IsType(t, channel.Resolve{}, <-heard)
}

// TestAnswerForChannelThatIsGone: what nobody can use any more leaves the outbox.
func TestAnswerForChannelThatIsGone(t *testing.T) {
	n, _, heard := storeOnly(t)
	gone := htlc.Ref{ChanNum: 6, Dir: htlc.Incoming, ID: 1}
	there := htlc.Ref{ChanNum: 7, Dir: htlc.Incoming, ID: 1}
	paid := htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{1}}
	var outcomes []htlc.Outcome
	for i, ref := range []htlc.Ref{gone, there} {
		outcomes = append(outcomes, htlc.Outcome{
			Ref: htlc.Ref{ChanNum: 7, Dir: htlc.Outgoing, ID: uint64(i)}, Origin: htlc.Forward(htlc.HTLC{Ref: ref}), Resolution: paid,
		})
	}
	_, err := n.db.Write(channeldb.Batch{
		Channels: []*channel.Delta{{ChanNum: 7, OutboxPut: outcomes}},
		Invoices: []*invoice.Delta{{Outbox: []invoice.Answer{{Ref: gone, Resolution: paid}, {Ref: there, Resolution: paid}}}},
	})
	require.NoError(t, err)
	n.answerTo(nil, channel.Resolve{Ref: gone, Resolution: paid})
	n.answerTo(nil, channel.Resolve{Ref: there, Resolution: paid})
	require.Equal(t, channel.Resolve{Ref: there, Resolution: paid}, <-heard)
	require.NoError(t, n.db.Barrier())
	left, answers, err := n.db.Outbox()
	require.NoError(t, err)
	require.Equal(t, outcomes[1:], left)
	require.Equal(t, []invoice.Answer{{Ref: there, Resolution: paid}}, answers)
}

// TestNothingIsDecidedBlindly: V-27: while the node cannot see the chain, what comes in
// is neither received nor carried on: it could have expired already. When it sees the
// chain again it goes on.
func TestNothingIsDecidedBlindly(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	gone := htlc.Ref{ChanNum: 99, Dir: htlc.Incoming, ID: 1}
	_, err := bob.db.Write(channeldb.Batch{Invoices: []*invoice.Delta{{Outbox: []invoice.Answer{{Ref: gone}}}}})
	require.NoError(t, err)
	alice.fund(1_000_000)
	alice.connect(bob)
	funding := alice.open(bob, 500_000, 0)

	bob.restart()
	_, answers, err := bob.db.Outbox()
	require.NoError(t, err)
	require.Empty(t, answers, "its channel is gone")
	joined(alice, bob)

	bob.sight(false)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	inv, err := bob.AddInvoice(ctx, invoice.Terms{Amount: 5_000_000})
	require.NoError(t, err)
	ends := make(chan routing.Progress, 1)
	go func() { ends <- alice.payInvoice(ctx, inv.Request) }()
	bob.until("locked in", func() bool {
		i, err := bob.Channel(ctx, funding)
		return err == nil && len(i.HTLCs) == 1 && i.HTLCs[0].State == htlc.RcvdAddAckRevocation
	})
	now, err := bob.Invoice(inv.Hash)
	require.NoError(t, err)
	require.Equal(t, invoice.Open, now.State)
	require.Empty(t, now.Parts)
	bob.mine(1)
	require.Equal(t, routing.Succeeded, (<-ends).Payment.Status)
}
