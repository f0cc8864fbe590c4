package gossip

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Channel is the channel of an id, also one of ours that is not announced, by the
// real id or an alias.
func (m *Machine) Channel(id lnwire.ShortChannelID) (Channel, bool) {
	if c := m.channels[id]; c != nil {
		return m.view(c), true
	}
	if o := m.ownBy(id); o != nil {
		if c := m.channels[o.link.SCID]; c != nil {
			return m.view(c), true
		}
		return m.privateView(o), true
	}
	return Channel{}, false
}

// Zombie reports whether a channel was forgotten as stale, and not heard of since.
func (m *Machine) Zombie(id lnwire.ShortChannelID) bool { return m.zombies.contains(id) }

// ChannelAt is the channel with that funding output.
func (m *Machine) ChannelAt(op wire.OutPoint) (Channel, bool) {
	if id, ok := m.outpoints[op]; ok {
		return m.view(m.channels[id]), true
	}
	for _, num := range m.ownOrder {
		if o := m.own[num]; o.linked && o.link.Funding == op {
			return m.privateView(o), true
		}
	}
	return Channel{}, false
}

// Channels are at most limit announced channels behind an id, in rising order.
// Fewer than limit means that there are no more.
func (m *Machine) Channels(after lnwire.ShortChannelID, limit int) (list []Channel) {
	at, found := slices.BinarySearch(m.order, after)
	if found {
		at++
	}
	for ; at < len(m.order) && len(list) < limit; at++ {
		list = append(list, m.view(m.channels[m.order[at]]))
	}
	return list
}

// PrivateChannels are the channels of ours that are not announced, or not yet.
func (m *Machine) PrivateChannels() (list []Channel) {
	for _, num := range m.ownOrder {
		if o := m.own[num]; o.linked && !m.announced(o) {
			list = append(list, m.privateView(o))
		}
	}
	return list
}

func (m *Machine) privateView(o *own) Channel {
	us := m.side(o)
	ids := [2]lnwire.PubKey{m.cfg.Self, o.link.Peer}
	if us == 1 {
		ids[0], ids[1] = ids[1], ids[0]
	}
	c := Channel{
		SCID: o.link.SCID, Node1: ids[0], Node2: ids[1], OutPoint: o.link.Funding, Capacity: o.link.Capacity, Private: true,
	}
	if c.SCID == 0 {
		c.SCID = o.link.Alias
	}
	if o.last != nil {
		c.Policies[us] = policyOf(o.last, o.link.Capacity)
	}
	c.Policies[1-us] = o.theirs
	return c
}

// Node is a node with the ids of its announced channels.
func (m *Machine) Node(id lnwire.PubKey) (*Node, []lnwire.ShortChannelID, bool) {
	n := m.nodes[id]
	if n == nil {
		return nil, nil, false
	}
	return n.view, slices.Clone(n.channels), true
}

// Nodes are at most limit nodes behind an id, in rising order. Fewer than limit means
// that there are no more.
func (m *Machine) Nodes(after lnwire.PubKey, limit int) (list []*Node) {
	m.restored()
	at, found := slices.BinarySearchFunc(m.nodeOrder, after, compareNode)
	if found {
		at++
	}
	for ; at < len(m.nodeOrder) && len(list) < limit; at++ {
		list = append(list, m.nodeOrder[at].view)
	}
	return list
}

// Size is the number of channels and nodes of the map.
func (m *Machine) Size() (channels, nodes int) { return len(m.order), len(m.nodeOrder) }

// Syncing: a peer is being asked for what we lack.
func (m *Machine) Syncing() bool { return m.sync != nil }

// unspent is how many of these channels are still open.
func (m *Machine) unspent(ids []lnwire.ShortChannelID) (count int) {
	for _, id := range ids {
		if m.channels[id].spentAt == 0 {
			count++
		}
	}
	return count
}

// Info counts the map; channels that are spent are no longer counted.
func (m *Machine) Info() Info {
	i := Info{Nodes: len(m.nodeOrder), Zombies: m.zombies.len()}
	for _, n := range m.nodeOrder {
		i.MaxOutDegree = max(i.MaxOutDegree, m.unspent(n.channels))
	}
	all := make([]lnwire.Sat, 0, len(m.order))
	for _, id := range m.order {
		if c := m.channels[id]; c.spentAt == 0 {
			all = append(all, c.capacity)
			i.TotalCapacity += c.capacity
		}
	}
	if len(all) == 0 {
		return i
	}
	slices.Sort(all)
	i.Channels = len(all)
	i.MinCapacity, i.MaxCapacity, i.MedianCapacity = all[0], all[len(all)-1], all[len(all)/2]
	return i
}
