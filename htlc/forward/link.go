package forward

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Policy is what we ask for carrying an HTLC out over a channel: the content of
// our channel_update for it (BOLT 7).
type Policy struct {
	Base     lnwire.MilliSat // fee_base_msat
	PPM      uint32          // fee_proportional_millionths
	Delta    uint16          // cltv_expiry_delta
	Min, Max lnwire.MilliSat // htlc_minimum_msat, htlc_maximum_msat; the amount that goes out
	Disabled bool
	// Inbound is asked for what comes in over the channel and goes out over another.
	Inbound lnwire.InboundFee
}

// Fee is what carrying amount out costs (BOLT 7): base + amount * ppm / 1,000,000,
// rounded down. It saturates instead of overflowing.
func (p Policy) Fee(amount lnwire.MilliSat) lnwire.MilliSat {
	hi, lo := bits.Mul64(uint64(amount), uint64(p.PPM))
	if hi >= 1_000_000 {
		return ^lnwire.MilliSat(0)
	}
	part, _ := bits.Div64(hi, lo, 1_000_000)
	sum, carry := bits.Add64(part, uint64(p.Base), 0)
	if carry != 0 {
		return ^lnwire.MilliSat(0)
	}
	return lnwire.MilliSat(sum)
}

// Link is a channel as the switch sees it.
type Link struct {
	ChanNum uint64
	Peer    lnwire.PubKey
	// SCIDs are the ids by which an onion may name the channel: the real one unless it
	// is a secret, those of before a splice, aliases.
	SCIDs []lnwire.ShortChannelID
	// Name is the id by which the operator knows the channel, in records and as the
	// first hop of our own payments; 0: the first of SCIDs.
	Name lnwire.ShortChannelID
	// Up: connected, reestablished, not closing.
	Up bool
	// Sendable is about the largest HTLC that the channel would take now.
	Sendable lnwire.MilliSat
	Policy   Policy
	// Former is accepted too until FormerUntil: payers learn a change late.
	Former      Policy
	FormerUntil time.Time
	// Update is our newest channel_update for the channel, to be sent back to payers
	// who did not know it. Nil when there is none.
	Update *lnwire.ChannelUpdate
}

// policies are those that the payer may have known at now.
func (l *Link) policies(now time.Time) []Policy {
	if now.Before(l.FormerUntil) {
		return []Policy{l.Policy, l.Former}
	}
	return []Policy{l.Policy}
}

// inbound are the inbound fees of a channel that the payer may have known; none of a
// channel that is gone.
func (ls *links) inbound(num uint64, now time.Time) []lnwire.InboundFee {
	l := ls.byNum[num]
	switch {
	case l == nil:
		return []lnwire.InboundFee{{}}
	case now.Before(l.FormerUntil) && l.Former.Inbound != l.Policy.Inbound:
		return []lnwire.InboundFee{l.Policy.Inbound, l.Former.Inbound}
	}
	return []lnwire.InboundFee{l.Policy.Inbound}
}

// links finds channels by number, by short channel id and by peer.
type links struct {
	byNum  map[uint64]*Link
	bySCID map[lnwire.ShortChannelID]uint64
	byName map[lnwire.ShortChannelID]uint64
	byPeer map[lnwire.PubKey][]uint64       // ascending
	more   map[lnwire.ShortChannelID]uint64 // aliases that the channels themselves do not know of
}

func newLinks() links {
	return links{
		byNum: map[uint64]*Link{}, bySCID: map[lnwire.ShortChannelID]uint64{}, byName: map[lnwire.ShortChannelID]uint64{},
		byPeer: map[lnwire.PubKey][]uint64{}, more: map[lnwire.ShortChannelID]uint64{},
	}
}

func (ls *links) set(l Link) {
	ls.drop(l.ChanNum)
	ls.byNum[l.ChanNum] = &l
	for _, id := range l.SCIDs {
		ls.bySCID[id] = l.ChanNum
	}
	if l.Name != 0 {
		ls.byName[l.Name] = l.ChanNum
	}
	nums := ls.byPeer[l.Peer]
	at := 0
	for at < len(nums) && nums[at] < l.ChanNum {
		at++
	}
	nums = append(nums, 0)
	copy(nums[at+1:], nums[at:])
	nums[at] = l.ChanNum
	ls.byPeer[l.Peer] = nums
}

func (ls *links) drop(num uint64) {
	old, ok := ls.byNum[num]
	if !ok {
		return
	}
	delete(ls.byNum, num)
	for _, id := range old.SCIDs {
		if ls.bySCID[id] == num {
			delete(ls.bySCID, id)
		}
	}
	if ls.byName[old.Name] == num {
		delete(ls.byName, old.Name)
	}
	kept := ls.byPeer[old.Peer][:0]
	for _, n := range ls.byPeer[old.Peer] {
		if n != num {
			kept = append(kept, n)
		}
	}
	if len(kept) == 0 {
		delete(ls.byPeer, old.Peer)
	} else {
		ls.byPeer[old.Peer] = kept
	}
}

// alias gives a channel another id, or takes it away with number 0.
func (ls *links) alias(id lnwire.ShortChannelID, num uint64) {
	if num == 0 {
		delete(ls.more, id)
		return
	}
	ls.more[id] = num
}

// named is the channel that a short channel id names, or nil.
func (ls *links) named(id lnwire.ShortChannelID) *Link {
	num, ok := ls.bySCID[id]
	if !ok {
		num = ls.more[id]
	}
	return ls.byNum[num]
}

// next is the channel that a payload names, or one to the node that it names: one that
// can carry the amount if there is such a one, the emptiest of those. Nil: none.
func (ls *links) next(p onion.Forward) *Link {
	if p.Node.IsZero() {
		return ls.named(p.SCID)
	}
	if fit := ls.candidates(p.Node, 0, p.Amount); len(fit) > 0 {
		return ls.byNum[fit[0]]
	}
	if all := ls.byPeer[p.Node]; len(all) > 0 {
		return ls.byNum[all[0]]
	}
	return nil
}

func unknownNext(p onion.Forward) string {
	if p.SCID == 0 && !p.Node.IsZero() {
		return "no channel to the next node"
	}
	return fmt.Sprintf("no channel %s", p.SCID)
}

// own is the channel that the operator calls so, or nil.
func (ls *links) own(id lnwire.ShortChannelID) *Link {
	if num, ok := ls.byName[id]; ok {
		return ls.byNum[num]
	}
	return ls.named(id)
}

// scid is the operator's id of a channel; 0 when there is none.
func (ls *links) scid(num uint64) lnwire.ShortChannelID {
	l := ls.byNum[num]
	switch {
	case l == nil:
		return 0
	case l.Name == 0 && len(l.SCIDs) > 0:
		return l.SCIDs[0]
	}
	return l.Name
}

// update is our newest channel_update for a channel; nil when there is none.
func (ls *links) update(num uint64) *lnwire.ChannelUpdate {
	if l := ls.byNum[num]; l != nil {
		return l.Update
	}
	return nil
}

// candidates are the channels to peer that might take amount, the wanted one
// first, then the emptiest that fit, so that large ones are kept for large
// payments (non-strict forwarding, BOLT 4).
func (ls *links) candidates(peer lnwire.PubKey, wanted uint64, amount lnwire.MilliSat) []uint64 {
	var out []uint64
	for _, num := range ls.byPeer[peer] {
		l := ls.byNum[num]
		if !l.Up || l.Sendable < amount {
			continue
		}
		at := len(out)
		for at > 0 && ls.before(l, ls.byNum[out[at-1]], wanted) {
			at--
		}
		out = append(out, 0)
		copy(out[at+1:], out[at:])
		out[at] = num
	}
	return out
}

func (ls *links) before(a, b *Link, wanted uint64) bool {
	switch {
	case a.ChanNum == wanted:
		return true
	case b.ChanNum == wanted:
		return false
	}
	return a.Sendable < b.Sendable
}
