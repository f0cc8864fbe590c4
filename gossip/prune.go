package gossip

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// pruneEvery is how often stale channels are looked for.
const pruneEvery = time.Hour

// block takes a new block.
func (m *Machine) block(ev Block) {
	was := m.tip.Height
	m.tip = ev.Block
	m.put(Key{Kind: KindTip}, tipValue(m.tip))
	m.refund(ev)
	for _, op := range ev.Spent {
		if id, ok := m.outpoints[op]; ok {
			m.spend(m.channels[id])
		}
	}
	m.bury()
	// B7.chan.11: an announcement that came some blocks early is judged when it is deep.
	from := max(was, m.tip.Height-min(m.tip.Height, 2*soonBlocks))
	for h := from; h <= m.tip.Height; h++ {
		m.again(m.room.take(waitKey{height: h}))
	}
}

// awaken begins with what needs to know where the chain ends.
func (m *Machine) awaken() {
	if m.awake {
		return
	}
	m.awake = true
	m.nextSync = m.now.Add(syncEvery)
	m.nextPrune, m.nextFlush = m.now.Add(pruneEvery), m.now.Add(m.cfg.Trickle)
	m.prune()
	for _, p := range m.line {
		m.welcome(p)
	}
}

// spend marks a channel whose funding was spent.
//
// B7.prune.1: it is kept for a while, since it may have been spliced, but not told to
// others any more.
func (m *Machine) spend(c *channel) {
	if c.spentAt != 0 {
		return
	}
	c.spentAt = m.tip.Height
	m.spent = append(m.spent, c.id)
	m.log.forget(c.id)
	m.log.unkeep(c)
	m.put(spentKey(c.id), spentValue(c.spentAt))
	m.changed(ChannelSpent{m.view(c)})
}

// bury forgets channels that were spent long enough ago.
//
// B7.prune.2: 72 blocks after its funding was spent a channel is forgotten, and not
// asked for again.
func (m *Machine) bury() {
	for _, id := range slices.Clone(m.spent) {
		if c := m.channels[id]; c.spentAt+spentGrace <= m.tip.Height {
			m.gone.add(id)
			m.removeChannel(c)
		}
	}
}

// refund: B7.prune.6: a channel that is older than the block at its height, which came in
// the place of another, is forgotten if its funding does not stand there any more.
func (m *Machine) refund(ev Block) {
	at, _ := slices.BinarySearch(m.order, lnwire.NewShortChannelID(ev.Block.Height, 0, 0))
	var lost []*channel
	for ; at < len(m.order) && m.order[at].Block() == ev.Block.Height; at++ {
		c := m.channels[m.order[at]]
		if i := int(c.id.TxIndex()); c.proved() && (i >= len(ev.Txids) || ev.Txids[i] != c.op.Hash) {
			lost = append(lost, c)
		}
	}
	for _, c := range lost {
		m.removeChannel(c)
	}
}

// unblock takes blocks back: B7.prune.6: what they spent is unspent. What they funded is in
// the map until another block stands there: a backend that was set back and reads its chain
// again must not cost us the map, which nobody would tell us anew.
func (m *Machine) unblock(tip lnwire.BlockRef) {
	m.tip = tip
	m.put(Key{Kind: KindTip}, tipValue(tip))
	for _, id := range slices.Clone(m.spent) {
		if c := m.channels[id]; c.spentAt > tip.Height {
			c.spentAt = 0
			m.spent = slices.DeleteFunc(m.spent, func(s lnwire.ShortChannelID) bool { return s == id })
			m.erase(spentKey(id))
			m.changed(ChannelRevived{m.view(c)})
		}
	}
}

// prune forgets channels that nobody keeps alive.
//
// B7.prune.3: a channel is stale when the last word of either end is older than two
// weeks, or neither has said anything for a day. Ours stay.
func (m *Machine) prune() {
	var old []*channel
	for _, id := range m.order {
		c := m.channels[id]
		if !m.isOurs(c) && c.spentAt == 0 && m.isStale(c) {
			old = append(old, c)
		}
	}
	for _, c := range old {
		m.zombies.add(c.id)
		m.removeChannel(c)
	}
}

func (m *Machine) isStale(c *channel) bool {
	t := c.timestamps()
	if c.sides[0].policy == nil && c.sides[1].policy == nil {
		if c.seen == 0 {
			c.seen = m.unix() // restored
		}
		return c.seen < m.ago(silent)
	}
	return max(t.Node1, t.Node2) < m.ago(stale)
}
