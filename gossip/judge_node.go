package gossip

import (
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// lookNode judges a node_announcement before its signature is checked.
//
// B7.node.1: a node without a known channel is no news; the announcement waits a
// while for one.
// B7.node.4: what is not newer than what we have is ignored.
func (m *Machine) lookNode(a *lnwire.NodeAnnouncement) (verdict, waitKey) {
	switch {
	case time.Unix(int64(a.Timestamp), 0).After(m.now.Add(future)), len(a.Extra) > maxExtra:
		return ignore, waitKey{}
	case m.outlaws.contains(a.NodeID):
		return ignore, waitKey{}
	}
	n := m.nodes[a.NodeID]
	if n == nil {
		return wait, waitKey{node: a.NodeID}
	}
	if n.view.Announced && a.Timestamp <= n.view.Updated {
		if a.Timestamp == n.view.Updated {
			return duplicate, waitKey{}
		}
		return outdated, waitKey{}
	}
	if a.NodeID == m.cfg.Self && a.Timestamp <= m.self.lastTime {
		return duplicate, waitKey{}
	}
	if a.NodeID != m.cfg.Self && m.usedUp(&n.limit) {
		return limited, waitKey{}
	}
	return check, waitKey{}
}

// acceptNode takes a proved node announcement.
//
// B7.node.5: a newer one replaces the last and is passed on, unless it has more than
// one host name (B7.node.6).
func (m *Machine) acceptNode(a *lnwire.NodeAnnouncement, raw []byte, from lnwire.PubKey) {
	n := m.nodes[a.NodeID]
	if a.NodeID == m.cfg.Self {
		m.self.lastTime, m.self.again = a.Timestamp, true
		m.refreshSelf()
		return
	}
	if !n.limit.take(m.now, m.cfg.Limits.Burst, m.cfg.Limits.Interval) {
		m.counts.Limited++
		return
	}
	m.counts.Accepted++
	m.takeNode(n, a, raw, from, false)
}

func (m *Machine) takeNode(n *node, a *lnwire.NodeAnnouncement, raw []byte, from lnwire.PubKey, ours bool) {
	m.setNode(n, a)
	m.put(nodeKey(n.id), rawValue(raw))
	if n.quiet {
		return
	}
	m.log.append(relayed{raw: raw, from: from, time: a.Timestamp, ours: ours, slot: slot{kind: KindNode, node: n.id}})
	if ours {
		m.flush()
	}
}
