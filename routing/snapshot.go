package routing

import (
	"iter"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Nodes counts the nodes that have a channel.
func (s *Snapshot) Nodes() int { return s.t.nNodes }

// Channels counts the channels.
func (s *Snapshot) Channels() int { return s.t.nChans }

// Channel gives a channel by its id.
func (s *Snapshot) Channel(scid lnwire.ShortChannelID) (Channel, bool) {
	n, ok := s.t.channel(scid)
	if !ok {
		return Channel{}, false
	}
	return s.t.view(n), true
}

// Has reports whether a node has a channel.
func (s *Snapshot) Has(id lnwire.PubKey) bool {
	_, ok := s.t.node(id)
	return ok
}

// Node gives what a node told of itself; only the id when it told nothing.
func (s *Snapshot) Node(id lnwire.PubKey) (NodeInfo, bool) {
	n, ok := s.t.node(id)
	if !ok {
		return NodeInfo{}, false
	}
	return s.t.info(n), true
}

// ChannelsOf goes through the channels of a node.
func (s *Snapshot) ChannelsOf(id lnwire.PubKey) iter.Seq[Channel] {
	return func(yield func(Channel) bool) {
		n, ok := s.t.node(id)
		if !ok {
			return
		}
		for _, c := range s.t.nodes.at(n).chans {
			if !yield(s.t.view(c)) {
				return
			}
		}
	}
}

// AllChannels goes through all channels, in the order in which they came to their
// places.
func (s *Snapshot) AllChannels() iter.Seq[Channel] {
	return func(yield func(Channel) bool) {
		for n := range uint32(s.t.channels.n) {
			if s.t.channels.at(n).nodes[0] != none && !yield(s.t.view(n)) {
				return
			}
		}
	}
}

// AllNodes goes through all nodes, in the order in which they came to their places.
func (s *Snapshot) AllNodes() iter.Seq[NodeInfo] {
	return func(yield func(NodeInfo) bool) {
		for n := range uint32(s.t.nodes.n) {
			if len(s.t.nodes.at(n).chans) > 0 && !yield(s.t.info(n)) {
				return
			}
		}
	}
}

func (t *tables) info(n uint32) NodeInfo {
	nd := t.nodes.at(n)
	if nd.info == nil {
		return NodeInfo{ID: nd.id}
	}
	return *nd.info
}

func (t *tables) view(n uint32) Channel {
	ch := t.channels.at(n)
	c := Channel{SCID: ch.scid, Capacity: ch.capacity, Barred: ch.barred,
		Node1: t.nodes.at(ch.nodes[0]).id, Node2: t.nodes.at(ch.nodes[1]).id}
	for side, place := range ch.place {
		if place == none {
			continue
		}
		e := t.nodes.at(ch.nodes[1-side]).in[place]
		c.Policies[side] = &Policy{Base: e.base, PPM: e.ppm, Delta: e.delta, Min: e.min, Max: ch.max[side],
			Disabled: ch.disabled[side], Updated: ch.updated[side], Inbound: ch.inbound[side]}
	}
	return c
}
