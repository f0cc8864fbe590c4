package node

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/peer"
)

// shell is turn.Shell: what a channel's turns need of the node.
type shell struct {
	n *Node
	e *entry
}

// Commit is turn.Shell's.
func (s shell) Commit(d *channel.Delta, release func()) {
	s.n.keepResolutions(d)
	switch {
	case d.Terms != nil:
		s.n.purse.commitFirst(d, release)
	case d.Empty():
		s.n.writeWith(&s.e.pen, channeldb.Batch{}, release)
	default:
		s.n.writeWith(&s.e.pen, channeldb.Batch{Channels: []*channel.Delta{d}}, release)
	}
}

// Ended is turn.Shell's.
func (s shell) Ended() { s.n.lift(&s.e.pen) }

// Deliver is turn.Shell's. The order matters in one place: a link that went down
// is told before the HTLCs that it gave back, so that they are not given to it again.
func (s shell) Deliver(num uint64, fx *channel.Effects) {
	n, e := s.n, s.e
	if n.channels.num(num) == nil {
		return // it is forgotten
	}
	if t := fx.Delta.Terms; t != nil {
		e.format = t.Format
		n.rememberPeer(e.peer)
	}
	if c := fx.Delta.Core; c != nil {
		e.anchors.Store(mayNeedCoins(e.format, c))
		if c.Funding != (wire.OutPoint{}) {
			n.channels.name(e, c.ChannelID)
			n.channels.fund(e, c.Funding)
		}
	}
	if fx.Link != nil {
		n.linkChanged(e, fx.Link)
	} else if len(e.took) > 0 {
		n.payments.tell(e, nil)
	}
	n.signed(e, fx.Delta.HTLCs)
	for _, r := range fx.Refused {
		n.toSwitch(&e.pen, forward.Refused{Refusal: r})
	}
	for _, o := range fx.Outcomes {
		if n.cfg.Hodl.incoming(&o.Resolution) {
			continue
		}
		n.toSwitch(&e.pen, forward.Ended{Outcome: o})
	}
	for _, l := range fx.LockedIn {
		if n.cfg.Hodl.AddIncoming {
			break
		}
		n.lockedIn(&e.pen, l)
	}
	for _, ask := range fx.Ask {
		n.ask(e, ask)
	}
	s.follow(fx)
	n.claims(e, fx)
	for _, number := range fx.Load {
		n.load(e, number)
	}
	if fx.Wake != 0 {
		e.alarm.set(n.born.Add(fx.Wake))
	}
	if fx.Over {
		n.forget(e)
	}
}

// mayNeedCoins reports whether ending the channel may cost coins of the wallet: what
// its anchors are bumped with. After a closing transaction nothing is bumped (V-39).
func mayNeedCoins(f commitment.Format, c *channel.Core) bool {
	return f == commitment.Anchors && (c.Spend == nil || c.Spend.Kind != channel.SpentByMutual)
}

// follow passes on what the channel wants to be told of the chain.
func (s shell) follow(fx *channel.Effects) {
	e := s.e
	if len(fx.Watch) == 0 {
		return
	}
	watches := make([]chainntnfs.Watch, len(fx.Watch))
	for i, w := range fx.Watch {
		watches[i] = chainntnfs.Watch{PkScript: w.Script, From: w.From}
		if w.OutPoint != nil {
			watches[i].Outpoint = *w.OutPoint
		}
		if w.Txid != nil {
			watches[i].Txid = *w.Txid
		}
	}
	client := chainntnfs.Client(e.num)
	if !e.joined {
		e.joined = true
		s.n.chain.Join(client, e.cursor, watches...)
		return
	}
	s.n.chain.Watch(client, watches...)
}

// Release is turn.Shell's.
func (s shell) Release(num uint64, conn turn.Conn, fx *channel.Effects) {
	n := s.n
	c, _ := conn.(Conn)
	if c != nil && len(fx.Send) > 0 { // in one piece: what belongs together arrives together
		c.Send(peer.Channel, slices.Concat(fx.Send...)...)
	}
	for _, tx := range fx.Publish {
		n.purse.publish(tx)
	}
	n.purse.outdone(fx.Outdone)
	if fx.Unfund != nil {
		n.purse.unfund(fx.Unfund)
	}
	if fx.Announce != nil {
		n.gossip.ownChannel(fx.Announce)
	}
	for _, t := range fx.Tell {
		n.tell(t)
	}
	n.finished(fx.Delta.Finished)
	n.committed(s.e, fx.Delta.Core)
	if fx.Disconnect && c != nil {
		c.Close(errors.New("a channel asked for it"))
	}
}

// Broken is turn.Shell's: the machine is made again from what is durable.
func (s shell) Broken(num uint64, what string) (turn.Machine, error) {
	n := s.n
	n.logs.channels.Error("a channel broke an invariant and is loaded again", "channel", num, "what", what)
	n.db.Barrier()
	rows, err := n.db.Channel(num)
	if err != nil {
		return nil, fmt.Errorf("load channel %d: %w", num, err)
	}
	m := channel.Load(&n.chanConfig, n.newCrypto(), rows)
	if m == nil { // it was being opened, and nothing binds anybody yet
		n.openNotice(channel.Notice{ChanNum: num, Kind: channel.NoticeOpenFailed, Text: "internal error"})
		n.forget(s.e)
		return nil, fmt.Errorf("load channel %d: it has no rows", num)
	}
	return m, nil
}

// lockedIn hands an incoming HTLC to the switch. One that comes from the store has
// its onion peeled first.
func (n *Node) lockedIn(p *pen, l htlc.Locked) {
	again := l.Opened.Payload == nil && l.Opened.Bad == nil && l.Opened.Invalid == nil
	if again {
		if l.Onion != nil {
			l.Opened = htlc.Open(n.key, n.id, l.Onion, l.HTLC.Hash, l.HTLC.PathKey)
		} else {
			n.logs.channels.Error("an HTLC has lost its onion", "htlc", l.HTLC.Ref)
			l.Opened.Invalid = &onion.Failure{Code: onion.TemporaryNodeFailure}
		}
	}
	n.toSwitch(p, forward.LockedIn{HTLC: l, Again: again})
}

// put puts an event into a channel's inbox; false when there is no such channel.
func (n *Node) put(num uint64, ev channel.Event) bool {
	e := n.channels.num(num)
	if e == nil {
		return false
	}
	e.runner.Inbox.Put(turn.Item{Event: ev})
	return true
}

// load fetches a revoked state for its channel. Its row may be one of those that wait
// for company on their way to the disk: it is read when all that was queued is there.
func (n *Node) load(e *entry, number uint64) {
	n.writeWith(&e.pen, channeldb.Batch{}, func() { n.spawn(func() { n.loaded(e, number) }) })
}

func (n *Node) loaded(e *entry, number uint64) {
	rev, ok, err := n.db.Revoked(e.num, number)
	switch {
	case err != nil:
		n.logs.channels.Error("cannot read a revoked state", "channel", e.num, "number", number, "err", err)
	case !ok:
		n.logs.channels.Error("a revoked state is missing", "channel", e.num, "number", number)
	default:
		n.put(e.num, channel.Loaded{Revoked: rev})
	}
}

// forget drops a channel of which no row is left.
func (n *Node) forget(e *entry) {
	n.chain.Leave(chainntnfs.Client(e.num))
	n.channels.drop(e)
	e.alarm.stop()
	n.gossip.forget(e.num)
	n.toSwitch(&e.pen, forward.LinkGone{ChanNum: e.num, OnChain: true})
	if len(n.channels.of(e.peer)) == 0 {
		n.storage.parted(e.peer)
	}
	n.backups.changed()
}

// linkChanged tells the switch, the graph and the subscribers of a channel's state.
func (n *Node) linkChanged(e *entry, l *channel.LinkState) {
	was := n.payments.tell(e, l)
	if was == nil || was.SCID != l.SCID {
		n.backups.changed()
	}
	n.channels.name(e, l.ChannelID)
	if was != nil && was.Policy != l.Policy {
		e.former.Store(&former{switchPolicy(was), n.now().Add(formerPolicyGrace)})
	}
	if l.Ended {
		n.toSwitch(&e.pen, forward.LinkGone{ChanNum: e.num, OnChain: l.OnChain})
	} else {
		n.toSwitch(&e.pen, n.linkEvent(e, l))
	}
	n.gossip.ownLink(l)
}

// former is what we asked for until a while ago.
type former struct {
	policy forward.Policy
	until  time.Time
}

// linkEvent is a channel as the switch sees it.
func (n *Node) linkEvent(e *entry, l *channel.LinkState) forward.LinkChanged {
	link := forward.Link{
		ChanNum: l.ChanNum, Peer: l.Peer, Up: l.Up, Sendable: l.Spendable,
		Policy: switchPolicy(l), Update: n.updateFor(e, l), SCIDs: l.Names(), Name: l.Name(),
	}
	if f := e.former.Load(); f != nil {
		link.Former, link.FormerUntil = f.policy, f.until
	}
	return forward.LinkChanged{Link: link}
}

func switchPolicy(l *channel.LinkState) forward.Policy {
	p := l.Policy
	return forward.Policy{
		Base: lnwire.MilliSat(p.FeeBase), PPM: p.FeePPM, Delta: p.CLTVDelta,
		Min: max(p.HTLCMinimum, l.Minimum), Max: maximum(l), Disabled: p.Disabled,
		Inbound: lnwire.InboundFee{Base: p.InboundBase, PPM: p.InboundPPM},
	}
}
