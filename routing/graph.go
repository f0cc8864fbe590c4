package routing

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Policy is what one end of a channel asks for forwarding over it: the content of
// its channel_update (BOLT 7).
type Policy struct {
	Base     uint32          // fee_base_msat
	PPM      uint32          // fee_proportional_millionths
	Delta    uint16          // cltv_expiry_delta
	Min, Max lnwire.MilliSat // htlc_minimum_msat, htlc_maximum_msat
	Disabled bool
	Updated  uint32 // timestamp of the channel_update
	// Inbound is what the end asks for what comes to it over the channel, besides the
	// fee of the channel that it sends on (bLIP 18).
	Inbound Inbound
}

// Channel is a channel of the graph.
type Channel struct {
	SCID         lnwire.ShortChannelID
	Node1, Node2 lnwire.PubKey // as announced: Node1 is the lesser
	Capacity     lnwire.Sat    // 0: unknown
	// Barred: its announcement requires a feature that this node does not know, so
	// that nothing may be sent over it.
	Barred bool
	// Policies are those of Node1 (0) and Node2 (1), each for what it sends; nil
	// while there is none.
	Policies [2]*Policy
}

// NodeInfo is what a node told of itself.
type NodeInfo struct {
	ID        lnwire.PubKey
	Alias     lnwire.Alias
	RGB       lnwire.RGB
	Features  lnwire.Features
	Addresses []lnwire.Address
	Updated   uint32 // timestamp of the node_announcement; 0: there was none
}

// Errors of changes to the graph.
var (
	ErrUnknownChannel = errors.New("edge not found")
	ErrUnknownNode    = errors.New("unable to find node")
)

// none is an index that points nowhere.
const none = math.MaxUint32

// edge is one direction of a channel that has a policy. It stands in the list of
// the node that it leads to, since paths are searched from the recipient: the list
// is read from end to end.
type edge struct {
	from    uint32 // the node that sends and charges
	channel uint32
	base    uint32
	ppm     uint32
	min     lnwire.MilliSat
	max     lnwire.MilliSat // htlc_maximum_msat, but no more than the capacity
	cap     lnwire.MilliSat
	delta   uint16
	off     bool // disabled or barred
	barred  bool
	inbound bool // the node that it leads to asks for something on what comes over it
}

// channel is the part of a channel that no search needs. A free place has no scid
// in the index and both nodes none.
type channel struct {
	scid     lnwire.ShortChannelID
	capacity lnwire.Sat
	nodes    [2]uint32
	place    [2]uint32 // of the policy of nodes[i], in the list of the other; none
	updated  [2]uint32
	max      [2]lnwire.MilliSat // htlc_maximum_msat as it was told
	disabled [2]bool
	barred   bool
	inbound  [2]Inbound // what nodes[i] asks for what comes to it
}

// node is a node and the channels that lead to it.
type node struct {
	id    lnwire.PubKey
	info  *NodeInfo // never changed; nil when it told nothing
	bars  bool      // it requires a feature that we do not know
	in    []edge
	chans []uint32 // all its channels
	fresh uint32   // the graph's epoch in which the lists were copied
}

// tables are what a graph and its snapshots have in common.
type tables struct {
	nodes    cow[node]
	channels cow[channel]
	byID     index[lnwire.PubKey]
	bySCID   index[lnwire.ShortChannelID]
	nNodes   int
	nChans   int
}

// Graph is what gossip has told of the network. It is changed by one caller at a
// time; readers take a Snapshot.
type Graph struct {
	t         tables
	epoch     uint32
	freeNodes []uint32
	freeChans []uint32
	last      *Snapshot // nil after a change
}

// Snapshot is a Graph as it stood. It never changes, so that any number of searches
// may read it at once.
type Snapshot struct{ t tables }

// NewGraph makes an empty graph.
func NewGraph() *Graph {
	return &Graph{epoch: 1, t: tables{byID: newIndex[lnwire.PubKey](), bySCID: newIndex[lnwire.ShortChannelID]()}}
}

// Snapshot gives the graph as it stands. It costs some hundred pointers; what it
// shares with the graph is copied piece by piece as the graph changes.
func (g *Graph) Snapshot() *Snapshot {
	if g.last == nil {
		t := g.t
		t.nodes, t.channels = g.t.nodes.share(), g.t.channels.share()
		t.byID, t.bySCID = g.t.byID.share(), g.t.bySCID.share()
		g.last = &Snapshot{t}
		g.epoch++
	}
	return g.last
}

func (t *tables) node(id lnwire.PubKey) (uint32, bool) {
	_, n, ok := t.byID.find(id, func(n uint32) bool { return t.nodes.at(n).id == id })
	return n, ok
}

func (t *tables) channel(scid lnwire.ShortChannelID) (uint32, bool) {
	_, n, ok := t.bySCID.find(scid, func(n uint32) bool { return t.channels.at(n).scid == scid })
	return n, ok
}

// AddChannel puts a channel in, with those of its policies that are set. A channel
// that is known keeps what c does not tell; an error means that its ends are others
// than before, or one and the same.
func (g *Graph) AddChannel(c Channel) error {
	if c.Node1 == c.Node2 {
		return fmt.Errorf("channel %s: both ends are node %s", c.SCID, c.Node1)
	}
	n, ok := g.t.channel(c.SCID)
	if ok {
		old := g.t.channels.at(n)
		if g.t.nodes.at(old.nodes[0]).id != c.Node1 || g.t.nodes.at(old.nodes[1]).id != c.Node2 {
			return fmt.Errorf("channel %s: is known between other nodes", c.SCID)
		}
		g.setCapacity(n, c.Capacity)
		g.setBarred(n, c.Barred)
	} else {
		n = g.newChannel(c)
	}
	for side, p := range c.Policies {
		if p != nil {
			g.setPolicy(n, side, *p)
		}
	}
	g.last = nil
	return nil
}

func (g *Graph) newChannel(c Channel) uint32 {
	ends := [2]uint32{g.needNode(c.Node1), g.needNode(c.Node2)}
	n := uint32(none)
	if last := len(g.freeChans) - 1; last >= 0 {
		n, g.freeChans = g.freeChans[last], g.freeChans[:last]
	} else {
		n = g.t.channels.grow()
	}
	*g.t.channels.edit(n) = channel{scid: c.SCID, capacity: c.Capacity, barred: c.Barred, nodes: ends, place: [2]uint32{none, none}}
	g.t.bySCID.put(c.SCID, n, func(yield func(lnwire.ShortChannelID, uint32)) {
		for i := range uint32(g.t.channels.n) {
			if ch := g.t.channels.at(i); i != n && ch.nodes[0] != none {
				yield(ch.scid, i)
			}
		}
	})
	for _, v := range ends {
		nd := g.editNode(v)
		nd.chans = append(nd.chans, n)
	}
	g.t.nChans++
	return n
}

func (g *Graph) needNode(id lnwire.PubKey) uint32 {
	if n, ok := g.t.node(id); ok {
		return n
	}
	n := uint32(none)
	if last := len(g.freeNodes) - 1; last >= 0 {
		n, g.freeNodes = g.freeNodes[last], g.freeNodes[:last]
	} else {
		n = g.t.nodes.grow()
	}
	*g.t.nodes.edit(n) = node{id: id, fresh: g.epoch}
	g.t.byID.put(id, n, func(yield func(lnwire.PubKey, uint32)) {
		for i := range uint32(g.t.nodes.n) {
			if nd := g.t.nodes.at(i); i != n && len(nd.chans) > 0 {
				yield(nd.id, i)
			}
		}
	})
	g.t.nNodes++
	return n
}

// editNode gives a node whose lists may be changed in place.
func (g *Graph) editNode(n uint32) *node {
	nd := g.t.nodes.edit(n)
	if nd.fresh != g.epoch {
		nd.in, nd.chans, nd.fresh = slices.Clone(nd.in), slices.Clone(nd.chans), g.epoch
	}
	return nd
}

// SetPolicy sets what one end of a channel asks: side 0 is Node1, 1 is Node2. It
// fails with ErrUnknownChannel.
func (g *Graph) SetPolicy(scid lnwire.ShortChannelID, side int, p Policy) error {
	n, ok := g.t.channel(scid)
	if !ok {
		return ErrUnknownChannel
	}
	g.setPolicy(n, side&1, p)
	g.last = nil
	return nil
}

func (g *Graph) setPolicy(n uint32, side int, p Policy) {
	ch := g.t.channels.edit(n)
	capacity := satToMsat(ch.capacity)
	e := edge{from: ch.nodes[side], channel: n, base: p.Base, ppm: p.PPM, min: p.Min,
		max: min(p.Max, capacity), cap: capacity, delta: p.Delta, off: p.Disabled || ch.barred, barred: ch.barred,
		inbound: !ch.inbound[1-side].IsZero()}
	ch.updated[side], ch.max[side], ch.disabled[side] = p.Updated, p.Max, p.Disabled
	if ch.inbound[side] != p.Inbound {
		ch.inbound[side] = p.Inbound
		if place := ch.place[1-side]; place != none {
			g.editNode(ch.nodes[side]).in[place].inbound = !p.Inbound.IsZero()
		}
	}
	to := g.editNode(ch.nodes[1-side])
	if ch.place[side] == none {
		ch.place[side] = uint32(len(to.in))
		to.in = append(to.in, e)
		return
	}
	to.in[ch.place[side]] = e
}

func (g *Graph) setCapacity(n uint32, capacity lnwire.Sat) {
	ch := g.t.channels.edit(n)
	if ch.capacity == capacity {
		return
	}
	ch.capacity = capacity
	for side, place := range ch.place {
		if place != none {
			e := &g.editNode(ch.nodes[1-side]).in[place]
			e.cap = satToMsat(capacity)
			e.max = min(ch.max[side], e.cap)
		}
	}
}

func (g *Graph) setBarred(n uint32, barred bool) {
	ch := g.t.channels.edit(n)
	if ch.barred == barred {
		return
	}
	ch.barred = barred
	for side, place := range ch.place {
		if place != none {
			e := &g.editNode(ch.nodes[1-side]).in[place]
			e.off, e.barred = ch.disabled[side] || barred, barred
		}
	}
}

// RemoveChannel takes a channel out, and each of its ends that has no other. It
// fails with ErrUnknownChannel.
func (g *Graph) RemoveChannel(scid lnwire.ShortChannelID) error {
	n, ok := g.t.channel(scid)
	if !ok {
		return ErrUnknownChannel
	}
	ch := *g.t.channels.at(n)
	g.t.bySCID.remove(scid, func(i uint32) bool { return i == n })
	for side, place := range ch.place {
		if place != none {
			g.removeEdge(ch.nodes[1-side], place)
		}
	}
	*g.t.channels.edit(n) = channel{nodes: [2]uint32{none, none}, place: [2]uint32{none, none}}
	g.freeChans = append(g.freeChans, n)
	g.t.nChans--
	for _, v := range ch.nodes {
		g.dropChannel(v, n)
	}
	g.last = nil
	return nil
}

// removeEdge fills the gap with the last edge of the list.
func (g *Graph) removeEdge(v, place uint32) {
	nd := g.editNode(v)
	last := len(nd.in) - 1
	moved := nd.in[last]
	nd.in[place] = moved
	nd.in = nd.in[:last]
	if int(place) != last {
		ch := g.t.channels.edit(moved.channel)
		for side := range ch.nodes {
			if ch.nodes[side] == moved.from {
				ch.place[side] = place
			}
		}
	}
}

func (g *Graph) dropChannel(v, n uint32) {
	nd := g.editNode(v)
	i := slices.Index(nd.chans, n)
	nd.chans[i] = nd.chans[len(nd.chans)-1]
	nd.chans = nd.chans[:len(nd.chans)-1]
	if len(nd.chans) == 0 {
		g.t.byID.remove(nd.id, func(i uint32) bool { return i == v })
		*nd = node{fresh: g.epoch}
		g.freeNodes = append(g.freeNodes, v)
		g.t.nNodes--
	}
}

// SetNode sets what a node told of itself. It fails with ErrUnknownNode when the
// node has no channel. The graph keeps info: do not change it.
func (g *Graph) SetNode(info NodeInfo) error {
	n, ok := g.t.node(info.ID)
	if !ok {
		return ErrUnknownNode
	}
	nd := g.t.nodes.edit(n)
	nd.info, nd.bars = &info, len(info.Features.UnknownRequired(lnwire.InNode)) > 0
	g.last = nil
	return nil
}

// inbound is what node v asks for what comes to it over a channel.
func (t *tables) inbound(channel, v uint32) Inbound {
	ch := t.channels.at(channel)
	if ch.nodes[0] == v {
		return ch.inbound[0]
	}
	return ch.inbound[1]
}

// satToMsat is a capacity in msat: the largest number when it is unknown (0) or
// there is no such.
func satToMsat(s lnwire.Sat) lnwire.MilliSat {
	if s == 0 || s > math.MaxUint64/1000 {
		return math.MaxUint64
	}
	return s.MilliSat()
}
