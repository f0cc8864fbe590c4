package routing

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// Build asks for a route over given nodes.
type Build struct {
	Source     lnwire.PubKey
	Hops       []lnwire.PubKey // the first is our peer, the last the recipient
	Amount     lnwire.MilliSat // what the recipient gets; 0: the least that all channels take
	FinalDelta uint16
	Outgoing   lnwire.ShortChannelID // our channel; 0: one that has most to send
	Locals     []Local
	Height     lnwire.Height
}

// ErrNoHops says that a route was to be built over no nodes.
var ErrNoHops = mistake.Argument("no hops specified")

// NoHop says that no channel leads on from a node of the list. Its text is lnd's.
type NoHop struct{ Position int }

// Error is what clients compare.
func (e NoHop) Error() string {
	return fmt.Sprintf("no matching outgoing channel available for node index %d", e.Position)
}

// Route builds it. Of several channels between two nodes the one that charges most counts,
// and the longest delta: the node may choose another than the one that it is told.
func (b *Build) Route(s *Snapshot) (Route, error) {
	if len(b.Hops) == 0 {
		return Route{}, ErrNoHops
	}
	if len(b.Hops) > MaxHops {
		return Route{}, mistake.Argument("%d hops, at most %d fit into an onion", len(b.Hops), MaxHops)
	}
	amount := b.Amount
	if amount == 0 {
		amount = b.least(s)
	}
	steps, short, err := b.steps(s, amount)
	if err == nil && short {
		err = NoHop{len(b.Hops) - 1}
	}
	if err != nil {
		return Route{}, err
	}
	return route(b.Source, steps, amount, b.Height+lnwire.Height(b.FinalDelta)), nil
}

// least is the smallest amount that no channel on the way refuses as too small.
func (b *Build) least(s *Snapshot) lnwire.MilliSat {
	low, high := lnwire.MilliSat(0), lnwire.MilliSat(1)
	for high < maxAmount && b.tooLittle(s, high) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; b.tooLittle(s, mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

func (b *Build) tooLittle(s *Snapshot, amount lnwire.MilliSat) bool {
	_, short, _ := b.steps(s, amount)
	return short
}

// steps chooses the channels, from the recipient back. Short: some channel would have taken
// more, and none takes this little.
func (b *Build) steps(s *Snapshot, amount lnwire.MilliSat) (steps []step, short bool, err error) {
	steps = make([]step, len(b.Hops))
	for i := len(b.Hops) - 1; i > 0; i-- {
		best, small, ok := widest(s, b.Hops[i-1], b.Hops[i], amount)
		if !ok {
			return nil, small, NoHop{i}
		}
		steps[i] = best
		amount = saturatingAdd(amount, Fee(best.base, best.ppm, amount))
		if amount > maxAmount {
			return nil, false, NoHop{i}
		}
	}
	found := false
	var most lnwire.MilliSat
	for _, l := range b.Locals {
		switch {
		case l.Peer != b.Hops[0] || b.Outgoing != 0 && l.SCID != b.Outgoing:
		case amount < l.Min:
			short = true
		case amount <= l.Sendable && l.Sendable >= most:
			found, most = true, l.Sendable
			steps[0] = step{to: l.Peer, scid: l.SCID, inbound: l.Inbound}
		}
	}
	if !found {
		return nil, short, NoHop{0}
	}
	return b.withInbound(s, steps), false, nil
}

// withInbound fills in what each node asks for what comes to it.
func (b *Build) withInbound(s *Snapshot, steps []step) []step {
	for i := 1; i < len(steps); i++ {
		c, _ := s.Channel(steps[i].scid)
		if p := c.Policies[1-c.side(b.Hops[i-1])]; p != nil {
			steps[i].inbound = p.Inbound
		}
	}
	return steps
}

// side is the index of a node of the channel.
func (c *Channel) side(id lnwire.PubKey) int {
	if c.Node2 == id {
		return 1
	}
	return 0
}

// widest is the channel from one node to another that charges most for the amount. Small:
// there is one, but for more only.
func widest(s *Snapshot, from, to lnwire.PubKey, amount lnwire.MilliSat) (best step, small, ok bool) {
	most := lnwire.MilliSat(0)
	for c := range s.ChannelsOf(from) {
		if c.Barred || c.Node1 != to && c.Node2 != to {
			continue
		}
		p := c.Policies[c.side(from)]
		switch {
		case p == nil || p.Disabled:
		case amount < p.Min:
			small = true
		case p.Max != 0 && amount > p.Max, c.Capacity != 0 && amount > satToMsat(c.Capacity):
		default:
			delta := max(best.delta, p.Delta)
			if fee := Fee(p.Base, p.PPM, amount); !ok || fee > most {
				most, best, ok = fee, step{to: to, scid: c.SCID, base: p.Base, ppm: p.PPM}, true
			}
			best.delta = delta
		}
	}
	return best, small && !ok, ok
}
