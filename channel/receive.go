package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// badOnion is the bit that every failure_code of update_fail_malformed_htlc has
// (BOLT 4).
const badOnion uint16 = 0x8000

// rcvAdd takes the peer's update_add_htlc. Nothing follows from it until it is
// signed: a disconnect forgets it.
func (c *Channel) rcvAdd(m *lnwire.UpdateAddHTLC, opened *htlc.Opened) {
	h := htlc.HTLC{
		Ref:    htlc.Ref{ChanNum: c.num, Dir: htlc.Incoming, ID: m.ID},
		Amount: m.Amount, Expiry: m.Expiry, Hash: m.Hash, State: htlc.RcvdAdd, PathKey: m.PathKey, Accountable: m.Accountable(),
		Custom: m.Custom(),
	}
	if c.conn.shutGot {
		c.warn("update_add_htlc: you have sent shutdown")
		return
	}
	// B2.add.17: the hash is not looked at, only the number.
	if m.ID != c.nextIn() { // B2.add.6
		c.warn(fmt.Sprintf("update_add_htlc: id %d, expected %d", m.ID, c.nextIn()))
		return
	}
	if why := c.checkIncoming(&h); why != "" {
		c.warn("update_add_htlc: " + why)
		return
	}
	c.in = append(c.in, &entry{HTLC: h, onion: &m.Onion, opened: opened})
	c.stale = true
}

// removable is the outgoing HTLC that a removal names. The peer may remove only
// what both sides are committed to, and only once (B2.remove.2).
func (c *Channel) removable(name string, id uint64) (*entry, bool) {
	e, ok := find(c.out, id)
	switch {
	case !ok || e.State < htlc.SentAddAckRevocation:
		c.warn(fmt.Sprintf("%s: no htlc %d in your commitment", name, id))
		return nil, false
	case e.State != htlc.SentAddAckRevocation:
		c.warn(fmt.Sprintf("%s: htlc %d is already being removed", name, id))
		return nil, false
	}
	return e, true
}

// rcvFulfill is a preimage: known from this moment on, so the switch hears of it at
// once, long before the HTLC is gone.
func (c *Channel) rcvFulfill(m *lnwire.UpdateFulfillHTLC) {
	e, ok := c.removable("update_fulfill_htlc", m.ID)
	if !ok {
		return
	}
	if m.Preimage.Hash() != e.Hash { // B2.remove.3
		c.warn(fmt.Sprintf("update_fulfill_htlc: the preimage does not open the hash of htlc %d", m.ID))
		return
	}
	if c.tooLate(e) {
		return
	}
	r := htlc.Resolution{Kind: htlc.Fulfilled, Preimage: m.Preimage}
	e.State, e.Removal = htlc.RcvdRemove, &r
	c.stale = true
	told := r // what came with it is only for whom it is told to
	told.Attribution = c.came(m.Attribution)
	c.outcome(e, told)
}

// rcvFail is a failure. It is told when the HTLC is gone from both commitments, not
// before: until then the peer could still claim it.
func (c *Channel) rcvFail(m *lnwire.UpdateFailHTLC) {
	if e, ok := c.removable("update_fail_htlc", m.ID); ok {
		e.State, e.Removal = htlc.RcvdRemove, &htlc.Resolution{Kind: htlc.Failed, Reason: m.Reason, Attribution: c.came(m.Attribution)}
		c.stale = true
	}
}

// rcvMalformed is a failure of a peer that could not read the onion.
func (c *Channel) rcvMalformed(m *lnwire.UpdateFailMalformedHTLC) {
	if m.FailureCode&badOnion == 0 { // B2.remove.4
		c.warn(fmt.Sprintf("update_fail_malformed_htlc: failure_code %#x is without BADONION", m.FailureCode))
		return
	}
	if e, ok := c.removable("update_fail_malformed_htlc", m.ID); ok {
		e.State = htlc.RcvdRemove
		e.Removal = &htlc.Resolution{Kind: htlc.Malformed, OnionSHA256: m.OnionSHA256, Code: m.FailureCode}
		c.stale = true
	}
}
