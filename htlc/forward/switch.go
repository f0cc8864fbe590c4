package forward

import (
	"time"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Config holds the switch's own limits.
type Config struct {
	// ExpiryGrace is how many blocks before its expiry an outgoing HTLC is no longer
	// offered: there would be no time left to take it on chain.
	ExpiryGrace lnwire.Height
	// MaxExpiry is how many blocks ahead an expiry may lie, in and out (V-37).
	MaxExpiry lnwire.Height
	// RejectForwards fails every HTLC that is not for us (--rejecthtlc).
	RejectForwards bool
	// RejectBlinded fails every HTLC that goes on inside a blinded path
	// (--protocol.no-route-blinding).
	RejectBlinded bool
	// RequireInterceptor holds HTLCs that an earlier run may have offered to an interceptor
	// until one comes, and fails new ones as long as there is none (--requireinterceptor).
	RequireInterceptor bool
	// InterceptFail is how many blocks before its expiry a held HTLC is failed; with less
	// than InterceptLeast left no interceptor is asked.
	InterceptFail, InterceptLeast lnwire.Height
}

// DefaultConfig are the limits that the field uses. What an interceptor holds is failed as
// early as what a hold invoice holds.
var DefaultConfig = Config{ExpiryGrace: 3, MaxExpiry: 2016, InterceptFail: 20, InterceptLeast: 23}

// Switch is the machine of this package. It is driven by one caller at a time.
type Switch struct {
	cfg    Config
	now    time.Time
	height lnwire.Height
	links  links
	// forwards are the incoming HTLCs that are on their way out, by their Ref.
	forwards map[htlc.Ref]*forward
	// launches are our own first HTLCs that no channel has signed yet, or whose
	// outcome is awaited.
	launches map[uint64]*launch
	// orphans are outcomes whose incoming HTLC was not yet told again after a
	// restart.
	orphans map[htlc.Ref]htlc.Outcome
	tags    tags
	// answered are the last answers; waiting are HTLCs that are decided when the chain
	// is in sight again.
	answered answers
	blind    bool
	waiting  []held
	// absent are HTLCs whose next node has not come back since our start. Until gathered
	// that is waited for; it is zero before the chain is seen for the first time.
	absent   []absent
	gathered time.Time
	// held are HTLCs about which an interceptor decides; intercepting says whether there is
	// one.
	held         map[htlc.Ref]*Intercepted
	intercepting bool
	order        uint64 // of what is held
}

// forward is an incoming HTLC on its way out.
type forward struct {
	in       htlc.Locked
	amount   lnwire.MilliSat // what counts as its amount
	lockedAt time.Time
	out      route
	known    bool // the incoming HTLC was told (after a restart, told again)
	told     bool // subscribers know that it went out
}

// launch is an attempt of ours on its way out.
type launch struct {
	told bool // subscribers know that it went out
	row  []byte
	out  route
}

// route is where an HTLC goes out and which channels are left to try.
type route struct {
	amount lnwire.MilliSat
	expiry lnwire.Height
	hash   lnwire.Hash
	onion  onion.Packet
	// pathKey is for the next node, inside a blinded path.
	pathKey *lnwire.PubKey
	signal  lnwire.Accountability // as it came
	custom  lnwire.ExtraTLVs      // for the next node
	wanted  uint64                // the channel that was named
	now     uint64                // the channel that has it now
	left    []uint64              // those not yet tried
	last    htlc.Refusal
}

// New makes an empty switch. Step Restarted into it first.
func New(cfg Config) *Switch {
	return &Switch{
		cfg:      cfg,
		links:    newLinks(),
		forwards: map[htlc.Ref]*forward{},
		launches: map[uint64]*launch{},
		orphans:  map[htlc.Ref]htlc.Outcome{},
		tags:     newTags(),
		answered: newAnswers(),
		held:     map[htlc.Ref]*Intercepted{},
	}
}

// Step applies one event that happened at now. It is a function of the switch,
// the time and the event alone.
func (s *Switch) Step(now time.Time, ev Event) Effects {
	s.now = now
	var fx Effects
	switch ev := ev.(type) {
	case Restarted:
		s.restart(ev)
	case LinkChanged:
		s.links.set(ev.Link)
		s.cameBack(ev.Link, &fx)
	case LinkGone:
		s.linkGone(ev, &fx)
	case Aliased:
		s.links.alias(ev.SCID, ev.ChanNum)
	case Block:
		s.height = ev.Height
		s.tags.forget(ev.Height, &fx)
		s.expire(&fx)
	case Chain:
		s.sight(ev.Current, &fx)
	case LockedIn:
		s.lockedIn(ev, &fx)
	case Signed:
		s.signed(ev, &fx)
	case Refused:
		s.refused(ev.Refusal, &fx)
	case Ended:
		s.ended(ev.Outcome, &fx)
	case Launch:
		s.launch(ev, &fx)
	case Intercepting:
		s.setInterceptor(ev.Present, &fx)
	case Ruled:
		s.ruled(ev, &fx)
	case Tick:
	}
	if len(s.waiting) > 0 {
		s.tire(&fx)
	}
	if len(s.absent) > 0 {
		s.giveUpAbsent(&fx)
	}
	return fx
}

// InFlight counts the HTLCs that are being carried onwards.
func (s *Switch) InFlight() int { return len(s.forwards) }

// restart takes up what the store held: an outgoing HTLC says by its Origin which
// incoming one must not be forwarded again (V-29).
func (s *Switch) restart(ev Restarted) {
	s.height = ev.Height
	for _, t := range ev.Tags {
		s.tags.add(t)
	}
	for _, l := range ev.Live {
		out := route{amount: l.Amount, now: l.Ref.ChanNum}
		switch l.Origin.Kind {
		case htlc.FromForward:
			s.forwards[l.Origin.Ref] = &forward{out: out}
		case htlc.FromAttempt:
			s.launches[l.Origin.AttemptID] = &launch{out: out}
		case htlc.NoOrigin:
		}
	}
	for _, o := range ev.Outbox {
		if o.Origin.Kind == htlc.FromForward {
			s.orphans[o.Origin.Ref] = o
			delete(s.forwards, o.Origin.Ref)
		}
	}
}

// try hands r to the next channel that might take it; false when none is left.
func (s *Switch) try(r *route, origin htlc.Origin, row []byte, fx *Effects) bool {
	for len(r.left) > 0 {
		r.now, r.left = r.left[0], r.left[1:]
		l := s.links.byNum[r.now]
		if l == nil || !l.Up {
			continue
		}
		fx.Add = append(fx.Add, Add{
			ChanNum: r.now, Amount: r.amount, Expiry: r.expiry, Hash: r.hash, Onion: r.onion,
			PathKey: r.pathKey, Accountable: r.signal, Custom: r.custom, Origin: origin, Row: row,
		})
		return true
	}
	return false
}
