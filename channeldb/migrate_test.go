package channeldb

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/channel"
)

func TestForeignFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "fulgur.db")
	db, err := Open(path, testOptions(t))
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	_, err = Open(path, testOptions(t))
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, db.Close())

	opts := testOptions(t)
	opts.Genesis = chainhash.Hash{9}
	_, err = Open(path, opts)
	require.ErrorContains(t, err, "another data directory")

	other := filepath.Join(t.TempDir(), "channel.db")
	b, err := bolt.Open(other, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, b.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("open-chan-bucket"))
		return err
	}))
	require.NoError(t, b.Close())
	_, err = Open(other, testOptions(t))
	require.ErrorContains(t, err, "not a database of fulgur")

	junk := filepath.Join(t.TempDir(), "junk")
	require.NoError(t, os.WriteFile(junk, make([]byte, 1<<16), 0o600))
	_, err = Open(junk, testOptions(t))
	require.ErrorIs(t, err, ErrDamaged)
}

// noteStep is a migration that changes a row as a real one would.
func noteStep(w *write) error {
	row, err := w.get(inNotes, []byte("style"))
	if err != nil || row == nil {
		return err
	}
	v, err := decodeNote(row)
	if err != nil {
		return err
	}
	e := enc{b: []byte{1}}
	e.raw(0, append(v, "+migrated"...))
	return w.put(inNotes, []byte("style"), e.b)
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	db, err := Open(path, testOptions(t)) // the older version
	require.NoError(t, err)
	_, err = db.Write(Batch{Notes: []Note{{"style", []byte("old")}}})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	failing := append(append([]step{}, steps...),
		step{name: "first", run: noteStep}, step{name: "second", run: func(w *write) error {
			require.NoError(t, noteStep(w))
			return errors.New("out of luck")
		}})
	_, err = openAt(path, testOptions(t), failing)
	ours := uint64(len(steps))
	require.ErrorContains(t, err, fmt.Sprintf("migrate to schema %d (second): out of luck", ours+2))

	panicking := append(failing[:ours+1:ours+1], step{name: "second", run: func(*write) error { panic("page 7: invalid") }})
	_, err = openAt(path, testOptions(t), panicking)
	require.ErrorIs(t, err, ErrDamaged)

	ran := 0
	newer := append(append([]step{}, steps...),
		step{name: "first", run: func(*write) error { ran++; return nil }},
		step{name: "second", minReader: ours + 1, run: noteStep}, step{name: "third", minReader: ours + 2, run: noteStep})
	for range 2 {
		db, err = openAt(path, testOptions(t), newer)
		require.NoError(t, err)
		v, err := db.Note("style")
		require.NoError(t, err)
		require.Equal(t, "old+migrated+migrated+migrated", string(v), "each step once, the failed one not at all")
		require.NoError(t, db.Close())
	}
	require.Zero(t, ran, "it was done before the other failed")

	_, err = Open(path, testOptions(t))
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorContains(t, err, fmt.Sprintf("schema %d", ours+3))
	db, err = openAt(path, testOptions(t), newer[:ours+2])
	require.NoError(t, err, "a program that minReader allows")
	require.NoError(t, db.Close())
}

// TestGoldenFile opens the file that each released schema wrote.
func TestGoldenFile(t *testing.T) {
	for schema := range steps {
		testGoldenFile(t, filepath.Join("testdata", "files", fmt.Sprintf("schema%d.db.gz", schema+1)))
	}
}

func testGoldenFile(t *testing.T, golden string) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	if _, err := os.Stat(golden); *rewrite && errors.Is(err, os.ErrNotExist) {
		writeGoldenFile(t, path, golden)
	}
	packed, err := os.Open(golden)
	require.NoError(t, err)
	defer packed.Close()
	in, err := gzip.NewReader(packed)
	require.NoError(t, err)
	data, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	db := openPath(t, path)
	rows, err := db.Channel(3)
	require.NoError(t, err)
	require.Equal(t, &channel.Core{LocalN: 3}, rows.Core)
}

func writeGoldenFile(t *testing.T, path, golden string) {
	db, err := Open(path, testOptions(t))
	require.NoError(t, err)
	_, err = db.Write(core(3))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
	var packed bytes.Buffer
	out := gzip.NewWriter(&packed)
	_, err = out.Write(data)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, os.WriteFile(golden, packed.Bytes(), 0o644))
}

// TestDamageIsFound: V-73. A value that is not what was written is an error that
// says what to do, wherever it is read.
func TestDamageIsFound(t *testing.T) {
	db := open(t)
	_, err := db.Write(core(3))
	require.NoError(t, err)
	require.NoError(t, db.bolt.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(inChannels.String()))
		key, value := b.Cursor().First()
		bad := append([]byte{}, value...)
		bad[2] ^= 1
		return b.Put(append([]byte{}, key...), bad)
	}))
	_, err = db.Channel(3)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "channel.backup")
	require.ErrorIs(t, db.Channels(func(uint64, channel.Rows) error { return nil }), ErrDamaged)
}

func TestDiskLow(t *testing.T) {
	defer func(f func(string) (uint64, error)) { statfs = f }(statfs)
	free := uint64(1000)
	statfs = func(string) (uint64, error) { return free, nil }
	told := []bool{}
	opts := testOptions(t)
	opts.FreeFloor, opts.OnLow = 500, func(low bool) { told = append(told, low) }
	db, err := Open(filepath.Join(t.TempDir(), "db"), opts)
	require.NoError(t, err)
	require.False(t, db.Low())
	free = 499
	_, err = db.Write(core(1))
	require.NoError(t, err, "what is under way is still written")
	require.True(t, db.Low())
	require.True(t, db.CheckDisk())
	free = 500
	require.False(t, db.CheckDisk())
	require.Equal(t, []bool{true, false}, told)
	require.NoError(t, db.Close())
}

func TestCompactionAtStart(t *testing.T) {
	db := open(t)
	big := make([]byte, 1<<20)
	for i := range 24 {
		_, err := db.Write(Batch{Notes: []Note{{string(rune('a' + i)), big}}})
		require.NoError(t, err)
	}
	for i := range 23 {
		_, err := db.Write(Batch{Notes: []Note{{Name: string(rune('a' + i))}}})
		require.NoError(t, err)
	}
	before, free, err := usage(db.bolt)
	require.NoError(t, err)
	require.Greater(t, before, int64(minCompact))
	require.Greater(t, free*2, before)
	require.NoError(t, os.WriteFile(db.path+".compact", []byte("left by a crash"), 0o600))
	db = reopen(t, db)
	after, _, err := usage(db.bolt)
	require.NoError(t, err)
	require.Less(t, after, before/4)
	v, err := db.Note("x")
	require.NoError(t, err)
	require.Equal(t, big, v)
	_, err = Open(db.path, testOptions(t))
	require.ErrorIs(t, err, ErrInUse, "the new file is locked")
	_, err = db.Write(core(1))
	require.NoError(t, err)
	db = reopen(t, db)
	rows, err := db.Channel(1)
	require.NoError(t, err)
	require.NotNil(t, rows.Core)
}

// TestBackupWhileWriting: the copy is the database as it was at one moment.
func TestBackupWhileWriting(t *testing.T) {
	db := open(t)
	for n := range uint64(3000) {
		db.Queue(Batch{Channels: []*channel.Delta{{ChanNum: n, Core: &channel.Core{LocalN: 1, Reason: "some text"}}}}, nil)
	}
	require.NoError(t, db.Barrier())
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // moves a unit from one channel to another, and deletes and makes rows
		defer close(stopped)
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			db.Queue(Batch{Channels: []*channel.Delta{
				{ChanNum: 1, Core: &channel.Core{LocalN: i}}, {ChanNum: 2999, Core: &channel.Core{LocalN: i}},
				{ChanNum: 10 + i%1000, Forget: true}, {ChanNum: 3000 + i, Core: &channel.Core{LocalN: i}},
			}}, nil)
			if err := db.Barrier(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, db.Backup(path))
	close(stop)
	<-stopped
	require.ErrorIs(t, db.Backup(path), os.ErrExist)
	require.Nil(t, db.tail)

	copied := openPath(t, path)
	a, err := copied.Channel(1)
	require.NoError(t, err)
	b, err := copied.Channel(2999)
	require.NoError(t, err)
	require.Equal(t, a.Core, b.Core)
	newest := binary.BigEndian.AppendUint64(nil, 3000+a.Core.LocalN)
	require.NoError(t, copied.view(func(r *reader) error {
		key, _ := r.seek(inChannels, newest)
		require.True(t, hasPrefix(key, newest) || a.Core.LocalN == 1)
		return nil
	}))
}

// TestUpgradeNotes: docs/upgrade.md has every step, and who can read the file after it.
func TestUpgradeNotes(t *testing.T) {
	doc, err := os.ReadFile("../docs/upgrade.md")
	require.NoError(t, err)
	reader := uint64(0)
	for i, s := range steps {
		reader = max(reader, s.minReader)
		require.Contains(t, string(doc), fmt.Sprintf("\n| %d | %s | %d |\n", i+1, s.name, reader), "docs/upgrade.md lacks this step")
	}
}
