package channeldb

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/gossip"
)

func openGraph(t testing.TB, path string) *GraphDB {
	t.Helper()
	g, err := OpenGraph(path, testGenesis)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

func graphRows(t *testing.T, g *GraphDB, kind gossip.Kind) map[string]string {
	t.Helper()
	rows := map[string]string{}
	require.NoError(t, g.ForEach(kind, func(key, value []byte) error {
		rows[string(key)] = string(value)
		return nil
	}))
	return rows
}

func TestGraphRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph", "g.db")
	g := openGraph(t, path)
	require.NoError(t, g.Put(gossip.KindChannel, []byte("b"), []byte("1")))
	require.NoError(t, g.Put(gossip.KindChannel, []byte("a"), []byte("2")))
	require.NoError(t, g.Put(gossip.KindNode, []byte("a"), []byte("node")))
	require.NoError(t, g.Put(gossip.KindTip, nil, []byte("tip")), "an empty key is a key")
	require.NoError(t, g.Put(gossip.KindChannel, []byte("b"), []byte("3")))
	require.NoError(t, g.Put(gossip.KindChannel, []byte("c"), []byte("4")))
	require.NoError(t, g.Delete(gossip.KindChannel, []byte("c")))
	require.Equal(t, map[string]string{"a": "2", "b": "3"}, graphRows(t, g, gossip.KindChannel))

	_, err := OpenGraph(path, testGenesis)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, g.Put(gossip.KindChannel, []byte("d"), []byte("5")))
	require.NoError(t, g.Close(), "writes what is queued")
	require.ErrorIs(t, g.Put(gossip.KindChannel, []byte("e"), []byte("6")), ErrClosed)

	g = openGraph(t, path)
	require.Equal(t, map[string]string{"a": "2", "b": "3", "d": "5"}, graphRows(t, g, gossip.KindChannel))
	require.Equal(t, map[string]string{"a": "node"}, graphRows(t, g, gossip.KindNode))
	require.Equal(t, map[string]string{"": "tip"}, graphRows(t, g, gossip.KindTip))
}

func TestGraphScanPages(t *testing.T) {
	g := openGraph(t, filepath.Join(t.TempDir(), "g.db"))
	const n = 2*maxReadRows + 3
	for i := range uint64(n) {
		require.NoError(t, g.Put(gossip.KindUpdate, binary.BigEndian.AppendUint64(nil, i), []byte{1}))
	}
	next := uint64(100)
	require.NoError(t, g.Scan(gossip.KindUpdate, binary.BigEndian.AppendUint64(nil, next), func(key, _ []byte) (bool, error) {
		require.Equal(t, next, number(key))
		next++
		return next < n-1, nil
	}))
	require.Equal(t, uint64(n-1), next)
	require.ErrorContains(t, g.ForEach(gossip.KindUpdate, func(_, _ []byte) error { return errors.New("enough") }), "enough")
}

func TestGraphIsLearnedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.db")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<16), 0o600))
	g := openGraph(t, path)
	require.FileExists(t, path+".damaged")
	require.NoError(t, g.Put(gossip.KindNode, []byte("a"), []byte("whole")))
	require.NoError(t, g.Put(gossip.KindNode, []byte("b"), []byte("damaged")))
	require.NoError(t, g.Flush())
	require.NoError(t, g.bolt.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(graphBucket).Put(graphKey(gossip.KindNode, []byte("b")), []byte("damaged...."))
	}))
	require.Equal(t, map[string]string{"a": "whole"}, graphRows(t, g, gossip.KindNode))
	require.NoError(t, g.Close())

	other, err := OpenGraph(path, chainhash.Hash{7})
	require.NoError(t, err)
	require.Empty(t, graphRows(t, other, gossip.KindNode), "of another network")
	require.NoError(t, other.Close())
}

func TestGraphWriteFailure(t *testing.T) {
	g, err := OpenGraph(filepath.Join(t.TempDir(), "g.db"), testGenesis)
	require.NoError(t, err)
	require.NoError(t, g.bolt.Close())
	require.NoError(t, g.Put(gossip.KindNode, []byte("a"), []byte("b")))
	require.ErrorContains(t, g.Flush(), "write graph")
	require.ErrorContains(t, g.Put(gossip.KindNode, []byte("a"), []byte("b")), "write graph")
	require.Error(t, g.Close())
}

// fillGraph is a graph of the size of mainnet's.
func fillGraph(b *testing.B, g *GraphDB) {
	ann, upd := make([]byte, 430+49), make([]byte, 139)
	for i := range uint64(50_808) {
		key := binary.BigEndian.AppendUint64(nil, i<<40|i<<16)
		require.NoError(b, g.Put(gossip.KindChannel, key, ann))
		for side := range byte(2) {
			require.NoError(b, g.Put(gossip.KindUpdate, append(key[:8:8], side), upd))
		}
	}
	require.NoError(b, g.Flush())
}

func BenchmarkGraphFill(b *testing.B) {
	for b.Loop() {
		fillGraph(b, openGraph(b, filepath.Join(b.TempDir(), "g.db")))
	}
}

func BenchmarkGraphLoad(b *testing.B) {
	g := openGraph(b, filepath.Join(b.TempDir(), "g.db"))
	fillGraph(b, g)
	for b.Loop() {
		rows := 0
		for _, kind := range []gossip.Kind{gossip.KindChannel, gossip.KindUpdate} {
			require.NoError(b, g.ForEach(kind, func(_, _ []byte) error { rows++; return nil }))
		}
		require.Equal(b, 3*50_808, rows)
	}
}

// TestGraphUnmap: what was stored and what waits survives that the file is opened anew
// behind everybody's back.
func TestGraphUnmap(t *testing.T) {
	g := openGraph(t, filepath.Join(t.TempDir(), "g.db"))
	value := make([]byte, 1<<20)
	for i := range 40 { // more than graphHeavy, twice
		require.NoError(t, g.Put(gossip.KindChannel, []byte{byte(i)}, value))
		require.NoError(t, g.Flush())
	}
	require.Less(t, g.heavy, graphHeavy)
	require.NoError(t, g.Put(gossip.KindNode, []byte("n"), []byte("1")))
	require.NoError(t, g.Unmap())
	require.NoError(t, g.ForEach(gossip.KindNode, func(_, _ []byte) error { return g.Unmap() }), "nothing is done to who reads")
	require.Len(t, graphRows(t, g, gossip.KindChannel), 40)
	require.Len(t, graphRows(t, g, gossip.KindNode), 1)
}
