package node

import (
	"encoding/binary"
	"fmt"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/gossip"
)

// The rows of the map are not synced, and all of them can be learned again but one thing:
// which timestamps our own updates had. A peer does not take one that is not newer, and
// of a private channel nobody would tell us. So a time above all that were used is noted
// beside the money, durable before the update leaves (B7.own.6).
const (
	announcedNote = "announced until"
	// stampStep is how far ahead of an update the note is, in seconds: updates in a row
	// need one write. After a loss ours are at most that far ahead of the clock.
	stampStep = 60
)

// announcedUntil is the noted time; 0 when there is none.
func (n *Node) announcedUntil() (uint32, error) {
	b, err := n.db.Note(announcedNote)
	if err != nil || len(b) != 4 {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// reserve notes a time above those of the updates, when they have come to the last one.
func (g *gossiper) reserve(list []gossip.OwnUpdate) {
	newest := uint32(0)
	for _, o := range list {
		if o.Update != nil {
			newest = max(newest, o.Update.Timestamp)
		}
	}
	if newest <= g.reserved {
		return
	}
	g.reserved = newest + stampStep
	note := channeldb.Note{Name: announcedNote, Value: binary.BigEndian.AppendUint32(nil, g.reserved)}
	if _, err := g.n.db.Write(channeldb.Batch{Notes: []channeldb.Note{note}}); err != nil {
		g.n.logs.gossip.Error("cannot note the time of an announcement", "err", fmt.Errorf("write: %w", err))
	}
}
