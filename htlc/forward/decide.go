package forward

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// lockedIn takes up an incoming HTLC. What was decided before stays decided.
func (s *Switch) lockedIn(ev LockedIn, fx *Effects) {
	in, ref := ev.HTLC, ev.HTLC.HTLC.Ref
	if f, ok := s.forwards[ref]; ok { // told again: it is on its way
		if !f.known { // from an earlier run
			f.amount = in.HTLC.Amount
		}
		f.in, f.known = in, true
		return
	}
	if h, ok := s.held[ref]; ok {
		s.toldAgain(h, in)
		return
	}
	if s.waitsForNext(in) {
		return
	}
	if o, ok := s.orphans[ref]; ok {
		delete(s.orphans, ref)
		s.answer(&forward{in: in, amount: in.HTLC.Amount, known: true, out: route{now: o.Ref.ChanNum, amount: o.Amount}}, o, fx)
		return
	}
	if r, ok := s.answered.byRef[ref]; ok {
		fx.Resolve = append(fx.Resolve, r)
		return
	}
	if s.blind {
		s.hold(in, ev.Again)
		return
	}
	s.decide(in, ev.Again, fx)
}

// decide says what becomes of an incoming HTLC. Again: it may have been told in an earlier
// run.
func (s *Switch) decide(in htlc.Locked, again bool, fx *Effects) {
	ref := in.HTLC.Ref
	switch {
	case in.Opened.Bad != nil && in.Place() == onion.Outside:
		s.resolve(Resolve{Ref: ref, Resolution: htlc.Resolution{
			Kind: htlc.Malformed, OnionSHA256: in.Opened.Bad.SHA256, Code: uint16(in.Opened.Bad.Code),
		}}, fx)
	case in.Opened.Bad != nil:
		s.refuse(in, nil, in.Opened.Bad.Failure(), "the onion cannot be read", fx)
	case !s.tags.claim(in.Opened.Secret, in.HTLC, fx):
		s.refuse(in, nil, onion.Failure{Code: onion.TemporaryNodeFailure}, "the onion was used before", fx) // B4.replay.1
	case in.Opened.Invalid != nil:
		s.refuse(in, nil, *in.Opened.Invalid, "the onion's payload is invalid", fx)
	case in.Opened.Final: // unfit or not: the invoices may have accepted it before a restart
		fx.Receive = append(fx.Receive, in)
	case in.Unfit == htlc.UnfitDust:
		s.refuse(in, nil, onion.Failure{Code: onion.TemporaryChannelFailure, Update: s.links.update(in.HTLC.Ref.ChanNum)},
			"too much dust in its channel", fx) // V-20
	case in.Unfit == htlc.UnfitFar:
		s.refuse(in, nil, onion.Failure{Code: onion.ExpiryTooFar}, "expires too far ahead", fx) // V-37
	case in.Unfit == htlc.UnfitUnfunded:
		s.refuse(in, nil, onion.Failure{Code: onion.TemporaryChannelFailure, Update: s.links.update(in.HTLC.Ref.ChanNum)},
			"the funding of its channel left the chain", fx)
	case in.Unfit == htlc.UnfitClosed && s.interceptClosed(in, again, fx):
	case in.Unfit == htlc.UnfitClosed:
		s.refuse(in, nil, onion.Failure{Code: onion.PermanentChannelFailure}, "its channel is closed", fx)
	case in.HTLC.Expiry > s.height+s.cfg.MaxExpiry:
		s.refuse(in, nil, onion.Failure{Code: onion.ExpiryTooFar}, "expires too far ahead", fx) // V-37
	default:
		p, bad, why := in.Onwards()
		switch {
		case bad != nil:
			s.refuse(in, nil, *bad, why, fx)
		case !s.intercept(in, p, again, fx):
			s.carry(in, p, Verdict{Kind: Resume}, fx)
		}
	}
}

// interceptClosed holds an HTLC of a channel that lives in the chain: whoever knows its
// preimage may still claim it there.
func (s *Switch) interceptClosed(in htlc.Locked, again bool, fx *Effects) bool {
	p, bad, _ := in.Onwards()
	return bad == nil && s.intercept(in, p, again, fx)
}

// carry sends an HTLC onwards, or fails it. An interceptor may have changed the amounts.
func (s *Switch) carry(in htlc.Locked, p onion.Forward, v Verdict, fx *Effects) {
	asked := in.HTLC
	if v.In != 0 {
		asked.Amount = v.In
	}
	if v.Out != 0 {
		p.Amount = v.Out
	}
	out := s.links.next(p)
	switch {
	case s.cfg.RejectForwards:
		s.refuseFor(in, nil, onion.Failure{Code: onion.TemporaryNodeFailure}, htlc.ForwardsDisabled, "this node does not forward", fx)
		return
	case s.cfg.RejectBlinded && p.PathKey != nil:
		s.refuse(in, nil, onion.Failure{Code: onion.InvalidOnionBlinding}, "this node does not forward inside blinded paths", fx)
		return
	case out == nil:
		s.refuse(in, nil, onion.Failure{Code: onion.UnknownNextPeer}, unknownNext(p), fx)
		return
	}
	if fail, why := s.check(asked, p, out); fail != nil {
		detail := htlc.NoDetail
		if fail.Code == onion.TemporaryChannelFailure { // that of one condition only
			detail = htlc.ExceedsMax
		}
		s.refuseFor(in, out, *fail, detail, why, fx)
		return
	}
	f := &forward{in: in, amount: asked.Amount, known: true, lockedAt: s.now, out: route{
		amount: p.Amount, expiry: p.Expiry, hash: in.HTLC.Hash, onion: in.Opened.Next,
		pathKey: p.PathKey, // B4.bfwd.6
		signal:  in.HTLC.Accountable, custom: v.Custom,
		wanted: out.ChanNum, left: s.links.candidates(out.Peer, out.ChanNum, p.Amount),
	}}
	s.forwards[in.HTLC.Ref] = f
	if !s.try(&f.out, htlc.Forward(in.HTLC), nil, fx) {
		if !out.Up && s.now.Before(s.gathered) {
			delete(s.forwards, in.HTLC.Ref)
			s.absent = append(s.absent, absent{in: in, verdict: v})
			return
		}
		f.out.last = htlc.Refusal{ChanNum: out.ChanNum, Reason: htlc.NoBalance, Text: "no channel to the next node can carry it now"}
		if !out.Up {
			f.out.last.Reason, f.out.last.Text = htlc.LinkDown, "the next node is not connected"
		}
		s.giveUp(f, fx)
	}
}

// check holds what the payer asks for against what we ask for: the newest policy,
// and for a while the one before (BOLT 7). Nil when one of them is met.
func (s *Switch) check(in htlc.HTLC, p onion.Forward, out *Link) (*onion.Failure, string) {
	var first *onion.Failure
	var why string
	for _, inbound := range s.links.inbound(in.Ref.ChanNum, s.now) {
		for _, policy := range out.policies(s.now) {
			fail, text := s.meets(in, p, policy, inbound)
			if fail == nil {
				return nil, ""
			}
			if first == nil {
				first, why = fail, text
			}
		}
	}
	first.Update = out.Update
	return first, why
}

func (s *Switch) meets(in htlc.HTLC, p onion.Forward, policy Policy, inbound lnwire.InboundFee) (*onion.Failure, string) {
	fee := policy.Fee(p.Amount)
	if p.PathKey != nil {
		// Inside a blinded path the amount is rounded up, at the cost of the fee. What its
		// maker did not know of is not asked for.
		fee -= min(fee, 1+lnwire.MilliSat(policy.PPM/1_000_000))
		inbound = lnwire.InboundFee{}
	}
	least := inbound.Incoming(p.Amount, fee)
	switch {
	case policy.Disabled:
		return &onion.Failure{Code: onion.ChannelDisabled}, "the channel is disabled"
	case p.Amount < policy.Min:
		return &onion.Failure{Code: onion.AmountBelowMinimum, HTLCMsat: p.Amount},
			fmt.Sprintf("%s is below htlc_minimum_msat %s", p.Amount, policy.Min) // B4.fwd.1
	case policy.Max != 0 && p.Amount > policy.Max:
		return &onion.Failure{Code: onion.TemporaryChannelFailure},
			fmt.Sprintf("%s is above htlc_maximum_msat %s", p.Amount, policy.Max)
	case in.Amount < least:
		return &onion.Failure{Code: onion.FeeInsufficient, HTLCMsat: in.Amount},
			fmt.Sprintf("in %s, out %s: the fee is %s", in.Amount, p.Amount, least-p.Amount) // B4.fwd.2
	case uint64(in.Expiry) < uint64(p.Expiry)+uint64(policy.Delta):
		return &onion.Failure{Code: onion.IncorrectCLTVExpiry, CLTVExpiry: in.Expiry},
			fmt.Sprintf("expiry in %d, out %d: cltv_expiry_delta is %d", in.Expiry, p.Expiry, policy.Delta) // B4.fwd.3
	case p.Expiry <= s.height+s.cfg.ExpiryGrace:
		return &onion.Failure{Code: onion.ExpiryTooSoon},
			fmt.Sprintf("expiry out %d at height %d is too soon", p.Expiry, s.height) // B4.fwd.4
	case p.Expiry > s.height+s.cfg.MaxExpiry:
		return &onion.Failure{Code: onion.ExpiryTooFar}, "expiry out too far ahead"
	}
	return nil, ""
}

// refuse fails an incoming HTLC ourselves, for a reason that its code tells.
func (s *Switch) refuse(in htlc.Locked, out *Link, fail onion.Failure, why string, fx *Effects) {
	s.refuseFor(in, out, fail, htlc.NoDetail, why, fx)
}

func (s *Switch) refuseFor(in htlc.Locked, out *Link, fail onion.Failure, detail htlc.Detail, why string, fx *Effects) {
	fault := in.Fault()
	s.resolve(Resolve{Ref: in.HTLC.Ref, Resolution: fault.With(fail, s.now), Late: late(fault)}, fx)
	n := s.refusal(in, out)
	n.Code, n.Detail, n.Text = fail.Code, detail, why
	fx.Tell = append(fx.Tell, n)
}

// refusal is the notice of an HTLC that is failed here; of a reason it says nothing yet.
func (s *Switch) refusal(in htlc.Locked, out *Link) Notice {
	n := Notice{
		Kind: RefusedHere, In: in.HTLC.Ref, InSCID: s.links.scid(in.HTLC.Ref.ChanNum),
		AmountIn: in.HTLC.Amount, ExpiryIn: in.HTLC.Expiry, Received: in.Opened.Final,
	}
	if p, ok := onwards(in); ok {
		n.AmountOut, n.ExpiryOut, n.OutSCID = p.Amount, p.Expiry, p.SCID
	}
	if out != nil {
		n.Out = htlc.Ref{ChanNum: out.ChanNum, Dir: htlc.Outgoing}
	}
	return n
}

// onwards is where the onion asks to be carried to, if it does.
func onwards(in htlc.Locked) (onion.Forward, bool) {
	f, bad, _ := in.Onwards()
	return f, bad == nil
}

// launch sends the first HTLC of an attempt of ours.
func (s *Switch) launch(ev Launch, fx *Effects) {
	if _, twice := s.launches[ev.AttemptID]; twice {
		return
	}
	out := s.links.own(ev.FirstHop)
	l := &launch{row: ev.Row, out: route{
		amount: ev.Amount, expiry: ev.Expiry, hash: ev.Hash, onion: ev.Onion, pathKey: ev.PathKey, custom: ev.Custom,
	}}
	l.out.last = htlc.Refusal{Origin: htlc.Attempt(ev.AttemptID), Reason: htlc.UnknownChannel,
		Text: fmt.Sprintf("no channel %s", ev.FirstHop)}
	if out != nil {
		l.out.wanted = out.ChanNum
		l.out.left = s.links.candidates(out.Peer, out.ChanNum, ev.Amount)
		l.out.last.ChanNum, l.out.last.Reason = out.ChanNum, htlc.NoBalance
		l.out.last.Text = fmt.Sprintf("channel %s cannot send %s now", ev.FirstHop, ev.Amount)
		if !out.Up {
			l.out.last.Reason, l.out.last.Text = htlc.LinkDown, fmt.Sprintf("channel %s is not active", ev.FirstHop)
		}
	}
	s.launches[ev.AttemptID] = l
	if !s.try(&l.out, htlc.Attempt(ev.AttemptID), l.row, fx) {
		s.giveUpLaunch(ev.AttemptID, l, fx)
	}
}

// noUpdate is the failure of a channel that could not take an HTLC, with the
// policy that the payer should use.
func noUpdate(reason htlc.RefusalReason, amount lnwire.MilliSat, update *lnwire.ChannelUpdate) onion.Failure {
	switch reason {
	case htlc.BelowMinimum:
		return onion.Failure{Code: onion.AmountBelowMinimum, HTLCMsat: amount, Update: update}
	case htlc.LinkDown, htlc.NoBalance, htlc.TooMany, htlc.TooMuchDust:
		return onion.Failure{Code: onion.TemporaryChannelFailure, Update: update}
	case htlc.UnknownChannel:
		return onion.Failure{Code: onion.UnknownNextPeer}
	}
	return onion.Failure{Code: onion.TemporaryNodeFailure}
}
