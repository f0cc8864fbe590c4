package channel

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// The simple close (option_simple_close): each side makes the closing transaction of
// which it pays the fee, the other signs it, and the miners choose. Either may say more
// later. A signature once given is good for ever, so both transactions are kept, and
// published until one of them is mined.

const (
	// sigPatience is how long the peer may take for its closing_sig.
	sigPatience = time.Minute
	// maxOffers bounds the closing_complete of one connection: each costs a signature, a
	// write and a place with whoever relays transactions.
	maxOffers = 100
)

// simpleClose is what is under way on this connection.
type simpleClose struct {
	sent    *lnwire.ClosingComplete // ours, that no closing_sig has answered
	clock   patience
	waiting *lnwire.ClosingComplete // the peer's, while the signer is away
	got     int                     // how many of the peer's
	late    bool                    // the peer, who asked for the close, makes no offer
}

// simply: the close is the simple one (B2.simple.1).
func (c *Channel) simply() bool { return c.conn.features.HasEither(lnwire.SimpleCloseOptional) }

// closeTxs are the closing transactions that could be mined, the likeliest last: of
// rivals, the last to be published is the one that the wallet counts on.
func (c *Channel) closeTxs() []*wire.MsgTx {
	txs := slices.DeleteFunc([]*wire.MsgTx{c.core.CloseTx, c.core.PeerCloseTx}, func(tx *wire.MsgTx) bool { return tx == nil })
	slices.SortStableFunc(txs, func(a, b *wire.MsgTx) int {
		return cmp.Or(cmp.Compare(c.late(b), c.late(a)), cmp.Compare(paid(b), paid(a)))
	})
	return txs
}

// likeliest is the one of them that will be mined, as far as we know.
func (c *Channel) likeliest() []*wire.MsgTx {
	txs := c.closeTxs()
	return txs[max(0, len(txs)-1):]
}

// late is by how many blocks the locktime of the peer's choice is off.
func (c *Channel) late(tx *wire.MsgTx) uint32 {
	return tx.LockTime - min(tx.LockTime, uint32(c.core.Tip.Height))
}

// paid is the sum of a transaction's outputs.
func paid(tx *wire.MsgTx) (sum int64) {
	for _, out := range tx.TxOut {
		sum += out.Value
	}
	return sum
}

// offerSimply sends closing_complete when we have something to say: a transaction of ours
// is still missing, or the operator wants one with a higher fee.
func (c *Channel) offerSimply() {
	s := &c.conn.simple
	if m := s.waiting; m != nil {
		s.waiting = nil
		c.rcvComplete(m)
	}
	if s.sent != nil || c.conn.broken { // B2.simple.6
		return
	}
	script := c.core.OurShutdown
	if len(c.terms.Ours.Upfront) == 0 && len(c.want.script) > 0 {
		script = c.want.script
	}
	p := c.closing()
	p.WeFund, p.OurScript = true, script
	fee, shapes := c.closerFee(p)
	if len(shapes) == 0 || c.core.CloseTx != nil && (c.core.CloseRate == 0 || fee <= c.core.CloseFee) || c.afterYou(p) {
		return
	}
	m := &lnwire.ClosingComplete{ClosingTerms: lnwire.ClosingTerms{
		ChannelID: c.core.ChannelID, CloserScript: script, CloseeScript: c.core.TheirShutdown, // B2.simple.3
		Fee: fee, LockTime: uint32(c.core.Tip.Height),
	}}
	if !c.signComplete(p, m, shapes) {
		return // the signer is away
	}
	c.moveTo(script)
	s.sent = m
	c.begin(&s.clock)
	c.send(m)
}

// afterYou: who asked for the close pays for it, if it can; we wait for its offer, for a
// while, before we make ours.
func (c *Channel) afterYou(p *commitment.Closing) bool {
	s := &c.conn.simple
	if c.core.WeClosed || c.core.CloseRate > 0 || c.core.PeerCloseTx != nil || s.late || p.Theirs.Sat() < lnwire.FeeFloor.Fee(p.Weight()) {
		return false
	}
	if !s.clock.on {
		c.begin(&s.clock)
	}
	return true
}

// signComplete signs every shape.
func (c *Channel) signComplete(p *commitment.Closing, m *lnwire.ClosingComplete, shapes []commitment.ClosingShape) bool {
	var jobs []commitment.SignJob
	for _, shape := range shapes {
		tx, err := commitment.BuildSimpleClosing(p, offerOf(&m.ClosingTerms, shape))
		if err != nil {
			c.tell(NoticeBug, err.Error())
			return false
		}
		jobs = append(jobs, tx.Job(c.terms.Keys))
	}
	sigs, ok := c.crypto.Sign(jobs)
	if !ok || len(sigs) != len(jobs) {
		return false
	}
	for i, shape := range shapes {
		*sigOf(&m.ClosingTerms, shape) = &sigs[i]
	}
	return true
}

func offerOf(m *lnwire.ClosingTerms, shape commitment.ClosingShape) commitment.SimpleOffer {
	return commitment.SimpleOffer{Fee: m.Fee, LockTime: m.LockTime, Shape: shape}
}

// sigOf is the field of the signature for a shape.
func sigOf(m *lnwire.ClosingTerms, shape commitment.ClosingShape) **lnwire.Sig {
	switch shape {
	case commitment.CloserOnly:
		return &m.CloserOnly
	case commitment.CloseeOnly:
		return &m.CloseeOnly
	case commitment.BothOutputs:
	}
	return &m.BothOutputs
}

// moveTo changes where our money goes. Former scripts are remembered: a transaction
// that pays to one of them may be mined.
func (c *Channel) moveTo(script []byte) {
	if bytes.Equal(script, c.core.OurShutdown) {
		return
	}
	c.core.OldScripts = append(slices.Clip(c.core.OldScripts), c.core.OurShutdown)
	c.core.OurShutdown = script
	c.save()
}

// closerFee is the fee that we offer, and the shapes that we sign for it; none when we
// cannot pay for a transaction that relays (B2.simple.2).
func (c *Channel) closerFee(p *commitment.Closing) (lnwire.Sat, []commitment.ClosingShape) {
	ours, theirs, weight := p.Ours.Sat(), p.Theirs.Sat(), p.Weight()
	floor := lnwire.FeeFloor.Fee(weight) + 1
	fee := max(floor, c.closerRate().Fee(weight))
	if fee = min(fee, ours); fee < floor {
		return 0, nil
	}
	ourDust, theirDust := dust(p.OurScript, ours-fee), dust(p.TheirScript, theirs)
	switch {
	case p.Ours < p.Theirs && ourDust && !theirDust: // B2.simple.4
		return fee, []commitment.ClosingShape{commitment.CloseeOnly}
	case p.Ours < p.Theirs && !ourDust && !theirDust:
		return fee, []commitment.ClosingShape{commitment.BothOutputs}
	case p.Ours < p.Theirs:
		return 0, nil
	}
	if least := commitment.DustThreshold(p.OurScript); ourDust { // our output has to stay
		if ours < least+floor {
			return 0, nil
		}
		fee = ours - least
	}
	if theirDust { // B2.simple.5
		return fee, []commitment.ClosingShape{commitment.CloserOnly}
	}
	return fee, []commitment.ClosingShape{commitment.CloserOnly, commitment.BothOutputs}
}

// dust: an output of that amount does not relay.
func dust(script []byte, amount lnwire.Sat) bool {
	return !isReturn(script) && amount < commitment.DustThreshold(script)
}

// closerRate is the fee rate of our closing transaction. Who asked for the close says how
// much that is worth, and is not outbid: beside a transaction of the peer ours pays the
// least.
func (c *Channel) closerRate() lnwire.SatPerKW {
	rate := c.core.CloseRate
	if rate == 0 {
		rate = c.usualRate()
		if c.core.PeerCloseTx != nil {
			rate = lnwire.FeeFloor
		}
	}
	if c.want.max > 0 {
		rate = min(rate, c.want.max)
	}
	return min(max(rate, lnwire.FeeFloor), maxFeeRate)
}

// rcvComplete signs the peer's closing transaction, of which the peer pays the fee.
func (c *Channel) rcvComplete(m *lnwire.ClosingComplete) {
	s := &c.conn.simple
	p := c.closing()
	p.WeFund, p.TheirScript = false, m.CloserScript
	if why := c.checkComplete(m, p); why != "" {
		c.warn("closing_complete: " + why)
		return
	}
	shape := c.closeeShape(p, m)
	tx, why := c.signedShape(p, &m.ClosingTerms, shape)
	if why != "" {
		c.warn("closing_complete: " + why)
		return
	}
	sigs, ok := c.crypto.Sign([]commitment.SignJob{tx.Job(c.terms.Keys)})
	if !ok || len(sigs) != 1 {
		s.waiting = m
		return
	}
	s.got++
	c.core.TheirShutdown = m.CloserScript // B2.simple.10
	c.core.PeerCloseTx = tx.Finish(sigs[0], **sigOf(&m.ClosingTerms, shape))
	answer := &lnwire.ClosingSig{ClosingTerms: lnwire.ClosingTerms{ // B2.simple.9
		ChannelID: c.core.ChannelID, CloserScript: m.CloserScript, CloseeScript: m.CloseeScript, Fee: m.Fee, LockTime: m.LockTime,
	}}
	*sigOf(&answer.ClosingTerms, shape) = &sigs[0]
	c.closesWith(c.core.PeerCloseTx)
	c.send(answer)
}

// checkComplete says what is wrong with closing_complete (B2.simple.7).
func (c *Channel) checkComplete(m *lnwire.ClosingComplete, p *commitment.Closing) string {
	switch up := c.terms.Theirs.Upfront; {
	case c.conn.simple.got >= maxOffers:
		return "too many of them"
	case m.Fee > p.Theirs.Sat():
		return fmt.Sprintf("fee_satoshis of %v are more than your %v", m.Fee, p.Theirs.Sat())
	case !bytes.Equal(m.CloseeScript, c.core.OurShutdown):
		return "closee_scriptpubkey is not what we said last"
	case !c.closeScript(m.CloserScript):
		return "closer_scriptpubkey has no allowed form"
	case len(up) > 0 && !bytes.Equal(up, m.CloserScript): // B2.shutdown.6
		return "closer_scriptpubkey is not your upfront_shutdown_script"
	}
	return ""
}

// closeeShape is the shape that we have to take: with our output, unless it is dust
// (B2.simple.8).
func (c *Channel) closeeShape(p *commitment.Closing, m *lnwire.ClosingComplete) commitment.ClosingShape {
	switch {
	case dust(p.OurScript, p.Ours.Sat()):
		return commitment.CloserOnly
	case m.BothOutputs != nil:
		return commitment.BothOutputs
	}
	return commitment.CloseeOnly
}

// signedShape is the closing transaction of a shape, if the peer has signed it.
func (c *Channel) signedShape(p *commitment.Closing, m *lnwire.ClosingTerms, shape commitment.ClosingShape) (*commitment.ClosingTx, string) {
	sig := *sigOf(m, shape)
	if sig == nil {
		return nil, shape.String() + " is missing"
	}
	tx, err := commitment.BuildSimpleClosing(p, offerOf(m, shape))
	if err != nil {
		return nil, err.Error()
	}
	if check, ok := tx.Check(*sig); !ok || !c.crypto.Verify([]commitment.Check{check}) {
		return nil, "the signature of " + shape.String() + " is wrong"
	}
	return tx, ""
}

// rcvSig is the peer's signature of our closing transaction.
func (c *Channel) rcvSig(m *lnwire.ClosingSig) {
	s := &c.conn.simple
	sent := s.sent
	if sent == nil {
		c.warn("closing_sig: there is nothing to sign")
		return
	}
	if m.Fee != sent.Fee || m.LockTime != sent.LockTime || !bytes.Equal(m.CloserScript, sent.CloserScript) ||
		!bytes.Equal(m.CloseeScript, sent.CloseeScript) { // B2.simple.11
		c.warn("closing_sig: it is not what we sent in closing_complete")
		return
	}
	shape, ok := onlyShape(&m.ClosingTerms)
	if !ok || *sigOf(&sent.ClosingTerms, shape) == nil { // B2.simple.12
		c.warn("closing_sig: not exactly one signature of those that we sent")
		return
	}
	p := c.closing()
	p.WeFund, p.OurScript, p.TheirScript = true, sent.CloserScript, sent.CloseeScript
	tx, why := c.signedShape(p, &m.ClosingTerms, shape)
	if why != "" {
		c.warn("closing_sig: " + why)
		return
	}
	s.sent, s.clock = nil, patience{}
	c.core.CloseTx = tx.Finish(**sigOf(&sent.ClosingTerms, shape), **sigOf(&m.ClosingTerms, shape))
	c.core.CloseFee = sent.Fee
	c.closesWith(c.core.CloseTx)
}

// onlyShape is the one shape that a message signs.
func onlyShape(m *lnwire.ClosingTerms) (only commitment.ClosingShape, ok bool) {
	for _, shape := range []commitment.ClosingShape{commitment.CloserOnly, commitment.CloseeOnly, commitment.BothOutputs} {
		if *sigOf(m, shape) == nil {
			continue
		}
		if only != 0 {
			return 0, false
		}
		only = shape
	}
	return only, only != 0
}

// closesWith publishes a complete closing transaction (B2.simple.13), and what it has to
// compete with.
func (c *Channel) closesWith(tx *wire.MsgTx) {
	c.save()
	if c.core.Phase != MutualClose {
		c.enter(MutualClose)
	}
	c.fx.Publish = append(c.fx.Publish, tx)
	if best := c.likeliest(); best[0] != tx {
		c.fx.Publish = append(c.fx.Publish, best...)
	}
	c.fx.Tell = append(c.fx.Tell, Notice{ChanNum: c.num, Kind: NoticeClosePublished, Tx: tx})
}

// sigTick ends a connection on which no closing_sig comes (B2.simple.6): the next one
// begins anew.
func (c *Channel) sigTick() {
	s := &c.conn.simple
	switch {
	case c.conn.broken || !c.over(&s.clock, sigPatience):
	case s.sent != nil:
		c.warn("no closing_sig came")
	default:
		s.late, s.clock = true, patience{}
	}
}

// bump is the operator's wish for a higher fee, or for another address (B2.simple.14).
func (c *Channel) bump(ev CloseAsked) {
	if why := c.checkScript(ev.Script); why != "" {
		c.refuseClose(why)
		return
	}
	p := c.closing()
	if p.WeFund = true; len(ev.Script) > 0 {
		p.OurScript = ev.Script
	}
	was := c.core.CloseRate
	c.want.max = ev.MaxFeeRate
	if c.core.CloseRate = ev.FeeRate; ev.FeeRate == 0 {
		c.core.CloseRate = c.usualRate()
	}
	fee, shapes := c.closerFee(p)
	switch {
	case len(shapes) == 0:
		c.refuseClose("our balance does not pay for a closing transaction: the peer has to make one")
	case c.core.CloseTx != nil && fee <= c.core.CloseFee:
		c.refuseClose(fmt.Sprintf("the closing transaction pays %v already; %v would not replace it", c.core.CloseFee, fee))
	default:
		c.want.script = ev.Script
		c.save()
		return
	}
	c.core.CloseRate = was
}
