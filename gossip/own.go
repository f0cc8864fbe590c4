package gossip

import (
	"bytes"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// own is a channel of ours.
type own struct {
	link     OwnLink
	linked   bool // link was told
	ready    bool // it was up once: channel_ready came
	last     *lnwire.ChannelUpdate
	lastTime uint32                // no timestamp up to this one is used again
	asked    *lnwire.ChannelUpdate // being signed
	again    bool                  // a newer update of ours is about than the last we know
	disabled bool                  // as it is told
	timed    bool                  // disabled because it was down, not by the operator
	since    time.Time             // when it last went up or down
	theirs   *Policy
	// early is the peer's public update that came before the channel was public here:
	// its announcement is being proved, or the peer was quicker with its own.
	early *early
	// shown is how often the peer has told something public of the channel, so that it
	// may be in its map.
	shown int
}

// early is an update that waits for its channel to be public.
type early struct {
	update *lnwire.ChannelUpdate
	raw    []byte
}

// signature is what a Sign asks for.
type signature struct {
	own  *own
	node *lnwire.NodeAnnouncement
}

func (m *Machine) ownOf(num uint64) *own {
	o := m.own[num]
	if o == nil {
		o = &own{link: OwnLink{ChanNum: num}}
		m.own[num] = o
		at, _ := slices.BinarySearch(m.ownOrder, num)
		m.ownOrder = slices.Insert(m.ownOrder, at, num)
	}
	return o
}

// ownBy is our channel of that id or alias; nil: none.
func (m *Machine) ownBy(id lnwire.ShortChannelID) *own {
	if num, ok := m.ownNames[id]; ok {
		return m.own[num]
	}
	return nil
}

func (m *Machine) isOurs(c *channel) bool {
	return c.nodes[0].id == m.cfg.Self || c.nodes[1].id == m.cfg.Self
}

// side is ours in a channel of ours.
//
// B7.own.3: the direction is 0 for the node with the lesser id.
func (m *Machine) side(o *own) int {
	if bytes.Compare(m.cfg.Self[:], o.link.Peer[:]) < 0 {
		return 0
	}
	return 1
}

// names of a channel, with which the peer or we may call it.
func (o *own) names() (list []lnwire.ShortChannelID) {
	for _, id := range []lnwire.ShortChannelID{o.link.SCID, o.link.Alias, o.link.PeerAlias} {
		if id != 0 {
			list = append(list, id)
		}
	}
	return list
}

func (m *Machine) ownLink(l OwnLink) {
	o := m.ownOf(l.ChanNum)
	for _, id := range o.names() {
		if m.ownNames[id] == l.ChanNum {
			delete(m.ownNames, id)
		}
	}
	if !o.linked || o.link.Up != l.Up {
		o.since = m.now
	}
	first := !o.linked
	o.link, o.linked, o.ready = l, true, o.ready || l.Up
	if l.Ended && m.channels[l.SCID] == nil {
		m.forgetOwn(o)
		return
	}
	for _, id := range o.names() {
		m.ownNames[id] = l.ChanNum
	}
	if p := m.PeerPolicy(l.ChanNum); first && p != nil { // stored: the peer will not say it again
		m.fx.Theirs = append(m.fx.Theirs, PeerUpdate{l.ChanNum, *p})
	}
	if a := m.ownLost[l.SCID]; a != nil {
		delete(m.ownLost, l.SCID)
		m.ownChannel(a)
	}
	m.refreshOwn(o)
}

func (m *Machine) forgetOwn(o *own) {
	num := o.link.ChanNum
	for _, id := range o.names() {
		if m.ownNames[id] == num {
			delete(m.ownNames, id)
		}
	}
	delete(m.own, num)
	if at, ok := slices.BinarySearch(m.ownOrder, num); ok {
		m.ownOrder = slices.Delete(m.ownOrder, at, at+1)
	}
	m.erase(ownKey(num))
}

// ownLostMax announcements wait for their links at most.
const ownLostMax = 10_000

// ownChannel announces a channel of ours. Its signatures were checked where they
// were made, and its funding is ours.
//
// B7.own.1: it is told to everybody, with our update right behind it.
func (m *Machine) ownChannel(a *lnwire.ChannelAnnouncement) {
	o := m.ownBy(a.SCID)
	if o == nil {
		if len(m.ownLost) < ownLostMax {
			m.ownLost[a.SCID] = a
		}
		return
	}
	if m.channels[a.SCID] == nil && !o.link.Ended {
		raw, err := lnwire.Marshal(a)
		if err != nil {
			return
		}
		// As if it came from the peer, who makes it itself: lnd takes one from the other end
		// for an offence, and no update behind it.
		m.enter(a, raw, o.link.Peer, Found{OutPoint: o.link.Funding, Capacity: o.link.Capacity})
	}
	m.refreshOwn(o)
	m.refreshSelf()
}

// announced: the channel is in the public map.
func (m *Machine) announced(o *own) bool { return o.link.SCID != 0 && m.channels[o.link.SCID] != nil }

// refreshOwn makes a new channel_update when the last one no longer says what is so,
// or would soon be stale.
//
// B7.own.2: none is made before channel_ready came.
// B7.own.9: none is made that says what the last one said, before that is old.
func (m *Machine) refreshOwn(o *own) {
	if !o.linked || !o.ready || o.asked != nil {
		return
	}
	public := m.announced(o)
	if o.link.Ended && !public {
		m.forgetOwn(o)
		return
	}
	m.settle(o, public)
	want := m.wanted(o, public)
	if want == nil || o.last != nil && !o.again && sameUpdate(want, o.last) && !m.ages(o, public) {
		return
	}
	used := o.lastTime
	if o.last == nil {
		used = max(used, m.cfg.Floor)
	}
	want.Timestamp = m.later(used)
	o.lastTime, o.again, o.asked = want.Timestamp, false, want
	m.sign(want.SignedDigest(), signature{own: o})
}

// later is a timestamp of now, but above any that was used.
//
// B7.own.6: timestamps of ours rise, also when the clock does not, and after a
// restart, and are never 0.
func (m *Machine) later(last uint32) uint32 { return max(m.unix(), last+1, 1) }

// ages: a public update is made again before it would be pruned.
func (m *Machine) ages(o *own, public bool) bool {
	return public && o.last.Timestamp < m.ago(refresh)
}

// settle decides whether the channel is told as disabled: at once when the operator
// or its end wants that, after a while when the peer is away. Who shares a private
// channel sees that himself.
//
// B7.own.8: a channel that is down for long is disabled, and enabled when it is back.
func (m *Machine) settle(o *own, public bool) {
	l := &o.link
	long := m.now.Sub(o.since)
	switch {
	case l.Policy.Disabled || l.Ended:
		o.disabled, o.timed = true, false
	case !public:
		o.disabled, o.timed = false, false
	case !l.Up && long >= m.cfg.DisableAfter && !o.disabled:
		o.disabled, o.timed = true, true
	case l.Up && o.disabled && (!o.timed || long >= m.cfg.EnableAfter):
		o.disabled, o.timed = false, false
	}
}

// wanted is the update as it should be, without timestamp and signature; nil while
// the channel has no name that the peer knows.
//
// B7.own.4: a channel that is not announced is told to the peer alone, by the peer's
// alias or the real id, and is marked not to be forwarded.
// B7.own.5: the largest HTLC is within the capacity and no less than the smallest;
// flags without a meaning are 0 and must_be_one is 1.
func (m *Machine) wanted(o *own, public bool) *lnwire.ChannelUpdate {
	l, p := &o.link, &o.link.Policy
	u := &lnwire.ChannelUpdate{
		ChainHash: m.cfg.Chain, SCID: l.SCID, MessageFlags: lnwire.UpdateMustBeOne, ChannelFlags: uint8(m.side(o)),
		CLTVExpiryDelta: p.CLTVDelta, HTLCMinimum: p.Minimum, FeeBase: p.FeeBase, FeePPM: p.FeePPM,
		HTLCMaximum: l.Capacity.MilliSat(),
	}
	if !public {
		u.MessageFlags |= lnwire.UpdateDontForward
		if l.PeerAlias != 0 {
			u.SCID = l.PeerAlias
		}
	}
	if u.SCID == 0 {
		return nil
	}
	u.SetInboundFee(p.Inbound)
	if p.Maximum != 0 {
		u.HTLCMaximum = min(u.HTLCMaximum, p.Maximum)
	}
	u.HTLCMinimum = min(u.HTLCMinimum, u.HTLCMaximum)
	if !public && !l.Private && u.HTLCMaximum > u.HTLCMinimum {
		// lnd takes an update that differs in timestamp and dont_forward alone for a
		// repetition: it would not take, nor pass on, the one that the announcement
		// brings, and go on telling this one to others, who may not pass it on.
		u.HTLCMaximum--
	}
	if o.disabled {
		u.ChannelFlags |= lnwire.UpdateDisabled
	}
	return u
}

// sameUpdate compares all but signature and timestamp.
func sameUpdate(a, b *lnwire.ChannelUpdate) bool { return a.Checksum() == b.Checksum() }

func (m *Machine) sign(digest [32]byte, what signature) {
	id := m.id()
	m.signing[id] = what
	m.fx.Sign = append(m.fx.Sign, Sign{id, digest})
}

func (m *Machine) signed(ev Signed) {
	s, ok := m.signing[ev.ID]
	if !ok {
		return
	}
	delete(m.signing, ev.ID)
	if s.node != nil {
		m.signedSelf(s.node, ev)
		return
	}
	o := s.own
	u := o.asked
	o.asked = nil
	if m.own[o.link.ChanNum] != o {
		return
	}
	if !ev.OK {
		o.again = true // at the next Tick
		return
	}
	u.Sig = ev.Sig
	m.publish(o, u)
	m.refreshOwn(o)
}

// publish tells an update of ours to whom it is for.
func (m *Machine) publish(o *own, u *lnwire.ChannelUpdate) {
	raw, err := lnwire.Marshal(u)
	if err != nil {
		return
	}
	o.last = u
	m.put(ownKey(o.link.ChanNum), rawValue(raw))
	m.fx.Own = append(m.fx.Own, OwnUpdate{o.link.ChanNum, u})
	if c := m.channels[u.SCID]; c != nil && u.MessageFlags&lnwire.UpdateDontForward == 0 {
		m.takeUpdate(c, u, raw, m.cfg.Self, true)
		m.refreshSelf()
		return
	}
	if p := m.peers[o.link.Peer]; p != nil && !p.dropped {
		m.send(p, u)
	}
}

// tellOwn tells a peer that connects our updates for the channels with it, and what
// we announced last: it may have missed it.
func (m *Machine) tellOwn(p *peer) {
	for _, num := range m.ownOrder {
		if o := m.own[num]; o.linked && o.link.Peer == p.id && o.last != nil && !o.link.Ended {
			m.send(p, o.last)
		}
	}
}

// shownBy looks whether something that we know already shows that a peer knows a channel
// with us, too.
func (m *Machine) shownBy(p *peer, msg lnwire.Message) {
	var id lnwire.ShortChannelID
	switch msg := msg.(type) {
	case *lnwire.ChannelAnnouncement:
		id = msg.SCID
	case *lnwire.ChannelUpdate:
		id = msg.SCID
	}
	if o := m.ownBy(id); o != nil && m.channels[id] != nil {
		m.shows(p.id, o)
	}
}

// shownMax is how often a peer that shows that it knows a channel is told our side of it:
// the first time may have been too early.
const shownMax = 3

// shows takes note that a peer told something public of a channel with us: the channel may
// be in its map now. What LDK heard of our side and of us before that it has thrown away, so
// both are told once more. LDK's update for us alone looks as the one for everybody, and
// under way it may meet our announcement: only the second of them shows what is so.
func (m *Machine) shows(from lnwire.PubKey, o *own) {
	p := m.peers[from]
	if p == nil || p.dropped || o.shown == shownMax || o.link.Peer != from {
		return
	}
	o.shown++
	if o.last != nil {
		m.send(p, o.last)
	}
	if m.self.last != nil {
		m.send(p, m.self.last)
	}
}

// OwnUpdate is our newest channel_update for a channel: the announced one, or that
// for the peer alone; nil while there is none. It is never changed.
func (m *Machine) OwnUpdate(num uint64) *lnwire.ChannelUpdate {
	if o := m.own[num]; o != nil {
		return o.last
	}
	return nil
}

// PeerPolicy is what the peer asks for forwarding to us over a channel with it; nil
// while it told nothing. It is never changed.
func (m *Machine) PeerPolicy(num uint64) *Policy {
	o := m.own[num]
	if o == nil {
		return nil
	}
	if o.theirs == nil {
		if c := m.channels[o.link.SCID]; c != nil && o.linked {
			return c.sides[1-m.side(o)].policy
		}
	}
	return o.theirs
}
