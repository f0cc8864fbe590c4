package gossip

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Policy is what one end of a channel asks for forwarding over it: the content of
// its channel_update.
type Policy struct {
	FeeBase   uint32 // msat
	FeePPM    uint32
	CLTVDelta uint16
	Minimum   lnwire.MilliSat
	Maximum   lnwire.MilliSat
	Disabled  bool
	Custom    bool   // the update has records of others behind its fields: see UpdateKey
	Updated   uint32 // timestamp; 0 is a value like another
	Inbound   lnwire.InboundFee
}

// Channel is a plain view of a channel.
type Channel struct {
	SCID         lnwire.ShortChannelID
	Node1, Node2 lnwire.PubKey // Node1 is the lesser
	OutPoint     wire.OutPoint
	Capacity     lnwire.Sat // 0: not known, like a zero OutPoint; the chain was not asked
	// Policies are those of Node1 (0) and Node2 (1), each for what it sends; nil
	// while there is none.
	Policies [2]*Policy
	// SpentAt is the height at which the funding output was spent; 0: it is not. The
	// channel is kept for 72 blocks after that, since it may be a splice.
	SpentAt lnwire.Height
	// Unusable: the announcement has required features that we do not know. Nothing
	// may be routed through it.
	Unusable bool
	Custom   bool // the announcement has records behind its fields: see AnnouncementKey
	// Private: a channel of ours that is not announced.
	Private bool
}

// Node is a plain view of a node. It is shared: do not change it.
type Node struct {
	ID        lnwire.PubKey
	Alias     lnwire.Alias // hostile text: show it by String only
	Color     lnwire.RGB
	Features  lnwire.Features
	Addresses []lnwire.Address
	Updated   uint32 // timestamp of the node_announcement
	Announced bool   // there was a node_announcement; all but ID is zero otherwise
	Custom    bool   // it has records behind its fields: see NodeKey
}

// Info are figures about the public map.
type Info struct {
	Nodes, Channels int
	MaxOutDegree    int
	TotalCapacity   lnwire.Sat
	// The smallest, largest and median capacity of a channel; 0 without channels.
	MinCapacity, MaxCapacity, MedianCapacity lnwire.Sat
	Zombies                                  int // channels forgotten as stale
}

// Change is one change of the map. The set is closed.
type Change interface{ isChange() }

// ChannelAdded: a channel was announced and proved. Policies follow.
type ChannelAdded struct{ Channel Channel }

// PolicyChanged: one end of a channel told a new policy.
type PolicyChanged struct {
	SCID     lnwire.ShortChannelID
	Side     int // 0: Node1
	Policy   Policy
	From, To lnwire.PubKey // who told it, and the other end
	OutPoint wire.OutPoint
	Capacity lnwire.Sat
}

// ChannelSpent: the funding output was spent at a height. Whoever finds paths should
// leave the channel alone, unless ChannelRevived follows; subscribers are told that
// it closed.
type ChannelSpent struct{ Channel Channel }

// ChannelRevived: a reorganisation undid ChannelSpent.
type ChannelRevived struct{ Channel Channel }

// ChannelGone: the channel was forgotten, after ChannelSpent, or because it is
// stale or was reorganised away.
type ChannelGone struct{ Channel Channel }

// NodeChanged: a node with a channel announced itself anew.
type NodeChanged struct{ Node *Node }

// NodeGone: the last channel of a node was forgotten.
type NodeGone struct{ ID lnwire.PubKey }

func (ChannelAdded) isChange()   {}
func (PolicyChanged) isChange()  {}
func (ChannelSpent) isChange()   {}
func (ChannelRevived) isChange() {}
func (ChannelGone) isChange()    {}
func (NodeChanged) isChange()    {}
func (NodeGone) isChange()       {}

// Sources are the peers that were asked to pass new gossip on to us, in the order of their keys.
func (m *Machine) Sources() (ids []lnwire.PubKey) {
	for id, p := range m.peers {
		if p.active && !p.dropped {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b lnwire.PubKey) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
