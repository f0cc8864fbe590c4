package node

import (
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// selfChanges are what the operator has changed of our announcement while the node ran.
// They last: alias and color as long as the configuration says what it said then,
// addresses and features on top of what it says.
type selfChanges channeldb.SelfChanges

// on is what is announced instead of what is configured.
func (s *selfChanges) on(o gossip.OwnNode) gossip.OwnNode {
	if s.Alias != nil && s.AliasOf != nil && *s.AliasOf == o.Alias {
		o.Alias = *s.Alias
	}
	if s.Color != nil && s.ColorOf != nil && *s.ColorOf == o.Color {
		o.Color = *s.Color
	}
	var addrs []lnwire.Address
	for _, a := range o.Addresses {
		if !slices.Contains(s.Removed, a) {
			addrs = append(addrs, a)
		}
	}
	for _, a := range s.Added {
		if !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	o.Addresses = addrs
	o.Features = o.Features.Without(s.Hidden.Bits()...)
	return o
}

// between are the changes that make one of the other.
func between(configured, wanted gossip.OwnNode) (s selfChanges) {
	if wanted.Alias != configured.Alias {
		s.Alias, s.AliasOf = &wanted.Alias, &configured.Alias
	}
	if wanted.Color != configured.Color {
		s.Color, s.ColorOf = &wanted.Color, &configured.Color
	}
	for _, a := range configured.Addresses {
		if !slices.Contains(wanted.Addresses, a) {
			s.Removed = append(s.Removed, a)
		}
	}
	for _, a := range wanted.Addresses {
		if !slices.Contains(configured.Addresses, a) {
			s.Added = append(s.Added, a)
		}
	}
	s.Hidden = configured.Features.Without(wanted.Features.Bits()...)
	return s
}

// UpdateAnnouncement changes what is announced of us. Change is given what it is now, and
// returns what it shall be; features that the node does not have cannot be added. It
// returns when the change is durable.
func (n *Node) UpdateAnnouncement(change func(now gossip.OwnNode) (gossip.OwnNode, error)) error {
	g := n.gossip
	g.changing.Lock()
	defer g.changing.Unlock()
	wanted, err := change(g.ourselves())
	if err != nil {
		return err
	}
	if more := wanted.Features.Without(g.configured.Features.Bits()...); !more.IsEmpty() {
		return fmt.Errorf("this node does not have the feature %s", more.Bits()[0].Name())
	}
	if err := checkAddresses(wanted.Addresses); err != nil {
		return err
	}
	s := between(g.configured, wanted)
	if _, err := n.db.Write(channeldb.Batch{Self: (*channeldb.SelfChanges)(&s)}); err != nil {
		return err
	}
	g.changes = s
	g.announce()
	return nil
}
