package lightning

import (
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// details are what is not kept on the map but in the messages that it was learned from:
// signatures, and records that we have no word for. Few messages have such records.
type details struct {
	s     *Service
	proof bool // signatures are asked for
	keys  []gossip.Key
	fill  []func(lnwire.Message)
}

func (d *details) want(k gossip.Key, fill func(lnwire.Message)) {
	d.keys, d.fill = append(d.keys, k), append(d.fill, fill)
}

// edge notes what is missing of a channel.
func (d *details) edge(c *gossip.Channel, to *lnrpc.ChannelEdge) {
	if c.Private {
		return
	}
	if d.proof || c.Custom {
		d.want(gossip.AnnouncementKey(c.SCID), func(m lnwire.Message) {
			a, ok := m.(*lnwire.ChannelAnnouncement)
			if !ok {
				return
			}
			to.CustomRecords = translate.Custom(lnwire.CustomTLVs(a.Extra))
			if d.proof {
				to.AuthProof = &lnrpc.ChannelAuthProof{
					NodeSig1: a.NodeSig1.DER(), BitcoinSig1: a.BitcoinSig1.DER(), NodeSig2: a.NodeSig2.DER(), BitcoinSig2: a.BitcoinSig2.DER(),
				}
			}
		})
	}
	for side, policy := range []*lnrpc.RoutingPolicy{to.Node1Policy, to.Node2Policy} {
		d.policy(c.SCID, side, c.Policies[side], policy)
	}
}

func (d *details) policy(id lnwire.ShortChannelID, side int, p *gossip.Policy, to *lnrpc.RoutingPolicy) {
	if p == nil || !p.Custom {
		return
	}
	d.want(gossip.UpdateKey(id, side), func(m lnwire.Message) {
		if u, ok := m.(*lnwire.ChannelUpdate); ok {
			to.CustomRecords = translate.Custom(u.Custom())
		}
	})
}

func (d *details) node(n *gossip.Node, to *lnrpc.LightningNode) {
	if !n.Custom {
		return
	}
	d.want(gossip.NodeKey(n.ID), func(m lnwire.Message) {
		if a, ok := m.(*lnwire.NodeAnnouncement); ok {
			to.CustomRecords = translate.Custom(lnwire.CustomTLVs(a.Extra))
		}
	})
}

// get fills in all that was noted.
func (d *details) get() error {
	if len(d.keys) == 0 {
		return nil
	}
	list, err := d.s.node.GraphMessages(d.keys)
	if err != nil {
		return err
	}
	for i, m := range list {
		d.fill[i](m) // of a row that is gone it is nil
	}
	d.keys, d.fill = d.keys[:0], d.fill[:0]
	return nil
}
