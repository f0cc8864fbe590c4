package node

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
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

func (cs *channels) aliased(id lnwire.ShortChannelID) bool { return cs.owner(id) != nil }

// owner is the channel that has an alias, or nil. The caller holds the lock.
func (cs *channels) owner(id lnwire.ShortChannelID) *entry {
	for _, e := range cs.byNum {
		if e.alias == id || slices.Contains(e.more, id) {
			return e
		}
	}
	return nil
}

// Aliases are the ids besides its own by which onions may name a channel.
type Aliases struct {
	Base    lnwire.ShortChannelID // by which the operator knows the channel
	Aliases []lnwire.ShortChannelID
}

// In lnd's words.
var (
	errNoBase      = errors.New("no base found")
	errAliasExists = errors.New("alias already exists")
	errNoAlias     = errors.New("not a valid alias")
	errAliasAway   = errors.New("alias not found")
)

// lastAlias is the end of the heights that lnd takes for aliases.
const lastAlias = 16_250_000

// ListAliases lists the channels that have aliases, by their own ids.
func (n *Node) ListAliases() []Aliases {
	cs := n.channels
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	var list []Aliases
	for _, e := range cs.byNum {
		if l := e.link.Load(); l == nil || l.Ended {
			continue
		}
		a := Aliases{Base: e.called(), Aliases: slices.Clone(e.more)}
		if e.alias != 0 {
			a.Aliases = slices.Insert(a.Aliases, 0, e.alias)
		}
		if len(a.Aliases) > 0 {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b Aliases) int { return cmp.Compare(a.Base, b.Base) })
	return list
}

// AddAliases gives channels more aliases until the node ends: all of them or none. The
// peers are not told; who routes by one has to know it.
func (n *Node) AddAliases(list []Aliases) error {
	given := map[lnwire.ShortChannelID]*entry{}
	err := n.channels.eachAlias(list, func(e *entry, id lnwire.ShortChannelID) error {
		switch {
		case id.Block() < firstAlias || id.Block() >= lastAlias:
			return mistake.Argument("%w: %v: its block must be from %d to %d", errNoAlias, id, firstAlias, lastAlias-1)
		case n.channels.aliased(id) || given[id] != nil:
			return mistake.Twice("%w: %v", errAliasExists, id)
		}
		given[id] = e
		return nil
	}, func(e *entry, id lnwire.ShortChannelID) { e.more = append(e.more, id) })
	if err != nil {
		return err
	}
	for id, e := range given {
		n.toSwitch(nil, forward.Aliased{SCID: id, ChanNum: e.num})
	}
	return nil
}

// DeleteAliases takes aliases away that AddAliases gave: all of them or none.
func (n *Node) DeleteAliases(list []Aliases) error {
	var gone []lnwire.ShortChannelID
	err := n.channels.eachAlias(list, func(e *entry, id lnwire.ShortChannelID) error {
		switch {
		case e.alias == id:
			return mistake.State("the peer was told the alias %v: it stays", id)
		case !slices.Contains(e.more, id):
			return mistake.Missing("%w: %v, of %v", errAliasAway, id, e.called())
		}
		gone = append(gone, id)
		return nil
	}, func(e *entry, id lnwire.ShortChannelID) {
		e.more = slices.DeleteFunc(e.more, func(o lnwire.ShortChannelID) bool { return o == id })
	})
	if err != nil {
		return err
	}
	for _, id := range gone {
		n.toSwitch(nil, forward.Aliased{SCID: id})
	}
	return nil
}

// AliasBase is the id of the channel that has an alias.
func (n *Node) AliasBase(id lnwire.ShortChannelID) (lnwire.ShortChannelID, error) {
	n.channels.mu.RLock()
	defer n.channels.mu.RUnlock()
	if e := n.channels.owner(id); e != nil {
		return e.called(), nil
	}
	return 0, mistake.Missing("%w: %v", errNoBase, id)
}

// aliasPeer is the peer of the channel that was given an alias; zero when there is none.
func (cs *channels) aliasPeer(id lnwire.ShortChannelID) (peer lnwire.PubKey) {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	for _, e := range cs.byNum {
		if slices.Contains(e.more, id) {
			return e.peer
		}
	}
	return peer
}

// eachAlias looks at all, and changes them only when none is refused.
func (cs *channels) eachAlias(list []Aliases, check func(*entry, lnwire.ShortChannelID) error, do func(*entry, lnwire.ShortChannelID)) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	bases := make([]*entry, len(list))
	for i, a := range list {
		if bases[i] = cs.base(a.Base); bases[i] == nil {
			return mistake.Missing("base scid %v not found", a.Base)
		}
		for _, id := range a.Aliases {
			if err := check(bases[i], id); err != nil {
				return err
			}
		}
	}
	for i, a := range list {
		for _, id := range a.Aliases {
			do(bases[i], id)
		}
	}
	return nil
}

// base is the channel that the operator knows by an id, or by its real one; nil: none.
func (cs *channels) base(id lnwire.ShortChannelID) *entry {
	for _, e := range cs.byNum {
		if l := e.link.Load(); id != 0 && l != nil && !l.Ended && (l.Name() == id || l.SCID == id) {
			return e
		}
	}
	return nil
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
