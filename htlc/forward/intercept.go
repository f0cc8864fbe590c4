package forward

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Why a Ruled is not carried out. The texts are lnd's.
var (
	ErrNotHeld       = errors.New("forward does not exist")
	ErrWrongPreimage = errors.New("preimage does not match hash")
	ErrResumeOnChain = errors.New("cannot resume held htlc in the on-chain flow")
	ErrFailOnChain   = errors.New("cannot fail held htlc in the on-chain flow")
)

// Intercepting says that an interceptor is there from now on, or is not. What is held is
// offered to one that comes; when it goes, what is held goes on by itself, unless
// Config.RequireInterceptor keeps it for the next one.
type Intercepting struct{ Present bool }

// Ruled is what the interceptor says of an HTLC that is held.
type Ruled struct {
	Ref     htlc.Ref
	Verdict Verdict
}

func (Intercepting) isEvent() {}
func (Ruled) isEvent()        {}

// VerdictKind is what becomes of a held HTLC.
type VerdictKind uint8

// The verdicts.
const (
	Resume VerdictKind = iota + 1
	Settle
	Fail
)

// Verdict is an interceptor's decision.
type Verdict struct {
	Kind     VerdictKind
	Preimage lnwire.Preimage // Settle
	// Reason, of Fail, is an encrypted error as a node behind us would have sent it; nil:
	// Code is told, in our own name.
	Reason []byte
	Code   onion.Code
	// In, of Resume, is what counts as the amount that came in, for the fee; 0: the
	// HTLC's. Out is what goes out; 0: what the onion says.
	In, Out lnwire.MilliSat
	Custom  lnwire.ExtraTLVs // Resume: records for the next node
}

// Intercepted is an HTLC that is held for the interceptor to decide.
type Intercepted struct {
	In     htlc.Locked
	InSCID lnwire.ShortChannelID // of its channel, as the operator knows it
	Out    onion.Forward         // what its onion asks for
	// AutoFail is the height at which it is failed without a verdict.
	AutoFail lnwire.Height
	// OnChain: its channel lives in the chain only; nothing but Settle can be said.
	OnChain bool
	order   uint64
}

// intercept holds an HTLC for the interceptor; false when nobody is to be asked.
func (s *Switch) intercept(in htlc.Locked, out onion.Forward, again bool, fx *Effects) bool {
	onChain := in.Unfit == htlc.UnfitClosed
	switch {
	case !s.intercepting && !s.cfg.RequireInterceptor:
		return false
	case onChain && in.HTLC.Expiry <= s.height:
		return false
	case !onChain && in.HTLC.Expiry < s.height+s.cfg.InterceptLeast:
		s.refuse(in, nil, onion.Failure{Code: onion.ExpiryTooSoon, Update: s.links.update(in.HTLC.Ref.ChanNum)},
			"expires too soon to ask the interceptor", fx)
		return true
	case !s.intercepting && !again && !onChain: // the interceptor has never seen it
		s.refuse(in, nil, onion.Failure{Code: onion.TemporaryChannelFailure, Update: s.links.update(in.HTLC.Ref.ChanNum)},
			"there is no interceptor", fx)
		return true
	}
	s.order++
	h := &Intercepted{In: in, InSCID: s.links.scid(in.HTLC.Ref.ChanNum), Out: out, OnChain: onChain, order: s.order}
	h.AutoFail = in.HTLC.Expiry - min(in.HTLC.Expiry, s.cfg.InterceptFail)
	if onChain {
		h.AutoFail = in.HTLC.Expiry
	}
	s.held[in.HTLC.Ref] = h
	s.offer(h, fx)
	return true
}

func (s *Switch) offer(h *Intercepted, fx *Effects) {
	if s.intercepting {
		fx.Offer = append(fx.Offer, *h)
	}
}

// heldInOrder lists what is held, in the order in which it came.
func (s *Switch) heldInOrder() []*Intercepted {
	list := make([]*Intercepted, 0, len(s.held))
	for _, h := range s.held { // sorted below
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *Intercepted) int { return cmp.Compare(a.order, b.order) })
	return list
}

// setInterceptor offers all that is held to an interceptor that came, or lets it go on
// when one went that is not required.
func (s *Switch) setInterceptor(present bool, fx *Effects) {
	s.intercepting = present
	for _, h := range s.heldInOrder() {
		switch {
		case present:
			s.offer(h, fx)
		case !s.cfg.RequireInterceptor && !h.OnChain:
			delete(s.held, h.In.HTLC.Ref)
			s.release(h, nil, fx)
		}
	}
}

// release lets what was held go on, as a verdict says. While the chain is out of sight it
// waits, as anything that comes then (V-27); without a verdict an interceptor who comes
// meanwhile is asked.
func (s *Switch) release(h *Intercepted, v *Verdict, fx *Effects) {
	switch {
	case s.blind:
		s.waiting = append(s.waiting, held{in: h.In, until: s.now.Add(holdLimit), verdict: v})
	case v == nil:
		s.carry(h.In, h.Out, Verdict{Kind: Resume}, fx)
	default:
		s.carry(h.In, h.Out, *v, fx)
	}
}

// toldAgain takes in what is held as its channel tells it now.
func (s *Switch) toldAgain(h *Intercepted, in htlc.Locked) {
	h.In = in
	if in.Unfit == htlc.UnfitClosed {
		h.OnChain, h.AutoFail = true, in.HTLC.Expiry
	}
}

// closed: a channel has left for the chain. What came in by it can be claimed there, and
// nothing else.
func (s *Switch) closed(num uint64, fx *Effects) {
	for _, h := range s.heldInOrder() {
		if h.In.HTLC.Ref.ChanNum == num && !h.OnChain {
			in := h.In
			in.Unfit = htlc.UnfitClosed
			s.toldAgain(h, in)
			s.offer(h, fx)
		}
	}
}

// expire fails what nobody has decided in time.
func (s *Switch) expire(fx *Effects) {
	if len(s.held) == 0 {
		return
	}
	for _, h := range s.heldInOrder() {
		if h.AutoFail > s.height {
			continue
		}
		ref := h.In.HTLC.Ref
		delete(s.held, ref)
		fail := onion.Failure{Code: onion.TemporaryChannelFailure, Update: s.links.update(ref.ChanNum)}
		if h.OnChain {
			fail = onion.Failure{Code: onion.PermanentChannelFailure}
		}
		s.refuse(h.In, nil, fail, "the interceptor did not decide in time", fx)
	}
}

// ruled carries out a verdict.
func (s *Switch) ruled(ev Ruled, fx *Effects) {
	h := s.held[ev.Ref]
	if fx.Refused = h.allows(ev.Verdict); fx.Refused != nil {
		return
	}
	delete(s.held, ev.Ref)
	in, v := h.In, ev.Verdict
	switch v.Kind {
	case Resume:
		s.release(h, &v, fx)
	case Settle:
		s.resolve(Resolve{Ref: ev.Ref, Resolution: in.Fault().Fulfil(v.Preimage, nil, s.now)}, fx)
		fx.Tell = append(fx.Tell, Notice{
			Kind: Settled, In: ev.Ref, InSCID: h.InSCID, AmountIn: in.HTLC.Amount, ExpiryIn: in.HTLC.Expiry, Preimage: v.Preimage,
		})
	case Fail:
		s.failHeld(h, v, fx)
	}
}

// allows says why a verdict cannot be carried out; nil if it can. Of nothing that is held
// nothing can be said.
func (h *Intercepted) allows(v Verdict) error {
	switch {
	case h == nil:
		return ErrNotHeld
	case v.Kind == Settle && v.Preimage.Hash() != h.In.HTLC.Hash:
		return ErrWrongPreimage
	case v.Kind == Resume && h.OnChain:
		return ErrResumeOnChain
	case v.Kind == Fail && h.OnChain:
		return ErrFailOnChain
	}
	return nil
}

func (s *Switch) failHeld(h *Intercepted, v Verdict, fx *Effects) {
	const why = "failed by the interceptor"
	in := h.In
	if v.Reason != nil {
		fault := in.Fault()
		s.resolve(Resolve{Ref: in.HTLC.Ref, Late: late(fault), Resolution: fault.Passed(htlc.Resolution{Kind: htlc.Failed, Reason: v.Reason}, s.now)}, fx)
		n := s.refusal(in, nil)
		n.Code, n.Text = onion.Unreadable, why
		fx.Tell = append(fx.Tell, n)
		return
	}
	fail := onion.Failure{Code: v.Code}
	switch {
	case v.Code.Has(onion.FlagBadOnion) && in.Onion != nil:
		fail.OnionSHA256 = sha256.Sum256(in.Onion[:])
	case v.Code.Has(onion.FlagUpdate):
		fail.Update = s.links.update(in.HTLC.Ref.ChanNum)
	}
	s.refuse(in, nil, fail, why, fx)
}
