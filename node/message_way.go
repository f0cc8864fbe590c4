package node

import (
	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/routing"
)

const (
	// maxWay is how many nodes a message of ours goes over at most before its path begins.
	maxWay = 6
	// maxLooked bounds the nodes that are looked at for a way.
	maxLooked = 20_000
)

// post sends a message along a path: over the nodes between us and its first node, if it is
// none of our peers.
func (n *Node) post(to onion.BlindedPath, reply *onion.BlindedPath, contents []lnwire.TLV) error {
	graph := n.gossip.snapshot()
	to, err := named(graph, to)
	if err != nil {
		return err
	}
	next := to.FirstNode
	if next == n.id {
		if to, next, err = n.enter(to); err != nil {
			return err
		}
	} else {
		way, err := n.messageWay(graph, next)
		if err != nil {
			return err
		}
		if next = way[0]; len(way) > 1 {
			key, err := btcec.NewPrivateKey()
			if err != nil {
				return err
			}
			if to, err = onion.MessagePath(key, way[:len(way)-1], nil, &to); err != nil {
				return err
			}
		}
	}
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return err
	}
	m, err := onion.BuildMessage(key, to, reply, contents)
	if err != nil {
		return err
	}
	return n.SendOnionMessage(next, m)
}

// named is the path with its first node's id, which may stand there as a channel.
func named(graph *routing.Snapshot, p onion.BlindedPath) (onion.BlindedPath, error) {
	end := p.FirstChannel
	if end == nil {
		return p, nil
	}
	c, ok := graph.Channel(end.SCID)
	if !ok {
		return p, mistake.Missing("the path begins at channel %s, which is not known", end.SCID)
	}
	p.FirstChannel, p.FirstNode = nil, c.Node1
	if end.Second {
		p.FirstNode = c.Node2
	}
	return p, nil
}

// enter takes the first steps of a path that begins with us, and gives the rest with the
// node that it goes to.
func (n *Node) enter(p onion.BlindedPath) (onion.BlindedPath, lnwire.PubKey, error) {
	for range ownSteps {
		data, rest, err := p.Enter(n.key)
		if err != nil {
			return p, lnwire.PubKey{}, err
		}
		relay := onion.Relay{}
		if data.NextNode != nil {
			relay.Node = *data.NextNode
		} else if data.ShortChannelID != nil {
			relay.SCID = *data.ShortChannelID
		}
		if next := n.messages.next(&relay); next != n.id {
			return rest, next, nil
		}
		p = rest
	}
	return p, lnwire.PubKey{}, mistake.Argument("the path goes in circles")
}

// takesMessages: we are connected with a peer that takes onion messages.
func (n *Node) takesMessages(id lnwire.PubKey) bool {
	c := n.host.Conn(id)
	return c != nil && c.Features().HasEither(lnwire.OnionMessagesOptional)
}

// messageWay are the nodes from a peer of ours to a node, both included: the fewest of
// those that announce onion messages.
func (n *Node) messageWay(graph *routing.Snapshot, to lnwire.PubKey) ([]lnwire.PubKey, error) {
	if n.takesMessages(to) {
		return []lnwire.PubKey{to}, nil
	}
	before := map[lnwire.PubKey]lnwire.PubKey{to: {}} // the next node on the way to the end
	ring := []lnwire.PubKey{to}
	for range maxWay {
		var outer []lnwire.PubKey
		for _, id := range ring {
			for c := range graph.ChannelsOf(id) {
				other := c.Node1
				if other == id {
					other = c.Node2
				}
				if _, seen := before[other]; seen || other == n.id || len(before) >= maxLooked {
					continue
				}
				before[other] = id
				if n.takesMessages(other) {
					return wayFrom(before, other), nil
				}
				if info, ok := graph.Node(other); ok && info.Features.HasEither(lnwire.OnionMessagesOptional) {
					outer = append(outer, other)
				}
			}
		}
		ring = outer
	}
	return nil, mistake.State("no way to node %s for onion messages: connect to it first", to)
}

func wayFrom(before map[lnwire.PubKey]lnwire.PubKey, id lnwire.PubKey) (way []lnwire.PubKey) {
	for ; !id.IsZero(); id = before[id] {
		way = append(way, id)
	}
	return way
}

// replyPath is a path to us for one answer, over a peer if we have one, rather one that
// others find in the map.
func (n *Node) replyPath(pathID []byte) (onion.BlindedPath, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return onion.BlindedPath{}, err
	}
	graph := n.gossip.snapshot()
	nodes := []lnwire.PubKey{n.id}
	for _, c := range n.host.Conns() {
		id := c.PubKey()
		if public := graph.Has(id); n.takesMessages(id) && (public || len(nodes) == 1) {
			nodes = []lnwire.PubKey{id, n.id}
			if public {
				break
			}
		}
	}
	return onion.MessagePath(key, nodes, pathID, nil)
}
