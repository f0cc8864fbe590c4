package forward

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// refused takes back an HTLC that a channel did not take and tries the next one.
func (s *Switch) refused(r htlc.Refusal, fx *Effects) {
	switch r.Origin.Kind {
	case htlc.FromForward:
		f, ok := s.forwards[r.Origin.Ref]
		if !ok {
			return
		}
		f.out.last = r
		if !f.known || !s.try(&f.out, r.Origin, nil, fx) {
			s.giveUp(f, fx)
		}
	case htlc.FromAttempt:
		l, ok := s.launches[r.Origin.AttemptID]
		if !ok {
			return
		}
		l.out.last = r
		if !s.try(&l.out, r.Origin, l.row, fx) {
			s.giveUpLaunch(r.Origin.AttemptID, l, fx)
		}
	case htlc.NoOrigin:
	}
}

// giveUp fails an HTLC that no channel to the next node could take.
func (s *Switch) giveUp(f *forward, fx *Effects) {
	delete(s.forwards, f.in.HTLC.Ref)
	out := s.links.byNum[f.out.wanted]
	fail := noUpdate(f.out.last.Reason, f.out.amount, nil)
	if out != nil {
		fail = noUpdate(f.out.last.Reason, f.out.amount, out.Update)
	}
	s.refuseFor(f.in, out, fail, f.out.last.Reason.Detail(), f.out.last.Text, fx)
}

func (s *Switch) giveUpLaunch(id uint64, l *launch, fx *Effects) {
	delete(s.launches, id)
	last := l.out.last
	fx.Results = append(fx.Results, Result{AttemptID: id, Refusal: &last})
	s.tellLaunch(RefusedHere, id, htlc.Ref{ChanNum: last.ChanNum}, &l.out, fx)
	n := &fx.Tell[len(fx.Tell)-1]
	n.Code, n.Detail, n.Text = noUpdate(last.Reason, l.out.amount, nil).Code, last.Reason.Detail(), last.Text
}

// ended passes the end of an outgoing HTLC to whom it concerns.
func (s *Switch) ended(o htlc.Outcome, fx *Effects) {
	switch o.Origin.Kind {
	case htlc.FromForward:
		f, ok := s.forwards[o.Origin.Ref]
		switch {
		case ok && f.known:
			delete(s.forwards, o.Origin.Ref)
			s.answer(f, o, fx)
		case ok: // after a restart, before the incoming HTLC was told again
			delete(s.forwards, o.Origin.Ref)
			s.orphans[o.Origin.Ref] = o
		default:
			s.afterwards(o, fx)
		}
	case htlc.FromAttempt:
		s.launchEnded(o, fx)
		res := o.Resolution
		fx.Results = append(fx.Results, Result{AttemptID: o.Origin.AttemptID, Resolution: &res})
	case htlc.NoOrigin:
	}
}

// afterwards is an outcome for an incoming HTLC that was answered before. Only a
// preimage is still worth telling: it may turn a timeout into a claim on chain
// (V-05, V-12). A failure never overtakes anything.
func (s *Switch) afterwards(o htlc.Outcome, fx *Effects) {
	if o.Resolution.Kind == htlc.Fulfilled {
		s.resolve(Resolve{Ref: o.Origin.Ref, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: o.Resolution.Preimage}}, fx)
	}
}

// late is the fault of an answer that has to be put off.
func late(f htlc.Fault) *htlc.Fault {
	if f.Place != onion.Introduction {
		return nil
	}
	return &f
}

// answer tells the incoming channel how its HTLC ended.
func (s *Switch) answer(f *forward, o htlc.Outcome, fx *Effects) {
	r := Resolve{Ref: f.in.HTLC.Ref}
	kind := FailedBack
	switch o.Resolution.Kind {
	case htlc.Fulfilled:
		kind = Settled
		r.Resolution = f.in.Fault().Fulfil(o.Resolution.Preimage, o.Resolution.Attribution, s.now)
		r.Record = &Record{
			SettledAt: s.now, LockedAt: f.lockedAt, In: f.in.HTLC.Ref, Out: o.Ref,
			InSCID: s.links.scid(f.in.HTLC.Ref.ChanNum), OutSCID: s.links.scid(o.Ref.ChanNum),
			AmountIn: f.amount, AmountOut: o.Amount, Hash: f.in.HTLC.Hash,
		}
	case htlc.Failed, htlc.Malformed, htlc.TimedOut:
		fault := f.in.Fault()
		r.Resolution, r.Late = fault.Passed(o.Resolution, s.now), late(fault)
	}
	s.resolve(r, fx)
	f.out.now = o.Ref.ChanNum
	s.tell(kind, f, fx)
	n := &fx.Tell[len(fx.Tell)-1]
	n.Out, n.Preimage = o.Ref, r.Resolution.Preimage
}

// signed tells subscribers that an HTLC went out: what was decided may still have been
// given back before.
func (s *Switch) signed(ev Signed, fx *Effects) {
	switch ev.Origin.Kind {
	case htlc.FromForward:
		if f, ok := s.forwards[ev.Origin.Ref]; ok && f.known && !f.told {
			f.told, f.out.now = true, ev.Ref.ChanNum
			s.tell(Forwarded, f, fx)
			fx.Tell[len(fx.Tell)-1].Out = ev.Ref
		}
	case htlc.FromAttempt:
		if l, ok := s.launches[ev.Origin.AttemptID]; ok && !l.told {
			l.told = true
			s.tellLaunch(Forwarded, ev.Origin.AttemptID, ev.Ref, &l.out, fx)
		}
	case htlc.NoOrigin:
	}
}

// launchEnded is the end of an attempt of ours.
func (s *Switch) launchEnded(o htlc.Outcome, fx *Effects) {
	id := o.Origin.AttemptID
	l, ok := s.launches[id]
	if !ok {
		return // of an earlier run
	}
	delete(s.launches, id)
	kind := FailedBack
	if o.Resolution.Kind == htlc.Fulfilled {
		kind = Settled
	}
	s.tellLaunch(kind, id, o.Ref, &l.out, fx)
	fx.Tell[len(fx.Tell)-1].Preimage = o.Resolution.Preimage
}

func (s *Switch) tellLaunch(kind NoticeKind, id uint64, ref htlc.Ref, out *route, fx *Effects) {
	fx.Tell = append(fx.Tell, Notice{
		Kind: kind, AttemptID: id, Out: ref, OutSCID: s.links.scid(ref.ChanNum), AmountOut: out.amount, ExpiryOut: out.expiry,
	})
}

func (s *Switch) tell(kind NoticeKind, f *forward, fx *Effects) {
	in := f.in.HTLC
	fx.Tell = append(fx.Tell, Notice{
		Kind: kind, In: in.Ref, InSCID: s.links.scid(in.Ref.ChanNum), AmountIn: in.Amount, ExpiryIn: in.Expiry,
		Out: htlc.Ref{ChanNum: f.out.now, Dir: htlc.Outgoing}, OutSCID: s.links.scid(f.out.now),
		AmountOut: f.out.amount, ExpiryOut: f.out.expiry,
	})
}
