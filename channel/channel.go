package channel

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Channel is the machine of one channel. It is driven by Step and not safe for
// concurrent use.
type Channel struct {
	cfg    *Config
	crypto Crypto
	num    uint64
	peer   lnwire.PubKey

	// What is stored.
	terms    *Terms // nil until both sides have spoken
	core     Core
	policy   Policy
	fundings []FundingTx
	local    *LocalCommit
	secrets  commitment.ShaChain
	in, out  []*entry // in ascending order of ids
	closed   *ClosedRow

	// What a disconnect or a restart takes away.
	opening *opening   // while core.Phase is Opening or Funding
	fee     *FeeUpdate // the fee rate that no signature covers yet
	conn    connection
	want    wish
	now     time.Time
	mono    time.Duration
	target  lnwire.SatPerKW   // the last FeeRate
	end     ending            // while core.Phase is Closing
	overdue map[htlc.Ref]bool // those of which the operator was told
	lift    lifting           // before
	missing bool              // the backend has forgotten the funding's block

	scratch []commitment.HTLC        // of scratchSpec
	params  [2]*commitment.Params    // of our and of the peer's commitments
	points  map[uint64]lnwire.PubKey // a few of our per-commitment points
	link    *LinkState               // as last given out
	stale   bool                     // link has to be looked at again

	fx      Effects // of the step at hand
	dirty   dirty
	touched []*entry
}

// entry is an HTLC of the table with what travels with it.
type entry struct {
	htlc.HTLC
	onion  *[lnwire.OnionLen]byte
	opened *htlc.Opened // of an incoming one, until it is given out
	// Rows that go into the first delta that holds this outgoing HTLC.
	attempt *AttemptRow
	riders  []Rider
	stored  bool // it has a row
	touched bool // it has changed in this step
}

// connection is what a connection knows and takes with it.
type connection struct {
	up       bool
	synced   bool // both channel_reestablish exchanged
	features lnwire.Features
	annSent  bool // our announcement_signatures went out
	annOwed  bool // theirs came before we could answer
	shutSent bool // our shutdown went out
	shutGot  bool // theirs came
	asked    bool // the wallet was asked for our script
	// greeting is the peer's channel_reestablish while the signer is away, held are
	// the messages that came behind it.
	greeting *lnwire.ChannelReestablish
	held     []Received
	// The negotiation of the closing fee starts anew on every connection.
	offers offers
	quiet  quiet
	simple simpleClose
	// broken: we have asked to disconnect; what still arrives is not looked at.
	broken bool
}

// wish is what we would like to do as soon as it is possible.
type wish struct {
	closing   bool // send shutdown
	script    []byte
	rate, max lnwire.SatPerKW
	publish   bool // publish our commitment: the signer was away
}

// dirty says which rows this step has changed.
type dirty struct {
	terms, core, policy, local, secrets, fundings bool
}

// New makes a machine for a channel that does not exist yet. Its first event is
// OpenAsked, or Received with an open_channel.
func New(cfg *Config, crypto Crypto, num uint64, peer lnwire.PubKey) *Channel {
	return &Channel{cfg: cfg, crypto: crypto, num: num, peer: peer, opening: &opening{}, points: map[uint64]lnwire.PubKey{}}
}

// Num is the node's own number for the channel.
func (c *Channel) Num() uint64 { return c.num }

// Phase is where the channel stands.
func (c *Channel) Phase() Phase { return c.core.Phase }

// Step applies one event. It does not block and is a function of the state, the
// event and Crypto alone.
func (c *Channel) Step(ev Event) Effects {
	c.fx = Effects{}
	c.fx.Delta.ChanNum = c.num
	lazy := c.apply(ev)
	c.seal()
	c.fx.Delta.Lazy = lazy && !c.fx.leaves() && !c.fx.Delta.Empty()
	if c.fx.Delta.Empty() {
		c.fx.Delta = Delta{}
	}
	fx := c.fx
	c.fx = Effects{}
	return fx
}

// apply does what the event asks for. It reports that the step, should its rows be
// lost, would come again: a received revocation, or a block.
func (c *Channel) apply(ev Event) (lazy bool) {
	switch ev := ev.(type) {
	case OpenAsked:
		c.openAsked(ev)
	case RestoreAsked:
		c.restore(ev)
	case Supplanted:
		c.supplanted(ev)
	case Received:
		_, lazy = ev.Msg.(*lnwire.RevokeAndAck)
		c.receive(ev)
	case Connected:
		c.connected(ev)
	case Disconnected:
		c.disconnected()
	case AddHTLC:
		c.addHTLC(ev)
	case Resolve:
		c.resolve(ev)
	case Flush:
		c.flush()
	case Tick:
		c.now, c.mono = ev.Now, ev.Mono
		c.openingTick()
		c.closingTick()
		c.sigTick()
		c.quietTick()
	case Block:
		c.block(ev.At)
		lazy = true
	case Confirmed:
		c.confirmed(ev)
	case Unconfirmed:
		c.unconfirmed(ev)
	case Spent:
		c.spent(ev)
	case Unmined:
		c.unmined(ev.Tx)
	case ChainLost:
		c.chainLost(ev.Fork)
	case FeeRate:
		c.target = ev.Rate
	case PolicySet:
		c.policy, c.dirty.policy, c.stale = ev.Policy, true, true
	case CloseAsked:
		c.closeAsked(ev)
	case FundingFreed:
		c.fundingFreed()
	case FundingDropped:
		c.fundingDropped(ev.Text)
	case Abandoned:
		c.abandoned()
	case QuiesceAsked:
		c.quiesceAsked()
	case Answered:
		c.answered(ev)
	case Loaded:
		c.loaded(ev)
	case Resumed:
		c.resumed()
	}
	return lazy
}

// durable reports that the channel has rows: from the first signature that could
// bind somebody's money.
func (c *Channel) durable() bool { return c.core.Phase != Opening && c.core.Phase != Closed }

// seal turns what the step has changed into rows.
func (c *Channel) seal() {
	touched := c.touched
	d := c.dirty
	c.touched, c.dirty = nil, dirty{}
	for _, e := range touched {
		e.touched = false
	}
	if !c.durable() {
		return
	}
	delta := &c.fx.Delta
	if d.terms {
		terms := *c.terms
		delta.Terms = &terms
	}
	if d.terms || d.fundings {
		delta.Fundings = append(delta.Fundings, c.fundings...)
	}
	if d.core {
		core := c.core
		core.Fees = slices.Clone(c.core.Fees)
		delta.Core = &core
	}
	if d.policy || d.terms && c.policy != (Policy{}) {
		policy := c.policy
		delta.Policy = &policy
	}
	if d.local {
		delta.Local = c.local
	}
	if d.secrets {
		secrets := c.secrets
		delta.Secrets = &secrets
	}
	for _, e := range touched {
		c.sealHTLC(e)
	}
}

// sealHTLC puts or deletes the row of an HTLC that has changed.
func (c *Channel) sealHTLC(e *entry) {
	delta := &c.fx.Delta
	if e.State.Gone() {
		if e.stored {
			delta.GoneHTLCs = append(delta.GoneHTLCs, e.Ref)
			c.finished(e)
		}
		return
	}
	row, ok := e.row()
	if !ok {
		return
	}
	e.stored = true
	delta.HTLCs = append(delta.HTLCs, row)
}

// finished tells the end of an incoming HTLC that is gone.
func (c *Channel) finished(e *entry) {
	if e.Ref.Dir == htlc.Incoming {
		settled := e.Removal != nil && e.Removal.Kind == htlc.Fulfilled
		c.fx.Delta.Finished = append(c.fx.Delta.Finished, Finish{Ref: e.Ref, Settled: settled})
	}
}

// row is the form in which the HTLC is stored: as it would be after a disconnect.
// It is false for an add that no signature covers.
func (e *entry) row() (htlc.HTLC, bool) {
	h := e.HTLC
	switch h.State {
	case htlc.SentAdd, htlc.RcvdAdd:
		return h, false
	case htlc.RcvdRemove:
		h.State, h.Removal = htlc.SentAddAckRevocation, nil
	}
	return h, true
}

// touch notes that the HTLC has changed.
func (c *Channel) touch(e *entry) {
	if !e.touched {
		e.touched = true
		c.touched = append(c.touched, e)
	}
}

// save notes that the core has changed.
func (c *Channel) save() { c.dirty.core = true }

// send queues messages for the peer as one indivisible group.
func (c *Channel) send(msgs ...lnwire.Message) { c.fx.Send = append(c.fx.Send, msgs) }

// tell queues a notice.
func (c *Channel) tell(kind NoticeKind, text string) {
	c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: kind, Text: text})
}

// enter changes the phase. Some of them are events for subscribers.
func (c *Channel) enter(p Phase, kinds ...NoticeKind) {
	c.core.Phase = p
	c.stale = true
	c.save()
	for _, k := range kinds {
		c.tell(k, "")
		c.fx.Delta.Events = append(c.fx.Delta.Events, k)
	}
}
