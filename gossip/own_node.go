package gossip

import (
	"bytes"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// self is our own node.
type self struct {
	want     *OwnNode
	lastTime uint32 // no timestamp up to this one is used again
	asked    *lnwire.NodeAnnouncement
	again    bool
	last     *lnwire.NodeAnnouncement // as it was told since the start
}

// refreshSelf announces our node when it has a channel that is announced, and what
// it says is not what was said last.
//
// B7.own.7: timestamps rise; nothing is announced without a channel.
func (m *Machine) refreshSelf() {
	n := m.nodes[m.cfg.Self]
	if m.self.want == nil || n == nil || m.self.asked != nil || !m.haveTold(n) {
		return
	}
	w := m.self.want
	a := &lnwire.NodeAnnouncement{
		Features: w.Features, NodeID: m.cfg.Self, RGB: w.Color, Alias: w.Alias, Addresses: w.Addresses,
	}
	if n.view.Announced && !m.self.again && n.view.Updated >= m.ago(refresh) && sameNode(a, n.view) {
		return
	}
	a.Timestamp = m.later(max(m.self.lastTime, n.view.Updated))
	digest := a.SignedDigest()
	if digest == [32]byte{} {
		m.self.want = nil // it cannot be written, and so not announced
		return
	}
	m.self.lastTime, m.self.again, m.self.asked = a.Timestamp, false, a
	m.sign(digest, signature{node: a})
}

// haveTold: a channel of ours was announced with an update, without which nobody
// would know of us.
func (m *Machine) haveTold(n *node) bool {
	for _, id := range n.channels {
		c := m.channels[id]
		for i := range c.nodes {
			if c.nodes[i] == n && c.told(i) {
				return true
			}
		}
	}
	return false
}

func sameNode(a *lnwire.NodeAnnouncement, v *Node) bool {
	if len(a.Addresses) != len(v.Addresses) {
		return false
	}
	x, errX := lnwire.Marshal(&lnwire.NodeAnnouncement{Addresses: a.Addresses})
	y, errY := lnwire.Marshal(&lnwire.NodeAnnouncement{Addresses: v.Addresses})
	return errX == nil && errY == nil && bytes.Equal(x, y) &&
		a.Alias == v.Alias && a.RGB == v.Color && a.Features.Equal(v.Features)
}

func (m *Machine) signedSelf(a *lnwire.NodeAnnouncement, ev Signed) {
	m.self.asked = nil
	n := m.nodes[m.cfg.Self]
	if !ev.OK || n == nil {
		m.self.again = m.self.again || !ev.OK
		return
	}
	a.Sig = ev.Sig
	raw, err := lnwire.Marshal(a)
	if err != nil {
		return
	}
	m.self.last = a
	m.takeNode(n, a, raw, m.cfg.Self, true)
	m.refreshSelf()
}
