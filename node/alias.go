package node

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// firstAlias is the height from which on we take aliases, as lnd does: no block will
// have it for three centuries, so that no alias is the real id of a channel.
const firstAlias = 16_000_000

// newAlias gives a channel an alias that no other channel of the node has (B2.alias.1).
// It says nothing of the channel, nor of how many there are.
func (cs *channels) newAlias(e *entry) lnwire.ShortChannelID {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for {
		var b [8]byte
		rand.Read(b[:])
		n := binary.BigEndian.Uint64(b[:])
		height := firstAlias + lnwire.Height(n>>40)%(1<<24-firstAlias)
		id := lnwire.NewShortChannelID(height, uint32(n>>16)&0xffffff, uint16(n))
		if !cs.aliased(id) {
			e.alias = id
			return id
		}
	}
}

func (cs *channels) aliased(id lnwire.ShortChannelID) bool {
	for _, e := range cs.byNum {
		if e.alias == id {
			return true
		}
	}
	return false
}

// aliasFor is the alias of a new channel, where the peer knows what that is.
func (n *Node) aliasFor(e *entry, features lnwire.Features) lnwire.ShortChannelID {
	if !features.HasEither(lnwire.ScidAliasOptional) {
		return 0
	}
	return n.channels.newAlias(e)
}

// aliasUpdate is our channel_update as payers may see it who know the channel by our
// alias only: for failures of a channel that is not announced.
type aliasUpdate struct{ of, signed *lnwire.ChannelUpdate }

// updateFor is the channel_update that goes with failures of a channel; nil when there is
// none that may be told.
func (n *Node) updateFor(e *entry, l *channel.LinkState) *lnwire.ChannelUpdate {
	u := n.gossip.ourUpdate(l.ChanNum)
	if u == nil || !l.Private || l.Alias == 0 {
		return u
	}
	if last := e.update.Load(); last != nil && last.of == u {
		return last.signed
	}
	signed := *u
	signed.SCID = l.Alias
	signed.Sig = n.key.Sign(signed.SignedDigest())
	e.update.Store(&aliasUpdate{u, &signed})
	return &signed
}
