package channel

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// openChannel is a peer that wants to open a channel to us.
func (c *Channel) openChannel(m *lnwire.OpenChannel, ev *Received) {
	o := c.opening
	c.conn.up, c.conn.features = true, ev.Features
	c.now = ev.Now
	o.open, o.tip, o.feat = m, ev.At, ev.Features
	o.first = m.FirstPoint
	o.theirs = Side{
		Basepoints: commitment.Basepoints{
			Funding: m.FundingPubKey, Revocation: m.RevocationBasepoint, Payment: m.PaymentBasepoint,
			Delayed: m.DelayedBasepoint, HTLC: m.HTLCBasepoint,
		},
		DustLimit: m.DustLimit, Reserve: m.ChannelReserve, MaxInFlight: m.MaxHTLCValueInFlight, HTLCMinimum: m.HTLCMinimum,
		MaxAccepted: m.MaxAcceptedHTLCs, ToSelfDelay: m.ToSelfDelay, Upfront: m.UpfrontShutdown,
	}
	if why := c.checkOpen(m); why != "" {
		c.abort("open_channel: " + why)
		return
	}
	o.step = askedAccept
	c.openingFrom()
	c.fx.Ask = append(c.fx.Ask, Ask{ID: askAccept, Question: AskAccept{Peer: c.peer, Open: m, Kind: o.kind, Features: o.feat}})
}

// checkOpen says what is wrong with an open_channel; "" when nothing is.
func (c *Channel) checkOpen(m *lnwire.OpenChannel) string {
	o := c.opening
	if m.ChainHash != c.cfg.Chain { // B2.open.14
		return "chain_hash is not our chain"
	}
	if m.ChannelType == nil { // B2.open.15
		return "channel_type is missing"
	}
	var ok bool
	if o.kind, ok = kindOf(*m.ChannelType, o.feat); !ok { // B2.open.16
		return "channel_type is not suitable"
	}
	if _, err := m.FirstPoint.Parse(); err != nil {
		return "first_per_commitment_point is " + err.Error()
	}
	p := proposal{kind: o.kind, public: m.Flags&lnwire.AnnounceChannel != 0, capacity: m.FundingSat, push: m.PushMsat, rate: m.FeeratePerKW, funder: o.theirs, features: o.feat, feeCeiling: c.feeCeiling()}
	return p.check()
}

// accepted are our own terms: accept_channel goes out.
func (c *Channel) accepted(a Accepted) {
	o := c.opening
	why := a.Ours.check(o.open.FundingSat)
	if why == "" {
		why = checkBoth(&a.Ours, &o.theirs)
	}
	if why == "" && o.kind.ZeroConf && (!a.ZeroConf || a.Alias == 0) { // B2.zeroconf.1
		why = "channels without confirmations are not taken from you"
	}
	if why != "" {
		c.abort("cannot accept: " + why)
		return
	}
	o.step = sentAccept
	m := o.open
	c.agree(Terms{
		TempID: m.TemporaryChannelID, Private: m.Flags&lnwire.AnnounceChannel == 0, Format: o.kind.Format, Capacity: m.FundingSat, Push: m.PushMsat,
		FirstFee: m.FeeratePerKW, MinDepth: o.kind.depth(a.MinDepth), Ours: a.Ours, Theirs: o.theirs, Keys: a.Keys, Alias: a.Alias,
		Thaw: a.Thaw,
	})
	s, t := &a.Ours, o.kind.Type()
	c.send(&lnwire.AcceptChannel{
		TemporaryChannelID: m.TemporaryChannelID, // B2.accept.4
		DustLimit:          s.DustLimit, MaxHTLCValueInFlight: s.MaxInFlight, ChannelReserve: s.Reserve, HTLCMinimum: s.HTLCMinimum,
		MinimumDepth: c.terms.MinDepth, ToSelfDelay: s.ToSelfDelay, MaxAcceptedHTLCs: s.MaxAccepted,
		FundingPubKey: s.Funding, RevocationBasepoint: s.Revocation, PaymentBasepoint: s.Payment,
		DelayedBasepoint: s.Delayed, HTLCBasepoint: s.HTLC,
		FirstPoint:      c.crypto.Point(a.Keys.Root, 0),
		UpfrontShutdown: append([]byte{}, s.Upfront...),
		ChannelType:     &t, // B2.accept.1
	})
}

// fundingCreated names the funding output. Only one channel of a node may have it
// (V-31), which this machine cannot see.
func (c *Channel) fundingCreated(m *lnwire.FundingCreated) {
	o := c.opening
	if m.FundingTxid == (chainhash.Hash{}) { // V-42
		c.abort("funding_created: funding_txid is zero")
		return
	}
	o.created, o.step = m, askedUnique
	c.fundAt(FundingTx{OutPoint: wire.OutPoint{Hash: m.FundingTxid, Index: uint32(m.FundingOutput)}})
	c.fx.Ask = append(c.fx.Ask, Ask{ID: askOutPoint, Question: AskOutPoint{OutPoint: c.core.Funding}})
}

// unique: the outpoint is ours alone. The signature is checked and answered.
func (c *Channel) unique() {
	if !c.verifyFirst(c.opening.created.Sig) {
		c.abort("funding_created: the signature is wrong")
		return
	}
	c.askBackup(c.opening.created.Sig)
}

// signSigned signs the funder's first commitment, once the signer is there.
func (c *Channel) signSigned() {
	sig, ok := c.signFirst()
	if !ok {
		return
	}
	theirs := c.opening.sig
	c.dirty.terms = true
	c.signedBoth(theirs)
	c.send(&lnwire.FundingSigned{ChannelID: c.core.ChannelID, Sig: sig}) // B2.funding.4
	c.ready()
}

// answered hands an answer to whoever waits for it.
func (c *Channel) answered(ev Answered) {
	o := c.opening
	step := openIdle
	if o != nil {
		step = o.step
	}
	switch a := ev.Answer.(type) {
	case Funded:
		if step == askedFund && ev.ID == askFund {
			c.funded(a)
		} else if a.Tx != nil && !a.Extern && a.Batch == 0 && c.core.Funding.Hash != a.Tx.TxHash() {
			c.fx.Unfund = a.Tx // too late
		}
	case Accepted:
		if step == askedAccept && ev.ID == askAccept {
			c.accepted(a)
		}
	case Free:
		if step == askedUnique && ev.ID == askOutPoint {
			c.unique()
		}
	case BackedUp:
		if step == askedBackup && ev.ID == askBackup {
			c.backedUp()
		}
	case ShutdownScript:
		if ev.ID == askScript {
			c.gotScript(a.Script)
		}
	case Declined:
		c.declined(ev.ID, step, a.Text)
	}
}

// declined ends what waited for the answer.
func (c *Channel) declined(id uint64, step openStep, text string) {
	switch {
	case id == askFund && step == askedFund:
		c.abort("funding failed: " + text)
	case id == askAccept && step == askedAccept:
		c.abort(text)
	case id == askOutPoint && step == askedUnique:
		c.abort("funding_created: the outpoint is already in use")
	case id == askBackup && step == askedBackup:
		c.abort("funding refused: " + text)
	case id == askScript && c.want.closing:
		c.want, c.conn.asked, c.stale = wish{}, false, true
		c.tell(NoticeCloseRefused, text)
	}
}
