package gossip

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// lookUpdate judges a channel_update before its signature is checked.
//
// B7.upd.1: one of another chain is ignored.
// B7.upd.5: one that is not newer than what we have is ignored, whatever it says; a
// timestamp of 0 is older than any other, and as good when there is none (V-48).
// B7.upd.6: one from far in the future is ignored.
// B7.upd.8: for a spent channel only one that disables is taken.
// B7.prune.4: one that is older than two weeks is ignored; nobody is punished for it.
func (m *Machine) lookUpdate(u *lnwire.ChannelUpdate, from lnwire.PubKey) (verdict, waitKey) {
	at := time.Unix(int64(u.Timestamp), 0)
	switch {
	case u.ChainHash != m.cfg.Chain, at.After(m.now.Add(future)), len(u.Extra) > maxExtra:
		return ignore, waitKey{}
	}
	c := m.channels[u.SCID]
	if c == nil {
		return m.lookUnknown(u, from)
	}
	if c.nodes[sideOf(u)].id == m.cfg.Self {
		return m.lookMine(m.ownBy(u.SCID), u)
	}
	if c.spentAt != 0 && u.ChannelFlags&lnwire.UpdateDisabled == 0 {
		return ignore, waitKey{}
	}
	s := &c.sides[sideOf(u)]
	if s.policy != nil && u.Timestamp <= s.policy.Updated {
		if u.Timestamp == s.policy.Updated {
			return duplicate, waitKey{}
		}
		return outdated, waitKey{}
	}
	if m.now.Sub(at) > stale {
		return outdated, waitKey{}
	}
	if s.policy != nil && m.repeats(s, u) {
		return outdated, waitKey{}
	}
	if m.ownBy(u.SCID) == nil && m.usedUp(&s.limit) {
		return limited, waitKey{}
	}
	return check, waitKey{}
}

// Who tells of new life in a channel that was forgotten as stale cannot be held to it:
// the channel's keys were forgotten too. So everybody has a few.
const (
	wakesBurst = 100
	wakesEvery = 10 * time.Second
)

// usedUp: no more of these are let through for now, so that no signature needs to be
// looked at. Nobody else's word uses it up (V-47).
func (m *Machine) usedUp(b *bucket) bool {
	return !b.has(m.now, m.cfg.Limits.Burst, m.cfg.Limits.Interval)
}

// repeats: the update says what the last one said, and not because the last one
// would soon be stale.
func (m *Machine) repeats(s *side, u *lnwire.ChannelUpdate) bool {
	age := time.Duration(u.Timestamp-s.policy.Updated) * time.Second
	return age < keepAlive && s.sum == u.Checksum()
}

// lookUnknown: there is no such public channel.
//
// B7.upd.2: an update without its channel changes nothing, unless it is the peer's
// for a channel with us; it waits a while for the announcement.
func (m *Machine) lookUnknown(u *lnwire.ChannelUpdate, from lnwire.PubKey) (verdict, waitKey) {
	if o := m.ownBy(u.SCID); o != nil {
		if sideOf(u) == m.side(o) {
			return m.lookMine(o, u)
		}
		if o.link.Peer != from || o.theirs != nil && u.Timestamp <= o.theirs.Updated {
			return duplicate, waitKey{}
		}
		return check, waitKey{}
	}
	fresh := u.Timestamp > m.ago(stale)
	if !fresh || m.gone.contains(u.SCID) {
		return ignore, waitKey{}
	}
	if m.zombies.contains(u.SCID) {
		if p := m.peers[from]; p != nil && p.wakes.take(m.now, wakesBurst, wakesEvery) {
			m.zombies.remove(u.SCID) // the next synchronisation will ask for it
		}
		return ignore, waitKey{}
	}
	return wait, waitKey{scid: u.SCID}
}

// lookMine: an update in our name. We know our own; only one that is newer matters,
// since ours must then become newer still.
func (m *Machine) lookMine(o *own, u *lnwire.ChannelUpdate) (verdict, waitKey) {
	if o == nil || u.Timestamp <= o.lastTime {
		return duplicate, waitKey{}
	}
	return check, waitKey{}
}

// speaker is whose signature an update that look approved of must bear.
func (m *Machine) speaker(u *lnwire.ChannelUpdate) lnwire.PubKey {
	if c := m.channels[u.SCID]; c != nil {
		return c.nodes[sideOf(u)].id
	}
	if o := m.ownBy(u.SCID); o != nil && sideOf(u) != m.side(o) {
		return o.link.Peer
	}
	return m.cfg.Self
}

// acceptUpdate takes a proved update.
//
// B7.limit.1: beyond a burst, a direction of a channel gets an update through in an
// interval; this is charged after the signature, so nobody can use up another's
// share (V-47).
func (m *Machine) acceptUpdate(u *lnwire.ChannelUpdate, raw []byte, from lnwire.PubKey) {
	o := m.ownBy(u.SCID)
	c := m.channels[u.SCID]
	switch {
	case o != nil && sideOf(u) == m.side(o):
		o.lastTime, o.again = u.Timestamp, true
		m.refreshOwn(o)
		return
	case o != nil:
		// lnd loses an update by its alias that comes before the channel is in its map,
		// which its own tells: then ours is told again.
		if o.theirs == nil && c == nil && o.link.Private && o.link.PeerAlias != 0 {
			o.again = true
			defer m.refreshOwn(o)
		}
		if c != nil && u.MessageFlags&lnwire.UpdateDontForward == 0 {
			defer m.shows(from, o)
		}
		o.theirs = policyOf(u, o.link.Capacity)
		m.fx.Theirs = append(m.fx.Theirs, PeerUpdate{o.link.ChanNum, *o.theirs})
		if c == nil && u.MessageFlags&lnwire.UpdateDontForward == 0 {
			o.early = &early{u, slices.Clone(raw)}
		}
	}
	if c == nil {
		return
	}
	if s := &c.sides[sideOf(u)]; !s.limit.take(m.now, m.cfg.Limits.Burst, m.cfg.Limits.Interval) {
		m.counts.Limited++
		return
	}
	m.counts.Accepted++
	m.takeUpdate(c, u, raw, from, false)
}

// takeUpdate stores an update and has it passed on.
//
// B7.upd.7: what is marked dont_forward is not. B7.relay.6: nor is one for a spent
// channel, unless it disables; others were not accepted.
func (m *Machine) takeUpdate(c *channel, u *lnwire.ChannelUpdate, raw []byte, from lnwire.PubKey, ours bool) {
	m.setPolicy(c, u)
	m.put(updateKey(c.id, sideOf(u)), rawValue(raw))
	if u.MessageFlags&lnwire.UpdateDontForward != 0 {
		return
	}
	if a := c.unheard; a != nil && c.spentAt == 0 {
		m.log.append(relayed{raw: a.raw, from: a.from, time: u.Timestamp, ours: m.isOurs(c), slot: slot{kind: KindChannel, scid: c.id}})
		m.log.unkeep(c)
	}
	m.log.append(relayed{raw: raw, from: from, time: u.Timestamp, ours: ours, slot: slot{kind: KindUpdate, scid: c.id, side: sideOf(u)}})
	if ours {
		m.flush()
	}
}
