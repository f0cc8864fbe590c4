package node

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// TestPeerStorage: each keeps the other's backup, over restarts of both.
func TestPeerStorage(t *testing.T) {
	chain := chainOf(t)
	alice, bob, carol := residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	alice.fund(10_000_000)
	alice.connect(bob)
	alice.connect(carol)
	funding := alice.open(bob, 1_000_000, 0)

	// B1.keep.1, B1.keep.5: what the other sent is kept, and is of the one length.
	kept := func(by, of *resident) []backup.Single {
		blob := by.storage.newest(of.ID())
		if blob == nil {
			return nil
		}
		require.Len(t, blob, blobSize)
		plain, err := backup.Open(of.backups.key, blob)
		require.NoError(t, err)
		list, err := backup.ParseMulti(plain)
		require.NoError(t, err)
		return list
	}
	for _, pair := range [][2]*resident{{alice, bob}, {bob, alice}} {
		by, of := pair[0], pair[1]
		by.until("the backup of the confirmed channel", func() bool {
			list := kept(by, of)
			return len(list) == 1 && list[0].SCID == of.Links()[0].SCID
		})
		s := kept(by, of)[0]
		require.Equal(t, funding, s.Funding)
		require.Equal(t, by.ID(), s.Peer)
		require.Equal(t, backup.VersionAnchors, s.Version)
		require.Equal(t, of == alice, s.Funder)
	}
	require.NotEmpty(t, kept(bob, alice)[0].Addresses, "alice knows where bob is")

	// B1.keep.1: who has no channel with us is owed nothing.
	carol.host.Conn(alice.ID()).Send(peer.Gossip, &lnwire.PeerStorage{Blob: []byte("please")})
	// B1.keep.3: of a flood the newest counts, though it is not written yet.
	for _, text := range []string{"one", "two", "three"} {
		bob.host.Conn(alice.ID()).Send(peer.Gossip, &lnwire.PeerStorage{Blob: []byte(text)})
	}
	alice.until("the newest", func() bool { return bytes.Equal(alice.storage.newest(bob.ID()), []byte("three")) })
	row, err := alice.db.Blob(bob.ID())
	require.NoError(t, err)
	require.Len(t, row.Data, blobSize, "the flood was not written")
	require.Nil(t, alice.storage.newest(carol.ID()))

	alice.restart() // writes what waits
	alice.until("bob's backup, which he sends again", func() bool { return len(alice.storage.newest(bob.ID())) == blobSize })

	// B1.keep.2: before anything about channels it goes back, and alice's node does so
	// whoever has bob's key.
	key, addr, gone := bob.key, alice.addr, bob.ID()
	bob.stop()
	var got recorder
	h, err := peer.NewHost(peer.Config{Key: key, Features: alice.features, Networks: []chainhash.Hash{*alice.net.GenesisHash}, Sink: &got})
	require.NoError(t, err)
	_, err = h.Connect(t.Context(), alice.ID(), addr)
	require.NoError(t, err)
	waitUntil(t, "alice speaks of the channel", func() bool { return got.saw(lnwire.MsgChannelReestablish) })
	require.Equal(t, lnwire.MsgPeerStorageRetrieval, got.types()[0])
	h.Close()

	// B1.keep.4: after the last channel it is kept for a while.
	alice.storage.parted(gone)
	require.NoError(t, alice.db.Barrier())
	row, err = alice.db.Blob(gone)
	require.NoError(t, err)
	require.Equal(t, alice.tip().Height+2016, row.Until)
	past, err := alice.db.BlobsPast(row.Until - 1)
	require.NoError(t, err)
	require.Empty(t, past)
	past, err = alice.db.BlobsPast(row.Until)
	require.NoError(t, err)
	require.Equal(t, []lnwire.PubKey{gone}, past)
}

// recorder is a peer.Sink that remembers the types of messages.
type recorder struct {
	mu   sync.Mutex
	list []lnwire.MsgType
}

func (r *recorder) Opened(*peer.Conn)        {}
func (r *recorder) Paused(*peer.Conn)        {}
func (r *recorder) Closed(*peer.Conn, error) {}
func (r *recorder) Message(_ *peer.Conn, m lnwire.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, m.Type())
}

func (r *recorder) types() []lnwire.MsgType {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

func (r *recorder) saw(t lnwire.MsgType) bool { return slices.Contains(r.types(), t) }

// busyConn takes nothing while it is busy.
type busyConn struct {
	Conn
	room  chan struct{} // closed when it takes something
	mu    sync.Mutex
	tries int
	blobs [][]byte
}

func (c *busyConn) Send(_ peer.Priority, msgs ...lnwire.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	select {
	case <-c.room:
	default:
		return false
	}
	for _, m := range msgs {
		c.blobs = append(c.blobs, m.(*lnwire.PeerStorage).Blob)
	}
	return true
}

func (c *busyConn) Drained() <-chan struct{} { return c.room }

// TestBackupWaitsForRoom: a peer whose queue is full is given our backup when there is
// room: once, and the newest (B1.keep.5).
func TestBackupWaitsForRoom(t *testing.T) {
	alice, bob := couple(t)
	waitUntil(t, "a backup", func() bool {
		alice.backups.mu.Lock()
		defer alice.backups.mu.Unlock()
		return alice.backups.blob != nil
	})
	c := &busyConn{Conn: alice.host.Conn(bob.ID()), room: make(chan struct{})}
	alice.backups.give(c)
	alice.backups.give(c) // of a later change
	require.Equal(t, 1, c.tries)
	alice.backups.mu.Lock()
	old := alice.backups.blob
	alice.backups.blob = []byte("newer")
	alice.backups.mu.Unlock()
	close(c.room)
	waitUntil(t, "it is sent", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.blobs) > 0
	})
	require.Len(t, c.blobs, 1)
	require.NotEqual(t, old, c.blobs[0])
	waitUntil(t, "nothing is owed", func() bool {
		alice.backups.mu.Lock()
		defer alice.backups.mu.Unlock()
		return len(alice.backups.owed) == 0
	})
}
