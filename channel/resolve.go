package channel

import (
	"fmt"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// ending is what was given out of a channel's end in the chain. It is derived again
// after a restart.
type ending struct {
	com      *commitment.Commitment // that spent the funding, once it is known
	loading  bool                   // the revoked state was asked for
	watched  map[wire.OutPoint]bool
	claims   map[wire.OutPoint]claimed
	offered  map[wire.OutPoint]lnwire.Height // the tip at which an HTLC transaction was published
	preimage map[htlc.Ref]lnwire.Preimage    // seen in what is not mined yet, of HTLCs that carry others on
	outputs  []onchain.Output                // as last seen; never changed
	finished map[htlc.Ref]bool               // incoming HTLCs whose end was told
}

// claimed is what makes a claim differ from the one given out before.
type claimed struct {
	kind     commitment.SpendKind
	at       lnwire.Height
	deadline lnwire.Height
}

// spendKind tells a closing transaction from a commitment, and whose that is.
func (c *Channel) spendKind(tx *wire.MsgTx) SpendKind {
	n, ok := c.owner(true).NumberOf(tx)
	if !ok {
		return SpentByMutual
	}
	if c.terms.Restored {
		return SpentByUnknown
	}
	txid := tx.TxHash()
	if com, err := c.localCommitment(); err == nil && com.Txid == txid {
		return SpentByUs
	}
	if n < c.core.RemoteRevoked {
		return SpentByRevoked
	}
	if com := c.theirCommitment(n); com != nil && com.Txid == txid {
		return SpentByThem
	}
	return SpentByUnknown
}

// theirCommitment is commitment n of the peer, of the one or two that it has not
// revoked; nil when n is none of them.
func (c *Channel) theirCommitment(n uint64) *commitment.Commitment {
	point, spec := c.core.RemotePoint, commitment.Spec{}
	switch {
	case n == c.core.RemoteN:
		spec = c.remoteSpec()
		if c.awaiting() {
			point = c.core.RemoteNext
		}
	case n == c.core.RemoteRevoked:
		spec = c.spec(false, remoteHeld)
	default:
		return nil
	}
	com, err := c.buildRemote(n, point, spec)
	if err != nil {
		return nil
	}
	return com
}

// warnOfSpend tells of a spend that no honest course leads to.
func (c *Channel) warnOfSpend() {
	if c.terms.Restored {
		return // it is what was asked for, or was before the loss
	}
	switch s := c.core.Spend; s.Kind {
	case SpentByMutual: // B5.gen.4
		if c.core.OurShutdown == nil {
			c.tell(NoticeBug, "the funding output is spent by a transaction that we never signed: money may be lost")
		}
	case SpentByRevoked:
		c.tell(NoticeBreach, "the peer has published a commitment that it had revoked: all of it is claimed")
	case SpentByUnknown:
		c.tell(NoticeDataLost, "a commitment that we do not know was mined: only our balance in it can be claimed")
	case SpentByUs, SpentByThem:
	}
}

// resolving is a transaction that spends an output which we follow.
func (c *Channel) resolving(ev Spent) {
	s := c.core.Spend
	if s == nil || c.core.Phase != Closing || !c.end.watched[ev.OutPoint] {
		return
	}
	m := Mined{Tx: ev.Tx, Place: Place{At: ev.At, TxIndex: ev.TxIndex}}
	txid := ev.Tx.TxHash()
	i := slices.IndexFunc(s.Resolving, func(m Mined) bool { return m.Tx.TxHash() == txid })
	if i >= 0 && s.Resolving[i].Place == m.Place {
		return
	}
	if ev.At.Height > c.core.Tip.Height {
		c.core.Tip = ev.At
	}
	next := *s
	next.Resolving = slices.Clone(s.Resolving)
	if i >= 0 {
		next.Resolving[i] = m
	} else {
		next.Resolving = append(next.Resolving, m)
	}
	c.core.Spend = &next
	c.save()
	c.follow()
	c.fx.Taken = append(c.fx.Taken, m)
	c.fx.Outdone = append(c.fx.Outdone, m)
}

// unresolved: a transaction that spent an output left the chain. Everything is given
// out anew.
func (c *Channel) unresolved(txid chainhash.Hash) {
	s := c.core.Spend
	if s == nil {
		return
	}
	left := func(m Mined) bool { return m.Tx.TxHash() == txid }
	if !slices.ContainsFunc(s.Resolving, left) {
		return
	}
	next := *s
	next.Resolving = slices.DeleteFunc(slices.Clone(s.Resolving), left)
	if len(next.Resolving) == 0 {
		next.Resolving = nil
	}
	c.core.Spend = &next
	c.save()
	for op := range c.end.claims {
		c.end.claims[op] = claimed{}
	}
	c.follow()
}

// abandonEnd takes back what was claimed of a spend that is no more.
func (c *Channel) abandonEnd() {
	c.unclaim(func(wire.OutPoint) bool { return true })
	c.end = ending{}
}

// unclaim takes claims back.
func (c *Channel) unclaim(gone func(wire.OutPoint) bool) {
	list := slices.SortedFunc(maps.Keys(c.end.claims), func(a, b wire.OutPoint) int {
		x, y := outPointKey(a), outPointKey(b)
		return slices.Compare(x[:], y[:])
	})
	for _, op := range list {
		if gone(op) {
			delete(c.end.claims, op)
			c.fx.Unclaim = append(c.fx.Unclaim, op)
		}
	}
}

// loaded brings the state behind a revoked commitment.
func (c *Channel) loaded(ev Loaded) {
	s := c.core.Spend
	if s == nil || s.Kind != SpentByRevoked || c.end.com != nil {
		return
	}
	n, ok := c.owner(true).NumberOf(s.Tx)
	if !ok || n != ev.Revoked.N {
		return
	}
	secret, ok := c.secrets.Lookup(n)
	if !ok {
		c.tell(NoticeBug, fmt.Sprintf("the secret of revoked commitment %d is missing", n))
		return
	}
	point, _ := commitment.PointOf(secret)
	com, err := c.buildRemote(n, point, c.revokedSpec(&ev.Revoked))
	if err == nil && com.Txid == s.Tx.TxHash() {
		c.end.com = com
		c.follow()
		return
	}
	// It bears a revoked number and is none of the peer's: an old one of ours, which a
	// copy of this node may have published.
	next := *s
	next.Kind = SpentByUnknown
	c.core.Spend = &next
	c.save()
	c.warnOfSpend()
	c.follow()
}

// revokedSpec is what a revoked commitment of the peer held.
func (c *Channel) revokedSpec(r *Revoked) commitment.Spec {
	s := commitment.Spec{FeeRate: r.FeeRate, ToOwner: r.Theirs, ToOther: r.Ours}
	for _, h := range r.HTLCs {
		s.HTLCs = append(s.HTLCs, commitment.HTLC{
			Ref: h.Ref, Offered: h.Ref.Dir == htlc.Incoming, Amount: h.Amount, Expiry: h.Expiry, Hash: h.Hash,
		})
	}
	return s
}

// preimageSeen ends HTLCs that carry others on, whatever becomes of their outputs: upstream
// the preimage is worth the same. Where it spends the output of an HTLC it is that one's, and
// not another's of the same hash (V-11); else it counts for those without an output. An incoming
// HTLC is claimed only by its name (V-03), and what we pay ourselves is paid when the chain
// says so.
func (c *Channel) preimageSeen(p lnwire.Preimage, spends wire.OutPoint) {
	hash, seen := p.Hash(), false
	there := map[htlc.Ref]bool{}
	var of *htlc.Ref
	for i := range c.end.outputs {
		if o := &c.end.outputs[i]; o.Role == onchain.FirstStage {
			if there[o.Ref] = true; o.OutPoint == spends {
				of = &o.Ref
			}
		}
	}
	for _, e := range c.out {
		if e.Hash != hash || e.Origin.Kind != htlc.FromForward || of != nil && *of != e.Ref || of == nil && there[e.Ref] {
			continue
		}
		if c.end.preimage == nil {
			c.end.preimage = map[htlc.Ref]lnwire.Preimage{}
		}
		c.end.preimage[e.Ref], seen = p, true
	}
	if seen {
		c.follow()
	}
}

// follow does what BOLT 5 asks for as things stand: it watches and claims outputs,
// tells how HTLCs ended, reports the close and forgets the channel in the end.
func (c *Channel) follow() {
	s := c.core.Spend
	if s == nil || c.core.Phase != Closing || s.Kind == SpentByMutual {
		return
	}
	end := c.closeOf(s)
	r := onchain.Resolve(end)
	c.watchOutputs(r.Outputs)
	c.watchOutputs(r.Watch)
	c.claimOutputs(&r)
	c.publishHTLCs(end, r.Publish)
	for _, v := range r.Verdicts {
		c.verdict(v)
	}
	row := c.commitmentRow(&r)
	c.report(row)
	c.end.outputs = r.Outputs
	c.finishedOnChain()
	if r.Done && !c.unanswered() {
		c.forget(row)
	}
}

// finishedOnChain tells the incoming HTLCs whose outputs are spent.
func (c *Channel) finishedOnChain() {
	for i := range c.end.outputs {
		o := &c.end.outputs[i]
		if o.Role != onchain.FirstStage || o.Ref.Dir != htlc.Incoming || o.By == nil || c.end.finished[o.Ref] {
			continue
		}
		if c.end.finished == nil {
			c.end.finished = map[htlc.Ref]bool{}
		}
		c.end.finished[o.Ref] = true
		ours := o.Taken == onchain.ByUs || o.Taken == onchain.ToSecondStage
		c.fx.Delta.Finished = append(c.fx.Delta.Finished, Finish{Ref: o.Ref, Settled: ours, OnChain: true})
	}
}

// unanswered: an incoming HTLC was given to the switch, and the switch has not answered:
// it may have been carried on, and lives there. Whatever became of it here, the answer
// must find it: nothing is forgotten that an outgoing HTLC or the outbox may name as
// its origin.
func (c *Channel) unanswered() bool {
	return slices.ContainsFunc(c.in, func(e *entry) bool {
		return e.State == htlc.RcvdAddAckRevocation && e.Removal == nil
	})
}

// closeOf is all that is known of the end.
func (c *Channel) closeOf(s *Spend) *onchain.Close {
	end := &onchain.Close{
		Params: c.owner(false), Tx: s.Tx, At: s.Place.At.Height, Keys: c.terms.Keys, Tip: c.core.Tip.Height, HTLCs: c.unsettled(),
	}
	for _, m := range s.Resolving {
		end.Spends = append(end.Spends, onchain.Spend{Tx: m.Tx, At: m.Place.At.Height})
	}
	n, _ := c.owner(true).NumberOf(s.Tx)
	switch s.Kind {
	case SpentByUs:
		end.Whose = onchain.Ours
		if c.end.com == nil {
			c.end.com, _ = c.localCommitment()
		}
		end.TheirSigs = c.local.HTLCSigs
	case SpentByThem:
		end.Whose = onchain.Theirs
		if c.end.com == nil {
			c.end.com = c.theirCommitment(n)
		}
	case SpentByRevoked:
		end.Whose = onchain.Revoked
		end.Secret, _ = c.secrets.Lookup(n)
		if c.end.com == nil && !c.end.loading {
			c.end.loading = true
			c.fx.Load = append(c.fx.Load, n)
		}
	case SpentByUnknown, SpentByMutual:
		end.Whose = onchain.Unknown
		end.Own, end.OwnPoint = c.owner(true), c.point(n) // B5.lost.2
	}
	end.Commitment = c.end.com
	return end
}

// unsettled are the HTLCs of the table as the chain needs them.
func (c *Channel) unsettled() []onchain.HTLC {
	list := make([]onchain.HTLC, 0, len(c.in)+len(c.out))
	petty := c.petty()
	c.each(func(e *entry) {
		h := onchain.HTLC{Ref: e.Ref, Expiry: e.Expiry, Hash: e.Hash}
		if e.Removal != nil && e.Removal.Kind == htlc.Fulfilled {
			h.Preimage = &e.Removal.Preimage
		}
		if e.Ref.Dir == htlc.Outgoing {
			if e.Origin.Kind == htlc.FromForward {
				h.Upstream = e.Origin.ExpiryIn
				if p, ok := c.end.preimage[e.Ref]; ok && h.Preimage == nil {
					h.Preimage = &p
				}
			}
			h.Petty = petty[e.Ref]
		}
		list = append(list, h)
	})
	return list
}

// watchOutputs asks for the spends of outputs.
func (c *Channel) watchOutputs(list []onchain.Output) {
	if c.end.watched == nil {
		c.end.watched = map[wire.OutPoint]bool{}
	}
	for i := range list {
		o := &list[i]
		if c.end.watched[o.OutPoint] {
			continue
		}
		c.end.watched[o.OutPoint] = true
		c.fx.Watch = append(c.fx.Watch, Watch{OutPoint: &o.OutPoint, Script: o.PkScript, From: o.At})
	}
}

// claimOutputs gives out claims that are new or differ, and takes those back whose
// outputs are not in the chain any more.
func (c *Channel) claimOutputs(r *onchain.Result) {
	there := make(map[wire.OutPoint]bool, len(r.Outputs))
	for i := range r.Outputs {
		there[r.Outputs[i].OutPoint] = true
	}
	c.unclaim(func(op wire.OutPoint) bool { return !there[op] })
	if c.end.claims == nil {
		c.end.claims = map[wire.OutPoint]claimed{}
	}
	for _, cl := range r.Claims {
		now := claimed{kind: cl.Kind, at: cl.At, deadline: cl.Deadline}
		if old, ok := c.end.claims[cl.OutPoint]; !ok || old != now {
			c.end.claims[cl.OutPoint] = now
			c.fx.Claims = append(c.fx.Claims, cl)
		}
	}
}

// publishHTLCs publishes HTLC transactions that pay for themselves, with every block
// until they are mined.
func (c *Channel) publishHTLCs(end *onchain.Close, list []onchain.Complete) {
	list = slices.DeleteFunc(list, func(t onchain.Complete) bool { return c.end.offered[t.OutPoint] == end.Tip })
	if len(list) == 0 {
		return
	}
	all := end.Commitment.OwnJobs(end.Keys)
	jobs := make([]commitment.SignJob, len(list))
	for i, t := range list {
		jobs[i] = all[1+t.Index]
	}
	sigs, ok := c.crypto.Sign(jobs)
	if !ok || len(sigs) != len(jobs) {
		return // the signer is away: with the next block
	}
	if c.end.offered == nil {
		c.end.offered = map[wire.OutPoint]lnwire.Height{}
	}
	for i, t := range list {
		tx, err := end.Commitment.FinishHTLC(t.Index, sigs[i], end.TheirSigs[t.Index], t.Preimage)
		if err != nil {
			c.tell(NoticeBug, err.Error())
			continue
		}
		c.end.offered[t.OutPoint] = end.Tip
		c.fx.Publish = append(c.fx.Publish, tx)
	}
}

// verdict tells the end of an outgoing HTLC.
func (c *Channel) verdict(v onchain.Verdict) {
	e, ok := c.byRef(v.Ref)
	if !ok || e.Told {
		return
	}
	switch {
	case v.Preimage != nil:
		c.outcome(e, htlc.Resolution{Kind: htlc.Fulfilled, Preimage: *v.Preimage})
	case v.Absent && e.Removal != nil && e.Removal.Kind != htlc.Fulfilled:
		c.outcome(e, *e.Removal) // the peer had said why before
	default:
		e.Late = e.Late || v.GivenUp
		c.outcome(e, htlc.Resolution{Kind: htlc.TimedOut})
	}
}

// commitmentRow is the summary of a close by a commitment.
func (c *Channel) commitmentRow(r *onchain.Result) ClosedRow {
	s := c.core.Spend
	kind := ClosedByThem
	switch s.Kind {
	case SpentByUs:
		kind = ClosedByUs
	case SpentByRevoked:
		kind = ClosedBreach
	case SpentByThem, SpentByUnknown, SpentByMutual:
	}
	row := c.summary(kind)
	row.CloseTxid, row.At = s.Tx.TxHash(), s.Place.At
	for i := range r.Outputs {
		o := &r.Outputs[i]
		if o.Role == onchain.Main {
			switch o.Claim.Kind {
			case commitment.SpendOwnerMain:
				row.TimeLock += o.Value
			default:
				row.Settled += o.Value
			}
		}
		row.Resolutions = append(row.Resolutions, resolution(o))
	}
	return row
}

// endOutput is an output as Info tells it.
func endOutput(o *onchain.Output) EndOutput {
	e := EndOutput{Resolution: resolution(o), Ref: o.Ref, Second: o.Role == onchain.SecondStage, Expiry: o.Expiry}
	if o.Claim != nil {
		e.Mature = o.Claim.MatureAt
	} else if o.Publishes() {
		e.Mature = o.Expiry + 1
		if o.Ref.Dir == htlc.Incoming {
			e.Mature = o.At
		}
	}
	return e
}

// resolution is what became of an output.
func resolution(o *onchain.Output) Resolution {
	res := Resolution{Kind: ResolvedBalance, End: EndOpen, OutPoint: o.OutPoint, Value: o.Value}
	switch {
	case o.Role == onchain.Main:
	case o.Role == onchain.Anchor:
		res.Kind = ResolvedAnchor
	case o.Ref.Dir == htlc.Outgoing:
		res.Kind = ResolvedOutgoing
	default:
		res.Kind = ResolvedIncoming
	}
	if o.By != nil {
		res.Txid = o.By.Tx.TxHash()
		switch o.Taken {
		case onchain.ByUs:
			res.End = EndClaimed
		case onchain.ToSecondStage:
			res.End = EndFirstStage
		case onchain.ByPeer, onchain.NotTaken:
			res.End = EndLost
		}
	}
	return res
}
