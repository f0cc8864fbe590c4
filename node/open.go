package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// OpenRequest asks for a channel. Zero fields take the operator's defaults.
type OpenRequest struct {
	Peer      lnwire.PubKey
	Capacity  lnwire.Sat
	Max       bool // put in all that the wallet can spend, or the channel hold; Capacity is 0
	Push      lnwire.MilliSat
	FeeRate   lnwire.SatPerKW // of the funding transaction; 0: by Target
	Target    uint32          // blocks until the funding should be confirmed; 0: 6
	MinConfs  uint32          // of the coins spent; 0 spends unconfirmed ones too
	Coins     []wire.OutPoint // to spend; empty: the wallet chooses
	Private   bool
	ScidAlias bool              // insist on a secret id, which a private channel has if the peer knows how
	ZeroConf  bool              // use it before the funding confirms
	Format    commitment.Format // 0: anchors where both sides know them
	Close     []byte            // upfront_shutdown_script
	Memo      string
	ToDelay   uint16
	Reserve   lnwire.Sat
	MinHTLC   lnwire.MilliSat
	InFlight  lnwire.MilliSat
	MaxHTLCs  uint16
	FeeBase   *uint32 // msat, of the forwarding policy
	FeePPM    *uint32
	MaxDelay  uint16           // the longest to_self_delay of ours that the peer may ask for; 0: what the node takes
	TempID    lnwire.ChannelID // temporary_channel_id; zero: a random one
	Shim      *Shim            // the funding comes from elsewhere; then TempID is set
	Canned    *Canned          // the funding output was agreed upon; then TempID is set

	batch *batch // that it belongs to
	place int    // in the batch
}

// OpenUpdate is a step of an opening: pending, then open, or an error, which is
// always the last.
type OpenUpdate struct {
	TempID  lnwire.ChannelID // temporary_channel_id
	Fund    *FundAsked       // the peer has accepted: the funding has to come from elsewhere
	Pending bool             // the funding transaction is on its way
	Open    bool             // the channel can be used
	Funding wire.OutPoint
	Err     error
}

// opens are the openings that somebody waits for.
type opens struct {
	mu     sync.Mutex
	waits  map[uint64]*opening
	shims  shims
	canned canned
}

type opening struct {
	req     OpenRequest
	updates chan OpenUpdate
	tempID  lnwire.ChannelID
	shim    *shim // nil: the wallet funds it
}

// OpenChannel asks a connected peer for a channel. The updates end with Open or Err;
// the channel is made whether or not somebody still listens.
func (n *Node) OpenChannel(ctx context.Context, req OpenRequest) (<-chan OpenUpdate, error) {
	if req.Peer == n.id {
		return nil, mistake.Argument("cannot open channel to self")
	}
	conn := n.host.Conn(req.Peer)
	if conn == nil {
		return nil, mistake.State("peer %s is not online", req.Peer)
	}
	if err := n.readyForMoney(); err != nil {
		return nil, err
	}
	features := n.negotiated(conn)
	if req.Max {
		if err := n.fundMax(&req, features); err != nil {
			return nil, err
		}
	}
	if err := n.checkOpen(&req, features); err != nil {
		return nil, err
	}
	if req.Canned != nil {
		if err := n.checkCanned(req.Canned); err != nil {
			return nil, err
		}
	}
	ev, err := n.openAsked(&req, features)
	if err != nil {
		return nil, err
	}
	if n.channels.key(req.Peer, ev.TempID) != nil {
		return nil, mistake.Twice("pending channel ID %x is in use", ev.TempID[:])
	}
	e, err := n.newChannel(req.Peer)
	if err != nil {
		return nil, err
	}
	ev.Keys = keys.ChannelLocs(uint32(e.num))
	if req.Canned != nil {
		ev.Keys.Funding, ev.Thaw = req.Canned.Local, req.Canned.Thaw
	}
	ev.Alias = n.aliasFor(e, features)
	if ev.Ours.Basepoints, err = n.ring.Basepoints(ev.Keys); err != nil {
		n.channels.drop(e)
		return nil, fmt.Errorf("open channel: %w", err)
	}
	e.anchors.Store(ev.Format == commitment.Anchors) // counts for the reserve from here on (V-39)
	o := &opening{req: req, updates: make(chan OpenUpdate, 4), tempID: ev.TempID}
	if req.Shim != nil {
		if o.shim, err = n.newShim(&req, e); err != nil {
			n.channels.drop(e)
			return nil, err
		}
	}
	if req.batch != nil && !req.batch.joined(req.place, e.num) {
		n.channels.drop(e)
		return nil, req.batch.err
	}
	n.opens.mu.Lock()
	n.opens.waits[e.num] = o
	n.opens.mu.Unlock()
	n.channels.name(e, ev.TempID)
	e.runner.Inbox.Put(turn.Item{Event: n.tick()}) // its patience counts from here
	e.runner.Inbox.Put(turn.Item{Event: channel.Connected{Features: features}, Conn: conn})
	e.runner.Inbox.Put(turn.Item{Event: channel.PolicySet{Policy: n.firstPolicy(&req)}})
	e.runner.Inbox.Put(turn.Item{Event: *ev})
	if conn.Err() != nil { // it ended in this moment, perhaps before it knew of the channel
		e.runner.Inbox.Put(turn.Item{Event: channel.Disconnected{}, Conn: conn})
	}
	return o.updates, nil
}

func (n *Node) checkOpen(req *OpenRequest, features lnwire.Features) error {
	p := n.cfg.Policy
	switch {
	case req.Capacity < p.MinCapacity:
		return mistake.Argument("channel is too small, the minimum channel size is: %d SAT", p.MinCapacity)
	case req.Capacity > p.MaxCapacity:
		return mistake.Argument("channel is too large, the maximum channel size is: %d SAT", p.MaxCapacity)
	case req.Push >= req.Capacity.MilliSat():
		return mistake.Argument("amount pushed to remote peer for initial state must be below the local funding amount")
	case req.Format != 0 && req.Format != commitment.StaticRemoteKey && req.Format != commitment.Anchors:
		return mistake.Argument("commitment type not supported")
	case req.ScidAlias && !req.Private:
		return mistake.Argument("only a private channel can have an alias alone")
	case req.ScidAlias && !features.HasEither(lnwire.ScidAliasOptional):
		return mistake.State("the peer does not know aliases")
	case req.ZeroConf && !features.HasEither(lnwire.ZeroConfOptional):
		return mistake.State("channels without confirmations have to be switched on, here and at the peer (protocol.zero-conf)")
	}
	return nil
}

// openAsked works out what we say in open_channel.
func (n *Node) openAsked(req *OpenRequest, features lnwire.Features) (*channel.OpenAsked, error) {
	format := n.openFormat(req, features)
	rate := lnwire.FeeFloor // unless the wallet pays, it is not ours to choose
	if req.Shim == nil && req.Canned == nil {
		var err error
		if rate, err = n.feeRate(req.FeeRate, req.Target); err != nil {
			return nil, err
		}
	}
	commit, err := n.commitRate(format)
	if err != nil {
		return nil, err
	}
	ev := &channel.OpenAsked{
		Capacity: req.Capacity, Push: req.Push, FeeRate: commit, FundingFeeRate: rate, Format: format,
		// As CLN does: a channel that is not announced keeps its place in the chain to itself.
		ScidAlias: req.Private && features.HasEither(lnwire.ScidAliasOptional), ZeroConf: req.ZeroConf,
		Private: req.Private, MinDepth: n.confs(req.Capacity), Features: features, Memo: req.Memo,
		At: n.tip(), Now: n.now(), Slow: req.Shim != nil, MaxDelay: req.MaxDelay, TempID: req.TempID,
		Ours: n.ourSide(req.Capacity),
	}
	if ev.TempID.IsZero() {
		rand.Read(ev.TempID[:])
	}
	override(&ev.Ours.ToSelfDelay, req.ToDelay)
	override(&ev.Ours.Reserve, req.Reserve)
	override(&ev.Ours.HTLCMinimum, req.MinHTLC)
	override(&ev.Ours.MaxInFlight, req.InFlight)
	override(&ev.Ours.MaxAccepted, req.MaxHTLCs)
	if len(req.Close) > 0 {
		ev.Ours.Upfront = req.Close
	}
	return ev, nil
}

// override sets *p unless v is zero.
func override[T comparable](p *T, v T) {
	var zero T
	if v != zero {
		*p = v
	}
}

// ourSide are our terms for a channel of that capacity.
func (n *Node) ourSide(capacity lnwire.Sat) channel.Side {
	p := n.cfg.Policy
	const dust lnwire.Sat = 354
	reserve := max(capacity/100, dust)
	delay := p.RemoteDelay
	if delay == 0 { // a day for small channels, two weeks for large ones, as lnd
		delay = uint16(min(2016, max(144, 2016*uint64(capacity)/uint64(MaxSmallChannel))))
	}
	return channel.Side{
		DustLimit: dust, Reserve: reserve, ToSelfDelay: delay,
		MaxInFlight: (capacity - reserve).MilliSat(), HTLCMinimum: p.MinHTLC,
		MaxAccepted: maxAccepted, Upfront: p.Upfront,
	}
}

// maxAccepted is how many HTLCs we let a peer have in a channel. Fewer than the 483
// of the protocol: each costs a signature with every commitment, and weight when the
// channel is closed by force (V-16).
const maxAccepted = 114

// confs is how deep the funding of a channel must be: 3 to 6 blocks, by capacity.
func (n *Node) confs(capacity lnwire.Sat) uint32 {
	if c := n.cfg.Policy.Confs; c > 0 {
		return c
	}
	return uint32(min(6, 3+3*uint64(capacity)/uint64(MaxSmallChannel)))
}

// firstPolicy is the forwarding policy of a new channel.
func (n *Node) firstPolicy(req *OpenRequest) channel.Policy {
	p := n.cfg.Policy.Forward
	if req.FeeBase != nil {
		p.FeeBase = *req.FeeBase
	}
	if req.FeePPM != nil {
		p.FeePPM = *req.FeePPM
	}
	if p.HTLCMaximum == 0 { // what the capacity allows, less what the peer must keep
		p.HTLCMaximum = (req.Capacity - max(req.Capacity/100, 354)).MilliSat()
	}
	return p
}

// newChannel makes the entry and the machine of a channel that has no rows yet.
func (n *Node) newChannel(id lnwire.PubKey) (*entry, error) {
	num, err := n.db.NextChanNum()
	if err != nil {
		return nil, fmt.Errorf("number a channel: %w", err)
	}
	e := n.entry(num, id)
	e.runner = turn.NewRunner(num, channel.New(&n.chanConfig, n.newCrypto(), num, id), shell{n, e}, n.spawn)
	e.runner.Mute = n.cfg.Hodl.Commit
	n.channels.add(e)
	return e, nil
}

// fundee makes the machine for a channel that a peer asks for.
func (n *Node) fundee(c Conn, m *lnwire.OpenChannel) {
	refuse := func(text string) { complain(c, m.TemporaryChannelID, text) }
	if n.opens.canned.get(m.TemporaryChannelID) == nil { // else the operator waits for it
		if err := n.admitOpening(c.PubKey()); err != nil {
			refuse(err.Error())
			return
		}
	}
	if n.channels.key(c.PubKey(), m.TemporaryChannelID) != nil {
		refuse("temporary_channel_id is in use")
		return
	}
	e, err := n.newChannel(c.PubKey())
	if err != nil {
		refuse("internal error")
		return
	}
	n.channels.name(e, m.TemporaryChannelID)
	features := n.negotiated(c)
	req := OpenRequest{Capacity: m.FundingSat}
	e.runner.Inbox.Put(turn.Item{Event: n.tick()})
	e.runner.Inbox.Put(turn.Item{Event: channel.Connected{Features: features}, Conn: c})
	if m.FundingSat <= n.cfg.Policy.MaxCapacity { // otherwise AskAccept declines
		e.runner.Inbox.Put(turn.Item{Event: channel.PolicySet{Policy: n.firstPolicy(&req)}})
	}
	e.runner.Inbox.PutSlow(turn.Item{Event: channel.Received{Msg: m, Features: features, At: n.tip(), Now: n.now()}})
}

// admitOpening bounds what openings can cost us (V-40): a few unconfirmed ones for a
// peer, and a number over all peers that have no channel yet.
func (n *Node) admitOpening(id lnwire.PubKey) error {
	if err := n.readyForMoney(); err != nil {
		return err
	}
	pending, strangers := 0, 0
	for _, e := range n.channels.all() {
		link := e.link.Load()
		if link != nil && (link.SCID != 0 || link.Funder) || n.opens.has(e.num) {
			continue // it is paid for
		}
		if e.peer == id {
			pending++
		} else {
			strangers++
		}
	}
	switch {
	case pending >= n.cfg.Policy.MaxPending:
		return mistake.TooMuch("number of pending channels exceed maximum")
	case strangers >= maxStrangers && len(n.channels.of(id)) == 0:
		return mistake.TooMuch("too many openings are pending, try again later")
	}
	return nil
}

// maxStrangers bounds the openings in progress over all peers.
const maxStrangers = 50

// ask answers what a channel wants to know.
func (n *Node) ask(e *entry, ask channel.Ask) {
	n.spawn(func() {
		if a := n.answer(e, ask); a != nil {
			e.runner.Inbox.Put(turn.Item{Event: channel.Answered{ID: ask.ID, Answer: a}})
		}
	})
}

// answer is nil when somebody else answers later.
func (n *Node) answer(e *entry, ask channel.Ask) channel.Answer {
	switch q := ask.Question.(type) {
	case channel.AskFund:
		n.opens.mu.Lock()
		o := n.opens.waits[e.num]
		n.opens.mu.Unlock()
		switch {
		case o == nil:
			return channel.Declined{Text: "nobody waits for this channel any more"}
		case o.shim != nil:
			n.opens.shims.asked(o.shim, ask.ID, q)
			n.opens.tell(e.num, OpenUpdate{Fund: &FundAsked{Script: q.Script, Amount: q.Amount}}, false)
			return nil
		case o.req.batch != nil:
			o.req.batch.asked(e, ask.ID, q)
			return nil
		case o.req.Canned != nil:
			return o.req.Canned.fund(n, e, q)
		}
		return n.purse.fund(e.num, q, &o.req)
	case channel.AskAccept:
		return n.accept(e, q)
	case channel.AskOutPoint:
		if e.canned != nil && e.canned.Funding != q.OutPoint {
			return channel.Declined{Text: "the funding output is not the one that was agreed upon"}
		}
		// Who names the funding of a lost channel would take its place in the backup.
		if n.backups.lost(q.OutPoint) || !n.channels.fund(e, q.OutPoint) {
			return channel.Declined{Text: "the funding output is that of another channel"}
		}
		return channel.Free{}
	case channel.AskBackup:
		if e.canned != nil { // who opened it has signed with the key that was agreed upon
			n.opens.canned.drop(e.cannedID)
		}
		if err := n.backups.cover(e.num, n.single(q.Terms, q.Funding, n.dialled(e.peer))); err != nil {
			return channel.Declined{Text: "the static channel backup cannot be written: " + err.Error()}
		}
		return channel.BackedUp{}
	case channel.AskShutdownScript:
		kind := keys.P2WKH
		if q.AnySegwit {
			kind = keys.P2TR
		}
		a, err := n.purse.address(wallet.AccountID{Kind: kind}, keys.External, false)
		if err != nil {
			return channel.Declined{Text: err.Error()}
		}
		return channel.ShutdownScript{Script: a.PkScript}
	}
	return channel.Declined{Text: "unknown question"}
}

// accept is our answer to open_channel.
func (n *Node) accept(e *entry, q channel.AskAccept) channel.Answer {
	p := n.cfg.Policy
	switch capacity := q.Open.FundingSat; {
	case capacity < p.MinCapacity:
		return channel.Declined{Text: fmt.Sprintf("chan size of %d sat is below min chan size of %d sat", capacity, p.MinCapacity)}
	case capacity > p.MaxCapacity:
		return channel.Declined{Text: fmt.Sprintf("channel too large: %d sat, at most %d sat", capacity, p.MaxCapacity)}
	case p.NoAnchors && q.Kind.Format == commitment.Anchors:
		return channel.Declined{Text: "channels with anchors are not supported"}
	}
	locs := keys.ChannelLocs(uint32(e.num))
	thaw := uint32(0)
	if c := n.opens.canned.get(q.Open.TemporaryChannelID); c != nil {
		if why := c.refuses(q.Open); why != "" {
			return channel.Declined{Text: why}
		}
		e.canned, e.cannedID, locs.Funding, thaw = c, q.Open.TemporaryChannelID, c.Local, c.Thaw
	}
	ours := n.ourSide(q.Open.FundingSat)
	var err error
	if ours.Basepoints, err = n.ring.Basepoints(locs); err != nil {
		return channel.Declined{Text: "internal error"}
	}
	return n.decided(&q, channel.Accepted{
		Ours: ours, Keys: locs, MinDepth: n.confs(q.Open.FundingSat), Alias: n.aliasFor(e, q.Features),
		ZeroConf: slices.Contains(p.Trusted, e.peer), Thaw: thaw,
	})
}

// openNotice tells whoever waits for an opening how it stands.
func (n *Node) openNotice(t channel.Notice) {
	u := OpenUpdate{}
	last := true
	switch t.Kind {
	case channel.NoticeOpening:
		u.Pending, last = true, false
	case channel.NoticeOpen:
		u.Open = true
	case channel.NoticeOpenFailed:
		u.Err = mistake.State("%s", t.Text)
	case channel.NoticeClosed, channel.NoticeForgotten:
		u.Err = mistake.State("the channel was closed before it was open")
	default:
		return
	}
	if e := n.channels.num(t.ChanNum); e != nil {
		if l := e.link.Load(); l != nil {
			u.Funding = l.Funding
		}
	}
	n.opens.tell(t.ChanNum, u, last)
}

// has: the channel is one that we asked for and that is not open yet.
func (w *opens) has(num uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waits[num] != nil
}

// tell passes u on to whoever waits for an opening; with last it is told nothing more.
func (w *opens) tell(num uint64, u OpenUpdate, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.waits[num]
	if o == nil {
		return
	}
	if o.shim != nil && u.Fund == nil {
		w.shims.over(o.shim, u.Err != nil)
	}
	if o.req.batch != nil {
		o.req.batch.heard(num, u)
	}
	u.TempID = o.tempID
	select {
	case o.updates <- u:
	default:
	}
	if last {
		delete(w.waits, num)
		close(o.updates)
	}
}
