package gossip

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// channel is a channel that was announced and proved. The messages themselves stand
// in the store.
type channel struct {
	id       lnwire.ShortChannelID
	nodes    [2]*node
	op       wire.OutPoint
	capacity lnwire.Sat
	spentAt  lnwire.Height
	seen     uint32 // when it was accepted or restored
	unusable bool
	custom   bool // see Channel.Custom
	sides    [2]side
	unheard  *unheard
}

// unheard is the announcement of a channel that was not passed on yet, for want of an
// update, and who sent it.
type unheard struct {
	raw  []byte
	from lnwire.PubKey
}

// proved: the chain was asked for the funding.
func (c *channel) proved() bool { return c.op != wire.OutPoint{} }

// side is what one end of a channel told.
type side struct {
	policy *Policy // never changed; nil: nothing yet
	sum    uint32  // Checksum of the update
	quiet  bool    // not to be forwarded
	limit  bucket
}

// node is a node with at least one channel.
type node struct {
	id       lnwire.PubKey
	view     *Node // never changed
	quiet    bool  // its announcement is not to be forwarded
	channels []lnwire.ShortChannelID
	limit    bucket
}

func compareNode(n *node, id lnwire.PubKey) int { return bytes.Compare(n.id[:], id[:]) }

// addChannel puts a channel in.
func (m *Machine) addChannel(c *channel, ids [2]lnwire.PubKey) {
	for i, id := range ids {
		n := m.nodes[id]
		if n == nil {
			n = &node{id: id, view: &Node{ID: id}}
			m.nodes[id] = n
			if m.restoring {
				m.nodeOrder = append(m.nodeOrder, n)
			} else {
				at, _ := slices.BinarySearchFunc(m.nodeOrder, id, compareNode)
				m.nodeOrder = slices.Insert(m.nodeOrder, at, n)
			}
		}
		n.channels = append(n.channels, c.id)
		c.nodes[i] = n
	}
	m.channels[c.id] = c
	if c.proved() {
		m.outpoints[c.op] = c.id
	}
	at, _ := slices.BinarySearch(m.order, c.id)
	m.order = slices.Insert(m.order, at, c.id)
}

// removeChannel takes a channel out, with its rows, and each of its ends that has no
// other.
//
// B7.prune.5: a node without channels is forgotten.
func (m *Machine) removeChannel(c *channel) {
	m.changed(ChannelGone{m.view(c)})
	m.erase(channelKey(c.id))
	delete(m.channels, c.id)
	delete(m.outpoints, c.op)
	if at, ok := slices.BinarySearch(m.order, c.id); ok {
		m.order = slices.Delete(m.order, at, at+1)
	}
	m.spent = slices.DeleteFunc(m.spent, func(id lnwire.ShortChannelID) bool { return id == c.id })
	if c.spentAt != 0 {
		m.erase(spentKey(c.id))
	}
	m.log.forget(c.id)
	m.log.unkeep(c)
	for i, n := range c.nodes {
		if c.sides[i].policy != nil {
			m.erase(updateKey(c.id, i))
		}
		n.channels = slices.DeleteFunc(n.channels, func(id lnwire.ShortChannelID) bool { return id == c.id })
		if len(n.channels) == 0 {
			m.removeNode(n)
		}
	}
}

func (m *Machine) removeNode(n *node) {
	if n.view.Announced {
		m.erase(nodeKey(n.id))
	}
	delete(m.nodes, n.id)
	if at, ok := slices.BinarySearchFunc(m.nodeOrder, n.id, compareNode); ok {
		m.nodeOrder = slices.Delete(m.nodeOrder, at, at+1)
	}
	m.changed(NodeGone{n.id})
}

// view is the channel for others.
func (m *Machine) view(c *channel) Channel {
	return Channel{
		SCID: c.id, Node1: c.nodes[0].id, Node2: c.nodes[1].id, OutPoint: c.op, Capacity: c.capacity,
		Policies: [2]*Policy{c.sides[0].policy, c.sides[1].policy}, SpentAt: c.spentAt, Unusable: c.unusable, Custom: c.custom,
	}
}

// policyOf is the content of an update for a channel of the given capacity.
//
// B7.upd.9: a channel whose largest HTLC is below the smallest, or above the
// capacity where that is known, is passed on but given out as disabled, so that
// nothing is routed.
func policyOf(u *lnwire.ChannelUpdate, capacity lnwire.Sat) *Policy {
	off := u.ChannelFlags&lnwire.UpdateDisabled != 0
	return &Policy{
		FeeBase: u.FeeBase, FeePPM: u.FeePPM, CLTVDelta: u.CLTVExpiryDelta, Minimum: u.HTLCMinimum, Maximum: u.HTLCMaximum,
		Disabled: off || u.HTLCMaximum < u.HTLCMinimum || capacity > 0 && u.HTLCMaximum > capacity.MilliSat(), Updated: u.Timestamp,
		Inbound: u.InboundFee(), Custom: len(u.Custom()) > 0,
	}
}

func nodeView(a *lnwire.NodeAnnouncement) *Node {
	return &Node{
		ID: a.NodeID, Alias: a.Alias, Color: a.RGB, Features: a.Features, Addresses: a.Addresses,
		Updated: a.Timestamp, Announced: true, Custom: len(lnwire.CustomTLVs(a.Extra)) > 0,
	}
}

// side is the end that an update speaks for.
func sideOf(u *lnwire.ChannelUpdate) int { return int(u.ChannelFlags & lnwire.UpdateDirection) }

// setPolicy takes an update that is proved.
func (m *Machine) setPolicy(c *channel, u *lnwire.ChannelUpdate) {
	i := sideOf(u)
	s := &c.sides[i]
	s.policy, s.sum, s.quiet = policyOf(u, c.capacity), u.Checksum(), u.MessageFlags&lnwire.UpdateDontForward != 0
	m.newest = max(m.newest, u.Timestamp)
	m.changed(PolicyChanged{
		SCID: c.id, Side: i, Policy: *s.policy, From: c.nodes[i].id, To: c.nodes[1-i].id, OutPoint: c.op, Capacity: c.capacity,
	})
}

// setNode takes a node announcement that is proved.
func (m *Machine) setNode(n *node, a *lnwire.NodeAnnouncement) {
	n.view, n.quiet = nodeView(a), !a.MayForward()
	m.changed(NodeChanged{n.view})
}
