package node

import (
	"bytes"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// storage keeps blobs for the peers that we have channels with (BOLT 1, peer
// storage): one for each, of at most 65,531 bytes, written at most once a minute.
type storage struct {
	n *Node

	mu   sync.Mutex
	held map[lnwire.PubKey]*heldBlob
}

// heldBlob is the state of a peer that has sent a blob since we started.
type heldBlob struct {
	written time.Time
	waits   []byte // newer than what is written; nil: nothing
	timer   *time.Timer
}

const (
	// blobPause is the shortest time between two writes for one peer.
	blobPause = time.Minute
	// blobGrace is how long a blob is kept after the last channel, in blocks.
	blobGrace = 2016
)

// startStorage begins to keep blobs for peers, and to give them ours.
func (n *Node) startStorage() (err error) {
	n.storage.n, n.storage.held = n, map[lnwire.PubKey]*heldBlob{}
	n.storage.tidy()
	if n.backups, err = newBackups(n); err != nil {
		return err
	}
	n.spawn(n.backups.run)
	return nil
}

// hasFunded reports a channel with the peer that stands.
func (n *Node) hasFunded(id lnwire.PubKey) bool {
	for _, e := range n.channels.of(id) {
		if l := e.link.Load(); l != nil && !l.Ended {
			return true
		}
	}
	return false
}

// store takes a peer's blob.
//
// B1.keep.1: what a peer with a channel sends is kept, in place of what it sent
// before; of a flood only the newest is written, after a while.
func (s *storage) store(c Conn, blob []byte) {
	id := c.PubKey()
	if !s.n.features.HasEither(lnwire.ProvideStorageOptional) || !s.n.hasFunded(id) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[id]
	if h == nil {
		h = &heldBlob{}
		s.held[id] = h
	}
	wait := blobPause - time.Since(h.written)
	switch {
	case h.timer != nil:
		h.waits = bytes.Clone(blob)
	case wait > 0:
		h.waits = bytes.Clone(blob)
		h.timer = time.AfterFunc(wait, func() { s.flush(id) })
	default:
		s.write(id, h, bytes.Clone(blob))
	}
}

// write is called with mu held.
func (s *storage) write(id lnwire.PubKey, h *heldBlob, blob []byte) {
	h.written, h.waits, h.timer = time.Now(), nil, nil
	s.n.write(channeldb.Batch{Blobs: []channeldb.Blob{{Peer: id, Data: blob}}}, nil)
}

// flush writes what waits for a peer.
func (s *storage) flush(id lnwire.PubKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[id]; h != nil && h.waits != nil {
		h.timer.Stop()
		s.write(id, h, h.waits)
	}
}

// stop writes everything that waits.
func (s *storage) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, h := range s.held {
		if h.waits != nil {
			h.timer.Stop()
			s.write(id, h, h.waits)
		}
	}
}

// giveBack sends what we keep for a peer.
//
// B1.keep.2: it goes out on every connection, before channel_reestablish: a peer
// that has lost its state must know before it speaks of its channels.
func (s *storage) giveBack(c Conn) {
	blob := s.newest(c.PubKey())
	if blob != nil {
		c.Send(peer.Channel, &lnwire.PeerStorageRetrieval{Blob: blob})
	}
}

// newest is the last blob of a peer.
//
// B1.keep.3: it is the last one that came, written or not.
func (s *storage) newest(id lnwire.PubKey) []byte {
	s.mu.Lock()
	if h := s.held[id]; h != nil && h.waits != nil {
		defer s.mu.Unlock()
		return h.waits
	}
	s.mu.Unlock()
	row, err := s.n.db.Blob(id)
	if err != nil {
		s.n.logs.peers.Error("read a peer's blob", "peer", id, "err", err)
	}
	if row == nil {
		return nil
	}
	return row.Data
}

// parted notes that the last channel with a peer is over.
//
// B1.keep.4: its blob is kept for another 2016 blocks.
func (s *storage) parted(id lnwire.PubKey) {
	blob := s.newest(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[id]; h != nil && h.timer != nil {
		h.timer.Stop()
	}
	delete(s.held, id)
	s.tidy()
	if blob != nil {
		until := s.n.tip().Height + blobGrace
		s.n.write(channeldb.Batch{Blobs: []channeldb.Blob{{Peer: id, Data: blob, Until: until}}}, nil)
	}
}

// tidy throws away what nobody will ask for.
func (s *storage) tidy() {
	past, err := s.n.db.BlobsPast(s.n.tip().Height)
	if err != nil {
		s.n.logs.peers.Error("read the peers' blobs", "err", err)
		return
	}
	if len(past) > 0 {
		s.n.write(channeldb.Batch{BlobsGone: past}, nil)
	}
}
