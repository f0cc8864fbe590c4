package gossip

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// maxExtra is how much a message may hold behind the fields that we know. More is
// not taken, lest anybody's store be filled with it.
const maxExtra = 1024

// banFaults is the number of announcements without a funding after which a peer is
// dropped: a few may be honest, when chains differ for a moment.
const banFaults = 100

// banAsked is the same for who is asked what it has.
const banAsked = 5000

// unusable: B7.chan.5: nothing is routed through a channel that needs what we do not
// know.
func unusable(a *lnwire.ChannelAnnouncement) bool {
	return len(a.Features.UnknownRequired(lnwire.InChannel)) > 0
}

// lookChannel judges a channel_announcement before its signatures are checked.
//
// B7.chan.1: one of another chain is ignored.
// B7.chan.4: the ids of the nodes rise.
// B7.chan.7: a channel whose funding is not yet 6 deep is not taken; it waits when it
// will be soon.
// B7.chan.10: a channel of a node that announced a channel twice is ignored.
func (m *Machine) lookChannel(a *lnwire.ChannelAnnouncement) (verdict, waitKey) {
	switch {
	case a.ChainHash != m.cfg.Chain:
		return ignore, waitKey{}
	case bytes.Compare(a.NodeID1[:], a.NodeID2[:]) >= 0:
		return wrong, waitKey{why: "channel_announcement: node_id_1 is not the lesser"}
	case !m.awake, len(a.Extra) > maxExtra:
		return ignore, waitKey{}
	case m.outlaws.contains(a.NodeID1), m.outlaws.contains(a.NodeID2):
		return ignore, waitKey{}
	}
	if c := m.channels[a.SCID]; c != nil {
		if c.nodes[0].id == a.NodeID1 && c.nodes[1].id == a.NodeID2 {
			return duplicate, waitKey{}
		}
		if c.spentAt != 0 {
			return ignore, waitKey{}
		}
		return check, waitKey{}
	}
	if m.gone.contains(a.SCID) || m.zombies.contains(a.SCID) {
		return ignore, waitKey{}
	}
	deep := a.SCID.Block() + minConfs - 1
	switch {
	case deep <= m.tip.Height:
		return check, waitKey{}
	case deep <= m.tip.Height+soonBlocks:
		return wait, waitKey{height: deep}
	}
	return ignore, waitKey{}
}

// fundingScript is the P2WSH of 2 of the two keys (BOLT 3).
func fundingScript(a, b lnwire.PubKey) []byte {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	const op2, checkMultisig, push33 = 0x52, 0xae, 33
	s := append([]byte{op2, push33}, a[:]...)
	s = append(append(s, push33), b[:]...)
	h := sha256.Sum256(append(s, op2, checkMultisig))
	return append([]byte{0, 32}, h[:]...)
}

// found goes on with an announcement when the chain has answered.
//
// B7.chan.6: a channel whose funding is spent, or is no P2WSH of both bitcoin keys,
// is ignored.
func (m *Machine) found(ev Found) {
	j := m.jobs[ev.ID]
	if j == nil || !j.chain {
		return
	}
	a := j.msg.(*lnwire.ChannelAnnouncement)
	m.end(ev.ID)
	switch ev.Funding {
	case FundingGood:
		if v, _ := m.lookChannel(a); v == check {
			m.acceptChannel(a, j.raw, j.from, ev)
		}
	case FundingSpent:
		// A block that few have may say otherwise; what is deep is gone for good.
		if a.SCID.Block()+spentGrace <= m.tip.Height {
			m.gone.add(a.SCID)
		}
		m.counts.BadFunding++
		m.fault(j.from)
	case FundingForeign:
		m.counts.BadFunding++
		m.fault(j.from)
	case FundingAway:
		m.counts.Dropped++
	}
}

// fault charges who sent an announcement without a funding, and nobody else (V-47).
//
// B7.limit.4: who announces too many channels that are not in the chain is dropped and
// not asked again.
func (m *Machine) fault(from lnwire.PubKey) {
	p := m.peers[from]
	if p == nil {
		return
	}
	most := banFaults
	if m.sync != nil && m.sync.peer == p {
		most = banAsked // closed channels are told in good faith, also when we ask
	}
	if p.faults++; p.faults >= most {
		m.badAnswer(p, "gossip: too many channels that the chain does not know")
	}
}

// acceptChannel takes a proved channel into the map.
//
// B7.chan.8: it is stored, with its signatures. B7.relay.2: it is passed on with its
// first update.
func (m *Machine) acceptChannel(a *lnwire.ChannelAnnouncement, raw []byte, from lnwire.PubKey, f Found) {
	if c := m.channels[a.SCID]; c != nil {
		m.conflict(c, a)
		return
	}
	if _, taken := m.outpoints[f.OutPoint]; taken {
		return // never so for an outpoint that is not known
	}
	m.counts.Accepted++
	m.enter(a, raw, from, f)
	if o := m.ownBy(a.SCID); o != nil {
		m.refreshOwn(o)
	}
}

func (m *Machine) enter(a *lnwire.ChannelAnnouncement, raw []byte, from lnwire.PubKey, f Found) {
	c := &channel{
		id: a.SCID, op: f.OutPoint, capacity: f.Capacity, seen: m.unix(), unusable: unusable(a), unheard: &unheard{raw, from},
		custom: len(lnwire.CustomTLVs(a.Extra)) > 0,
	}
	m.addChannel(c, [2]lnwire.PubKey{a.NodeID1, a.NodeID2})
	m.put(channelKey(c.id), channelValue(c.op, c.capacity, raw))
	m.changed(ChannelAdded{m.view(c)})
	m.log.keep(c)
	if o := m.ownBy(c.id); o != nil && o.early != nil && o.early.update.SCID == c.id {
		m.takeUpdate(c, o.early.update, o.early.raw, o.link.Peer, false)
		o.early = nil
	}
	m.again(m.room.take(waitKey{scid: a.SCID}))
	m.again(m.room.take(waitKey{node: a.NodeID1}))
	m.again(m.room.take(waitKey{node: a.NodeID2}))
}

// conflict: the keys of one funding signed for two pairs of nodes.
//
// B7.chan.9: all these nodes are put on a list and their channels are forgotten.
func (m *Machine) conflict(c *channel, a *lnwire.ChannelAnnouncement) {
	for _, id := range []lnwire.PubKey{c.nodes[0].id, c.nodes[1].id, a.NodeID1, a.NodeID2} {
		if id == m.cfg.Self {
			continue
		}
		m.outlaws.add(id)
		n := m.nodes[id]
		if n == nil {
			continue
		}
		for _, scid := range slices.Clone(n.channels) {
			if bad := m.channels[scid]; bad != nil && !m.isOurs(bad) {
				m.removeChannel(bad)
			}
		}
	}
}
