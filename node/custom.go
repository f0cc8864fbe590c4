package node

import (
	"fmt"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/peer"
)

// customs hands on the messages of types that only applications know (BOLT 1), within
// bounds: they cost us memory for as long as a subscriber is slow (V-44).
type customs struct {
	Feed Feed[CustomMessage]

	mu    sync.Mutex
	all   *bucket
	peers map[Conn]*bucket
}

// CustomMessage is a message of an application from a peer.
type CustomMessage struct {
	Peer lnwire.PubKey
	Type lnwire.MsgType // odd, from FirstCustom on
	Data []byte
}

// headBytes is about what a message takes beside its bytes.
const headBytes = 100

func (m CustomMessage) weight() int { return headBytes + len(m.Data) }

const (
	// FirstCustom is the first type that BOLT 1 leaves to applications.
	FirstCustom lnwire.MsgType = 32768

	customRate, customBurst       = 32 << 10, 256 << 10 // of a peer, in bytes per second and at once
	allCustomRate, allCustomBurst = 256 << 10, 4 << 20
)

// arrived takes a message of a type that we do not know. Only odd ones come here.
//
// B1.custom.1: nobody asked for it: nothing happens.
func (s *customs) arrived(c Conn, m *lnwire.Unknown) {
	if m.MsgType < FirstCustom || !s.Feed.Watched() || !s.affords(c, len(m.Payload)) {
		return
	}
	s.Feed.Publish(CustomMessage{Peer: c.PubKey(), Type: m.MsgType, Data: m.Payload})
}

// affords counts the bytes of a message, against its peer first.
func (s *customs) affords(c Conn, size int) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		all := newBucket(allCustomRate, allCustomBurst, now)
		s.all, s.peers = &all, map[Conn]*bucket{}
	}
	b := s.peers[c]
	if b == nil {
		fresh := newBucket(customRate, customBurst, now)
		b = &fresh
		s.peers[c] = b
	}
	return b.take(now, size) && s.all.take(now, size)
}

// closed forgets a connection, from the goroutine that brings its messages.
func (s *customs) closed(c Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, c)
}

// CustomMessages tells of the messages of applications that peers send.
func (n *Node) CustomMessages() *Subscription[CustomMessage] { return n.customs.Feed.Subscribe() }

// SendCustomMessage sends a message of an application's type to a connected peer. The
// error says what is wrong with it, or that the peer does not take more now.
func (n *Node) SendCustomMessage(to lnwire.PubKey, m *lnwire.Unknown) error {
	if m.MsgType < FirstCustom {
		return mistake.Argument("type %d belongs to the protocol: those of applications begin at %d", m.MsgType, FirstCustom)
	}
	if most := lnwire.MaxMessage - 2; len(m.Payload) > most {
		return mistake.Argument("data of %d bytes: at most %d fit into a message", len(m.Payload), most)
	}
	c := n.host.Conn(to)
	if c == nil {
		return fmt.Errorf("peer %s %w", to, ErrNotConnected)
	}
	if !c.Send(peer.Gossip, m) {
		return mistake.TooMuch("peer %s takes no more messages now", to)
	}
	return nil
}
