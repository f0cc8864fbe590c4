package node

import (
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// sink is peer.Sink: it finds for every message the machine that it is for.
type sink struct{ n *Node }

// Opened tells a peer's channels that it is there.
func (s sink) Opened(c Conn) {
	s.n.flapped(c.PubKey())
	s.n.storage.giveBack(c)
	features := s.n.negotiated(c)
	for _, e := range s.n.channels.of(c.PubKey()) {
		e.runner.Inbox.Put(turn.Item{Event: channel.Connected{Features: features}, Conn: c})
	}
	s.n.gossip.opened(c)
	s.n.backups.give(c)
	s.n.Peers.Publish(PeerEvent{Peer: c.PubKey(), Online: true})
}

// Closed tells them that it is gone.
func (s sink) Closed(c Conn, err error) {
	for _, e := range s.n.channels.of(c.PubKey()) {
		e.runner.Inbox.Put(turn.Item{Event: channel.Disconnected{}, Conn: c})
	}
	s.n.gossip.closed(c)
	s.n.messages.closed(c)
	s.n.customs.closed(c)
	s.n.nuisances.gone(c)
	s.n.left(c.PubKey(), err)
	s.n.seek(c.PubKey())
	s.n.Peers.Publish(PeerEvent{Peer: c.PubKey(), Online: false})
}

// Message finds the owner of a message.
func (s sink) Message(c Conn, m lnwire.Message) {
	switch m := m.(type) {
	case *lnwire.Error:
		s.toChannels(c, m)
	case *lnwire.Warning:
		s.toChannels(c, m)
	case *lnwire.OpenChannel:
		if s.n.bears(c, openingCost) {
			s.n.fundee(c, m)
		}
	case lnwire.ChannelMessage:
		s.toChannel(c, m)
	case *lnwire.OnionMessage:
		s.n.messages.arrived(c, m)
	case *lnwire.PeerStorage:
		s.n.storage.store(c, m.Blob)
	case *lnwire.PeerStorageRetrieval:
		if s.n.bears(c, openingCost) {
			s.n.backups.returned(c, m.Blob)
		}
	case *lnwire.Unknown:
		s.n.customs.arrived(c, m)
	default:
		s.n.gossip.message(c, m)
	}
}

// toChannels delivers an error or warning, which may be about all channels with
// the peer. It is logged by those, and by the connection.
func (s sink) toChannels(c Conn, m lnwire.ChannelMessage) {
	if !s.n.bears(c, 1) {
		return
	}
	if m, ok := m.(*lnwire.Error); ok {
		s.n.heard(c.PubKey(), m)
	}
	if !m.Channel().IsZero() {
		if e := s.n.channels.key(c.PubKey(), m.Channel()); e != nil {
			e.runner.Inbox.PutSlow(turn.Item{Event: channel.Received{Msg: m}})
		}
		return
	}
	for _, e := range s.n.channels.of(c.PubKey()) {
		e.runner.Inbox.PutSlow(turn.Item{Event: channel.Received{Msg: m}})
	}
}

func (s sink) toChannel(c Conn, m lnwire.ChannelMessage) {
	e := s.n.channels.key(c.PubKey(), m.Channel())
	if e == nil {
		// BOLT 1 and 2: the peer must learn that we do not have it, and it will not
		// learn it from silence.
		if s.n.bears(c, 1) {
			complain(c, m.Channel(), "no such channel")
		}
		return
	}
	rcv := channel.Received{Msg: m}
	if _, ok := m.(*lnwire.RevokeAndAck); ok {
		rcv.Now = s.n.now() // HTLCs that are locked in by it are held from here on
	}
	item := turn.Item{Event: rcv}
	if add, ok := m.(*lnwire.UpdateAddHTLC); ok {
		item.Opened = later(s.n.pool, func() *htlc.Opened {
			o := htlc.Open(s.n.key, s.n.id, &add.Onion, add.Hash, add.PathKey)
			return &o
		})
	}
	e.runner.Inbox.PutWith(item)
}

// Paused begins the turns of the peer's channels, each over all that came for it.
func (s sink) Paused(c Conn) {
	for _, e := range s.n.channels.of(c.PubKey()) {
		e.runner.Inbox.Start()
	}
}

// negotiated are the features that both sides of a connection offer.
func (n *Node) negotiated(c Conn) lnwire.Features {
	var out lnwire.Features
	for _, bit := range n.features.Bits() {
		if c.Negotiated(bit) {
			out = out.With(bit)
		}
	}
	return out
}
