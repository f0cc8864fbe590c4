package forward

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// TestOneAnswerEach drives the switch at random, restarts included, and holds the
// two promises of forwarding: at most one outgoing HTLC lives for an incoming one
// (I4), and each incoming one is answered as its outgoing one ended (I3). None is
// forgotten while it waits for the chain or for the next node.
func TestOneAnswerEach(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := world()
		told := map[uint64]htlc.Locked{}         // incoming, not answered
		live := map[uint64]Live{}                // signed outgoing, by incoming id
		unsigned := map[uint64]Add{}             // handed to a channel, not signed
		outbox := map[uint64]htlc.Outcome{}      // ended, the answer not yet written
		answered := map[uint64]htlc.Resolution{} // written answers
		var tags []Tag
		now := t0
		apply := func(fx Effects) {
			tags = append(tags, fx.Delta.Tags...)
			for _, a := range fx.Add {
				id := a.Origin.Ref.ID
				if _, twice := live[id]; twice {
					rt.Fatalf("htlc %d is forwarded a second time", id)
				}
				if _, twice := unsigned[id]; twice {
					rt.Fatalf("htlc %d is with two channels", id)
				}
				unsigned[id] = a
			}
			for _, r := range fx.Resolve {
				id := r.Ref.ID
				if _, twice := answered[id]; twice {
					rt.Fatalf("htlc %d is answered twice", id)
				}
				if o, ok := outbox[id]; ok && (o.Resolution.Kind == htlc.Fulfilled) != (r.Resolution.Kind == htlc.Fulfilled) {
					rt.Fatalf("htlc %d: the answer is not what came back", id)
				}
				answered[id] = r.Resolution
				delete(outbox, id)
				delete(told, id)
			}
		}
		next := uint64(1)
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") }
		for step := 0; step < 60; step++ {
			now = now.Add(time.Duration(pick(8)) * time.Second)
			switch pick(8) {
			case 0:
				l := good(next)
				if pick(5) == 0 {
					l = locked(next, 102, 1_000_500, 1_000_000, height+100, height+60) // fee too small
				}
				told[next] = l
				next++
				apply(s.Step(now, LockedIn{HTLC: l}))
			case 1: // a channel signs
				for id := uint64(1); id < next; id++ {
					if a, ok := unsigned[id]; ok {
						delete(unsigned, id)
						live[id] = Live{Ref: htlc.Ref{ChanNum: a.ChanNum, Dir: htlc.Outgoing, ID: id}, Origin: a.Origin, Amount: a.Amount}
						break
					}
				}
			case 2: // a channel refuses
				for id := uint64(1); id < next; id++ {
					if a, ok := unsigned[id]; ok {
						delete(unsigned, id)
						apply(s.Step(now, Refused{htlc.Refusal{ChanNum: a.ChanNum, Origin: a.Origin, Reason: htlc.LinkDown}}))
						break
					}
				}
			case 3, 4: // an outgoing HTLC ends
				for id := uint64(1); id < next; id++ {
					if l, ok := live[id]; ok {
						delete(live, id)
						res := htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{byte(id)}}
						if pick(2) == 0 {
							res = htlc.Resolution{Kind: htlc.Failed, Reason: onion.EncryptFailure(lnwire.Secret{1}, onion.Failure{Code: onion.MPPTimeout})}
						}
						o := htlc.Outcome{Ref: l.Ref, Origin: l.Origin, Amount: l.Amount, Resolution: res}
						outbox[id] = o
						apply(s.Step(now, Ended{o}))
						break
					}
				}
			case 5: // links come and go
				l := *s.links.byNum[uint64(2+pick(2))]
				l.Up = !l.Up
				apply(s.Step(now, LinkChanged{l}))
			case 6: // crash: what was not signed never was
				unsigned = map[uint64]Add{}
				s = world()
				r := Restarted{Height: height, Tags: tags}
				for id := uint64(1); id < next; id++ {
					if l, ok := live[id]; ok {
						r.Live = append(r.Live, l)
					}
					if o, ok := outbox[id]; ok {
						r.Outbox = append(r.Outbox, o)
					}
				}
				apply(s.Step(now, r))
				s.Step(now, Chain{})
				for num := uint64(1); num <= 3; num++ { // nobody is there yet
					apply(s.Step(now, link(num, false)))
				}
				for id := uint64(1); id < next; id++ {
					if l, ok := told[id]; ok {
						apply(s.Step(now, LockedIn{HTLC: l, Again: true}))
					}
				}
			case 7: // the chain comes into sight, and goes
				apply(s.Step(now, Chain{Current: pick(3) > 0}))
			}
		}
		apply(s.Step(now, Chain{Current: true}))
		apply(s.Step(now.Add(gatherLimit), Tick{}))
		for id := uint64(1); id < next; id++ {
			_, waits := told[id]
			_, out := live[id]
			_, with := unsigned[id]
			if waits && !out && !with {
				rt.Fatalf("htlc %d is forgotten", id)
			}
		}
	})
}
