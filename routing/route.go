package routing

import (
	"fmt"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
)

// MaxHops is the most hops that a route of ours has.
//
// B4.origin.1: a route is no longer than its payloads have room in the onion.
const MaxHops = 20

// relayPayload is the most room that the payload of a node on the way takes.
var relayPayload = func() int {
	b, _ := onion.Forward{Amount: math.MaxUint64, Expiry: math.MaxUint32, SCID: math.MaxUint64}.Payload().Encode()
	return onion.HopLen(len(b))
}()

// hopsFor is the most hops of a route whose last payload has so many bytes.
func hopsFor(final int) int {
	room := onion.PayloadsLen - onion.HopLen(final)
	if room < 0 {
		return 0
	}
	return min(MaxHops, 1+room/relayPayload)
}

// step is one channel of a path, from the payer's end, with what the node at its
// near end charges for it.
type step struct {
	to      lnwire.PubKey
	scid    lnwire.ShortChannelID
	base    uint32
	ppm     uint32
	delta   uint16
	inbound Inbound // what the node at its far end asks for what comes over it
}

// route gives a path its figures, from the recipient back: the first channel is the
// source's own and costs nothing.
//
// B7.route.1: a node is paid the fee of its outgoing channel, of the amount that it passes on.
// B7.route.2: a node is given the time-lock delta of its outgoing channel.
func route(source lnwire.PubKey, path []step, amount lnwire.MilliSat, expiry lnwire.Height) Route {
	r := Route{Source: source, Hops: make([]Hop, len(path))}
	last := len(path) - 1
	r.Hops[last] = Hop{Node: path[last].to, SCID: path[last].scid, Forward: amount, Expiry: expiry}
	for i := last; i > 0; i-- {
		s := path[i]
		in := path[i-1].inbound.Incoming(amount, Fee(s.base, s.ppm, amount))
		r.Hops[i-1] = Hop{Node: path[i-1].to, SCID: path[i-1].scid, Forward: amount, Expiry: expiry, Fee: in - amount}
		amount = in
		expiry = lnwire.Height(min(uint64(expiry)+uint64(s.delta), math.MaxUint32))
	}
	r.Amount, r.Expiry = amount, expiry
	return r
}

// Fee is what the nodes on the way keep.
func (r *Route) Fee() lnwire.MilliSat {
	if got := r.Received(); r.Amount > got {
		return r.Amount - got
	}
	return 0
}

// Received is what the recipient gets.
func (r *Route) Received() lnwire.MilliSat {
	if len(r.Hops) == 0 {
		return 0
	}
	return r.Hops[len(r.Hops)-1].Forward
}

// Check says what is wrong with a route that somebody else made: it needs hops, no
// more than an onion has room for, amounts and expiries that do not rise on the way,
// and fees that add up. What the channels ask for is not looked at.
func (r *Route) Check() error {
	if len(r.Hops) == 0 || len(r.Hops) > MaxHops {
		return mistake.Argument("route: %d hops, want 1 to %d", len(r.Hops), MaxHops)
	}
	if r.Tail != nil && (len(r.Hops) < 2 || len(r.Tail.Hops) == 0) {
		return mistake.Argument("route: its blinded part has no nodes")
	}
	amount, expiry := r.Amount, r.Expiry
	for i, h := range r.Hops {
		if h.Forward == 0 || h.Forward > amount {
			return mistake.Argument("route: hop %d is to pass on %s of %s", i, h.Forward, amount)
		}
		if h.Expiry > expiry {
			return mistake.Argument("route: hop %d is to pass on an expiry of %d, above its own of %d", i, h.Expiry, expiry)
		}
		if i == len(r.Hops)-1 && h.Forward != amount {
			return mistake.Argument("route: the last hop gets %s and is told of %s", amount, h.Forward)
		}
		amount, expiry = h.Forward, h.Expiry
	}
	return nil
}

// from is the node that sends over the channel of hop i.
func (r *Route) from(i int) lnwire.PubKey {
	if i == 0 {
		return r.Source
	}
	return r.Hops[i-1].Node
}

// carried is the amount over the channel of hop i.
func (r *Route) carried(i int) lnwire.MilliSat {
	if i == 0 {
		return r.Amount
	}
	return r.Hops[i-1].Forward
}

// BuildPayloads writes what each node of the route finds in its layer of the onion.
// Amount and Expiry of final are taken from the route. An error means that a custom
// record is not one.
//
// B4.origin.2: nodes on the way are told amount, expiry and channel, the last one amount and expiry, the secret with the total, and the metadata.
func BuildPayloads(r *Route, final onion.Final) ([]onion.Hop, error) {
	hops := make([]onion.Hop, 0, len(r.Hops))
	add := func(id lnwire.PubKey, p onion.Payload) error {
		b, err := p.Encode()
		if err != nil {
			return fmt.Errorf("encode payload of hop %d: %w", len(hops), err)
		}
		hops = append(hops, onion.Hop{PubKey: id, Payload: b})
		return nil
	}
	last, intro := len(r.Hops)-1, r.intro()
	for i, h := range r.Hops[:min(last, intro)] {
		if err := add(h.Node, onion.Forward{Amount: h.Forward, Expiry: h.Expiry, SCID: r.Hops[i+1].SCID}.Payload()); err != nil {
			return nil, err
		}
	}
	if r.Tail == nil {
		final.Amount, final.Expiry = r.Hops[last].Forward, r.Hops[last].Expiry
		err := add(r.Hops[last].Node, final.Payload())
		return hops, err
	}
	for i, p := range r.tailPayloads(final) {
		id := r.Tail.Hops[i].ID
		if i == 0 {
			id = r.Hops[intro].Node
		}
		if err := add(id, p); err != nil {
			return nil, err
		}
	}
	return hops, nil
}
