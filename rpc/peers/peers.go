// Package peers is the service Peers: what the node tells others of itself.
//
// It translates what is to change. It must never know how that is kept and announced.
//
//	err = server.Provide(&peersrpc.Peers_ServiceDesc, peers.New(node))
package peers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Node is what the service needs of the node.
type Node interface {
	UpdateAnnouncement(change func(now gossip.OwnNode) (gossip.OwnNode, error)) error
}

// Service is the service. Use New.
type Service struct {
	peersrpc.UnimplementedPeersServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// UpdateNodeAnnouncement changes what is announced of the node.
func (s *Service) UpdateNodeAnnouncement(_ context.Context, req *peersrpc.NodeAnnouncementUpdateRequest) (*peersrpc.NodeAnnouncementUpdateResponse, error) {
	out := &peersrpc.NodeAnnouncementUpdateResponse{}
	err := s.node.UpdateAnnouncement(func(now gossip.OwnNode) (gossip.OwnNode, error) {
		c := change{self: now}
		err := c.all(req)
		out.Ops = c.ops
		return c.self, err
	})
	if err != nil {
		return nil, translate.Mistake("%w", err)
	}
	return out, nil
}

// change is an announcement on its way to another.
type change struct {
	self gossip.OwnNode
	ops  []*lnrpc.Op
}

func (c *change) all(req *peersrpc.NodeAnnouncementUpdateRequest) error {
	if len(req.FeatureUpdates) > 0 {
		if err := c.features(req.FeatureUpdates); err != nil {
			return fmt.Errorf("error trying to update node features: %w", err)
		}
	}
	if req.Color != "" {
		if err := c.color(req.Color); err != nil {
			return fmt.Errorf("unable to parse color: %w", err)
		}
	}
	if req.Alias != "" {
		alias, err := lnwire.NewAlias(req.Alias)
		if err != nil {
			return fmt.Errorf("invalid alias value: %w", err)
		}
		if alias != c.self.Alias {
			c.self.Alias = alias
			c.done("alias", "changed to "+alias.String())
		}
	}
	if len(req.AddressUpdates) > 0 {
		if err := c.addresses(req.AddressUpdates); err != nil {
			return fmt.Errorf("error trying to update node addresses: %w", err)
		}
	}
	if len(c.ops) == 0 {
		return fmt.Errorf("unable to detect any new values to update the node announcement")
	}
	return nil
}

func (c *change) done(entity string, actions ...string) {
	c.ops = append(c.ops, &lnrpc.Op{Entity: entity, Actions: actions})
}

func (c *change) color(text string) error {
	var rgb lnwire.RGB
	if _, err := fmt.Sscanf(strings.ToLower(text), "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil || len(text) != 7 {
		return fmt.Errorf("%q: want #rrggbb", text)
	}
	if rgb != c.self.Color {
		c.self.Color = rgb
		c.done("color", "changed to "+rgb.String())
	}
	return nil
}

func (c *change) features(list []*peersrpc.UpdateFeatureAction) error {
	var actions []string
	for _, u := range list {
		bit := lnwire.Bit(u.FeatureBit)
		if u.FeatureBit < 0 || int32(bit) != int32(u.FeatureBit) {
			return fmt.Errorf("feature bit %d is out of range", u.FeatureBit)
		}
		has := c.self.Features.Has(bit)
		switch {
		case u.Action == peersrpc.UpdateAction_ADD && has:
			return fmt.Errorf("invalid add action for bit %v, bit is already set", u.FeatureBit)
		case u.Action == peersrpc.UpdateAction_ADD:
			c.self.Features = c.self.Features.With(bit)
			actions = append(actions, bit.Name()+" set")
		case u.Action == peersrpc.UpdateAction_REMOVE && !has:
			return fmt.Errorf("invalid remove action for bit %v, bit is already unset", u.FeatureBit)
		case u.Action == peersrpc.UpdateAction_REMOVE:
			c.self.Features = c.self.Features.Without(bit)
			actions = append(actions, bit.Name()+" unset")
		default:
			return fmt.Errorf("invalid update action (%v) for bit %v", u.Action, u.FeatureBit)
		}
	}
	if err := c.self.Features.CheckOurs(lnwire.InNode); err != nil {
		return fmt.Errorf("invalid feature set (SetNodeAnn): %w", err)
	}
	c.done("features", actions...)
	return nil
}

func (c *change) addresses(list []*peersrpc.UpdateAddressAction) error {
	var add, remove []lnwire.Address
	for _, u := range list {
		a, err := lnwire.ParseAddress(u.Address, 9735)
		if err != nil {
			return fmt.Errorf("unable to resolve address %v: %w", u.Address, err)
		}
		switch u.Action {
		case peersrpc.UpdateAction_ADD:
			add = append(add, a)
		case peersrpc.UpdateAction_REMOVE:
			remove = append(remove, a)
		default:
			return fmt.Errorf("invalid address update action: %v", u.Action)
		}
	}
	var actions []string
	var left []lnwire.Address
	for _, a := range remove {
		if slices.Contains(add, a) {
			return fmt.Errorf("invalid updates for removing AND adding %v", a)
		}
	}
	for _, a := range c.self.Addresses {
		if slices.Contains(remove, a) {
			actions = append(actions, a.String()+" removed")
			continue
		}
		left = append(left, a)
	}
	for _, a := range add {
		if !slices.Contains(left, a) {
			left = append(left, a)
			actions = append(actions, a.String()+" added")
		}
	}
	c.self.Addresses = left
	c.done("addresses", actions...)
	return nil
}
