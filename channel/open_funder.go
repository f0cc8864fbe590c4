package channel

import (
	"bytes"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// openStep is how far an opening has come.
type openStep uint8

const (
	openIdle    openStep = iota
	sentOpen             // funder: waits for accept_channel
	askedFund            // funder: waits for the wallet
	owesCreated          // funder: the signer was away
	sentCreated          // funder: waits for funding_signed
	askedAccept          // fundee: waits for our own terms
	sentAccept           // fundee: waits for funding_created
	askedUnique          // fundee: waits whether the outpoint is free
	askedBackup          // both: the peer's signature is good; waits for the static backup
	owesSigned           // fundee: the signer was away
)

// opening is what is known before anything binds.
type opening struct {
	step    openStep
	asked   OpenAsked           // funder
	open    *lnwire.OpenChannel // fundee: the peer's
	theirs  Side
	first   lnwire.PubKey // their first_per_commitment_point
	kind    Kind
	funded  Funded                 // funder
	created *lnwire.FundingCreated // fundee
	sig     lnwire.Sig             // the peer's, of our first commitment
	tip     lnwire.BlockRef
	feat    lnwire.Features
	until   time.Duration // monotonic time of its end, if it has not ended by then; 0: not known yet
}

// openingPatience is how long it may take from open_channel to the last signature of
// the funding, whoever the funder is. Who waits for ever would keep the coins of the
// funding, and its place among the few openings that may be in progress (V-40).
const openingPatience = 10 * time.Minute

// openingFrom starts the clock of an opening.
func (c *Channel) openingFrom() {
	if c.mono > 0 {
		c.opening.until = c.mono + openingPatience
		c.fx.Wake = c.opening.until
	}
}

// openingTick ends an opening that comes to nothing.
func (c *Channel) openingTick() {
	o := c.opening
	switch {
	case o == nil || o.step == openIdle || o.step == askedFund && o.asked.Slow:
	case o.until == 0:
		c.openingFrom()
	case c.mono >= o.until:
		c.abort("the opening of the channel takes too long")
	default:
		c.fx.Wake = o.until
	}
}

// openAsked checks what we were told to offer and sends open_channel.
func (c *Channel) openAsked(ev OpenAsked) {
	o := c.opening
	if c.core.Phase != Opening || o == nil || o.step != openIdle {
		c.tell(NoticeOpenFailed, "this channel is already being opened")
		return
	}
	kind := Kind{Format: ev.Format, ScidAlias: ev.ScidAlias, ZeroConf: ev.ZeroConf}
	p := proposal{kind: kind, public: !ev.Private, capacity: ev.Capacity, push: ev.Push, rate: ev.FeeRate, funder: ev.Ours, features: ev.Features, feeCeiling: maxFeeRate}
	why := p.check()
	if _, ok := kindOf(kind.Type(), ev.Features); why == "" && !ok {
		why = "the peer does not support the channel type"
	}
	if why == "" && ev.ZeroConf && ev.Alias == 0 {
		why = "a channel without confirmations needs an alias"
	}
	if why != "" {
		c.giveUp(why)
		return
	}
	c.conn.up, c.conn.features, c.now = true, ev.Features, ev.Now
	o.asked, o.kind, o.step = ev, kind, sentOpen
	o.tip, o.feat = ev.At, ev.Features
	c.openingFrom()
	c.send(c.openMessage(&ev))
}

// openMessage is our open_channel.
func (c *Channel) openMessage(ev *OpenAsked) *lnwire.OpenChannel {
	s, t := &ev.Ours, c.opening.kind.Type()
	m := &lnwire.OpenChannel{
		ChainHash: c.cfg.Chain, TemporaryChannelID: ev.TempID, // B2.open.1
		FundingSat: ev.Capacity, PushMsat: ev.Push, FeeratePerKW: ev.FeeRate,
		DustLimit: s.DustLimit, MaxHTLCValueInFlight: s.MaxInFlight, ChannelReserve: s.Reserve, HTLCMinimum: s.HTLCMinimum,
		ToSelfDelay: s.ToSelfDelay, MaxAcceptedHTLCs: s.MaxAccepted,
		FundingPubKey: s.Funding, RevocationBasepoint: s.Revocation, PaymentBasepoint: s.Payment,
		DelayedBasepoint: s.Delayed, HTLCBasepoint: s.HTLC,
		FirstPoint:      c.crypto.Point(ev.Keys.Root, 0),
		UpfrontShutdown: append([]byte{}, s.Upfront...), // B2.open.12: always there, empty to opt out
		ChannelType:     &t,                             // B2.open.13
	}
	if !ev.Private {
		m.Flags = lnwire.AnnounceChannel
	}
	return m
}

// acceptChannel is the peer's yes.
func (c *Channel) acceptChannel(m *lnwire.AcceptChannel) {
	o := c.opening
	theirs := Side{
		Basepoints: commitment.Basepoints{
			Funding: m.FundingPubKey, Revocation: m.RevocationBasepoint, Payment: m.PaymentBasepoint,
			Delayed: m.DelayedBasepoint, HTLC: m.HTLCBasepoint,
		},
		DustLimit: m.DustLimit, Reserve: m.ChannelReserve, MaxInFlight: m.MaxHTLCValueInFlight, HTLCMinimum: m.HTLCMinimum,
		MaxAccepted: m.MaxAcceptedHTLCs, ToSelfDelay: m.ToSelfDelay, Upfront: m.UpfrontShutdown,
	}
	if why := c.checkAccept(m, &theirs); why != "" {
		c.abort("accept_channel: " + why)
		return
	}
	o.theirs, o.first, o.step = theirs, m.FirstPoint, askedFund
	a := &o.asked
	c.agree(Terms{
		TempID: a.TempID, Funder: true, Private: a.Private, Format: a.Format, Capacity: a.Capacity, Push: a.Push, FirstFee: a.FeeRate,
		MinDepth: o.kind.depth(max(a.MinDepth, m.MinimumDepth)), Ours: a.Ours, Theirs: theirs, Keys: a.Keys, Alias: a.Alias, Memo: a.Memo,
		Thaw: a.Thaw,
	})
	_, script := commitment.FundingScript(a.Ours.Funding, theirs.Funding)
	c.fx.Ask = append(c.fx.Ask, Ask{ID: askFund, Question: AskFund{Script: script, Amount: a.Capacity, FeeRate: a.FundingFeeRate}})
}

// checkAccept says what is wrong with an accept_channel; "" when nothing is.
func (c *Channel) checkAccept(m *lnwire.AcceptChannel, theirs *Side) string {
	a := &c.opening.asked
	kind := c.opening.kind
	if m.ChannelType == nil || !m.ChannelType.Equal(kind.Type()) { // B2.accept.1
		return "channel_type is not the one of open_channel"
	}
	if kind.ZeroConf && m.MinimumDepth != 0 { // B2.zeroconf.2
		return "minimum_depth is not 0, which option_zeroconf says"
	}
	if _, err := m.FirstPoint.Parse(); err != nil {
		return "first_per_commitment_point is " + err.Error()
	}
	if m.MinimumDepth > 144 {
		return "minimum_depth is above 144"
	}
	if a.MaxDelay > 0 && theirs.ToSelfDelay > a.MaxDelay {
		return fmt.Sprintf("to_self_delay of %d is above %d", theirs.ToSelfDelay, a.MaxDelay)
	}
	if why := theirs.check(a.Capacity); why != "" {
		return why
	}
	return checkBoth(&a.Ours, theirs)
}

// depth is how deep the funding of such a channel has to be: at least 1, when it has to
// be mined at all (B2.zeroconf.2).
func (k Kind) depth(wanted uint32) uint32 {
	if k.ZeroConf {
		return 0
	}
	return max(1, wanted)
}

// agree fixes the terms and the state of both first commitments.
func (c *Channel) agree(t Terms) {
	o := c.opening
	t.ChanNum, t.Peer, t.OpenedAt, t.OpenedTip, t.Features = c.num, c.peer, c.now, o.tip, o.feat
	t.ChannelType = o.kind.Type()
	c.terms = &t
	c.core.Tip, c.core.FeeRate, c.core.RemotePoint = o.tip, t.FirstFee, o.first
	c.core.Ours, c.core.Theirs = t.Capacity.MilliSat()-t.Push, t.Push
	if !t.Funder {
		c.core.Ours, c.core.Theirs = c.core.Theirs, c.core.Ours
	}
}

// funded takes the wallet's transaction and sends funding_created.
func (c *Channel) funded(f Funded) {
	o := c.opening
	if f.At != nil && f.At.Index <= 0xffff && f.At.Hash != (chainhash.Hash{}) {
		o.funded, o.step = f, owesCreated
		c.fundAt(FundingTx{OutPoint: *f.At})
		c.signCreated()
		return
	}
	_, script := commitment.FundingScript(c.terms.Ours.Funding, c.terms.Theirs.Funding)
	if f.Tx == nil || f.Output > 0xffff || int(f.Output) >= len(f.Tx.TxOut) ||
		f.Tx.TxOut[f.Output].Value != int64(c.terms.Capacity) || !bytes.Equal(f.Tx.TxOut[f.Output].PkScript, script) {
		c.tell(NoticeBug, "the wallet's transaction does not pay to the funding script")
		c.abort("funding failed")
		return
	}
	o.funded, o.step = f, owesCreated
	if o.asked.Slow {
		c.openingFrom()
	}
	op := wire.OutPoint{Hash: f.Tx.TxHash(), Index: f.Output}
	c.fundAt(FundingTx{OutPoint: op, Tx: f.Tx, Ours: !f.Extern, Batch: f.Batch})
	c.signCreated()
}

// fundAt notes where the funding will be.
func (c *Channel) fundAt(f FundingTx) {
	c.core.Funding, c.core.ChannelID = f.OutPoint, lnwire.ChannelIDFrom(f.OutPoint)
	c.fundings = []FundingTx{f}
}

// signCreated signs the peer's first commitment, once the signer is there.
func (c *Channel) signCreated() {
	o := c.opening
	sig, ok := c.signFirst()
	if !ok {
		return
	}
	o.step = sentCreated
	c.dirty.terms = true
	c.enter(Funding)
	c.fx.Delta.Riders = append(c.fx.Delta.Riders, o.funded.With...)
	op := c.core.Funding
	c.send(&lnwire.FundingCreated{TemporaryChannelID: c.terms.TempID, FundingTxid: op.Hash, FundingOutput: uint16(op.Index), Sig: sig}) // B2.funding.1
}

// signFirst signs the peer's commitment 0; false while the signer is away, or when
// there is no such commitment, in which case the opening ends.
func (c *Channel) signFirst() (sig lnwire.Sig, ok bool) {
	com, err := c.buildRemote(0, c.core.RemotePoint, c.remoteSpec())
	if err != nil {
		c.abort("first commitment: " + err.Error())
		return sig, false
	}
	sigs, ok := c.crypto.Sign(com.SignJobs(c.terms.Keys))
	if !ok || len(sigs) != 1 {
		return sig, false
	}
	return sigs[0], true
}

// verifyFirst checks the peer's signature of our commitment 0.
func (c *Channel) verifyFirst(sig lnwire.Sig) bool {
	com, err := c.buildLocal(0, c.localSpec())
	if err != nil {
		return false
	}
	checks, ok := com.Checks(sig, nil) // B2.funding.2: canonical and low S (V-02)
	return ok && c.crypto.Verify(checks)
}

// fundingSigned lets us publish the funding: our money can come back from now on.
func (c *Channel) fundingSigned(m *lnwire.FundingSigned) {
	if !c.verifyFirst(m.Sig) {
		c.abort("funding_signed: the signature is wrong")
		return
	}
	c.askBackup(m.Sig)
}

// askBackup has the channel put into the static backup, before anything leaves that can
// bring money into it.
func (c *Channel) askBackup(sig lnwire.Sig) {
	c.opening.sig, c.opening.step = sig, askedBackup
	terms := *c.terms
	c.fx.Ask = append(c.fx.Ask, Ask{ID: askBackup, Question: AskBackup{Terms: &terms, Funding: c.core.Funding}})
}

// backingUp: the message has to wait for the backup. An error ends the opening at once.
func (c *Channel) backingUp(msg lnwire.Message) bool {
	_, fails := msg.(*lnwire.Error)
	return c.opening != nil && c.opening.step == askedBackup && !fails
}

// backedUp: whatever happens to this node, its operator can have the money back.
func (c *Channel) backedUp() {
	if c.core.Phase == Opening { // the fundee
		c.opening.step = owesSigned
		c.signSigned()
	} else {
		c.signedBoth(c.opening.sig)
		// B2.funding.3: not before the peer's signature.
		c.publishFunding()
		c.ready()
	}
	if c.opening == nil {
		c.takeHeld()
	}
}

// signedBoth: both first commitments are signed, the channel exists.
func (c *Channel) signedBoth(sig lnwire.Sig) {
	c.local, c.dirty.local = &LocalCommit{N: 0, Sig: sig}, true
	c.opening = nil
	c.conn.synced = true
	c.enter(AwaitReady, NoticeOpening)
	c.watchFunding()
}

// watchFunding asks for the funding's confirmation and for its spend.
func (c *Channel) watchFunding() {
	_, script := commitment.FundingScript(c.terms.Ours.Funding, c.terms.Theirs.Funding)
	op := c.core.Funding
	c.fx.Watch = append(c.fx.Watch,
		Watch{Txid: &op.Hash, Script: script, From: c.terms.OpenedTip.Height},
		Watch{OutPoint: &op, Script: script, From: c.terms.OpenedTip.Height})
}
