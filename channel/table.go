package channel

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// find is the HTLC with the given id among those of one direction.
func find(list []*entry, id uint64) (*entry, bool) {
	i, ok := slices.BinarySearchFunc(list, id, func(e *entry, id uint64) int { return cmp.Compare(e.Ref.ID, id) })
	if !ok {
		return nil, false
	}
	return list[i], true
}

// byRef is the HTLC that ref names.
func (c *Channel) byRef(ref htlc.Ref) (*entry, bool) {
	switch {
	case ref.ChanNum != c.num:
		return nil, false
	case ref.Dir == htlc.Outgoing:
		return find(c.out, ref.ID)
	}
	return find(c.in, ref.ID)
}

// each calls f for every HTLC, incoming first, by id.
func (c *Channel) each(f func(e *entry)) {
	for _, e := range c.in {
		f(e)
	}
	for _, e := range c.out {
		f(e)
	}
}

// advance moves every HTLC and fee that the step of the dance concerns, and gives
// the HTLCs that it moved.
func (c *Channel) advance(step htlc.Step) (moved []*entry) {
	c.each(func(e *entry) {
		if e.State.Concerns(step) {
			e.State = e.State.After(step)
			c.touch(e)
			moved = append(moved, e)
		}
	})
	c.advanceFees(step)
	c.stale = true
	c.save()
	return moved
}

// owes reports that the step would move something.
func (c *Channel) owes(step htlc.Step) bool {
	concerned := func(e *entry) bool { return e.State.Concerns(step) }
	return slices.ContainsFunc(c.in, concerned) || slices.ContainsFunc(c.out, concerned) ||
		slices.ContainsFunc(c.core.Fees, func(f FeeUpdate) bool { return f.State.Concerns(step) }) ||
		c.fee != nil && c.fee.State.Concerns(step)
}

// advanceFees moves fee rates as advance moves HTLCs. One that is signed becomes
// part of the core; one that has reached both commitments for good replaces what
// came before it.
func (c *Channel) advanceFees(step htlc.Step) {
	if c.fee != nil && c.fee.State.Concerns(step) {
		c.core.Fees = append(c.core.Fees, *c.fee)
		c.fee = nil
	}
	for i := range c.core.Fees {
		c.core.Fees[i].State = c.core.Fees[i].State.After(step)
	}
	for i := len(c.core.Fees) - 1; i >= 0; i-- {
		if f := c.core.Fees[i]; f.State.Irrevocable() {
			c.core.FeeRate = f.Rate
			c.core.Fees = slices.Clone(c.core.Fees[i+1:])
			break
		}
	}
	if len(c.core.Fees) == 0 {
		c.core.Fees = nil
	}
}

// drop takes HTLCs out of the table, and what was noted of them.
func (c *Channel) drop(gone func(e *entry) bool) {
	forget := func(e *entry) bool {
		if !gone(e) {
			return false
		}
		delete(c.overdue, e.Ref)
		return true
	}
	c.in = slices.DeleteFunc(c.in, forget)
	c.out = slices.DeleteFunc(c.out, forget)
}

// outlook answers whether a commitment holds what stands in a state.
type outlook func(s htlc.State) bool

// holds is the outlook of one of the table's views.
func holds(v htlc.View) outlook {
	return func(s htlc.State) bool { return s.In(v) }
}

// remoteHeld is the peer's commitment that it has not revoked yet while it owes us
// a revocation: as it was before we signed the next one.
func remoteHeld(s htlc.State) bool {
	return s.Before(htlc.SendCommit).In(htlc.RemoteCommit)
}

// localWorst is our commitment once the peer has signed all that we have sent so
// far: what an HTLC that we add now will meet there.
func localWorst(s htlc.State) bool {
	switch s {
	case htlc.SentAdd, htlc.SentAddCommit:
		return true
	case htlc.SentRemove, htlc.SentRemoveCommit:
		return false
	}
	return s.In(htlc.LocalNext)
}

// balances are what both sides own in a commitment beside its HTLCs.
func (c *Channel) balances(in outlook) (ours, theirs lnwire.MilliSat) {
	// Signed: an outlook that mixes what is signed and what is not may run below
	// zero, which counts as nothing.
	mine, other := int64(c.core.Ours), int64(c.core.Theirs)
	for _, e := range c.out {
		moveFor(e, in, &mine, &other)
	}
	for _, e := range c.in {
		moveFor(e, in, &other, &mine)
	}
	return lnwire.MilliSat(max(0, mine)), lnwire.MilliSat(max(0, other))
}

// moveFor takes an HTLC from the balance of who offered it, and gives it to the
// other when it was fulfilled.
func moveFor(e *entry, in outlook, from, to *int64) {
	switch {
	case in(e.State):
		*from -= int64(e.Amount)
	case e.State.Removing() && e.Removal.Kind == htlc.Fulfilled:
		*from -= int64(e.Amount)
		*to += int64(e.Amount)
	}
}

// rate is the fee rate of a commitment: the last one that has reached it.
func (c *Channel) rate(in outlook) lnwire.SatPerKW {
	rate := c.core.FeeRate
	for _, f := range c.core.Fees {
		if in(f.State) {
			rate = f.Rate
		}
	}
	if c.fee != nil && in(c.fee.State) {
		rate = c.fee.Rate
	}
	return rate
}

// spec is what a commitment holds; ours says whose it is.
func (c *Channel) spec(ours bool, in outlook) commitment.Spec {
	return c.specIn(make([]commitment.HTLC, 0, len(c.in)+len(c.out)), ours, in)
}

// scratchSpec is spec for a look that keeps nothing: its list is only good until the
// next one.
func (c *Channel) scratchSpec(ours bool, in outlook) commitment.Spec {
	s := c.specIn(c.scratch[:0], ours, in)
	c.scratch = s.HTLCs
	return s
}

func (c *Channel) specIn(list []commitment.HTLC, ours bool, in outlook) commitment.Spec {
	s := commitment.Spec{FeeRate: c.rate(in), HTLCs: list}
	s.ToOwner, s.ToOther = c.balances(in)
	if !ours {
		s.ToOwner, s.ToOther = s.ToOther, s.ToOwner
	}
	c.each(func(e *entry) {
		if in(e.State) {
			s.HTLCs = append(s.HTLCs, commitmentHTLC(&e.HTLC, ours))
		}
	})
	return s
}

// localSpec and remoteSpec are the newest signed commitments of both sides.
func (c *Channel) localSpec() commitment.Spec  { return c.spec(true, holds(htlc.LocalCommit)) }
func (c *Channel) remoteSpec() commitment.Spec { return c.spec(false, holds(htlc.RemoteCommit)) }

// owner is the parameters of one side's commitments.
func (c *Channel) owner(ours bool) *commitment.Params {
	i := 0
	if !ours {
		i = 1
	}
	if c.params[i] == nil {
		t, p := c.terms, &commitment.Params{Format: c.terms.Format, Funding: c.core.Funding, Capacity: c.terms.Capacity}
		mine, other := &t.Ours, &t.Theirs
		if !ours {
			mine, other = other, mine
		}
		p.OwnerIsFunder = t.Funder == ours
		p.Owner, p.Other = mine.Basepoints, other.Basepoints
		p.DustLimit, p.ToSelfDelay = mine.DustLimit, other.ToSelfDelay
		c.params[i] = p
	}
	return c.params[i]
}

// point is our per-commitment point n.
func (c *Channel) point(n uint64) lnwire.PubKey {
	p, ok := c.points[n]
	if !ok {
		p = c.crypto.Point(c.terms.Keys.Root, n)
		if len(c.points) >= 4 {
			clear(c.points)
		}
		c.points[n] = p
	}
	return p
}

// buildLocal is our commitment n with the given content.
func (c *Channel) buildLocal(n uint64, s commitment.Spec) (*commitment.Commitment, error) {
	return c.build(c.owner(true), n, c.point(n), s)
}

// buildRemote is the peer's commitment n, at its point, with the given content.
func (c *Channel) buildRemote(n uint64, point lnwire.PubKey, s commitment.Spec) (*commitment.Commitment, error) {
	return c.build(c.owner(false), n, point, s)
}

func (c *Channel) build(p *commitment.Params, n uint64, point lnwire.PubKey, s commitment.Spec) (*commitment.Commitment, error) {
	keys, err := c.crypto.Keys(p, point)
	if err != nil {
		return nil, fmt.Errorf("build commitment %d: %w", n, err)
	}
	return commitment.BuildWith(p, n, keys, s)
}

// lookAhead says which keys the next commitments of both sides will have.
func (c *Channel) lookAhead() {
	if c.core.GotReady {
		c.crypto.Soon(c.owner(true), c.point(c.core.LocalN+1))
		c.crypto.Soon(c.owner(false), c.core.RemoteNext)
	}
}
