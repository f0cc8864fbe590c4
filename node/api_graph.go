package node

import (
	"context"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// graphLook is an event that only reads: it takes its turn like all others, so that
// nobody else touches the machine meanwhile.
type graphLook struct {
	gossip.Event
	read func(*gossip.Machine)
}

// lookGraph runs read between two steps of gossip.
func (n *Node) lookGraph(ctx context.Context, read func(*gossip.Machine)) error {
	done := make(chan struct{})
	n.gossip.inbox.Put(graphLook{read: func(m *gossip.Machine) {
		read(m)
		close(done)
	}})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return errStopping
	}
}

// GraphChannel is a channel of the map, also one of ours that is not announced.
func (n *Node) GraphChannel(ctx context.Context, id lnwire.ShortChannelID) (c gossip.Channel, ok bool, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { c, ok = m.Channel(id) })
	return c, ok && err == nil, err
}

// GraphZombie reports whether a channel of the map was forgotten as stale.
func (n *Node) GraphZombie(ctx context.Context, id lnwire.ShortChannelID) (zombie bool, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { zombie = m.Zombie(id) })
	return zombie, err
}

// GraphChannelAt is the channel of the map with that funding output.
func (n *Node) GraphChannelAt(ctx context.Context, op wire.OutPoint) (c gossip.Channel, ok bool, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { c, ok = m.ChannelAt(op) })
	return c, ok && err == nil, err
}

// GraphChannels are at most limit announced channels behind an id, in rising order.
func (n *Node) GraphChannels(ctx context.Context, after lnwire.ShortChannelID, limit int) (list []gossip.Channel, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { list = m.Channels(after, limit) })
	return list, err
}

// GraphPrivate are our channels that are not announced.
func (n *Node) GraphPrivate(ctx context.Context) (list []gossip.Channel, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { list = m.PrivateChannels() })
	return list, err
}

// GraphNode is a node of the map with its announced channels.
func (n *Node) GraphNode(ctx context.Context, id lnwire.PubKey) (node *gossip.Node, channels []gossip.Channel, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) {
		found, ids, ok := m.Node(id)
		if !ok {
			return
		}
		node = found
		for _, scid := range ids {
			if c, ok := m.Channel(scid); ok {
				channels = append(channels, c)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return node, channels, nil
}

// GraphNodes are at most limit nodes behind an id, in rising order.
func (n *Node) GraphNodes(ctx context.Context, after lnwire.PubKey, limit int) (list []*gossip.Node, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { list = m.Nodes(after, limit) })
	return list, err
}

// GraphMessages are the messages that the map was learned from, by their rows; nil for one
// that is not there.
func (n *Node) GraphMessages(keys []gossip.Key) ([]lnwire.Message, error) {
	values, err := n.cfg.GraphDB.Read(keys)
	if err != nil {
		return nil, err
	}
	out := make([]lnwire.Message, len(keys))
	for i, v := range values {
		if v == nil {
			continue
		}
		if m, err := gossip.ReadMessage(keys[i], v); err == nil {
			out[i] = m
		}
	}
	return out, nil
}

// GraphInfo are figures about the map.
func (n *Node) GraphInfo(ctx context.Context) (i gossip.Info, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { i = m.Info() })
	return i, err
}

// GossipSources are the peers that were asked to pass new gossip on to us.
func (n *Node) GossipSources(ctx context.Context) (ids []lnwire.PubKey, err error) {
	err = n.lookGraph(ctx, func(m *gossip.Machine) { ids = m.Sources() })
	return ids, err
}

// Capacities tells the capacity of a channel of the map, or of ours, by its id or its
// alias; 0 when it is not known.
func (n *Node) Capacities() func(lnwire.ShortChannelID) lnwire.Sat {
	graph := n.gossip.snapshot()
	var own []channel.LinkState
	return func(id lnwire.ShortChannelID) lnwire.Sat {
		if c, ok := graph.Channel(id); ok {
			return c.Capacity
		}
		if own == nil {
			own = n.Links()
		}
		for i := range own {
			if l := &own[i]; id == l.SCID || id == l.Name() || id == l.Hint() {
				return l.Capacity
			}
		}
		return 0
	}
}
