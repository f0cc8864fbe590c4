package node

import (
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// checkAddresses says what of a list cannot be announced: an IP or a name with port 0,
// a second name, what is no address.
func checkAddresses(list []lnwire.Address) error {
	if _, err := lnwire.Marshal(&lnwire.NodeAnnouncement{Addresses: list}); err != nil {
		return fmt.Errorf("announced addresses: %w", err)
	}
	return nil
}

// SetAddresses changes where others are told to reach us. The node announces itself
// anew when that is something else than before.
func (n *Node) SetAddresses(list []lnwire.Address) error {
	if err := checkAddresses(list); err != nil {
		return err
	}
	n.gossip.announce(n.gossip.ourselves().Features, slices.Clone(list))
	return nil
}

// announce tells the machine what to say of ourselves.
func (g *gossiper) announce(f lnwire.Features, addrs []lnwire.Address) {
	c := &g.n.cfg
	self := gossip.OwnNode{Alias: c.Alias, Color: c.Color, Features: f, Addresses: addrs}
	g.mu.Lock()
	g.self = self
	g.mu.Unlock()
	g.inbox.Put(self)
}

// ourselves is what is announced of us now.
func (g *gossiper) ourselves() gossip.OwnNode {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.self
}
