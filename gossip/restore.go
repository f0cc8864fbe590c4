package gossip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Restore takes a row of the store, before the first Step: all of a kind, in the
// order of Kinds. A row that cannot be used (damaged, or left without its channel)
// is in the effects' Rows, to be deleted: it will be learned again.
func (m *Machine) Restore(row Row) Effects {
	m.restoring = true
	if err := m.restore(row); err != nil {
		m.fx = Effects{}
		m.erase(row.Key)
	}
	fx := m.fx
	m.fx = Effects{}
	return fx
}

// restored puts the nodes in order: while rows are restored, that waits.
func (m *Machine) restored() {
	if m.restoring {
		m.restoring = false
		slices.SortFunc(m.nodeOrder, func(a, b *node) int { return bytes.Compare(a.id[:], b.id[:]) })
	}
}

func (m *Machine) restore(row Row) error {
	if row.Kind == KindTip {
		t, err := readTipValue(row.Value)
		m.tip = t
		return err
	}
	if row.Kind == KindSpent {
		return m.restoreSpent(row)
	}
	raw, err := rawOf(row.Kind, row.Value)
	if err != nil {
		return err
	}
	msg, err := lnwire.Unmarshal(raw)
	if err != nil {
		return err
	}
	switch msg := msg.(type) {
	case *lnwire.ChannelAnnouncement:
		if row.Key == channelKey(msg.SCID) && m.channels[msg.SCID] == nil {
			return m.restoreChannel(row.Value, msg)
		}
	case *lnwire.ChannelUpdate:
		if row.Kind == KindOwn {
			return m.restoreOwn(row.Key, msg)
		}
		c := m.channels[msg.SCID]
		if c != nil && row.Key == updateKey(msg.SCID, sideOf(msg)) {
			m.setPolicy(c, msg)
			return nil
		}
	case *lnwire.NodeAnnouncement:
		if n := m.nodes[msg.NodeID]; n != nil && row.Key == nodeKey(msg.NodeID) {
			m.setNode(n, msg)
			return nil
		}
	}
	return fmt.Errorf("row of kind %d: %w", row.Kind, errRow)
}

func (m *Machine) restoreChannel(value []byte, a *lnwire.ChannelAnnouncement) error {
	op, capacity, _, err := readChannelValue(value)
	if err != nil {
		return err
	}
	c := &channel{id: a.SCID, op: op, capacity: capacity, unusable: unusable(a), custom: len(lnwire.CustomTLVs(a.Extra)) > 0}
	if !c.proved() && !m.cfg.AssumeValid {
		return errRow // it was taken without the chain's word
	}
	m.addChannel(c, [2]lnwire.PubKey{a.NodeID1, a.NodeID2})
	m.changed(ChannelAdded{m.view(c)})
	return nil
}

func (m *Machine) restoreSpent(row Row) error {
	id, h, err := readSpent(row)
	if err != nil {
		return err
	}
	c := m.channels[id]
	if c == nil || c.spentAt != 0 || h == 0 {
		return errRow
	}
	c.spentAt = h
	m.spent = append(m.spent, id)
	m.changed(ChannelSpent{m.view(c)})
	return nil
}

func (m *Machine) restoreOwn(k Key, u *lnwire.ChannelUpdate) error {
	if len(k.Key) != 8 {
		return errRow
	}
	num := binary.BigEndian.Uint64([]byte(k.Key))
	o := m.ownOf(num)
	o.last, o.lastTime, o.ready = u, u.Timestamp, true
	o.disabled = u.ChannelFlags&lnwire.UpdateDisabled != 0
	m.fx.Own = append(m.fx.Own, OwnUpdate{num, u})
	return nil
}
