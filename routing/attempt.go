package routing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// advance makes the attempts that may be made now, or ends the payment.
func (s *turn) advance() {
	p := s.p
	if p.row.Status == InFlight && p.giveUp == ReasonNone && !s.now.Before(p.deadline) {
		s.stop(ReasonTimeout, s.timeoutText())
	}
	if p.row.Status == InFlight && p.giveUp == ReasonNone && p.row.Route == nil {
		s.pursue()
	}
	if p.row.Status == InFlight && len(p.flights) == 0 && p.giveUp != ReasonNone {
		row := &p.row
		row.Status, row.Reason, row.Text, row.EndedAt = Failed, p.giveUp, p.why, s.now
		s.saveRow()
	}
}

func (s *turn) timeoutText() string {
	text := "payment attempt not completed before timeout"
	if s.p.why != "" {
		text += "; the last attempt failed: " + s.p.why
	}
	return text
}

// pursue sends what no attempt under way brings yet, all of it or nothing. When there
// is no way for it, those that are under way may still make room for one; without
// them the payment has failed.
func (s *turn) pursue() {
	p := s.p
	rest, fees := s.rest()
	if rest == 0 || s.slots() <= 0 {
		return
	}
	routes, err := s.plan(rest, fees)
	for i := 0; err == nil && i < len(routes); i++ {
		routes[i].Custom = p.row.Limits.Custom
		err = s.launch(routes[i], s.final())
	}
	switch {
	case err == nil:
		p.stuck = ""
	case len(p.flights) > 0:
		p.stuck = err.Error()
	default:
		s.noWay(err)
	}
}

// rest is what no attempt under way brings yet, and what may still be spent on fees.
//
// B4.origin.11: all parts under way together bring no more than was asked for.
func (s *turn) rest() (amount, fees lnwire.MilliSat) {
	amount, fees = s.p.row.Terms.Amount, s.p.row.Limits.Fee
	for _, f := range s.p.flights {
		r := &s.p.attempts[f.place].Route
		amount -= min(amount, r.Received())
		fees -= min(fees, r.Fee())
	}
	return amount, fees
}

// noWay ends a payment for which there is no further attempt to make.
func (s *turn) noWay(err error) {
	reason, text := ReasonError, err.Error()
	if none := (*NoRoute)(nil); errors.As(err, &none) {
		reason = none.Reason
		if len(s.p.attempts) > 0 {
			text += fmt.Sprintf("; after %d attempts, the last of which failed: %s", len(s.p.attempts), s.p.why)
		}
	}
	s.stop(reason, text)
}

// final is what the recipient is told besides the figures of its part.
func (s *turn) final() onion.Final {
	t := &s.p.row.Terms
	return onion.Final{Secret: t.Secret, Total: t.Amount, Metadata: t.Metadata, Custom: t.Custom}
}

// launch begins one attempt.
func (s *turn) launch(r Route, final onion.Final) error {
	p := s.p
	a := Attempt{Hash: p.row.Terms.Hash, Number: p.number, Route: r, StartedAt: s.now, Status: InFlight}
	a.SessionKey = sessionKey(p.seed, a.Hash, a.Number)
	hops, err := BuildPayloads(&a.Route, final)
	if err != nil {
		return err
	}
	packet, secrets, err := buildOnion(&a, hops)
	if err != nil {
		return err
	}
	a.ID = s.env.Attempts()
	p.number++
	p.flights = append(p.flights, flight{len(p.attempts), secrets})
	p.attempts = append(p.attempts, a)
	s.fx.Launch = append(s.fx.Launch, Launch{AttemptID: a.ID, FirstHop: r.Hops[0].SCID, Amount: r.Amount,
		Expiry: r.Expiry, Hash: a.Hash, Onion: packet, Custom: r.Custom, Attempt: a})
	return nil
}

// sessionKey derives the key of an attempt's onion. The seed is fresh after every
// restart: the number of an attempt that was never stored comes again, its key must
// not.
//
// B4.origin.12: every attempt's onion has a session key of its own.
func sessionKey(seed lnwire.Secret, hash lnwire.Hash, number uint32) (key lnwire.Secret) {
	h := hmac.New(sha256.New, seed[:])
	h.Write([]byte("session key"))
	h.Write(hash[:])
	h.Write(binary.BigEndian.AppendUint32(nil, number))
	h.Sum(key[:0])
	return key
}

func buildOnion(a *Attempt, hops []onion.Hop) (onion.Packet, []lnwire.Secret, error) {
	key, _ := btcec.PrivKeyFromBytes(a.SessionKey[:])
	return onion.Build(key, hops, a.Hash[:])
}

// secrets are those shared with the hops of an attempt. After a restart they are
// computed again: they depend on the session key and the nodes alone.
func (s *turn) secrets(f flight) []lnwire.Secret {
	if f.secrets != nil {
		return f.secrets
	}
	a := &s.p.attempts[f.place]
	hops, err := BuildPayloads(&a.Route, onion.Final{})
	if err != nil {
		return nil
	}
	_, secrets, _ := buildOnion(a, hops)
	return secrets
}

// read finds out what became of an attempt that did not succeed.
func (s *turn) read(f flight, res htlc.Resolution) (AttemptFailure, verdict) {
	r := &s.p.attempts[f.place].Route
	switch res.Kind {
	case htlc.Malformed:
		code := onion.Code(res.Code)
		return AttemptFailure{Hop: 0, Code: code, OnionSHA256: res.OnionSHA256, Text: fmt.Sprintf("our peer %s: %s", r.Hops[0].Node, onion.Failure{Code: code}.Explain())}, badOnion(r, 0)
	case htlc.TimedOut:
		return AttemptFailure{Hop: UnknownHop, Local: true, Text: "nobody claimed the HTLC before it expired; it was taken back on the chain"}, unknown(r, s.env.Busy)
	case htlc.Fulfilled:
		d := reading{r: r}
		d.v.end = ReasonError
		return AttemptFailure{Hop: UnknownHop, Local: true, Text: "the HTLC was fulfilled by what does not open the payment hash"}, d.v
	case htlc.Failed:
	}
	hop, failure, ok := onion.DecodeFailure(s.secrets(f), res.Reason)
	if r.Tail != nil && ok {
		hop = min(hop, r.intro()) // who inside the path, is nobody's business
	}
	if spoilt := !ok || hop < 0 || hop >= len(r.Hops); spoilt && res.Attribution != nil {
		return s.spoilt(r, len(s.p.attempts[f.place].Holds))
	} else if spoilt {
		return AttemptFailure{Hop: UnknownHop, Text: "some node on the way answered with what nobody can read"}, unknown(r, s.env.Busy)
	}
	text := fmt.Sprintf("%s: %s", place(r, hop), failure.Explain())
	return AttemptFailure{Hop: int32(hop), Code: failure.Code, Amount: failure.HTLCMsat, Expiry: failure.CLTVExpiry,
		Height: failure.Height, Flags: failure.DisabledFlags, Update: kept(failure.Update), OnionSHA256: failure.OnionSHA256, Text: text}, interpret(r, s.env.Busy, hop, &failure)
}

// maxUpdateExtra bounds what is kept behind the known fields of a channel_update.
const maxUpdateExtra = 256

// kept is a failure's channel_update as far as it is kept with the attempt.
func kept(u *lnwire.ChannelUpdate) *lnwire.ChannelUpdate {
	if u == nil || len(u.Extra) > maxUpdateExtra {
		return nil
	}
	return u
}

// place says in words where a hop stands.
func place(r *Route, hop int) string {
	if hop >= r.intro() {
		return "the blinded path behind " + r.Hops[hop].Node.String()
	}
	if hop == len(r.Hops)-1 {
		return "the recipient " + r.Hops[hop].Node.String()
	}
	return fmt.Sprintf("node %s (%d of %d on the way, next channel %s)", r.Hops[hop].Node, hop+1, len(r.Hops), r.Hops[hop+1].SCID)
}

// learned is what a payment knows from its own attempts, for its next ones alone.
type learned struct {
	nodes   []lnwire.PubKey
	edges   []Direction
	updates []Update
	failed  []Observation
	caps    []Cap
}

// take keeps what an attempt taught. A channel's policy is replaced once: who fails
// again what follows its own policy is not asked a third time.
//
// B4.origin.13: a node that fails again after its policy was followed is left out.
func (l *learned) take(v verdict) {
	if v.avoidNode != nil {
		l.nodes = append(l.nodes, *v.avoidNode)
	}
	if v.avoidEdge != nil {
		l.avoidEdge(*v.avoidEdge)
	}
	for _, o := range v.learn {
		if !o.Success {
			l.failed = append(l.failed, o)
		}
	}
	if v.path != nil {
		l.failed = append(l.failed, *v.path)
	}
	if v.update == nil {
		return
	}
	d := v.update.Direction
	if slices.ContainsFunc(l.updates, func(u Update) bool { return u.Direction == d }) {
		l.avoidEdge(d)
		return
	}
	l.updates = append(l.updates, *v.update)
}

func (l *learned) avoidEdge(d Direction) { l.edges = append(l.edges, d) }

// refuse keeps that our own channel did not take an HTLC.
func (l *learned) refuse(r *Route, reason htlc.RefusalReason) {
	c := Cap{SCID: r.Hops[0].SCID}
	switch reason {
	case htlc.NoBalance:
		c.Most = max(r.Amount, 1) - 1
		l.caps = append(l.caps, c)
	case htlc.TooMany, htlc.TooMuchDust:
		l.caps = append(l.caps, c)
	case htlc.LinkDown, htlc.BelowMinimum, htlc.UnknownChannel, htlc.BadExpiry:
		l.avoidEdge(Direction{c.SCID, r.Source})
	}
}

// returned: what an HTLC held of our channel is there again.
func (l *learned) returned(scid lnwire.ShortChannelID) {
	l.caps = slices.DeleteFunc(l.caps, func(c Cap) bool { return c.SCID == scid })
}
