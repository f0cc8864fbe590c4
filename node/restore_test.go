package node

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// backupFile is a BackupFile in memory.
type backupFile struct {
	mu     sync.Mutex
	data   []byte
	aside  []byte
	broken error
	saves  int
}

func (f *backupFile) Load() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.data, f.broken
}

func (f *backupFile) Save(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.saves++; f.broken == nil {
		f.data = b
	}
	return f.broken
}

func (f *backupFile) SetAside() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aside, f.data = f.data, nil
	return "aside", f.broken
}

func (f *backupFile) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

// count is how often it was written, or should have been.
func (f *backupFile) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saves
}

// holds are the channels in the node's file.
func (r *resident) holds() []wire.OutPoint {
	b, err := r.file.Load()
	require.NoError(r.t, err)
	list, err := r.CheckBackup(b, false)
	require.NoError(r.t, err)
	return list
}

// wipe takes everything from a node but its seed, and starts it again.
func (r *resident) wipe() {
	r.t.Helper()
	r.stop()
	r.dir = r.t.TempDir()
	l, err := net.Listen("tcp", r.addr)
	require.NoError(r.t, err)
	r.start(l)
}

// comesHome mines until a restored channel's balance is in the wallet, and gives its
// info as it was before.
func (r *resident) comesHome(funding wire.OutPoint, ours lnwire.Sat) {
	t := r.t
	t.Helper()
	shell, err := r.Channel(t.Context(), funding)
	require.NoError(t, err)
	require.True(t, shell.Terms.Restored)
	require.Equal(t, channel.Failed, shell.Core.Phase)
	mempool := func() bool {
		list, err := r.chain.Mempool(t.Context())
		return err == nil && len(list) > 0
	}
	r.until("the peer's commitment", mempool)
	before, _ := r.Balance(1)
	r.mine(1)
	r.until("closing", func() bool {
		i, err := r.Channel(t.Context(), funding)
		return err == nil && i.Core.Spend != nil && i.Core.Spend.Kind == channel.SpentByUnknown && len(i.Ends) == 1
	})
	r.until("sweep", mempool)
	r.mine(1)
	r.until("coin", func() bool {
		b, _ := r.Balance(1)
		return b.Confirmed > before.Confirmed+ours-20_000
	})
}

// TestRestoreFromFile: all is lost but the seed and the backup file.
func TestRestoreFromFile(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	funding := alice.open(bob, 1_000_000, 200_000_000)
	for _, r := range []*resident{alice, bob} {
		r.until("backup", func() bool { return slices.Equal(r.holds(), []wire.OutPoint{funding}) })
	}
	saved, err := bob.file.Load()
	require.NoError(t, err)

	// The file is found at its place, by a node that knows nothing of it: nothing is lost
	// of what it holds, and nothing is restored that was not asked for.
	alice.stop()
	bob.wipe()
	bob.until("the same in the new file", func() bool {
		b, _ := bob.file.Load()
		return !slices.Equal(b, saved) && slices.Equal(bob.holds(), []wire.OutPoint{funding})
	})
	_, err = bob.Channel(t.Context(), funding)
	require.Error(t, err)
	e, err := bob.newChannel(ringOf(t, "mallory").Node().ID()) // who does not take its place
	require.NoError(t, err)
	require.IsType(t, channel.Declined{}, bob.answer(e, channel.Ask{Question: channel.AskOutPoint{OutPoint: funding}}))
	bob.channels.drop(e)

	n, err := bob.RestoreBackup(t.Context(), saved, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = bob.RestoreBackup(t.Context(), saved, nil)
	require.NoError(t, err)
	require.Zero(t, n, "it is there already")
	shell, err := bob.Channel(t.Context(), funding)
	require.NoError(t, err)
	next, err := bob.db.NextChanNum()
	require.NoError(t, err)
	require.Greater(t, next, uint64(shell.Terms.Keys.Root.Index), "no key is used twice")
	bob.restart() // the shell lasts
	alice.restart()
	bob.comesHome(funding, 200_000)
	require.Equal(t, []wire.OutPoint{funding}, bob.holds())

	// What is no backup of ours is refused, and kept aside.
	_, err = bob.CheckBackup(saved[1:], false)
	require.ErrorIs(t, err, backup.ErrKey)
	_, err = bob.RestoreBackup(t.Context(), nil, [][]byte{saved})
	require.Error(t, err)
	bob.stop()
	require.NoError(t, bob.file.Save([]byte("something else")))
	bob.restart()
	require.Equal(t, "something else", string(bob.file.aside))
}

// TestBackupOfOpenings: V-44: an opening is in the file while it may come to be, and never
// at peers; what has not changed is not written again.
func TestBackupOfOpenings(t *testing.T) {
	alice, bob := couple(t)
	renew := func() (written bool) {
		before, err := alice.file.Load()
		require.NoError(t, err)
		require.NoError(t, alice.backups.renew())
		after, err := alice.file.Load()
		require.NoError(t, err)
		return !slices.Equal(before, after)
	}
	alice.until("nothing changes", func() bool { return len(alice.holds()) == 1 && !renew() })
	list, err := alice.backups.list()
	require.NoError(t, err)
	e, err := alice.newChannel(bob.ID())
	require.NoError(t, err)
	s := list[0]
	s.Funding.Index += 7
	require.NoError(t, alice.backups.cover(e.num, s))
	require.Contains(t, alice.holds(), s.Funding)
	require.False(t, alice.backups.knows(&s))
	alice.backups.mu.Lock()
	blob := alice.backups.blob
	alice.backups.mu.Unlock()
	given, err := alice.CheckBackup(blob, false)
	require.NoError(t, err)
	require.Equal(t, []wire.OutPoint{list[0].Funding}, given)
	alice.until("it is not written again", func() bool { return !renew() })
	alice.channels.drop(e)
	require.True(t, renew())
	require.NotContains(t, alice.holds(), s.Funding)

	// Many openings at once wait for one write.
	const crowd = 20
	before := alice.file.count()
	var wg sync.WaitGroup
	alice.backups.making <- struct{}{}
	for range crowd {
		e, err := alice.newChannel(bob.ID())
		require.NoError(t, err)
		s.Funding.Index++
		one := s
		wg.Go(func() { assert.NoError(t, alice.backups.cover(e.num, one)) })
	}
	waitUntil(t, "all wait", func() bool {
		alice.backups.mu.Lock()
		defer alice.backups.mu.Unlock()
		return len(alice.backups.young) == crowd
	})
	<-alice.backups.making
	wg.Wait()
	require.Len(t, alice.holds(), 1+crowd)
	require.LessOrEqual(t, alice.file.count()-before, 3)
}

// TestRestoreFromPeer: B1.keep.6: all is lost but the seed; the peer that comes back
// brings the backup that it has kept.
func TestRestoreFromPeer(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	funding := alice.open(bob, 1_000_000, 300_000_000)
	alice.until("bob's backup", func() bool { return alice.storage.newest(bob.ID()) != nil })
	bob.file = &backupFile{}
	bob.wipe()
	bob.until("restored", func() bool { // alice dials
		_, err := bob.Channel(t.Context(), funding)
		return err == nil
	})
	bob.comesHome(funding, 300_000)
}

// TestOldCopy: V-74: a copy of the database from the past was put back. The peer proves
// it: nothing of that state is published, not even when asked for; the operator is told;
// the peer closes and our balance comes home.
func TestOldCopy(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	funding := alice.open(bob, 1_000_000, 300_000_000)
	bob.stop()
	old, err := os.ReadFile(filepath.Join(bob.dir, "fulgur.db"))
	require.NoError(t, err)
	bob.restart()
	joined(alice, bob)
	p := alice.pay(bob, 100_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	bob.stop()
	require.NoError(t, os.WriteFile(filepath.Join(bob.dir, "fulgur.db"), old, 0o600))
	bob.restart()
	bob.until("proof", func() bool {
		i, err := bob.Channel(t.Context(), funding)
		return err == nil && i.Core.DataLost
	})
	updates, err := bob.CloseChannel(t.Context(), CloseRequest{Funding: funding, Force: true})
	if err == nil {
		require.Error(t, (<-updates).Err)
	}
	i, err := alice.Channel(t.Context(), funding)
	require.NoError(t, err)
	bob.mempooled(func(list []chainhash.Hash) { require.Equal(t, []chainhash.Hash{i.CommitTxid}, list) })
	before, _ := bob.Balance(1)
	bob.mempooled(nil)
	bob.until("coin", func() bool {
		b, _ := bob.Balance(1)
		return b.Confirmed > before.Confirmed+400_000-20_000
	})
}

// mempooled waits for something in the mempool, shows it, and mines it.
func (r *resident) mempooled(see func([]chainhash.Hash)) {
	var list []chainhash.Hash
	r.until("mempool", func() bool {
		var err error
		list, err = r.chain.Mempool(r.t.Context())
		return err == nil && len(list) > 0
	})
	if see != nil {
		see(list)
	}
	r.mine(1)
}

// TestBackupIsFirst: without its backup on the disk no channel is opened, by either side,
// and whoever asks is told why.
func TestBackupIsFirst(t *testing.T) {
	chain := chainOf(t)
	alice, bob := residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	for _, r := range []*resident{alice, bob} {
		r.until("synced", r.SyncedToChain)
	}
	for _, who := range []*resident{alice, bob} {
		who.file.fail(errors.New("disk full"))
		updates, err := alice.OpenChannel(t.Context(), OpenRequest{Peer: bob.ID(), Capacity: 500_000})
		require.NoError(t, err)
		u := <-updates
		require.ErrorContains(t, u.Err, "the static channel backup cannot be written: disk full")
		who.file.fail(nil)
	}
	b, _ := alice.Balance(1)
	require.EqualValues(t, 10_000_000, b.Confirmed-b.Locked)
	funding := alice.open(bob, 500_000, 0)
	require.Contains(t, bob.holds(), funding)
	one, err := alice.ExportBackup(funding)
	require.NoError(t, err)
	list, err := alice.CheckBackup(one.Sealed, true)
	require.NoError(t, err)
	require.Equal(t, []wire.OutPoint{funding}, list)
	_, err = alice.ExportBackup(wire.OutPoint{})
	require.ErrorIs(t, err, ErrNoSuchChannel)
}

// TestRestoreSupplants: a stranger names the funding of a lost channel before a peer's
// blob comes: the channel is restored all the same, before and after a restart, and what
// the stranger opened is forgotten (V-31).
func TestRestoreSupplants(t *testing.T) {
	bob := residentOf(t, chainOf(t), "bob")
	bob.fund(100_000)
	d := dealerOf(t, bob, "mallory")
	name := func() backup.Single { // a channel that will never be
		locs := keys.ChannelLocs(1)
		points, err := d.ring.Basepoints(locs)
		require.NoError(t, err)
		const capacity = 500_000
		d.ch = channel.New(&d.cfg, &crypto{signer: d.ring, pool: &pool{}}, 1, bob.ID())
		d.step(channel.OpenAsked{
			TempID: idOf("a lost channel"), Capacity: capacity, FeeRate: 2500, FundingFeeRate: 1000, Format: commitment.Anchors, Private: true,
			Ours: dealerSide(points, capacity), Keys: locs, MinDepth: 3, Features: bob.Features(), At: bob.Tip(), Now: time.Now(),
		})
		d.pump("the opening", func() bool { return d.ch.Phase() == channel.AwaitReady })
		op := d.ch.Info().Core.Funding
		waitUntil(t, "the opening", func() bool { return bob.channels.funding(op) != nil })
		var list []backup.Single
		bob.until("backup", func() bool {
			list, err = bob.backups.list()
			require.NoError(t, err)
			return len(list) > 0 && list[len(list)-1].Funding == op
		})
		s := list[len(list)-1]
		s.Peer, s.SCID = ringOf(t, "alice").Node().ID(), lnwire.NewShortChannelID(100, 1, 0)
		s.Keys = keys.ChannelLocs(77)
		return s
	}
	lost := name()
	n, err := bob.restore(t.Context(), []backup.Single{lost})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	shell, err := bob.Channel(t.Context(), lost.Funding)
	require.NoError(t, err)
	require.True(t, shell.Terms.Restored)
	require.Contains(t, string(expect[*lnwire.Error](d.rogue).Data), "that of another channel")
	n, err = bob.restore(t.Context(), []backup.Single{lost})
	require.NoError(t, err)
	require.Zero(t, n)

	d.again()
	lost = name()
	bob.channels.funding(lost.Funding).runner.Inbox.Put(turn.Item{Event: channel.Supplanted{}}) // whyever it ends
	bob.until("its end", func() bool { return bob.channels.funding(lost.Funding) == nil })
	bob.restart()
	n, err = bob.restore(t.Context(), []backup.Single{lost})
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// TestGhostInTheFile: the node ended between the backup and the opening: the entry of a
// channel that never was leaves the file, but not that of one that is in the chain (V-60).
func TestGhostInTheFile(t *testing.T) {
	alice, bob := couple(t)
	alice.until("backup", func() bool { return len(alice.holds()) == 1 })
	list, err := alice.backups.list()
	require.NoError(t, err)
	real, ghost := list[0], list[0]
	real.SCID = lnwire.NewShortChannelID(real.SCID.Block()-1, 0, 0)
	ghost.Funding.Hash[0]++
	ghost.SCID = real.SCID
	plain, err := backup.PlainMulti([]backup.Single{ghost, real})
	require.NoError(t, err)
	bob.stop()
	require.NoError(t, alice.file.Save(alice.backups.seal(plain)))
	alice.wipe()
	alice.until("both", func() bool { return len(alice.holds()) == 2 })
	due := lnwire.Height(real.SCID.Block()) + channel.Forgotten(real.Funder)
	alice.backups.lay(due - 1)
	require.False(t, alice.backups.seeks)
	alice.until("the ghost goes", func() bool {
		alice.backups.lay(due)
		return slices.Equal(alice.holds(), []wire.OutPoint{real.Funding})
	})
	alice.until("the other is found", func() bool {
		alice.backups.lay(due)
		alice.backups.mu.Lock()
		defer alice.backups.mu.Unlock()
		return mined(&alice.backups.found[0])
	})
	require.Equal(t, list[0].SCID, alice.backups.found[0].SCID)
}
