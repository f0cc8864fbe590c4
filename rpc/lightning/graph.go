package lightning

import (
	"context"
	"encoding/hex"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// graphPage is how much of the graph is read at a time: gossip goes on in between.
const graphPage = 1000

// eachChannel goes through the announced channels, and calls page behind each part of them.
func (s *Service) eachChannel(ctx context.Context, f func(*gossip.Channel), page func() error) error {
	for after := lnwire.ShortChannelID(0); ; {
		list, err := s.node.GraphChannels(ctx, after, graphPage)
		if err != nil {
			return err
		}
		for i := range list {
			after = list[i].SCID
			if list[i].SpentAt == 0 {
				f(&list[i])
			}
		}
		if err := page(); err != nil {
			return err
		}
		if len(list) < graphPage {
			return nil
		}
	}
}

// describing holds a token for each answer of the size of the whole map that is made at
// a time: who asks meanwhile waits, so that many callers take no more memory than one.
var describing = make(chan struct{}, 1)

// names gives every node's id in hex, and the same text each time: most nodes have
// several channels.
type names map[lnwire.PubKey]string

// features shows a vector, and the same vector once: most nodes have one of a few.
type features map[string]map[uint32]*lnrpc.Feature

func (f features) of(v lnwire.Features) map[uint32]*lnrpc.Feature {
	list, ok := f[string(v)]
	if !ok {
		list = translate.Features(v)
		f[string(v)] = list
	}
	return list
}

func (n names) of(id lnwire.PubKey) string {
	text, ok := n[id]
	if !ok {
		text = id.String()
		n[id] = text
	}
	return text
}

// DescribeGraph is the whole map.
func (s *Service) DescribeGraph(ctx context.Context, req *lnrpc.ChannelGraphRequest) (*lnrpc.ChannelGraph, error) {
	select {
	case describing <- struct{}{}:
		defer func() { <-describing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	out := &lnrpc.ChannelGraph{}
	seen, names, shown := map[lnwire.PubKey]bool{}, names{}, features{}
	more := &details{s: s, proof: req.IncludeAuthProof}
	add := func(c *gossip.Channel) {
		e := names.edge(c)
		more.edge(c, e)
		out.Edges = append(out.Edges, e)
	}
	if err := s.eachChannel(ctx, add, more.get); err != nil {
		return nil, err
	}
	for after := (lnwire.PubKey{}); ; {
		list, err := s.node.GraphNodes(ctx, after, graphPage)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			after = n.ID
			seen[n.ID] = true
			m := names.node(n, shown)
			more.node(n, m)
			out.Nodes = append(out.Nodes, m)
		}
		if err := more.get(); err != nil {
			return nil, err
		}
		if len(list) < graphPage {
			break
		}
	}
	self := s.node.ID()
	if !seen[self] {
		out.Nodes = append(out.Nodes, s.selfNode())
	}
	seen[self] = true
	if !req.IncludeUnannounced {
		return out, nil
	}
	private, err := s.node.GraphPrivate(ctx)
	if err != nil {
		return nil, err
	}
	for i := range private {
		c := &private[i]
		add(c)
		for _, id := range []lnwire.PubKey{c.Node1, c.Node2} {
			if !seen[id] {
				seen[id] = true
				out.Nodes = append(out.Nodes, graphNode(&gossip.Node{ID: id}))
			}
		}
	}
	return out, nil
}

// selfNode is our own node, which is on our map whether or not it was announced.
func (s *Service) selfNode() *lnrpc.LightningNode {
	alias, color, addrs := s.node.Self()
	return &lnrpc.LightningNode{
		PubKey: s.node.ID().String(), Alias: alias.String(), Color: color.String(), Addresses: translate.Addresses(addrs),
		Features: translate.Features(s.node.Features()),
	}
}

func graphNode(n *gossip.Node) *lnrpc.LightningNode { return names{}.node(n, features{}) }

func (n names) node(v *gossip.Node, shown features) *lnrpc.LightningNode {
	return &lnrpc.LightningNode{
		PubKey: n.of(v.ID), LastUpdate: v.Updated, Alias: v.Alias.String(), Color: v.Color.String(),
		Addresses: translate.Addresses(v.Addresses), Features: shown.of(v.Features),
	}
}

func edge(c *gossip.Channel) *lnrpc.ChannelEdge { return names{}.edge(c) }

func (n names) edge(c *gossip.Channel) *lnrpc.ChannelEdge {
	out := &lnrpc.ChannelEdge{
		ChannelId: uint64(c.SCID), ChanPoint: c.OutPoint.String(), Node1Pub: n.of(c.Node1), Node2Pub: n.of(c.Node2),
		Capacity: int64(c.Capacity), Node1Policy: policy(c.Policies[0]), Node2Policy: policy(c.Policies[1]),
	}
	for _, p := range c.Policies {
		if p != nil {
			out.LastUpdate = max(out.LastUpdate, p.Updated)
		}
	}
	return out
}

func policy(p *gossip.Policy) *lnrpc.RoutingPolicy {
	if p == nil {
		return nil
	}
	return &lnrpc.RoutingPolicy{
		TimeLockDelta: uint32(p.CLTVDelta), MinHtlc: int64(p.Minimum), FeeBaseMsat: int64(p.FeeBase), FeeRateMilliMsat: int64(p.FeePPM),
		InboundFeeBaseMsat: p.Inbound.Base, InboundFeeRateMilliMsat: p.Inbound.PPM,
		Disabled: p.Disabled, MaxHtlcMsat: uint64(p.Maximum), LastUpdate: p.Updated,
	}
}

// GetChanInfo finds a channel.
func (s *Service) GetChanInfo(ctx context.Context, req *lnrpc.ChanInfoRequest) (*lnrpc.ChannelEdge, error) {
	var c gossip.Channel
	var ok bool
	var err error
	switch {
	case req.ChanId != 0:
		c, ok, err = s.node.GraphChannel(ctx, lnwire.ShortChannelID(req.ChanId))
	case req.ChanPoint != "":
		op, bad := translate.OutPointText("chan_point", req.ChanPoint)
		if bad != nil {
			return nil, bad
		}
		c, ok, err = s.node.GraphChannelAt(ctx, op)
	default:
		return nil, translate.Invalid("chan_id", "specify either chan_id or chan_point")
	}
	switch {
	case err != nil:
		return nil, err
	case !ok || c.SpentAt != 0:
		return nil, s.noEdge(ctx, lnwire.ShortChannelID(req.ChanId))
	}
	out, more := edge(&c), &details{s: s, proof: req.IncludeAuthProof}
	more.edge(&c, out)
	return out, more.get()
}

// errZombie says that a channel was forgotten as stale. Clients of lnd compare the text.
var errZombie = mistake.Missing("edge marked as zombie")

// noEdge says why there is no such channel; 0: it was not named by its id.
func (s *Service) noEdge(ctx context.Context, id lnwire.ShortChannelID) error {
	if zombie, err := s.node.GraphZombie(ctx, id); err != nil {
		return err
	} else if zombie {
		return errZombie
	}
	return routing.ErrUnknownChannel
}

// GetNodeInfo finds a node.
func (s *Service) GetNodeInfo(ctx context.Context, req *lnrpc.NodeInfoRequest) (*lnrpc.NodeInfo, error) {
	if req.IncludeAuthProof && !req.IncludeChannels {
		return nil, translate.Mistake("include_auth_proof depends on include_channels")
	}
	id, err := translate.PubKeyHex("pub_key", req.PubKey)
	if raw, bad := hex.DecodeString(req.PubKey); err != nil && bad == nil && len(raw) == len(id) {
		return nil, status.Error(codes.NotFound, routing.ErrUnknownNode.Error()) // as in lnd: nobody can have this id
	}
	if err != nil {
		return nil, err
	}
	n, channels, err := s.node.GraphNode(ctx, id)
	if err != nil {
		return nil, err
	}
	out, more := &lnrpc.NodeInfo{}, &details{s: s, proof: req.IncludeAuthProof}
	switch {
	case n != nil:
		out.Node = graphNode(n)
		more.node(n, out.Node)
	case id == s.node.ID():
		out.Node = s.selfNode()
	default:
		return nil, status.Error(codes.NotFound, routing.ErrUnknownNode.Error())
	}
	if id == s.node.ID() { // ours that are not announced, too
		private, err := s.node.GraphPrivate(ctx)
		if err != nil {
			return nil, err
		}
		channels = append(channels, private...)
	}
	for i := range channels {
		c := &channels[i]
		if c.SpentAt != 0 {
			continue
		}
		out.NumChannels++
		out.TotalCapacity += int64(c.Capacity)
		if req.IncludeChannels {
			e := edge(c)
			more.edge(c, e)
			out.Channels = append(out.Channels, e)
		}
	}
	return out, more.get()
}

// spanning holds a token for each diameter that is worked out: a strange map can take long.
var spanning = make(chan struct{}, 1)

// diameter is how many hops the map is across.
func (s *Service) diameter(ctx context.Context) (uint32, error) {
	select {
	case spanning <- struct{}{}:
		defer func() { <-spanning }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	hops, ok := s.node.Graph().Diameter(func() bool { return ctx.Err() != nil })
	if !ok {
		return 0, ctx.Err()
	}
	return uint32(hops), nil
}

// GetNetworkInfo is the map in figures.
func (s *Service) GetNetworkInfo(ctx context.Context, _ *lnrpc.NetworkInfoRequest) (*lnrpc.NetworkInfo, error) {
	i, err := s.node.GraphInfo(ctx)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.NetworkInfo{
		NumNodes: uint32(i.Nodes), NumChannels: uint32(i.Channels), MaxOutDegree: uint32(i.MaxOutDegree),
		TotalNetworkCapacity: int64(i.TotalCapacity), MinChannelSize: int64(i.MinCapacity), MaxChannelSize: int64(i.MaxCapacity),
		MedianChannelSizeSat: int64(i.MedianCapacity), NumZombieChans: uint64(i.Zombies),
	}
	if out.GraphDiameter, err = s.diameter(ctx); err != nil {
		return nil, err
	}
	if i.Nodes > 0 {
		out.AvgOutDegree = 2 * float64(i.Channels) / float64(i.Nodes)
	}
	if i.Channels > 0 {
		out.AvgChannelSize = float64(i.TotalCapacity) / float64(i.Channels)
	}
	return out, nil
}

// SubscribeChannelGraph delivers what changes on the map.
func (s *Service) SubscribeChannelGraph(_ *lnrpc.GraphTopologySubscription, out lnrpc.Lightning_SubscribeChannelGraphServer) error {
	return translate.Follow(out.Context(), s.node.GraphChanges(), func(changes []gossip.Change) error {
		m, more := &lnrpc.GraphTopologyUpdate{}, &details{s: s}
		for _, c := range changes {
			topology(c, m)
			if c, ok := c.(gossip.PolicyChanged); ok {
				more.policy(c.SCID, c.Side, &c.Policy, m.ChannelUpdates[len(m.ChannelUpdates)-1].RoutingPolicy)
			}
		}
		if err := more.get(); err != nil {
			return err
		}
		if len(m.NodeUpdates)+len(m.ChannelUpdates)+len(m.ClosedChans) == 0 {
			return nil
		}
		return out.Send(m)
	})
}

func topology(c gossip.Change, m *lnrpc.GraphTopologyUpdate) {
	switch c := c.(type) {
	case gossip.NodeChanged:
		n := c.Node
		u := &lnrpc.NodeUpdate{
			IdentityKey: n.ID.String(), Alias: n.Alias.String(), Color: n.Color.String(),
			NodeAddresses: translate.Addresses(n.Addresses), Features: translate.Features(n.Features),
		}
		for _, a := range n.Addresses {
			u.Addresses = append(u.Addresses, a.String())
		}
		m.NodeUpdates = append(m.NodeUpdates, u)
	case gossip.PolicyChanged:
		m.ChannelUpdates = append(m.ChannelUpdates, &lnrpc.ChannelEdgeUpdate{
			ChanId: uint64(c.SCID), ChanPoint: translate.Point(c.OutPoint), Capacity: int64(c.Capacity), RoutingPolicy: policy(&c.Policy),
			AdvertisingNode: c.From.String(), ConnectingNode: c.To.String(),
		})
	case gossip.ChannelSpent:
		m.ClosedChans = append(m.ClosedChans, &lnrpc.ClosedChannelUpdate{
			ChanId: uint64(c.Channel.SCID), Capacity: int64(c.Channel.Capacity), ClosedHeight: uint32(c.Channel.SpentAt),
			ChanPoint: translate.Point(c.Channel.OutPoint),
		})
	case gossip.ChannelAdded, gossip.ChannelRevived, gossip.ChannelGone, gossip.NodeGone:
		// Of a new channel subscribers hear with its first policy.
	default:
		panic(fmt.Sprintf("change of the graph: %T", c))
	}
}
