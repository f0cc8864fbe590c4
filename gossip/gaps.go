package gossip

import "github.com/fulgur-ln/fulgur/lnwire"

// lacks tells whether we want to ask for a channel.
//
// B7.sync.7: what is known, spent, stale or not deep enough is not asked for.
func (m *Machine) lacks(id lnwire.ShortChannelID) bool {
	return m.channels[id] == nil && !m.gone.contains(id) && !m.zombies.contains(id) &&
		id.Block()+minConfs-1 <= m.tip.Height
}

// gaps are the query flags for what we lack of the i-th channel of a reply; 0: nothing.
func (m *Machine) gaps(p *peer, r *lnwire.ReplyChannelRange, i int) uint8 {
	id := r.SCIDs[i]
	if r.Timestamps != nil && !m.alive(&r.Timestamps[i]) {
		return 0
	}
	if m.zombies.contains(id) && r.Timestamps != nil {
		m.zombies.remove(id)
	}
	if m.lacks(id) {
		return wantAll
	}
	c := m.channels[id]
	if c == nil || c.spentAt != 0 || !p.flags || r.Timestamps == nil {
		return 0
	}
	var flags uint8
	for side, at := range [2]uint32{r.Timestamps[i].Node1, r.Timestamps[i].Node2} {
		if m.newer(c, side, at, sumOf(r, i, side)) {
			flags |= wantUpdate1 << side
		}
	}
	return flags
}

// alive: B7.prune.7: a channel is not asked for when the peer knows of no update that
// is fresh; one that was forgotten as stale is, when the peer knows a fresh one.
func (m *Machine) alive(t *lnwire.ChannelTimestamps) bool {
	return m.fresh(t.Node1) || m.fresh(t.Node2)
}

// fresh: an update with that timestamp would be looked at.
func (m *Machine) fresh(at uint32) bool {
	return at != 0 && int64(at) > m.now.Add(-stale).Unix() && int64(at) <= m.now.Add(future).Unix()
}

// sumOf is the checksum that a reply tells of a side; 0: none.
func sumOf(r *lnwire.ReplyChannelRange, i, side int) uint32 {
	switch {
	case r.Checksums == nil:
		return 0
	case side == 0:
		return r.Checksums[i].Node1
	}
	return r.Checksums[i].Node2
}

// newer tells whether an update is worth asking for: it is newer than ours, and says
// something else or keeps the channel from becoming stale.
func (m *Machine) newer(c *channel, side int, at, sum uint32) bool {
	if !m.fresh(at) || c.nodes[side].id == m.cfg.Self {
		return false
	}
	s := &c.sides[side]
	switch {
	case s.policy == nil:
		return true
	case at <= s.policy.Updated:
		return false
	case sum != 0 && sum == s.sum:
		return at-s.policy.Updated >= uint32(keepAlive.Seconds())
	}
	return true
}
