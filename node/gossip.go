package node

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/chain"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/routing"
)

// lookUps bounds the questions to the chain that are under way.
const lookUps = 8

// gossiper drives gossip: one machine with an inbox, whose changes feed the graph
// that paths are found in.
type gossiper struct {
	n        *Node
	inbox    *turn.Inbox[gossip.Event]
	alarm    *alarm
	synced   atomic.Bool   // with a peer's map, since the start
	reserved uint32        // no update of ours has a later timestamp; for its turns
	asks     chan struct{} // holds a token for each question to the chain
	gate     gate          // of what peers say, in front of the inbox
	Feed     Feed[[]gossip.Change]

	machine *gossip.Machine        // its turns' own, but for views
	conns   map[lnwire.PubKey]Conn // that the machine has heard of; the turns', too
	news    int                    // changes since memory was given back; the turns', too

	mu     sync.RWMutex
	graph  *routing.Graph
	own    map[uint64]*lnwire.ChannelUpdate
	theirs map[uint64]gossip.Policy
	self   gossip.OwnNode // what is announced of us
	// changing is held by who changes what is announced of us: what is configured, and how
	// the operator wants it otherwise.
	changing   sync.Mutex
	configured gossip.OwnNode
	changes    selfChanges
}

// startGossip loads what is known of the network.
func (n *Node) startGossip() error {
	floor, err := n.announcedUntil()
	if err != nil {
		return err
	}
	m, err := gossip.New(gossip.Config{
		Floor: floor,
		Chain: *n.net.GenesisHash, Self: n.id, Trickle: n.cfg.TrickleDelay,
		DisableAfter: n.cfg.DisableAfter, EnableAfter: n.cfg.EnableAfter,
		Plain: n.cfg.PlainGossip, AssumeValid: n.cfg.AssumeValid,
	})
	if err != nil {
		return err
	}
	g := &gossiper{
		reserved: floor,
		n:        n, machine: m, graph: routing.NewGraph(), asks: make(chan struct{}, lookUps), gate: newGate(gateBytes),
		own: map[uint64]*lnwire.ChannelUpdate{}, theirs: map[uint64]gossip.Policy{}, conns: map[lnwire.PubKey]Conn{},
	}
	n.gossip = g
	g.inbox = turn.NewInbox(n.spawn, g.turn)
	g.alarm = n.newAlarm(func() { g.inbox.Put(gossip.Tick{}) })
	if err := g.load(); err != nil {
		return err
	}
	announced := n.features
	if n.cfg.AcceptKeysend {
		announced = announced.With(lnwire.KeysendOptional)
	}
	if !n.cfg.NoAccountable {
		announced = announced.With(lnwire.AccountableOptional)
	}
	g.configured = gossip.OwnNode{Alias: n.cfg.Alias, Color: n.cfg.Color, Features: announced, Addresses: n.cfg.Addresses}
	changes, err := n.db.SelfChanges()
	if err != nil {
		return err
	}
	g.changes = selfChanges(changes)
	g.announce()
	return nil
}

// load brings back what was stored. Nobody follows the map yet.
func (g *gossiper) load() error {
	start := time.Now()
	for _, kind := range gossip.Kinds {
		err := g.n.cfg.GraphDB.ForEach(kind, func(key, value []byte) error {
			fx := g.machine.Restore(gossip.Row{Key: gossip.Key{Kind: kind, Key: string(key)}, Value: value})
			g.take(&fx)
			return gossip.Apply(g.n.cfg.GraphDB, fx.Rows)
		})
		if err != nil {
			return err
		}
	}
	channels, nodes := g.machine.Size()
	g.n.logs.gossip.Info("the graph is loaded", "channels", channels, "nodes", nodes, "took", time.Since(start))
	g.rest(channels + nodes)
	return nil
}

// muchNews is how many changes of the map leave much behind in memory.
const muchNews = 20_000

// rest counts changes of the map. After many, what it took to learn them is given back:
// it will not be needed again.
func (g *gossiper) rest(news int) {
	if g.news += news; g.news < muchNews || g.machine.Syncing() {
		return
	}
	g.news = 0
	if err := g.n.cfg.GraphDB.Unmap(); err != nil {
		g.n.logs.gossip.Error("cannot open the graph again", "err", err)
	}
	g.n.spawn(debug.FreeOSMemory)
}

// stop ends the machine's turns.
func (g *gossiper) stop() {
	g.gate.close()
	g.alarm.stop()
	g.inbox.Close()
}

// walkChain hands every block to gossip, from the last one that it saw. An empty map
// begins at the tip: nothing in it can have been spent before.
func (g *gossiper) walkChain(ctx context.Context) {
	genesis := lnwire.BlockRef{Hash: *g.n.net.GenesisHash}
	at := g.machine.Tip()
	if at == (lnwire.BlockRef{}) {
		tip, ok := g.n.awaitTip(ctx)
		if !ok {
			return
		}
		at = tip
		g.inbox.Put(gossip.Block{Block: tip})
	}
	w := chainntnfs.NewWalker(g.n.backend, at, genesis)
	atTip := func(lnwire.BlockRef) { g.inbox.Put(gossip.AtTip{}) }
	chain.Walk(ctx, g.n.backend, w, g.n.logs.gossip, g.block, atTip, func() {})
}

// awaitTip waits for the backend to come into sight; false when ctx ends before.
func (n *Node) awaitTip(ctx context.Context) (tip lnwire.BlockRef, ok bool) {
	for {
		state, changed := n.backend.State()
		if state.Up {
			return state.Tip, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return tip, false
		}
	}
}

func (g *gossiper) block(s chainntnfs.Step) {
	if !s.Connect {
		g.inbox.Put(gossip.Unblock{Tip: s.Now})
		return
	}
	b := gossip.Block{Block: s.At, Txids: make([]chainhash.Hash, len(s.Block.Transactions))}
	for i, tx := range s.Block.Transactions {
		b.Txids[i] = tx.TxHash()
	}
	for _, tx := range s.Block.Transactions[1:] {
		for _, in := range tx.TxIn {
			b.Spent = append(b.Spent, in.PreviousOutPoint)
		}
	}
	g.inbox.PutSlow(b) // the walk may wait
}

// turn steps the machine over what has arrived, and then does what all these steps
// want together.
func (g *gossiper) turn(events []gossip.Event) {
	var all gossip.Effects
	for _, ev := range events {
		switch ev := ev.(type) {
		case graphLook:
			ev.read(g.machine)
			continue
		case gossip.Received:
			g.gate.leave(weight(ev.Msg))
		case met:
			g.conns[ev.Peer] = ev.conn
			all.Append(g.machine.Step(g.n.now(), ev.Opened))
			continue
		case gossip.Closed:
			delete(g.conns, ev.Peer)
			all.Send = slices.DeleteFunc(all.Send, func(s gossip.Send) bool { return s.Peer == ev.Peer })
			all.Disconnect = slices.DeleteFunc(all.Disconnect, func(d gossip.Disconnect) bool { return d.Peer == ev.Peer })
		}
		all.Append(g.machine.Step(g.n.now(), ev))
	}
	g.act(all)
	g.rest(len(all.Changes))
}

// act does what steps want. Rows of the graph can be learned again: nothing waits for
// them.
func (g *gossiper) act(fx gossip.Effects) {
	if err := gossip.Apply(g.n.cfg.GraphDB, fx.Rows); err != nil {
		g.n.logs.gossip.Error("cannot store gossip", "err", err)
	}
	g.reserve(fx.Own)
	g.learn(&fx)
	for _, v := range fx.Verify {
		g.n.pool.atLeisure(func() { g.inbox.Put(gossip.Verified{ID: v.ID, OK: v.OK()}) })
	}
	for _, l := range fx.LookUp {
		g.n.spawn(func() { g.lookUp(l) })
	}
	for _, r := range fx.Read {
		g.n.spawn(func() { g.inbox.Put(gossip.Values{ID: r.ID, Values: g.read(r.Keys)}) })
	}
	for _, s := range fx.Sign {
		g.inbox.Put(gossip.Signed{ID: s.ID, Sig: g.n.key.Sign(s.Digest), OK: true})
	}
	for _, s := range fx.Send {
		g.send(s)
	}
	for _, d := range fx.Disconnect {
		if c := g.conns[d.Peer]; c != nil {
			c.Close(errors.New(d.Why))
		}
	}
	if fx.Synced {
		g.synced.Store(true)
	}
	g.alarm.set(fx.Wake)
}

// SyncedToGraph: since the start at least one peer was asked for its whole map, and what
// of it we lacked is taken in.
func (n *Node) SyncedToGraph() bool { return n.gossip.synced.Load() }

// learn takes the changes into the graph of paths and tells the subscribers.
func (g *gossiper) learn(fx *gossip.Effects) {
	g.mu.Lock()
	g.take(fx)
	g.mu.Unlock()
	for _, o := range fx.Own {
		g.n.refreshLink(o.ChanNum)
	}
	if len(fx.Changes) > 0 {
		g.Feed.Publish(fx.Changes)
	}
}

// take is learn for who holds g.mu, or is alone.
func (g *gossiper) take(fx *gossip.Effects) {
	for _, c := range fx.Changes {
		if err := g.change(c); err != nil {
			g.n.logs.gossip.Debug("graph change", "err", err)
		}
	}
	for _, p := range fx.Theirs {
		g.theirs[p.ChanNum] = p.Policy
	}
	for _, o := range fx.Own {
		g.own[o.ChanNum] = o.Update
	}
}

func (g *gossiper) change(c gossip.Change) error {
	switch c := c.(type) {
	case gossip.ChannelAdded:
		return g.addChannel(c.Channel)
	case gossip.ChannelRevived:
		return g.addChannel(c.Channel)
	case gossip.PolicyChanged:
		p := graphPolicy(c.Policy)
		return g.graph.SetPolicy(c.SCID, c.Side, p)
	case gossip.ChannelSpent:
		return g.graph.RemoveChannel(c.Channel.SCID)
	case gossip.ChannelGone:
		if c.Channel.SpentAt != 0 {
			return nil // it went with ChannelSpent
		}
		return g.graph.RemoveChannel(c.Channel.SCID)
	case gossip.NodeChanged:
		return g.graph.SetNode(routing.NodeInfo{
			ID: c.Node.ID, Alias: c.Node.Alias, RGB: c.Node.Color, Features: c.Node.Features,
			Addresses: c.Node.Addresses, Updated: c.Node.Updated,
		})
	case gossip.NodeGone:
	}
	return nil
}

// addChannel puts a channel into the graph of paths.
func (g *gossiper) addChannel(c gossip.Channel) error {
	if c.SpentAt != 0 {
		return nil
	}
	rc := routing.Channel{SCID: c.SCID, Node1: c.Node1, Node2: c.Node2, Capacity: c.Capacity, Barred: c.Unusable}
	for i, p := range c.Policies {
		if p != nil {
			rp := graphPolicy(*p)
			rc.Policies[i] = &rp
		}
	}
	return g.graph.AddChannel(rc)
}

func graphPolicy(p gossip.Policy) routing.Policy {
	return routing.Policy{
		Base: p.FeeBase, PPM: p.FeePPM, Delta: p.CLTVDelta, Min: p.Minimum, Max: p.Maximum,
		Disabled: p.Disabled, Updated: p.Updated, Inbound: p.Inbound,
	}
}

// lookUp asks the chain for a funding output.
func (g *gossiper) lookUp(l gossip.LookUp) {
	select {
	case g.asks <- struct{}{}:
		defer func() { <-g.asks }()
	case <-g.n.ctx.Done():
		return
	}
	f := gossip.Found{ID: l.ID, Funding: gossip.FundingAway}
	op, out, err := chainntnfs.FundingOutput(g.n.ctx, g.n.backend, l.SCID)
	switch {
	case err == nil && string(out.PkScript) == string(l.Script):
		f.Funding, f.OutPoint, f.Capacity = gossip.FundingGood, op, out.Value
	case err == nil:
		f.Funding = gossip.FundingForeign
	case errors.Is(err, chainntnfs.ErrNoOutput), errors.Is(err, chainntnfs.ErrNoBlock):
		f.Funding = gossip.FundingSpent
	}
	g.inbox.Put(f)
}

func (g *gossiper) read(keys []gossip.Key) [][]byte {
	values, err := g.n.cfg.GraphDB.Read(keys)
	if err != nil {
		g.n.logs.gossip.Error("cannot read gossip", "err", err)
		return make([][]byte, len(keys))
	}
	return values
}

// send writes to a peer. In the lane of gossip it waits for room, and tells when
// there is room again.
func (g *gossiper) send(s gossip.Send) {
	c := g.conns[s.Peer]
	if c == nil {
		return
	}
	if !s.Gossip {
		c.Send(peer.Channel, s.Msgs...)
		return
	}
	g.n.spawn(func() {
		for !c.Send(peer.Gossip, s.Msgs...) {
			if !drained(c) {
				return
			}
		}
		if drained(c) {
			g.inbox.Put(gossip.Drained{Peer: s.Peer})
		}
	})
}

// drained waits for room; false when the connection has ended.
func drained(c Conn) bool {
	select {
	case <-c.Drained():
	case <-c.Done():
	}
	return c.Err() == nil
}

// met is gossip.Opened with its connection: what the machine says to a peer must not go
// out on another connection than it is meant for, when one has ended meanwhile and the
// next is there.
type met struct {
	gossip.Opened
	conn Conn
}

func (g *gossiper) opened(c Conn) {
	g.inbox.Put(met{gossip.Opened{Peer: c.PubKey(), Features: c.Features(), Networks: c.Init().Networks}, c})
}

func (g *gossiper) closed(c Conn) { g.inbox.Put(gossip.Closed{Peer: c.PubKey()}) }

func (g *gossiper) message(c Conn, m lnwire.Message) {
	if w := weight(m); w > 0 && g.gate.enter(w) {
		g.inbox.PutSlow(gossip.Received{Peer: c.PubKey(), Msg: m})
	}
}

// ownChannel and ownLink tell what happens to our own channels.
func (g *gossiper) ownChannel(a *lnwire.ChannelAnnouncement) {
	g.inbox.Put(gossip.OwnChannel{Announcement: a})
}

func (g *gossiper) ownLink(l *channel.LinkState) {
	g.inbox.Put(gossip.OwnLink{
		ChanNum: l.ChanNum, Peer: l.Peer, SCID: l.SCID, Alias: l.Alias, PeerAlias: l.PeerAlias, Funding: l.Funding,
		Capacity: l.Capacity, Private: l.Private, Up: l.Up, Ended: l.Ended,
		Policy: gossip.OwnPolicy{
			FeeBase: l.Policy.FeeBase, FeePPM: l.Policy.FeePPM, CLTVDelta: l.Policy.CLTVDelta,
			Minimum: max(l.Policy.HTLCMinimum, l.Minimum), Maximum: maximum(l), Disabled: l.Policy.Disabled,
			Inbound: lnwire.InboundFee{Base: l.Policy.InboundBase, PPM: l.Policy.InboundPPM},
		},
	})
}

// maximum is the largest HTLC that we carry out over a channel.
func maximum(l *channel.LinkState) lnwire.MilliSat {
	if l.Policy.HTLCMaximum == 0 {
		return l.Maximum
	}
	return min(l.Policy.HTLCMaximum, l.Maximum)
}

// forget drops what is known of a channel of ours that is gone.
func (g *gossiper) forget(num uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.own, num)
	delete(g.theirs, num)
}

// ourUpdate is our newest channel_update for a channel; nil when there is none.
func (g *gossiper) ourUpdate(num uint64) *lnwire.ChannelUpdate {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.own[num]
}

// theirPolicy is what the peer of a channel asks for.
func (g *gossiper) theirPolicy(num uint64) (gossip.Policy, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	p, ok := g.theirs[num]
	return p, ok
}

// snapshot is the graph of paths as it is now. The graph makes it, so it is changed by
// that.
func (g *gossiper) snapshot() *routing.Snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.graph.Snapshot()
}

// addresses are where a node says that it is.
func (g *gossiper) addresses(id lnwire.PubKey) []string {
	info, ok := g.snapshot().Node(id)
	if !ok {
		return nil
	}
	var out []string
	for _, a := range info.Addresses {
		out = append(out, a.String())
	}
	return out
}

// Graph is the graph of paths as it is now.
func (n *Node) Graph() *routing.Snapshot { return n.gossip.snapshot() }

// GraphChanges tells what changes in the public map.
func (n *Node) GraphChanges() *Subscription[[]gossip.Change] { return n.gossip.Feed.Subscribe() }

// OwnUpdate is our newest channel_update for a channel, and PeerPolicy what its peer
// asks for.
func (n *Node) OwnUpdate(num uint64) *lnwire.ChannelUpdate { return n.gossip.ourUpdate(num) }

// PeerPolicy is what the peer of a channel asks for; false when it has not said.
func (n *Node) PeerPolicy(num uint64) (gossip.Policy, bool) { return n.gossip.theirPolicy(num) }

// refreshLink tells the switch of a new channel_update of ours.
func (n *Node) refreshLink(num uint64) {
	if e := n.channels.num(num); e != nil {
		if l := e.link.Load(); l != nil && !l.Ended {
			n.toSwitch(nil, n.linkEvent(e, l))
		}
	}
}
