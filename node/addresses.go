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
	n.gossip.changing.Lock()
	defer n.gossip.changing.Unlock()
	n.gossip.configured.Addresses = slices.Clone(list)
	n.gossip.announce()
	return nil
}

// announce tells the machine what to say of ourselves: what is configured, with what the
// operator has changed since. The caller holds changing.
func (g *gossiper) announce() {
	self := g.changes.on(g.configured)
	if err := checkAddresses(self.Addresses); err != nil { // what was added does not go with what is configured now
		g.n.logs.gossip.Warn("addresses that were added are not announced", "err", err)
		self.Addresses = g.configured.Addresses
	}
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
