package gossip

import (
	"crypto/sha256"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// verdict is what the cheap look at a message says, before any signature.
type verdict uint8

const (
	ignore    verdict = iota // it says nothing new, or nothing that we want
	wait                     // it is early: keep it under the key
	wrong                    // no honest node sends this
	check                    // it would be news: check the signatures
	duplicate                // we have it
	outdated
	limited // there were too many of these
)

// job is a message whose proof is under way.
type job struct {
	arrival
	chain bool // signatures are proved, the chain is asked
}

// maxRaw is the longest message of the map that is taken: there is no use for more, and
// everybody would have to keep it.
//
// B7.room.2: messages are taken up to a length.
const maxRaw = 4096

// arrive takes a message of the map, unless it is the same as one that is under way
// or the sender's inbox is full.
func (m *Machine) arrive(p *peer, msg lnwire.Message) {
	if v, key := m.look(msg, p.id); v != check && v != wait {
		m.count(v)
		if v == duplicate || v == outdated {
			m.shownBy(p, msg)
		}
		if v == wrong {
			m.drop(p, "gossip: "+key.why)
		}
		return
	}
	raw, err := lnwire.Marshal(msg)
	if err != nil {
		return
	}
	if len(raw) > maxRaw {
		m.count(ignore)
		return
	}
	a := arrival{from: p.id, msg: msg, raw: raw, digest: sha256.Sum256(raw)}
	if _, ok := m.held[a.digest]; ok {
		m.counts.Duplicate++
		return
	}
	if p.inboxBytes+a.size() > m.inboxOf(p) {
		m.counts.Dropped++
		return
	}
	m.held[a.digest] = struct{}{}
	m.enqueue(p, a)
}

// inboxFloor is what every peer may fill of its inbox, however many there are.
const inboxFloor = 64 << 10

// inboxOf is how much a peer's inbox may hold: with many peers a share of what all
// may, lest each of them fill a whole one. Who we have asked has room for the answer.
func (m *Machine) inboxOf(p *peer) int {
	l := &m.cfg.Limits
	if m.sync != nil && m.sync.peer == p {
		return l.Inbox
	}
	return min(l.Inbox, max(inboxFloor, l.Inboxes/max(1, len(m.line))))
}

func (m *Machine) enqueue(p *peer, a arrival) {
	p.inbox = append(p.inbox, a)
	p.inboxBytes += a.size()
}

// again puts messages that waited back into the inboxes of their senders.
func (m *Machine) again(list []arrival) {
	for _, a := range list {
		p := m.peers[a.from]
		if p == nil {
			p = m.stray
		}
		m.enqueue(p, a)
	}
}

func (m *Machine) count(v verdict) {
	switch v {
	case duplicate:
		m.counts.Duplicate++
	case outdated:
		m.counts.Stale++
	case wait:
		m.counts.Early++
	case limited:
		m.counts.Limited++
	case ignore, wrong, check:
		m.counts.Dropped++
	}
}

// judge begins proofs while there is room for them: one message of each inbox in
// turn, so that who floods waits for himself.
func (m *Machine) judge() {
	for idle := 0; len(m.jobs) < m.cfg.Limits.InFlight && idle <= len(m.line); {
		m.turn++
		if m.turn > len(m.line) {
			m.turn = 0
		}
		p := m.stray
		if m.turn < len(m.line) {
			p = m.line[m.turn]
		}
		if len(p.inbox) == 0 {
			idle++
			continue
		}
		idle = 0
		a := p.inbox[0]
		p.inbox[0] = arrival{}
		p.inbox = p.inbox[1:]
		p.inboxBytes -= a.size()
		m.begin(p, a)
	}
}

// begin looks again, for things may have changed, and asks for the signatures.
//
// B7.chan.2, B7.upd.3, B7.node.2: nothing of a message is used before its signatures
// are proved.
func (m *Machine) begin(p *peer, a arrival) {
	switch v, key := m.look(a.msg, a.from); v {
	case check:
		id := m.id()
		m.jobs[id] = &job{arrival: a}
		p.judging++
		m.fx.Verify = append(m.fx.Verify, Verify{id, m.checks(a.msg)})
	case wait:
		m.counts.Early++
		for _, old := range m.room.enter(key, a) {
			delete(m.held, old.digest)
			m.counts.Dropped++
		}
	default:
		m.count(v)
		delete(m.held, a.digest)
	}
}

// look is the cheap judgement of a message.
func (m *Machine) look(msg lnwire.Message, from lnwire.PubKey) (verdict, waitKey) {
	switch msg := msg.(type) {
	case *lnwire.ChannelAnnouncement:
		return m.lookChannel(msg)
	case *lnwire.ChannelUpdate:
		return m.lookUpdate(msg, from)
	case *lnwire.NodeAnnouncement:
		return m.lookNode(msg)
	}
	return ignore, waitKey{}
}

// checks are the signatures that prove a message that look approved of.
func (m *Machine) checks(msg lnwire.Message) []Check {
	switch msg := msg.(type) {
	case *lnwire.ChannelAnnouncement:
		h := msg.SignedDigest()
		return []Check{
			{h, msg.NodeID1, msg.NodeSig1}, {h, msg.NodeID2, msg.NodeSig2},
			{h, msg.BitcoinKey1, msg.BitcoinSig1}, {h, msg.BitcoinKey2, msg.BitcoinSig2},
		}
	case *lnwire.ChannelUpdate:
		return []Check{{msg.SignedDigest(), m.speaker(msg), msg.Sig}}
	case *lnwire.NodeAnnouncement:
		return []Check{{msg.SignedDigest(), msg.NodeID, msg.Sig}}
	}
	return nil
}

// end closes a job.
func (m *Machine) end(id uint64) {
	j := m.jobs[id]
	delete(m.jobs, id)
	delete(m.held, j.digest)
	if p := m.peers[j.from]; p != nil && p.judging > 0 {
		p.judging--
	}
}

// verified goes on with a message whose signatures were checked.
//
// B7.chan.3, B7.upd.4, B7.node.3: whoever sends a wrong signature is warned and
// dropped, and the message changes nothing.
func (m *Machine) verified(ev Verified) {
	j := m.jobs[ev.ID]
	if j == nil || j.chain {
		return
	}
	if !ev.OK {
		m.end(ev.ID)
		m.counts.BadSignature++
		if p := m.peers[j.from]; p != nil {
			m.drop(p, "gossip: "+j.msg.Type().String()+": a signature is wrong")
		}
		return
	}
	// What was news may have become old.
	if v, _ := m.look(j.msg, j.from); v != check {
		m.end(ev.ID)
		m.count(v)
		return
	}
	if a, ok := j.msg.(*lnwire.ChannelAnnouncement); ok {
		j.chain = true
		if m.cfg.AssumeValid {
			m.found(Found{ID: ev.ID, Funding: FundingGood})
			return
		}
		m.fx.LookUp = append(m.fx.LookUp, LookUp{ev.ID, a.SCID, fundingScript(a.BitcoinKey1, a.BitcoinKey2)})
		return
	}
	m.end(ev.ID)
	m.accept(j)
}

// accept takes a proved update or node announcement.
func (m *Machine) accept(j *job) {
	switch msg := j.msg.(type) {
	case *lnwire.ChannelUpdate:
		m.acceptUpdate(msg, j.raw, j.from)
	case *lnwire.NodeAnnouncement:
		m.acceptNode(msg, j.raw, j.from)
	}
}
