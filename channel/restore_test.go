package channel

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// shell replaces a node's machine by one made from what a static backup holds.
func (n *node) shell() {
	t, core := n.rows.Terms, n.rows.Core
	ask := RestoreAsked{
		Terms: Terms{
			Funder: t.Funder, Format: t.Format, ChannelType: t.ChannelType, Capacity: t.Capacity, Keys: t.Keys,
			Ours:   Side{Basepoints: t.Ours.Basepoints, ToSelfDelay: t.Ours.ToSelfDelay},
			Theirs: Side{Basepoints: t.Theirs.Basepoints, ToSelfDelay: t.Theirs.ToSelfDelay},
		},
		Funding: core.Funding, SCID: core.SCID, From: t.OpenedTip.Height,
	}
	n.ch = New(n.cfg, n.crypto, 1, n.other.ring.NodeID())
	n.restore(Rows{})
	n.published, n.watches = nil, nil
	n.step(ask)
	require.Equal(n.w.t, Failed, n.ch.Phase())
	require.Len(n.w.t, n.watches, 2)
	n.crash() // the law holds, and what was asked is asked again
	require.Len(n.w.t, n.watches, 4)
}

// TestRestore: B2.reest.18: a shell has its peer close the channel, used or not, by
// whoever it was opened, and brings our balance home. It publishes nothing.
func TestRestore(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		for _, used := range []bool{false, true} {
			for _, funder := range []bool{false, true} {
				w := newWorld(t)
				w.useReal()
				o := usual
				o.format = format
				w.open(o)
				if used {
					w.a.add(30_000_000, 1)
					w.settle()
					w.b.fulfill(0, 1)
					w.settle()
				}
				lost, peer := w.b, w.a
				if funder {
					lost, peer = w.a, w.b
				}
				ours := lost.info().RemoteOurs.Sat()
				l := newLedger(t, w)
				w.disconnect()
				lost.shell()
				l.taken[lost] = 0
				w.connect()
				w.settle()
				require.Equal(t, Failed, peer.ch.Phase())
				require.NotZero(t, lost.rows.Core.LostPoint)
				require.Zero(t, lost.info().CommitTxid)
				lost.step(CloseAsked{Force: true})
				l.mine()
				require.Equal(t, Closing, lost.ch.Phase())
				require.Equal(t, SpentByUnknown, lost.ch.core.Spend.Kind)
				l.crash(lost)
				l.end(func() {})
				require.Empty(t, lost.published)
				require.Equal(t, ClosedByThem, lost.rows.Closed.Kind)
				if funder {
					require.Positive(t, l.home(lost)) // less the fee
				} else {
					require.Equal(t, ours, l.home(lost))
				}
			}
		}
	}
}

// TestRestoreOwnClose: B5.lost.2: our commitment was in the chain before everything was
// lost: its to_local comes home from the backup alone, after its delay.
func TestRestoreOwnClose(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		w := newWorld(t)
		w.useReal()
		o := usual
		o.format = format
		w.open(o)
		w.a.add(30_000_000, 1)
		w.settle()
		w.b.fulfill(0, 1)
		w.settle()
		w.b.step(CloseAsked{Force: true})
		tx := w.b.published[len(w.b.published)-1]
		l := newLedger(t, w)
		w.disconnect()
		w.b.shell()
		l.taken[w.b] = 0
		l.mine(tx)
		l.end(func() {})
		require.Equal(t, w.b.rows.Closed.TimeLock, l.home(w.b))
		require.Positive(t, l.home(w.b))
	}
}

// TestRestoreMutual: a closing transaction that was on its way is no wrongdoing.
func TestRestoreMutual(t *testing.T) {
	w := opened(t, nil)
	w.a.step(CloseAsked{})
	w.settle()
	tx := w.a.published[len(w.a.published)-1]
	w.disconnect()
	w.b.shell()
	w.b.notices = nil
	w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: tx, At: blockRef(w.tip.Height + 1)})
	require.Equal(t, SpentByMutual, w.b.ch.core.Spend.Kind)
	for _, n := range w.b.notices {
		require.NotEqual(t, NoticeBug, n.Kind)
	}
}

// TestBackupFirst: no signature that brings money into a channel leaves before its
// static backup is kept; what comes meanwhile waits.
func TestBackupFirst(t *testing.T) {
	for _, zeroConf := range []bool{false, true} {
		w := newWorld(t)
		w.a.alias, w.b.alias, w.b.trusts = 16<<40|1, 16<<40|2, true
		w.a.holds, w.b.holds = true, true
		o := usual
		o.zeroConf = zeroConf
		w.ask(o)
		w.settle()
		require.Equal(t, askedBackup, w.b.ch.opening.step)
		require.Equal(t, w.a.ch.core.Funding, w.b.asked.Question.(AskBackup).Funding)
		require.Empty(t, w.a.inbox)
		w.b.step(Answered{ID: w.b.asked.ID, Answer: BackedUp{}})
		w.settle()
		require.Equal(t, AwaitReady, w.b.ch.Phase())
		require.Equal(t, askedBackup, w.a.ch.opening.step)
		require.Empty(t, w.a.published)
		w.a.step(Answered{ID: w.a.asked.ID, Answer: BackedUp{}})
		w.settle()
		require.NotEmpty(t, w.a.published)
		if zeroConf {
			require.Equal(t, Open, w.a.ch.Phase(), "channel_ready, which came too early, was kept")
		}
		w.a.step(Answered{ID: w.a.asked.ID, Answer: BackedUp{}}) // twice does no harm
	}
}

// TestNoBackupNoChannel: who cannot keep the backup opens no channel, and says why.
func TestNoBackupNoChannel(t *testing.T) {
	for _, funder := range []bool{false, true} {
		w := newWorld(t)
		n := w.b
		if funder {
			n = w.a
		}
		n.holds = true
		w.ask(usual)
		w.settle()
		n.step(Answered{ID: n.asked.ID, Answer: Declined{Text: "disk full"}})
		w.settle()
		require.Equal(t, Closed, n.ch.Phase())
		require.Empty(t, w.a.published)
		require.Len(t, w.a.unfunded, 1)
		require.True(t, slices.ContainsFunc(n.notices, func(t Notice) bool {
			return t.Kind == NoticeOpenFailed && t.Text == "funding refused: disk full"
		}))
	}
	w := newWorld(t) // the peer gives up meanwhile
	w.a.holds = true
	w.ask(usual)
	w.settle()
	w.a.step(Received{Msg: &lnwire.Error{ChannelID: w.a.ch.id(), Data: []byte("no")}})
	require.Equal(t, Closed, w.a.ch.Phase())
	w.a.step(Answered{ID: w.a.asked.ID, Answer: BackedUp{}})
	require.Empty(t, w.a.published)
}

// TestSupplanted: a channel that was never in the chain makes room for one of a backup
// with the same funding output; one that has been, or that we have paid for, does not.
func TestSupplanted(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.settle()
	require.Equal(t, AwaitReady, w.b.ch.Phase())
	w.a.step(Supplanted{Mined: true})
	require.Equal(t, AwaitReady, w.a.ch.Phase(), "ours")
	w.b.step(Supplanted{})
	require.Equal(t, Closed, w.b.ch.Phase())
	require.Equal(t, ClosedUnfunded, w.b.rows.Closed.Kind)
	require.IsType(t, &lnwire.Error{}, w.a.inbox[len(w.a.inbox)-1])

	w = opened(t, nil)
	for _, n := range w.nodes() {
		n.step(Supplanted{Mined: true})
		require.Equal(t, Open, n.ch.Phase())
	}

	// Of two backups, the one that saw its channel in the chain.
	w = newWorld(t)
	w.ask(usual)
	w.settle()
	w.disconnect()
	w.b.shell()
	w.b.step(Supplanted{})
	require.Equal(t, Failed, w.b.ch.Phase())
	w.b.step(Supplanted{Mined: true})
	require.Equal(t, Closed, w.b.ch.Phase())

	// In an opening.
	w = newWorld(t)
	w.b.holds = true
	w.ask(usual)
	w.settle()
	w.b.step(Supplanted{})
	require.Equal(t, Closed, w.b.ch.Phase())
}

// TestGhost: the shell of a channel whose funding is in no block goes away by itself; that
// of one that was in the chain does not (V-60).
func TestGhost(t *testing.T) {
	for _, funder := range []bool{false, true} {
		w := newWorld(t)
		w.ask(usual)
		w.settle()
		w.disconnect()
		n := w.b
		if funder {
			n = w.a
		}
		from := n.rows.Terms.OpenedTip.Height
		n.shell()
		n.step(Block{At: blockRef(from + Forgotten(funder) - 1)})
		require.Equal(t, Failed, n.ch.Phase())
		n.step(Block{At: blockRef(from + Forgotten(funder))})
		require.Equal(t, Closed, n.ch.Phase())
		require.Equal(t, ClosedUnfunded, n.rows.Closed.Kind)
		require.Empty(t, n.published)
	}
	w := opened(t, nil)
	w.disconnect()
	w.b.shell()
	w.b.step(Block{At: blockRef(w.tip.Height + 5*forgetAfter)})
	require.Equal(t, Failed, w.b.ch.Phase())
}
