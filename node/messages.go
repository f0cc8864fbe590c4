package node

import (
	"slices"
	"sync"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/peer"
)

// The bounds of onion messages, in bytes per second and at once. They cost us three
// multiplications of a point each and bring us nothing, so they are few; who has a channel
// with us has paid for more (V-44).
const (
	guestRate, guestBurst     = 4 << 10, 40 << 10
	partnerRate, partnerBurst = 32 << 10, 128 << 10
	globalRate, globalBurst   = 128 << 10, 512 << 10
	// messageQueue is how many wait to be opened; what comes then is dropped.
	messageQueue = 64
	// ownSteps bounds how often one message goes on to ourselves.
	ownSteps = 8
)

// OnionMessage is an onion message that ended with us.
type OnionMessage struct {
	Peer    lnwire.PubKey // who handed it to us; zero when we did ourselves
	Raw     lnwire.OnionMessage
	Message onion.Message
}

// weight: the message is held twice, as it came and opened.
func (m OnionMessage) weight() int { return headBytes + 2*len(m.Raw.Packet) }

// messenger carries onion messages, one after the other in a goroutine of its own, so
// that they never take more than one processor from anybody (BOLT 4, Onion Messages).
type messenger struct {
	n     *Node
	queue chan posted
	Feed  Feed[OnionMessage]

	mu      sync.Mutex
	all     bucket
	peers   map[Conn]*bucket
	replies replies
}

// posted is a message that waits to be opened.
type posted struct {
	from lnwire.PubKey
	m    *lnwire.OnionMessage
}

func newMessenger(n *Node) *messenger {
	return &messenger{
		n: n, queue: make(chan posted, messageQueue), all: newBucket(globalRate, globalBurst, n.now()),
		peers: map[Conn]*bucket{}, replies: newReplies(),
	}
}

func (n *Node) startMessages() error {
	n.spawn(func() {
		for {
			select {
			case p := <-n.messages.queue:
				n.messages.open(p.from, p.m)
			case <-n.ctx.Done():
				return
			}
		}
	})
	return nil
}

// arrived takes a message from a peer, or drops it: nobody is told, as BOLT 4 wants it.
//
// B4.msg.13: messages are taken from peers without a channel, too, within bounds.
func (s *messenger) arrived(c Conn, m *lnwire.OnionMessage) {
	if s.n.cfg.NoMessages || !s.affords(c, len(m.Packet)) {
		return
	}
	select {
	case s.queue <- posted{c.PubKey(), m}:
	default:
	}
}

// affords counts the bytes of a message, against its peer first.
func (s *messenger) affords(c Conn, size int) bool {
	now := s.n.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.peers[c]
	if b == nil {
		if c.Err() != nil {
			return false // it was forgotten already
		}
		rate, burst := guestRate, guestBurst
		if len(s.n.channels.of(c.PubKey())) > 0 {
			rate, burst = partnerRate, partnerBurst
		}
		fresh := newBucket(rate, burst, now)
		b = &fresh
		s.peers[c] = b
	}
	return b.take(now, size) && s.all.take(now, size)
}

// closed forgets a connection.
func (s *messenger) closed(c Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, c)
}

// open peels a message and hands it on: to the next node, or to those who wait for it
// here.
func (s *messenger) open(from lnwire.PubKey, m *lnwire.OnionMessage) {
	for range ownSteps {
		ours, relay, err := onion.OpenMessage(s.n.key, m)
		switch {
		case err != nil:
			s.n.logs.peers.Debug("an onion message is dropped", "from", from, "why", err)
			return
		case ours != nil:
			s.deliver(OnionMessage{Peer: from, Raw: *m, Message: *ours})
			return
		}
		next := s.next(relay)
		if next != s.n.id {
			s.pass(next, &relay.Message)
			return
		}
		m = &relay.Message // a step of a path that begins or ends with us
	}
}

// next is the node that a message is for; zero when there is none.
//
// B4.msg.14: a channel id names the peer of that channel, by the real id or an alias of
// ours.
func (s *messenger) next(r *onion.Relay) lnwire.PubKey {
	if !r.Node.IsZero() {
		return r.Node
	}
	for _, e := range s.n.channels.all() {
		l := e.link.Load()
		if l == nil || l.Ended {
			continue
		}
		if slices.Contains(l.Names(), r.SCID) {
			return l.Peer
		}
	}
	return s.n.channels.aliasPeer(r.SCID)
}

// pass sends a message to a connected peer that takes such, when its queue is not full.
func (s *messenger) pass(to lnwire.PubKey, m *lnwire.OnionMessage) bool {
	c := s.n.host.Conn(to)
	return c != nil && c.Features().HasEither(lnwire.OnionMessagesOptional) && c.Send(peer.Gossip, m)
}

// deliver gives a message to who waits for it, or else to all subscribers.
//
// B4.msg.15: an answer counts only when it came by the path that was made for it.
func (s *messenger) deliver(m OnionMessage) {
	s.mu.Lock()
	waiting := s.replies.take(m.Message.PathID, s.n.now())
	s.mu.Unlock()
	if waiting != nil {
		waiting <- m.Message
		return
	}
	s.Feed.Publish(m)
}
