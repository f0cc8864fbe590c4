package channeldb

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// core is a batch that is not lazy.
func core(num uint64) Batch {
	return Batch{Channels: []*channel.Delta{{ChanNum: num, Core: &channel.Core{LocalN: num}}}}
}

// lazy is a batch that may wait.
func lazy(num, n uint64) Batch {
	return Batch{Channels: []*channel.Delta{{ChanNum: num, Revoked: []channel.Revoked{{N: n}}, Lazy: true}}}
}

// gate makes every commit of db wait for a value, the error that it fails with.
func gate(db *DB) (began chan struct{}, through chan error) {
	began, through = make(chan struct{}), make(chan error)
	db.sync = func(tx *bolt.Tx) error {
		began <- struct{}{}
		if err := <-through; err != nil {
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	}
	return began, through
}

func TestWhatGathersIsWrittenTogether(t *testing.T) {
	db := open(t)
	began, through := gate(db)
	var mu sync.Mutex
	var order []int
	note := func(i int) func(Receipt) {
		return func(Receipt) { mu.Lock(); order = append(order, i); mu.Unlock() }
	}
	db.Queue(core(1), note(0))
	<-began
	for i := 1; i <= 100; i++ {
		b := core(uint64(i))
		if i%10 == 0 {
			b = Batch{} // a place in the order
		}
		db.Queue(b, note(i))
	}
	through <- nil
	<-began
	through <- nil
	db.sync = (*bolt.Tx).Commit
	require.NoError(t, db.Barrier())
	require.Equal(t, Stats{Commits: 2, Batches: 91}, Stats{Commits: db.Stats().Commits, Batches: db.Stats().Batches})
	mu.Lock()
	defer mu.Unlock()
	for i, n := range order {
		require.Equal(t, i, n)
	}
	require.Len(t, order, 101)
}

func TestEmptyBatchWritesNothing(t *testing.T) {
	db := open(t)
	done := make(chan struct{})
	db.Queue(Batch{}, func(Receipt) { close(done) })
	<-done
	require.NoError(t, db.Barrier())
	require.Zero(t, db.Stats().Commits)
}

func TestLazyBatchesWaitForCompany(t *testing.T) {
	db := open(t)
	for n := range uint64(5) {
		db.Queue(lazy(1, n), nil)
	}
	require.Zero(t, db.Stats().Commits)
	_, ok, err := db.Revoked(1, 0)
	require.NoError(t, err)
	require.False(t, ok)
	_, err = db.Write(core(1))
	require.NoError(t, err)
	require.Equal(t, uint64(1), db.Stats().Commits)
	require.Equal(t, uint64(6), db.Stats().Batches)

	db.Queue(lazy(1, 5), nil)
	require.NoError(t, db.Barrier(), "what releases later is not before it")
	_, ok, err = db.Revoked(1, 5)
	require.NoError(t, err)
	require.True(t, ok)

	db.Queue(lazy(1, 6), nil)
	db = reopen(t, db)
	_, ok, err = db.Revoked(1, 6)
	require.NoError(t, err)
	require.True(t, ok, "Close writes them")
}

func TestGatheredBatchesAreWrittenByOneWake(t *testing.T) {
	db := open(t)
	require.False(t, db.Gather(lazy(1, 0), nil), "a lazy batch is not due")
	tags := []forward.Delta{{Tags: []forward.Tag{{Tag: onion.Tag{1}}}}}
	require.False(t, db.Gather(Batch{Switch: tags, Lazy: true}, nil))
	require.True(t, db.Gather(core(1), nil))
	done := make(chan struct{})
	require.True(t, db.Gather(Batch{}, func(Receipt) { close(done) }), "somebody waits for its place in the order")
	require.Zero(t, db.Stats().Commits)
	db.Wake()
	<-done
	require.Equal(t, uint64(1), db.Stats().Commits)
	require.Equal(t, uint64(3), db.Stats().Batches)
	db.Wake()
	require.NoError(t, db.Barrier())
	require.Equal(t, uint64(1), db.Stats().Commits, "nothing is left")
}

func TestQueueKeepsNothingOfItsArguments(t *testing.T) {
	db := open(t)
	began, through := gate(db)
	db.Queue(core(9), nil)
	<-began
	c := &channel.Core{LocalN: 1, Reason: "before"}
	db.Queue(Batch{Channels: []*channel.Delta{{ChanNum: 1, Core: c}}}, nil)
	c.LocalN, c.Reason = 2, "after"
	through <- nil
	<-began
	through <- nil
	db.sync = (*bolt.Tx).Commit
	require.NoError(t, db.Barrier())
	rows, err := db.Channel(1)
	require.NoError(t, err)
	require.Equal(t, &channel.Core{LocalN: 1, Reason: "before"}, rows.Core)
}

// TestFailedSync: law 3. The process ends; no done function comes after.
func TestFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	fatal := make(chan error, 2)
	opts := testOptions(t)
	opts.Fatal = func(err error) { fatal <- err }
	db, err := Open(path, opts)
	require.NoError(t, err)
	_, err = db.Write(core(1))
	require.NoError(t, err)

	began, through := gate(db)
	told := func(Receipt) { t.Error("told after a failed write") }
	db.Queue(core(2), told)
	<-began
	db.Queue(core(3), told)
	through <- errors.New("no space left on device")
	require.ErrorContains(t, <-fatal, "no space left")
	db.Queue(core(4), told)
	db.Queue(Batch{}, told)
	_, err = db.Write(core(5))
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, db.Close())
	require.Empty(t, fatal)

	db = openPath(t, path)
	nums := []uint64{}
	require.NoError(t, db.Channels(func(num uint64, _ channel.Rows) error { nums = append(nums, num); return nil }))
	require.Equal(t, []uint64{1}, nums)
}

func TestProgrammingErrorsEndTheProcess(t *testing.T) {
	for name, d := range map[string]channel.Delta{
		"rider":   {ChanNum: 1, Riders: []channel.Rider{{Kind: 0xffff}}},
		"meta":    {ChanNum: 1, Riders: []channel.Rider{{Kind: kindOf(inMeta, put), Key: metaKey}}},
		"attempt": {ChanNum: 1, Attempts: []channel.AttemptRow{{ID: 1, Row: []byte("x")}}},
		"origin":  {ChanNum: 1, OutboxPut: []htlc.Outcome{{}}},
	} {
		fatal := make(chan error, 1)
		opts := testOptions(t)
		opts.Fatal = func(err error) { fatal <- err }
		db, err := Open(filepath.Join(t.TempDir(), "db"), opts)
		require.NoError(t, err)
		_, err = db.Write(Batch{Channels: []*channel.Delta{&d}})
		require.ErrorIs(t, err, ErrClosed, name)
		require.Error(t, <-fatal, name)
		require.NoError(t, db.Close())
	}
}

// TestFence: whoever opened the file before may not write any more.
func TestFence(t *testing.T) {
	fatal := make(chan error, 1)
	opts := testOptions(t)
	opts.Fatal = func(err error) { fatal <- err }
	db, err := Open(filepath.Join(t.TempDir(), "db"), opts)
	require.NoError(t, err)
	require.NoError(t, db.update(func(w *write) error { // as another process would
		m, err := w.meta()
		require.NoError(t, err)
		m.epoch++
		return w.setMeta(m)
	}))
	_, err = db.Write(core(1))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorContains(t, <-fatal, "opened by another process")
	require.NoError(t, db.Close())
}

func TestNumbersAreNeverReused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	seen := map[uint64]bool{}
	last := uint64(0)
	for life := range 3 {
		db, err := Open(path, testOptions(t))
		require.NoError(t, err)
		for range 40 {
			n, err := db.NextChanNum()
			require.NoError(t, err)
			require.False(t, seen[n])
			require.Greater(t, n, last)
			seen[n], last = true, n
		}
		if life == 1 { // a crash: nothing is given back
			_ = db.bolt.Close()
			continue
		}
		require.NoError(t, db.Close())
	}
	require.True(t, seen[1])
	require.True(t, seen[80], "no gap where there was no crash")
	db, err := Open(path, testOptions(t))
	require.NoError(t, err)
	for _, skip := range []uint64{7, 500, 500, 300} {
		require.NoError(t, db.SkipChanNums(skip))
	}
	n, err := db.NextChanNum()
	require.NoError(t, err)
	require.EqualValues(t, 501, n)
	_ = db.bolt.Close() // a crash
	db, err = Open(path, testOptions(t))
	require.NoError(t, err)
	n, err = db.NextChanNum()
	require.NoError(t, err)
	require.Greater(t, n, uint64(501))
	require.NoError(t, db.Close())
}

func TestPersonalRowsBySmallBatches(t *testing.T) {
	db := open(t)
	peer := Peer{Key: lnwire.PubKey{2, 7}, Addresses: []string{"a:1", "b:2"}}
	_, err := db.Write(Batch{Peers: []Peer{peer, {Key: lnwire.PubKey{3}}}, Notes: []Note{{"own", []byte{1}}, {"x", []byte{}}}})
	require.NoError(t, err)
	_, err = db.Write(Batch{PeersGone: []lnwire.PubKey{{3}}, Notes: []Note{{Name: "gone"}}})
	require.NoError(t, err)
	peers, err := db.Peers()
	require.NoError(t, err)
	require.Equal(t, []Peer{peer}, peers)
	v, err := db.Note("own")
	require.NoError(t, err)
	require.Equal(t, []byte{1}, v)
	v, err = db.Note("x")
	require.NoError(t, err)
	require.Equal(t, []byte{}, v)
	v, err = db.Note("none")
	require.NoError(t, err)
	require.Nil(t, v)
}

// TestLastWord: of a row that one transaction would write more than once only the last
// goes to the disk, whatever lies between; across transactions each does.
func TestLastWord(t *testing.T) {
	db := open(t)
	put := htlc.Outcome{Ref: htlc.Ref{ChanNum: 3, ID: 1}, Origin: htlc.Origin{Kind: htlc.FromForward}, Resolution: htlc.Resolution{Kind: htlc.TimedOut}}
	puts := func(id uint64, amount lnwire.MilliSat) *channel.Delta {
		o := put
		o.Ref.ID, o.Origin.Ref.ID, o.Amount = id, id, amount
		return &channel.Delta{ChanNum: 3, Core: &channel.Core{LocalN: id}, OutboxPut: []htlc.Outcome{o}}
	}
	gone := &channel.Delta{ChanNum: 3, OutboxDone: []htlc.Ref{{ID: 1}}}
	before := db.Stats()
	write1(t, db, Batch{Channels: []*channel.Delta{puts(1, 5), puts(2, 6), gone, puts(2, 7)}})
	after := db.Stats()
	outcomes, _, err := db.Outbox()
	require.NoError(t, err)
	require.Len(t, outcomes, 1)
	require.EqualValues(t, 7, outcomes[0].Amount)
	require.EqualValues(t, 4, after.Rows-before.Rows, "the core, an outcome that stays, one that goes, and an answer, should there be one")
	rows, err := db.Channel(3)
	require.NoError(t, err)
	require.EqualValues(t, 2, rows.Core.LocalN)
	require.Equal(t, after.Bytes-before.Bytes, after.Kinds()["channels"]+after.Kinds()["outbox"])

	write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: 3, Core: &channel.Core{LocalN: 8}}, {ChanNum: 3, Forget: true}, {ChanNum: 3, Core: &channel.Core{LocalN: 9}}}})
	rows, err = db.Channel(3)
	require.NoError(t, err)
	require.EqualValues(t, 9, rows.Core.LocalN)
	write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: 3, Core: &channel.Core{LocalN: 10}}, {ChanNum: 3, Forget: true}}})
	rows, err = db.Channel(3)
	require.NoError(t, err)
	require.Nil(t, rows.Core)
}

// TestQueuedAfterTheEnd: what comes when the last write was done is never written, and who
// waits for it hears that.
func TestQueuedAfterTheEnd(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "x.db"), Options{Fatal: func(err error) { t.Error(err) }})
	require.NoError(t, err)
	last := false
	db.Queue(core(1), func(Receipt) { last = true })
	select {
	case <-db.Dead():
		t.Fatal("it can write")
	default:
	}
	require.NoError(t, db.Close())
	require.True(t, last)
	db.Queue(core(2), func(Receipt) { t.Error("written after the end") })
	<-db.Dead()
}
