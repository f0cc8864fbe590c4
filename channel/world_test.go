package channel

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/channeltest"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// world is two nodes with one channel between them, a wire and a chain.
type world struct {
	t    require.TestingT
	a, b *node
	tip  lnwire.BlockRef
	up   bool
	log  func(format string, args ...any) // nil: quiet
	conf *Confirmed
	tap  func(lnwire.Message) // sees what goes over the wire
}

// node is one end: the machine, what it has stored, and what it has asked for.
type node struct {
	w        *world
	name     string
	other    *node
	ring     *channeltest.Ring
	cfg      *Config
	crypto   Crypto
	away     bool
	ch       *Channel
	rows     Rows
	outbox   []htlc.Outcome // still to be acted on
	attempts []AttemptRow
	inbox    []lnwire.Message // on the wire to us
	features lnwire.Features
	side     Side
	minDepth uint32
	alias    lnwire.ShortChannelID
	upfront  []byte
	thaw     uint32 // Accepted.Thaw
	trusts   bool   // channels without confirmations are accepted
	declines bool
	holds    bool // does not answer AskBackup
	slow     bool // does not answer AskFund
	asked    Ask  // that is held
	drop     bool // the machine wants to disconnect

	locked    []htlc.Locked
	outcomes  []htlc.Outcome
	refused   []htlc.Refusal
	notices   []Notice
	published []*wire.MsgTx
	unfunded  []*wire.MsgTx
	announced *lnwire.ChannelAnnouncement
	link      LinkState
	last      Effects
	watches   []Watch
	quietLaw  bool // benchmarks do without the reload law

	base   Rows    // as stored before merged
	merged Effects // of the last few steps, as one turn
	steps  int

	// What is left when the lazy deltas behind the last write are lost.
	safe         Rows
	safeOutcomes int
}

// everything is the features that both sides negotiate unless a test says less.
var everything = lnwire.NewFeatures(lnwire.StaticRemoteKeyOptional, lnwire.AnchorsOptional, lnwire.SupportLargeChannelOptional,
	lnwire.UpfrontShutdownOptional, lnwire.ShutdownAnySegwitOptional, lnwire.QuiesceOptional, lnwire.ScidAliasOptional,
	lnwire.ZeroConfOptional)

// rings are shared by all worlds: making keys is most of what a world costs.
var rings = map[string]*channeltest.Ring{"a": channeltest.NewRing("a"), "b": channeltest.NewRing("b")}

func newWorld(t require.TestingT) *world {
	w := &world{t: t, tip: blockRef(100)}
	w.a, w.b = w.newNode("a"), w.newNode("b")
	w.a.other, w.b.other = w.b, w.a
	return w
}

func (w *world) newNode(name string) *node {
	n := &node{w: w, name: name, ring: rings[name], features: everything, minDepth: 3}
	n.cfg = &Config{NodeID: n.ring.NodeID(), NodeKey: channeltest.NodeKey, Chain: chainhash.Hash{1}}
	n.crypto = channeltest.Model{Ring: n.ring, Away: &n.away}
	n.side = Side{
		Basepoints: n.ring.Basepoints(n.ring.Locs(1)), DustLimit: 354, Reserve: 10_000, MaxInFlight: 900_000_000,
		HTLCMinimum: 1, MaxAccepted: 30, ToSelfDelay: 144,
	}
	return n
}

// useReal replaces the model signatures by those of the curve.
func (w *world) useReal() {
	for _, n := range w.nodes() {
		n.crypto = channeltest.Real{Ring: n.ring, Away: &n.away}
	}
}

func (w *world) nodes() []*node { return []*node{w.a, w.b} }

func blockRef(h lnwire.Height) lnwire.BlockRef {
	return lnwire.BlockRef{Height: h, Hash: sha256.Sum256([]byte(fmt.Sprint("block", h)))}
}

func (w *world) logf(format string, args ...any) {
	if w.log != nil {
		w.log(format, args...)
	}
}

// step drives one machine and does what it wants: rows are stored, messages are put
// on the wire, questions are answered at once.
func (n *node) step(ev Event) Effects {
	fx := n.ch.Step(ev)
	n.take(fx)
	return fx
}

func (n *node) take(fx Effects) {
	n.last = fx
	n.rows = Apply(n.rows, fx.Delta)
	n.mergeLaw(fx)
	for _, ref := range fx.Delta.OutboxDone {
		n.done(ref)
	}
	n.outbox = append(n.outbox, fx.Delta.OutboxPut...)
	n.attempts = append(n.attempts, fx.Delta.Attempts...)
	n.logEffects(fx)
	n.law()
	n.locked = append(n.locked, fx.LockedIn...)
	n.outcomes = append(n.outcomes, fx.Outcomes...)
	if !fx.Delta.Lazy && !fx.Delta.Empty() {
		n.safe, n.safeOutcomes = n.rows, len(n.outcomes)
	}
	n.refused = append(n.refused, fx.Refused...)
	n.notices = append(n.notices, fx.Tell...)
	n.published = append(n.published, fx.Publish...)
	n.watches = append(n.watches, fx.Watch...)
	if fx.Unfund != nil {
		n.unfunded = append(n.unfunded, fx.Unfund)
	}
	if fx.Announce != nil {
		n.announced = fx.Announce
	}
	if fx.Link != nil {
		n.link = *fx.Link
	}
	n.drop = n.drop || fx.Disconnect
	for _, group := range fx.Send {
		for _, m := range group {
			n.noLeak(m)
			n.put(m)
		}
	}
	for _, q := range fx.Ask {
		n.answer(q)
	}
}

// noLeak: a secret leaves only for a commitment that the stored rows call revoked.
func (n *node) noLeak(m lnwire.Message) {
	if n.quietLaw {
		return
	}
	if r, ok := m.(*lnwire.RevokeAndAck); ok {
		require.NotNil(n.w.t, n.rows.Core)
		require.Equal(n.w.t, n.crypto.Secret(n.rows.Terms.Keys.Root, n.rows.Core.LocalN-1), r.Secret)
	}
}

// done consumes an outbox row of this node by the incoming HTLC it answers.
func (n *node) done(ref htlc.Ref) {
	n.outbox = slices.DeleteFunc(n.outbox, func(o htlc.Outcome) bool { return o.Origin.Ref == ref && o.Origin.Kind == htlc.FromForward })
}

// put brings a message onto the wire, through its bytes.
func (n *node) put(m lnwire.Message) {
	b, err := lnwire.Marshal(m)
	require.NoError(n.w.t, err)
	back, err := lnwire.Unmarshal(b)
	require.NoError(n.w.t, err)
	if n.w.tap != nil {
		n.w.tap(back)
	}
	if n.w.up {
		n.other.inbox = append(n.other.inbox, back)
	}
}

func (n *node) answer(q Ask) {
	var a Answer
	switch q := q.Question.(type) {
	case AskFund:
		if n.slow {
			n.asked = Ask{ID: askFund, Question: q}
			return
		}
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{7}}})
		tx.AddTxOut(&wire.TxOut{Value: 5000, PkScript: []byte{0, 20, 19: 0, 21: 1}})
		tx.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
		a = Funded{Tx: tx, Output: 1}
	case AskAccept:
		side := n.side
		side.Upfront = n.upfront
		a = Accepted{Ours: side, Keys: n.ring.Locs(1), MinDepth: n.minDepth, Alias: n.alias, ZeroConf: n.trusts, Thaw: n.thaw}
	case AskOutPoint:
		a = Free{}
	case AskBackup:
		if n.holds {
			n.asked = Ask{ID: askBackup, Question: q}
			return
		}
		a = BackedUp{}
	case AskShutdownScript:
		a = ShutdownScript{Script: n.script()}
	}
	if n.declines {
		a = Declined{Text: "no"}
	}
	n.step(Answered{ID: q.ID, Answer: a})
	answered := n.last
	if fx := n.step(Flush{}); len(fx.Send) == 0 { // an answer is a turn of its own
		n.last = answered
	}
}

// script is an address of the node's wallet.
func (n *node) script() []byte {
	h := sha256.Sum256([]byte(n.name))
	return append([]byte{0, 20}, h[:20]...)
}

// law is the reload law: what is stored is the machine, but for what a disconnect
// takes away.
func (n *node) law() {
	if n.quietLaw {
		return
	}
	want, have := n.ch.Rows(), n.rows
	have.Revoked = nil
	requireSame(n.w.t, want, have, "stored rows of "+n.name)
	if again := Load(n.cfg, n.crypto, n.rows); again != nil {
		requireSame(n.w.t, want, again.Rows(), "loaded rows of "+n.name)
	} else {
		require.False(n.w.t, n.ch.durable())
	}
}

// mergeLaw: the steps of a turn, merged into one delta, store the same as one by one.
func (n *node) mergeLaw(fx Effects) {
	if n.quietLaw {
		return
	}
	n.merged.Append(fx)
	if n.steps++; n.steps%5 == 0 {
		requireSame(n.w.t, n.rows, Apply(n.base, n.merged.Delta), "merged rows of "+n.name)
		n.base, n.merged = n.rows, Effects{}
	}
}

// restore makes rows the stored ones.
func (n *node) restore(rows Rows) { n.rows, n.base, n.merged = rows, rows, Effects{} }

func requireSame(t require.TestingT, want, have Rows, what string) {
	if reflect.DeepEqual(plain(want), plain(have)) {
		return
	}
	require.Equal(t, plain(want), plain(have), what)
}

// plain makes empty lists nil.
func plain(r Rows) Rows {
	if len(r.Fundings) == 0 {
		r.Fundings = nil
	}
	if len(r.HTLCs) == 0 {
		r.HTLCs = nil
	}
	if len(r.Onions) == 0 {
		r.Onions = nil
	}
	if len(r.Revoked) == 0 {
		r.Revoked = nil
	}
	return r
}

// deliver gives the node the oldest k messages that are on the wire to it; all when
// k is negative.
func (n *node) deliver(k int) {
	for ; k != 0 && len(n.inbox) > 0; k-- {
		m := n.inbox[0]
		n.inbox = n.inbox[1:]
		if n.w.log != nil {
			n.w.log("%s <- %s", n.name, describe(m))
		}
		ev := Received{Msg: m}
		if _, ok := m.(*lnwire.OpenChannel); ok {
			n.ch = New(n.cfg, n.crypto, 1, n.other.ring.NodeID())
			n.restore(Rows{})
			ev.Features, ev.At, ev.Now = n.features, n.w.tip, time.Unix(1_700_000_000, 0)
		}
		if _, ok := m.(*lnwire.UpdateAddHTLC); ok {
			ev.Opened = &htlc.Opened{Final: true}
		}
		n.step(ev)
	}
}

// settle lets both sides talk until nothing is on the wire.
func (w *world) settle() {
	for range 200 {
		for _, n := range w.nodes() {
			n.deliver(-1)
			if n.ch != nil {
				n.step(Flush{})
			}
		}
		if len(w.a.inbox)+len(w.b.inbox) == 0 {
			return
		}
		if w.a.drop || w.b.drop {
			return
		}
	}
	require.FailNow(w.t, "the two never come to rest")
}

// openOptions is how a asks b for a channel.
type openOptions struct {
	capacity lnwire.Sat
	push     lnwire.MilliSat
	format   commitment.Format
	rate     lnwire.SatPerKW
	private  bool
	alias    bool // channel_type with option_scid_alias
	zeroConf bool
	thaw     uint32 // as both have agreed upon
}

var usual = openOptions{capacity: 1_000_000, push: 300_000_000, format: commitment.Anchors, rate: 2500}

// ask makes a send open_channel.
func (w *world) ask(o openOptions) {
	w.up = true
	side := w.a.side
	side.Upfront = w.a.upfront
	w.a.ch = New(w.a.cfg, w.a.crypto, 1, w.b.ring.NodeID())
	w.a.restore(Rows{})
	w.a.step(OpenAsked{
		TempID: lnwire.ChannelID{9, 9}, Capacity: o.capacity, Push: o.push, FeeRate: o.rate, FundingFeeRate: 1000,
		Format: o.format, ScidAlias: o.alias, ZeroConf: o.zeroConf, Private: o.private, Ours: side, Keys: w.a.ring.Locs(1), MinDepth: w.a.minDepth,
		Alias: w.a.alias, Features: w.a.features, At: w.tip, Now: time.Unix(1_700_000_000, 0),
		Thaw: o.thaw,
	})
	w.b.thaw = o.thaw
}

// blocks adds n blocks; both machines see each.
func (w *world) blocks(n int) {
	for range n {
		w.tip = blockRef(w.tip.Height + 1)
		for _, s := range w.nodes() {
			s.step(Block{At: w.tip})
			s.step(Flush{})
		}
	}
}

// confirm puts the funding transaction into the next block.
func (w *world) confirm(txIndex uint32) {
	require.NotEmpty(w.t, w.a.published)
	w.tip = blockRef(w.tip.Height + 1)
	w.conf = &Confirmed{Tx: w.a.published[0], At: w.tip, TxIndex: txIndex}
	for _, n := range w.nodes() {
		n.step(Block{At: w.tip})
		n.step(*w.conf)
		n.step(Flush{})
	}
}

// open brings a channel to normal operation.
func (w *world) open(o openOptions) {
	w.ask(o)
	w.settle()
	require.Equal(w.t, AwaitReady, w.a.ch.Phase())
	require.Equal(w.t, AwaitReady, w.b.ch.Phase())
	w.confirm(5)
	w.blocks(2)
	w.settle()
	require.Equal(w.t, Open, w.a.ch.Phase())
	require.Equal(w.t, Open, w.b.ch.Phase())
}

// preimage is the n-th of a fixed series.
func preimage(n int) lnwire.Preimage {
	return sha256.Sum256([]byte(fmt.Sprint("preimage", n)))
}

// add offers an HTLC of the n-th preimage.
func (n *node) add(amount lnwire.MilliSat, pre int) Effects {
	onion := [lnwire.OnionLen]byte{0, byte(pre)}
	return n.step(AddHTLC{
		Amount: amount, Expiry: n.w.tip.Height + 144, Hash: preimage(pre).Hash(), Onion: &onion, Origin: htlc.Attempt(uint64(pre)),
		Attempt: &AttemptRow{ID: uint64(pre), Row: []byte{1}},
	})
}

func (n *node) incoming(id uint64) htlc.Ref { return htlc.Ref{ChanNum: 1, Dir: htlc.Incoming, ID: id} }

func (n *node) fulfill(id uint64, pre int) Effects {
	return n.step(Resolve{Ref: n.incoming(id), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(pre)}})
}

func (n *node) fail(id uint64) Effects {
	return n.step(Resolve{Ref: n.incoming(id), Resolution: htlc.Resolution{Kind: htlc.Failed, Reason: []byte("no")}})
}

// disconnect cuts the wire: what is on it is lost.
func (w *world) disconnect() {
	w.up = false
	for _, n := range w.nodes() {
		n.inbox, n.drop = nil, false
		if n.ch != nil {
			n.step(Disconnected{})
		}
	}
}

// connect joins the two again.
func (w *world) connect() {
	w.up = true
	for _, n := range w.nodes() {
		n.step(Connected{Features: n.features})
	}
}

// crash ends a node's process: only the rows remain. The other sees a disconnect.
func (n *node) crash() {
	n.w.up = false
	n.inbox, n.other.inbox = nil, nil
	n.drop, n.other.drop = false, false
	if n.other.ch != nil {
		n.other.step(Disconnected{})
	}
	n.ch = Load(n.cfg, n.crypto, n.rows)
	n.restore(n.rows)
	if n.ch == nil {
		n.ch = New(n.cfg, n.crypto, 1, n.other.ring.NodeID())
		n.restore(Rows{})
		return
	}
	n.locked = nil
	n.step(Resumed{})
}

// crashLazy is crash before the lazy deltas were written, and what followed from them
// inside the process.
func (n *node) crashLazy() {
	n.restore(n.safe)
	n.outcomes = n.outcomes[:n.safeOutcomes]
	n.crash()
}

func (n *node) info() Info { return n.ch.Info() }

// fundingLike is some transaction that has nothing to do with the channel.
func (n *node) fundingLike() *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(&wire.TxOut{Value: 7, PkScript: n.script()})
	return tx
}
