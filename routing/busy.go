package routing

import "github.com/fulgur-ln/fulgur/lnwire"

// Load is what attempts under way hold of one direction of a channel that is not ours.
type Load struct {
	Direction
	To     lnwire.PubKey
	Amount lnwire.MilliSat
}

// Busy sums up the loads of all attempts under way, so that they do not count on the
// same liquidity twice. It is changed by one caller at a time. The zero Busy is ready.
type Busy struct{ loads map[Direction]held }

type held struct {
	to     lnwire.PubKey
	amount lnwire.MilliSat
}

// Add notes that an attempt goes along r, Remove that it came to its end.
func (b *Busy) Add(r *Route) {
	if b.loads == nil {
		b.loads = map[Direction]held{}
	}
	for l := range r.loads {
		h := b.loads[l.Direction]
		b.loads[l.Direction] = held{l.To, saturatingAdd(h.amount, l.Amount)}
	}
}

// Remove undoes Add.
func (b *Busy) Remove(r *Route) {
	for l := range r.loads {
		h := b.loads[l.Direction]
		if h.amount <= l.Amount {
			delete(b.loads, l.Direction)
			continue
		}
		b.loads[l.Direction] = held{h.to, h.amount - l.Amount}
	}
}

// AppendTo appends all loads to list. They stand for a sum by channel: their order
// means nothing.
func (b *Busy) AppendTo(list []Load) []Load {
	for d, h := range b.loads {
		list = append(list, Load{d, h.to, h.amount})
	}
	return list
}

// loads goes through what the route holds of channels that are not ours.
func (r *Route) loads(yield func(Load) bool) {
	for i := 1; i < len(r.Hops); i++ {
		h := &r.Hops[i]
		if h.SCID != 0 && !yield(Load{Direction{h.SCID, r.from(i)}, h.Node, r.carried(i)}) {
			return
		}
	}
}

// between is what loads hold of all that one node sends to another.
func between(loads []Load, from, to lnwire.PubKey) (sum lnwire.MilliSat) {
	for i := range loads {
		if l := &loads[i]; l.From == from && l.To == to {
			sum = saturatingAdd(sum, l.Amount)
		}
	}
	return sum
}
