package node

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// entry is a channel as the node holds it: its runner, and what the last turn told.
type entry struct {
	num       uint64
	peer      lnwire.PubKey
	runner    *turn.Runner
	former    atomic.Pointer[former] // the forwarding policy before this one
	link      atomic.Pointer[channel.LinkState]
	format    commitment.Format // touched by its turns only
	anchors   atomic.Bool       // its close may need coins of the wallet
	alarm     *alarm            // for when its machine wants to be woken
	joined    bool              // the chain follower knows it; touched by its turns only
	took      []htlc.Origin     // HTLCs that this turn was asked for; touched by its turns only
	pen       pen               // of its turns; touched by them only
	cursor    lnwire.BlockRef
	committed uint64                // the number of our commitment, as last told; touched by Release only
	name      lnwire.ShortChannelID // by which the operator knew it when it was loaded
	alias     lnwire.ShortChannelID // that we give the peer; guarded by channels.mu
	canned    *Canned               // the funding that was agreed upon; touched by answers to its questions only
	cannedID  lnwire.ChannelID
	more      []lnwire.ShortChannelID // aliases that the peer was not told; guarded by channels.mu
	update    atomic.Pointer[aliasUpdate]
}

// called is the id by which the operator knows the channel; 0: none yet.
func (e *entry) called() lnwire.ShortChannelID {
	if l := e.link.Load(); l != nil {
		return l.Name()
	}
	return e.name
}

// chanKey is how a peer names a channel: by the temporary id, then by the final one.
type chanKey struct {
	peer lnwire.PubKey
	id   lnwire.ChannelID
}

// channels finds the channels that are not forgotten.
type channels struct {
	mu     sync.RWMutex
	byNum  map[uint64]*entry
	byKey  map[chanKey]*entry
	byPeer map[lnwire.PubKey][]*entry // ascending by number
	byFund map[wire.OutPoint]*entry
}

func newChannels() *channels {
	return &channels{
		byNum: map[uint64]*entry{}, byKey: map[chanKey]*entry{},
		byPeer: map[lnwire.PubKey][]*entry{}, byFund: map[wire.OutPoint]*entry{},
	}
}

func (cs *channels) add(e *entry) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.byNum[e.num] = e
	cs.byPeer[e.peer] = append(cs.byPeer[e.peer], e)
}

// name adds an id by which the peer may name the channel. It is false when another
// channel has it.
func (cs *channels) name(e *entry, id lnwire.ChannelID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	k := chanKey{e.peer, id}
	if old, ok := cs.byKey[k]; ok && old != e {
		return false
	}
	cs.byKey[k] = e
	return true
}

// fund notes the channel's funding output. It is false when another channel has it
// (V-31).
func (cs *channels) fund(e *entry, op wire.OutPoint) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if old, ok := cs.byFund[op]; ok && old != e {
		return false
	}
	cs.byFund[op] = e
	return true
}

func (cs *channels) drop(e *entry) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.byNum, e.num)
	for k, v := range cs.byKey {
		if v == e {
			delete(cs.byKey, k)
		}
	}
	for op, v := range cs.byFund {
		if v == e {
			delete(cs.byFund, op)
		}
	}
	cs.byPeer[e.peer] = slices.DeleteFunc(cs.byPeer[e.peer], func(o *entry) bool { return o == e })
	if len(cs.byPeer[e.peer]) == 0 {
		delete(cs.byPeer, e.peer)
	}
}

func (cs *channels) num(num uint64) *entry {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.byNum[num]
}

func (cs *channels) key(peer lnwire.PubKey, id lnwire.ChannelID) *entry {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.byKey[chanKey{peer, id}]
}

func (cs *channels) funding(op wire.OutPoint) *entry {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.byFund[op]
}

// of lists a peer's channels.
func (cs *channels) of(peer lnwire.PubKey) []*entry {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return slices.Clone(cs.byPeer[peer])
}

// all lists every channel, in the order of their numbers.
func (cs *channels) all() []*entry {
	cs.mu.RLock()
	list := make([]*entry, 0, len(cs.byNum))
	for _, e := range cs.byNum {
		list = append(list, e)
	}
	cs.mu.RUnlock()
	slices.SortFunc(list, func(a, b *entry) int {
		if a.num < b.num {
			return -1
		}
		return 1
	})
	return list
}
