package node

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// conduct remembers of each peer with which there are channels how often it came and went,
// and of what it complained last. How often is kept over restarts.
type conduct struct {
	mu    sync.Mutex
	peers map[lnwire.PubKey]*bearing
	over  bool // the node stops: who leaves now was sent away
}

// bearing is that of one peer.
type bearing struct {
	flaps  uint32
	last   time.Time // zero: it did not come or go yet
	stored time.Time // when it was last written
	errors []PeerError
}

// PeerError is something that a peer complained of, or did wrong.
type PeerError struct {
	At   time.Time
	Text string // printable
}

const (
	// maxPeerErrors is how many are kept of a peer.
	maxPeerErrors = 10
	// conductEvery is how often what changes of a peer is written at most.
	conductEvery = time.Minute
	// Peers that have not come or gone for forgiveAfter are forgiven a twentieth of what is
	// counted, and again for each such time.
	forgiveAfter = 8 * time.Hour
	forgiven     = 0.95
)

// startConduct reads what was kept.
func (n *Node) startConduct() error {
	n.conduct.peers = map[lnwire.PubKey]*bearing{}
	list, err := n.db.Conducts()
	if err != nil {
		return err
	}
	for _, c := range list {
		n.conduct.peers[c.Peer] = &bearing{flaps: c.Flaps, last: c.Last, stored: c.Last}
	}
	return nil
}

// of is a peer's bearing. Of guests nothing is kept, though they open channels: it would
// cost them nothing to fill our memory and our disk (V-44).
func (c *conduct) of(id lnwire.PubKey) *bearing {
	b := c.peers[id]
	if b == nil {
		b = &bearing{}
		c.peers[id] = b
	}
	return b
}

// flapped counts that a peer came or went.
func (n *Node) flapped(id lnwire.PubKey) {
	if n.isGuest(id) {
		return
	}
	now := n.now()
	n.conduct.mu.Lock()
	if n.conduct.over {
		n.conduct.mu.Unlock()
		return
	}
	b := n.conduct.of(id)
	b.flaps = min(cooled(b.flaps, now.Sub(b.last)), math.MaxInt32-1) + 1
	b.last = now.Round(0)
	due := now.Sub(b.stored) >= conductEvery
	if due {
		b.stored = b.last
	}
	row := channeldb.Conduct{Peer: id, Flaps: b.flaps, Last: b.last}
	n.conduct.mu.Unlock()
	if due {
		n.write(channeldb.Batch{Conducts: []channeldb.Conduct{row}, Lazy: true}, nil)
	}
}

// cooled is what is left of a count after a time of peace.
func cooled(flaps uint32, quiet time.Duration) uint32 {
	if flaps == 0 || quiet < forgiveAfter {
		return flaps
	}
	return uint32(float64(flaps) * math.Pow(forgiven, float64(quiet)/float64(forgiveAfter)))
}

// complained keeps what a peer says or did.
func (n *Node) complained(id lnwire.PubKey, text string) {
	if n.isGuest(id) {
		return
	}
	n.conduct.mu.Lock()
	defer n.conduct.mu.Unlock()
	b := n.conduct.of(id)
	b.errors = append(b.errors, PeerError{At: n.now(), Text: text})
	if len(b.errors) > maxPeerErrors {
		b.errors = slices.Delete(b.errors, 0, len(b.errors)-maxPeerErrors)
	}
}

// heard keeps an error of a peer's.
func (n *Node) heard(id lnwire.PubKey, m *lnwire.Error) {
	n.complained(id, fmt.Sprintf("chan_id=%v, err=%s", m.ChannelID, peer.Text(m)))
}

// left keeps why a connection ended, if the peer broke the protocol.
func (n *Node) left(id lnwire.PubKey, err error) {
	if wrong := (*peer.Violation)(nil); errors.As(err, &wrong) {
		n.complained(id, wrong.Error())
	}
	n.flapped(id)
}

// stopConduct writes what was not written yet. Nothing is counted any more.
func (n *Node) stopConduct() {
	n.conduct.mu.Lock()
	defer n.conduct.mu.Unlock()
	n.conduct.over = true
	var b channeldb.Batch
	for id, p := range n.conduct.peers { // each to its own row
		if p.last.After(p.stored) {
			b.Conducts = append(b.Conducts, channeldb.Conduct{Peer: id, Flaps: p.flaps, Last: p.last})
		}
	}
	if len(b.Conducts) > 0 {
		n.write(b, nil)
	}
}

// read fills in what is known of a peer.
func (c *conduct) read(p *PeerInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.peers[p.ID]; b != nil {
		p.Flaps, p.LastFlap, p.Errors = b.flaps, b.last, slices.Clone(b.errors)
	}
}
